import * as assert from "node:assert/strict";
import { PartialFailure } from "../../rancher/plugin/serve";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { certificate } from "../../rancher/resources/certificate";
import { authority, renewed, shop } from "./certificates";
import type { Request } from "./fakeRancher";
import { call, failure, first, goneWhen, URN, withServer } from "./support";

const { cert, key } = shop;
const declared = { name: "shop", description: "for the shop", cert, key };
const body = (pem: string): string => pem.split("\n")[1] ?? "";

describe("Certificate", () => {
  const context = withServer();
  const isPost = (r: Request): boolean => r.method === "POST";
  const create = (inputs: Props = declared, seconds = 10) =>
    certificate.create(context.client, inputs, call(seconds));
  const read = (id: string, outputs: Props, inputs: Props = declared) =>
    certificate.read(context.client, { id, inputs, outputs }, call());

  describe("check", () => {
    const damaged = cert.replace(body(cert), body(cert).slice(0, 20));
    const rows: [string, Props, Record<string, RegExp>][] = [
      ["all good", {}, {}],
      ["a chain", { certChain: authority }, {}],
      ["a longer chain", { certChain: `${renewed.cert}${authority}` }, {}],
      ["Windows' ends of lines", { cert: cert.replaceAll("\n", "\r\n") }, {}],
      ["a self-signed one", renewed, {}],
      ["unknowns", { cert: UNKNOWN, key: UNKNOWN, certChain: UNKNOWN, name: UNKNOWN }, {}],
      ["an unknown key", { key: UNKNOWN, certChain: authority }, {}],
      ["an unknown certificate", { cert: UNKNOWN, certChain: renewed.cert }, {}],
      [
        "nothing",
        { name: undefined, cert: undefined, key: undefined },
        { name: /required/, cert: /required/, key: /required/ },
      ],
      [
        "other texts",
        { cert: "x", key: "y", certChain: "z" },
        { cert: /PEM text/, key: /PEM text/, certChain: /PEM text/ },
      ],
      ["a damaged certificate", { cert: damaged }, { cert: /its certificate is damaged/ }],
      [
        "a damaged chain",
        { certChain: `${authority}${damaged}` },
        { certChain: /certificate 2 in it is damaged/ },
      ],
      ["a certificate as key", { key: cert }, { key: /private key/ }],
      ["a key as certificate", { cert: key }, { cert: /certificate/ }],
      ["another key", { key: renewed.key }, { key: /does not belong to cert/ }],
      ["an encrypted key", { key: shop.encryptedKey }, { key: /encrypted/ }],
      ["another chain", { certChain: renewed.cert }, { certChain: /issued by/ }],
      ["an empty chain", { certChain: "" }, { certChain: /empty/ }],
      [
        "all at once",
        { nam: 1, name: "", key: renewed.key, certChain: renewed.cert, description: [] },
        { nam: /name/, name: /empty/, description: /string/, key: /belong/, certChain: /issued/ },
      ],
      [
        "long texts",
        { name: "n".repeat(256), key: "k".repeat(65536) },
        { name: /255/, key: /65535/ },
      ],
    ];
    for (const [what, inputs, expected] of rows) {
      it(`GIVEN ${what} THEN the problems are: ${Object.keys(expected).join(", ") || "none"}`, () => {
        const { problems } = certificate.check({ ...declared, ...inputs }, undefined, { urn: URN });
        const first = new Map([...problems].reverse().map((p) => [p.path, p.reason]));
        assert.deepEqual([...first.keys()].sort(), Object.keys(expected).sort());
        for (const [path, reason] of Object.entries(expected)) {
          assert.match(first.get(path) ?? "", reason);
        }
        const told = JSON.stringify(problems);
        for (const pem of [key, shop.encryptedKey, renewed.key, cert]) {
          assert.ok(!told.includes(body(pem)));
        }
      });
    }
  });

  it("GIVEN changes THEN all is in place but the environment; a key after an import is no change", () => {
    const inputs = { name: "new", ...renewed, certChain: authority, environmentId: "1a9" };
    const args = { id: "1c1", old: declared, inputs };
    assert.deepEqual(certificate.diff({ ...args, oldInputs: declared }).changes, {
      ...{ name: "update", description: "update", cert: "update", key: "update" },
      ...{ certChain: "update", environmentId: "replace" },
    });
    const { key: _, ...imported } = declared;
    const same = { id: "1c1", old: imported, oldInputs: imported, inputs: declared };
    assert.deepEqual(certificate.diff(same).changes, {});
  });

  it("GIVEN another certificate WHEN previewed THEN what the server reads out of it is not known", () => {
    const old = { ...declared, environmentId: "1a1", cn: "shop.example.com", issuer: "x" };
    assert.deepEqual(certificate.preview?.({ ...declared, name: "n" }, old), { ...old, name: "n" });
    const inputs = { ...declared, ...renewed };
    assert.deepEqual(certificate.preview?.(inputs, old), { ...inputs, environmentId: "1a1" });
    assert.deepEqual(certificate.preview?.(declared, undefined), declared);
  });

  it("is made in the environment and waited for; the answer's key is not taken", async () => {
    const { server } = context;
    server.fault = (r) => {
      if (!isPost(r)) return undefined;
      server.fault = () => undefined;
      return undefined;
    };
    const { id, outputs } = await create();
    assert.equal(id, "1c1");
    assert.deepEqual(server.writes, ["POST projects/1a1/certificates"]);
    assert.deepEqual(
      { ...outputs, serialNumber: "", certFingerprint: "" },
      {
        ...declared,
        ...{ environmentId: "1a1", cn: "shop.example.com", issuer: "CN=Test Authority" },
        ...{ algorithm: "SHA256withRSA", serialNumber: "", certFingerprint: "" },
        ...{ version: undefined, keySize: undefined, expiresAt: undefined, issuedAt: undefined },
        subjectAlternativeNames: undefined,
      },
    );
    assert.equal(server.docs.get(id)?.state, "active");
  });

  for (const fault of ["lose", "drop"] as const) {
    it(`GIVEN a run that ended at its POST (${fault}) THEN the next run ends with one, as it is declared now`, async () => {
      const { server, client } = context;
      const killed = call();
      server.fault = (r) => {
        if (!isPost(r)) return undefined;
        killed.controller.abort();
        return fault;
      };
      await certificate.create(client, declared, killed).catch(() => undefined);
      server.fault = () => undefined;
      const { id } = await create({ ...declared, name: "renamed", ...renewed });
      const [one, ...more] = server.all("certificates");
      assert.deepEqual(more, []);
      assert.deepEqual([one?.id, one?.["name"], one?.["key"]], [id, "renamed", renewed.key]);
    });
  }

  it("GIVEN a lost answer THEN it is found, not made twice", async () => {
    context.server.fault = first(1, "lose", isPost);
    await create();
    assert.equal(context.server.all("certificates").length, 1);
  });

  it("GIVEN one of this name that is not ours THEN the error says what to do", async () => {
    context.server.add("certificates", { name: "Shop", accountId: "1a1" });
    const error = await failure(create());
    assert.match(
      error.message,
      /a certificate named "shop" \(1c1\) that this program did not make/,
    );
    assert.equal(context.server.writes.length, 0);
  });

  it("GIVEN one that does not become active THEN it fails in time, and is noted", async () => {
    const { server } = context;
    server.fault = (r) => {
      for (const doc of server.all("certificates")) server.pass(doc, "activating", "activating");
      return r.method === "PUT" ? { status: 500 } : undefined;
    };
    const error = await failure(create(declared, 1));
    assert.ok(error instanceof PartialFailure);
    assert.equal(error.state.id, "1c1");
    assert.match(error.message, /gave up after \d s .*certificate shop \(1c1\) to become active/);
    assert.ok(!error.message.includes(body(key)));
  });

  it("GIVEN the server's refusal repeats the key THEN the error does not", async () => {
    const { server } = context;
    const message = `cannot read ${body(key)}`;
    server.fault = first(1, { status: 422, body: { code: "InvalidFormat", message } }, isPost);
    const error = await failure(create());
    assert.match(error.message, /422 InvalidFormat: cannot read \[secret\]/);
  });

  describe("read", () => {
    it("GIVEN nothing changed THEN nothing changed, and the key is kept", async () => {
      const { id, outputs } = await create();
      assert.deepEqual(await read(id, outputs), { state: { id, outputs }, inputs: declared });
    });
    it("GIVEN other ends of lines THEN that is no drift", async () => {
      const { id, outputs } = await create();
      const doc = context.server.docs.get(id);
      assert.ok(doc);
      doc["cert"] = cert.trim().replaceAll("\n", "\r\n");
      assert.deepEqual((await read(id, outputs))?.inputs, declared);
    });
    it("GIVEN another certificate THEN that is drift, and the update puts everything back", async () => {
      const { server, client } = context;
      const { id, outputs } = await create({ ...declared, certChain: authority });
      const inputs = { ...declared, certChain: authority };
      const doc = server.docs.get(id);
      assert.ok(doc);
      Object.assign(doc, { ...renewed, name: "theirs", description: null, certChain: null });
      const found = await read(id, outputs, inputs);
      assert.deepEqual(found?.inputs, { name: "theirs", cert: renewed.cert, description: "", key });
      const args = { id, oldInputs: found.inputs, old: found.state.outputs, inputs };
      assert.deepEqual(await certificate.update?.(client, args, call()), outputs);
      assert.deepEqual([doc["cert"], doc["key"], doc["name"]], [cert, key, "shop"]);
      assert.equal(doc.state, "active");
    });
    goneWhen(["removing", "removed", "purged"], context, async () => {
      const { id, outputs } = await create();
      return { id, read: () => read(id, outputs) };
    });
    for (const id of ["1c1", "1a1/1c1", "Default/shop", "shop"]) {
      it(`GIVEN an import of ${id} THEN it tells everything but the key`, async () => {
        await create({ ...declared, certChain: authority });
        const found = await read(id, {}, {});
        const { key: _, ...rest } = declared;
        assert.deepEqual(found?.inputs, { ...rest, certChain: authority });
        assert.equal(found.state.id, "1c1");
        assert.equal(found.state.outputs["environmentId"], "1a1");
      });
    }
  });

  it("WHEN everything changes THEN it is one PUT, and what was taken out of it is taken back", async () => {
    const { server, client } = context;
    const old = await create({ ...declared, certChain: authority });
    const inputs = { name: "new", ...renewed };
    const args = { id: old.id, oldInputs: declared, old: old.outputs, inputs };
    const outputs = await certificate.update?.(client, args, call());
    assert.equal(outputs?.["cn"], "new.example.com");
    assert.equal(server.docs.get(old.id)?.["certChain"], null);
    assert.deepEqual(server.writes.slice(1), ["PUT projects/1a1/certificates/1c1"]);
  });

  describe("delete", () => {
    it("removes it; again is no error", async () => {
      const { server, client } = context;
      const { id, outputs } = await create();
      client.held.clear();
      const gone = { id, inputs: declared, outputs };
      await certificate.delete(client, gone, call());
      assert.equal(server.docs.get(id)?.state, "removed");
      await certificate.delete(client, gone, call());
      server.docs.delete(id);
      await certificate.delete(client, gone, call());
      assert.equal(server.writes.filter((w) => w.startsWith("DELETE")).length, 1);
    });
    it("GIVEN a load balancer that is just leaving THEN it waits for it", async () => {
      const { server, client } = context;
      const { id, outputs } = await create();
      server.users.set(id, "door");
      let refusals = 0;
      server.fault = (r) => {
        if (r.method === "DELETE" && ++refusals === 3) server.users.delete(id);
        return undefined;
      };
      const operation = call();
      await certificate.delete(client, { id, inputs: declared, outputs }, operation);
      assert.equal(refusals, 3);
      assert.match(operation.lines[0] ?? "", /in use by load balancer services: door/);
    });
    it("GIVEN a load balancer that stays THEN it fails in time and says which", async () => {
      const { server, client } = context;
      const { id, outputs } = await create();
      server.users.set(id, "door");
      const gone = { id, inputs: declared, outputs };
      const error = await failure(certificate.delete(client, gone, call(1)));
      assert.match(error.message, /gave up .*in use by load balancer services: door; take it out/);
    });
  });
});
