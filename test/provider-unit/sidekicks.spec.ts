import * as assert from "node:assert/strict";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { loadBalancer } from "../../rancher/resources/loadBalancer";
import { service } from "../../rancher/resources/service";
import { observedSidekicks, sidekickChanges } from "../../rancher/resources/sidekicks";
import { stack } from "../../rancher/resources/stack";
import { Bench, urnOf } from "./bench";
import { call, failure, URN } from "./support";

const image = (tag: string): string => `docker:busybox:${tag}`;
const side = { name: "side", imageUuid: image("1") };

describe("check of sidekicks", () => {
  const rows: [string, Props, string[]][] = [
    ["good", { secondaryLaunchConfigs: [side, { ...side, name: "two" }] }, []],
    ["unknown", { secondaryLaunchConfigs: UNKNOWN }, []],
    ["unknown parts", { secondaryLaunchConfigs: [UNKNOWN, { ...side, name: UNKNOWN }] }, []],
    ["no list", { secondaryLaunchConfigs: side }, ["secondaryLaunchConfigs"]],
    ["no name, no image", { secondaryLaunchConfigs: [{}] }, ["[0].imageUuid", "[0].name"]],
    ["a bad name", { secondaryLaunchConfigs: [{ ...side, name: "a_b" }] }, ["[0].name"]],
    ["the service's name", { secondaryLaunchConfigs: [{ ...side, name: "web" }] }, ["[0].name"]],
    ["a name twice", { secondaryLaunchConfigs: [side, side] }, ["[1].name"]],
    [
      "fields",
      { secondaryLaunchConfigs: [{ ...side, drainTimeoutMs: 5, ports: ["x"], pidMode: "x" }] },
      ["[0].drainTimeoutMs", "[0].pidMode", "[0].ports[0]"],
    ],
    [
      "references",
      {
        launchConfig: { imageUuid: "docker:x", dataVolumesFromLaunchConfigs: ["side"] },
        secondaryLaunchConfigs: [{ ...side, name: "two", networkLaunchConfig: "web" }, side],
      },
      [],
    ],
    ...[UNKNOWN, [UNKNOWN], [{ ...side, name: UNKNOWN }]].map(
      (secondaryLaunchConfigs): [string, Props, string[]] => [
        "a reference to what is not known yet",
        {
          launchConfig: { imageUuid: "docker:x", networkLaunchConfig: "side" },
          secondaryLaunchConfigs,
        },
        [],
      ],
    ),
    [
      "a reference to nothing",
      { secondaryLaunchConfigs: [{ ...side, networkLaunchConfig: "sied" }] },
      ["[0].networkLaunchConfig"],
    ],
    [
      "references in a circle",
      {
        launchConfig: { imageUuid: "docker:x", networkLaunchConfig: "side" },
        secondaryLaunchConfigs: [{ ...side, dataVolumesFromLaunchConfigs: ["web"] }],
      },
      ["launchConfig.networkLaunchConfig", "[0].dataVolumesFromLaunchConfigs[0]"],
    ],
  ];
  for (const [what, more, expected] of rows) {
    it(`${what} -> ${expected.join(", ") || "nothing"}`, () => {
      const given = { stackId: "1st1", name: "web", launchConfig: { imageUuid: "docker:x" } };
      const { problems } = service.check({ ...given, ...more }, undefined, { urn: URN });
      assert.deepEqual(
        problems.map(({ path }) => path),
        expected.map((path) => (path.startsWith("[") ? `secondaryLaunchConfigs${path}` : path)),
      );
    });
  }
});

describe("what an upgrade does to sidekicks", () => {
  const two = { name: "two", imageUuid: image("1") };
  const none = { name: "side", imageUuid: "rancher/none" };
  const stored = { type: "secondaryLaunchConfig", version: "0", vcpu: 1, ...side };
  const rows: [string, unknown, unknown, unknown, readonly Props[]][] = [
    ["nothing declared", undefined, undefined, [stored], []],
    ["as declared", [side], [side], [stored], []],
    ["another order", [two, side], [two, side], [stored, two], []],
    ["a new one", [side, two], [side], [stored], [two]],
    [
      "another image",
      [{ ...side, imageUuid: image("2") }],
      [side],
      [stored],
      [{ ...side, imageUuid: image("2") }],
    ],
    ["a field less", [side], [{ ...side, tty: true }], [{ ...stored, tty: true }], [side]],
    ["one that goes", [], [side], [stored], [none]],
    ["all that go", undefined, [side], [stored], [none]],
    ["one that is gone already", undefined, [side], [], []],
  ];
  for (const [what, declared, before, actual, expected] of rows) {
    it(what, () => {
      assert.deepEqual(sidekickChanges(declared, before, actual), expected);
    });
  }

  it("observes by name, whatever the order", () => {
    assert.deepEqual(observedSidekicks([two, side], [stored, two]), [two, side]);
    assert.deepEqual(observedSidekicks([side], [{ ...stored, imageUuid: image("9") }, two]), [
      { ...side, imageUuid: image("9") },
      two,
    ]);
    assert.deepEqual(observedSidekicks([side, two], [two]), [two]);
  });
});

describe("a service with everything, on the lab's server", function () {
  this.timeout(120_000);
  let bench: Bench;
  let stackId: string;
  let links: Props[];
  before(async () => {
    bench = await Bench.start();
    ({ id: stackId } = await bench.create("site", stack, { name: "site" }));
    const launchConfig = { imageUuid: "docker:mysql:5" };
    const ids: string[] = [];
    for (const name of ["db", "cache"]) {
      const made = await bench.create(name, service, { stackId, name, launchConfig });
      ids.push(made.id);
    }
    links = [{ serviceId: ids[0], name: "mysql" }, { serviceId: ids[1] }];
  });
  after(() => bench.stop());

  it("is made, without drift", async () => {
    await bench.create("web", service, {
      ...{ stackId, name: "web", scale: 2, launchConfig: { imageUuid: "docker:nginx:1" } },
      secondaryLaunchConfigs: [{ ...side, labels: { n: 1 } }],
      serviceLinks: links,
      ...{ retainIp: true, metadata: { a: { b: 1 } } },
      upgradeStrategy: { batchSize: 2, intervalMillis: 100 },
    });
    await bench.assertNoDrift();
    assert.equal((await bench.containers("web")).length, 4);
  });

  it("upgrades the sidekicks that changed, and leaves other containers alone", async () => {
    const running = async (): Promise<string[]> =>
      (await bench.list(`services/${bench.of("web").id}/instances`))
        .filter((one) => one["imageUuid"] === "docker:nginx:1")
        .map((one) => String(one["id"]));
    const before = await running();
    const changed = [
      { ...side, imageUuid: image("2") },
      { ...side, name: "two" },
    ];
    await bench.update("web", { secondaryLaunchConfigs: changed });
    assert.deepEqual(await running(), before);
    assert.deepEqual(await bench.containers("web"), [
      "site-web-1 docker:nginx:1",
      "site-web-2 docker:nginx:1",
      "site-web-side-1 docker:busybox:2",
      "site-web-side-2 docker:busybox:2",
      "site-web-two-1 docker:busybox:1",
      "site-web-two-2 docker:busybox:1",
    ]);
    await bench.assertNoDrift();
  });

  it("GIVEN a sidekick that does not start THEN all is rolled back, links too", async () => {
    const news = {
      secondaryLaunchConfigs: [{ ...side, imageUuid: "docker:doesnotexist:1" }],
      serviceLinks: [],
    };
    const error = await failure(bench.update("web", news, call(10, urnOf("web"))));
    assert.match(error.message, /failed, and it was rolled back: .*no such image: doesnotexist:1/);
    await bench.assertNoDrift();
    assert.equal((await bench.containers("web")).length, 6);
  });

  it("changes links in place, and finds those that others changed", async () => {
    const { id } = bench.of("web");
    await bench.update("web", { serviceLinks: links.slice(0, 1) });
    assert.deepEqual((await bench.get("services", id))["linkedServices"], {
      mysql: links[0]?.["serviceId"],
    });
    await bench.assertNoDrift();
    const inputs = bench.of("web").inputs;
    const meddled = [{ serviceId: links[1]?.["serviceId"], name: "x" }];
    await bench.act("services", id, "setservicelinks", { serviceLinks: meddled });
    assert.deepEqual((await bench.refresh("web"))?.["serviceLinks"], meddled);
    await bench.update("web", { serviceLinks: inputs["serviceLinks"] });
    await bench.assertNoDrift();
  });

  it("GIVEN sidekicks and links are declared no more THEN they go", async () => {
    await bench.update("web", { secondaryLaunchConfigs: undefined, serviceLinks: undefined });
    const now = await bench.get("services", bench.of("web").id);
    assert.deepEqual([now["secondaryLaunchConfigs"], now["linkedServices"]], [[], null]);
    assert.equal((await bench.containers("web")).length, 2);
    await bench.assertNoDrift();
  });

  it("GIVEN a run that was killed between POST and links THEN the next one sets them", async () => {
    const inputs = {
      ...{ stackId, name: "late", launchConfig: { imageUuid: "docker:nginx:1" } },
      ...{ serviceLinks: links, secondaryLaunchConfigs: [side] },
    };
    const killed = call(60, urnOf("late"));
    const post = bench.client.post.bind(bench.client);
    bench.client.post = async (...args) => {
      const answer = await post(...args);
      killed.controller.abort();
      return answer as never;
    };
    await failure(bench.create("late", service, inputs, killed));
    bench.restart();
    await bench.create("late", service, inputs);
    const all = await bench.list("services");
    assert.equal(all.filter((one) => one["name"] === "late").length, 1);
    await bench.assertNoDrift();
    bench.restart();
    await bench.delete("late");
  });

  it("takes a scale policy in place of a scale, and back", async () => {
    await bench.update("web", { scale: undefined, scalePolicy: { min: 1, max: 3 } });
    await bench.assertNoDrift();
    await bench.update("web", { scalePolicy: undefined });
    assert.equal((await bench.get("services", bench.of("web").id))["scalePolicy"], null);
    await bench.assertNoDrift();
    assert.equal((await bench.containers("web")).length, 1);
  });

  it("changes a load balancer's rules, stickiness and lines live", async () => {
    const serviceId = bench.of("web").id;
    const lbConfig = {
      portRules: [
        {
          sourcePort: 80,
          serviceId,
          targetPort: 80,
          hostname: "a.example",
          path: "/x",
          priority: 2,
        },
        { sourcePort: 80, selector: "role=web", weight: 5, backendName: "other" },
      ],
      stickinessPolicy: { cookie: "c" },
    };
    const launchConfig = {
      imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14",
      ports: ["80:80"],
    };
    await bench.create("lb", loadBalancer, { stackId, name: "lb", launchConfig, lbConfig });
    await bench.assertNoDrift();
    const before = await bench.containers("lb");
    await bench.update("lb", {
      lbConfig: { portRules: lbConfig.portRules.slice(1), config: "defaults\n  retries 5" },
    });
    await bench.assertNoDrift();
    assert.deepEqual(await bench.containers("lb"), before);
  });

  for (const [kind, name, resource] of [
    ["a service", "web", service],
    ["a load balancer", "lb", loadBalancer],
  ] as const) {
    it(`imports ${kind} as a program would declare it`, async () => {
      const known = { id: `Default/site/${name}`, inputs: {}, outputs: {} };
      const seen = await resource.read(bench.client, known, call());
      const { inputs } = bench.of(name);
      const { upgradeStrategy: _, ...declared } = inputs;
      assert.deepEqual(seen?.inputs, declared);
    });
  }

  it("is removed", async () => {
    await bench.delete("lb", "web", "cache", "db", "site");
    const left = (await bench.list("services")).filter((one) => one["system"] !== true);
    assert.deepEqual(left, []);
  });
});
