/** A recorded state of a stack that is up, with neutral addresses and without what the commands do not read. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { type StackExport, StackState, type StateResource } from "../../commands/state";

/** Where it is. */
export const recording = path.join(__dirname, "recordings", "stack.json");

/** The state, after `change` was made to each of its resources; undefined takes one away. */
export function recorded(
  change: (resource: StateResource) => StateResource | undefined = (resource) => resource,
  more: Partial<StackExport["deployment"]> = {},
): StackState {
  const { deployment } = JSON.parse(readFileSync(recording, "utf8")) as StackExport;
  const resources = (deployment.resources ?? []).flatMap((resource) => change(resource) ?? []);
  return new StackState({ deployment: { ...deployment, resources, ...more } });
}
