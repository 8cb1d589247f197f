/** What must agree between a recorded answer and the stand-in's. Each difference is one short text. */
import type { RecordedLook } from "./recordings";

/** Translates ids; undefined for what was not made by the recorded requests. */
export interface Ids {
  toOurs(recorded: string): string | undefined;
  toRecorded(ours: string): string | undefined;
}

/**
 * Depends on the recorder's installation, not on the server: its hosts had no Docker and checked each
 * other's containers.
 */
const ofInstallation = (key: string): boolean =>
  ["info", "memory", "milliCpu", "healthcheckStates"].includes(key) ||
  key.startsWith("io.rancher.host.");

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const minus = (a: Iterable<string>, b: ReadonlySet<string>): string[] =>
  [...a].filter((x) => !b.has(x)).sort();

/** Compares two bodies: error code and field, state, and the set of keys at every depth. */
export function compareBodies(recorded: unknown, ours: unknown, ids: Ids): string[] {
  const found: string[] = [];
  walk(recorded, ours, "", ids, found);
  return found;
}

function walk(recorded: unknown, ours: unknown, at: string, ids: Ids, found: string[]): void {
  if (Array.isArray(recorded) && Array.isArray(ours)) {
    walkList(recorded, ours, at, ids, found);
    return;
  }
  if (!isObject(recorded) || !isObject(ours)) {
    if (kind(recorded) !== kind(ours))
      found.push(`${at === "" ? "body" : at} is ${kind(ours)} instead of ${kind(recorded)}`);
    return;
  }
  const theirs = new Set(Object.keys(recorded));
  const mine = new Set(Object.keys(ours));
  const prefix = at === "" ? "" : `${at}.`;
  for (const key of minus(theirs, mine)) found.push(`${prefix}${key} is missing`);
  for (const key of minus(mine, theirs))
    if (!ofInstallation(key)) found.push(`${prefix}${key} is too much`);
  const named = at === "" ? ["type", "code", "fieldName", "message", "state"] : ["type"];
  for (const key of named) {
    if (theirs.has(key) && mine.has(key) && recorded[key] !== ours[key])
      found.push(`${prefix}${key} is ${String(ours[key])} instead of ${String(recorded[key])}`);
  }
  for (const key of theirs) {
    if (mine.has(key) && !ofInstallation(key) && !named.includes(key))
      walk(recorded[key], ours[key], `${prefix}${key}`, ids, found);
  }
}

/** On its way out, and so in a list or not: that is a matter of moments. */
const isLeaving = (member: unknown): boolean => isObject(member) && member["state"] === "removing";

/**
 * Lists of resources are compared member by member, those that the recording did not make left out. How
 * many ports a host publishes depends on which host a container was put on: only whether it does counts.
 */
function walkList(
  recorded: readonly unknown[],
  ours: readonly unknown[],
  at: string,
  ids: Ids,
  found: string[],
): void {
  const [first] = [...recorded, ...ours];
  if (!isObject(first) || at.endsWith("publicEndpoints")) {
    if ((recorded.length === 0) !== (ours.length === 0))
      found.push(`${at} has ${String(ours.length)} members instead of ${String(recorded.length)}`);
    return;
  }
  if (typeof first["id"] !== "string") {
    if (recorded.length !== ours.length)
      found.push(`${at} has ${String(ours.length)} members instead of ${String(recorded.length)}`);
    recorded.forEach((r, n) => {
      if (n < ours.length) walk(r, ours[n], `${at}[${String(n)}]`, ids, found);
    });
    return;
  }
  const byId = new Map(ours.filter(isObject).map((o) => [String(o["id"]), o]));
  for (const member of recorded.filter(isObject)) {
    const id = String(member["id"]);
    const mapped = ids.toOurs(id);
    if (mapped === undefined) continue;
    const twin = byId.get(mapped);
    if (twin !== undefined) walk(member, twin, `${at}[${id}]`, ids, found);
    else if (!isLeaving(member)) found.push(`${at} lacks ${id}`);
  }
  const theirs = new Set(recorded.filter(isObject).map((r) => String(r["id"])));
  for (const [id, twin] of byId) {
    const name = ids.toRecorded(id);
    if (name !== undefined && !theirs.has(name) && !isLeaving(twin))
      found.push(`${at} has ${name} too much`);
  }
}

function kind(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A state as polls see it: of these fields, the ones that the recorder kept. */
export function lookText(look: RecordedLook, kept: readonly string[]): string {
  if (look.status !== undefined && look.status >= 400) return String(look.status);
  return (["state", "transitioning"] as const)
    .filter((field) => kept.includes(field))
    .map((field) => look[field] ?? "-")
    .join("/");
}

/** Whether the distinct states of one come in the order of the other's. */
function followOrder(ours: readonly string[], recorded: readonly string[]): boolean {
  const order = [...new Set(recorded)];
  const places = [...new Set(ours)].map((state) => order.indexOf(state));
  return places.every((place, n) => place >= 0 && place >= (places[n - 1] ?? 0));
}

/** Whether a state was left and came back, as when a service fails and tries again for ever. */
function comesBack(state: string | undefined, states: readonly string[]): boolean {
  const visits = states.filter((one, n) => one === state && states[n - 1] !== one);
  return visits.length > 1;
}

/**
 * Compares the order of distinct states: repeats and skipped intermediates are allowed, new ones and
 * another end are not. The first may be skipped too, which matters when it is also the last. Where states
 * alternate for ever, it is a matter of moments with which of them the looks begin and end.
 */
export function compareStates(recorded: readonly string[], ours: readonly string[]): string[] {
  const end = ours.at(-1);
  const alternates = comesBack(end, recorded) && comesBack(recorded.at(-1), recorded);
  const isInOrder =
    followOrder(ours, recorded) ||
    followOrder(ours, recorded.slice(1)) ||
    (alternates && ours.every((state) => recorded.includes(state)));
  return isInOrder && (end === recorded.at(-1) || alternates)
    ? []
    : [`states are ${ours.join(" ")} instead of ${recorded.join(" ")}`];
}
