/** Importing what somebody else made. */
import * as assert from "node:assert/strict";
import type { Cell } from "../cells";
import { named, thingOf } from "../stage";
import { type Column, happen } from "./column";

/** It is imported. */
export const imported: Column<Cell> = {
  title: "import",
  about:
    "somebody else made two: one is imported by its id, the other as `ENVIRONMENT/NAME`; once declared, nothing changes",
  async run(stage, cells) {
    const impossible = cells.filter(({ cell }) => cell.refused === true);
    const tokens = impossible.map(({ type }) => [type, [`rancher:index:${type}`, "1c1"]] as const);
    const said = await stage.engine.failingImport(Object.fromEntries(tokens));
    await happen(stage, cells, await stage.snapshot());
    const before = await stage.snapshot();
    await stage.engine.import(stage.imports);
    stage.declare();
    await stage.engine.up("--expect-no-changes");
    return { before, after: await stage.snapshot(), plan: {}, said };
  },
  verify: (outcome, { cell }) => {
    for (const reason of cell.says ?? []) assert.match(outcome.said, reason);
    for (const name of cell.of) {
      const { type, id } = named(outcome.after.known, name);
      const theirs = (outcome.before.all[type] ?? []).find((thing) => thing.id === id);
      // With the same containers, among others.
      assert.deepEqual(thingOf(outcome.after, name), theirs);
    }
  },
};
