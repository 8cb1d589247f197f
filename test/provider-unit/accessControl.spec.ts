import * as assert from "node:assert/strict";
import type { Props } from "../../rancher/plugin/types";
import { accessControl } from "../../rancher/resources/accessControl";
import { ownerMark } from "../../rancher/resources/ownership";
import type { Request } from "./fakeRancher";
import { call, failure, first, URN, withServer } from "./support";

const login = { username: "admin", password: "correct horse" };

describe("AccessControl", () => {
  const context = withServer();
  const isKeyPost = (r: Request): boolean => r.method === "POST" && r.path === "/v2-beta/apikeys";
  const isAuthPost = (r: Request): boolean => r.path === "/v2-beta/localauthconfigs";

  function assertClosedWithOneKey(): void {
    const { server } = context;
    assert.equal(server.open, false);
    assert.equal(server.all("apikeys").length, 1);
  }

  it("GIVEN an open server THEN a key is made and proven before the server is closed", async () => {
    const { server, client } = context;
    const { id, outputs } = await accessControl.create(client, login, call());
    assert.equal(server.open, false);
    assert.deepEqual(
      { id, ...outputs },
      { id: "1c1", ...login, accessKey: "ACCESS1c1", secretKey: "SECRET1c1SECRET" },
    );
    const proof = server.requests.findIndex(
      (r) => r.headers["x-enforce-authentication"] !== undefined,
    );
    const closing = server.requests.findIndex(isAuthPost);
    assert.ok(proof > 0 && proof < closing);
    assert.equal(server.requests[closing]?.body["enabled"], true);
  });

  it("GIVEN a closed server and the right password THEN it logs in and makes a key", async () => {
    const { server, client } = context;
    Object.assign(server, { open: false, password: login.password });
    const { outputs } = await accessControl.create(client, login, call());
    assert.equal(outputs["accessKey"], "ACCESS1c1");
    assert.ok(!server.requests.some(isAuthPost));
  });

  it("GIVEN a closed server and a wrong password THEN the error tells how to recover, without the password", async () => {
    const { server, client } = context;
    Object.assign(server, { open: false, password: "another one" });
    const error = await failure(accessControl.create(client, login, call()));
    assert.match(error.message, /does not let "admin" in.*api\.security\.enabled/);
    assert.doesNotMatch(error.message, /correct horse|another one/);
  });

  it("GIVEN a server that was closed once with another password THEN the error tells so", async () => {
    const { server, client } = context;
    server.password = "another one";
    const error = await failure(accessControl.create(client, login, call()));
    assert.match(error.message, /from an earlier time with another password/);
    assert.equal(server.open, true);
  });

  // Killed anywhere: every request in turn is the last one that arrives (or is answered).
  for (const fault of ["drop", "lose"] as const) {
    it(`GIVEN a run that ends at any request (${fault}) THEN the next run ends with a closed server and one key`, async () => {
      const { server, client } = context;
      for (let dead = 1; dead < 40; dead++) {
        Object.assign(server, { open: true, password: undefined });
        server.docs.forEach((doc) => (doc.state = doc.type === "apikeys" ? "removed" : doc.state));
        let count = 0;
        let broke = false;
        const killed = call(5);
        server.fault = () => {
          count += 1;
          if (count < dead) return undefined;
          broke = true;
          killed.controller.abort();
          return fault;
        };
        const run = await accessControl.create(client, login, killed).catch(() => undefined);
        server.fault = () => undefined;
        if (run === undefined) await accessControl.create(client, login, call());
        assertClosedWithOneKey();
        if (!broke) return;
      }
      assert.fail("the run has more requests than this test tries");
    });
  }

  it("GIVEN the answer to the key's POST gets lost THEN no key is left that nobody holds", async () => {
    const { server, client } = context;
    server.fault = first(1, "lose", isKeyPost);
    await accessControl.create(client, login, call());
    assertClosedWithOneKey();
  });

  it("GIVEN keys of others THEN they stay", async () => {
    const { server, client } = context;
    server.add("apikeys", {
      name: "pulumi-access-control",
      description: ownerMark({ urn: `${URN}2` }),
    });
    server.add("apikeys", { name: "cli" });
    await accessControl.create(client, login, call());
    assert.equal(server.all("apikeys").length, 3);
  });

  describe("read", () => {
    async function readAfter(change: () => void): Promise<unknown> {
      const { client } = context;
      const { id, outputs } = await accessControl.create(client, login, call());
      change();
      return accessControl.read(client, { id, inputs: login, outputs }, call());
    }

    it("GIVEN nothing changed THEN nothing changed", async () => {
      const found = (await readAfter(() => undefined)) as { inputs: Props };
      assert.deepEqual(found.inputs, login);
    });
    it("GIVEN access control was turned off THEN it is gone", async () => {
      assert.equal(await readAfter(() => (context.server.open = true)), undefined);
    });
    it("GIVEN the key was removed THEN it is gone", async () => {
      const remove = (): void =>
        context.server.all("apikeys").forEach((k) => (k.state = "removed"));
      assert.equal(await readAfter(remove), undefined);
    });
  });

  describe("delete", () => {
    it("removes the key and leaves access control on", async () => {
      const { server, client } = context;
      const { id, outputs } = await accessControl.create(client, login, call());
      await accessControl.delete(client, { id, inputs: login, outputs }, call());
      assert.equal(server.open, false);
      assert.equal(server.all("apikeys").length, 0);
    });
    it("GIVEN the server is gone THEN it is forgotten, soon", async () => {
      const { server, client } = context;
      server.stop();
      const operation = call();
      await accessControl.delete(client, { id: "1c1", inputs: login, outputs: login }, operation);
      assert.match(String(operation.lines.at(-1)), /was left on the server/);
    });
  });

  it("check finds every problem at once and fills the user name", () => {
    const { inputs } = accessControl.check({ password: "x" }, undefined, { urn: URN });
    assert.deepEqual(inputs, { username: "admin", password: "x" });
    const { problems } = accessControl.check({ username: "a:b", pasword: "x" }, undefined, {
      urn: URN,
    });
    assert.deepEqual(problems.map((p) => p.path).sort(), ["password", "pasword", "username"]);
  });
});
