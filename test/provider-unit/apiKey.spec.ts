import * as assert from "node:assert/strict";
import { PartialFailure } from "../../rancher/plugin/serve";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { apiKey } from "../../rancher/resources/apiKey";
import { ownerMark } from "../../rancher/resources/ownership";
import type { Request } from "./fakeRancher";
import {
  call,
  endedAnywhere,
  failure,
  first,
  goneWhen,
  type TestCall,
  URN,
  withServer,
} from "./support";

const mark = `[${ownerMark({ urn: URN })}]`;
const declared = { name: "ci", description: "for the build" };
const ofEnvironment = { ...declared, environmentId: "1a1" };

describe("ApiKey", () => {
  const context = withServer();
  const isPost = (r: Request): boolean => r.method === "POST" && r.path.endsWith("/apikeys");
  const create = (inputs: Props = declared, seconds = 10) =>
    apiKey.create(context.client, inputs, call(seconds));
  const read = (id: string, outputs: Props, inputs: Props = declared) =>
    apiKey.read(context.client, { id, inputs, outputs }, call());

  describe("check", () => {
    for (const [what, inputs, expected] of [
      ["nothing at all", {}, []],
      ["an environment", { environmentId: "1a5" }, []],
      ["an account", { accountId: "1a7" }, []],
      ["unknowns", { environmentId: UNKNOWN, name: UNKNOWN, description: UNKNOWN }, []],
      ["both", { environmentId: "1a5", accountId: "1a7" }, ["accountId"]],
      ["both, one unknown", { environmentId: UNKNOWN, accountId: "1a7" }, ["accountId"]],
      ["empty ids", { environmentId: "", accountId: "" }, ["environmentId", "accountId"]],
      [
        "long texts",
        { name: "n".repeat(256), description: "d".repeat(983) },
        ["name", "description"],
      ],
      ["all at once", { nam: "x", name: 1, description: {} }, ["nam", "name", "description"]],
    ] as [string, Props, string[]][]) {
      it(`GIVEN ${what} THEN the problems are: ${expected.join(", ") || "none"}`, () => {
        const { problems } = apiKey.check(inputs, undefined, { urn: URN });
        const paths = problems.map((p) => p.path);
        assert.deepEqual([...new Set(paths)], expected);
      });
    }
  });

  it("GIVEN changes THEN names change in place, and another owner is another key", () => {
    const args = { id: "1c900", oldInputs: ofEnvironment, old: ofEnvironment };
    const inputs = { name: "cd", environmentId: "1a9" };
    assert.deepEqual(apiKey.diff({ ...args, inputs }).changes, {
      name: "update",
      description: "update",
      environmentId: "replace",
    });
    assert.deepEqual(apiKey.diff({ ...args, inputs: { ...declared, accountId: "1a7" } }).changes, {
      environmentId: "replace",
      accountId: "replace",
    });
  });

  it("GIVEN no environment THEN it is the account's, whatever the provider's environment; it is waited for", async () => {
    const { server } = context;
    const { id, outputs } = await create();
    assert.deepEqual(outputs, {
      ...declared,
      accessKey: "ACCESS1c1",
      secretKey: "SECRET1c1SECRET",
    });
    assert.deepEqual(server.writes, ["POST apikeys"]);
    assert.equal(server.docs.get(id)?.["description"], `for the build ${mark}`);
    const proof = server.requests.find((r) => r.headers["x-enforce-authentication"] !== undefined);
    assert.ok(proof);
    assert.equal(server.docs.get(id)?.state, "active");
  });

  it("GIVEN an environment THEN it is made below its path", async () => {
    const { id, outputs } = await create(ofEnvironment);
    assert.deepEqual(context.server.writes, ["POST projects/1a1/apikeys"]);
    assert.equal(context.server.docs.get(id)?.["accountId"], "1a1");
    assert.equal(outputs["environmentId"], "1a1");
  });

  it("GIVEN another account THEN it is asked for, and a key of the wrong one is not kept", async () => {
    const { server } = context;
    const { id } = await create({ accountId: "1a7" });
    assert.equal(server.docs.get(id)?.["accountId"], "1a7");
    server.fault = first(
      1,
      { status: 201, body: { ...server.docs.get(id), publicValue: "P", secretValue: "S" } },
      isPost,
    );
    const error = await failure(create({ accountId: "1a8" }));
    assert.match(error.message, /for account 1a7 instead of 1a8/);
    assert.equal(server.docs.get(id)?.state, "removed");
  });

  for (const fault of ["lose", "drop"] as const) {
    it(`GIVEN an answer that does not arrive (${fault}) THEN one key is left, and its secret is known`, async () => {
      const { server } = context;
      server.fault = first(2, fault, isPost);
      const { outputs } = await create();
      const [key, ...more] = server.all("apikeys");
      assert.deepEqual(more, []);
      assert.equal(outputs["secretKey"], key?.["secret"]);
      // Never twice without a look in between.
      const posts = server.requests.flatMap((r, i) => (isPost(r) ? [i] : []));
      posts.slice(1).forEach((post, i) => {
        const between = server.requests.slice(posts[i], post);
        assert.ok(between.some((r) => r.method === "GET" && r.path === "/v2-beta/apikeys"));
      });
    });

    it(`GIVEN a run that ends at any request (${fault}) THEN the next run ends with one key`, async () => {
      const { server, client } = context;
      const run = (operation: TestCall): Promise<unknown> => {
        for (const key of server.all("apikeys")) key.state = "removed";
        return apiKey.create(client, declared, operation);
      };
      await endedAnywhere(server, fault, run, async (ended) => {
        // A PartialFailure is noted by the engine, which then goes on with an update.
        if (ended instanceof PartialFailure) {
          const { id, outputs: old } = ended.state;
          const args = { id, oldInputs: declared, old, inputs: declared };
          assert.deepEqual(await apiKey.update?.(client, args, call()), old);
        } else if (ended instanceof Error) await create();
        assert.equal(server.all("apikeys").length, 1);
      });
    });
  }

  it("GIVEN keys of others, of another environment and of the state THEN they stay; orphans go", async () => {
    const { server } = context;
    const other = ownerMark({ urn: `${URN}2` });
    server.add("apikeys", { description: `[${other}]`, accountId: "1a1" });
    server.add("apikeys", { description: "by hand", accountId: "1a1" });
    server.add("apikeys", { description: mark, accountId: "1a1", publicValue: "ORPHAN" });
    const elsewhere = server.add("projects", { uuid: "u", name: "other" });
    server.add("apikeys", { description: mark, accountId: elsewhere.id });
    server.add("apikeys", { description: mark, accountId: "1a1", publicValue: "IN-USE" });
    // The engine asks for a diff before it replaces.
    const old = { ...ofEnvironment, accessKey: "IN-USE" };
    apiKey.diff({ id: "1c5", oldInputs: ofEnvironment, old, inputs: ofEnvironment });
    const { id } = await create(ofEnvironment);
    assert.deepEqual(
      server.all("apikeys").map((key) => key.id),
      ["1c1", "1c2", "1c4", "1c5", id],
    );
  });

  it("GIVEN a key that does not come to work THEN it fails in time, its secret is noted and not told", async () => {
    const { server } = context;
    server.fault = (r) => (r.caller === "key" ? { status: 401 } : undefined);
    const operation = call(1);
    const error = await failure(apiKey.create(context.client, declared, operation));
    assert.ok(error instanceof PartialFailure);
    assert.match(error.message, /gave up after \d s while waiting for the new API key 1c1 to work/);
    assert.equal(error.state.outputs["secretKey"], "SECRET1c1SECRET");
    assert.doesNotMatch([error.message, ...operation.lines].join("\n"), /SECRET1c1/);
  });

  for (const status of [400, 401, 403, 405, 422]) {
    it(`GIVEN the server refuses with ${status} THEN so says the error, once, without secrets`, async () => {
      const { server, client } = context;
      client.hide("SECRETthatIsKnown");
      const body = {
        code: "InvalidReference",
        fieldName: "accountId",
        message: "SECRETthatIsKnown",
      };
      server.fault = (r) => (isPost(r) ? { status, body } : undefined);
      const error = await failure(create());
      assert.match(
        error.message,
        new RegExp(`answered ${status} InvalidReference \\(accountId\\)`),
      );
      assert.doesNotMatch(error.message, /SECRETthat/);
      assert.equal(server.writes.length, 1);
    });
  }

  describe("read", () => {
    it("GIVEN nothing changed THEN nothing changed, and the secret is still there", async () => {
      const { id, outputs } = await create();
      assert.deepEqual(await read(id, outputs), { state: { id, outputs }, inputs: declared });
    });
    it("GIVEN other names THEN that is drift, and an update puts them back", async () => {
      const { id, outputs } = await create();
      const doc = context.server.docs.get(id);
      assert.ok(doc);
      Object.assign(doc, { name: "theirs", description: "their words" });
      const found = await read(id, outputs);
      assert.deepEqual(found?.inputs, { name: "theirs", description: "their words" });
      const args = { id, oldInputs: found.inputs, old: found.state.outputs, inputs: declared };
      assert.deepEqual(await apiKey.update?.(context.client, args, call()), outputs);
      assert.deepEqual(
        [doc["name"], doc["description"]],
        [declared.name, `${declared.description} ${mark}`],
      );
    });
    const states = ["inactive", "deactivating", "removing", "removed", "purged"];
    goneWhen(states, context, async () => {
      const { id, outputs } = await create(ofEnvironment);
      return { id, read: () => read(id, outputs, ofEnvironment) };
    });
    it("GIVEN its environment was removed THEN it is gone, and deleting it is done", async () => {
      const { server, client } = context;
      const { id } = server.add("projects", { uuid: "u", name: "other" });
      const inputs = { environmentId: id };
      const made = await create(inputs);
      Object.assign(server.docs.get(id) as object, { state: "removed" });
      assert.equal(await read(made.id, made.outputs, inputs), undefined);
      await apiKey.delete(client, { ...made, inputs }, call());
    });
    it("GIVEN an import THEN it is refused with the reason", async () => {
      const error = await failure(read("1c1", {}, {}));
      assert.match(error.message, /cannot be imported, because the server never tells its secret/);
    });
  });

  for (const inputs of [declared, ofEnvironment]) {
    it(`GIVEN ${"environmentId" in inputs ? "an environment's" : "an account's"} key WHEN deleted THEN it is deactivated, then removed; again is no error`, async () => {
      const { server, client } = context;
      const { id, outputs } = await create(inputs);
      const before = server.writes.length;
      const operation = call();
      await apiKey.delete(client, { id, inputs, outputs }, operation);
      const path = "environmentId" in inputs ? "projects/1a1/apikeys/1c1" : "apikeys/1c1";
      const expected = [`POST ${path} deactivate`, `DELETE ${path}`];
      assert.deepEqual(server.writes.slice(before), expected);
      await apiKey.delete(client, { id, inputs, outputs }, operation);
      assert.deepEqual(server.writes.slice(before), expected);
    });
  }

  it("GIVEN the hash that deactivate answers with comes in an error THEN it is not told", async () => {
    const { server, client } = context;
    const { id, outputs } = await create();
    const message = "SHA256:ede66b431a68bd70:e2d4ad39be189d4a2d5597831668d052";
    server.fault = (r) =>
      r.query["action"] === "deactivate"
        ? { status: 422, body: { code: "Odd", message } }
        : undefined;
    const error = await failure(apiKey.delete(client, { id, inputs: declared, outputs }, call()));
    assert.match(error.message, /422 Odd: \[secret\]/);
  });
});
