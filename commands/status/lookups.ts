/** What is looked up of a stack that is up. Each look-up ends by the signal, with an error that says why. */
import * as path from "node:path";
import type { Client } from "../../rancher/client/client";
import { type ApiResource, isLeaving } from "../../rancher/client/types";
import type { Host, Instance, Service, Setting, Stack } from "../../rancher/client/types";
import { defaultRoot, newestBackup } from "../backups";
import { Problem } from "../cli";
import { imageOf } from "../images";
import { wellHealth } from "../rancherConnection";
import { textAt } from "../state";
import type { BackupStatus, ServiceStatus, UrlStatus } from "./status";

/** How long Rancher is asked again when it does not answer at first. Milliseconds. */
const RETRY_MS = 3_000;

/** What Rancher tells. */
export interface RancherSight {
  readonly version: string | null;
  /** State and number of running containers, by the host's id. */
  readonly hosts: ReadonlyMap<string, { readonly state: string; readonly containers: number }>;
  /** Those of users, and those of Rancher's own that are not well. */
  readonly services: readonly ServiceStatus[];
}

const globalLabel = "io.rancher.scheduler.global";

function present<T extends ApiResource>(resources: readonly T[]): T[] {
  return resources.filter((resource) => !isLeaving(resource));
}

/** What of Rancher's collections makes a service's line. */
export function serviceStatus(
  service: Service,
  stackName: string,
  instances: readonly Instance[],
  activeHosts: number,
): ServiceStatus {
  const isGlobal = textAt(service.launchConfig, "labels", globalLabel) === "true";
  const wanted = isGlobal ? activeHosts : (service.scale ?? 0);
  const running = instances.filter(
    ({ serviceIds, state }) => serviceIds?.includes(service.id) === true && state === "running",
  ).length;
  const state = service.state ?? "unknown";
  const health = service.healthState ?? "unknown";
  return {
    name: `${stackName}/${service.name ?? service.id}`,
    state,
    health,
    running,
    wanted,
    image: imageOf(service.launchConfig) ?? "",
    // Rancher's own are judged by their health alone: not all of their containers are listed.
    isWell:
      state === "active" &&
      wellHealth.includes(health) &&
      (service.system === true || running >= wanted),
  };
}

/** Asks Rancher for its hosts and services. */
export async function lookAtRancher(client: Client, signal: AbortSignal): Promise<RancherSight> {
  const options = { signal, retryMs: RETRY_MS };
  const base = `/v2-beta/projects/${await client.environment(undefined, options)}`;
  const list = async <T extends ApiResource>(name: string): Promise<T[]> =>
    present(await client.list<T>(`${base}/${name}`, options));
  const [hosts, stacks, services, instances, version] = await Promise.all([
    list<Host>("hosts"),
    list<Stack>("stacks"),
    list<Service>("services"),
    list<Instance>("instances"),
    client.find<Setting>("/v2-beta/settings/rancher.server.version", options),
  ]);
  const stateOf = (host: Host): string => host.agentState ?? host.state ?? "unknown";
  const active = hosts.filter((host) => stateOf(host) === "active").length;
  const stackNames = new Map(stacks.map(({ id, name }) => [id, name ?? id]));
  const lines = services
    .map((service) => ({
      isSystem: service.system === true,
      line: serviceStatus(service, stackNames.get(service.stackId ?? "") ?? "", instances, active),
    }))
    .filter(({ isSystem, line }) => !isSystem || !line.isWell)
    .map(({ line }) => line)
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
  const counted = hosts.map((host): [string, { state: string; containers: number }] => [
    host.id,
    {
      state: stateOf(host),
      containers: instances.filter(({ hostId, state }) => hostId === host.id && state === "running")
        .length,
    },
  ]);
  return {
    version: version?.activeValue ?? version?.value ?? null,
    hosts: new Map(counted),
    services: lines,
  };
}

/** The innermost reason of a failed request: fetch wraps it. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  const { cause } = error;
  if (cause instanceof AggregateError) return reason(cause.errors[0]);
  return cause === undefined ? error.message : reason(cause);
}

/** Asks one address of the site for its front page. A redirect is an answer, too. */
export async function lookAtUrl(url: string, signal: AbortSignal): Promise<UrlStatus> {
  const start = performance.now();
  try {
    const { status, body } = await fetch(url, { redirect: "manual", signal });
    const milliseconds = Math.round(performance.now() - start);
    await body?.cancel();
    const problem = status < 400 ? null : `it answers ${status}`;
    return { url, status, milliseconds, problem };
  } catch (error) {
    return { url, status: null, milliseconds: null, problem: reason(error) };
  }
}

/** The newest backup in the project's folder; undefined when there is none that can be read. */
export function lastBackup(stack: string, root = defaultRoot): BackupStatus | undefined {
  try {
    const newest = newestBackup(root, stack);
    if (newest === undefined) return undefined;
    const { folder, manifest } = newest;
    return { takenAt: manifest.takenAt, folder: path.relative(path.dirname(root), folder) };
  } catch (error) {
    // Of another version, or damaged: `restore` says which.
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
