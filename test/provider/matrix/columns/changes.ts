/** Columns in which the program changes. */
import * as assert from "node:assert/strict";
import { parsePath } from "../../../../rancher/plugin/diff";
import type { Cell, Effect, Update } from "../cells";
import { holds } from "../holds";
import { named, type Outcome, type Snapshot, thingOf } from "../stage";
import { type Column, happen, isAnother, isThere, isTheSame, isUpdate, op } from "./column";

/** Changes inputs, each to its new value, and looks at the plan before it is carried out. */
function updates(
  effect: Effect,
  about: string,
  follows: Column<never>["follows"] = {},
): Column<Update | Cell> {
  return {
    title: effect,
    about,
    follows,
    async run(stage, cells) {
      const before = await stage.snapshot();
      for (const { input, cell } of cells) {
        if (!isUpdate(cell) || input === undefined || cell.because !== undefined) continue;
        const { args } = stage.resource(cell.of);
        if (cell.to === undefined) Reflect.deleteProperty(args, input);
        else args[input] = cell.to;
      }
      stage.declare();
      const plan = await stage.engine.steps();
      const said = await stage.engine.up();
      return { before, after: await stage.snapshot(), plan, said };
    },
    verify(outcome, { input = "", cell }) {
      if (!isUpdate(cell)) {
        for (const name of cell.of) {
          isAnother(outcome, name);
          isThere(outcome, name);
        }
        return;
      }
      const { of, paths = [input], to, hidden, because } = cell;
      const step = outcome.plan[of];
      assert.equal(step?.op ?? "same", effect === "replace" ? "replace" : "update");
      const mine = Object.entries(step?.paths ?? {}).filter(([p]) => parsePath(p)[0] === input);
      assert.deepEqual(mine.map(([p]) => p).sort(), [...paths].sort());
      for (const [path, kind] of mine) {
        assert.equal(kind.endsWith("-replace"), effect === "replace", `${path}: ${kind}`);
      }
      if (effect === "replace") isAnother(outcome, of);
      else isTheSame(outcome, of);
      if (effect === "update") keepsContainers(outcome, of);
      if (effect === "upgrade") replacesContainers(outcome, of, cell.partly);
      if (because === undefined && hidden !== true) {
        holds(thingOf(outcome.after, of)[input], to ?? null, input, outcome.after);
      }
    },
  };
}

function keepsContainers({ before, after }: Outcome, name: string): void {
  const [old, now] = [named(before.known, name), named(after.known, name)];
  const lost = old.containers.filter((id) => !now.containers.includes(id));
  assert.deepEqual(lost, [], `${name} has lost containers`);
  assert.equal(version(after, name), version(before, name), `${name} was upgraded`);
}

function replacesContainers({ before, after }: Outcome, name: string, partly = false): void {
  const [old, now] = [named(before.known, name), named(after.known, name)];
  const kept = old.containers.filter((id) => now.containers.includes(id));
  if (partly) assert.ok(kept.length < old.containers.length, `${name} has all its old containers`);
  else assert.deepEqual(kept, [], `${name} has old containers`);
  assert.equal(now.containers.length, old.containers.length);
  assert.equal(thingOf(after, name).state, "active");
}

/** Another one for each upgrade of a service. */
function version(snapshot: Snapshot, name: string): unknown {
  const config = thingOf(snapshot, name)["launchConfig"] as { version?: unknown } | undefined;
  return config?.version;
}

/** Columns of changed inputs, by what the change does. */
export const updateColumns: Readonly<Record<Effect, Column<Update | Cell>>> = {
  update: updates(
    "update",
    "the input changes in place: the preview names it, the id stays, containers are kept",
  ),
  upgrade: updates(
    "upgrade",
    "the input is what containers are started with: all are replaced, the id stays, the upgrade is finished",
  ),
  replace: updates(
    "replace",
    "the preview marks the input as replacing; there is another id, and the old thing is gone",
    {
      web: ["serviceLinks"],
      lb: ["lbConfig"],
      annexWeb: ["stackId"],
      annexLb: ["stackId", "lbConfig"],
    },
  ),
};

/** A change that fails. */
export const rollback: Column<Cell> = {
  title: "upgrade and rollback",
  about:
    "it is upgraded to something that cannot run: `up` fails with the server's reason, the old containers are back, and the next preview plans it again until it is put right",
  follows: {
    composed: ["dockerCompose"],
    idle: ["launchConfig"],
    web: ["launchConfig"],
    annexLb: ["launchConfig"],
    flop: [],
  },
  async run(stage, cells) {
    const before = await stage.snapshot();
    await happen(stage, cells, before);
    stage.declare();
    const said = await stage.engine.failingUp();
    const failed = await stage.snapshot();
    const plan = await stage.engine.steps();
    for (const { cell } of cells) cell.repair?.(stage);
    stage.declare();
    await stage.engine.up();
    return { before, failed, after: await stage.snapshot(), plan, said };
  },
  verify: (outcome, { cell }) => {
    for (const reason of cell.says ?? []) assert.match(outcome.said, reason);
    const { before, failed = before } = outcome;
    for (const name of cell.of) {
      const [old, now] = [named(before.known, name), named(failed.known, name)];
      assert.deepEqual([now.id, now.containers], [old.id, old.containers]);
      assert.equal(thingOf(failed, name).state, "active");
      assert.equal(op(outcome, name), "update");
      isThere(outcome, name);
    }
  },
};
