import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { changedBySomebody, late, removedBySomebody, wrong } from "../common";
import { secret } from "../declaration";
import { SETTING_VALUE } from "../site";
import { thingOf } from "../stage";

const NEW_VALUE = "another setting that nobody may read";
const PREVIEWED_VALUE = "a setting for the preview only";

/** See `rancher.Setting`. */
export const setting: ResourceCells = {
  updates: {
    name: { of: "greeting", effect: "replace", to: "site.welcome" },
    value: {
      of: "greeting",
      effect: "update",
      to: secret(NEW_VALUE),
      check: ({ after }) => {
        assert.equal(thingOf(after, "greeting")["activeValue"], NEW_VALUE);
      },
    },
  },
  cases: {
    create: {
      of: ["greeting"],
      check: ({ after }) => {
        assert.equal(thingOf(after, "greeting")["activeValue"], SETTING_VALUE);
      },
    },
    "no change": { of: ["greeting"] },
    rollback: {
      of: [],
      // Nothing is upgraded; but a value that only the server knows to have no effect is refused like one.
      check: async (_, stage) => {
        const args = { name: "site.preset", value: "ours" };
        stage.declared.resources["preset"] = { type: "Setting", args };
        stage.declare();
        const said = await stage.engine.failingUp("--target", "**::preset");
        assert.match(said, /setting site\.preset is fixed by the server's own start/);
        Reflect.deleteProperty(stage.declared.resources, "preset");
        stage.declare();
      },
    },
    changed: changedBySomebody("Setting", "greeting", () => ({ value: "theirs" }), ["value"]),
    removed: { ...removedBySomebody("Setting", "greeting"), sameId: true },
    replace: { of: ["greeting"] },
    "parent removed": notApplicable("it belongs to the server as a whole"),
    import: {
      of: ["Setting-by-id"],
      happens: async (stage) => {
        const args = { name: "site.theirs", value: "theirs" };
        await stage.server.make("Setting", args);
        stage.imports["Setting-by-id"] = ["rancher:index:Setting", args.name];
        stage.declared.resources["Setting-by-id"] = { type: "Setting", args };
      },
    },
    wrong: wrong(
      { name: "api host", value: 5 },
      {
        name: "must be letters, digits, dots and hyphens",
        value: "must be a string",
      },
    ),
    secrets: {
      of: ["greeting"],
      happens: (stage) => {
        stage.resource("greeting").args["value"] = secret(PREVIEWED_VALUE);
      },
      says: [/value *: \[secret\] => \[secret\]/],
      check: (_, stage) => {
        stage.assertKept([SETTING_VALUE, NEW_VALUE, PREVIEWED_VALUE]);
      },
    },
    killed: late("Setting", { name: "site.late", value: "late" }, "third"),
    destroy: { of: [] },
  },
};
