import { readFileSync } from "node:fs";
import * as path from "node:path";
import { asList, asMap, fromJson, type Resource, type Value } from "../resource";
import type { ResourceRule } from "../rule";
import { machineTypes } from "./machines";

const sdk = path.dirname(require.resolve("@pulumi/aws/package.json"));
const known = new Map<string, boolean>();

/** Whether resources of a type can have tags: the SDK's class of the type takes them. */
export function isTaggable(type: string): boolean {
  const [, group, module] = /^aws:(\w+)\/(\w+):\w+$/.exec(type) ?? [];
  if (group === undefined || module === undefined) return false;
  let takes = known.get(type);
  if (takes === undefined) {
    const file = path.join(sdk, group === "index" ? "" : group, `${module}.js`);
    takes = /resourceInputs\["tags"\] = args/.test(read(file));
    known.set(type, takes);
  }
  return takes;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // A type that this version of the SDK does not have.
  }
}

/** Tags as a map, also where they are a list of pairs. */
function tagMap(tags: Value): Readonly<Record<string, Value>> {
  if (!Array.isArray(tags)) return asMap(tags);
  const pairs = asList(tags as Value).map(asMap);
  return Object.fromEntries(pairs.map(({ key, value }) => [String(key), value]));
}

/** What is wrong with the tags of one thing. */
function tagProblems(what: string, tags: Value, resource: Resource): readonly string[] {
  if (typeof tags === "symbol") return [];
  const common = asMap(asMap(fromJson(resource.provider["defaultTags"]))["tags"]);
  const all = { ...common, ...tagMap(tags) };
  const expected = {
    Name: undefined,
    project: resource.project,
    stack: resource.stack,
    component: undefined,
  };
  const missing: string[] = [];
  const wrong: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    const given = all[key];
    if (typeof given === "symbol") continue;
    if (given === undefined || given === "") missing.push(key);
    else if (value !== undefined && given !== value)
      wrong.push(`has the tag ${key} ${String(given)} on ${what}, and this is ${value}`);
  }
  return missing.length === 0 ? wrong : [`has no tag ${missing.join(", ")} on ${what}`, ...wrong];
}

export const tagged: ResourceRule = {
  name: "tagged",
  description: "What can have tags says its Name, project, stack and component",
  why: "tags are how a person in the console, a bill and a clean-up know whose it is; what has none is found by nobody, and paid for",
  fix: "give it tags: tags(name, component) of components/names.ts, a machine's root disk too",
  severity: "low",
  problems: (resource) => {
    const { type, props } = resource;
    if (!isTaggable(type)) return [];
    const own = tagProblems("itself", props["tags"], resource);
    if (!(machineTypes as readonly string[]).includes(type)) return own;
    const disk = asMap(props["rootBlockDevice"])["tags"] ?? props["volumeTags"];
    return [...own, ...tagProblems("its root disk", disk, resource)];
  },
};
