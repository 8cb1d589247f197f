/** One service or load balancer that is worked on: where it is, and how it is looked at. */
import type { Client } from "../client/client";
import { type Instance, isLeaving, type Service } from "../client/types";
import { type Seen, type Waiter, waitFor } from "../client/wait";
import { waitingOn } from "./containers";

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
  /** How long an upgrade may make no progress. Milliseconds. @default two minutes */
  readonly stalledPatience?: number;
}

/** Path of the collection, or of one service. */
export function servicePath(kind: Kind, environmentId: string, id = ""): string {
  // The URL decides what a POST makes, not the body's type.
  return `/v2-beta/projects/${environmentId}/${kind}${id === "" ? "" : `/${id}`}`;
}

/** Path of the service. */
export function pathOf(work: Work): string {
  return servicePath(work.kind, work.environmentId, work.id);
}

/** The service now. Throws when it is on its way out. */
export async function getService(work: Work): Promise<Service> {
  const service = await work.client.get<Service>(pathOf(work), { signal: work.call.signal });
  assertPresent(work, service);
  return service;
}

/** Throws when a service is on its way out. */
export function assertPresent(work: Work, service: Service): void {
  if (isLeaving(service)) throw new Error(`${work.what} was removed meanwhile`);
}

/** Its containers, without those on their way out. */
export async function instancesOf(
  work: Work,
  options: { readonly signal?: AbortSignal },
): Promise<Instance[]> {
  const found = await work.client.list<Instance>(`${pathOf(work)}/instances`, options);
  return found.filter((instance) => !isLeaving(instance));
}

/** The service once it is in none of the states that pass by themselves and forbid other changes. */
export async function settled(work: Work): Promise<Service> {
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
      if (passing.includes(service.state ?? "")) return waitingOn(service);
      return { done: service };
    },
  });
}
