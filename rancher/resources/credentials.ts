/** Removing credentials (API keys and registration tokens): they must be deactivated first. */
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import { type ApiResource, isRemoved } from "../client/types";
import { type Waiter, waitFor } from "../client/wait";

/** Deactivates and removes one credential; does nothing when it is gone. */
export async function removeCredential(
  client: Client,
  waiter: Waiter,
  { path, what, until }: { readonly path: string; readonly what: string; readonly until: number },
): Promise<void> {
  const options = { signal: waiter.signal };
  const found = await client.find<ApiResource>(path, options);
  if (found === undefined || isRemoved(found)) return;
  if (found.state !== "inactive" && found.state !== "removing") {
    // The answer to this action shows the hash of the secret: it is not read.
    await client.act(
      path,
      "deactivate",
      undefined,
      (c: ApiResource) => c.state !== "active",
      options,
    );
  }
  await waitFor(client, waiter, {
    what: `${what} to be removed`,
    until,
    advice: "try again",
    look: async (look) => {
      const now = await client.find<ApiResource>(path, look);
      if (now === undefined || isRemoved(now)) return { done: undefined };
      if (now.state === "inactive") {
        try {
          await client.delete(path, look);
        } catch (error) {
          // The state changed since the look.
          if (!(error instanceof ApiError) || error.status !== 405) throw error;
        }
      }
      return { waiting: `it is ${now.state ?? "in no known state"}` };
    },
  });
}
