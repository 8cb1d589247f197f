/** Comparing two sets of inputs, property by property. */
import { type Change, type Diff, type Props, UNKNOWN } from "./types";
import { equal } from "./values";

/** One step of a property path: a property's name or an element's index. */
export type Step = string | number;

/** Writes steps in Pulumi's notation: `launchConfig.ports[0]`, `labels["io.rancher.x"]`. */
export function formatPath(steps: readonly Step[]): string {
  return steps
    .map((step, i) => {
      if (typeof step === "number") return `[${step}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join("");
}

/** Reads Pulumi's notation back into steps. `[*]` becomes the step `*`. */
export function parsePath(path: string): Step[] {
  const steps: Step[] = [];
  const pattern = /\[(?:(\d+)|(\*)|("(?:[^"\\]|\\.)*"))\]|\.?([^.[\]]+)/gy;
  for (let match = pattern.exec(path); match !== null; match = pattern.exec(path)) {
    const [, index, any, quoted, name] = match;
    if (index !== undefined) steps.push(Number(index));
    else if (any !== undefined) steps.push("*");
    else if (quoted !== undefined) steps.push(JSON.parse(quoted) as string);
    else if (name !== undefined) steps.push(name);
  }
  return steps;
}

/** The value at a path, or undefined. */
export function valueAt(props: unknown, steps: readonly Step[]): unknown {
  let value = props;
  for (const step of steps) {
    if (value === null || typeof value !== "object") return undefined;
    const container = value as Record<string, unknown>;
    if (!Object.hasOwn(container, step)) return undefined;
    value = container[String(step)];
  }
  return value;
}

function matches(step: Step | undefined, pattern: Step | undefined): boolean {
  return pattern === "*" || step === pattern;
}

/** True when `path` is the pattern or lies within it; `*` in a pattern matches any one step. */
function within(path: readonly Step[], pattern: readonly Step[]): boolean {
  return pattern.length <= path.length && pattern.every((step, i) => matches(path[i], step));
}

/** True when something at the pattern changed, where `path` as a whole came, went or is unknown. */
function contains(path: readonly Step[], pattern: readonly Step[], values: unknown[]): boolean {
  if (path.length >= pattern.length || !path.every((step, i) => matches(step, pattern[i]))) {
    return false;
  }
  return values.some(
    (value) => value === UNKNOWN || valueAt(value, pattern.slice(path.length)) !== undefined,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Every path at which the two values differ, as deep as both have the same shape. */
export function changedPaths(before: unknown, after: unknown, at: readonly Step[] = []): Step[][] {
  if (equal(before, after)) return [];
  if (before === UNKNOWN || after === UNKNOWN) return [[...at]];
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, i) =>
      changedPaths(before[i] as unknown, after[i] as unknown, [...at, i]),
    ).flat();
  }
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => changedPaths(before[key], after[key], [...at, key]));
  }
  return [[...at]];
}

/** How {@link diffInputs} judges a change. */
export interface DiffOptions {
  /** Paths whose change needs a new resource, or `true` for all; `[*]` stands for any element. @default [] */
  readonly replace?: readonly string[] | true;
  /** Paths whose change is no change. @default [] */
  readonly ignore?: readonly string[];
  /** @default false */
  readonly deleteBeforeReplace?: boolean;
}

/** Compares inputs with the ones of last time. An unknown value counts as changed. */
export function diffInputs(oldInputs: Props, inputs: Props, options: DiffOptions = {}): Diff {
  const replace = options.replace ?? [];
  const patterns = replace === true ? [] : replace.map(parsePath);
  const ignored = (options.ignore ?? []).map(parsePath);
  const changes: Record<string, Change> = {};
  for (const path of changedPaths(oldInputs, inputs)) {
    if (ignored.some((pattern) => within(path, pattern))) continue;
    const values = [valueAt(oldInputs, path), valueAt(inputs, path)];
    const replaces =
      replace === true || patterns.some((p) => within(path, p) || contains(path, p, values));
    changes[formatPath(path)] = replaces ? "replace" : "update";
  }
  return { changes, deleteBeforeReplace: options.deleteBeforeReplace ?? false };
}
