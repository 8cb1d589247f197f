import * as assert from "node:assert/strict";
import { PartialFailure } from "../../rancher/plugin/serve";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import { environment } from "../../rancher/resources/environment";
import { ownerMark } from "../../rancher/resources/ownership";
import type { Doc, Request } from "./fakeRancher";
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
const owner = { externalId: "1a1", externalIdType: "rancher_id", role: "owner" };
const member = { externalId: "1a7", externalIdType: "rancher_id", role: "member" };
const declared = { name: "staging", description: "for trying out", useDefault: false };
const theDefault = { name: "Default", useDefault: true };

describe("Environment", () => {
  const context = withServer();
  let template: Doc;
  beforeEach(() => {
    const cattle = { name: "Cattle", isPublic: true };
    context.server.add("projecttemplates", { name: "Cattle", isPublic: false });
    template = context.server.add("projecttemplates", cattle);
  });
  const isPost = (r: Request): boolean => r.method === "POST" && r.path === "/v2-beta/projects";
  const create = (inputs: Props = declared, seconds = 10) =>
    environment.create(context.client, inputs, call(seconds));
  const read = (id: string, outputs: Props, inputs: Props = declared) =>
    environment.read(context.client, { id, inputs, outputs }, call());
  const made = (id = "1a2"): Doc => {
    const doc = context.server.docs.get(id);
    assert.ok(doc);
    return doc;
  };
  const membersNow = (id = "1a2"): unknown[] =>
    context.server
      .all("projectmembers")
      .filter((m) => m["accountId"] === id)
      .map((m) => m["externalId"]);

  describe("check", () => {
    const rows: [string, Props, string[]][] = [
      ["all good", { members: [member, owner], hostRemoveDelaySeconds: 0 }, []],
      ["never removed hosts", { hostRemoveDelaySeconds: -1, virtualMachine: true }, []],
      ["a range of one port", { servicesPortRange: { startPort: 5000, endPort: 5000 } }, []],
      ["unknowns", { name: UNKNOWN, members: UNKNOWN, servicesPortRange: UNKNOWN }, []],
      ["unknown parts", { members: [UNKNOWN, { ...member, externalId: UNKNOWN }] }, []],
      ["no name", { name: "" }, ["name"]],
      [
        "long texts",
        { name: "n".repeat(256), description: "d".repeat(983) },
        ["name", "description"],
      ],
      ["an environment", { environmentId: "1a5" }, ["environmentId"]],
      ["words", { useDefault: "yes", virtualMachine: "no" }, ["useDefault", "virtualMachine"]],
      ["half a second", { hostRemoveDelaySeconds: 0.5 }, ["hostRemoveDelaySeconds"]],
      [
        "a template of the default one",
        { useDefault: true, projectTemplateId: "1pt1" },
        ["projectTemplateId"],
      ],
      ["an empty template", { projectTemplateId: "" }, ["projectTemplateId"]],
      ["nobody", { members: [] }, ["members"]],
      ["no owner", { members: [member] }, ["members"]],
      ["somebody twice", { members: [owner, { ...owner, role: "member" }] }, ["members[1]"]],
      [
        "half a member",
        { members: [owner, { role: "member" }] },
        ["members[1].externalId", "members[1].externalIdType"],
      ],
      ["members as a map", { members: { a: owner } }, ["members"]],
      ["a text as member", { members: [owner, "me"] }, ["members[1]"]],
      ["half a range", { servicesPortRange: { startPort: 1 } }, ["servicesPortRange.endPort"]],
      [
        "a range upside down",
        { servicesPortRange: { startPort: 9, endPort: 8 } },
        ["servicesPortRange.endPort"],
      ],
      [
        "ports out of range",
        { servicesPortRange: { startPort: 0, endPort: 65536 } },
        ["servicesPortRange.startPort", "servicesPortRange.endPort"],
      ],
      [
        "all at once",
        { nam: 1, name: 2, members: [{ ...owner, rol: 1 }], servicesPortRange: "all" },
        ["nam", "name", "members[0].rol", "servicesPortRange"],
      ],
    ];
    for (const [what, inputs, expected] of rows) {
      it(`GIVEN ${what} THEN the problems are: ${expected.join(", ") || "none"}`, () => {
        const { problems } = environment.check({ ...declared, ...inputs }, undefined, { urn: URN });
        assert.deepEqual(
          problems.map((p) => p.path),
          expected,
        );
      });
    }
    it("fills useDefault", () => {
      const { inputs } = environment.check({ name: "a" }, undefined, { urn: URN });
      assert.deepEqual(inputs, { name: "a", useDefault: false });
    });
  });

  describe("diff", () => {
    const old = { ...declared, projectTemplateId: "1pt2", members: [owner, member] };
    const rows: [string, Props, Props, Record<string, string>][] = [
      ["nothing", {}, {}, {}],
      ["a name", {}, { name: "x", description: "y" }, { name: "update", description: "update" }],
      ["the template that it has", {}, { projectTemplateId: "1pt2" }, {}],
      ["another template", {}, { projectTemplateId: "1pt9" }, { projectTemplateId: "replace" }],
      ["a template no more", { projectTemplateId: "1pt2" }, {}, {}],
      ["an unknown template", {}, { projectTemplateId: UNKNOWN }, { projectTemplateId: "replace" }],
      ["the default one", {}, { useDefault: true }, { useDefault: "replace" }],
      ["members", {}, { members: [owner] }, { members: "update" }],
      ["the same members", { members: [owner, member] }, { members: [member, owner] }, {}],
      [
        "another role",
        { members: [owner, member] },
        { members: [owner, { ...member, role: "owner" }] },
        { "members[1].role": "update" },
      ],
      ["members no more", { members: [owner] }, {}, {}],
      ["a delay", {}, { hostRemoveDelaySeconds: 60 }, { hostRemoveDelaySeconds: "update" }],
      ["a delay no more", { hostRemoveDelaySeconds: 60 }, {}, { hostRemoveDelaySeconds: "update" }],
      [
        "ports",
        { servicesPortRange: { startPort: 1, endPort: 2 } },
        { servicesPortRange: { startPort: 1, endPort: 3 } },
        { "servicesPortRange.endPort": "update" },
      ],
    ];
    for (const [what, before, now, expected] of rows) {
      it(`GIVEN ${what} THEN it is ${JSON.stringify(expected)}`, () => {
        const oldInputs = { ...declared, ...before };
        const inputs = { ...declared, ...now };
        assert.deepEqual(environment.diff({ id: "1a2", oldInputs, old, inputs }).changes, expected);
      });
    }
  });

  it("is made from the public Cattle template and waited for", async () => {
    const inputs = {
      ...declared,
      ...{ members: [owner, member], hostRemoveDelaySeconds: 60, virtualMachine: true },
      servicesPortRange: { startPort: 5000, endPort: 6000 },
    };
    const { id, outputs } = await create(inputs);
    assert.equal(id, "1a2");
    assert.deepEqual(outputs, {
      ...inputs,
      ...{ uuid: "uuid-1a2", orchestration: "cattle", isDefault: false },
      projectTemplateId: template.id,
    });
    assert.deepEqual(context.server.writes, ["POST projects"]);
    assert.equal(made()["description"], `for trying out ${mark}`);
    assert.equal(made().state, "active");
    assert.deepEqual(membersNow(), ["1a1", "1a7"]);
  });

  it("GIVEN a server that is still loading its catalog THEN the template is waited for", async () => {
    template.state = "removed";
    const operation = call();
    let looks = 0;
    context.server.fault = (r) => {
      if (r.path.endsWith("/projecttemplates") && ++looks === 3) template.state = "active";
      return undefined;
    };
    await environment.create(context.client, declared, operation);
    assert.match(operation.lines[0] ?? "", /template Cattle: the catalog is not loaded yet/);
  });

  it("GIVEN no catalog at all THEN it fails in time, and a template of one's own needs none", async () => {
    template.state = "removed";
    const error = await failure(create(declared, 1));
    assert.match(error.message, /gave up .*template Cattle.*catalog\.url.*projectTemplateId/);
    assert.deepEqual(context.server.writes, []);
    await create({ ...declared, projectTemplateId: "1pt7" });
    assert.equal(made()["projectTemplateId"], "1pt7");
  });

  for (const fault of ["lose", "drop"] as const) {
    it(`GIVEN a run that ends at any request (${fault}) THEN the next run ends with one environment, as declared now`, async () => {
      const { server, client } = context;
      const later = { ...declared, name: "renamed", members: [owner, member] };
      const run = (operation: TestCall): Promise<unknown> => {
        for (const doc of server.all("projects")) if (doc.id !== "1a1") doc.state = "removed";
        return environment.create(client, declared, operation);
      };
      await endedAnywhere(server, fault, run, async () => {
        const { id } = await create(later);
        const [, own, ...more] = server.all("projects");
        assert.deepEqual([own?.id, own?.["name"], more], [id, "renamed", []]);
        assert.deepEqual(membersNow(id), ["1a1", "1a7"]);
      });
    });
  }

  it("GIVEN a lost answer THEN it is found, not made twice", async () => {
    context.server.fault = first(1, "lose", isPost);
    await create();
    assert.equal(context.server.all("projects").length, 2);
  });

  it("GIVEN one that is replaced for its template THEN another one is made beside it", async () => {
    await create();
    const { id } = await create({ ...declared, projectTemplateId: "1pt7" });
    assert.equal(id, "1a3");
  });

  it("GIVEN one of the same name that is not ours THEN it is left alone", async () => {
    context.server.add("projects", { name: "staging", uuid: "theirs" });
    const { id } = await create();
    assert.equal(id, "1a3");
  });

  it("GIVEN an environment's key THEN the error says which key it takes", async () => {
    context.server.fault = (r) =>
      isPost(r) ? { status: 405, body: { code: "Method not allowed" } } : undefined;
    const error = await failure(create());
    assert.match(error.message, /405 Method not allowed.*with the key of an account/);
    assert.equal(context.server.writes.length, 1);
  });

  it("GIVEN one that does not become active THEN it fails in time, is noted, and an update goes on", async () => {
    const { server, client } = context;
    server.fault = (r) => {
      if (r.path === "/v2-beta/projects/1a2") server.pass(made(), "registering", "registering");
      return undefined;
    };
    const error = await failure(create(declared, 1));
    assert.ok(error instanceof PartialFailure);
    assert.match(
      error.message,
      /gave up after \d s .*environment staging \(1a2\) to become active/,
    );
    server.fault = () => undefined;
    server.pass(made(), "active");
    const { id, outputs: old } = error.state;
    const args = { id, oldInputs: declared, old, inputs: declared };
    const outputs = await environment.update?.(client, args, call());
    assert.equal(outputs?.["uuid"], "uuid-1a2");
  });

  describe("with useDefault", () => {
    it("takes the server's own, and changes only what is declared", async () => {
      const { server } = context;
      const { id, outputs } = await create(theDefault);
      assert.equal(id, "1a1");
      assert.deepEqual(server.writes, []);
      const expected = { uuid: "adminProject", orchestration: "", isDefault: true };
      assert.deepEqual(outputs, { ...theDefault, ...expected });
      await create({ ...theDefault, name: "main", description: "ours", members: [owner] });
      assert.deepEqual(server.writes, ["PUT projects/1a1", "POST projects/1a1 setmembers"]);
      assert.deepEqual([made("1a1")["name"], made("1a1")["description"]], ["main", "ours"]);
    });
    it("WHEN what was declared is so no more THEN it has the server's default again", async () => {
      const before = {
        ...theDefault,
        ...{ description: "ours", hostRemoveDelaySeconds: 60, virtualMachine: true },
        servicesPortRange: { startPort: 1, endPort: 2 },
      };
      const { id, outputs: old } = await create(before);
      const args = { id, oldInputs: before, old, inputs: theDefault };
      await environment.update?.(context.client, args, call());
      const { description, hostRemoveDelaySeconds, virtualMachine, servicesPortRange } = made(id);
      assert.deepEqual(
        [description, hostRemoveDelaySeconds, virtualMachine, servicesPortRange],
        [...[null, null, false], { startPort: 49153, endPort: 65535 }],
      );
    });
    it("GIVEN the server has none THEN the error says what to do", async () => {
      made("1a1").state = "removed";
      const error = await failure(create(theDefault));
      assert.match(error.message, /uuid adminProject\) was removed.*leave useDefault out/);
    });
    it("GIVEN the server answers an unknown uuid with 404 THEN it is the same", async () => {
      context.server.fault = (r) => (r.query["uuid"] === undefined ? undefined : { status: 404 });
      assert.match((await failure(create(theDefault))).message, /was removed/);
    });
    it("WHEN deleted THEN it is forgotten", async () => {
      const { id, outputs } = await create(theDefault);
      await environment.delete(context.client, { id, inputs: theDefault, outputs }, call());
      await environment.delete(context.client, { id, inputs: {}, outputs }, call());
      assert.deepEqual(context.server.writes, []);
    });
  });

  describe("read", () => {
    const whole = { ...declared, members: [member, owner], hostRemoveDelaySeconds: 60 };

    it("GIVEN nothing changed THEN nothing changed", async () => {
      const { id, outputs } = await create(whole);
      assert.deepEqual(await read(id, outputs, whole), { state: { id, outputs }, inputs: whole });
    });
    it("GIVEN changes of what is declared THEN they are drift, and an update puts all back", async () => {
      const { server, client } = context;
      const { id, outputs } = await create(whole);
      Object.assign(made(), { name: "theirs", description: null, hostRemoveDelaySeconds: null });
      Object.assign(made(), { virtualMachine: true });
      const [first] = server.all("projectmembers");
      assert.ok(first);
      first.state = "removed";
      const found = await read(id, outputs, whole);
      assert.deepEqual(found?.inputs, {
        ...{ name: "theirs", description: "", useDefault: false },
        members: [owner],
      });
      const args = { id, oldInputs: found.inputs, old: found.state.outputs, inputs: whole };
      assert.deepEqual(await environment.update?.(client, args, call()), outputs);
      assert.deepEqual((await read(id, outputs, whole))?.inputs, whole);
      // What is not declared is left as it is.
      assert.equal(made()["virtualMachine"], true);
    });
    goneWhen(["removing", "removed", "purging", "purged"], context, async () => {
      const { id, outputs } = await create();
      return { id, read: () => read(id, outputs) };
    });
    for (const id of ["1a2", "staging"]) {
      it(`GIVEN an import of ${id} THEN it tells what is not the server's default`, async () => {
        await create({ ...declared, hostRemoveDelaySeconds: 60 });
        const found = await read(id, {}, {});
        assert.deepEqual(found?.inputs, { ...declared, hostRemoveDelaySeconds: 60 });
        assert.equal(found.state.id, "1a2");
        assert.equal(found.state.outputs["projectTemplateId"], template.id);
      });
    }
    it("GIVEN an import of the default one THEN it is known to be that", async () => {
      const found = await read("Default", {}, {});
      assert.deepEqual(found?.inputs, theDefault);
      assert.equal(found.state.outputs["isDefault"], true);
    });
    it("GIVEN an import of none THEN the error says what there is", async () => {
      assert.match((await failure(read("nowhere", {}, {}))).message, /"nowhere".*Default/);
    });
  });

  it("GIVEN somebody deactivated it WHEN updated THEN it stays so", async () => {
    const { id, outputs: old } = await create();
    made().state = "inactive";
    const inputs = { ...declared, name: "new" };
    await environment.update?.(context.client, { id, oldInputs: declared, old, inputs }, call());
    assert.deepEqual([made()["name"], made().state], ["new", "inactive"]);
  });

  describe("delete", () => {
    const remove = (outputs: Props, seconds = 10) =>
      environment.delete(context.client, { id: "1a2", inputs: declared, outputs }, call(seconds));

    it("removes it and waits until it is gone; again is no error", async () => {
      const { server } = context;
      const { outputs } = await create();
      await remove(outputs);
      assert.equal(made().state, "removed");
      await remove(outputs);
      server.docs.delete("1a2");
      await remove(outputs);
      assert.deepEqual(server.writes.slice(1), ["DELETE projects/1a2"]);
    });
    it("GIVEN 403 THEN it is gone", async () => {
      const { outputs } = await create();
      context.server.fault = () => ({ status: 403 });
      await remove(outputs);
    });
    it("GIVEN one that does not go THEN it fails in time and says how far it got", async () => {
      const { server } = context;
      const { outputs } = await create();
      server.fault = () => {
        server.pass(made(), "removing", "removing");
        return undefined;
      };
      const error = await failure(remove(outputs, 1));
      assert.match(
        error.message,
        /gave up .*environment staging \(1a2\) to be removed: .*removing/,
      );
    });
  });
});
