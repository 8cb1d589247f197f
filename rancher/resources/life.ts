/** What most things on the server go through: made once, waited for, removed. */
import type { Client, RequestOptions } from "../client/client";
import { ApiError, hasCode, isPassing } from "../client/errors";
import { type ApiResource, isLeaving, isRemoved } from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import { waitingOn } from "./containers";

/** How one thing is found again or made. */
export interface Making<T> {
  /** What a run made that was broken off before it could note it. Throws when the place is taken. */
  find(): Promise<T | undefined>;
  /** Sends the one POST. */
  make(): Promise<T>;
}

/** What came of it. */
export interface Made<T> {
  readonly id: string;
  /** What was found instead of made; it may have been made from an earlier declaration. */
  readonly found?: T;
}

/**
 * The thing that an earlier, broken-off run made, or a new one. A POST whose answer got lost is never
 * sent again: looking says whether it was done.
 */
export async function findOrMake<T extends ApiResource>(
  client: Client,
  { find, make }: Making<T>,
): Promise<Made<T>> {
  const found = await find();
  if (found !== undefined) return takenOver(client, found);
  try {
    return { id: (await make()).id };
  } catch (error) {
    if (!isPassing(error) && !hasCode(error, "NotUnique")) throw error;
    const made = await find();
    if (made === undefined) throw error;
    return takenOver(client, made);
  }
}

function takenOver<T extends ApiResource>(client: Client, found: T): Made<T> {
  client.held.add(found.id);
  return { id: found.id, found };
}

/** A thing that is waited for. */
export interface Awaited {
  readonly path: string;
  /** For messages, for instance `certificate shop (1c5)`. */
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** What a person may try when it does not happen. @default look at it in Rancher */
  readonly advice?: string;
}

/** Waits until a thing is active (or in another of these states) and returns it as it is then. */
export async function settled<T extends ApiResource>(
  client: Client,
  waiter: Waiter,
  { path, what, until, advice = "look at it in Rancher" }: Awaited,
  states: readonly string[] = ["active"],
): Promise<T> {
  return waitFor(client, waiter, {
    what: `${what} to become ${states.join(" or ")}`,
    until,
    advice,
    look: async (options): Promise<Seen<T>> => {
      const found = await client.get<T>(path, options);
      if (isLeaving(found)) throw new Error(`${what} was removed meanwhile`);
      if (states.includes(found.state ?? "") && found.transitioning !== "yes") {
        return { done: found };
      }
      return waitingOn(found);
    },
  });
}

/**
 * Removes a thing and waits until it is gone; gone already is well too. A refusal because of its present
 * state or its use is waited out, and told if it lasts.
 */
export async function removed(
  client: Client,
  waiter: Waiter,
  { path, what, until, advice = "look at it in Rancher" }: Awaited,
): Promise<void> {
  await waitFor(client, waiter, {
    what: `${what} to be removed`,
    until,
    advice,
    look: async (options): Promise<Seen<void>> => {
      const found = await client.find<ApiResource>(path, options);
      if (found === undefined || isRemoved(found)) return { done: undefined };
      const refusal = found.state === "removing" ? undefined : await deleted(client, path, options);
      return refusal === undefined ? waitingOn(found) : { waiting: refusal };
    },
  });
}

/** Asks for removal; the server's reason when it refuses for now. */
async function deleted(
  client: Client,
  path: string,
  options: RequestOptions,
): Promise<string | undefined> {
  try {
    await client.delete(path, options);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && error.status === 405) return error.message;
    throw error;
  }
}
