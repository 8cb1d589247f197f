/** What services and load balancers go through: creation, readiness, change, upgrade, rollback, removal. */
import type { Client } from "../client/client";
import { hasCode, isPassing } from "../client/errors";
import {
  type Instance,
  isLeaving,
  isRemoved,
  type Project,
  type Service,
  type Stack,
} from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import { changedPaths, valueAt } from "../plugin/diff";
import type { Call, Props } from "../plugin/types";
import { matches, plain } from "./declared";
import { isGlobal, normalised, startsOnce } from "./launchConfig";
import { ownerMark } from "./ownership";

/** How long the environment's own services may be degraded before work goes on without them. Milliseconds. */
const DEGRADED_PATIENCE_MS = 60_000;
/** How long an upgrade may fail over and over before it is rolled back. Milliseconds. */
const FAILING_PATIENCE_MS = 90_000;
/** The part of an upgrade's time that is kept for rolling it back. */
const ROLLBACK_SHARE = 0.3;

/** Which of the two kinds; it is also the last part of their collection's path. */
export type Kind = "services" | "loadbalancerservices";

/** One service on the server, and the operation that is about it. */
export interface Work {
  readonly client: Client;
  readonly call: Waiter;
  readonly kind: Kind;
  readonly environmentId: string;
  readonly id: string;
  /** For messages, for instance `service web (1s5)`. */
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** How an upgrade replaces containers. */
export interface UpgradeStrategy {
  readonly batchSize?: number;
  readonly intervalMillis?: number;
  readonly startFirst?: boolean;
}

/** An upgrade that failed; the containers are those from before it. */
export class RolledBack extends Error {
  override readonly name = "RolledBack";
}

/** Path of the collection, or of one service. */
export function servicePath(kind: Kind, environmentId: string, id = ""): string {
  // The URL decides what a POST makes, not the body's type.
  return `/v2-beta/projects/${environmentId}/${kind}${id === "" ? "" : `/${id}`}`;
}

function pathOf(work: Work): string {
  return servicePath(work.kind, work.environmentId, work.id);
}

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
 */
export async function findOwn(
  client: Client,
  call: Call,
  kind: Kind,
  environmentId: string,
  wanted: { readonly stackId: string; readonly name: string },
): Promise<Service | undefined> {
  const found = await client.list<Service>(servicePath(kind, environmentId), {
    signal: call.signal,
    query: { stackId: wanted.stackId, name: wanted.name },
  });
  // The server's filter ignores case, and ignores filters it does not know.
  const same = found.find(
    (service) =>
      service.name?.toLowerCase() === wanted.name.toLowerCase() &&
      service.stackId === wanted.stackId &&
      !isLeaving(service),
  );
  if (same === undefined) return undefined;
  if (same.externalId === ownerMark(call)) return same;
  throw new Error(
    `the stack has a service named ${JSON.stringify(wanted.name)} (${same.id}) that this program did not make: choose another name, remove it, or import it with this id`,
  );
}

/** Finds or makes a service. Never makes two, however often it is broken off. */
export async function findOrMake(
  client: Client,
  call: Call,
  kind: Kind,
  environmentId: string,
  body: Props & { readonly stackId: string; readonly name: string },
): Promise<{ service: Service; adopted: boolean }> {
  const own = (): Promise<Service | undefined> => findOwn(client, call, kind, environmentId, body);
  const existing = await own();
  if (existing !== undefined) return { service: existing, adopted: true };
  try {
    const path = servicePath(kind, environmentId);
    const marked = { ...body, externalId: ownerMark(call) };
    return { service: await client.post<Service>(path, marked, call), adopted: false };
  } catch (error) {
    // The answer was lost, or a lost earlier try was answered meanwhile: look again.
    if (!isPassing(error) && !hasCode(error, "NotUnique")) throw error;
    const made = await own();
    if (made === undefined) throw error;
    return { service: made, adopted: true };
  }
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
    if (matches(change.launchConfig, normalised(service.launchConfig))) await completeUpgrade(work);
    else await rollBack(work);
    service = await get(work);
  } else if (service.state === "canceled-upgrade") {
    await rollBack(work);
    service = await get(work);
  }
  if (needsUpgrade(change, service)) {
    await upgrade(work, service, change);
    service = await get(work);
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
        return { waiting: condition(service) };
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
  await client.delete(pathOf(work), { signal: call.signal });
  await waitFor(client, call, {
    what: `${what} to be removed`,
    until,
    advice:
      "look at the service in Rancher; containers on a lost host go when that host is removed",
    look: async (options): Promise<Seen<void>> => {
      const service = await client.find<Service>(pathOf(work), options);
      if (service === undefined || isRemoved(service)) return { done: undefined };
      // A delete during another transition may be forgotten by the server.
      if (service.state !== "removing") await client.delete(pathOf(work), options);
      return { waiting: condition(service) };
    },
  });
}

async function get(work: Work): Promise<Service> {
  const service = await work.client.get<Service>(pathOf(work), { signal: work.call.signal });
  assertPresent(work, service);
  return service;
}

function assertPresent(work: Work, service: Service): void {
  if (isLeaving(service)) throw new Error(`${work.what} was removed meanwhile`);
}

async function instancesOf(
  work: Work,
  options: { readonly signal?: AbortSignal },
): Promise<Instance[]> {
  const found = await work.client.list<Instance>(`${pathOf(work)}/instances`, options);
  return found.filter((instance) => !isLeaving(instance));
}

/** The service once it is in none of the states that pass by themselves and forbid other changes. */
async function settled(work: Work): Promise<Service> {
  const passing = [
    "finishing-upgrade",
    "rolling-back",
    "canceling-upgrade",
    "restarting",
    "registering",
  ];
  return waitFor(work.client, work.call, {
    what: `${work.what} to settle`,
    until: work.until,
    advice: "look at the service in Rancher",
    look: async (options): Promise<Seen<Service>> => {
      const service = await work.client.get<Service>(pathOf(work), options);
      assertPresent(work, service);
      if (passing.includes(service.state ?? "")) return { waiting: condition(service) };
      return { done: service };
    },
  });
}

/** True when containers would be started differently: a declared field differs or is declared no more. */
function needsUpgrade({ launchConfig, oldLaunchConfig }: Change, service: Service): boolean {
  const current = normalised(service.launchConfig);
  if (!matches(launchConfig, current)) return true;
  return changedPaths(oldLaunchConfig, launchConfig).some((path) => {
    const before = valueAt(oldLaunchConfig, path);
    const after = valueAt(launchConfig, path);
    const actual = valueAt(current, path);
    return before !== undefined && after === undefined && actual !== undefined && actual !== null;
  });
}

async function upgrade(work: Work, service: Service, change: Change): Promise<void> {
  const { client, call } = work;
  const { batchSize = 1, intervalMillis = 2_000, startFirst = false } = change.strategy;
  const launchConfig = fullLaunchConfig(work, service, change);
  await client.act<Service>(
    pathOf(work),
    "upgrade",
    { inServiceStrategy: { launchConfig, batchSize, intervalMillis, startFirst } },
    (now) => ["upgrading", "upgraded"].includes(now.state ?? ""),
    { signal: call.signal },
  );
  await completeUpgrade(work);
}

/**
 * An upgrade's launch config replaces the whole of the earlier one. What the server itself put into a
 * load balancer's when it was made is repeated, because it is not put in again.
 */
function fullLaunchConfig(work: Work, service: Service, change: Change): Props {
  if (work.kind === "services") return change.launchConfig;
  const actual = service.launchConfig ?? {};
  const injected = Object.entries((actual["labels"] as Props | null) ?? {}).filter(([key]) =>
    /^io\.rancher\.container\.(agent\.role|agent_service\.|create_agent)/.test(key),
  );
  return {
    healthCheck: plain(actual["healthCheck"]),
    ...change.launchConfig,
    labels: { ...Object.fromEntries(injected), ...(change.launchConfig["labels"] as Props | null) },
  };
}

/** Waits for the new containers, finishes when they are well, rolls back when they do not become so. */
async function completeUpgrade(work: Work): Promise<void> {
  const { client, call, what } = work;
  const share = (work.until - Date.now()) * (1 - ROLLBACK_SHARE);
  try {
    await upgraded({ ...work, until: Date.now() + share });
  } catch (error) {
    if (call.signal.aborted) throw error;
    const reason = (error as Error).message;
    call.status(`rolling ${what} back: ${reason}`);
    const failed = `the upgrade of ${what} failed, and it`;
    try {
      await rollBack(work);
    } catch (problem) {
      const why = (problem as Error).message;
      throw new Error(`${failed} could not be rolled back (${why}): ${reason}`);
    }
    throw new RolledBack(`${failed} was rolled back: ${reason}`);
  }
  await client.act<Service>(
    pathOf(work),
    "finishupgrade",
    undefined,
    (s) => s.state !== "upgraded",
    {
      signal: call.signal,
    },
  );
  await settled(work);
}

async function upgraded(work: Work): Promise<void> {
  const { client, call, what, until } = work;
  let failing: { since: number; running: number } | undefined;
  await waitFor(client, call, {
    what: `the upgrade of ${what}`,
    until,
    advice: "look at the logs of its new containers",
    look: async (options): Promise<Seen<void>> => {
      const service = await client.get<Service>(pathOf(work), options);
      assertPresent(work, service);
      const version = service.launchConfig?.["version"];
      // The old containers, stopped, are listed under the same names until the upgrade is finished.
      const fresh = (await instancesOf(work, options)).filter((i) => i.version === version);
      if (service.state === "upgraded") {
        const missing = notReady(service, fresh);
        return missing === undefined ? { done: undefined } : { waiting: missing };
      }
      if (service.state !== "upgrading") {
        throw new Error(`somebody else ended it: it is ${condition(service)}`);
      }
      const running = fresh.filter((instance) => instance.state === "running").length;
      if (
        service.transitioning === "error" &&
        (failing === undefined || failing.running !== running)
      ) {
        failing = { since: Date.now(), running };
      }
      if (failing !== undefined && failing.running !== running) failing = undefined;
      if (failing !== undefined && Date.now() - failing.since > FAILING_PATIENCE_MS) {
        throw new Error(condition(service));
      }
      return { waiting: condition(service) };
    },
  });
}

/** Back to the containers from before the upgrade, from wherever the upgrade is. */
async function rollBack(work: Work): Promise<void> {
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
      return { waiting: condition(service) };
    },
  });
}

/** Why the containers are not all well, or undefined when they are. */
function notReady(service: Service, instances: readonly Instance[]): string | undefined {
  const config = service.launchConfig;
  const once = startsOnce(config);
  const wanted = isGlobal(config) ? 1 : (service.scale ?? 1);
  const up = instances.filter((i) => i.state === "running" || (once && i.state === "stopped"));
  const down = instances.find((instance) => !up.includes(instance));
  if (down !== undefined) return `container ${down.name ?? down.id} is ${condition(down)}`;
  if (up.length < wanted) return `${up.length} of ${wanted} containers run`;
  if (!config?.["healthCheck"] || once) return undefined;
  const ill = up.find((instance) => !isWell(instance.healthState));
  return ill === undefined
    ? undefined
    : `container ${ill.name ?? ill.id} is ${ill.healthState ?? "of unknown health"}`;
}

/** True for a health that is as good as it gets. */
export function isWell(health: string | null | undefined): boolean {
  return health === "healthy" || health === "updating-healthy" || health === "started-once";
}

/** State, health and the server's own message, for people. */
export function condition(thing: {
  readonly state?: string | null;
  readonly healthState?: string | null;
  readonly transitioningMessage?: string | null;
}): string {
  const { state, healthState, transitioningMessage: message } = thing;
  const health = healthState && healthState !== "healthy" ? ` and ${healthState}` : "";
  const said = message && message !== "In Progress" ? ` (${message})` : "";
  return `${state ?? "in no known state"}${health}${said}`;
}
