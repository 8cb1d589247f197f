/** Looking at things that run: whether they are well, and what to say of them when they are not. */
import type { Instance, Service } from "../client/types";
import type { Waiting } from "../client/wait";
import type { Props } from "../plugin/types";
import { isGlobal, startsOnce } from "./launchConfig";
import { configNameOf, sidekicksOf } from "./sidekicks";

/** The launch configs of a service by name; its own one has none. */
export function configsOf(service: Service): [string | undefined, Props | null | undefined][] {
  const sidekicks = sidekicksOf(service.secondaryLaunchConfigs);
  return [
    [undefined, service.launchConfig],
    ...sidekicks.map((config): [string, Props] => [String(config["name"]), config]),
  ];
}

/**
 * Those containers that an upgrade made or keeps. The old ones, stopped, are listed under the same names
 * until it is finished.
 */
export function freshOf(service: Service, instances: readonly Instance[]): Instance[] {
  const versions = new Map(configsOf(service).map(([name, config]) => [name, config?.["version"]]));
  return instances.filter((instance) => instance.version === versions.get(configNameOf(instance)));
}

/** Why the containers are not all well, or undefined when they are. */
export function notReady(service: Service, instances: readonly Instance[]): string | undefined {
  if (selectsOnly(service)) return undefined;
  // Another scale that came within an upgrade is stored, and takes effect when the upgrade is finished.
  const wanted = Math.min(wantedOf(service), service.state === "upgraded" ? 1 : Infinity);
  for (const [name, config] of configsOf(service)) {
    const mine = instances.filter((instance) => configNameOf(instance) === name);
    const missing = groupNotReady(config, mine, wanted);
    if (missing !== undefined)
      return name === undefined ? missing : `${missing} (sidekick ${name})`;
  }
  return undefined;
}

/** Those containers that are not what their launch config asks for: running and healthy, or done. */
export function illOf(service: Service, instances: readonly Instance[]): Instance[] {
  const configs = new Map(configsOf(service));
  return instances.filter((instance) => {
    const config = configs.get(configNameOf(instance));
    if (!isUp(config, instance)) return true;
    return isWatched(config) && !isWell(instance.healthState);
  });
}

/** A service without an image has no containers of its own: it points at those that its selector finds. */
function selectsOnly({ launchConfig, selectorContainer }: Service): boolean {
  return Boolean(selectorContainer) && !launchConfig?.["imageUuid"];
}

/** How many containers of each kind there must be at least. */
function wantedOf(service: Service): number {
  if (isGlobal(service.launchConfig)) return 1;
  const least = service.scalePolicy?.["min"];
  return typeof least === "number" ? least : (service.scale ?? 1);
}

function groupNotReady(
  config: Props | null | undefined,
  instances: readonly Instance[],
  wanted: number,
): string | undefined {
  const up = instances.filter((instance) => isUp(config, instance));
  const down = instances.find((instance) => !up.includes(instance));
  if (down !== undefined) return `container ${down.name ?? down.id} is ${condition(down)}`;
  if (up.length < wanted) return `${up.length} of ${wanted} containers run`;
  if (!isWatched(config)) return undefined;
  const ill = up.find((instance) => !isWell(instance.healthState));
  return ill === undefined
    ? undefined
    : `container ${ill.name ?? ill.id} is ${ill.healthState ?? "of unknown health"}`;
}

/** True for a container that runs, or has done what it was for. */
function isUp(config: Props | null | undefined, { state }: Instance): boolean {
  return state === "running" || (startsOnce(config) && state === "stopped");
}

/** True when the health of a launch config's containers counts. */
function isWatched(config: Props | null | undefined): boolean {
  return Boolean(config?.["healthCheck"]) && !startsOnce(config);
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

/** What a look reports of a thing that is not there yet: its condition, and what the server said is wrong. */
export function waitingOn(
  thing: Parameters<typeof condition>[0] & { transitioning?: unknown },
): Waiting {
  const failed = thing.transitioning === "error" || thing.state === "error";
  const message = thing.transitioningMessage;
  return {
    waiting: condition(thing),
    ...(failed && message ? { trouble: message } : {}),
  };
}
