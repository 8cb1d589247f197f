/** What `Service` and `LoadBalancer` have in common as Pulumi resources. */
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import { isLeaving, type Service } from "../client/types";
import { deadline } from "../client/wait";
import { changedPaths, diffInputs } from "../plugin/diff";
import { PartialFailure } from "../plugin/serve";
import { type Call, type Problem, type Props, type Resource, UNKNOWN } from "../plugin/types";
import { inspect, onlyProperties, type Place } from "./checks";
import { matches, observedInputs, withoutDefaults } from "./declared";
import {
  checkLaunchConfig,
  isGlobal,
  LAUNCH_CONFIG_DEFAULTS,
  normalised,
  publishesPorts,
} from "./launchConfig";
import { environmentOf } from "./ownership";
import {
  type Change,
  converge,
  findOrMake,
  infrastructureReady,
  type Kind,
  removeService,
  RolledBack,
  servicePath,
  type UpgradeStrategy,
  type Work,
} from "./serviceLife";

/** How one of the two kinds differs from the other. */
export interface Variant {
  readonly kind: Kind;
  /** In messages: `service` or `load balancer`. */
  readonly noun: string;
  /** Properties besides those that both have. */
  readonly properties: readonly string[];
  /** Of these, the ones that the server has under the same name. A PUT changes them. */
  readonly fields: readonly string[];
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
      checkLaunchConfig(place.at("launchConfig"));
      checkScale(place);
      checkStrategy(place.at("upgradeStrategy"), inputs["launchConfig"]);
      variant.check(place);
      return { inputs, problems: unique(problems) };
    },

    diff({ oldInputs, inputs }) {
      const diff = diffInputs(oldInputs, inputs, { replace: ["stackId", "environmentId"] });
      const replaces = Object.values(diff.changes).includes("replace");
      // Old and new containers cannot both have the same port of a host.
      return { ...diff, deleteBeforeReplace: replaces && publishesPorts(inputs["launchConfig"]) };
    },

    async create(client, inputs, call) {
      const until = deadline(call);
      const environmentId = await client.environment(inputs["environmentId"], call);
      if (inputs["startOnCreate"] !== false) {
        await infrastructureReady(client, call, environmentId, until);
      }
      const body = Object.fromEntries(
        [...live, "stackId", "launchConfig", "startOnCreate"]
          .filter((field) => inputs[field] !== undefined)
          .map((field) => [field, inputs[field]]),
      );
      const { service, adopted } = await findOrMake(client, call, kind, environmentId, {
        ...body,
        stackId: String(inputs["stackId"]),
        name: String(inputs["name"]),
      });
      if (adopted) client.held.add(service.id);
      const state = { id: service.id, outputs: { ...inputs, environmentId } };
      try {
        const work = workOn(client, call, environmentId, service, until);
        await converge(work, changeOf(inputs, inputs));
      } catch (error) {
        // It exists: keep it, so that the next run goes on with it.
        throw new PartialFailure(state, (error as Error).message);
      }
      return state;
    },

    async read(client, { id, inputs, outputs }, call) {
      const environmentId = await environmentOf(client, { inputs, outputs }, call);
      const path = servicePath(kind, environmentId, id);
      const service = await client.find<Service>(path, { signal: call.signal });
      if (service === undefined || isLeaving(service)) return undefined;
      const isImport = inputs["name"] === undefined;
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
    return {
      ...observedInputs(inputs, ["stackId", "launchConfig", ...live], containers),
      // Stopped behind our back: starting it is what the program asks for.
      ...(stopped ? { startOnCreate: false } : {}),
    };
  }

  function imported(service: Service): Props {
    const actual = normalised(service.launchConfig ?? {}) as Props;
    const launchConfig = withoutDefaults(actual, LAUNCH_CONFIG_DEFAULTS);
    delete launchConfig["version"];
    const fields = withoutDefaults(
      Object.fromEntries(["stackId", ...live].map((f) => [f, service[f as keyof Service]])),
      {},
    );
    if (isGlobal(launchConfig)) delete fields["scale"];
    return {
      ...fields,
      launchConfig: variant.imported(launchConfig),
      startOnCreate: service.state !== "inactive",
    };
  }
}

/**
 * What the service's containers are started with. In the middle of an upgrade both the earlier and the
 * later one are there; the one that differs from the declared one is told, so that the next update sees
 * a change and ends the upgrade.
 */
function launchConfigOf(inputs: Props, service: Service): unknown {
  const half = ["upgrading", "upgraded", "canceling-upgrade", "canceled-upgrade"];
  const current = normalised(service.launchConfig);
  if (!half.includes(service.state ?? "")) return current;
  if (!matches(inputs["launchConfig"], current)) return current;
  const previous = service.upgrade?.inServiceStrategy?.previousLaunchConfig;
  return normalised(previous ?? undefined) ?? current;
}

function withDefaults(given: Props): Props {
  const launchConfig = normalised(given["launchConfig"]);
  const inputs: Props = { startOnCreate: true, ...given };
  if (launchConfig !== undefined) inputs["launchConfig"] = launchConfig;
  const labels = (launchConfig as Props | undefined)?.["labels"];
  const knowable = launchConfig !== UNKNOWN && labels !== UNKNOWN;
  if (inputs["scale"] === undefined && knowable && !isGlobal(launchConfig)) inputs["scale"] = 1;
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

function checkStrategy(strategy: Place, launchConfig: unknown): void {
  if (!strategy.isObject()) return;
  strategy.onlyKnown(["batchSize", "intervalMillis", "startFirst"]);
  strategy.at("batchSize").whole({ min: 1 });
  strategy.at("intervalMillis").whole({ min: 100 });
  strategy.at("startFirst").flag();
  if (strategy.at("startFirst").value === true && publishesPorts(launchConfig)) {
    strategy
      .at("startFirst")
      .reject(
        "cannot work with published ports: the old container has the host's port until it stops",
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
