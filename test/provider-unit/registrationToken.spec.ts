import * as assert from "node:assert/strict";
import { registrationToken } from "../../rancher/resources/registrationToken";
import type { Request } from "./fakeRancher";
import { call, first, withServer } from "./support";

describe("RegistrationToken", () => {
  const context = withServer();
  const isPost = (r: Request): boolean => r.method === "POST";

  it("is made within the environment and waits for its URL", async () => {
    const { server, client } = context;
    const { id, outputs } = await registrationToken.create(client, {}, call());
    assert.equal(id, "1c1");
    assert.equal(outputs["registrationUrl"], "http://rancher.test:8080/v1/scripts/KEY1c1:1:hash1");
    assert.deepEqual(server.writes, ["POST projects/1a1/registrationtokens"]);
  });

  for (const fault of ["lose", "drop"] as const) {
    it(`GIVEN a run that ended at its POST (${fault}) THEN the next run ends with one token`, async () => {
      const { server, client } = context;
      const killed = call();
      server.fault = (r) => {
        if (!isPost(r)) return undefined;
        killed.controller.abort();
        return fault;
      };
      const declared = { name: "agents", description: "for agents" };
      await registrationToken.create(client, declared, killed).catch(() => undefined);
      server.fault = () => undefined;
      const { id, outputs } = await registrationToken.create(client, declared, call());
      const found = await registrationToken.read(client, { id, inputs: declared, outputs }, call());
      assert.deepEqual(found?.inputs, declared);
      assert.equal(server.all("registrationtokens").length, 1);
    });
  }

  it("GIVEN a lost answer THEN the token is found, not made twice", async () => {
    const { server, client } = context;
    server.fault = first(1, "lose", isPost);
    await registrationToken.create(client, { name: "agents" }, call());
    assert.equal(server.all("registrationtokens").length, 1);
  });

  it("GIVEN a new year, when the server signs anew, THEN the outputs stay", async () => {
    const { server, client } = context;
    const { id, outputs } = await registrationToken.create(client, {}, call());
    const doc = server.docs.get(id);
    assert.ok(doc);
    server.sign(doc, "2");
    const found = await registrationToken.read(client, { id, inputs: {}, outputs }, call());
    assert.deepEqual(found?.state.outputs, outputs);
    assert.deepEqual(found?.inputs, {});
  });

  it("GIVEN another server address THEN the outputs follow it", async () => {
    const { server, client } = context;
    const { id, outputs } = await registrationToken.create(client, {}, call());
    const doc = server.docs.get(id);
    assert.ok(doc);
    server.sign(doc, "2");
    doc["registrationUrl"] = String(doc["registrationUrl"]).replace("rancher.test", "new.test");
    const found = await registrationToken.read(client, { id, inputs: {}, outputs }, call());
    assert.equal(
      found?.state.outputs["registrationUrl"],
      "http://new.test:8080/v1/scripts/KEY1c1:1:hash1",
    );
  });

  for (const state of ["inactive", "removed", "removing"]) {
    it(`GIVEN ${state} THEN it is gone`, async () => {
      const { server, client } = context;
      const { id, outputs } = await registrationToken.create(client, {}, call());
      Object.assign(server.docs.get(id) as object, { state });
      assert.equal(
        await registrationToken.read(client, { id, inputs: {}, outputs }, call()),
        undefined,
      );
    });
  }

  it("is deactivated before it is removed; removing it again is no error", async () => {
    const { server, client } = context;
    const { id, outputs } = await registrationToken.create(client, {}, call());
    const before = server.writes.length;
    await registrationToken.delete(client, { id, inputs: {}, outputs }, call());
    assert.deepEqual(server.writes.slice(before), [
      "POST projects/1a1/registrationtokens/1c1 deactivate",
      "DELETE projects/1a1/registrationtokens/1c1",
    ]);
    await registrationToken.delete(client, { id, inputs: {}, outputs }, call());
  });
});
