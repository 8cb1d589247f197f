/** What one cell of the matrix is: a test, or the reason why there is none. */
import type { Outcome, Snapshot, Stage } from "./stage";

/** The columns that every resource has; the updates of its inputs come besides. */
export const cases = [
  "create",
  "no change",
  "rollback",
  "changed",
  "removed",
  "replace",
  "parent removed",
  "import",
  "wrong",
  "secrets",
  "killed",
  "destroy",
] as const;

/** One of the columns. */
export type Case = (typeof cases)[number];

/** There is no such case for this resource. */
export interface NotApplicable {
  readonly reason: string;
}

/** Says why a resource has no such case. */
export function notApplicable(reason: string): NotApplicable {
  return { reason };
}

/** A test of one resource in one column. What holds for every resource is in the column itself. */
export interface Cell {
  /** Pulumi names of the resources that it is about. */
  readonly of: readonly string[];
  /** Changes the program or the server before the engine runs. */
  readonly happens?: (stage: Stage, now: Snapshot) => void | Promise<void>;
  /** For changes that fail: puts the program right again. */
  readonly repair?: (stage: Stage) => void;
  /** What the engine must say. */
  readonly says?: readonly RegExp[];
  /** Wrong arguments, and what must be said of them by property path. */
  readonly args?: Record<string, unknown>;
  readonly problems?: Readonly<Record<string, string>>;
  /** True for an import that is refused. */
  readonly refused?: boolean;
  /** What the preview must plan. @default as the column says */
  readonly planned?: "create" | "update" | "same";
  /** Changed properties that the preview must name, for the first of {@link of}. */
  readonly plan?: readonly string[];
  /** True when it has the same id after it was made again. */
  readonly sameId?: boolean;
  /** For a run that is killed: whether its part is half done. @default there is one more of its kind */
  readonly made?: (stage: Stage) => Promise<boolean>;
  /** For a run that is killed: false when the next one cannot use what is half made and removes it. */
  readonly adopts?: boolean;
  /** What else must hold. */
  readonly check?: (outcome: Outcome, stage: Stage) => void | Promise<void>;
}

/** What a change of one input does. */
export type Effect = "update" | "upgrade" | "replace";

/** A change of one input. */
export interface Update {
  /** Pulumi name of the resource whose input changes. */
  readonly of: string;
  readonly effect: Effect;
  /** What it changes to; undefined takes it away. */
  readonly to?: unknown;
  /** Instead of a new value of its own: the Pulumi name of a resource that it refers to and that is replaced. */
  readonly because?: string;
  /** Paths that the preview must name. @default the input's own */
  readonly paths?: readonly string[];
  /** For an upgrade: containers that have not changed stay. */
  readonly partly?: boolean;
  /** The server does not show it under this name, or not at all. */
  readonly hidden?: boolean;
  /** What else must hold. */
  readonly check?: (outcome: Outcome, stage: Stage) => void | Promise<void>;
}

/** Everything about one resource. */
export interface ResourceCells {
  readonly updates: Readonly<Record<string, Update | NotApplicable>>;
  readonly cases: Readonly<Record<Case, Cell | NotApplicable>>;
}

/** True for a cell that only has a reason. */
export function isNotApplicable(cell: object): cell is NotApplicable {
  return "reason" in cell;
}
