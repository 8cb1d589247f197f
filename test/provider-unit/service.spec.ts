import * as assert from "node:assert/strict";
import { PartialFailure } from "../../rancher/plugin/serve";
import type { Props } from "../../rancher/plugin/types";
import { loadBalancer } from "../../rancher/resources/loadBalancer";
import { service } from "../../rancher/resources/service";
import { stack } from "../../rancher/resources/stack";
import type { Doc } from "./fakeRancher";
import { call, connect, failure, first, URN, withServer } from "./support";

const launchConfig = { imageUuid: "docker:nginx:1.27", environment: { A: "1" } };
const inputs = { stackId: "1st1", name: "web", scale: 2, launchConfig, startOnCreate: true };

describe("Service", () => {
  const context = withServer();
  const writes = (): string[] => context.server.writes.map((w) => w.replace("projects/1a1/", ""));

  async function made(more: Props = {}): Promise<Doc> {
    const { id } = await service.create(context.client, { ...inputs, ...more }, call());
    context.server.requests.length = 0;
    return context.server.docs.get(id) as Doc;
  }
  async function update(
    doc: Doc,
    more: Props,
    oldInputs: Props = inputs,
    seconds = 10,
  ): Promise<void> {
    const news = { ...inputs, ...more };
    const args = { id: doc.id, oldInputs, old: { environmentId: "1a1" }, inputs: news };
    await service.update?.(context.client, args, call(seconds));
  }
  const read = async (doc: Doc, declared: Props = inputs): Promise<Props | undefined> =>
    (await service.read(context.client, { id: doc.id, inputs: declared, outputs: {} }, call()))
      ?.inputs;

  describe("create", () => {
    it("waits until all containers run", async () => {
      const { id, outputs } = await service.create(context.client, inputs, call());
      assert.deepEqual(
        { id, outputs },
        { id: "1s1", outputs: { ...inputs, environmentId: "1a1" } },
      );
      assert.deepEqual(writes(), ["POST services"]);
      assert.equal(context.server.all("instances").length, 2);
    });

    it("waits for the environment's own stacks first", async () => {
      const { server, client } = context;
      const network = server.add("stacks", {
        name: "ipsec",
        system: true,
        healthState: "initializing",
      });
      server.add("stacks", { name: "mine", system: false, healthState: "unhealthy" });
      setTimeout(() => (network["healthState"] = "healthy"), 400);
      const operation = call();
      const started = Date.now();
      await service.create(client, inputs, operation);
      assert.ok(Date.now() - started >= 390);
      assert.match(
        String(operation.lines[0]),
        /infrastructure stacks.*ipsec is active and initializing/,
      );
    });

    it("GIVEN an environment made from a template THEN it waits for its stacks to appear", async () => {
      const { server, client } = context;
      Object.assign(server.docs.get("1a1") as Doc, { projectTemplateId: "1pt1" });
      setTimeout(
        () => server.add("stacks", { name: "ipsec", system: true, healthState: "healthy" }),
        300,
      );
      const operation = call();
      await service.create(client, inputs, operation);
      assert.match(String(operation.lines[0]), /has none yet/);
    });

    for (const fault of ["lose", "drop"] as const) {
      it(`GIVEN a run that ended at its POST (${fault}) THEN the next run ends with one service, as declared now`, async () => {
        const { server, client } = context;
        const killed = call();
        server.fault = (r) => {
          if (r.method !== "POST") return undefined;
          killed.controller.abort();
          return fault;
        };
        await failure(service.create(client, inputs, killed));
        server.fault = () => undefined;
        const { outputs } = await service.create(client, { ...inputs, scale: 3 }, call());
        assert.equal(server.all("services").length, 1);
        assert.equal(server.all("services")[0]?.["scale"], 3);
        assert.equal(outputs["scale"], 3);
      });
    }

    it("GIVEN a killed run made one with more THEN the next one has what is declared now, and no more", async () => {
      const { server, client } = context;
      const killed = call();
      server.fault = (r) => {
        if (r.method === "POST") killed.controller.abort();
        return undefined;
      };
      const more = { description: "old", metadata: { a: 1 }, retainIp: true };
      const richer = { ...launchConfig, tty: true };
      await failure(service.create(client, { ...inputs, ...more, launchConfig: richer }, killed));
      server.fault = () => undefined;
      const { id } = await service.create(client, inputs, call());
      const { description, metadata, retainIp, ...doc } = server.docs.get(id) as Doc;
      assert.deepEqual([description, metadata, retainIp], [null, null, null]);
      const { type: _, version: __, ...config } = doc["launchConfig"] as Props;
      assert.deepEqual(config, launchConfig);
      assert.equal(server.all("services").length, 1);
    });

    it("GIVEN somebody else's service of that name THEN it is left alone", async () => {
      const { server, client } = context;
      server.add("services", { name: "WEB", stackId: "1st1" });
      const error = await failure(service.create(client, inputs, call()));
      assert.match(error.message, /did not make: choose another name, remove it, or import it/);
      assert.deepEqual(writes(), []);
    });

    it("GIVEN it does not get ready THEN it is kept, with the server's reason", async () => {
      const { server, client } = context;
      server.fault = (r) => {
        const [doc] = server.all("services");
        if (doc !== undefined && r.method === "GET") {
          server.pass(doc, "activating");
          doc["transitioningMessage"] = "host needs ports 80/tcp available";
        }
        return undefined;
      };
      const error = (await failure(service.create(client, inputs, call(1)))) as PartialFailure;
      assert.ok(error instanceof PartialFailure);
      assert.equal(error.state.id, "1s1");
      assert.match(
        error.message,
        /gave up after \d s.*service web \(1s1\) to run: activating \(host needs ports/,
      );
    });

    it("GIVEN startOnCreate false THEN it stays inactive", async () => {
      const doc = await made({ startOnCreate: false });
      assert.equal(doc.state, "inactive");
    });
  });

  describe("update", () => {
    it("GIVEN another scale THEN one PUT, no upgrade", async () => {
      const doc = await made();
      await update(doc, { scale: 4 });
      assert.deepEqual(writes(), ["PUT services/1s1"]);
      assert.deepEqual(context.server.requests.find((r) => r.method === "PUT")?.body, { scale: 4 });
      assert.equal(context.server.all("instances").length, 4);
    });

    it("GIVEN another launch config THEN it upgrades, finishes and is active", async () => {
      const doc = await made();
      await update(doc, { launchConfig: { ...launchConfig, imageUuid: "docker:nginx:1.28" } });
      assert.deepEqual(writes(), ["POST services/1s1 upgrade", "POST services/1s1 finishupgrade"]);
      assert.equal(doc.state, "active");
      const strategy = context.server.requests.find((r) => r.query["action"] === "upgrade")?.body;
      assert.deepEqual(strategy, {
        inServiceStrategy: {
          launchConfig: { imageUuid: "docker:nginx:1.28", environment: { A: "1" } },
          batchSize: 1,
          intervalMillis: 2000,
          startFirst: false,
        },
      });
    });

    it("GIVEN a variable is no longer declared THEN it upgrades", async () => {
      const doc = await made();
      await update(doc, { launchConfig: { imageUuid: "docker:nginx:1.27" } });
      assert.equal(writes()[0], "POST services/1s1 upgrade");
    });

    it("GIVEN an upgrade that does not get well THEN it is canceled and rolled back, and fails with the reason", async () => {
      const { server } = context;
      const doc = await made();
      server.upgradesWork = false;
      const news = { launchConfig: { ...launchConfig, imageUuid: "docker:bad" } };
      const error = await failure(update(doc, news, inputs, 3));
      assert.match(
        error.message,
        /the upgrade of service web \(1s1\) failed, and it was rolled back: gave up/,
      );
      assert.deepEqual(
        writes().map((w) => w.split(" ").at(-1)),
        ["upgrade", "cancelupgrade", "rollback"],
      );
      assert.equal(doc.state, "active");
      assert.equal((doc["launchConfig"] as Props)["imageUuid"], "docker:nginx:1.27");
    });

    describe("GIVEN an earlier run that was killed within an upgrade", () => {
      const wanted = { ...launchConfig, imageUuid: "docker:nginx:1.28" };
      async function halfway(image: string, state: string): Promise<Doc> {
        const doc = await made();
        const killed = call();
        context.server.fault = (r) => {
          if (r.query["action"] === "upgrade") setTimeout(() => killed.controller.abort(), 1);
          return undefined;
        };
        const news = { ...inputs, launchConfig: { ...launchConfig, imageUuid: image } };
        const args = { id: doc.id, oldInputs: inputs, old: {}, inputs: news };
        await failure(service.update?.(context.client, args, killed) as Promise<unknown>);
        context.server.fault = () => undefined;
        context.server.pass(doc, state);
        if (state === "upgrading") context.server.pass(doc, state, "upgraded");
        context.server.requests.length = 0;
        return doc;
      }
      for (const state of ["upgrading", "upgraded"]) {
        it(`to what is wanted (${state}) THEN it is finished`, async () => {
          const doc = await halfway("docker:nginx:1.28", state);
          await update(doc, { launchConfig: wanted });
          assert.deepEqual(writes(), ["POST services/1s1 finishupgrade"]);
          assert.equal(doc.state, "active");
        });
      }
      it("to something else THEN it is rolled back before the next one", async () => {
        const doc = await halfway("docker:nginx:9", "upgraded");
        await update(doc, { launchConfig: wanted });
        const actions = writes().map((w) => w.split(" ").at(-1));
        assert.deepEqual(actions, ["rollback", "upgrade", "finishupgrade"]);
      });
      it("THEN a refresh shows it, so that the next up ends it", async () => {
        const doc = await halfway("docker:nginx:1.28", "upgraded");
        const seen = await read(doc, { ...inputs, launchConfig: wanted });
        assert.equal((seen?.["launchConfig"] as Props)["imageUuid"], "docker:nginx:1.27");
      });
    });

    it("GIVEN it was stopped behind our back THEN a refresh shows it and an update starts it", async () => {
      const doc = await made();
      doc.state = "inactive";
      const seen = (await read(doc)) as Props;
      assert.equal(seen["startOnCreate"], false);
      await update(doc, {}, seen);
      assert.deepEqual(writes(), ["POST services/1s1 activate"]);
    });

    it("GIVEN a description is no longer declared THEN it is cleared", async () => {
      const doc = await made({ description: "old" });
      await update(doc, {}, { ...inputs, description: "old" });
      assert.equal(doc["description"], null);
    });
  });

  describe("read", () => {
    it("GIVEN what the server adds THEN it is no drift", async () => {
      const doc = await made();
      Object.assign(doc["launchConfig"] as object, {
        networkMode: "managed",
        labels: { "io.rancher.service.hash": "x" },
        vcpu: 1,
        healthCheck: null,
      });
      assert.deepEqual(await read(doc), inputs);
    });

    it("GIVEN declared fields changed behind our back THEN they are drift", async () => {
      const doc = await made();
      Object.assign(doc, {
        scale: 5,
        launchConfig: { imageUuid: "docker:nginx:9", environment: { B: "2" } },
      });
      assert.deepEqual(await read(doc), {
        ...inputs,
        scale: 5,
        launchConfig: { imageUuid: "docker:nginx:9", environment: {} },
      });
    });

    for (const state of ["removing", "removed", "purged"]) {
      it(`GIVEN ${state} THEN it is gone`, async () => {
        const doc = await made();
        doc.state = state;
        assert.equal(await read(doc), undefined);
      });
    }

    it("GIVEN an import THEN it shows what a program would write", async () => {
      const doc = await made();
      Object.assign(doc["launchConfig"] as object, { networkMode: "managed", tty: false, vcpu: 1 });
      assert.deepEqual(await read(doc, {}), inputs);
    });
  });

  describe("delete", () => {
    const remove = (id: string, client = context.client): Promise<void> =>
      service.delete(client, { id, inputs, outputs: { environmentId: "1a1" } }, call());

    it("waits until it is gone; again is no error", async () => {
      const doc = await made();
      await remove(doc.id);
      assert.equal(doc.state, "removed");
      await remove(doc.id);
      await remove("1s99");
    });

    it("GIVEN a replacement took over the very same service THEN it stays", async () => {
      const doc = await made();
      await service.create(context.client, inputs, call());
      await remove(doc.id);
      assert.equal(doc.state, "active");
      await remove(doc.id, connect(context.url));
      assert.equal(doc.state, "removed");
    });
  });

  describe("diff", () => {
    const diff = (news: Props, oldInputs: Props = inputs): object =>
      service.diff({ id: "1s1", oldInputs, old: {}, inputs: { ...oldInputs, ...news } });
    const rows: [string, Props, Record<string, string>][] = [
      ["nothing", {}, {}],
      ["scale", { scale: 4 }, { scale: "update" }],
      ["name", { name: "w" }, { name: "update" }],
      [
        "image",
        { launchConfig: { ...launchConfig, imageUuid: "docker:x" } },
        { "launchConfig.imageUuid": "update" },
      ],
      ["stackId", { stackId: "1st2" }, { stackId: "replace" }],
      ["environmentId", { environmentId: "1a7" }, { environmentId: "replace" }],
      ["metadata", { metadata: { a: 1 } }, { metadata: "update" }],
      ["scalePolicy", { scalePolicy: { min: 1 } }, { scalePolicy: "update" }],
      ["serviceLinks", { serviceLinks: [{ serviceId: "1s9" }] }, { serviceLinks: "update" }],
      ["retainIp", { retainIp: true }, { retainIp: "update" }],
      ["selectorLink", { selectorLink: "a=b" }, { selectorLink: "update" }],
      ["no address", { assignServiceIpAddress: false }, { assignServiceIpAddress: "update" }],
      [
        "a sidekick",
        { secondaryLaunchConfigs: [{ name: "s", imageUuid: "docker:x" }] },
        { secondaryLaunchConfigs: "update" },
      ],
      [
        "a label",
        { launchConfig: { ...launchConfig, labels: { a: "b" } } },
        { "launchConfig.labels": "update" },
      ],
    ];
    for (const [what, news, changes] of rows) {
      it(`${what} -> ${JSON.stringify(changes)}`, () => {
        assert.deepEqual(diff(news), { changes, deleteBeforeReplace: false });
      });
    }
    // A name is unique in its stack, so the old one goes first.
    const fixed: [string, Props, Props][] = [
      ["an address", { assignServiceIpAddress: true }, { assignServiceIpAddress: "replace" }],
      ["another address", { vip: "10.0.0.1" }, { vip: "replace" }],
      [
        "one on every host",
        { launchConfig: { ...launchConfig, labels: { "io.rancher.scheduler.global": "true" } } },
        { "launchConfig.labels": "replace" },
      ],
    ];
    for (const [what, news, changes] of fixed) {
      it(`${what} -> ${JSON.stringify(changes)}, the old one first`, () => {
        assert.deepEqual(diff(news), { changes, deleteBeforeReplace: true });
      });
    }
    it("a replaced service with published ports goes before the new one comes", () => {
      const old = { ...inputs, launchConfig: { ...launchConfig, ports: ["80:80/tcp"] } };
      assert.deepEqual(diff({ stackId: "1st2" }, old), {
        changes: { stackId: "replace" },
        deleteBeforeReplace: true,
      });
    });
  });
});

describe("LoadBalancer", () => {
  const context = withServer();
  const rule = { sourcePort: 80, protocol: "http", serviceId: "1s9", targetPort: 80 };
  const lb = {
    stackId: "1st1",
    name: "lb",
    scale: 1,
    launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14", ports: ["80:80/tcp"] },
    lbConfig: { portRules: [rule] },
    startOnCreate: true,
  };
  const injected = {
    "io.rancher.container.agent.role": "environmentAdmin,agent",
    "io.rancher.container.create_agent": "true",
    "io.rancher.container.agent_service.drain_provider": "true",
  };
  async function made(): Promise<Doc> {
    const { id } = await loadBalancer.create(context.client, lb, call());
    const doc = context.server.docs.get(id) as Doc;
    Object.assign(doc["launchConfig"] as object, {
      labels: injected,
      healthCheck: { port: 42, name: null },
    });
    doc["lbConfig"] = {
      type: "lbConfig",
      portRules: [{ type: "portRule", priority: null, ...rule }],
    };
    context.server.requests.length = 0;
    return doc;
  }
  const read = async (doc: Doc, declared: Props): Promise<Props | undefined> =>
    (await loadBalancer.read(context.client, { id: doc.id, inputs: declared, outputs: {} }, call()))
      ?.inputs;

  it("GIVEN what the server adds THEN it is no drift, and not imported", async () => {
    const doc = await made();
    assert.deepEqual(await read(doc, lb), lb);
    assert.deepEqual(await read(doc, {}), lb);
  });

  it("GIVEN a rule was added behind our back THEN it is drift", async () => {
    const doc = await made();
    (doc["lbConfig"] as { portRules: object[] }).portRules.push({
      type: "portRule",
      sourcePort: 81,
      selector: "a=b",
    });
    const seen = await read(doc, lb);
    assert.deepEqual(seen?.["lbConfig"], {
      portRules: [rule, { sourcePort: 81, selector: "a=b" }],
    });
  });

  it("GIVEN other rules THEN one PUT, live", async () => {
    const doc = await made();
    const lbConfig = { portRules: [{ ...rule, path: "/x" }] };
    const args = {
      id: doc.id,
      oldInputs: lb,
      old: { environmentId: "1a1" },
      inputs: { ...lb, lbConfig },
    };
    await loadBalancer.update?.(context.client, args, call());
    assert.deepEqual(context.server.writes, ["PUT projects/1a1/loadbalancerservices/1s1"]);
    assert.deepEqual(context.server.requests.find((r) => r.method === "PUT")?.body, { lbConfig });
  });

  it("GIVEN another launch config THEN the upgrade keeps what the server added", async () => {
    const doc = await made();
    const launch = { ...lb.launchConfig, labels: { tier: "edge" } };
    const args = { id: doc.id, oldInputs: lb, old: {}, inputs: { ...lb, launchConfig: launch } };
    await loadBalancer.update?.(context.client, args, call());
    const sent = context.server.requests.find((r) => r.query["action"] === "upgrade")?.body;
    const { launchConfig: full } = sent?.["inServiceStrategy"] as { launchConfig: Props };
    assert.deepEqual(full["labels"], { ...injected, tier: "edge" });
    assert.deepEqual(full["healthCheck"], { port: 42 });
  });

  for (const port of [42, 8080]) {
    it(`GIVEN its own health check on port ${port} is declared no more THEN the server's stands in`, async () => {
      const doc = await made();
      const healthCheck = { port, interval: 500 };
      Object.assign(doc["launchConfig"] as object, { healthCheck });
      const oldInputs = { ...lb, launchConfig: { ...lb.launchConfig, healthCheck } };
      await loadBalancer.update?.(
        context.client,
        { id: doc.id, oldInputs, old: {}, inputs: lb },
        call(),
      );
      assert.deepEqual((doc["launchConfig"] as Props)["healthCheck"], {
        ...{ port: 42, interval: 2_000, responseTimeout: 2_000 },
        ...{ healthyThreshold: 2, unhealthyThreshold: 3 },
        ...{ initializingTimeout: 60_000, reinitializingTimeout: 60_000 },
      });
    });
  }

  it("GIVEN fields that name sidekicks THEN they are refused, for it has none", () => {
    const fields = { networkLaunchConfig: "side", dataVolumesFromLaunchConfigs: ["side"] };
    const given = { ...lb, launchConfig: { ...lb.launchConfig, ...fields } };
    const { problems } = loadBalancer.check(given, undefined, { urn: URN });
    assert.deepEqual(
      problems.map(({ path }) => path),
      ["launchConfig.networkLaunchConfig", "launchConfig.dataVolumesFromLaunchConfigs"],
    );
  });
});

describe("Stack", () => {
  const context = withServer();
  const site = { name: "site", description: "a site" };

  it("is made, read, changed and removed", async () => {
    const { server, client } = context;
    const { id, outputs } = await stack.create(client, site, call());
    assert.deepEqual({ id, outputs }, { id: "1st1", outputs: { ...site, environmentId: "1a1" } });
    const doc = server.docs.get(id) as Doc;
    doc["description"] = "meddled";
    const found = await stack.read(client, { id, inputs: site, outputs }, call());
    assert.deepEqual(found?.inputs, { name: "site", description: "meddled" });
    await stack.update?.(
      client,
      { id, oldInputs: site, old: outputs, inputs: { name: "s2" } },
      call(),
    );
    assert.deepEqual([doc["name"], doc["description"]], ["s2", null]);
    await stack.delete(client, { id, inputs: site, outputs }, call());
    assert.equal(doc.state, "removed");
    assert.equal(await stack.read(client, { id, inputs: site, outputs }, call()), undefined);
  });

  it("GIVEN a lost answer THEN there is one stack", async () => {
    const { server, client } = context;
    server.fault = first(1, "lose", (r) => r.method === "POST");
    await stack.create(client, site, call());
    assert.equal(server.all("stacks").length, 1);
  });

  it("GIVEN somebody else's stack of that name THEN it is left alone", async () => {
    const { server, client } = context;
    server.add("stacks", { name: "site" });
    const error = await failure(stack.create(client, site, call()));
    assert.match(error.message, /named "site" \(1st1\) that this program did not make/);
  });

  it("GIVEN it fails THEN it is removed, and the error has the server's message", async () => {
    const { server, client } = context;
    server.fault = (r) => {
      const [doc] = server.all("stacks");
      if (r.method === "GET" && doc?.state === "activating") {
        server.pass(doc, "error");
        doc["transitioningMessage"] = "bad yaml";
      }
      return undefined;
    };
    const error = await failure(stack.create(client, site, call()));
    assert.ok(!(error instanceof PartialFailure));
    assert.match(error.message, /stack 1st1 failed: error \(bad yaml\)/);
    assert.deepEqual(server.all("stacks"), []);
  });

  it("GIVEN a broken-off run left a failed one THEN it makes way for another", async () => {
    const { server, client } = context;
    const { id } = await stack.create(client, site, call());
    (server.docs.get(id) as Doc).state = "error";
    const seen = await stack.read(client, { id, inputs: site, outputs: {} }, call());
    assert.equal(seen, undefined);
    const again = await stack.create(client, site, call());
    assert.notEqual(again.id, id);
    assert.equal(server.all("stacks").length, 1);
  });

  it("check", () => {
    for (const name of ["-a", "a-", "a_b", "a b", "", "x".repeat(64), 5]) {
      const { problems } = stack.check({ name }, undefined, { urn: URN });
      assert.deepEqual(
        problems.map((p) => p.path),
        ["name"],
        String(name),
      );
    }
    assert.deepEqual(stack.check({ name: "a-1" }, undefined, { urn: URN }).problems, []);
  });
});
