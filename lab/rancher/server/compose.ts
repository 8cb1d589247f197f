/**
 * Reads compose files as Rancher's compose executor does. Versions 1 and 2; docker-compose and
 * rancher-compose are read alike and merged, so that either may hold any key.
 *
 * Not read: Go templates, `build`, `env_file`, `extends`, `load_balancer_config`, volumes and networks of
 * the top level; keys without a counterpart in a launch configuration are dropped.
 */
import { createHash } from "node:crypto";
import { isMap, LineCounter, parseDocument, type Document } from "yaml";
import { isObject, type Body } from "./http/validate";

/** Where the executor notes what a service was made from: a label of each launch configuration, a key of the metadata. */
export const hashKey = "io.rancher.service.hash";

/** A kind of service that compose files can name. */
export type ComposeKind = "service" | "loadBalancerService" | "externalService" | "dnsService";

/** One service of a project. */
export interface ComposeService {
  readonly name: string;
  readonly kind: ComposeKind;
  /**
   * What is POSTed to make it, without stackId. `lbConfig` still names services and certificates:
   * `portRules[].service`, `certs`, `default_cert`.
   */
  readonly body: Body;
  /** Aliases; `service` is `name`, or `stack/name` in another stack. */
  readonly links: readonly { readonly service: string; readonly name: string }[];
  /** Services of the same project that are made and started before it. */
  readonly needs: readonly string[];
  /** Whether it is started with its stack. */
  readonly start: boolean;
  /** In an upgrade, whether new containers start before old ones stop. */
  readonly startFirst: boolean;
  /** Of everything but scale and launch configurations. */
  readonly hash: string;
  /** Of each launch configuration, the primary one's under the service's own name. */
  readonly hashes: Readonly<Record<string, string>>;
}

/** What the executor says of files that it cannot execute; the stack shows it. */
export class ComposeError extends Error {}

/**
 * The services of a project, each after those that it needs. `variables` are put in for `$NAME` and
 * `${NAME}`, `$$` becomes `$`; unknown ones are empty. Throws {@link ComposeError}.
 */
export function readCompose(
  dockerCompose: string,
  rancherCompose: string | null,
  variables: Readonly<Record<string, string>>,
): ComposeService[] {
  const merged: Record<string, Body> = {};
  for (const text of [dockerCompose, rancherCompose ?? ""]) {
    for (const [name, raw] of Object.entries(servicesIn(text))) {
      const service = interpolateAll(raw, variables);
      merged[name] = merge(merged[name] ?? {}, service);
    }
  }
  const sidekicks = new Set(Object.values(merged).flatMap(sidekicksOf));
  const names = Object.keys(merged)
    .filter((name) => !sidekicks.has(name))
    .sort();
  return inOrder(names, merged).map(({ name, needs }) => convert(name, needs, merged, variables));
}

/** The raw services of one file, by name. */
function servicesIn(text: string): Record<string, Body> {
  if (text.includes("{{"))
    throw new ComposeError("the lab's Rancher server does not execute templates in compose files");
  const lines = new LineCounter();
  const document = parseDocument(text, { merge: true, lineCounter: lines });
  const failed = document.errors[0];
  if (failed !== undefined)
    throw notYaml(`line ${String(failed.linePos?.[0].line ?? 1)}: ${saidOf(failed.message)}`);
  const root: unknown = document.toJS();
  if (root === null || root === undefined) return {};
  if (!isObject(root)) throw notYaml(unexpected(root, 1, "config.RawConfig"));
  const version = root["version"];
  if (String(version) === "3") throw new ComposeError("version 3 is not supported");
  const isSecond = String(version) === "2";
  const { ".catalog": _catalog, ...first } = root;
  const raw = isSecond ? (root["services"] ?? {}) : first;
  const lineOf = (...path: string[]): number => lineAt(document, lines, path);
  const at = isSecond ? ["services"] : [];
  if (!isObject(raw)) throw notYaml(unexpected(raw, lineOf(...at), "config.RawServiceMap"));
  return Object.fromEntries(
    Object.entries(raw).map(([name, service]) => {
      if (service === null) return [name, {}];
      if (isObject(service)) return [name, service];
      const problem = unexpected(service, lineOf(...at, name), "config.RawService");
      throw isSecond ? notYaml(problem) : new ComposeError(`yaml: ${problem}`);
    }),
  );
}

const notYaml = (problem: string): ComposeError =>
  new ComposeError(
    `error parsing yaml, please check: yaml: ${problem}. (Note: Only version 1 and 2 are supported)`,
  );

/** The parser's words for what is wrong: the recorded ones where they are known. */
function saidOf(message: string): string {
  if (message.startsWith("Flow sequence")) return "did not find expected ',' or ']'";
  if (message.startsWith("Flow map")) return "did not find expected ',' or '}'";
  const [sentence = ""] = message.split(/ at line \d+| \(|\n/);
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function unexpected(value: unknown, line: number, type: string): string {
  const tag = Array.isArray(value) ? "!!seq" : `!!str \`${String(value)}\``;
  return `unmarshal errors:\n  line ${String(line)}: cannot unmarshal ${tag} into ${type}`;
}

function lineAt(document: Document, lines: LineCounter, path: readonly string[]): number {
  const { contents } = document;
  const node = isMap(contents) ? contents.getIn(path, true) : undefined;
  const range = (node as { range?: readonly number[] | null } | undefined)?.range;
  return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
}

/** Lists are added up, maps united, except what says where a service belongs. */
function merge(base: Body, over: Body): Body {
  const merged: Body = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    const isWhole = key === "links" || key === "volumes_from";
    if (!isWhole && Array.isArray(old) && Array.isArray(value))
      merged[key] = [...(old as unknown[]), ...(value as unknown[])];
    else if (!isWhole && isObject(old) && isObject(value)) merged[key] = { ...old, ...value };
    else merged[key] = value;
  }
  return merged;
}

function interpolateAll(service: Body, variables: Readonly<Record<string, string>>): Body {
  const walk = (key: string, value: unknown): unknown => {
    if (typeof value === "string") return interpolate(key, value, variables);
    if (Array.isArray(value)) return value.map((v) => walk(key, v));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(key, v)]));
  };
  return Object.fromEntries(Object.entries(service).map(([k, v]) => [k, walk(k, v)]));
}

function interpolate(
  key: string,
  text: string,
  variables: Readonly<Record<string, string>>,
): string {
  return text.replace(
    /\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z_][A-Za-z0-9_]*))?/g,
    (_all, dollar?: string, braced?: string, bare?: string) => {
      if (dollar !== undefined) return "$";
      const name = braced ?? bare;
      if (name === undefined)
        throw new ComposeError(`Invalid interpolation format for key "${key}": "${text}"`);
      return variables[name] ?? "";
    },
  );
}

/** Topologically sorted; a link that closes a circle is left out of what is waited for. */
function inOrder(
  names: readonly string[],
  services: Readonly<Record<string, Body>>,
): { name: string; needs: string[] }[] {
  const done: { name: string; needs: string[] }[] = [];
  const visit = (name: string, above: readonly string[]): void => {
    if (done.some((d) => d.name === name)) return;
    const needs: string[] = [];
    for (const target of targetsOf(services[name] ?? {})) {
      if (target.includes("/")) continue;
      if (!names.includes(target)) {
        throw new ComposeError(
          `Service '${name}' has a link to service '${target}' which is undefined`,
        );
      }
      if (target === name || above.includes(target)) continue;
      visit(target, [...above, name]);
      if (!needs.includes(target)) needs.push(target);
    }
    if (!done.some((d) => d.name === name)) done.push({ name, needs });
  };
  for (const name of names) visit(name, []);
  return done;
}

/** Services that one refers to by links or, as a load balancer, by its rules. */
function targetsOf(service: Body): string[] {
  const rules = isObject(service["lb_config"]) ? listIn(service["lb_config"], "port_rules") : [];
  const served = rules.filter(isObject).map((rule) => rule["service"]);
  return [
    ...textsIn(service, "links").map((link) => link.split(":")[0]?.trim() ?? ""),
    ...served.filter((name) => typeof name === "string"),
  ];
}

const sidekicksOf = (service: Body): string[] =>
  (mapIn(service, "labels", {})["io.rancher.sidekicks"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

function convert(
  name: string,
  needs: readonly string[],
  services: Readonly<Record<string, Body>>,
  variables: Readonly<Record<string, string>>,
): ComposeService {
  const raw = services[name] ?? {};
  const primary = launchConfig(raw, variables);
  const hashes: Record<string, string> = { [name]: hashOf(primary) };
  const secondary = sidekicksOf(raw).map((sidekick) => {
    const found = services[sidekick];
    if (found === undefined) throw new ComposeError(`Failed to find sidekick: ${sidekick}`);
    const config = { name: sidekick, ...launchConfig(found, variables) };
    hashes[sidekick] = hashOf(config);
    return labelled(config, hashes[sidekick]);
  });
  const labels = mapIn(raw, "labels", variables);
  const own: Body = {
    name,
    metadata: isObject(raw["metadata"]) ? raw["metadata"] : {},
    ...ifGiven("retainIp", raw["retain_ip"]),
    ...ifGiven("scalePolicy", raw["scale_policy"]),
    ...ifGiven("selectorContainer", labels["io.rancher.service.selector.container"]),
    ...ifGiven("selectorLink", labels["io.rancher.service.selector.link"]),
    ...ifGiven("externalIpAddresses", raw["external_ips"]),
    ...ifGiven("lbConfig", isObject(raw["lb_config"]) ? lbConfig(raw["lb_config"]) : undefined),
  };
  const kind = kindOf(raw);
  if (kind === "externalService") {
    Object.assign(own, ifGiven("hostname", raw["hostname"]));
    Object.assign(own, ifGiven("healthCheck", primary["healthCheck"]));
  }
  const hash = hashOf(own);
  return {
    name,
    kind,
    body: {
      ...own,
      metadata: { ...(own["metadata"] as Body), [hashKey]: hash },
      scale: typeof raw["scale"] === "number" && raw["scale"] > 0 ? raw["scale"] : 1,
      ...(kind === "externalService"
        ? {}
        : { launchConfig: labelled(primary, hashes[name] ?? "") }),
      ...(secondary.length === 0 ? {} : { secondaryLaunchConfigs: secondary }),
    },
    links: [...textsIn(raw, "links"), ...textsIn(raw, "external_links")].map((link) => {
      const [service = "", alias] = link.split(":").map((part) => part.trim());
      return { service, name: alias ?? "" };
    }),
    needs,
    start: raw["start_on_create"] !== false,
    startFirst:
      isObject(raw["upgrade_strategy"]) && raw["upgrade_strategy"]["start_first"] === true,
    hash,
    hashes,
  };
}

function kindOf(raw: Body): ComposeKind {
  const image = String(raw["image"] ?? "").replace(/:.*/, "");
  if (listIn(raw, "external_ips").length > 0 || image === "rancher/external-service")
    return "externalService";
  if (image === "rancher/dns-service") return "dnsService";
  const rules = isObject(raw["lb_config"]) ? listIn(raw["lb_config"], "port_rules") : [];
  return rules.some((rule) => isObject(rule) && rule["source_port"] !== undefined)
    ? "loadBalancerService"
    : "service";
}

/** Keys that are only called otherwise in a launch configuration. */
const texts = [
  ["hostname", "hostname"],
  ["domainname", "domainName"],
  ["user", "user"],
  ["working_dir", "workingDir"],
  ["pid", "pidMode"],
  ["ipc", "ipcMode"],
  ["uts", "uts"],
  ["cgroup_parent", "cgroupParent"],
  ["cpuset", "cpuSet"],
  ["volume_driver", "volumeDriver"],
  ["stop_signal", "stopSignal"],
  ["isolation", "isolation"],
  ["userns_mode", "usernsMode"],
] as const;
const numbers = [
  ["cpu_shares", "cpuShares"],
  ["cpu_quota", "cpuQuota"],
  ["cpu_period", "cpuPeriod"],
  ["mem_swappiness", "memorySwappiness"],
  ["oom_score_adj", "oomScoreAdj"],
  ["pids_limit", "pidsLimit"],
  ["milli_cpu_reservation", "milliCpuReservation"],
  ["drain_timeout_ms", "drainTimeoutMs"],
] as const;
const sizes = [
  ["mem_limit", "memory"],
  ["memswap_limit", "memorySwap"],
  ["mem_reservation", "memoryReservation"],
  ["shm_size", "shmSize"],
] as const;
const flags = [
  ["privileged", "privileged"],
  ["tty", "tty"],
  ["stdin_open", "stdinOpen"],
  ["read_only", "readOnly"],
  ["init", "runInit"],
  ["oom_kill_disable", "oomKillDisable"],
] as const;
const lists = [
  ["cap_add", "capAdd"],
  ["cap_drop", "capDrop"],
  ["devices", "devices"],
  ["dns", "dns"],
  ["dns_search", "dnsSearch"],
  ["dns_opt", "dnsOpt"],
  ["expose", "expose"],
  ["extra_hosts", "extraHosts"],
  ["group_add", "groupAdd"],
  ["ports", "ports"],
  ["security_opt", "securityOpt"],
  ["volumes", "dataVolumes"],
  ["volumes_from", "dataVolumesFromLaunchConfigs"],
] as const;

function launchConfig(raw: Body, variables: Readonly<Record<string, string>>): Body {
  const out: Body = {};
  if (typeof raw["image"] === "string" && raw["image"] !== "")
    out["imageUuid"] = `docker:${raw["image"]}`;
  for (const [key, field] of texts) Object.assign(out, ifGiven(field, raw[key]));
  for (const [key, field] of numbers) Object.assign(out, ifGiven(field, raw[key]));
  for (const [key, field] of flags) Object.assign(out, ifGiven(field, raw[key]));
  for (const [key, field] of sizes)
    if (raw[key] !== undefined) out[field] = bytes(key, String(raw[key]));
  for (const [key, field] of lists) {
    const list = textsIn(raw, key);
    if (list.length > 0) out[field] = list;
  }
  for (const [key, field] of [
    ["command", "command"],
    ["entrypoint", "entryPoint"],
  ] as const) {
    const given = raw[key];
    const list = typeof given === "string" ? words(given) : textsIn(raw, key);
    if (list.length > 0) out[field] = list;
  }
  for (const key of ["environment", "labels"] as const) {
    const map = mapIn(raw, key, variables);
    if (Object.keys(map).length > 0) out[key] = map;
  }
  const mode = String(raw["network_mode"] ?? raw["net"] ?? "");
  const mate = /^(?:container|service):(.+)$/.exec(mode)?.[1];
  if (mate !== undefined)
    Object.assign(out, { networkMode: "container", networkLaunchConfig: mate });
  else out["networkMode"] = mode === "" ? "managed" : mode;
  const logging = isObject(raw["logging"]) ? raw["logging"] : {};
  out["logConfig"] = {
    type: "logConfig",
    ...ifGiven("driver", logging["driver"] ?? raw["log_driver"]),
    ...ifGiven("config", logging["options"] ?? raw["log_opt"]),
  };
  if (isObject(raw["health_check"])) out["healthCheck"] = camelKeys(raw["health_check"]);
  if (raw["start_on_create"] === false) out["startOnCreate"] = false;
  return out;
}

function lbConfig(raw: Body): Body {
  const { port_rules: _rules, certs: _certs, default_cert: _default, ...rest } = raw;
  return {
    ...camelKeys(rest),
    portRules: listIn(raw, "port_rules").filter(isObject).map(camelKeys),
    certs: textsIn(raw, "certs"),
    ...ifGiven("default_cert", raw["default_cert"]),
  };
}

/** A copy with the hash among the labels. */
const labelled = (config: Body, hash: string): Body => ({
  ...config,
  labels: { ...(config["labels"] as Body | undefined), [hashKey]: hash },
});

const ifGiven = (field: string, value: unknown): Body =>
  value === undefined || value === null ? {} : { [field]: value };

/** `healthy_threshold` -> `healthyThreshold`, at every depth. */
function camelKeys(value: Body): Body {
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [
      key.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
      isObject(v) ? camelKeys(v) : v,
    ]),
  );
}

const listIn = (raw: Body, key: string): unknown[] => {
  const value = raw[key];
  return Array.isArray(value) ? (value as unknown[]) : [];
};

/** A list of texts; one text alone is a list of one. */
const textsIn = (raw: Body, key: string): string[] =>
  typeof raw[key] === "string" ? [raw[key]] : listIn(raw, key).map(String);

/** A map, or a list of `KEY=value`. A key without a value takes the variable's, or is dropped. */
function mapIn(
  raw: Body,
  key: string,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const value = raw[key];
  const pairs: [string, unknown][] = isObject(value)
    ? Object.entries(value)
    : textsIn(raw, key).map((text) => {
        const at = text.indexOf("=");
        return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
      });
  return Object.fromEntries(
    pairs
      .map(([k, v]): [string, unknown] => [k, v ?? (key === "labels" ? "" : variables[k])])
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => [k, String(v)]),
  );
}

/** `512m` in bytes. */
function bytes(key: string, text: string): number {
  const match = /^(\d+)([bkmg]?)b?$/i.exec(text);
  if (match === null) throw new ComposeError(`Invalid size for key "${key}": "${text}"`);
  const power = "bkmg".indexOf((match[2] ?? "").toLowerCase());
  return Number(match[1]) * 1024 ** Math.max(0, power);
}

/** Splits a command line as a shell would, quotes and backslashes obeyed, nothing expanded. */
function words(line: string): string[] {
  return (line.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? []).map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_all, double, single, escaped) =>
      typeof double === "string"
        ? double.replace(/\\(["\\$`])/g, "$1")
        : ((single ?? escaped) as string),
    ),
  );
}

/** Independent of the order of keys. */
function hashOf(value: unknown): string {
  const sorted = (v: unknown): unknown =>
    Array.isArray(v)
      ? v.map(sorted)
      : isObject(v)
        ? Object.fromEntries(
            Object.entries(v)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([k, x]) => [k, sorted(x)]),
          )
        : v;
  return createHash("sha1")
    .update(JSON.stringify(sorted(value)))
    .digest("hex");
}
