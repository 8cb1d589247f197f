/** Upgrades of services and load balancers: begun, finished when all is well, rolled back when it is not. */
import type { Service } from "../client/types";
import { type Seen, waitFor } from "../client/wait";
import type { Props } from "../plugin/types";
import { condition, waitingOn } from "./containers";
import { assertPresent, instancesOf, pathOf, settled, type Work } from "./serviceWork";
import { orRolledBack, Progress, sightOf } from "./upgrades";

/** How an upgrade replaces containers. */
export interface UpgradeStrategy {
  readonly batchSize?: number;
  readonly intervalMillis?: number;
  readonly startFirst?: boolean;
}

/** What an upgrade replaces: the service's own containers, some of its sidekicks, or both. */
export interface UpgradePlan {
  readonly launchConfig?: Props;
  readonly secondaryLaunchConfigs?: readonly Props[];
}

/** Upgrades a service, and finishes; throws {@link RolledBack} when that failed. */
export async function upgrade(
  work: Work,
  plan: UpgradePlan,
  strategy: UpgradeStrategy,
): Promise<void> {
  const { client, call } = work;
  const { batchSize = 1, intervalMillis = 2_000, startFirst = false } = strategy;
  await client.act<Service>(
    pathOf(work),
    "upgrade",
    { inServiceStrategy: { ...plan, batchSize, intervalMillis, startFirst } },
    (now) => ["upgrading", "upgraded"].includes(now.state ?? ""),
    { signal: call.signal },
  );
  await completeUpgrade(work);
}

/** Waits for the new containers, finishes when they are well, rolls back when they do not become so. */
export async function completeUpgrade(work: Work): Promise<void> {
  const { client, call } = work;
  await orRolledBack(
    work,
    (until) => upgraded({ ...work, until }),
    () => rollBack(work),
  );
  await client.act<Service>(
    pathOf(work),
    "finishupgrade",
    undefined,
    (s) => s.state !== "upgraded",
    { signal: call.signal },
  );
  await settled(work);
}

async function upgraded(work: Work): Promise<void> {
  const { client, call, what, until } = work;
  const progress = new Progress(work.stalledPatience);
  await waitFor(client, call, {
    what: `the upgrade of ${what}`,
    until,
    advice: "look at the logs of its new containers",
    look: async (options): Promise<Seen<void>> => {
      const service = await client.get<Service>(pathOf(work), options);
      assertPresent(work, service);
      if (service.state !== "upgrading" && service.state !== "upgraded") {
        throw new Error(`somebody else ended it: it is ${condition(service)}`);
      }
      const sight = sightOf(service, await instancesOf(work, options));
      if (service.state === "upgraded" && sight.missing === undefined) return { done: undefined };
      return progress.judge([sight], waitingOn(service));
    },
  });
}

/** Back to the containers from before the upgrade, from wherever the upgrade is. */
export async function rollBack(work: Work): Promise<void> {
  const { client, call, what, until } = work;
  const path = pathOf(work);
  const steps: Readonly<Record<string, string>> = {
    upgrading: "cancelupgrade",
    "canceled-upgrade": "rollback",
    upgraded: "rollback",
  };
  await waitFor(client, call, {
    what: `${what} to roll back`,
    until,
    advice: "roll it back in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const service = await client.get<Service>(path, options);
      assertPresent(work, service);
      const state = service.state ?? "";
      if (state === "active" || state === "inactive") return { done: undefined };
      const action = steps[state];
      if (action !== undefined) {
        await client.act<Service>(path, action, undefined, (now) => now.state !== state, options);
      }
      return waitingOn(service);
    },
  });
}
