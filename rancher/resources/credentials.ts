/** Making and proving API keys, and removing credentials of any kind. */
import type { Client } from "../client/client";
import { ApiError, isPassing } from "../client/errors";
import type { Answer } from "../client/transport";
import { type ApiKey, type ApiResource, isRemoved } from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import { waitingOn } from "./containers";

/** A list that needs a login once access control is on. */
export const PROBE = "/v2-beta/projects";

/** How long making a key is tried. Milliseconds. */
const MAKING_MS = 30_000;
/** First and longest pause between two tries. Milliseconds. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;

/** A key whose secret is known. */
export type MadeKey = ApiKey & { readonly publicValue: string; readonly secretValue: string };

/** How a key is made. */
export interface Making {
  /** Of the collection. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** Removes keys that were made and whose secrets got lost with the answers. */
  removeOrphans(): Promise<void>;
}

/**
 * Makes a key. The secret is in the answer to the POST and nowhere else: when that got lost, the key, if
 * there is one, is removed before another one is made.
 */
export async function makeKey(
  client: Client,
  { signal }: Waiter,
  { path, body, until, removeOrphans }: Making,
): Promise<MadeKey> {
  const giveUp = Math.min(until, Date.now() + MAKING_MS);
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      const key = await client.post<ApiKey>(path, { type: "apiKey", ...body }, { signal });
      const { publicValue, secretValue } = key;
      if (typeof publicValue !== "string" || typeof secretValue !== "string") {
        throw new Error("the server made an API key without telling its secret");
      }
      client.hide(secretValue);
      return { ...key, publicValue, secretValue };
    } catch (error) {
      if (!isPassing(error) || Date.now() + pause > giveUp) throw error;
    }
    await client.pause(pause, signal);
    await removeOrphans();
  }
}

/** Waits until a new key opens the server by itself; returns the answer that it got. */
export async function provenKey(
  client: Client,
  waiter: Waiter,
  key: {
    readonly id: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly until: number;
  },
): Promise<Answer> {
  const { id, accessKey, secretKey, until } = key;
  const holder = client.as({ kind: "key", accessKey, secretKey });
  return waitFor(client, waiter, {
    what: `the new API key ${id} to work`,
    until,
    advice: "run it again",
    look: async (look): Promise<Seen<Answer>> => {
      // A key answers 401 until it is active, some 60 ms after it was made.
      const answer = await holder.raw("GET", PROBE, { ...look, enforce: true });
      if (answer.status === 401) return { waiting: "the server does not know it yet" };
      if (answer.status !== 200) return { waiting: `the server answers ${answer.status}` };
      return { done: answer };
    },
  });
}

/**
 * Removes one credential (API key, registration token); does nothing when it is gone. It must be
 * deactivated first.
 */
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
      return waitingOn(now);
    },
  });
}
