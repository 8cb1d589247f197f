/** Upgrades of stacks made from compose texts: begun, finished when all is well, rolled back when it is not. */
import type { RequestOptions } from "../client/client";
import type { Service, Stack } from "../client/types";
import { type Seen, waitFor } from "../client/wait";
import type { Props } from "../plugin/types";
import { condition, waitingOn } from "./containers";
import {
  actOn,
  containersOf,
  getStack,
  mustRun,
  nameOf,
  pathOf,
  removeServices,
  servicesOf,
  StackError,
  type StackScope,
  type StackWork,
} from "./stackLife";
import { beforeRollback, orRolledBack, Progress, type Sight, sightOf } from "./upgrades";

/** How long the server may say that an upgrade failed before it is rolled back. Milliseconds. */
const FAILED_PATIENCE_MS = 15_000;

/** What an upgrade sends. Source: schema `stackUpgrade`. */
export interface StackUpgrade {
  readonly dockerCompose: string;
  readonly rancherCompose: string;
  readonly environment: Props;
  /** The server keeps it once the upgrade is done; without one it would forget whose stack it is. */
  readonly externalId: string;
}

/** Upgrades a stack, finishes when its services are well, rolls back when they do not become so. */
export async function upgradeStack(
  work: StackWork,
  body: StackUpgrade,
  scope: StackScope,
): Promise<void> {
  const { client, call } = work;
  const before = await servicesOf(work, { signal: call.signal });
  const begun = (stack: Stack): boolean => ["upgrading", "upgraded"].includes(stack.state ?? "");
  await client.act<Stack>(pathOf(work), "upgrade", body, begun, { signal: call.signal });
  await completeUpgrade(work, scope, async () => {
    const now = await servicesOf(work, { signal: call.signal });
    const made = now.filter((service) => before.every(({ id }) => id !== service.id));
    await removeServices(
      work,
      made.filter((service) => scope.added.includes(nameOf(service))),
    );
  });
}

/**
 * Ends an upgrade that a broken-off run left: finishes it when it leads to what is wanted (as its mark,
 * which the server shows once it is done, says), and rolls it back when it leads elsewhere.
 */
export async function resumeUpgrade(
  work: StackWork,
  found: Stack,
  mark: string,
  scope: StackScope,
): Promise<void> {
  if (found.state === "canceled-upgrade") {
    await rollBack(work);
    return;
  }
  const undo = (): Promise<void> => Promise.resolve();
  const stack =
    found.state === "upgrading" ? await endOfUpgrade(work, scope).catch(() => undefined) : found;
  work.call.signal.throwIfAborted();
  if (stack?.externalId === mark) await completeUpgrade(work, scope, undo);
  else await rollBack(work);
}

async function endOfUpgrade(work: StackWork, scope: StackScope): Promise<Stack> {
  await upgraded({ ...work, until: beforeRollback(work.until) }, scope);
  return getStack(work, { signal: work.call.signal });
}

async function completeUpgrade(
  work: StackWork,
  scope: StackScope,
  undo: () => Promise<void>,
): Promise<void> {
  await orRolledBack(
    work,
    (until) => upgraded({ ...work, until }, scope),
    async () => {
      await rollBack(work);
      await undo();
    },
  );
  await finish(work);
}

/** Waits for the stack, and for its services, which may take longer, to be upgraded and well. */
async function upgraded(work: StackWork, scope: StackScope): Promise<void> {
  const progress = new Progress(work.stalledPatience);
  let failing: number | undefined;
  await waitFor(work.client, work.call, {
    what: `the upgrade of ${work.what}`,
    until: work.until,
    advice: "look at the logs of its new containers",
    look: async (options): Promise<Seen<void>> => {
      const stack = await getStack(work, options);
      if (stack.state === "error") throw new StackError(work, stack);
      if (stack.state !== "upgrading" && stack.state !== "upgraded") {
        throw new Error(`the server ended it: the stack is ${condition(stack)}`);
      }
      const services = mustRun(await servicesOf(work, options), scope);
      const sights: Sight[] = [];
      for (const service of services) sights.push(await sightIn(work, service, options));
      const missing = sights.some((sight) => sight.missing !== undefined);
      if (stack.state === "upgraded" && !missing) return { done: undefined };
      failing = stack.transitioning === "error" ? (failing ?? Date.now()) : undefined;
      const failed = failing !== undefined && Date.now() - failing > FAILED_PATIENCE_MS;
      const troubles = [stack, ...services].map((thing) => waitingOn(thing).trouble);
      const trouble = troubles.find((one) => one !== undefined);
      const seen = progress.judge(sights, { waiting: condition(stack), trouble });
      return failed ? { ...seen, giveUp: true } : seen;
    },
  });
}

/** One service of a stack; it is not well either before it is in a state in which an upgrade can end. */
async function sightIn(work: StackWork, service: Service, options: RequestOptions): Promise<Sight> {
  const ended = service.state === "active" || service.state === "upgraded";
  const containers = await containersOf(work, service, options);
  const sight =
    containers === undefined
      ? { steps: [], missing: undefined, slowness: 0 }
      : sightOf(service, containers);
  if (ended && service.transitioning === "no" && sight.missing === undefined) return sight;
  const missing = [`service ${nameOf(service)} is ${condition(service)}`, sight.missing ?? []];
  return { ...sight, missing: missing.flat().join(": ") };
}

/** Ends an upgrade for good, and sees that no service stays behind. */
async function finish(work: StackWork): Promise<void> {
  const { client, call } = work;
  const done = (stack: Stack): boolean => stack.state !== "upgraded";
  await client.act<Stack>(pathOf(work), "finishupgrade", undefined, done, { signal: call.signal });
  await waitFor(client, call, {
    what: `the upgrade of ${work.what} to finish`,
    until: work.until,
    advice: "finish it in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const stack = await getStack(work, options);
      if (stack.state !== "active") return waitingOn(stack);
      for (const service of await servicesOf(work, options)) {
        if (service.state === "upgraded") await actOn(work, service, "finishupgrade", options);
        if (service.state === "upgraded" || service.state === "finishing-upgrade") {
          return { waiting: `service ${nameOf(service)} is ${condition(service)}` };
        }
      }
      return { done: undefined };
    },
  });
}

/** Back to the containers from before the upgrade, from wherever the stack and its services are. */
async function rollBack(work: StackWork): Promise<void> {
  const { client, call } = work;
  await waitFor(client, call, {
    what: `${work.what} to roll back`,
    until: work.until,
    advice: "roll it back in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const stack = await getStack(work, options);
      const state = stack.state ?? "";
      if (state === "upgrading") {
        const canceled = (now: Stack): boolean => now.state !== state;
        await client.act<Stack>(pathOf(work), "cancelupgrade", undefined, canceled, options);
        return waitingOn(stack);
      }
      const resting = ["canceled-upgrade", "upgraded", "active", "error"];
      if (!resting.includes(state)) return waitingOn(stack);
      // The server's own rollback of a stack gives up when a service takes more than three seconds.
      const behind = await rollServicesBack(work, options);
      if (behind !== undefined) return { waiting: behind };
      if (state === "error") throw new StackError(work, stack);
      if (state === "active") return { done: undefined };
      await client.act<Stack>(
        pathOf(work),
        "rollback",
        undefined,
        (s) => s.state !== state,
        options,
      );
      return waitingOn(stack);
    },
  });
}

/** Takes every service one step back; what one of them still does, or undefined when all are at rest. */
async function rollServicesBack(
  work: StackWork,
  options: RequestOptions,
): Promise<string | undefined> {
  const steps: Readonly<Record<string, string>> = {
    upgrading: "cancelupgrade",
    "canceled-upgrade": "rollback",
    upgraded: "rollback",
  };
  const passing = ["canceling-upgrade", "rolling-back", "finishing-upgrade"];
  const moving: string[] = [];
  for (const service of await servicesOf(work, options)) {
    const action = steps[service.state ?? ""];
    if (action !== undefined) await actOn(work, service, action, options);
    if (action !== undefined || passing.includes(service.state ?? "")) {
      moving.push(`service ${nameOf(service)} is ${condition(service)}`);
    }
  }
  return moving.length === 0 ? undefined : moving.join(", ");
}
