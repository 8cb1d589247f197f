/** How objects on the server are recognised as made by one resource of one program. */
import { createHash } from "node:crypto";
import type { Client } from "../client/client";
import { type DiffOptions, diffInputs } from "../plugin/diff";
import type { Call, Diff, Props } from "../plugin/types";

/**
 * A short text that only this resource writes on its objects, so that a run that was killed before it
 * could note what it had made finds it again, and takes over nothing that somebody else made.
 */
export function ownerMark(call: Pick<Call, "urn">): string {
  return `pulumi:${createHash("sha256").update(call.urn).digest("hex").slice(0, 32)}`;
}

/** What a diff is given. */
interface Comparison {
  readonly oldInputs: Props;
  readonly old: Props;
  readonly inputs: Props;
}

/**
 * True when the inputs ask for another environment than the one that the object is in. Left out, they ask
 * for none: a diff does not know the provider's own.
 */
export function changesEnvironment({ oldInputs, old, inputs }: Comparison): boolean {
  const wanted = inputs["environmentId"];
  return wanted !== undefined && wanted !== (old["environmentId"] ?? oldInputs["environmentId"]);
}

/** {@link diffInputs} for an object in an environment: another environment replaces it. */
export function diffInEnvironment(comparison: Comparison, options: DiffOptions = {}): Diff {
  const { oldInputs, inputs } = comparison;
  const [replace, ignore] = [options.replace ?? [], options.ignore ?? []];
  const field = "environmentId";
  return diffInputs(oldInputs, inputs, {
    ...options,
    ...(changesEnvironment(comparison)
      ? { replace: replace === true || [...replace, field] }
      : { ignore: [...ignore, field] }),
  });
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
