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

describe("the schema", () => {
  interface Described {
    readonly description?: string;
    readonly secret?: boolean;
  }
  const schema = JSON.parse(definition.schema) as {
    resources: Record<
      string,
      {
        description?: string;
        properties: Record<string, Described>;
        inputProperties: Record<string, Described>;
      }
    >;
  };
  it("has exactly the provider's resources, each property described", () => {
    assert.deepEqual(
      Object.keys(schema.resources).sort(),
      Object.keys(definition.resources).sort(),
    );
    for (const [token, resource] of Object.entries(schema.resources)) {
      for (const bag of [resource.properties, resource.inputProperties]) {
        for (const [name, property] of Object.entries(bag))
          assert.ok(property.description, `${token}.${name}`);
      }
    }
  });
  it("marks what the resources keep secret", () => {
    for (const [token, resource] of Object.entries(definition.resources)) {
      const properties = schema.resources[token]?.properties ?? {};
      const marked = Object.keys(properties).filter((name) => properties[name]?.secret === true);
      assert.deepEqual(
        marked.sort(),
        [...((resource.secretOutputs ?? []) as string[])].sort(),
        token,
      );
    }
  });
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
