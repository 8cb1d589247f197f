import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { changedBySomebody, importedTwice, late, removedBySomebody, wrong } from "../common";
import { thingOf } from "../stage";

/** See `rancher.RegistrationToken`. */
export const registrationToken: ResourceCells = {
  updates: {
    name: { of: "agents", effect: "update", to: "machines" },
    description: {
      of: "agents",
      effect: "update",
      to: "hosts of the site",
      hidden: true,
      check: ({ after }) => {
        // With the mark by which it is found again.
        assert.match(thingOf(after, "agents").description ?? "", /^hosts of the site \[/);
      },
    },
    environmentId: { of: "annexAgents", effect: "replace", because: "annex" },
  },
  cases: {
    create: {
      of: ["agents", "annexAgents"],
      check: async ({ after }, stage) => {
        const { registrationUrl } = await stage.outputs();
        assert.equal(registrationUrl, thingOf(after, "agents")["registrationUrl"]);
      },
    },
    "no change": { of: ["agents", "annexAgents"] },
    rollback: notApplicable("has nothing that is upgraded"),
    changed: changedBySomebody("RegistrationToken", "agents", () => ({ name: "theirs" }), ["name"]),
    removed: removedBySomebody("RegistrationToken", "agents"),
    replace: { of: ["annexAgents"] },
    "parent removed": { of: ["annexAgents"] },
    import: importedTwice(
      "RegistrationToken",
      (name) => ({ name, description: "theirs" }),
      (name) => ({ name, description: "theirs" }),
    ),
    wrong: wrong(
      { name: "x".repeat(256), description: 5 },
      {
        name: "at most 255 characters",
        description: "must be a string",
      },
    ),
    secrets: {
      of: ["agents", "annexAgents"],
      check: async (_, stage) => {
        const { registrationUrl, annexRegistrationUrl } = await stage.outputs();
        const tokens = [registrationUrl, annexRegistrationUrl].map((url) =>
          String(url).split("/").pop(),
        );
        stage.assertKept(tokens);
      },
    },
    killed: late("RegistrationToken", { name: "late-token" }, "second"),
    destroy: { of: [] },
  },
};
