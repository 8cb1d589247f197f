import * as assert from "node:assert/strict";
import { UNKNOWN } from "../../rancher/plugin/types";
import { host } from "../../rancher/resources/host";
import type { Doc, Request } from "./fakeRancher";
import { call, failure, first, URN, withServer } from "./support";

const inputs = { matchLabels: { instance: "i-1" } };

describe("Host", () => {
  const context = withServer();

  function machine(fields: Record<string, unknown> = {}): Doc {
    return context.server.add("hosts", {
      hostname: "agent-0",
      agentIpAddress: "10.0.0.5",
      labels: { instance: "i-1", "io.rancher.host.zone": "a" },
      ...fields,
    });
  }

  describe("create", () => {
    it("waits until a host with the labels is active", async () => {
      const { client } = context;
      const operation = call();
      setTimeout(() => machine({ state: "registering" }), 200);
      setTimeout(() => ((context.server.all("hosts")[0] as Doc).state = "active"), 500);
      const { id, outputs } = await host.create(client, inputs, operation);
      assert.equal(id, "1h1");
      assert.deepEqual(outputs, {
        ...inputs,
        environmentId: "1a1",
        hostname: "agent-0",
        agentIpAddress: "10.0.0.5",
        hostLabels: { instance: "i-1" },
        state: "active",
      });
      assert.match(String(operation.lines[0]), /host labelled instance=i-1.*none of 0 hosts/);
    });

    it("GIVEN several matches THEN the newest active one is taken", async () => {
      machine();
      machine();
      machine({ state: "disconnected" });
      machine({ labels: { instance: "i-2" } });
      assert.equal((await host.create(context.client, inputs, call())).id, "1h2");
    });

    it("merges labels with those that are there", async () => {
      const doc = machine();
      await host.create(
        context.client,
        { ...inputs, name: "one", labels: { tier: "web" } },
        call(),
      );
      assert.deepEqual(doc["labels"], {
        instance: "i-1",
        "io.rancher.host.zone": "a",
        tier: "web",
      });
      assert.equal(doc["name"], "one");
    });

    it("GIVEN nothing to change THEN nothing is written", async () => {
      machine();
      await host.create(context.client, inputs, call());
      assert.deepEqual(context.server.writes, []);
    });

    it("GIVEN no such machine THEN the error says what to look at", async () => {
      const error = await failure(host.create(context.client, inputs, call(1)));
      assert.match(
        error.message,
        /labelled instance=i-1 to register: none of 0 hosts.*agent's log/,
      );
    });
  });

  it("GIVEN a label is no longer declared THEN it alone is removed", async () => {
    const doc = machine({ labels: { instance: "i-1", tier: "web", other: "x" } });
    const oldInputs = { ...inputs, labels: { tier: "web" } };
    const args = { id: doc.id, oldInputs, old: { environmentId: "1a1" }, inputs };
    await host.update?.(context.client, args, call());
    assert.deepEqual(doc["labels"], { instance: "i-1", other: "x" });
  });

  describe("read", () => {
    for (const [state, shown] of [
      ["active", "active"],
      ["reconnecting", "active"],
      ["updating-active", "active"],
      ["disconnected", "disconnected"],
      ["inactive", "inactive"],
    ] as const) {
      it(`GIVEN ${state} THEN it is shown as ${shown}`, async () => {
        const doc = machine({ state });
        const found = await host.read(context.client, { id: doc.id, inputs, outputs: {} }, call());
        assert.equal(found?.state.outputs["state"], shown);
        assert.deepEqual(found?.inputs, inputs);
      });
    }

    it("GIVEN a declared label was removed behind our back THEN it is drift", async () => {
      const doc = machine();
      const declared = { ...inputs, labels: { tier: "web" } };
      const found = await host.read(
        context.client,
        { id: doc.id, inputs: declared, outputs: {} },
        call(),
      );
      assert.deepEqual(found?.inputs, { ...inputs, labels: {} });
    });

    it("GIVEN it is removed, or its environment is, THEN it is gone", async () => {
      const doc = machine({ state: "removed" });
      const read = (environmentId: string): Promise<unknown> =>
        host.read(context.client, { id: doc.id, inputs, outputs: { environmentId } }, call());
      assert.equal(await read("1a1"), undefined);
      assert.equal(await read("1a9"), undefined);
    });
  });

  describe("delete", () => {
    const remove = (id: string, seconds = 10): Promise<void> =>
      host.delete(context.client, { id, inputs, outputs: { environmentId: "1a1" } }, call(seconds));
    const writes = (): string[] =>
      context.server.writes.map((w) => w.replace("projects/1a1/hosts/", ""));

    it("GIVEN another active host THEN it evacuates, deactivates and removes, in this order", async () => {
      const doc = machine();
      machine();
      context.server.add("instances", { hostId: doc.id, state: "running", serviceIds: [] });
      await remove(doc.id);
      assert.deepEqual(writes(), ["POST 1h1 evacuate", "POST 1h1 deactivate", "DELETE 1h1"]);
      assert.equal(doc.state, "removed");
    });

    it("GIVEN it is the last active host THEN it does not evacuate", async () => {
      const doc = machine();
      machine({ state: "disconnected" });
      await remove(doc.id);
      assert.deepEqual(writes(), ["POST 1h1 deactivate", "DELETE 1h1"]);
    });

    it("waits until the services that had containers there are well again", async () => {
      const { server, client } = context;
      const doc = machine();
      machine();
      const web = server.add("services", { name: "web", healthState: "degraded" });
      server.add("instances", { hostId: doc.id, state: "running", serviceIds: [web.id] });
      setTimeout(() => (web["healthState"] = "healthy"), 500);
      const operation = call();
      const args = { id: doc.id, inputs, outputs: { environmentId: "1a1" } };
      await host.delete(client, args, operation);
      assert.ok(operation.lines.some((line) => /service web is active and degraded/.test(line)));
      assert.equal(doc.state, "removed");
    });

    it("GIVEN containers that do not move THEN it goes on after a while", async () => {
      const { server } = context;
      const doc = machine();
      machine();
      const web = server.add("services", { name: "web" });
      const here = { hostId: doc.id, state: "running", serviceIds: [web.id] };
      const stuck = server.add("instances", here);
      server.fault = (r: Request) => {
        stuck.state = "running";
        return r.query["action"] === "evacuate" ? { status: 202, body: {} } : undefined;
      };
      await remove(doc.id, 5);
      assert.equal(doc.state, "removed");
    });

    for (const state of ["disconnected", "reconnecting", "inactive"]) {
      it(`GIVEN a machine that is ${state} THEN it is removed without evacuation`, async () => {
        const doc = machine({ state });
        machine();
        await remove(doc.id);
        assert.equal(doc.state, "removed");
        assert.ok(!writes().some((w) => w.includes("evacuate")));
      });
    }

    it("GIVEN evacuation is refused THEN it is removed all the same", async () => {
      const doc = machine();
      machine();
      context.server.fault = first(9, { status: 500 }, (r) => r.query["action"] === "evacuate");
      await remove(doc.id);
      assert.equal(doc.state, "removed");
    });

    it("GIVEN a replacement found the very same machine THEN it stays", async () => {
      const doc = machine();
      await host.create(context.client, { matchAddress: "10.0.0.5" }, call());
      await remove(doc.id);
      assert.deepEqual(writes(), []);
      assert.equal(doc.state, "active");
    });

    it("GIVEN it is gone THEN nothing is written", async () => {
      const doc = machine({ state: "removed" });
      await remove(doc.id);
      await remove("1h99");
      assert.deepEqual(writes(), []);
    });
  });

  it("diff: other match labels replace, the rest changes in place", () => {
    const oldInputs = { ...inputs, name: "a", labels: { x: "1" } };
    const diff = (news: object): object =>
      host.diff({ id: "1h1", oldInputs, old: {}, inputs: { ...oldInputs, ...news } }).changes;
    assert.deepEqual(diff({}), {});
    assert.deepEqual(diff({ matchLabels: { instance: "i-2" } }), {
      "matchLabels.instance": "replace",
    });
    assert.deepEqual(diff({ name: "b", labels: { x: "2" } }), {
      "labels.x": "update",
      name: "update",
    });
  });

  describe("diff of what it is matched by", () => {
    const old = { agentIpAddress: "10.0.0.5", hostLabels: { instance: "i-1", zone: "a" } };
    const rows: [object, object, object][] = [
      [inputs, { matchLabels: { instance: "i-1", zone: "a" } }, { "matchLabels.zone": "update" }],
      [inputs, { matchLabels: { instance: "i-2" } }, { "matchLabels.instance": "replace" }],
      [inputs, { matchLabels: { instance: UNKNOWN } }, { "matchLabels.instance": "replace" }],
      [inputs, { matchAddress: "10.0.0.5" }, { matchLabels: "update", matchAddress: "update" }],
      [inputs, { matchAddress: "10.0.0.6" }, { matchLabels: "replace", matchAddress: "replace" }],
      [{ matchAddress: "10.0.0.5" }, inputs, { matchLabels: "update", matchAddress: "update" }],
    ];
    for (const [before, after, changes] of rows) {
      it(`${JSON.stringify(before)} -> ${JSON.stringify(after)}: ${JSON.stringify(changes)}`, () => {
        const args = { id: "1h1", oldInputs: { ...before }, old, inputs: { ...after } };
        assert.deepEqual(host.diff(args).changes, changes);
      });
    }
  });

  it("GIVEN an address THEN the host with it is taken", async () => {
    const operation = call();
    machine({ agentIpAddress: "10.0.0.6" });
    setTimeout(() => machine({ agentIpAddress: "10.0.0.7" }), 200);
    const wanted = { matchAddress: "10.0.0.7" };
    const { id } = await host.create(context.client, wanted, operation);
    assert.equal(id, "1h2");
    assert.match(String(operation.lines[0]), /a host with address 10.0.0.7.*none of 1 hosts has/);
  });

  it("is imported with its address, name and description", async () => {
    const doc = machine({ name: "front", description: "d" });
    const known = { id: doc.id, inputs: {}, outputs: {} };
    const found = await host.read(context.client, known, call());
    assert.deepEqual(found?.inputs, {
      matchAddress: "10.0.0.5",
      name: "front",
      description: "d",
    });
    doc["agentIpAddress"] = null;
    const other = await host.read(context.client, known, call());
    assert.deepEqual(other?.inputs["matchLabels"], { instance: "i-1" });
  });

  it("GIVEN a silent agent THEN read says so, and finds nothing to change", async () => {
    const doc = machine({ state: "disconnected" });
    const operation = call();
    const found = await host.read(context.client, { id: doc.id, inputs, outputs: {} }, operation);
    assert.deepEqual(found?.inputs, inputs);
    assert.deepEqual(operation.lines, ["host 1h1 (agent-0) is disconnected"]);
  });

  const checks: [string, object, string[]][] = [
    ["labels", inputs, []],
    ["address", { matchAddress: "10.0.0.5" }, []],
    ["unknown labels", { matchLabels: UNKNOWN }, []],
    ["neither", {}, ["matchLabels"]],
    ["both", { ...inputs, matchAddress: "10.0.0.5" }, ["matchAddress"]],
    ["no label", { matchLabels: {} }, ["matchLabels"]],
    ["labels as a list", { matchLabels: ["a"] }, ["matchLabels"]],
    ["a name as address", { matchAddress: "m1" }, ["matchAddress"]],
    ["a number as address", { matchAddress: 5 }, ["matchAddress"]],
  ];
  for (const [what, given, expected] of checks) {
    it(`check: ${what} -> ${expected.join(", ") || "nothing"}`, () => {
      const { problems } = host.check({ ...given }, undefined, { urn: URN });
      assert.deepEqual(
        problems.map(({ path }) => path),
        expected,
      );
    });
  }
});
