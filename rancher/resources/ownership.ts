/** How objects on the server are recognised as made by one resource of one program. */
import { createHash } from "node:crypto";
import type { Call } from "../plugin/types";
import type { Client } from "../client/client";

/**
 * A short text that only this resource writes on its objects, so that a run that was killed before it
 * could note what it had made finds it again, and takes over nothing that somebody else made.
 */
export function ownerMark(call: Pick<Call, "urn">): string {
  return `pulumi:${createHash("sha256").update(call.urn).digest("hex").slice(0, 32)}`;
}

/** The environment an existing object is in; ids of imports may carry it as `environment/id`. */
export async function environmentOf(
  client: Client,
  known: { readonly inputs: Record<string, unknown>; readonly outputs: Record<string, unknown> },
  call: Pick<Call, "signal">,
): Promise<string> {
  const given = known.outputs["environmentId"] ?? known.inputs["environmentId"];
  return client.environment(given, { signal: call.signal });
}
