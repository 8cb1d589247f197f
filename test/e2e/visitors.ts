/** Visitors: constant requests while something happens, and what became of them. */

/** What became of the requests to one URL. */
export interface Visits {
  readonly url: string;
  readonly sent: number;
  /** Why requests failed: a status of 400 or more, or the connection's error; with the second it began in. */
  readonly failures: readonly string[];
  /** Longest time between two successes, in milliseconds. */
  readonly longestGapMillis: number;
}

/** Pause between two requests to one URL, so that the load is bounded. */
const PAUSE_MILLIS = 100;
const REQUEST_LIMIT_MILLIS = 10_000;

/** Sends requests to each URL, one at a time, until the work is done. Every request is a connection of its own. */
export async function visiting(
  urls: readonly string[],
  work: () => Promise<void>,
): Promise<Visits[]> {
  let done = false;
  const visitors = urls.map((url) => visit(url, () => done));
  try {
    await work();
  } finally {
    done = true;
  }
  return Promise.all(visitors);
}

async function visit(url: string, isDone: () => boolean): Promise<Visits> {
  const started = Date.now();
  const failures: string[] = [];
  let [sent, lastSuccess, longestGapMillis] = [0, started, 0];
  while (!isDone()) {
    const second = Math.round((Date.now() - started) / 1_000);
    sent++;
    try {
      const answer = await fetch(url, {
        headers: { connection: "close" },
        redirect: "manual",
        signal: AbortSignal.timeout(REQUEST_LIMIT_MILLIS),
      });
      await answer.arrayBuffer();
      if (answer.status >= 400) throw new Error(`status ${answer.status}`);
      longestGapMillis = Math.max(longestGapMillis, Date.now() - lastSuccess);
      lastSuccess = Date.now();
    } catch (error) {
      const { message, cause } = error as { message: string; cause?: { message?: string } };
      failures.push(`after ${second} s: ${cause?.message ?? message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
  }
  longestGapMillis = Math.max(longestGapMillis, Date.now() - lastSuccess);
  return { url, sent, failures, longestGapMillis };
}
