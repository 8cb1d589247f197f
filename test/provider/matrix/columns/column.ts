/** What the columns of the matrix have in common. */
import * as assert from "node:assert/strict";
import type { Cell, Update } from "../cells";
import { named, type Outcome, type Snapshot, type Stage, thingOf } from "../stage";

/** A cell's test and the row that it is in. */
export interface Placed<C> {
  readonly type: string;
  /** For updates: the input. */
  readonly input?: string;
  readonly cell: C;
}

/** One column; `C` is what its cells say. */
export interface Column<C> {
  readonly title: string;
  /** For the page: what happens, and what must hold for every resource. */
  readonly about: string;
  /** Does it to all of them at once. */
  run(stage: Stage, cells: readonly Placed<C>[]): Promise<Outcome>;
  /** What must hold for each. */
  verify(outcome: Outcome, placed: Placed<C>): void;
  /** What the preview plans besides the cells' own: inputs that follow others, by Pulumi name. @default nothing */
  readonly follows?: Readonly<Record<string, readonly string[]>>;
}

/** An `up` without the two previews. */
export const UP = ["up", "--yes", "--skip-preview"] as const;

/** Collections that things are made in. */
export const COLLECTIONS = [
  "apikeys",
  "certificates",
  "loadbalancerservices",
  "projects",
  "registrationtokens",
  "services",
  "settings",
  "stacks",
];

/** True for the cell of an input. */
export function isUpdate(cell: Update | Cell): cell is Update {
  return "effect" in cell;
}

/** Runs what happens in the order of the cells. */
export async function happen(
  stage: Stage,
  cells: readonly Placed<Cell>[],
  now: Snapshot,
): Promise<void> {
  for (const { cell } of cells) await cell.happens?.(stage, now);
}

/** Fails unless the server has it. */
export function isThere({ after }: Outcome, name: string): void {
  assert.equal(thingOf(after, name).id, named(after.known, name).id);
}

/** Fails unless it has another id, and what had the old one is gone. */
export function isAnother({ before, after }: Outcome, name: string): void {
  const [old, now] = [named(before.known, name), named(after.known, name)];
  assert.notEqual(now.id, old.id, `${name} is still ${old.id}`);
  const left = (after.all[old.type] ?? []).map(({ id }) => id);
  assert.ok(!left.includes(old.id), `the earlier ${name} (${old.id}) is still there`);
}

/** Fails unless it has the id that it had. */
export function isTheSame({ before, after }: Outcome, name: string): void {
  assert.equal(named(after.known, name).id, named(before.known, name).id);
}

/** What the preview planned for it; `same` for nothing. */
export function op(outcome: Outcome, name: string): string {
  return outcome.plan[name]?.op ?? "same";
}
