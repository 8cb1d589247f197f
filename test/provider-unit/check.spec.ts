import * as assert from "node:assert/strict";
import { definition } from "../../rancher/definition";
import { matches, observed } from "../../rancher/resources/declared";
import { loadBalancer } from "../../rancher/resources/loadBalancer";
import { service } from "../../rancher/resources/service";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { URN } from "./support";

const urn = { urn: URN };
const image = { imageUuid: "docker:nginx:1.27" };
const good = { stackId: "1st1", name: "web", launchConfig: image };

function paths(inputs: Props, resource = service): string[] {
  return resource.check(inputs, undefined, urn).problems.map((p) => p.path);
}

describe("check of a service", () => {
  const rows: [string, Props, string[]][] = [
    ["all good", {}, []],
    ["unknowns", { stackId: UNKNOWN, scale: UNKNOWN, launchConfig: UNKNOWN }, []],
    [
      "unknown parts",
      {
        launchConfig: {
          imageUuid: UNKNOWN,
          ports: [UNKNOWN],
          labels: UNKNOWN,
          environment: { A: UNKNOWN },
          healthCheck: { port: UNKNOWN },
        },
      },
      [],
    ],
    ["no stack", { stackId: undefined }, ["stackId"]],
    ["bad name", { name: "my_web" }, ["name"]],
    ["negative scale", { scale: -1 }, ["scale"]],
    ["broken scale", { scale: 1.5 }, ["scale"]],
    ["text as scale", { scale: "two" }, ["scale"]],
    ["zero scale", { scale: 0 }, []],
    [
      "scale of a global service",
      { scale: 2, launchConfig: { ...image, labels: { "io.rancher.scheduler.global": "true" } } },
      ["scale"],
    ],
    ["no launch config", { launchConfig: undefined }, ["launchConfig"]],
    ["no image", { launchConfig: {} }, ["launchConfig.imageUuid"]],
    ["image without docker:", { launchConfig: { imageUuid: "nginx" } }, ["launchConfig.imageUuid"]],
    ["good ports", { launchConfig: { ...image, ports: ["80:80", "80", "1.2.3.4:80:80/udp"] } }, []],
    [
      "bad ports",
      { launchConfig: { ...image, ports: ["bogus", "0:80", "80:70000", "80:80/sctp", 80] } },
      [0, 1, 2, 3, 4].map((i) => `launchConfig.ports[${i}]`),
    ],
    [
      "health check without port",
      { launchConfig: { ...image, healthCheck: {} } },
      ["launchConfig.healthCheck.port"],
    ],
    [
      "bad health check",
      {
        launchConfig: {
          ...image,
          healthCheck: { port: 99999, interval: 0, strategy: "x", intervall: 5 },
        },
      },
      ["intervall", "port", "interval", "strategy"].map((f) => `launchConfig.healthCheck.${f}`),
    ],
    ["unknown field", { launchConfig: { ...image, enviroment: {} } }, ["launchConfig.enviroment"]],
    [
      "restart policy",
      { launchConfig: { ...image, restartPolicy: { name: "always" } } },
      ["launchConfig.restartPolicy"],
    ],
    ["labels as a list", { launchConfig: { ...image, labels: ["x"] } }, ["launchConfig.labels"]],
    [
      "odd label",
      { launchConfig: { ...image, labels: { "a.b/c": {} } } },
      ['launchConfig.labels["a.b/c"]'],
    ],
    [
      "the server's own limits",
      {
        launchConfig: {
          ...image,
          capAdd: ["NET_ADMIN", "net_admin"],
          capDrop: ["CAP_KILL"],
          instanceTriggeredStop: "restart",
          pidMode: "container",
          kind: "pod",
          hostname: "",
          user: "",
          workingDir: "x".repeat(300),
          description: "x".repeat(1025),
          userdata: "x".repeat(65536),
        },
      },
      [
        "capAdd[1]",
        "capDrop[0]",
        "description",
        "hostname",
        "instanceTriggeredStop",
        "kind",
        "pidMode",
        "user",
        "userdata",
      ].map((f) => `launchConfig.${f}`),
    ],
    [
      "types of fields",
      {
        launchConfig: {
          ...image,
          command: "run",
          memory: "1g",
          memorySwap: -1,
          cpuQuota: -1,
          milliCpuReservation: -1,
          tty: "yes",
          sysctls: ["a"],
          environment: { A: ["x"] },
          dns: [5],
          logConfig: { driver: 5, confg: {} },
          secrets: ["s"],
          build: "here",
          volumeDriver: 5,
        },
      },
      [
        "build",
        "command",
        "dns[0]",
        "environment.A",
        "memory",
        "milliCpuReservation",
        "secrets[0]",
        "sysctls",
        "tty",
        "volumeDriver",
        "logConfig.confg",
        "logConfig.driver",
      ].map((f) => `launchConfig.${f}`),
    ],
    [
      "quorum",
      {
        launchConfig: {
          ...image,
          healthCheck: { port: 80, strategy: "recreateOnQuorum" },
        },
      },
      ["launchConfig.healthCheck.recreateOnQuorumStrategyConfig"],
    ],
    [
      "bad quorum",
      {
        launchConfig: {
          ...image,
          healthCheck: { port: 80, recreateOnQuorumStrategyConfig: { quorum: 0, x: 1 } },
        },
      },
      ["x", "quorum"].map((f) => `launchConfig.healthCheck.recreateOnQuorumStrategyConfig.${f}`),
    ],
    ["a selector and no image", { selectorContainer: "a=b", launchConfig: {} }, []],
    ["a long selector", { selectorLink: "x".repeat(4097) }, ["selectorLink"]],
    ["a scale policy", { scalePolicy: { min: 1, max: 3, increment: 2 } }, []],
    ["an empty scale policy", { scalePolicy: {} }, ["scalePolicy.min"]],
    [
      "a bad scale policy",
      { scalePolicy: { min: 0, max: 1.5, increment: 0, step: 1 } },
      ["step", "min", "max", "increment"].map((f) => `scalePolicy.${f}`),
    ],
    ["min above max", { scalePolicy: { min: 2 } }, ["scalePolicy.max"]],
    [
      "a scale policy of a global service",
      {
        scalePolicy: { min: 1 },
        launchConfig: { ...image, labels: { "io.rancher.scheduler.global": "true" } },
      },
      ["scalePolicy"],
    ],
    ["links", { serviceLinks: [{ serviceId: "1s1" }, { serviceId: UNKNOWN, name: "a.b_c" }] }, []],
    [
      "bad links",
      {
        serviceLinks: [
          { name: "a b" },
          { serviceId: "1s1", name: "x" },
          { serviceId: "1s2", name: "x", alias: "y" },
          "1s1",
        ],
      },
      ["[0].serviceId", "[0].name", "[2].alias", "[2].name", "[3]"].map((f) => `serviceLinks${f}`),
    ],
    [
      "flags",
      { retainIp: "yes", assignServiceIpAddress: 1, vip: 5 },
      ["retainIp", "assignServiceIpAddress", "vip"],
    ],
    [
      "start first with a kept address",
      { retainIp: true, upgradeStrategy: { startFirst: true } },
      ["upgradeStrategy.startFirst"],
    ],
    [
      "start first with ports of a sidekick",
      {
        secondaryLaunchConfigs: [{ ...image, name: "s", ports: ["80:80"] }],
        upgradeStrategy: { startFirst: true },
      },
      ["upgradeStrategy.startFirst"],
    ],
    ["unknown property", { scal: 3 }, ["scal"]],
    [
      "start first with ports",
      { upgradeStrategy: { startFirst: true }, launchConfig: { ...image, ports: ["80:80"] } },
      ["upgradeStrategy.startFirst"],
    ],
    [
      "bad strategy",
      { upgradeStrategy: { batchSize: 0, intervalMillis: 50 } },
      ["upgradeStrategy.batchSize", "upgradeStrategy.intervalMillis"],
    ],
    [
      "all at once",
      { name: "-", scale: -2, launchConfig: { imageUuid: "x", ports: ["y"] } },
      ["name", "launchConfig.imageUuid", "launchConfig.ports[0]", "scale"],
    ],
  ];
  for (const [what, news, expected] of rows) {
    it(`${what} -> ${expected.join(", ") || "nothing"}`, () => {
      assert.deepEqual(paths({ ...good, ...news }), expected);
    });
  }

  it("suggests the nearest field", () => {
    const { problems } = service.check(
      { ...good, launchConfig: { ...image, enviroment: {} } },
      undefined,
      urn,
    );
    assert.match(problems[0]?.reason ?? "", /did you mean environment\?/);
  });

  it("fills defaults and writes values as the server does", () => {
    const launchConfig = { ...image, environment: { PORT: 80, ON: true }, ports: ["80:80"] };
    assert.deepEqual(service.check({ ...good, launchConfig }, undefined, urn).inputs, {
      ...good,
      scale: 1,
      startOnCreate: true,
      launchConfig: { ...image, environment: { PORT: "80", ON: "true" }, ports: ["80:80/tcp"] },
    });
  });
});

describe("check of a load balancer", () => {
  const rule = { sourcePort: 80, serviceId: "1s1", targetPort: 80 };
  const rows: [string, object[], string[]][] = [
    ["good", [rule, { sourcePort: 81, selector: "a=b" }, { ...rule, serviceId: UNKNOWN }], []],
    ["no source port", [{ serviceId: "1s1", targetPort: 80 }], ["sourcePort"]],
    ["reserved port", [{ ...rule, sourcePort: 42 }], ["sourcePort"]],
    ["port too large", [{ ...rule, sourcePort: 65536 }], ["sourcePort"]],
    ["no target port", [{ sourcePort: 80, serviceId: "1s1" }], ["targetPort"]],
    ["both targets", [{ ...rule, selector: "a=b" }], [""]],
    ["no target", [{ sourcePort: 80 }], [""]],
    ["udp", [{ ...rule, protocol: "udp" }], ["protocol"]],
    ["priority 0", [{ ...rule, priority: 0 }], ["priority"]],
  ];
  for (const [what, portRules, fields] of rows) {
    it(what, () => {
      const expected = fields.map((f) => `lbConfig.portRules[0]${f === "" ? "" : `.${f}`}`);
      assert.deepEqual(paths({ ...good, lbConfig: { portRules } }, loadBalancer), expected);
    });
  }
  const encrypted = { ...rule, sourcePort: 443, protocol: "https" };
  const configs: [string, Props, string[]][] = [
    ["https with a certificate", { portRules: [encrypted], certificateIds: ["1c1"] }, []],
    ["https with the default one", { portRules: [encrypted], defaultCertificateId: UNKNOWN }, []],
    ["https with unknown ones", { portRules: [encrypted], certificateIds: UNKNOWN }, []],
    ["https without", { portRules: [rule, encrypted] }, ["portRules[1].protocol"]],
    [
      "tls with none",
      { portRules: [{ ...encrypted, protocol: "tls" }], certificateIds: [] },
      ["portRules[0].protocol"],
    ],
    ["sni without", { portRules: [{ ...encrypted, protocol: "sni" }] }, []],
    [
      "types",
      { portRules: [{ ...rule, path: 5, weight: 300 }], certificateIds: [5], config: {} },
      ["portRules[0].weight", "portRules[0].path", "certificateIds[0]", "config"],
    ],
    [
      "stickiness",
      { portRules: [rule], stickinessPolicy: { mode: "x", cookie: 5, nocache: "no", coockie: "" } },
      ["coockie", "mode", "cookie", "nocache"].map((f) => `stickinessPolicy.${f}`),
    ],
  ];
  for (const [what, lbConfig, expected] of configs) {
    it(what, () => {
      assert.deepEqual(
        paths({ ...good, lbConfig }, loadBalancer),
        expected.map((path) => `lbConfig.${path}`),
      );
    });
  }
  it("needs lbConfig and its rules", () => {
    assert.deepEqual(paths(good, loadBalancer), ["lbConfig"]);
    assert.deepEqual(paths({ ...good, lbConfig: {} }, loadBalancer), ["lbConfig.portRules"]);
  });
});

describe("check of the provider's configuration", () => {
  const ssh = {
    host: "203.0.113.7",
    user: "rancher",
    hostKey: "ssh-ed25519 AAAA",
    hostKeyAlias: "server",
  };
  const url = "http://127.0.0.1:8080";
  const rows: [string, Props, string[]][] = [
    ["url alone", { url }, []],
    ["everything", { url, ssh, accessKey: "a", secretKey: "b", environmentId: "1a5" }, []],
    [
      "unknown",
      { url: UNKNOWN, ssh: { ...ssh, host: UNKNOWN }, accessKey: UNKNOWN, secretKey: UNKNOWN },
      [],
    ],
    ["no url", {}, ["url"]],
    ["no URL", { url: "127.0.0.1:8080" }, ["url"]],
    ["password in the URL", { url: "http://a:b@x" }, ["url"]],
    ["half a key", { url, accessKey: "a" }, ["secretKey"]],
    ["an option as host", { url, ssh: { ...ssh, host: "-oProxyCommand=x" } }, ["ssh.host"]],
    ["a proxy command", { url, ssh: { ...ssh, proxyCommand: "nc %h %p" } }, []],
    ["one that is not known yet", { url, ssh: { ...ssh, proxyCommand: UNKNOWN } }, []],
    ["an empty one", { url, ssh: { ...ssh, proxyCommand: " " } }, ["ssh.proxyCommand"]],
    ["one of two lines", { url, ssh: { ...ssh, proxyCommand: "a\nb" } }, ["ssh.proxyCommand"]],
    ["one that is no text", { url, ssh: { ...ssh, proxyCommand: 7 } }, ["ssh.proxyCommand"]],
    ["no host key", { url, ssh: { ...ssh, hostKey: "AAAA" } }, ["ssh.hostKey"]],
    ["misspelt", { url, acessKey: "a" }, ["acessKey"]],
  ];
  for (const [what, config, expected] of rows) {
    it(`${what} -> ${expected.join(", ") || "nothing"}`, () => {
      assert.deepEqual(
        definition.checkConfig?.(config).map((p) => p.path),
        expected,
      );
    });
  }
});

describe("comparing declared with actual", () => {
  const rows: [unknown, unknown, boolean][] = [
    [{ a: 1 }, { a: 1, type: "x", b: 2 }, true],
    [{ a: 1 }, { a: 2 }, false],
    [{ a: 1 }, null, false],
    [{ a: { b: [1, 2] } }, { a: { b: [1, 2], c: 3 } }, true],
    [{ a: [1] }, { a: [1, 2] }, false],
    [[], null, true],
    ["", null, true],
    [false, null, true],
    [false, true, false],
    [[], ["x"], false],
    [undefined, "anything", true],
    [{ a: 0 }, { a: null }, false],
  ];
  for (const [declared, actual, same] of rows) {
    it(`${JSON.stringify(declared)} ${same ? "is" : "is not"} ${JSON.stringify(actual)}`, () => {
      assert.equal(matches(declared, actual), same);
      if (same) assert.equal(observed(declared, actual), declared);
      else assert.notDeepEqual(observed(declared, actual), declared);
    });
  }
});
