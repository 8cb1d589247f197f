import type { Database } from "./database";
import type { InstanceDoc, PortRule, ServiceDoc } from "./documents";
import { serving } from "./engine/health";
import { mapOf } from "./resources/launchConfig";

/** Where the configuration lies in a load balancer container. */
export const configPath = "/etc/haproxy/haproxy.cfg";

/** Port of the listener that Rancher's own health check of load balancers connects to. */
const healthPort = 42;

interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** Services a rule points to, with the port to use at each. */
function servicesFor(
  rule: PortRule,
  balancer: ServiceDoc,
  db: Database,
): { service: ServiceDoc; port: number }[] {
  if (rule.serviceId !== undefined) {
    const service = db.services.get(rule.serviceId);
    return service?.removed === null && rule.targetPort !== undefined
      ? [{ service, port: rule.targetPort }]
      : [];
  }
  const [key = "", value = ""] = String(rule.selector ?? "")
    .split("=")
    .map((x) => x.trim());
  return db.services
    .live()
    .filter(
      (s) =>
        s.accountId === balancer.accountId && mapOf(s.launchConfig ?? {}, "labels")[key] === value,
    )
    .flatMap((service) => {
      const port = rule.targetPort ?? service.lbConfig?.portRules?.[0]?.targetPort;
      return port === undefined ? [] : [{ service, port }];
    });
}

/** Running, healthy containers behind a rule, in a stable order. */
function targetsOf(rule: PortRule, balancer: ServiceDoc, db: Database): Target[] {
  return servicesFor(rule, balancer, db).flatMap(({ service, port }) =>
    db.instances
      .live()
      .filter(
        (i) =>
          i.serviceId === service.id &&
          i.launchConfigName.startsWith("io.rancher.") &&
          i.desired === "running" &&
          serving(i),
      )
      .flatMap((i: InstanceDoc) => {
        const address =
          i.primaryIpAddress ??
          (i.config.networkMode === "host" ? db.hosts.get(i.hostId)?.agentIpAddress : undefined);
        return address === undefined ? [] : [{ name: `i${String(i.id)}`, address, port }];
      }),
  );
}

/** More specific rules come first when priorities are equal: host and path, host, path, neither. */
function rank(rule: PortRule): number[] {
  const host = String(rule.hostname ?? "");
  const path = String(rule.path ?? "");
  return [
    Number(rule.priority ?? Number.MAX_SAFE_INTEGER),
    (host === "" ? 2 : 0) + (path === "" ? 1 : 0),
    host.startsWith("*") ? 1 : 0,
    -path.length,
  ];
}

/** Keeps text from the API from breaking out of its line. */
const word = (text: unknown): string => String(text).replace(/[^\w.*/:~%+@,;=&-]/g, "");

function conditions(rule: PortRule, name: string): { acls: string[]; use: string } {
  const acls: string[] = [];
  const names: string[] = [];
  const host = word(rule.hostname ?? "").toLowerCase();
  const path = word(rule.path ?? "");
  if (host !== "" && host !== "*") {
    const test = host.startsWith("*.")
      ? `hdr(host),field(1,:) -i -m end ${host.slice(1)}`
      : `hdr(host),field(1,:) -i ${host}`;
    acls.push(`    acl ${name}-host ${test}`);
    names.push(`${name}-host`);
  }
  if (path !== "" && path !== "/") {
    acls.push(`    acl ${name}-path path_beg -i ${path}`);
    names.push(`${name}-path`);
  }
  return { acls, use: names.length === 0 ? "" : ` if ${names.join(" ")}` };
}

/** The whole haproxy.cfg of a load balancer service. Same input, same text. */
export function haproxyConfig(balancer: ServiceDoc, db: Database): string {
  const rules = (balancer.lbConfig?.portRules ?? []).filter((r) => r.sourcePort !== undefined);
  const ports = [...new Set(rules.map((r) => r.sourcePort ?? 0))].sort((a, b) => a - b);
  const lines = [
    `# Written by the lab's Rancher server for load balancer ${word(balancer.name)}. Changes are overwritten.`,
    "global",
    "    maxconn 4096",
    "",
    "defaults",
    "    mode tcp",
    "    maxconn 4096",
    "    timeout connect 5s",
    "    timeout client 50s",
    "    timeout server 50s",
    "    timeout check 2s",
    "    option redispatch 1",
    "    retries 3",
    "",
    "frontend health",
    `    bind *:${String(healthPort)}`,
    "    mode http",
    "    monitor-uri /",
    "",
  ];
  for (const port of ports)
    lines.push(
      ...frontend(
        port,
        rules.filter((r) => r.sourcePort === port),
        balancer,
        db,
      ),
    );
  const custom = balancer.lbConfig?.config?.trim();
  if (custom !== undefined && custom !== "") lines.push("# From lbConfig.config:", custom, "");
  return `${lines.join("\n")}\n`;
}

function frontend(port: number, rules: PortRule[], balancer: ServiceDoc, db: Database): string[] {
  const http = rules.every((r) => r.protocol === "http");
  const unsupported = rules.find((r) => r.protocol !== "http" && r.protocol !== "tcp");
  if (unsupported !== undefined) {
    return [
      `# port ${String(port)}: the lab's load balancer has no protocol ${word(unsupported.protocol)}`,
      "",
    ];
  }
  const sorted = rules
    .map((rule, n) => ({
      rule,
      name: `rule-${String(port)}-${String(n + 1)}`,
      key: [...rank(rule), n],
    }))
    .sort((a, b) => {
      const at = a.key.findIndex((k, n) => k !== b.key[n]);
      return at < 0 ? 0 : (a.key[at] ?? 0) - (b.key[at] ?? 0);
    });
  const lines = [
    `frontend port-${String(port)}`,
    `    bind *:${String(port)}`,
    `    mode ${http ? "http" : "tcp"}`,
  ];
  if (http) {
    lines.push(
      "    option forwardfor",
      "    http-request set-header X-Forwarded-Proto http",
      `    http-request set-header X-Forwarded-Port ${String(port)}`,
    );
  }
  const uses: string[] = [];
  let fallback: string | undefined;
  for (const { rule, name } of sorted) {
    const { acls, use } = http ? conditions(rule, name) : { acls: [], use: "" };
    lines.push(...acls);
    // The first rule without a condition takes what is left; later ones cannot be reached.
    if (use === "") fallback ??= name;
    else uses.push(`    use_backend ${name}${use}`);
  }
  lines.push(...uses);
  if (fallback !== undefined) lines.push(`    default_backend ${fallback}`);
  lines.push("");
  for (const { rule, name } of sorted) lines.push(...backend(rule, name, http, balancer, db));
  return lines;
}

function backend(
  rule: PortRule,
  name: string,
  http: boolean,
  balancer: ServiceDoc,
  db: Database,
): string[] {
  const lines = [`backend ${name}`, `    mode ${http ? "http" : "tcp"}`, "    balance roundrobin"];
  const sticky = balancer.lbConfig?.stickinessPolicy as Record<string, unknown> | undefined;
  const useCookie = http && sticky !== undefined;
  if (useCookie) {
    const flags = ["indirect", "nocache", "postonly"].filter((f) => sticky[f] === true);
    const domain = sticky.domain === undefined ? [] : [`domain ${word(sticky.domain)}`];
    lines.push(
      `    cookie ${word(sticky.cookie ?? sticky.name ?? "SERVERID")} ${[word(sticky.mode), ...flags, ...domain].join(" ")}`,
    );
  }
  const weight = rule.weight === undefined ? "" : ` weight ${String(rule.weight as number)}`;
  for (const t of targetsOf(rule, balancer, db)) {
    const cookie = useCookie ? ` cookie ${t.name}` : "";
    // A check notices a dead replica before the server hears of it from the agent.
    lines.push(
      `    server ${t.name} ${t.address}:${String(t.port)} check inter 1s fall 2 rise 1${cookie}${weight}`,
    );
  }
  lines.push("");
  return lines;
}
