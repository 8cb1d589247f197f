/** Columns in which nothing unusual happens. */
import * as assert from "node:assert/strict";
import type { Cell } from "../cells";
import { eventually } from "../../rancher";
import { named, thingOf } from "../stage";
import { type Column, happen, isThere, UP } from "./column";

/** It is made. */
export const create: Column<Cell> = {
  title: "create",
  about: "all is declared on a fresh server; the thing is there under the id that the state has",
  async run(stage) {
    const before = await stage.snapshot();
    stage.declare();
    const said = await stage.engine.up();
    return { before, after: await stage.snapshot(), plan: {}, said };
  },
  verify: (outcome, { cell }) => cell.of.forEach((name) => isThere(outcome, name)),
};

/** Nothing changes. */
export const noChange: Column<Cell> = {
  title: "no change",
  about:
    "`up` again: nothing is planned, no request but GETs is sent, nothing differs on the server",
  async run(stage) {
    const before = await stage.snapshot();
    const { requests } = stage.server.faults;
    const start = requests.length;
    const said = await stage.engine.run(...UP, "--expect-no-changes");
    const writes = requests.slice(start).filter(({ method }) => method !== "GET");
    assert.deepEqual(
      writes.map(({ method, path }) => `${method} ${path}`),
      [],
    );
    return { before, after: await stage.snapshot(), plan: {}, said };
  },
  verify: ({ before, after }, { cell }) => {
    for (const name of cell.of) {
      assert.deepEqual(thingOf(after, name), thingOf(before, name));
      assert.deepEqual(named(after.known, name).containers, named(before.known, name).containers);
    }
  },
};

/** Its secrets are kept. */
export const secrets: Column<Cell> = {
  title: "secret kept",
  about:
    "no secret is in anything that the engine has ever printed, or in clear in any file that it keeps; a changed one shows as `[secret]`",
  async run(stage, cells) {
    const before = await stage.snapshot();
    const right = structuredClone(stage.declared);
    await happen(stage, cells, before);
    stage.declare();
    const said = await stage.engine.run("preview", "--diff");
    stage.declared = right;
    stage.declare();
    return { before, after: before, plan: {}, said };
  },
  verify: (outcome, { cell }) => {
    for (const shown of cell.says ?? []) assert.match(outcome.said, shown);
  },
};

/** It is destroyed. */
export const destroy: Column<Cell> = {
  title: "destroy",
  about: "nothing of ours is left on the server: its API is asked, not the state",
  async run(stage) {
    const before = await stage.snapshot();
    const said = await stage.engine.run("destroy", "--yes", "--skip-preview");
    const { resources = [] } = await stage.engine.state();
    assert.deepEqual(resources, []);
    const { engine } = stage;
    await eventually("all plugins have ended", 60, () => engine.processes().length === 0);
    return { before, after: await stage.snapshot(), plan: {}, said };
  },
  verify: ({ before, after }, { type }) => {
    const ours = Object.values(before.known).filter((known) => known.type === type);
    assert.ok(ours.length > 0, "there was none");
    for (const { id } of ours) {
      const left = (after.all[type] ?? []).find((thing) => thing.id === id);
      const isDefault = left?.["uuid"] === "adminProject";
      assert.ok(left === undefined || isDefault, `${type} ${id} is still there`);
    }
  },
};
