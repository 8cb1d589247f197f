import * as assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { renewed, shop } from "../../test/provider-unit/certificates";
import type { DesiredFile } from "../rancher/protocol";
import { haproxyFiles } from "../rancher/server/haproxy";
import { meetsSelector } from "../rancher/server/selector";
import { project, Rig, type Json } from "./rancherRig";

/** Where there is a HAProxy it judges every text of this file; the tests do without it as well. */
const haproxy = spawnSync("haproxy", ["-v"]).status === 0;

/** Lets HAProxy check the files, moved to a folder of their own. */
function judge(files: readonly DesiredFile[]): void {
  if (!haproxy) return;
  const folder = mkdtempSync(join(tmpdir(), "haproxy-spec-"));
  try {
    for (const { path, content } of files) {
      const moved = content.replace(/\/etc\/haproxy\//g, `${folder}/`);
      writeFileSync(join(folder, basename(path)), moved);
    }
    execFileSync("haproxy", ["-c", "-f", join(folder, "haproxy.cfg")], { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In every http backend; looked at in a test of their own. */
const forwarded = [
  "http-request set-header X-Forwarded-Proto https if { ssl_fc } !{ req.hdr(X-Forwarded-Proto) -m found }",
  "http-request set-header X-Forwarded-Port %[dst_port] if !{ req.hdr(X-Forwarded-Port) -m found }",
];

/** The lines of a section, without indentation; undefined when there is no such section. */
function section(config: string, head: string): string[] | undefined {
  const found = config.split(/\n(?=\S)/).find((text) => text.split("\n")[0] === head);
  return found
    ?.split("\n")
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !forwarded.includes(line));
}

describe("a load balancer's haproxy.cfg", function () {
  this.timeout(60_000);

  const rig = new Rig();
  let stackId = "";
  const ids: Record<string, string> = {};
  let made = 0;

  before(async () => {
    await rig.start();
    await rig.addHost(1);
    stackId = await rig.stack();
    const services: Record<string, Json> = {
      web: { scale: 2 },
      api: {},
      blog: {
        launchConfig: { imageUuid: "docker:nginx", labels: { tier: "front", app: "blog" } },
        lbConfig: {
          portRules: [{ hostname: "blog.example.com", path: "/read", targetPort: 9000 }],
        },
      },
      news: { launchConfig: { imageUuid: "docker:nginx", labels: { tier: "front", app: "news" } } },
    };
    for (const [name, more] of Object.entries(services)) {
      const path = await rig.service(stackId, name, more);
      await rig.active(path);
      ids[name] = basename(path);
    }
    const external = await rig.post(`${project}/externalservices`, {
      name: "outside",
      stackId,
      externalIpAddresses: ["198.51.100.7"],
    });
    ids.outside = String(external.id);
    const named = await rig.post(`${project}/externalservices`, {
      name: "named",
      stackId,
      hostname: "nobody.example.invalid",
    });
    ids.named = String(named.id);
    for (const [name, pair] of Object.entries({ shop, renewed })) {
      const { id } = await rig.post(`${project}/certificates`, { name, ...pair });
      ids[name] = String(id);
    }
  });

  after(() => rig.stop());

  /** The files of a balancer with this configuration. */
  async function files(lbConfig: Json): Promise<DesiredFile[]> {
    const { id } = await rig.post(`${project}/loadbalancerservices`, {
      name: `lb-${String(++made)}`,
      stackId,
      launchConfig: { imageUuid: "docker:lb" },
      lbConfig,
    });
    const { db } = rig.server.app;
    const row = db.services.get(Number(String(id).slice(2)));
    assert.ok(row);
    const all = haproxyFiles(row, db);
    judge(all);
    return all;
  }

  const config = async (lbConfig: Json): Promise<string> =>
    (await files(lbConfig)).at(-1)?.content ?? "";

  const rule = (name: string, more: Json = {}): Json => ({
    sourcePort: 80,
    serviceId: ids[name],
    targetPort: 8080,
    ...more,
  });

  it("GIVEN hosts, wildcards and paths THEN the specific ones are tried first", async () => {
    const text = await config({
      portRules: [
        rule("web"),
        rule("web", { hostname: "*.example.com" }),
        rule("web", { hostname: "shop.*" }),
        rule("api", { path: "/api" }),
        rule("api", { hostname: "a.example.com" }),
        rule("api", { hostname: "a.example.com", path: "/deep" }),
      ],
    });
    assert.deepEqual(section(text, "frontend port-80"), [
      "bind *:80",
      "mode http",
      "option forwardfor",
      "acl rule-80-6-host hdr(host),field(1,:) -i a.example.com",
      "acl rule-80-6-path path_beg -i /deep",
      "acl rule-80-5-host hdr(host),field(1,:) -i a.example.com",
      "acl rule-80-2-host hdr(host),field(1,:) -i -m end .example.com",
      "acl rule-80-3-host hdr(host),field(1,:) -i -m beg shop.",
      "acl rule-80-4-path path_beg -i /api",
      "use_backend rule-80-6 if rule-80-6-host rule-80-6-path",
      "use_backend rule-80-5 if rule-80-5-host",
      "use_backend rule-80-2 if rule-80-2-host",
      "use_backend rule-80-3 if rule-80-3-host",
      "use_backend rule-80-4 if rule-80-4-path",
      "default_backend rule-80-1",
    ]);
    assert.deepEqual(section(text, "backend rule-80-1"), [
      "mode http",
      "balance roundrobin",
      "server i1 10.42.1.1:8080 check inter 1s fall 2 rise 1",
      "server i2 10.42.1.2:8080 check inter 1s fall 2 rise 1",
    ]);
    assert.ok(section(text, "global")?.includes("hard-stop-after 8s"));
  });

  it("GIVEN http THEN backends say what a visitor came by, unless the visitor did, and tcp ones do not", async () => {
    const text = await config({
      portRules: [rule("web"), rule("api", { sourcePort: 81, protocol: "tcp" })],
    });
    for (const line of forwarded) assert.equal(text.split(`    ${line}\n`).length, 2, line);
    assert.ok(text.indexOf(forwarded[0] ?? "") > text.indexOf("backend rule-80-1"));
  });

  it("GIVEN priorities THEN they decide, the lowest number first", async () => {
    const text = await config({
      portRules: [
        rule("web", { hostname: "a.example.com", priority: 20 }),
        rule("api", { path: "/x", priority: 3 }),
        rule("web", { hostname: "b.example.com", path: "/y" }),
      ],
    });
    const uses = section(text, "frontend port-80")?.filter((line) => line.startsWith("use_"));
    assert.deepEqual(
      uses?.map((line) => line.split(" ")[1]),
      ["rule-80-2", "rule-80-1", "rule-80-3"],
    );
  });

  it("GIVEN rules for the same requests THEN they share a backend with their weights", async () => {
    const text = await config({
      portRules: [
        rule("web", { weight: 90, path: "/", backendName: "both" }),
        rule("api", { weight: 10 }),
      ],
    });
    assert.deepEqual(section(text, "backend both")?.slice(2), [
      "server i1 10.42.1.1:8080 check inter 1s fall 2 rise 1 weight 90",
      "server i2 10.42.1.2:8080 check inter 1s fall 2 rise 1 weight 90",
      "server i3 10.42.1.3:8080 check inter 1s fall 2 rise 1 weight 10",
    ]);
    assert.ok(section(text, "frontend port-80")?.includes("default_backend both"));
  });

  it("GIVEN a backend's name on two ports THEN both have one of their own", async () => {
    const text = await config({
      portRules: [
        rule("web", { backendName: "mine" }),
        rule("api", { backendName: "mine", sourcePort: 81, protocol: "tcp" }),
      ],
    });
    assert.equal(section(text, "backend mine")?.[0], "mode http");
    assert.equal(section(text, "backend mine-81")?.[0], "mode tcp");
  });

  it("GIVEN a selector THEN the selected services' own rules say what they get", async () => {
    const text = await config({
      portRules: [{ sourcePort: 80, selector: "tier=front, app notin (web)", targetPort: 7000 }],
    });
    assert.deepEqual(section(text, "frontend port-80")?.slice(3), [
      "acl rule-80-1-host hdr(host),field(1,:) -i blog.example.com",
      "acl rule-80-1-path path_beg -i /read",
      "use_backend rule-80-1 if rule-80-1-host rule-80-1-path",
      "default_backend rule-80-2",
    ]);
    assert.match(section(text, "backend rule-80-1")?.at(-1) ?? "", /:9000 check/);
    assert.match(section(text, "backend rule-80-2")?.at(-1) ?? "", /:7000 check/);
  });

  it("GIVEN a selector that selects nothing THEN the port is there and answers 503", async () => {
    const text = await config({
      portRules: [{ sourcePort: 80, selector: "no=body", targetPort: 80 }],
    });
    assert.deepEqual(section(text, "backend rule-80-1"), ["mode http", "balance roundrobin"]);
  });

  it("GIVEN https THEN the port ends TLS with the default certificate in front", async () => {
    const all = await files({
      portRules: [rule("web", { sourcePort: 443, protocol: "https" })],
      certificateIds: [ids.shop],
      defaultCertificateId: ids.renewed,
    });
    assert.deepEqual(
      all.map((f) => [f.path, f.mode]),
      [
        ["/etc/haproxy/certificate-2.pem", "0600"],
        ["/etc/haproxy/certificate-1.pem", "0600"],
        ["/etc/haproxy/haproxy.cfg", "0644"],
      ],
    );
    assert.equal(all[1]?.content, `${shop.cert.trim()}\n${shop.key.trim()}\n`);
    const lines = section(all[2]?.content ?? "", "frontend port-443");
    assert.equal(
      lines?.[0],
      "bind *:443 ssl crt /etc/haproxy/certificate-2.pem crt /etc/haproxy/certificate-1.pem",
    );
    assert.ok(!(all[2]?.content ?? "").includes("PRIVATE"));
  });

  it("GIVEN tls, sni and tcp THEN names are read from the handshake, or not at all", async () => {
    const text = await config({
      portRules: [
        rule("web", { sourcePort: 8443, protocol: "tls", hostname: "a.example.com" }),
        rule("web", { sourcePort: 9443, protocol: "sni", hostname: "*.example.com" }),
        rule("api", { sourcePort: 9443, protocol: "sni" }),
        rule("web", { sourcePort: 3306, protocol: "tcp", hostname: "a", path: "/b" }),
      ],
      certificateIds: [ids.shop],
    });
    assert.deepEqual(section(text, "frontend port-8443"), [
      "bind *:8443 ssl crt /etc/haproxy/certificate-1.pem strict-sni",
      "mode tcp",
      "acl rule-8443-1-host ssl_fc_sni -i a.example.com",
      "use_backend rule-8443-1 if rule-8443-1-host",
    ]);
    assert.deepEqual(section(text, "frontend port-9443"), [
      "bind *:9443",
      "mode tcp",
      "tcp-request inspect-delay 5s",
      "tcp-request content accept if { req_ssl_hello_type 1 }",
      "acl rule-9443-1-host req_ssl_sni -i -m end .example.com",
      "use_backend rule-9443-1 if rule-9443-1-host",
      "default_backend rule-9443-2",
    ]);
    assert.deepEqual(section(text, "frontend port-3306"), [
      "bind *:3306",
      "mode tcp",
      "default_backend rule-3306-1",
    ]);
  });

  it("GIVEN https without a certificate, or udp THEN the port stays closed and the file says why", async () => {
    const text = await config({
      portRules: [
        rule("web", { sourcePort: 443, protocol: "https" }),
        rule("web", { sourcePort: 53, protocol: "udp" }),
        rule("web"),
      ],
    });
    assert.match(text, /# port 443: there is no certificate for https/);
    assert.match(text, /# port 53: the lab's load balancer has no protocol udp/);
    assert.ok(section(text, "frontend port-80") !== undefined);
    assert.ok(!text.includes("*:443"));
  });

  it("GIVEN stickiness THEN http backends set the cookie and tcp ones do not", async () => {
    const policy = { name: "p", cookie: "ID", domain: ".example.com", nocache: true };
    for (const [mode, more] of [
      ["insert", { indirect: true, postonly: true }],
      ["rewrite", {}],
      ["prefix", {}],
    ] as const) {
      const text = await config({
        portRules: [rule("web"), rule("web", { sourcePort: 81, protocol: "tcp" })],
        stickinessPolicy: { ...policy, ...more, mode },
      });
      const flags = mode === "insert" ? " indirect nocache postonly" : " nocache";
      const lines = section(text, "backend rule-80-1");
      assert.equal(lines?.[2], `cookie ID ${mode}${flags} domain .example.com`);
      assert.match(lines[3] ?? "", /^server i1 .* cookie i1$/);
      assert.ok(!section(text, "backend rule-81-1")?.join().includes("cookie"));
    }
  });

  it("GIVEN custom lines THEN they go to the sections they name, new sections follow", async () => {
    const text = await config({
      portRules: [rule("web", { backendName: "mine" })],
      config: [
        "# theirs",
        "nbthread 2",
        "defaults",
        "  timeout client 10s",
        "frontend 80",
        "  http-request set-header X-Custom yes",
        "backend mine",
        "  option httpchk GET /",
        "backend other\r",
        "  mode http",
      ].join("\n"),
    });
    assert.deepEqual(section(text, "global")?.slice(-2), ["# theirs", "nbthread 2"]);
    assert.equal(section(text, "defaults")?.at(-1), "timeout client 10s");
    assert.equal(section(text, "frontend port-80")?.at(-1), "http-request set-header X-Custom yes");
    assert.equal(section(text, "backend mine")?.at(-1), "option httpchk GET /");
    assert.deepEqual(section(text, "backend other"), ["mode http"]);
  });

  it("GIVEN services outside THEN their addresses and names are the servers", async () => {
    const text = await config({
      portRules: [rule("outside"), rule("named", { path: "/named" })],
    });
    assert.match(section(text, "backend rule-80-1")?.[2] ?? "", /^server s\d+-1 198.51.100.7:8080/);
    assert.match(
      section(text, "backend rule-80-2")?.[2] ?? "",
      /nobody\.example\.invalid:8080 .* init-addr last,libc,none$/,
    );
  });

  it("GIVEN an unknown certificate THEN the configuration is refused", async () => {
    for (const lbConfig of [
      { certificateIds: ["1c999"] },
      { portRules: [], defaultCertificateId: "1c999" },
    ]) {
      const answer = await rig.call("POST", `${project}/loadbalancerservices`, {
        name: "refused",
        stackId,
        launchConfig: { imageUuid: "docker:lb" },
        lbConfig,
      });
      assert.deepEqual(
        [answer.status, answer.body.code, answer.body.fieldName],
        [422, "InvalidReference", Object.keys(lbConfig).at(-1)],
      );
    }
  });

  it("GIVEN a renewed certificate THEN running balancers get the new file", async () => {
    const { id } = await rig.post(`${project}/certificates`, { name: "live", ...shop });
    const lb = await rig.post(`${project}/loadbalancerservices`, {
      name: "live",
      stackId,
      startOnCreate: true,
      launchConfig: { imageUuid: "docker:lb", ports: ["443:443"] },
      lbConfig: {
        portRules: [rule("web", { sourcePort: 443, protocol: "https" })],
        defaultCertificateId: id,
      },
    });
    await rig.active(`${project}/loadbalancerservices/${String(lb.id)}`);
    const sent = (): string => rig.agents[0]?.find("wp-live-1")?.wanted.files[0]?.content ?? "none";
    assert.ok(sent().includes(shop.cert.trim()));
    await rig.call("PUT", `${project}/certificates/${String(id)}`, { ...renewed });
    while (!sent().includes(renewed.cert.trim())) await new Promise((r) => setTimeout(r, 5));
    assert.ok(sent().includes(renewed.key.trim()));
  });
});

describe("a selector", () => {
  const labels = { app: "web", tier: "front" };
  const cases: readonly (readonly [string, boolean])[] = [
    ["app=web", true],
    ["app = web", true],
    ["app=api", false],
    ["app!=api", true],
    ["none!=x", true],
    ["app", true],
    ["none", false],
    ["app in (api, web)", true],
    ["app in (api)", false],
    ["app notin (api,x)", true],
    ["none notin (x)", true],
    ["app notin (web)", false],
    ["app=web,tier=front", true],
    ["app in (web,api),tier=back", false],
    ["", false],
  ];
  for (const [selector, expected] of cases) {
    it(`GIVEN ${selector} THEN ${String(expected)}`, () => {
      assert.equal(meetsSelector(selector, labels), expected);
    });
  }
});
