import * as assert from "node:assert/strict";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { setting } from "../../rancher/resources/setting";
import { call, failure, first, URN, withServer } from "./support";

const id = "api.host";
const declared = { name: id, value: "http://203.0.113.7:8080" };

describe("Setting", () => {
  const context = withServer();
  const create = (inputs: Props = declared, seconds = 10) =>
    setting.create(context.client, inputs, call(seconds));
  const read = () =>
    setting.read(context.client, { id, inputs: declared, outputs: declared }, call());
  const remove = (seconds = 10) =>
    setting.delete(context.client, { id, inputs: declared, outputs: declared }, call(seconds));

  describe("check", () => {
    for (const [what, inputs, expected] of [
      ["all good", {}, []],
      ["unknown", { name: UNKNOWN, value: UNKNOWN }, []],
      ["an empty value", { value: "" }, []],
      ["nothing", { name: undefined, value: undefined }, ["name", "value"]],
      ["a path as its name", { name: "../projects/1a5" }, ["name"]],
      ["a long name", { name: "a".repeat(256) }, ["name"]],
      ["a number", { value: 5 }, ["value"]],
      ["an environment", { environmentId: "1a5" }, ["environmentId"]],
      ["all at once", { name: "a b", value: true, valeu: "x" }, ["valeu", "name", "value"]],
    ] as const) {
      it(`GIVEN ${what} THEN the problems are: ${expected.join(", ") || "none"}`, () => {
        const { problems } = setting.check({ ...declared, ...inputs }, undefined, { urn: URN });
        assert.deepEqual(
          problems.map((p) => p.path),
          expected,
        );
      });
    }
  });

  it("GIVEN changes THEN the value changes in place and the name replaces", () => {
    const { changes, deleteBeforeReplace } = setting.diff({
      ...{ id, oldInputs: declared, old: declared },
      inputs: { name: "telemetry.opt", value: "out" },
    });
    assert.deepEqual(changes, { name: "replace", value: "update" });
    // One made anew under the same name must not go with the old one.
    assert.equal(deleteBeforeReplace, true);
  });

  it("is stored, and waited for until it is in effect", async () => {
    const { server } = context;
    const made = await create();
    assert.deepEqual(made, { id, outputs: declared });
    assert.deepEqual(server.writes, ["PUT settings/api.host"]);
    assert.equal(server.requests.at(-1)?.method, "GET");
    assert.equal(server.settings.get(id)?.stored, declared.value);
  });

  for (const fault of ["drop", "lose"] as const) {
    it(`GIVEN an answer that does not arrive (${fault}) THEN it is stored all the same`, async () => {
      context.server.fault = first(1, fault, (r) => r.method === "PUT");
      await create();
      assert.equal(context.server.settings.get(id)?.stored, declared.value);
    });
  }

  it("GIVEN the server's environment fixes it THEN it is refused before anything is written, with the variable", async () => {
    context.server.settings.set(id, { preset: "http://elsewhere" });
    const error = await failure(create());
    assert.match(
      error.message,
      /setting api\.host is fixed .*Environment Variables.*CATTLE_API_HOST/,
    );
    assert.doesNotMatch(error.message, /203\.0\.113\.7|elsewhere/);
    assert.deepEqual(context.server.writes, []);
  });

  it("GIVEN a value that does not come into effect THEN it fails after its time and says where the other comes from", async () => {
    context.server.fault = (r) => {
      if (r.method !== "GET") return undefined;
      const body = { id, value: declared.value, inDb: true, activeValue: "x", source: "a file" };
      return { status: 200, body };
    };
    const error = await failure(create(declared, 1));
    assert.match(error.message, /gave up after \d s .*setting api\.host.*comes from a file; see/);
    assert.doesNotMatch(error.message, /203\.0\.113\.7/);
  });

  it("GIVEN an environment's key THEN the error says which key it takes", async () => {
    context.server.fault = (r) =>
      r.method === "PUT" ? { status: 405, body: { code: "Method not allowed" } } : undefined;
    assert.match((await failure(create())).message, /405 Method not allowed.*an administrator/);
  });

  for (const [given, inForce] of [
    ["a, b,c", "[a, b, c]"],
    ["a,b", "a, b"],
    ["", null],
  ] as const) {
    it(`GIVEN the value ${JSON.stringify(given)} in effect as ${JSON.stringify(inForce)} THEN it is the same`, async () => {
      const inputs = { name: "list", value: given };
      context.server.fault = (r) => {
        const body = { id: "list", inDb: true, source: "Database", value: given };
        return r.method === "GET"
          ? { status: 200, body: { ...body, activeValue: inForce } }
          : undefined;
      };
      const { outputs } = await create(inputs);
      const known = { id: "list", inputs, outputs };
      const found = await setting.read(context.client, known, call());
      assert.deepEqual(found?.inputs, inputs);
    });
  }

  describe("read", () => {
    it("GIVEN nothing changed THEN nothing changed", async () => {
      await create();
      assert.deepEqual(await read(), { state: { id, outputs: declared }, inputs: declared });
    });
    it("GIVEN another value THEN that is drift", async () => {
      await create();
      context.server.settings.set(id, { stored: "http://other" });
      assert.deepEqual((await read())?.inputs, { name: id, value: "http://other" });
    });
    it("GIVEN the server's environment fixes it by now THEN that is drift", async () => {
      await create();
      context.server.settings.set(id, { stored: declared.value, preset: "http://elsewhere" });
      assert.equal((await read())?.inputs["value"], "http://elsewhere");
    });
    for (const [what, now] of [
      ["nothing stored, and no default", {}],
      ["nothing stored, and a default", { packaged: "out" }],
    ] as const) {
      it(`GIVEN ${what} THEN it is gone`, async () => {
        await create();
        context.server.settings.set(id, now);
        assert.equal(await read(), undefined);
      });
    }
    for (const status of [403, 404]) {
      it(`GIVEN ${status} THEN it is gone`, async () => {
        context.server.fault = () => ({ status });
        assert.equal(await read(), undefined);
      });
    }
    it("GIVEN an import by name THEN it tells the inputs", async () => {
      context.server.settings.set(id, { stored: "http://other" });
      const found = await setting.read(context.client, { id, inputs: {}, outputs: {} }, call());
      assert.deepEqual(found?.inputs, { name: id, value: "http://other" });
      assert.equal(found.state.id, id);
    });
  });

  it("WHEN updated THEN the new value is stored and in effect", async () => {
    await create();
    const inputs = { ...declared, value: "http://new" };
    const args = { id, oldInputs: declared, old: declared, inputs };
    assert.deepEqual(await setting.update?.(context.client, args, call()), inputs);
    assert.equal(context.server.settings.get(id)?.stored, "http://new");
  });

  describe("delete", () => {
    beforeEach(() => context.server.settings.set(id, { stored: declared.value, packaged: "p" }));

    it("takes the stored value away; doing it again writes nothing", async () => {
      const { server } = context;
      await remove();
      assert.deepEqual(server.settings.get(id), { packaged: "p" });
      await remove();
      assert.deepEqual(server.writes, ["DELETE settings/api.host"]);
    });
    it("GIVEN a lost answer THEN it is seen to be done", async () => {
      context.server.fault = first(1, "lose", (r) => r.method === "DELETE");
      await remove();
      assert.deepEqual(context.server.settings.get(id), { packaged: "p" });
    });
    it("GIVEN a value that stays THEN it fails after its time", async () => {
      context.server.fault = (r) => (r.method === "DELETE" ? { status: 200 } : undefined);
      assert.match(
        (await failure(remove(1))).message,
        /its value is still stored; remove its value/,
      );
    });
  });
});
