/**
 * Sidekicks: further containers that stand beside each container of a service, on the same host. Each has a
 * launch config with a name, and is upgraded by itself.
 */
import { changedPaths, valueAt } from "../plugin/diff";
import { type Props, UNKNOWN } from "../plugin/types";
import type { Place } from "./checks";
import { matches, observed, withoutDefaults } from "./declared";
import { checkLaunchConfig, LAUNCH_CONFIG_DEFAULTS, normalised } from "./launchConfig";

/** A sidekick that an upgrade removes has this image. Source: cattle, `ServiceConstants.IMAGE_NONE`. */
const NO_IMAGE = "rancher/none";

/** Labels of a container that say which launch config it was made from. */
const CONFIG_LABEL = "io.rancher.service.launch.config";
const PRIMARY = "io.rancher.service.primary.launch.config";

function isObject(value: unknown): value is Props {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The elements that are launch configs; empty for anything that is no list. */
export function sidekicksOf(configs: unknown): Props[] {
  return Array.isArray(configs) ? configs.filter(isObject) : [];
}

/** Sidekicks in the one form in which two are compared. */
export function normalisedSidekicks(configs: unknown): unknown {
  return Array.isArray(configs) ? configs.map(normalised) : configs;
}

/** Reports what the server would refuse or drop, in the launch configs and in what they say of each other. */
export function checkSidekicks(inputs: Place): void {
  const list = inputs.at("secondaryLaunchConfigs");
  const places = list.elements();
  const names = new Set<unknown>([inputs.at("name").value]);
  for (const place of places) {
    checkLaunchConfig(place, { sidekick: true });
    if (!isObject(place.value)) continue;
    const name = place.at("name");
    name.name();
    if (name.present() && names.has(name.value)) {
      name.reject("must differ from the name of the service and of every other sidekick");
    }
    names.add(name.value);
  }
  const own = inputs.at("launchConfig");
  const all: [string, Place][] = [
    [String(inputs.at("name").value), own],
    ...places.map((place): [string, Place] => [String(valueAt(place.value, ["name"])), place]),
  ];
  // What is not known yet may have any name.
  const unknown = [list, ...places].some(({ value }) => value === UNKNOWN) || names.has(UNKNOWN);
  if (!unknown) checkReferences(all);
}

/** A launch config may use the volumes or the network of another of the same service, but not in a circle. */
function checkReferences(all: readonly [string, Place][]): void {
  const known = new Map(all.map(([name, place]) => [name, referencesOf(place)]));
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (known.get(from) ?? []).some(({ value }) => {
      const next = String(value);
      if (next === to) return true;
      return seen.has(next) ? false : reaches(next, to, seen.add(next));
    });
  for (const [name, place] of all) {
    for (const reference of referencesOf(place)) {
      const target = String(reference.value);
      if (!known.has(target)) {
        reference.reject(
          `names no launch config of this service: there are ${[...known.keys()].join(", ")}`,
        );
      } else if (target === name || reaches(target, name, new Set([target]))) {
        reference.reject("leads back to this launch config");
      }
    }
  }
}

function referencesOf(config: Place): Place[] {
  if (!isObject(config.value)) return [];
  const volumes = config.at("dataVolumesFromLaunchConfigs");
  const list = Array.isArray(volumes.value) ? volumes.elements() : [];
  return [config.at("networkLaunchConfig"), ...list].filter(
    ({ value }) => typeof value === "string",
  );
}

/**
 * The declared sidekicks as they are on the server, which may list them in another order. Sidekicks that
 * nobody declared are told only beside declared ones.
 */
export function observedSidekicks(declared: unknown, actual: unknown): unknown {
  if (!Array.isArray(declared)) return declared;
  const there = sidekicksOf(normalisedSidekicks(actual));
  const wanted = sidekicksOf(declared);
  const kept = wanted.flatMap((config) => {
    const found = there.find(({ name }) => name === config["name"]);
    return found === undefined ? [] : [observed(config, found)];
  });
  const more = there.filter(({ name }) => !wanted.some((config) => config["name"] === name));
  return [...kept, ...more.map(importedSidekick)];
}

/** The sidekicks of an imported service, or undefined when it has none. */
export function importedSidekicks(actual: unknown): Props[] | undefined {
  const there = sidekicksOf(normalisedSidekicks(actual));
  return there.length === 0 ? undefined : there.map(importedSidekick);
}

function importedSidekick(config: Props): Props {
  const { version: _, ...rest } = withoutDefaults(config, LAUNCH_CONFIG_DEFAULTS);
  return rest;
}

/** True when a declared field of a launch config differs on the server, or is declared no more. */
export function differs(declared: Props, before: Props, actual: unknown): boolean {
  if (!matches(declared, actual)) return true;
  return changedPaths(before, declared).some((path) => {
    const after = valueAt(declared, path);
    const there = valueAt(actual, path);
    const had = valueAt(before, path) !== undefined;
    return had && after === undefined && there !== undefined && there !== null;
  });
}

/**
 * What an upgrade has to do to a service's sidekicks: those that are new or differ, and, with an image that
 * stands for none, those that are declared no more. Empty when all are as declared.
 */
export function sidekickChanges(
  declared: unknown,
  before: unknown,
  actual: unknown,
): readonly Props[] {
  // What was never declared here is somebody else's.
  if (declared === undefined && before === undefined) return [];
  const there = sidekicksOf(normalisedSidekicks(actual));
  const old = sidekicksOf(before);
  const wanted = sidekicksOf(declared);
  const named = (list: readonly Props[], name: unknown): Props | undefined =>
    list.find((config) => config["name"] === name);
  const changed = wanted.filter((config) => {
    const found = named(there, config["name"]);
    const last = named(old, config["name"]) ?? {};
    return found === undefined || differs(config, last, found);
  });
  const gone = there.filter(({ name }) => named(wanted, name) === undefined);
  return [...changed, ...gone.map(({ name }) => ({ name, imageUuid: NO_IMAGE }))];
}

/** The name of the launch config that a container was made from; undefined for the service's own one. */
export function configNameOf(instance: {
  readonly labels?: Readonly<Record<string, string>> | null;
}): string | undefined {
  const name = instance.labels?.[CONFIG_LABEL];
  return name === PRIMARY ? undefined : name;
}
