/** The matrix as a whole: every resource of the schema in every column, and every input of each. */
import { parsePath } from "../../../rancher/plugin/diff";
import {
  type Case,
  type Cell,
  type Effect,
  isNotApplicable,
  type NotApplicable,
  type ResourceCells,
  type Update,
} from "./cells";
import { rollback, updateColumns } from "./columns/changes";
import { type Column, isUpdate, type Placed } from "./columns/column";
import { changed, parentRemoved, removed } from "./columns/drift";
import { imported } from "./columns/imported";
import { killed } from "./columns/killed";
import { create, destroy, noChange, secrets } from "./columns/plain";
import { wrong } from "./columns/wrong";
import { accessControl } from "./resources/accessControl";
import { apiKey } from "./resources/apiKey";
import { certificate } from "./resources/certificate";
import { environment } from "./resources/environment";
import { host } from "./resources/host";
import { loadBalancer } from "./resources/loadBalancer";
import { registrationToken } from "./resources/registrationToken";
import { service } from "./resources/service";
import { setting } from "./resources/setting";
import { stack } from "./resources/stack";
import { functionNames, inputsOf, resourceTypes } from "./schema";
import type { Outcome } from "./stage";

/** Cells of all resources, by class. */
export const cells: Readonly<Record<string, ResourceCells>> = {
  AccessControl: accessControl,
  ApiKey: apiKey,
  Certificate: certificate,
  Environment: environment,
  Host: host,
  LoadBalancer: loadBalancer,
  RegistrationToken: registrationToken,
  Service: service,
  Setting: setting,
  Stack: stack,
};

/** All columns. Those of `replace` look at inputs and at resources. */
export const columns = {
  ...updateColumns,
  create,
  "no change": noChange,
  rollback,
  changed,
  removed,
  "parent removed": parentRemoved,
  import: imported,
  wrong,
  killed,
  secrets,
  destroy,
} as const satisfies Record<Case | Effect, unknown>;

/** Functions, and the cell that calls them. */
const calls: Readonly<Record<string, string>> = { getEnvironment: "Environment × create" };

/** Cells that are missing, and cells of what the schema does not have: `Stack × import`, `Stack.name`. */
export function blanks(): { readonly missing: string[]; readonly stray: string[] } {
  const missing = functionNames.filter((name) => !(name in calls));
  const stray = Object.keys(cells).filter((type) => !resourceTypes.includes(type));
  for (const type of resourceTypes) {
    const ours = cells[type];
    if (ours === undefined) {
      missing.push(type);
      continue;
    }
    const inputs = inputsOf(type);
    const updated = Object.keys(ours.updates);
    missing.push(...inputs.filter((i) => !updated.includes(i)).map((i) => `${type}.${i}`));
    stray.push(...updated.filter((i) => !inputs.includes(i)).map((i) => `${type}.${i}`));
    // The compiler sees to the columns too; this says it for what it does not compile.
    for (const name of order) {
      if (name === "update" || name === "upgrade" || name in ours.cases) continue;
      missing.push(`${type} × ${name}`);
    }
  }
  return { missing, stray };
}

/** The columns in the order of their runs: each leaves the stack and the server to the next. */
export const order = [
  "wrong",
  "create",
  "no change",
  "update",
  "upgrade",
  "rollback",
  "changed",
  "removed",
  "replace",
  "parent removed",
  "import",
  "killed",
  "secrets",
  "destroy",
] as const satisfies readonly (Case | "update" | "upgrade")[];

/** One column with its tests and the reasons for the others. */
export interface Filled {
  readonly column: Column<never>;
  readonly tests: readonly Placed<Cell | Update>[];
}

/** A column's tests. Those of `replace` are its inputs' and then its resources'. */
export function filled(name: (typeof order)[number]): Filled {
  const tests: Placed<Cell | Update>[] = [];
  for (const type of resourceTypes) {
    const ours = cells[type];
    if (ours === undefined) continue;
    for (const [input, cell] of Object.entries(ours.updates)) {
      if (!isNotApplicable(cell) && cell.effect === name) tests.push({ type, input, cell });
    }
    if (name === "update" || name === "upgrade") continue;
    const cell: Cell | NotApplicable = ours.cases[name];
    if (!isNotApplicable(cell)) tests.push({ type, cell });
  }
  return { column: columns[name] as Column<never>, tests };
}

/** What a preview plans although no cell of the column speaks of it: `web.scale`, or `web (delete)`. */
export function unasked(plan: Outcome["plan"], { column, tests }: Filled): string[] {
  const asked: Record<string, string[]> = {};
  const ask = (name: string, inputs: readonly string[]) => (asked[name] ??= []).push(...inputs);
  for (const { input = "", cell } of tests) {
    if (isUpdate(cell)) ask(cell.of, [input]);
    else for (const name of cell.of) ask(name, (cell.plan ?? []).map(inputOf));
  }
  for (const [name, inputs] of Object.entries(column.follows ?? {})) ask(name, inputs);
  return Object.entries(plan).flatMap(([name, { op, paths }]) => {
    const inputs = asked[name];
    if (inputs === undefined) return [`${name} (${op})`];
    const further = Object.keys(paths).filter((path) => !inputs.includes(inputOf(path)));
    return further.map((path) => `${name}.${path}`);
  });
}

/** The input that a property path begins with. */
function inputOf(path: string): string {
  return String(parsePath(path)[0]);
}
