/** What upgrades of services and of stacks have in common: when one is given up, and how that is told. */
import type { Instance, Service } from "../client/types";
import type { Waiter, Waiting } from "../client/wait";
import { condition, configsOf, freshOf, illOf, notReady } from "./containers";

/**
 * How long an upgrade may make no progress before it is rolled back, beside the time that its containers
 * are given to start and to stop. To the server a container that starts and exits over and over is no
 * error. Milliseconds.
 */
const STALLED_PATIENCE_MS = 120_000;
/** Longest time between two looks that counts: an upgrade may well get on while the server is away. Milliseconds. */
const LONGEST_GAP_MS = 10_000;
/** The part of an upgrade's time that is kept for rolling it back. */
const ROLLBACK_SHARE = 0.3;

/** An upgrade that failed; the containers are those from before it. */
export class RolledBack extends Error {
  override readonly name = "RolledBack";
}

/** What is upgraded. */
export interface Upgrading {
  readonly call: Waiter;
  /** For messages, for instance `service web (1s5)`. */
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/**
 * Waits for the end of an upgrade; when it does not come, rolls it back and throws {@link RolledBack}.
 *
 * @param wait is given the time by which it has to be over, in milliseconds since 1970.
 */
export async function orRolledBack<T>(
  { call, what, until }: Upgrading,
  wait: (until: number) => Promise<T>,
  rollBack: () => Promise<void>,
): Promise<T> {
  try {
    return await wait(beforeRollback(until));
  } catch (error) {
    if (call.signal.aborted) throw error;
    const reason = (error as Error).message;
    call.status(`rolling ${what} back: ${reason}`);
    const failed = `the upgrade of ${what} failed, and it`;
    try {
      await rollBack();
    } catch (problem) {
      const why = (problem as Error).message;
      throw new Error(`${failed} could not be rolled back (${why}): ${reason}`);
    }
    throw new RolledBack(`${failed} was rolled back: ${reason}`);
  }
}

/** When an upgrade has to be over, so that there is time for rolling it back. Milliseconds since 1970. */
export function beforeRollback(until: number): number {
  return Date.now() + (until - Date.now()) * (1 - ROLLBACK_SHARE);
}

/** One service in the middle of an upgrade. */
export interface Sight {
  /** Names of the steps that are done: a new container is well, an old one is stopped. */
  readonly steps: readonly string[];
  /** What the new ones that are not well do, or which are missing; undefined when all are well. */
  readonly missing: string | undefined;
  /** How long nothing may happen because a container starts or stops, or a pause is made. Milliseconds. */
  readonly slowness: number;
}

/** Looks at a service's containers. */
export function sightOf(service: Service, instances: readonly Instance[]): Sight {
  const fresh = freshOf(service, instances);
  const ill = illOf(service, fresh);
  const well = fresh.filter((instance) => !ill.includes(instance));
  const stopped = instances.filter((i) => !fresh.includes(i) && i.state === "stopped");
  const doing = ill.map((instance) => `${nameOf(instance)} is ${condition(instance)}`);
  return {
    steps: [
      // One that is made anew over and over keeps its name.
      ...well.map((instance) => `${nameOf(instance)} ${instance.version ?? ""} is well`),
      ...stopped.map(({ id }) => `${id} is stopped`),
    ],
    missing: doing.length > 0 ? doing.join(", ") : notReady(service, fresh),
    slowness: slownessOf(service),
  };
}

function nameOf({ name, id }: Instance): string {
  return name ?? id;
}

function slownessOf(service: Service): number {
  const strategy = service.upgrade?.inServiceStrategy;
  const checks = configsOf(service).map(([, config]) => config?.["healthCheck"]);
  const starting = checks.map((check) => millisOf(check, "initializingTimeout"));
  const stopping = millisOf(strategy?.previousLaunchConfig, "drainTimeoutMs");
  return Math.max(0, ...starting) + stopping + millisOf(strategy, "intervalMillis");
}

function millisOf(container: unknown, field: string): number {
  const value = (container as Record<string, unknown> | null | undefined)?.[field];
  return typeof value === "number" ? value : 0;
}

/** Watches whether an upgrade gets on. A step that is undone and done again does not count twice. */
export class Progress {
  private readonly done = new Set<string>();
  private idle = 0;
  private last = Date.now();

  /** @param patience without a step forward. Milliseconds. */
  constructor(private readonly patience = STALLED_PATIENCE_MS) {}

  /** Adds to what a look found what the containers do, and gives up when nothing gets on any more. */
  judge(sights: readonly Sight[], seen: Waiting): Waiting {
    const before = this.done.size;
    for (const step of sights.flatMap(({ steps }) => steps)) this.done.add(step);
    const now = Date.now();
    const gap = Math.min(now - this.last, LONGEST_GAP_MS);
    this.last = now;
    this.idle = this.done.size > before ? 0 : this.idle + gap;
    const doing = sights.flatMap(({ missing }) => missing ?? []).join(", ");
    if (this.idle <= this.patience + Math.max(0, ...sights.map(({ slowness }) => slowness))) {
      return { ...seen, waiting: doing === "" ? seen.waiting : `${seen.waiting}: ${doing}` };
    }
    const still = doing === "" ? seen.waiting : doing;
    const waiting = `no new container became well for ${Math.round(this.idle / 1_000)} s: ${still}`;
    return { ...seen, waiting, giveUp: true };
  }
}
