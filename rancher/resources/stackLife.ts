/** What a stack made from compose texts goes through: its services become ready, and go. */
import type { Client, RequestOptions } from "../client/client";
import { type Instance, isLeaving, type Service, type Stack } from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import { condition, notReady, waitingOn } from "./containers";
import { removed } from "./life";
import { servicePath } from "./serviceWork";

/** One stack on the server, and the operation that is about it. */
export interface StackWork {
  readonly client: Client;
  readonly call: Waiter;
  readonly environmentId: string;
  readonly id: string;
  /** For messages, for instance `stack site (1st5)`. */
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** How long an upgrade may make no progress. Milliseconds. @default two minutes */
  readonly stalledPatience?: number;
}

/** Path of the collection, or of one stack. */
export function stackPath(environmentId: string, id = ""): string {
  return `/v2-beta/projects/${environmentId}/stacks${id === "" ? "" : `/${id}`}`;
}

/** Path of the stack. */
export function pathOf(work: StackWork): string {
  return stackPath(work.environmentId, work.id);
}

/** The services of a stack that are not on their way out. */
export async function servicesOf(work: StackWork, options: RequestOptions): Promise<Service[]> {
  const all = await work.client.list<Service>(`${pathOf(work)}/services`, options);
  return all.filter((service) => !isLeaving(service));
}

/**
 * The stack once it is in none of the states that pass by themselves. Throws in the state `error`, which,
 * unlike a service's, is final.
 */
export async function settledStack(work: StackWork): Promise<Stack> {
  const passing = [
    "requested",
    "registering",
    "activating",
    "updating-active",
    "finishing-upgrade",
    "rolling-back",
    "canceling-upgrade",
    "erroring",
  ];
  return waitFor(work.client, work.call, {
    what: `${work.what} to become active`,
    until: work.until,
    advice: "look at it in Rancher",
    look: async (options): Promise<Seen<Stack>> => {
      const stack = await getStack(work, options);
      if (stack.state === "error") throw new StackError(work, stack);
      const halfway = ["upgrading", "upgraded", "canceled-upgrade"].includes(stack.state ?? "");
      if (halfway || (stack.state === "active" && stack.transitioning !== "yes")) {
        return { done: stack };
      }
      return passing.includes(stack.state ?? "") || stack.transitioning === "yes"
        ? waitingOn(stack)
        : { done: stack };
    },
  });
}

/** A stack that the server gave up. */
export class StackError extends Error {
  override readonly name = "StackError";

  constructor(work: StackWork, stack: Stack) {
    super(`stack ${work.id} failed: ${condition(stack)}`);
  }
}

/** The stack now. Throws when it is on its way out. */
export async function getStack(work: StackWork, options: RequestOptions): Promise<Stack> {
  const stack = await work.client.get<Stack>(pathOf(work), options);
  if (isLeaving(stack)) throw new Error(`${work.what} was removed meanwhile`);
  return stack;
}

/** Waits until every service is active, its containers run, and those with a health check are healthy. */
export async function servicesReady(work: StackWork, scope: StackScope): Promise<void> {
  await waitFor(work.client, work.call, {
    what: `the services of ${work.what} to run`,
    until: work.until,
    advice:
      "look at the containers of the stack and their logs in Rancher; a larger customTimeouts gives slow images more time",
    look: async (options): Promise<Seen<void>> => {
      for (const service of mustRun(await servicesOf(work, options), scope)) {
        const named = `service ${nameOf(service)}`;
        if (service.transitioning !== "no" || service.state !== "active") {
          const { waiting, trouble } = waitingOn(service);
          return { waiting: `${named} is ${waiting}`, trouble };
        }
        const containers = await containersOf(work, service, options);
        const missing = containers === undefined ? undefined : notReady(service, containers);
        if (missing !== undefined) return { waiting: `${named}: ${missing}` };
      }
      return { done: undefined };
    },
  });
}

/** Those services that the texts name, without those that rest and may. */
export function mustRun(
  services: readonly Service[],
  { names, mayRest }: StackScope,
): readonly Service[] {
  return services.filter((service) => {
    const name = nameOf(service);
    const named = names === undefined || names.includes(name);
    return named && !(service.state === "inactive" && mayRest(name));
  });
}

/** A service's containers, without those on their way out; undefined for a service that has none by nature. */
export async function containersOf(
  work: StackWork,
  service: Service,
  options: RequestOptions,
): Promise<Instance[] | undefined> {
  if (!hasContainers(service)) return undefined;
  const path = `${servicePath("services", work.environmentId, service.id)}/instances`;
  const all = await work.client.list<Instance>(path, options);
  return all.filter((instance) => !isLeaving(instance));
}

/** Names for addresses and other services have no containers. */
function hasContainers({ type }: Service): boolean {
  return type !== "dnsService" && type !== "externalService";
}

/** Its name, for messages and for finding it in a text. */
export function nameOf({ name, id }: Service): string {
  return name ?? id;
}

/** What compose texts say of services by name. */
export interface StackScope {
  /** Names of the services in the text; undefined when they cannot be told, and all count. */
  readonly names: readonly string[] | undefined;
  /** True for a service that need not run. */
  mayRest(name: string): boolean;
  /** Names of services that the new text has and the old one has not: a failed upgrade leaves them. */
  readonly added: readonly string[];
}

/** Performs an action that takes a service to another state. */
export async function actOn(
  work: StackWork,
  service: Service,
  action: string,
  options: RequestOptions,
): Promise<void> {
  const path = servicePath("services", work.environmentId, service.id);
  const moved = (now: Service): boolean => now.state !== service.state;
  await work.client.act<Service>(path, action, undefined, moved, options);
}

/** Starts services that were stopped. */
export async function startServices(work: StackWork, scope: StackScope): Promise<void> {
  const options = { signal: work.call.signal };
  for (const service of mustRun(await servicesOf(work, options), scope)) {
    if (service.state === "inactive") await actOn(work, service, "activate", options);
  }
}

/** Removes services of a stack, and waits until they are gone. */
export async function removeServices(work: StackWork, services: readonly Service[]): Promise<void> {
  const { client, call, environmentId, until } = work;
  const path = ({ id }: Service): string => servicePath("services", environmentId, id);
  for (const service of services) await client.delete(path(service), { signal: call.signal });
  for (const service of services) {
    const what = `service ${nameOf(service)} of ${work.what}`;
    await removed(client, call, { path: path(service), what, until });
  }
}

/** Removes a stack with everything in it, and waits until it is gone. */
export async function removeStack(work: StackWork): Promise<void> {
  const { client, call, what, until } = work;
  const advice = "look at its services in Rancher";
  await removed(client, call, { path: pathOf(work), what, until, advice });
}
