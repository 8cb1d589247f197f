/** What `Service` and `LoadBalancer` have in common as Pulumi resources. */
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import { isLeaving, type Service } from "../client/types";
import { deadline } from "../client/wait";
import { changedPaths } from "../plugin/diff";
import { PartialFailure } from "../plugin/serve";
import {
  type Call,
  hasUnknown,
  type Problem,
  type Props,
  type Resource,
  UNKNOWN,
} from "../plugin/types";
import { equal } from "../plugin/values";
import { inspect, onlyProperties, type Place } from "./checks";
import { matches, observedInputs, withoutDefaults } from "./declared";
import { isOtherKind, locate } from "./identity";
import {
  checkLaunchConfig,
  isGlobal,
  LAUNCH_CONFIG_DEFAULTS,
  normalised,
  publishesPorts,
} from "./launchConfig";
import { findOrMake } from "./life";
import { linksOf, observedLinks } from "./links";
import { changesEnvironment, diffInEnvironment, environmentOf, ownerMark } from "./ownership";
import {
  importedSidekicks,
  normalisedSidekicks,
  observedSidekicks,
  sidekickChanges,
  sidekicksOf,
} from "./sidekicks";
import { type Change, converge, findOwn, infrastructureReady, removeService } from "./serviceLife";
import type { UpgradeStrategy } from "./serviceUpgrade";
import { type Kind, servicePath, type Work } from "./serviceWork";
import { RolledBack } from "./upgrades";

/** How one of the two kinds differs from the other. */
export interface Variant {
  readonly kind: Kind;
  /** In messages: `service` or `load balancer`. */
  readonly noun: string;
  /** Properties besides those that both have. */
  readonly properties: readonly string[];
  /** Of these, the ones that the server has under the same name. A PUT changes them. */
  readonly fields: readonly string[];
  /** Of these, the ones that the server takes only when the service is made. A change replaces. */
  readonly fixed: readonly string[];
  /** Fills in what the server would fill in. */
  defaults(inputs: Props): Props;
  check(inputs: Place): void;
  /** An imported launch config without what the server adds to this kind. */
  imported(launchConfig: Props): Props;
}

const COMMON = [
  "stackId",
  "name",
  "description",
  "scale",
  "launchConfig",
  "upgradeStrategy",
  "startOnCreate",
  "environmentId",
];

/** Properties of a service that are neither changed by a PUT nor fixed. */
const SIDEKICKS = "secondaryLaunchConfigs";
const LINKS = "serviceLinks";

/** Builds the resource of one kind. */
export function serviceLike(variant: Variant): Resource<Client> {
  const { kind, noun } = variant;
  /** Fields that a PUT changes. */
  const live = ["name", "description", "scale", ...variant.fields];

  function workOn(
    client: Client,
    call: Call,
    environmentId: string,
    service: { readonly id: string; readonly name?: unknown },
    until: number,
  ): Work {
    const what = `${noun} ${String(service.name)} (${service.id})`;
    return { client, call, kind, environmentId, id: service.id, what, until };
  }

  function changeOf(oldInputs: Props, inputs: Props): Change {
    // A global service has no scale to set.
    const declared = live.filter((f) => inputs[f] !== undefined || oldInputs[f] !== undefined);
    const settable = declared.filter((f) => f !== "scale" || inputs[f] !== undefined);
    return {
      fields: Object.fromEntries(settable.map((f) => [f, inputs[f] ?? null])),
      changed: settable.filter((f) => changedPaths(oldInputs[f], inputs[f]).length > 0),
      launchConfig: inputs["launchConfig"] as Props,
      oldLaunchConfig: (oldInputs["launchConfig"] as Props | undefined) ?? {},
      sidekicks: inputs[SIDEKICKS],
      oldSidekicks: oldInputs[SIDEKICKS],
      links: (inputs[LINKS] ?? (oldInputs[LINKS] === undefined ? undefined : [])) as
        Props[] | undefined,
      strategy: (inputs["upgradeStrategy"] as UpgradeStrategy | undefined) ?? {},
      started: inputs["startOnCreate"] !== false,
    };
  }

  return {
    check(given) {
      const inputs = variant.defaults(withDefaults(given));
      const { place, problems } = inspect(inputs);
      onlyProperties(place, [...COMMON, ...variant.properties]);
      place.at("stackId").text({ required: true });
      place.at("name").name();
      place.at("description").text({ maxLength: 1024 });
      place.at("startOnCreate").flag();
      place.at("environmentId").text();
      checkLaunchConfig(place.at("launchConfig"), {
        imageRequired: isMissing(inputs["selectorContainer"]),
      });
      checkScale(place);
      checkStrategy(place.at("upgradeStrategy"), inputs);
      variant.check(place);
      return { inputs, problems: unique(problems) };
    },

    diff(comparison) {
      const { oldInputs, inputs } = comparison;
      const global = switchesGlobal(oldInputs, inputs) ? [GLOBAL_PATH] : [];
      const fixed = variant.fixed.filter((f) => !isMissing(oldInputs[f]) || !isMissing(inputs[f]));
      const diff = diffInEnvironment(comparison, { replace: ["stackId", ...fixed, ...global] });
      const replaces = Object.values(diff.changes).includes("replace");
      // A name is unique in its stack, and old and new containers cannot both have the same port of a host.
      const stays = equal(oldInputs["stackId"], inputs["stackId"]);
      const first =
        (stays && !changesEnvironment(comparison)) || publishesPorts(inputs["launchConfig"]);
      return { ...diff, deleteBeforeReplace: replaces && first };
    },

    async create(client, inputs, call) {
      const until = deadline(call);
      const environmentId = await client.environment(inputs["environmentId"], call);
      if (inputs["startOnCreate"] !== false) {
        await infrastructureReady(client, call, environmentId, until);
      }
      const body = Object.fromEntries(
        [...live, ...variant.fixed, "stackId", "launchConfig", SIDEKICKS, "startOnCreate"]
          .filter((field) => inputs[field] !== undefined)
          .map((field) => [field, inputs[field]]),
      );
      const path = servicePath(kind, environmentId);
      const { id, found } = await findOrMake(client, {
        find: () => findOwn(client, call, path, inputs),
        make: () => client.post<Service>(path, { ...body, externalId: ownerMark(call) }, call),
      });
      const state = { id, outputs: { ...inputs, environmentId } };
      try {
        const work = workOn(client, call, environmentId, { id, name: inputs["name"] }, until);
        // What was found may have been made from other inputs.
        await converge(work, changeOf(found === undefined ? inputs : imported(found), inputs));
      } catch (error) {
        // It exists: keep it, so that the next run goes on with it.
        throw new PartialFailure(state, (error as Error).message);
      }
      return state;
    },

    async read(client, known, call) {
      const { inputs } = known;
      const { environmentId, id: wanted, isImport } = await locate(client, kind, known, call);
      const path = servicePath(kind, environmentId, wanted);
      const service = await client.find<Service>(path, { signal: call.signal });
      if (service === undefined || isLeaving(service)) return undefined;
      const { id } = service;
      if (isImport) assertKind(service, variant);
      const seen = isImport ? imported(service) : seenInputs(inputs, service);
      return { state: { id, outputs: { ...seen, environmentId } }, inputs: seen };
    },

    async update(client, { id, oldInputs, old, inputs }, call) {
      const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
      const service = { id, name: inputs["name"] };
      const work = workOn(client, call, environmentId, service, deadline(call));
      const outputs = { ...inputs, environmentId };
      try {
        await converge(work, changeOf(oldInputs, inputs));
      } catch (error) {
        // Nothing was changed, or it was changed back: the old inputs stay true.
        if (error instanceof RolledBack || error instanceof ApiError) throw error;
        // Halfway: note it, so that the next run goes on from here even when the program is changed back.
        throw new PartialFailure({ id, outputs }, (error as Error).message);
      }
      return outputs;
    },

    async delete(client, { id, inputs, outputs }, call) {
      if (client.held.has(id)) return;
      const environmentId = await environmentOf(client, { inputs, outputs }, call);
      const service = { id, name: inputs["name"] ?? outputs["name"] ?? id };
      await removeService(workOn(client, call, environmentId, service, deadline(call)));
    },
  };

  /** The inputs with their declared parts as they are on the server. */
  function seenInputs(inputs: Props, service: Service): Props {
    const stopped = inputs["startOnCreate"] !== false && service.state === "inactive";
    const containers = { ...service, launchConfig: launchConfigOf(inputs, service) };
    const fields = ["stackId", "launchConfig", ...live, ...variant.fixed];
    const seen: Props = {
      ...observedInputs(inputs, fields, containers),
      // Stopped behind our back: starting it is what the program asks for.
      ...(stopped ? { startOnCreate: false } : {}),
    };
    if (inputs[SIDEKICKS] !== undefined) {
      seen[SIDEKICKS] = observedSidekicks(inputs[SIDEKICKS], sidekicksNow(inputs, service));
    }
    if (inputs[LINKS] !== undefined) {
      seen[LINKS] = observedLinks(inputs[LINKS], service, !isMissing(inputs["selectorLink"]));
    }
    return seen;
  }

  function imported(service: Service): Props {
    const actual = normalised(service.launchConfig ?? {}) as Props;
    const launchConfig = withoutDefaults(actual, LAUNCH_CONFIG_DEFAULTS);
    delete launchConfig["version"];
    const names = ["stackId", ...live, ...variant.fixed];
    const fields = withoutDefaults(
      Object.fromEntries(names.map((f) => [f, service[f as keyof Service]])),
      {},
    );
    for (const [field, defaults] of [
      ["scalePolicy", { increment: 1 }],
      ["lbConfig", {}],
    ] as const) {
      const value = fields[field];
      if (value !== undefined) fields[field] = withoutDefaults(value as Props, defaults);
    }
    if (!hasScale({ ...fields, launchConfig })) delete fields["scale"];
    const links = linksOf(service);
    // A load balancer's links follow from its rules, others may follow from a selector.
    const own = variant.properties.includes(LINKS) && isMissing(fields["selectorLink"]);
    const sidekicks = importedSidekicks(service.secondaryLaunchConfigs);
    return {
      ...fields,
      ...(own && links.length > 0 ? { [LINKS]: links } : {}),
      ...(sidekicks === undefined ? {} : { [SIDEKICKS]: sidekicks }),
      launchConfig: variant.imported(launchConfig),
      startOnCreate: service.state !== "inactive",
    };
  }
}

/** Every kind of service is found under `services`. */
function assertKind(service: Service, { kind, noun }: Variant): void {
  if (kind === "services" && isOtherKind(service)) {
    throw new Error(
      `${service.name ?? service.id} (${service.id}) is not a ${noun} but a ${service.type}: import it as what it is`,
    );
  }
}

/**
 * What the service's containers are started with. In the middle of an upgrade both the earlier and the
 * later one are there; the one that differs from the declared one is told, so that the next update sees
 * a change and ends the upgrade.
 */
function launchConfigOf(inputs: Props, service: Service): unknown {
  const current = normalised(service.launchConfig);
  if (!isHalfway(service)) return current;
  if (!matches(inputs["launchConfig"], current)) return current;
  const previous = service.upgrade?.inServiceStrategy?.previousLaunchConfig;
  return normalised(previous ?? undefined) ?? current;
}

/** The same for its sidekicks. */
function sidekicksNow(inputs: Props, service: Service): unknown {
  const current = service.secondaryLaunchConfigs;
  const declared = inputs[SIDEKICKS];
  if (!isHalfway(service)) return current;
  if (sidekickChanges(declared, declared, current).length > 0) return current;
  return service.upgrade?.inServiceStrategy?.previousSecondaryLaunchConfigs ?? current;
}

function isHalfway({ state }: Service): boolean {
  const half = ["upgrading", "upgraded", "canceling-upgrade", "canceled-upgrade"];
  return half.includes(state ?? "");
}

/** True for a property that is not given, or given as 'nothing'. */
function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === "" || value === false;
}

/** Where a service becomes one with a container on every host, or is no longer one. */
const GLOBAL_PATH = 'launchConfig.labels["io.rancher.scheduler.global"]';

/** The server refuses to make a global service one with a scale, or the other way round. */
function switchesGlobal(before: Props, after: Props): boolean {
  const configs = [before["launchConfig"], after["launchConfig"]];
  return !configs.some(hasUnknown) && isGlobal(configs[0]) !== isGlobal(configs[1]);
}

/** True when the number of containers is a matter of `scale`. */
function hasScale({ launchConfig, scalePolicy, selectorContainer }: Props): boolean {
  const image = (launchConfig as Props | undefined)?.["imageUuid"];
  const selectsOnly = !isMissing(selectorContainer) && image === undefined;
  return !isGlobal(launchConfig) && scalePolicy === undefined && !selectsOnly;
}

function withDefaults(given: Props): Props {
  const launchConfig = normalised(given["launchConfig"]);
  const inputs: Props = { startOnCreate: true, ...given };
  if (launchConfig !== undefined) inputs["launchConfig"] = launchConfig;
  const sidekicks = normalisedSidekicks(given[SIDEKICKS]);
  if (sidekicks !== undefined) inputs[SIDEKICKS] = sidekicks;
  const labels = (launchConfig as Props | undefined)?.["labels"];
  const knowable = launchConfig !== UNKNOWN && labels !== UNKNOWN;
  if (inputs["scale"] === undefined && knowable && hasScale(inputs)) inputs["scale"] = 1;
  return inputs;
}

function checkScale(inputs: Place): void {
  const scale = inputs.at("scale");
  scale.whole({ min: 0 });
  if (scale.present() && isGlobal(inputs.at("launchConfig").value)) {
    scale.reject(
      "has no meaning with the label io.rancher.scheduler.global, which puts one container on every host: leave one of them out",
    );
  }
}

function checkStrategy(strategy: Place, { launchConfig, retainIp, ...inputs }: Props): void {
  if (!strategy.isObject()) return;
  strategy.onlyKnown(["batchSize", "intervalMillis", "startFirst"]);
  strategy.at("batchSize").whole({ min: 1 });
  strategy.at("intervalMillis").whole({ min: 100 });
  strategy.at("startFirst").flag();
  const startFirst = strategy.at("startFirst");
  if (startFirst.value !== true) return;
  if ([launchConfig, ...sidekicksOf(inputs[SIDEKICKS])].some(publishesPorts)) {
    startFirst.reject(
      "cannot work with published ports: the old container has the host's port until it stops",
    );
  }
  if (retainIp === true) {
    startFirst.reject(
      "cannot work with retainIp: the old container has the address until it stops",
    );
  }
}

function unique(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, reason }) => {
    const key = `${path}\n${reason}`;
    return seen.has(key) ? false : (seen.add(key), true);
  });
}
