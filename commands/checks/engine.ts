/** What checks are, and how they run: all at once, each with a deadline, none able to stop the others. */

/** What a check found out. */
export type Status = "pass" | "fail" | "unknown";

/** What a check found out, and what follows from it. */
export interface Found {
  readonly status: Status;
  /** What is so. */
  readonly reason: string;
  /** What to do; empty when it passed. */
  readonly fix: string;
}

/** One thing that is so or not. */
export interface Check {
  /** Stable, such as `aws.ami.launchable`: scripts and the runbook know it by this. */
  readonly id: string;
  /** What is so when it passes. */
  readonly title: string;
  /** Longest time that it may take, in seconds. @default 30 */
  readonly limitSeconds?: number;
  /** Finds out. What it throws makes the outcome unknown. `signal` aborts at the deadline. */
  readonly run: (signal: AbortSignal) => Promise<Found>;
}

/** Checks that are shown together. */
export interface Group {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** A check's outcome, as `--json` has it. */
export interface Result extends Found {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  /** Where to read more, relative to the project's folder. */
  readonly runbook: string;
}

/** It is so. */
export function pass(reason: string): Found {
  return { status: "pass", reason, fix: "" };
}

/** It is not so. */
export function fail(reason: string, fix: string): Found {
  return { status: "fail", reason, fix };
}

/** It could not be found out. */
export function unknown(reason: string, fix: string): Found {
  return { status: "unknown", reason, fix };
}

/** Thrown where something cannot be found out, by what a check asks. */
export class Unknown extends Error {
  constructor(
    message: string,
    /** What would have to be done to know. */
    readonly fix: string,
  ) {
    super(message);
  }
}

/** What cannot be known before another check passes. */
export function waitsFor(id: string): Unknown {
  return new Unknown(`it cannot be asked before ${id} passes`, `put ${id} right first`);
}

/** The section of the runbook about a check. */
export function runbookOf(id: string): string {
  return `docs/runbook.md#${id.replaceAll(".", "-")}`;
}

/** Longest time for a check that sets none, in seconds. */
const limitSeconds = 30;

async function within(check: Check): Promise<Found> {
  const limit = check.limitSeconds ?? limitSeconds;
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Found>((resolve) => {
    timer = setTimeout(() => {
      resolve(
        unknown(`there was no answer within ${limit} s`, "run it again; if it stays, see below"),
      );
      deadline.abort();
    }, limit * 1000);
  });
  try {
    return await Promise.race([check.run(deadline.signal), late]);
  } catch (error) {
    if (error instanceof Unknown) return unknown(error.message, error.fix);
    const text = error instanceof Error ? error.message : String(error);
    return unknown(text.trim(), "see below");
  } finally {
    clearTimeout(timer);
  }
}

/** Starts all checks of all groups; each group's results in the order of its checks. */
export function start(groups: readonly Group[]): readonly Promise<readonly Result[]>[] {
  return groups.map((group) =>
    Promise.all(
      group.checks.map(async (check) => {
        const found = await within(check);
        const { id, title } = check;
        return { id, group: group.title, title, ...found, runbook: runbookOf(id) };
      }),
    ),
  );
}

/** Asks once, when first asked, and gives everyone the same answer. */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask();
    // Whoever asked is told; that nobody else was there to hear it is no crash.
    answer.catch(() => undefined);
    return answer;
  };
}
