import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { changedBySomebody, late, removedBySomebody, wrong } from "../common";
import { secondTemplate } from "../../rancher";
import { named, thingOf } from "../stage";

/** The administrator, in the words of the server's own accounts. */
const owner = { externalId: "1a1", externalIdType: "rancher_id", role: "owner" };
const member = { externalId: "1a2", externalIdType: "rancher_id", role: "member" };

/** See `rancher.Environment`. */
export const environment: ResourceCells = {
  updates: {
    name: { of: "annex", effect: "update", to: "annexe" },
    description: {
      of: "annex",
      effect: "update",
      to: "another house",
      hidden: true,
      check: ({ after }) => {
        // With the mark by which it is found again.
        assert.match(thingOf(after, "annex").description ?? "", /^another house \[/);
      },
    },
    useDefault: {
      of: "spare",
      effect: "replace",
      to: true,
      hidden: true,
      check: ({ after }) => {
        assert.equal(named(after.known, "spare").id, named(after.known, "home").id);
      },
    },
    projectTemplateId: { of: "annex", effect: "replace", to: secondTemplate },
    members: {
      of: "annex",
      effect: "update",
      to: [owner, member],
      hidden: true,
      check: async ({ after }, { server }) => {
        const path = `/v2-beta/projects/${named(after.known, "annex").id}/projectmembers`;
        const members = (await server.list(path)).map(({ externalId, role }) => [externalId, role]);
        const wanted = [owner, member].map(({ externalId, role }) => [externalId, role]);
        assert.deepEqual(members.sort(), wanted.sort());
      },
    },
    hostRemoveDelaySeconds: { of: "annex", effect: "update", to: 3600 },
    servicesPortRange: {
      of: "annex",
      effect: "update",
      to: { startPort: 40000, endPort: 50000 },
    },
    virtualMachine: { of: "annex", effect: "update", to: true },
  },
  cases: {
    create: {
      of: ["home", "annex", "spare"],
      check: async ({ after }, stage) => {
        assert.equal(thingOf(after, "home")["uuid"], "adminProject");
        assert.deepEqual(named(after.known, "home").outputs["isDefault"], true);
        // The function getEnvironment.
        const { defaultEnvironment, annexEnvironment } = await stage.outputs();
        const [home, annex] = [defaultEnvironment, annexEnvironment] as Record<string, unknown>[];
        assert.equal(home?.["id"], thingOf(after, "home").id);
        assert.deepEqual([annex?.["name"], annex?.["description"]], ["annex", "an annex"]);
      },
    },
    "no change": { of: ["home", "annex", "spare"] },
    rollback: notApplicable("has nothing that is upgraded"),
    changed: changedBySomebody(
      "Environment",
      "annex",
      () => ({ name: "annex of theirs", hostRemoveDelaySeconds: 60 }),
      ["hostRemoveDelaySeconds", "name"],
    ),
    removed: removedBySomebody("Environment", "spare"),
    replace: { of: ["annex"] },
    "parent removed": notApplicable("it belongs to the server as a whole"),
    import: {
      of: ["Environment-by-id", "Environment-by-name"],
      happens: async (stage) => {
        for (const way of ["id", "name"]) {
          const args = { name: `their-environment-by-${way}`, description: "theirs" };
          const { id } = await stage.server.make("Environment", args);
          const as = `Environment-by-${way}`;
          stage.imports[as] = ["rancher:index:Environment", way === "id" ? id : args.name];
          stage.declared.resources[as] = { type: "Environment", args };
        }
      },
    },
    wrong: wrong(
      {
        name: "",
        hostRemoveDelaySeconds: -2,
        members: [{ externalId: "1a1", externalIdType: "rancher_id", role: "member" }],
        servicesPortRange: { startPort: 0, endPort: 70000 },
      },
      {
        name: "must not be empty",
        hostRemoveDelaySeconds: "must be a whole number",
        members: "must have at least one with the role owner",
        "servicesPortRange.startPort": "must be a whole number from 1 to 65535, got 0",
        "servicesPortRange.endPort": "must be a whole number from 1 to 65535, got 70000",
      },
    ),
    secrets: notApplicable("has no secrets"),
    killed: late("Environment", { name: "late-environment" }, "second"),
    destroy: {
      of: [],
      check: async (_, { server }) => {
        // The one that every server has is forgotten, not removed.
        const left = await server.all("Environment");
        assert.deepEqual(
          left.map(({ uuid }) => uuid),
          ["adminProject"],
        );
      },
    },
  },
};
