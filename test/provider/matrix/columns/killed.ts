/** A run that is killed, and the one after it. */
import * as assert from "node:assert/strict";
import type { Cell } from "../cells";
import { eventually, type Thing } from "../../rancher";
import { type Snapshot, type Stage, thingOf } from "../stage";
import { COLLECTIONS, type Column, happen, isThere, UP } from "./column";

/** The run that makes it is killed. */
export const killed: Column<Cell> = {
  title: "killed and resumed",
  about:
    "the engine and its plugins are killed between a POST and its answer: the next run goes on, and exactly one exists",
  async run(stage, cells) {
    const { server, engine } = stage;
    const before = await stage.snapshot();
    await happen(stage, cells, before);
    const path = new RegExp(`/(${COLLECTIONS.join("|")})$`);
    server.faults.add({ method: "POST", path, do: { kind: "hang" } });
    server.faults.add({ method: "PUT", path: /\/(settings|hosts)\//, do: { kind: "hang" } });
    stage.declare();
    // More at a time than the engine does of itself: each of them hangs.
    const { ended } = engine.start([...UP, "--parallel", "32"]);
    await eventually("all is half made", 180, async () => {
      for (const { type, cell } of cells) {
        const { made = async () => (await more(stage, before, type)).length > 0 } = cell;
        if (!(await made(stage))) return false;
      }
      return true;
    });
    for (const pid of engine.processes()) process.kill(pid, "SIGKILL");
    await ended;
    await eventually("all its processes have ended", 60, () => engine.processes().length === 0);
    server.faults.clear();
    server.pace.startDelayMs = 50;
    const failed = await stage.snapshot();
    // The lock that it left.
    await engine.run("cancel", "--yes");
    const said = await engine.up();
    const after = await stage.snapshot();
    // Pulumi goes on warning of the creates that it knows nothing about until it is told not to.
    await engine.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates");
    assert.equal((await engine.state()).pending_operations, undefined);
    return { before, failed, after, plan: {}, said };
  },
  verify: (outcome, { type, cell }) => {
    const { before, failed = before, after } = outcome;
    const old = (before.all[type] ?? []).map(({ id }) => id);
    for (const name of cell.of) {
      isThere(outcome, name);
      const mark = markOf(thingOf(after, name));
      const same = (after.all[type] ?? []).filter((thing) => markOf(thing) === mark);
      assert.equal(same.length, 1, `${same.length} of ${name} exist`);
      if (cell.made !== undefined) continue;
      const half = (failed.all[type] ?? []).filter(({ id }) => !old.includes(id));
      const adopted = half.some(({ id }) => id === same[0]?.id);
      assert.equal(adopted, cell.adopts ?? true, `${name} is ${same[0]?.id}`);
    }
  },
};

/** Things of a type that were not there before. */
async function more({ server }: Stage, before: Snapshot, type: string): Promise<Thing[]> {
  const old = (before.all[type] ?? []).map(({ id }) => id);
  return (await server.all(type)).filter(({ id }) => !old.includes(id));
}

/** By what two things are known to be made for the same resource. */
function markOf({ description, name, id }: Thing): string {
  return /pulumi:[0-9a-f]{32}/.exec(description ?? "")?.[0] ?? name ?? id;
}
