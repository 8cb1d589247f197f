/** What services and load balancers go through: creation, readiness, change, upgrade, rollback, removal. */
import type { Client } from "../client/client";
import { isLeaving, type Project, type Service, type Stack } from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import type { Call, Props } from "../plugin/types";
import { condition, isWell, notReady, waitingOn } from "./containers";
import { matches } from "./declared";
import { withInjected } from "./injected";
import { normalised } from "./launchConfig";
import { removed } from "./life";
import { setLinks } from "./links";
import { ownerMark } from "./ownership";
import {
  completeUpgrade,
  rollBack,
  upgrade,
  type UpgradePlan,
  type UpgradeStrategy,
} from "./serviceUpgrade";
import { assertPresent, getService, instancesOf, pathOf, settled, type Work } from "./serviceWork";
import { differs, sidekickChanges } from "./sidekicks";
import { RolledBack } from "./upgrades";

/** How long the environment's own services may be degraded before work goes on without them. Milliseconds. */
const DEGRADED_PATIENCE_MS = 60_000;

/** Waits until the environment can run containers: its own stacks (network, scheduler, …) are healthy. */
export async function infrastructureReady(
  client: Client,
  call: Waiter,
  environmentId: string,
  until: number,
): Promise<void> {
  const base = `/v2-beta/projects/${environmentId}`;
  let degradedSince: number | undefined;
  await waitFor(client, call, {
    what: "the environment's infrastructure stacks to be healthy",
    until,
    advice:
      "look at the infrastructure stacks: hosts must be active and reach each other on UDP 500 and 4500",
    look: async (options): Promise<Seen<void>> => {
      const stacks = (await client.list<Stack>(`${base}/stacks`, options)).filter(
        (stack) => stack.system === true && !isLeaving(stack),
      );
      if (stacks.length === 0) {
        // An environment made from a template gets its stacks a little later; another one has none.
        const project = await client.get<Project>(base, options);
        if (!project.projectTemplateId) return { done: undefined };
        return { waiting: "the environment has none yet" };
      }
      const ill = stacks.filter((stack) => stack.state !== "active" || !isWell(stack.healthState));
      if (ill.length === 0) return { done: undefined };
      const onlyDegraded = ill.every((s) => s.state === "active" && s.healthState === "degraded");
      degradedSince = onlyDegraded ? (degradedSince ?? Date.now()) : undefined;
      if (degradedSince !== undefined && Date.now() - degradedSince > DEGRADED_PATIENCE_MS) {
        // One lost host keeps them degraded for as long as it is not removed.
        return { done: undefined };
      }
      return {
        waiting: ill.map((stack) => `${stack.name ?? stack.id} is ${condition(stack)}`).join(", "),
      };
    },
  });
}

/**
 * The service that an earlier, broken-off run made, or undefined. A service of the same name that
 * this program did not make is an error: taking it over would destroy it one day.
 *
 * @param path of the collection.
 */
export async function findOwn(
  client: Client,
  call: Call,
  path: string,
  inputs: Props,
): Promise<Service | undefined> {
  const { stackId, name } = inputs as { stackId: string; name: string };
  const query = { stackId, name };
  const found = await client.list<Service>(path, { signal: call.signal, query });
  // The server's filter ignores case, and ignores filters it does not know.
  const same = found.find(
    (service) =>
      service.name?.toLowerCase() === name.toLowerCase() &&
      service.stackId === stackId &&
      !isLeaving(service),
  );
  if (same === undefined) return undefined;
  if (same.externalId === ownerMark(call)) return same;
  throw new Error(
    `the stack has a service named ${JSON.stringify(name)} (${same.id}) that this program did not make: choose another name, remove it, or import it with this id`,
  );
}

/** What a change may have to do. */
export interface Change {
  /** Fields that a PUT changes, as declared now; null for one that is declared no more. */
  readonly fields: Props;
  /** Names of the fields that are declared differently than last time. */
  readonly changed: readonly string[];
  readonly launchConfig: Props;
  /** What was declared last time; empty when nothing is known. */
  readonly oldLaunchConfig: Props;
  /** Launch configs of sidekicks, as declared now and last time. */
  readonly sidekicks: unknown;
  readonly oldSidekicks: unknown;
  /** Links as declared now; undefined leaves them alone. */
  readonly links: readonly Props[] | undefined;
  readonly strategy: UpgradeStrategy;
  /** False for a service that was made to stay stopped. */
  readonly started: boolean;
}

/** Brings a service to what is declared and waits until it runs. */
export async function converge(work: Work, change: Change): Promise<void> {
  const { client, call } = work;
  let service = await settled(work);
  if (service.state === "upgrading" || service.state === "upgraded") {
    // A broken-off run left it there.
    if (isDeclared(change, service)) await completeUpgrade(work);
    else await rollBack(work);
    service = await getService(work);
  } else if (service.state === "canceled-upgrade") {
    await rollBack(work);
    service = await getService(work);
  }
  const options = { signal: call.signal };
  const selected = Boolean(change.fields["selectorLink"]);
  // New containers may need a new link, so links come before an upgrade.
  const unlink = await setLinks(client, pathOf(work), service, change.links, selected, options);
  const plan = planOf(work, change, service);
  if (plan !== undefined) {
    try {
      await upgrade(work, plan, change.strategy);
    } catch (error) {
      // The upgrade's own error says more than one of this.
      if (error instanceof RolledBack) await unlink().catch(() => undefined);
      throw error;
    }
    service = await getService(work);
  }
  const fields = Object.entries(change.fields).filter(
    ([key, value]) =>
      change.changed.includes(key) || !matches(value, service[key as keyof Service]),
  );
  if (fields.length > 0) {
    await client.put(pathOf(work), Object.fromEntries(fields), { signal: call.signal });
  }
  if (change.started && service.state === "inactive") {
    await client.act<Service>(pathOf(work), "activate", undefined, (s) => s.state !== "inactive", {
      signal: call.signal,
    });
  }
  await ready(work, change.started);
}

/** Waits until a service is active, all its containers run, and those with a health check are healthy. */
export async function ready(work: Work, started = true): Promise<void> {
  const { client, call, until, what } = work;
  await waitFor(client, call, {
    what: `${what} to run`,
    until,
    advice:
      "look at the service's containers and their logs in Rancher; a larger customTimeouts gives slow images more time",
    look: async (options): Promise<Seen<void>> => {
      const service = await client.get<Service>(pathOf(work), options);
      assertPresent(work, service);
      const resting = service.state === "inactive" && !started;
      if (service.transitioning !== "no" || (service.state !== "active" && !resting)) {
        return waitingOn(service);
      }
      if (resting) return { done: undefined };
      const instances = await instancesOf(work, options);
      const missing = notReady(service, instances);
      return missing === undefined ? { done: undefined } : { waiting: missing };
    },
  });
}

/** Removes a service and waits until it is gone. */
export async function removeService(work: Work): Promise<void> {
  const { client, call, until, what } = work;
  const advice =
    "look at the service in Rancher; containers on a lost host go when that host is removed";
  await removed(client, call, { path: pathOf(work), what, until, advice });
}

/** The upgrade that is needed, or undefined when all containers are started as declared. */
function planOf(work: Work, change: Change, service: Service): UpgradePlan | undefined {
  const current = normalised(service.launchConfig);
  const own = differs(change.launchConfig, change.oldLaunchConfig, current);
  const there = service.secondaryLaunchConfigs;
  const sidekicks = sidekickChanges(change.sidekicks, change.oldSidekicks, there);
  if (!own && sidekicks.length === 0) return undefined;
  const full =
    work.kind === "services"
      ? change.launchConfig
      : withInjected(change.launchConfig, change.oldLaunchConfig, service.launchConfig ?? {});
  return {
    ...(own ? { launchConfig: full } : {}),
    // What is not named keeps its containers.
    ...(sidekicks.length > 0 ? { secondaryLaunchConfigs: sidekicks } : {}),
  };
}

/** True when the launch configs on the server, perhaps of an upgrade under way, are the declared ones. */
function isDeclared(change: Change, service: Service): boolean {
  const there = service.secondaryLaunchConfigs;
  return (
    matches(change.launchConfig, normalised(service.launchConfig)) &&
    sidekickChanges(change.sidekicks, change.sidekicks, there).length === 0
  );
}
