/** Progress as plain lines, and stopping in an orderly way when the user interrupts. */

/** How often a slow step says that it is still at it, in milliseconds. */
const HEARTBEAT_MILLIS = 15_000;
/** A step that ends within this many milliseconds prints one line instead of two. */
const QUIET_MILLIS = 500;

/** Thrown by whatever is under way when the user interrupts. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted; the next run goes on from here");
  }
}

const began = Date.now();
const interruption = new AbortController();
let signalled = false;

/** True when the signal came from a terminal, which then sends it to all commands under way as well. */
export function childrenWereTold(): boolean {
  return !signalled && process.stdin.isTTY === true;
}

/** Aborts when the user interrupts (Ctrl-C, SIGTERM, SIGHUP). */
export const interrupted: AbortSignal = interruption.signal;

/** Turns the usual signals into {@link interrupted}, so that every step gets to clean up. */
export function stopOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (signal !== "SIGINT") signalled = true;
      interruption.abort(new Interrupted());
    });
  }
}

/** Seconds since `since` (milliseconds of `Date.now()`), for people: `4 s`, `3 min 20 s`. */
export function elapsed(since: number): string {
  const seconds = Math.round((Date.now() - since) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Prints one line, stamped with the time since this command began. */
export function say(line: string): void {
  const seconds = Math.round((Date.now() - began) / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  console.log(`[${clock}] ${line}`);
}

/** Lets a step tell what it is doing right now; shown by its next heartbeat. */
export type Detail = (detail: string) => void;

/**
 * Runs one named step and shows its start, its end with the time it took, and in between, every 15
 * seconds, what it is doing.
 */
export async function step<T>(name: string, run: (detail: Detail) => Promise<T>): Promise<T> {
  if (interrupted.aborted) throw new Interrupted();
  const start = Date.now();
  let doing = "";
  const announce = setTimeout(() => say(`${name} ...`), QUIET_MILLIS);
  const heartbeat = setInterval(() => {
    say(`${name}: still at it after ${elapsed(start)}${doing === "" ? "" : ` (${doing})`}`);
  }, HEARTBEAT_MILLIS);
  try {
    const result = await run((detail) => (doing = detail));
    clearTimeout(announce);
    say(`${name}: done${Date.now() - start < QUIET_MILLIS ? "" : ` in ${elapsed(start)}`}`);
    return result;
  } catch (error) {
    say(`${name}: ${error instanceof Interrupted ? "stopped" : "failed"} after ${elapsed(start)}`);
    throw error;
  } finally {
    clearTimeout(announce);
    clearInterval(heartbeat);
  }
}

/** Waits for all, and only then throws the first error: nothing goes on behind a failed command's back. */
export async function all<T extends readonly Promise<unknown>[] | []>(promises: T) {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** Waits for a condition, checking every `everyMillis`; throws `what` after `seconds`. */
export async function until(
  what: string,
  seconds: number,
  check: () => boolean | Promise<boolean>,
  everyMillis = 100,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await check())) {
    if (interrupted.aborted) throw new Interrupted();
    if (Date.now() > deadline) throw new Error(`${what} after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, everyMillis));
  }
}
