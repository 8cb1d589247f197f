/** A plan as lines that GitHub colours: what each resource is, and what becomes of its properties. */
import { changing, nameOf, type State, type Step, typeOf } from "./plan";
import { hidden, isShown, isUnknown, redact } from "./redact";

/** Longest text of a value. */
const longestValue = 160;

/** Properties that say nothing to a reader. */
const dull = new Set(["__defaults", "__internal", "tags", "tagsAll"]);

const signs: Readonly<Record<string, string>> = {
  create: "+",
  delete: "-",
  update: "!",
  replace: "!",
  import: "+",
};

/** A value on one line; a secret anywhere in it hides all of it. */
export function valueText(property: string, value: unknown): string {
  if (value === undefined) return "nothing";
  if (isUnknown(value)) return "known after up";
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) return "nothing";
  if (json.includes(hidden) || !isShown(property)) return hidden;
  const plain = redact(json).replaceAll(/[\p{Cc}\p{Cf}]/gu, "");
  return plain.length <= longestValue ? plain : `${plain.slice(0, longestValue)}…`;
}

/** The parts of a path such as `a.b[0]["c.d"]`. */
function parts(path: string): readonly string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, plain]) => quoted ?? index ?? plain ?? "",
  );
}

function at(values: unknown, path: string): unknown {
  return parts(path).reduce<unknown>(
    (value, part) =>
      value !== null && typeof value === "object" && Object.hasOwn(value, part)
        ? (value as Record<string, unknown>)[part]
        : undefined,
    values,
  );
}

function look(state: State | undefined, path: string): unknown {
  return at(state?.inputs, path) ?? at(state?.outputs, path);
}

/** Paths that differ: the provider's own list, or a comparison of inputs where it gave none. */
function changedPaths(step: Step): readonly string[] {
  const named = Object.keys(step.detailedDiff ?? {});
  if (named.length > 0) return named;
  const [before, after] = [step.oldState?.inputs ?? {}, step.newState?.inputs ?? {}];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
}

function changedLines(step: Step): readonly string[] {
  const reasons = new Set(step.replaceReasons ?? []);
  return changedPaths(step)
    .filter((path) => !dull.has(parts(path)[0] ?? ""))
    .map((path) => {
      const [old, now] = [look(step.oldState, path), look(step.newState, path)];
      const forces = step.op === "replace" && reasons.has(parts(path)[0] ?? "");
      return `!     ${path}: ${valueText(path, old)} => ${valueText(path, now)}${forces ? "  (replaces it)" : ""}`;
    });
}

function createdLines(state: State | undefined): readonly string[] {
  return Object.entries(state?.inputs ?? {})
    .filter(([key]) => !dull.has(key))
    .map(([key, value]) => `+     ${key}: ${valueText(key, value)}`);
}

/** The lines of a plan, in its order. */
export function diffLines(steps: readonly Step[]): readonly string[] {
  return changing(steps).flatMap((step) => {
    const head = `${signs[step.op] ?? "!"} ${step.op} ${typeOf(step.urn)} ${nameOf(step.urn)}`;
    if (step.op === "create" || step.op === "import") return [head, ...createdLines(step.newState)];
    return step.op === "update" || step.op === "replace" ? [head, ...changedLines(step)] : [head];
  });
}
