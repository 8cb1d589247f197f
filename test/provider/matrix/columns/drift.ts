/** Columns in which somebody else changes the server. */
import * as assert from "node:assert/strict";
import type { Cell } from "../cells";
import { type Outcome, type Snapshot, type Stage, thingOf } from "../stage";
import {
  COLLECTIONS,
  type Column,
  happen,
  isAnother,
  isThere,
  isTheSame,
  op,
  type Placed,
} from "./column";

/**
 * Cells with what hangs on others first: a load balancer before its services, these before their stack. The
 * key that all others are reached with comes before them.
 */
function dependentsFirst(cells: readonly Placed<Cell>[]): Placed<Cell>[] {
  const order = ["AccessControl", "LoadBalancer", "Certificate", "Service", "Stack"];
  const rank = ({ type }: Placed<Cell>): number => (order.includes(type) ? order.indexOf(type) : 9);
  return [...cells].sort((a, b) => rank(a) - rank(b));
}

/** Plans what `happens` brought, with a refresh, and puts it right. */
async function refreshed(
  stage: Stage,
  cells: readonly Placed<Cell>[],
  beforeUp: () => void = () => undefined,
): Promise<Outcome> {
  const before = await stage.snapshot();
  await happen(stage, dependentsFirst(cells), before);
  const plan = await stage.engine.steps("--refresh");
  beforeUp();
  const said = await stage.engine.up("--refresh");
  stage.server.faults.clear();
  return { before, after: await stage.snapshot(), plan, said };
}

/** Somebody changes it. */
export const changed: Column<Cell> = {
  title: "changed behind our back",
  about: "somebody changes it on the server: a preview with refresh names what, `up` puts it back",
  run: (stage, cells) => refreshed(stage, cells),
  verify: (outcome, { cell }) => {
    const { plan = [], planned = "update" } = cell;
    for (const name of cell.of) {
      const paths = Object.keys(outcome.plan[name]?.paths ?? {});
      assert.deepEqual(paths.sort(), [...plan].sort());
      assert.equal(op(outcome, name), planned);
      if (planned === "update") isTheSame(outcome, name);
      isThere(outcome, name);
    }
  },
};

/** Somebody removes it. */
export const removed: Column<Cell> = {
  title: "removed behind our back",
  about:
    "somebody removes it: that is no error; a preview with refresh plans to create it, and `up` makes it again, one only, although the answers to the first POSTs are lost",
  follows: { lb: ["lbConfig"] },
  run: (stage, cells) =>
    refreshed(stage, cells, () => {
      for (const collection of COLLECTIONS) {
        const path = new RegExp(`/${collection}$`);
        stage.server.faults.add({ method: "POST", path, times: 1, do: { kind: "lose" } });
      }
    }),
  verify: (outcome, { cell }) => {
    for (const name of cell.of) {
      assert.equal(op(outcome, name), cell.planned ?? "create");
      if (cell.sameId !== true) isAnother(outcome, name);
      isThere(outcome, name);
    }
  },
};

/** Somebody removes what it is in. */
export const parentRemoved: Column<Cell> = {
  title: "parent removed behind our back",
  about:
    "somebody removes the stack of services, and an environment with all that is in it: a preview with refresh plans to create all of it, and `up` does",
  follows: { annex: [], other: [], pair: [], idle: [], flop: [] },
  async run(stage, cells) {
    const parents = async ({ server }: Stage, now: Snapshot) => {
      await server.remove("Stack", thingOf(now, "other"));
      await server.remove("Environment", thingOf(now, "annex"));
    };
    return refreshed(stage, [{ type: "", cell: { of: [], happens: parents } }, ...cells]);
  },
  verify: (outcome, { cell }) => {
    for (const name of cell.of) {
      assert.equal(op(outcome, name), "create");
      isAnother(outcome, name);
      isThere(outcome, name);
    }
  },
};
