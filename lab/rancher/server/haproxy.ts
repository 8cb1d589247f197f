/**
 * A load balancer's haproxy.cfg, in place of the one that the controller in Rancher's own image writes.
 * What the rules mean is Rancher's: see the load balancer pages of its documentation.
 */
import type { DesiredFile } from "../protocol";
import type { Database } from "./database";
import type { CertificateDoc, InstanceDoc, PortRule, ServiceDoc } from "./documents";
import { serving } from "./engine/health";
import { parseId } from "./ids";
import { mapOf } from "./resources/launchConfig";
import { meetsSelector } from "./selector";

/** Where the configuration lies in a load balancer container. */
export const configPath = "/etc/haproxy/haproxy.cfg";

/** Port of the listener that Rancher's own health check of load balancers connects to. */
const healthPort = 42;

/** What a rule's protocol means: how HAProxy reads the traffic, and whether it ends TLS. */
const protocols: Readonly<Record<string, { mode: "http" | "tcp"; tls: boolean }>> = {
  http: { mode: "http", tls: false },
  https: { mode: "http", tls: true },
  tcp: { mode: "tcp", tls: false },
  tls: { mode: "tcp", tls: true },
  sni: { mode: "tcp", tls: false },
};

/** A section of the file: its first line and what is in it. */
interface Section {
  readonly head: string;
  readonly lines: string[];
}

interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number | undefined;
}

/** A rule with everything that a selected service adds to it. */
interface Route {
  readonly rule: PortRule;
  readonly targets: readonly Target[];
}

/** Keeps text from the API from breaking out of its line. */
const word = (text: unknown): string => String(text).replace(/[^\w.*/:~%+@,;=&-]/g, "");

/** The files of a load balancer's containers: certificates, then the configuration that names them. */
export function haproxyFiles(balancer: ServiceDoc, db: Database): DesiredFile[] {
  return [
    ...certificatesOf(balancer, db).map((c) => ({
      path: certificatePath(c),
      content: [c.cert, c.certChain ?? "", c.key]
        .map((pem) => pem.trim())
        .filter((pem) => pem !== "")
        .map((pem) => `${pem}\n`)
        .join(""),
      mode: "0600",
    })),
    { path: configPath, content: haproxyConfig(balancer, db), mode: "0644" },
  ];
}

/** The whole haproxy.cfg of a load balancer service. Same input, same text. */
export function haproxyConfig(balancer: ServiceDoc, db: Database): string {
  const rules = (balancer.lbConfig?.portRules ?? []).filter((r) => r.sourcePort !== undefined);
  const ports = [...new Set(rules.map((r) => r.sourcePort ?? 0))].sort((a, b) => a - b);
  const sections: Section[] = [
    {
      head: "global",
      lines: [
        "maxconn 4096",
        // An idle client must not keep an old worker for ever.
        "hard-stop-after 8s",
        "tune.ssl.default-dh-param 2048",
      ],
    },
    {
      head: "defaults",
      lines: [
        "mode tcp",
        "maxconn 4096",
        "timeout connect 5s",
        "timeout client 50s",
        "timeout server 50s",
        "timeout check 2s",
        "option redispatch 1",
        "retries 3",
      ],
    },
    {
      head: "frontend health",
      lines: [`bind *:${String(healthPort)}`, "mode http", "monitor-uri /"],
    },
  ];
  const taken = new Set<string>();
  for (const port of ports) {
    const mine = rules.filter((r) => r.sourcePort === port);
    const made = sectionsOfPort(port, mine, balancer, db, taken);
    for (const { head } of made) taken.add(head);
    sections.push(...made);
  }
  addCustom(sections, balancer.lbConfig?.config ?? "");
  const text = sections.map(({ head, lines }) =>
    [head, ...lines.map((line) => `    ${line}`), ""].join("\n"),
  );
  return [
    `# Written by the lab's Rancher server for load balancer ${word(balancer.name)}. Changes are overwritten.`,
    ...text,
  ].join("\n");
}

/** A port's frontend and its backends. */
function sectionsOfPort(
  port: number,
  all: readonly PortRule[],
  balancer: ServiceDoc,
  db: Database,
  taken: ReadonlySet<string>,
): Section[] {
  const comment = (text: string): Section[] => [
    { head: `# port ${String(port)}: ${text}`, lines: [] },
  ];
  const protocol = all[0]?.protocol ?? "http";
  const known = protocols[protocol];
  if (known === undefined)
    return comment(`the lab's load balancer has no protocol ${word(protocol)}`);
  const certificates = certificatesOf(balancer, db);
  if (known.tls && certificates.length === 0)
    return comment(`there is no certificate for ${protocol}`);
  // A port speaks one protocol: that of its first rule.
  const rules = all.filter((r) => (r.protocol ?? "http") === protocol);
  // Without a default certificate only names that are in one are served.
  const strict = balancer.lbConfig?.defaultCertificateId === undefined ? " strict-sni" : "";
  const tls = known.tls
    ? ` ssl ${certificates.map((c) => `crt ${certificatePath(c)}`).join(" ")}${strict}`
    : "";
  const frontend: Section = {
    head: `frontend port-${String(port)}`,
    lines: [`bind *:${String(port)}${tls}`, `mode ${known.mode}`],
  };
  if (known.mode === "http") {
    frontend.lines.push("option forwardfor");
  }
  if (protocol === "sni") {
    frontend.lines.push(
      "tcp-request inspect-delay 5s",
      "tcp-request content accept if { req_ssl_hello_type 1 }",
    );
  }
  const backends = new Map<string, { section: Section; targets: Target[] }>();
  const byCondition = new Map<string, string>();
  const acls: string[] = [];
  const uses: string[] = [];
  let fallback: string | undefined;
  for (const { route, fallbackName } of inOrder(port, rules, balancer, db)) {
    const tests = conditions(route.rule, protocol);
    const condition = tests.map((t) => t.test).join(" ");
    // Rules with the same conditions share a backend, where their weights count.
    const name = byCondition.get(condition) ?? nameOf(route.rule, port, taken) ?? fallbackName;
    const backend = backends.get(name) ?? {
      section: { head: `backend ${name}`, lines: backendLines(known.mode, balancer) },
      targets: [],
    };
    backends.set(name, backend);
    const fresh = route.targets.filter(
      (t) => !backend.targets.some((x) => x.address === t.address && x.port === t.port),
    );
    backend.targets.push(...fresh);
    if (byCondition.has(condition)) continue;
    byCondition.set(condition, name);
    acls.push(...tests.map((t) => `acl ${fallbackName}-${t.what} ${t.test}`));
    if (tests.length === 0) fallback ??= name;
    else
      uses.push(
        `use_backend ${name} if ${tests.map((t) => `${fallbackName}-${t.what}`).join(" ")}`,
      );
  }
  frontend.lines.push(...acls, ...uses);
  if (fallback !== undefined) frontend.lines.push(`default_backend ${fallback}`);
  const cookies = known.mode === "http" && balancer.lbConfig?.stickinessPolicy !== undefined;
  for (const { section, targets } of backends.values())
    section.lines.push(...serverLines(targets, cookies));
  return [frontend, ...[...backends.values()].map((b) => b.section)];
}

/** The backend's name that the rule asks for, with the port behind it when another port has it already. */
function nameOf(rule: PortRule, port: number, taken: ReadonlySet<string>): string | undefined {
  const name = word(rule.backendName ?? "").replace(/[^\w.:-]/g, "");
  if (name === "") return undefined;
  return taken.has(`backend ${name}`) ? `${name}-${String(port)}` : name;
}

/** A port's routes, the ones to be tried first in front. */
function inOrder(
  port: number,
  rules: readonly PortRule[],
  balancer: ServiceDoc,
  db: Database,
): { route: Route; fallbackName: string }[] {
  return rules
    .flatMap((rule) => routesOf(rule, balancer, db))
    .map((route, n) => ({
      route,
      fallbackName: `rule-${String(port)}-${String(n + 1)}`,
      key: [...rank(route.rule), n],
    }))
    .sort((a, b) => {
      const at = a.key.findIndex((k, n) => k !== b.key[n]);
      return at < 0 ? 0 : (a.key[at] ?? 0) - (b.key[at] ?? 0);
    });
}

/** More specific rules come first when priorities are equal: host and path, host, path, neither. */
function rank(rule: PortRule): number[] {
  const host = String(rule.hostname ?? "");
  const path = String(rule.path ?? "");
  return [
    Number(rule.priority ?? Number.MAX_SAFE_INTEGER),
    (host === "" ? 2 : 0) + (path === "" ? 1 : 0),
    host.includes("*") ? 1 : 0,
    -path.length,
  ];
}

/** What a request must be like for a rule; nothing when every one will do. */
function conditions(rule: PortRule, protocol: string): { what: "host" | "path"; test: string }[] {
  const tests: { what: "host" | "path"; test: string }[] = [];
  const fetches: Readonly<Record<string, string>> = {
    http: "hdr(host),field(1,:)",
    https: "hdr(host),field(1,:)",
    tls: "ssl_fc_sni",
    sni: "req_ssl_sni",
  };
  const fetch = fetches[protocol];
  const host = word(rule.hostname ?? "").toLowerCase();
  if (fetch !== undefined && host !== "" && host !== "*") {
    const match = host.startsWith("*")
      ? `-m end ${host.slice(1)}`
      : host.endsWith("*")
        ? `-m beg ${host.slice(0, -1)}`
        : host;
    tests.push({ what: "host", test: `${fetch} -i ${match}` });
  }
  const path = word(rule.path ?? "");
  if ((protocol === "http" || protocol === "https") && path !== "" && path !== "/")
    tests.push({ what: "path", test: `path_beg -i ${path}` });
  return tests;
}

/** A rule for one service, or for each service that its selector selects. */
function routesOf(rule: PortRule, balancer: ServiceDoc, db: Database): Route[] {
  const weight = rule.weight as number | undefined;
  if (rule.serviceId !== undefined) {
    const service = db.services.get(rule.serviceId);
    const found =
      service?.removed === null && rule.targetPort !== undefined
        ? targetsOf(service, rule.targetPort, weight, db)
        : [];
    return [{ rule, targets: found }];
  }
  const selected = db.services
    .live()
    .filter(
      (s) =>
        s.id !== balancer.id &&
        s.accountId === balancer.accountId &&
        meetsSelector(String(rule.selector ?? ""), mapOf(s.launchConfig ?? {}, "labels")),
    );
  // A selected service says in its own rules what is sent to it; the balancer's rule fills the gaps.
  const routes = selected.flatMap((service) => {
    const own = service.kind === "service" ? (service.lbConfig?.portRules ?? []) : [];
    return (own.length === 0 ? [{}] : own).flatMap((its: PortRule): Route[] => {
      const merged: PortRule = { ...rule, ...its, protocol: rule.protocol ?? "http" };
      const port = its.targetPort ?? rule.targetPort;
      if (port === undefined) return [];
      const heavy = (its.weight as number | undefined) ?? weight;
      return [{ rule: merged, targets: targetsOf(service, port, heavy, db) }];
    });
  });
  return routes.length === 0 ? [{ rule, targets: [] }] : routes;
}

/** Running, healthy containers of a service, in a stable order; the addresses of an external one. */
function targetsOf(
  service: ServiceDoc,
  port: number,
  weight: number | undefined,
  db: Database,
  depth = 0,
): Target[] {
  if (service.kind === "externalService") {
    const addresses = service.externalIpAddresses ?? [service.hostname ?? ""];
    return addresses
      .map((a) => word(a))
      .filter((a) => a !== "")
      .map((address, n) => {
        const name = `s${String(service.id)}-${String(n + 1)}`;
        return { name, address, port, weight };
      });
  }
  if (service.kind === "dnsService") {
    // An alias of aliases ends somewhere, unless it is a circle.
    if (depth > 5) return [];
    return Object.values(service.linkedServices).flatMap((id) => {
      const linked = db.services.get(id);
      return linked?.removed === null ? targetsOf(linked, port, weight, db, depth + 1) : [];
    });
  }
  return db.instances
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
      return address === undefined ? [] : [{ name: `i${String(i.id)}`, address, port, weight }];
    });
}

/**
 * What a visitor came by, said only where nobody did before: a visitor may lie, as with the real one.
 * It stands in the backend, and so behind what a frontend's custom lines take away.
 * Source: rancher/lb-controller, provider/haproxy/haproxy_config_util.go.
 */
const forwarded = [
  "http-request set-header X-Forwarded-Proto https if { ssl_fc } !{ req.hdr(X-Forwarded-Proto) -m found }",
  "http-request set-header X-Forwarded-Port %[dst_port] if !{ req.hdr(X-Forwarded-Port) -m found }",
];

function backendLines(mode: "http" | "tcp", balancer: ServiceDoc): string[] {
  const lines = [`mode ${mode}`, "balance roundrobin", ...(mode === "http" ? forwarded : [])];
  const sticky = balancer.lbConfig?.stickinessPolicy as Record<string, unknown> | undefined;
  if (mode !== "http" || sticky === undefined) return lines;
  const flags = ["indirect", "nocache", "postonly"].filter((f) => sticky[f] === true);
  const domain = sticky.domain === undefined ? [] : [`domain ${word(sticky.domain)}`];
  const name = word(sticky.cookie ?? sticky.name ?? "SERVERID");
  lines.push(["cookie", name, word(sticky.mode), ...flags, ...domain].join(" "));
  return lines;
}

function serverLines(targets: readonly Target[], cookies: boolean): string[] {
  const names = new Map<string, number>();
  return targets.map(({ name: wanted, address, port, weight }) => {
    // The same container may serve several ports of one backend.
    const times = (names.get(wanted) ?? 0) + 1;
    names.set(wanted, times);
    const name = times === 1 ? wanted : `${wanted}-${String(times)}`;
    const isName = !/^[\d.]+$/.test(address) && !address.includes(":");
    return [
      // A check notices a dead replica before the server hears of it from the agent.
      `server ${name} ${address}:${String(port)} check inter 1s fall 2 rise 1`,
      ...(cookies ? [`cookie ${name}`] : []),
      ...(weight === undefined ? [] : [`weight ${String(weight)}`]),
      // A name that nobody knows must not keep the whole balancer from starting.
      ...(isName ? ["init-addr last,libc,none"] : []),
    ].join(" ");
  });
}

/** The balancer's certificates that exist, the default one in front. */
function certificatesOf(balancer: ServiceDoc, db: Database): CertificateDoc[] {
  const { defaultCertificateId, certificateIds = [] } = balancer.lbConfig ?? {};
  const ids = new Set(
    [...(defaultCertificateId === undefined ? [] : [defaultCertificateId]), ...certificateIds].map(
      (id) => parseId(id),
    ),
  );
  return [...ids]
    .map((id) => db.certificates.get(id))
    .filter((c): c is CertificateDoc => c?.removed === null);
}

const certificatePath = (c: CertificateDoc): string =>
  `/etc/haproxy/certificate-${String(c.id)}.pem`;

/** Words that begin a section of haproxy.cfg. Source: HAProxy's configuration manual. */
const sectionWords = new Set([
  "backend",
  "cache",
  "defaults",
  "fcgi-app",
  "frontend",
  "global",
  "http-errors",
  "listen",
  "log-forward",
  "mailers",
  "peers",
  "program",
  "resolvers",
  "ring",
  "userlist",
]);

/**
 * Puts lbConfig.config in: what it says of `global`, `defaults`, `frontend <port>` and of backends that
 * rules made goes to the end of those sections; its other sections follow. Lines before its first section
 * belong to `global`.
 */
function addCustom(sections: Section[], custom: string): void {
  const lines = custom.split(/\r?\n/).map((line) => line.trim());
  let into = sections.find((s) => s.head === "global");
  for (const line of lines) {
    if (line === "") continue;
    const head = line.replace(/\s+/g, " ");
    if (!sectionWords.has(head.split(" ")[0] ?? "")) {
      into?.lines.push(line);
      continue;
    }
    const ours = head.replace(/^frontend (\d+)$/, "frontend port-$1");
    const there = sections.find((s) => s.head === ours);
    into = there ?? { head, lines: [] };
    if (there === undefined) sections.push(into);
  }
}
