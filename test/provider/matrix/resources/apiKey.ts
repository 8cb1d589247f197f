import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { changedBySomebody, late, removedBySomebody, wrong } from "../common";
import { named, type Outcome, type Stage, thingOf } from "../stage";

/** The keys of the stack's outputs open the server. */
async function work(_: Outcome, stage: Stage): Promise<void> {
  const outputs = await stage.outputs();
  for (const name of ["operator", "robot"]) {
    const [accessKey, secretKey] = [outputs[`${name}Key`], outputs[`${name}Secret`]].map(String);
    const status = await stage.server.withKey(
      accessKey ?? "",
      secretKey ?? "",
      "/v2-beta/projects",
    );
    assert.equal(status, 200, `${name} does not open the server`);
  }
}

/** See `rancher.ApiKey`. */
export const apiKey: ResourceCells = {
  updates: {
    name: { of: "operator", effect: "update", to: "supervisor" },
    description: {
      of: "operator",
      effect: "update",
      to: "a supervisor",
      hidden: true,
      check: ({ after }) => {
        // With the mark by which keys of broken-off runs are found.
        assert.match(thingOf(after, "operator").description ?? "", /^a supervisor \[/);
      },
    },
    environmentId: { of: "robot", effect: "replace", because: "annex" },
    accountId: { of: "operator", effect: "replace", to: "1a1" },
  },
  cases: {
    create: {
      of: ["operator", "robot"],
      check: async (outcome, stage) => {
        const { after } = outcome;
        assert.equal(thingOf(after, "operator").accountId, "1a1");
        assert.equal(thingOf(after, "robot").accountId, named(after.known, "annex").id);
        await work(outcome, stage);
      },
    },
    "no change": { of: ["operator", "robot"] },
    rollback: notApplicable("has nothing that is upgraded"),
    changed: changedBySomebody("ApiKey", "operator", () => ({ name: "theirs" }), ["name"]),
    removed: { ...removedBySomebody("ApiKey", "operator"), check: work },
    replace: { of: ["operator", "robot"], check: work },
    "parent removed": { of: ["robot"], check: work },
    import: {
      of: [],
      refused: true,
      says: [/an API key cannot be imported, because the server never tells its secret again/],
    },
    wrong: wrong(
      { name: "x".repeat(256), environmentId: "1a5", accountId: "1a1" },
      {
        name: "at most 255 characters",
        accountId: "cannot be given with environmentId",
      },
    ),
    secrets: {
      of: ["operator", "robot"],
      check: async (_, stage) => {
        const { operatorSecret, robotSecret } = await stage.outputs();
        stage.assertKept([operatorSecret, robotSecret]);
      },
    },
    // Nobody knows the secret of the half-made one: it is removed, and another one made.
    killed: { ...late("ApiKey", { name: "late-key" }, "second"), adopts: false },
    destroy: { of: [] },
  },
};
