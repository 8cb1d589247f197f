/** Waiting for the server to reach a state, with a deadline and an error that says how far it got. */
import { CanceledError, ConnectionError, WaitError, isPassing } from "./errors";
import type { Client, RequestOptions } from "./client";

/** How long an operation waits when the program sets no `customTimeouts`. Seconds. */
export const DEFAULT_TIMEOUT_SECONDS = 600;

/** First and longest pause between two looks. Milliseconds. Many transitions take less than 100 ms. */
const FIRST_PAUSE_MS = 150;
const LONGEST_PAUSE_MS = 3_000;

/** How long a server may be away in the middle of a wait; it restarts in one to three minutes. Milliseconds. */
const AWAY_MS = 240_000;

/**
 * What one look found: the value waited for, or what the thing is doing instead. `trouble` is what the
 * server itself said was wrong; the last one is remembered, because it comes and goes while things are
 * tried again. `giveUp` ends the wait as its deadline does.
 */
export type Seen<T> = { readonly done: T } | Waiting;

/** See {@link Seen}. */
export interface Waiting {
  readonly waiting: string;
  readonly trouble?: string | undefined;
  /** @default false */
  readonly giveUp?: boolean;
}

/** The part of an operation that a wait needs. */
export interface Waiter {
  readonly signal: AbortSignal;
  status(message: string): void;
}

/** What is waited for. */
export interface Wait<T> {
  /** Completes 'waiting for …'. */
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** What a person may try when it does not happen. */
  readonly advice: string;
  /** Wait until the deadline for a server that does not answer at all. @default false: four minutes */
  readonly forServer?: boolean;
  /** Looks once. Connection errors and a busy server count as 'not yet'; other errors end the wait. */
  look(options: RequestOptions): Promise<Seen<T>>;
}

/** When an operation that starts now has to be over, in milliseconds since 1970. */
export function deadline(call: { readonly timeoutSeconds: number | undefined }): number {
  const total = (call.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000;
  // A little early, so that our own error, which says more, comes before the engine's.
  return Date.now() + total - Math.min(5_000, total / 10);
}

/** Looks, with growing pauses, until the look says that it is done. */
export async function waitFor<T>(client: Client, waiter: Waiter, wait: Wait<T>): Promise<T> {
  const started = Date.now();
  let seen = "";
  let trouble = "";
  let answered = started;
  let hopeless = false;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.3, LONGEST_PAUSE_MS)) {
    const before = seen;
    try {
      const found = await wait.look({ signal: waiter.signal, retryMs: 0 });
      answered = Date.now();
      if (!("waiting" in found)) return found.done;
      seen = found.waiting;
      trouble = found.trouble ?? trouble;
      hopeless = found.giveUp === true;
    } catch (error) {
      if (error instanceof CanceledError) throw stopped("canceled", wait, seen, trouble);
      if (!isPassing(error)) throw error;
      if (!(error instanceof ConnectionError) || wait.forServer === true) answered = Date.now();
      seen = (error as Error).message;
    }
    if (seen !== before) waiter.status(`waiting for ${wait.what}: ${seen}`);
    if (hopeless || Date.now() + pause > wait.until || Date.now() - answered > AWAY_MS) {
      const seconds = Math.round((Date.now() - started) / 1_000);
      throw new WaitError(
        `${stopped(`gave up after ${seconds} s`, wait, seen, trouble).message}; ${wait.advice}`,
      );
    }
    try {
      await client.pause(pause, waiter.signal);
    } catch {
      throw stopped("canceled", wait, seen, trouble);
    }
  }
}

function stopped(
  how: string,
  wait: { readonly what: string },
  seen: string,
  trouble: string,
): CanceledError {
  const last = seen === "" ? "" : `: ${seen}`;
  const before = trouble === "" || seen.includes(trouble) ? "" : `; it said before: ${trouble}`;
  return new CanceledError(`${how} while waiting for ${wait.what}${last}${before}`);
}
