import * as assert from "node:assert/strict";
import type { Props } from "../../rancher/plugin/types";
import { accessControl } from "../../rancher/resources/accessControl";
import { ownerMark } from "../../rancher/resources/ownership";
import type { Request } from "./fakeRancher";
import { call, endedAnywhere, failure, first, type TestCall, URN, withServer } from "./support";

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
      const run = (operation: TestCall): Promise<unknown> => {
        Object.assign(server, { open: true, password: undefined });
        for (const key of server.all("apikeys")) key.state = "removed";
        return accessControl.create(client, login, operation);
      };
      await endedAnywhere(server, fault, run, async (ended) => {
        if (ended instanceof Error) await accessControl.create(client, login, call());
        assertClosedWithOneKey();
      });
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
    describe("with turnOffOnDelete", () => {
      const declared = { ...login, turnOffOnDelete: true };
      const remove = async (seconds = 10): Promise<void> => {
        const args = { id: "1c1", inputs: declared, outputs: declared };
        await accessControl.delete(context.client, args, call(seconds));
      };
      beforeEach(async () => {
        await accessControl.create(context.client, declared, call());
      });

      for (const fault of [undefined, "lose"] as const) {
        it(`removes the key, then lets everybody in (answer: ${fault ?? "arrives"})`, async () => {
          const { server } = context;
          server.fault = first(1, fault, isAuthPost);
          const before = server.writes.length;
          await remove();
          assert.equal(server.open, true);
          assert.equal(server.all("apikeys").length, 0);
          assert.deepEqual(server.writes.slice(before), [
            ...["POST token", "POST apikeys/1c1 deactivate", "DELETE apikeys/1c1"],
            "POST localauthconfigs",
          ]);
          assert.equal(server.requests.at(-1)?.caller, "anonymous");
        });
      }
      it("GIVEN a server that is open already THEN the key is removed, and nothing else is asked", async () => {
        const { server } = context;
        server.open = true;
        await remove();
        assert.equal(server.all("apikeys").length, 0);
        assert.ok(!server.requests.slice(-4).some(isAuthPost));
      });
      it("GIVEN another password by now THEN it fails, because the server would stay closed", async () => {
        context.server.password = "another one";
        const error = await failure(remove());
        assert.match(error.message, /does not let "admin" in/);
        assert.doesNotMatch(error.message, /correct horse|another one/);
        assert.equal(context.server.open, false);
      });
      it("GIVEN the change has no effect THEN it fails after its time, with the way out", async () => {
        const { server } = context;
        server.fault = (r) => (isAuthPost(r) ? { status: 201 } : undefined);
        const error = await failure(remove(1));
        assert.match(
          error.message,
          /gave up after \d s while waiting for the server to let anonymous/,
        );
        assert.match(error.message, /it answers 401; .*turnOffOnDelete/);
      });
      it("GIVEN the server is gone THEN it is forgotten", async () => {
        context.server.stop();
        await remove();
      });
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
    assert.deepEqual(inputs, { username: "admin", password: "x", turnOffOnDelete: false });
    const wrong = { username: "a:b", pasword: "x", turnOffOnDelete: "yes" };
    const { problems } = accessControl.check(wrong, undefined, { urn: URN });
    assert.deepEqual(problems.map((p) => p.path).sort(), [
      ...["password", "pasword", "turnOffOnDelete", "username"],
    ]);
  });

  it("GIVEN a state from before turnOffOnDelete WHEN nothing else changed THEN there is no diff", () => {
    const diff = (inputs: Props): object =>
      accessControl.diff({ id: "1c1", oldInputs: login, old: login, inputs }).changes;
    assert.deepEqual(diff({ ...login, turnOffOnDelete: false }), {});
    assert.deepEqual(diff({ ...login, turnOffOnDelete: true }), { turnOffOnDelete: "update" });
  });
});
