/** A stack: a name under which services live together, made by the program or from compose texts. */
import { createHash } from "node:crypto";
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import { isLeaving, type Service, type Stack } from "../client/types";
import { deadline } from "../client/wait";
import { PartialFailure } from "../plugin/serve";
import { type Call, type Props, type Resource, UNKNOWN } from "../plugin/types";
import { equal } from "../plugin/values";
import { inspect, onlyProperties, textValues } from "./checks";
import {
  checkDockerCompose,
  checkRancherCompose,
  restingServices,
  serviceNames,
  withoutServices,
} from "./composeFile";
import { matches, observedInputs } from "./declared";
import { locate } from "./identity";
import { findOrMake, type Making } from "./life";
import { changesEnvironment, diffInEnvironment, environmentOf, ownerMark } from "./ownership";
import { infrastructureReady } from "./serviceLife";
import { sidekicksOf } from "./sidekicks";
import {
  mustRun,
  removeServices,
  removeStack,
  servicesOf,
  servicesReady,
  settledStack,
  StackError,
  stackPath,
  type StackWork,
  startServices,
  type StackScope,
} from "./stackLife";
import { resumeUpgrade, type StackUpgrade, upgradeStack } from "./stackUpgrade";
import { RolledBack } from "./upgrades";

/** What the services are made from. A change is an upgrade. */
const COMPOSE = ["dockerCompose", "rancherCompose", "environment"];

/** See `rancher.Stack`. */
export const stack: Resource<Client> = {
  check(given) {
    const inputs = { ...given };
    if ("environment" in inputs) inputs["environment"] = textValues(inputs["environment"]);
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", ...COMPOSE, "startOnCreate", "environmentId"]);
    place.at("name").name();
    place.at("description").text({ maxLength: 1024 });
    place.at("environmentId").text();
    checkDockerCompose(place.at("dockerCompose"));
    checkRancherCompose(place.at("rancherCompose"));
    place.at("environment").textMap();
    place.at("startOnCreate").flag();
    for (const field of ["rancherCompose", "environment"]) {
      if (inputs["dockerCompose"] !== undefined || inputs[field] === undefined) continue;
      place.at(field).reject("has no meaning without dockerCompose");
    }
    return { inputs, problems };
  },

  diff(comparison) {
    const { oldInputs, inputs } = comparison;
    // The server executes no compose text for a stack that was made without one.
    const turns = isComposed(oldInputs) !== isComposed(inputs);
    const diff = diffInEnvironment(comparison, { replace: turns ? ["dockerCompose"] : [] });
    const replaces = Object.values(diff.changes).includes("replace");
    // A name is unique in its environment.
    const stays = !changesEnvironment(comparison) && equal(oldInputs["name"], inputs["name"]);
    return { ...diff, deleteBeforeReplace: replaces && stays };
  },

  preview(inputs, old) {
    const outputs = { ...inputs, ...pick(old, ["environmentId"]) };
    return isComposed(inputs) ? { ...outputs, externalId: UNKNOWN } : outputs;
  },

  async create(client, inputs, call) {
    const until = deadline(call);
    const environmentId = await client.environment(inputs["environmentId"], call);
    if (isComposed(inputs) && inputs["startOnCreate"] !== false) {
      await infrastructureReady(client, call, environmentId, until);
    }
    const making = makingOf(client, environmentId, inputs, call, until);
    const { id, found } = await findOrMake(client, making);
    const work = workOn(client, call, environmentId, id, inputs, until);
    const outputs = { ...inputs, environmentId };
    try {
      // What was found may have been made from other inputs.
      const before = found === undefined ? inputs : importedInputs(found);
      return { id, outputs: await converge(work, before, inputs, call) };
    } catch (error) {
      if (error instanceof StackError) {
        // It is of no use to anybody, and has the name that the next try needs. If it cannot be removed
        // now, the next try does it.
        await removeStack(work).catch(() => undefined);
        throw error;
      }
      throw new PartialFailure({ id, outputs }, (error as Error).message);
    }
  },

  async read(client, known, call) {
    const { environmentId, id: wanted, isImport } = await locate(client, "stacks", known, call);
    const found = await client.find<Stack>(stackPath(environmentId, wanted), call);
    if (found === undefined || isLeaving(found)) return undefined;
    // Nothing becomes of it any more; making it anew removes it.
    if (found.state === "error" && isOwn(found, call)) return undefined;
    const { id } = found;
    const declared = isImport ? importedInputs(found) : known.inputs;
    const seen = observedInputs(declared, ["name", "description", "environment"], found);
    const outputs: Props = { ...seen, environmentId };
    if (!isComposed(declared)) return { state: { id, outputs }, inputs: seen };
    if (isImport) {
      const externalId = found.externalId ?? "";
      return { state: { id, outputs: { ...outputs, externalId } }, inputs: seen };
    }
    const work = workOn(client, call, environmentId, id, seen, deadline(call));
    const services = await servicesOf(work, { signal: call.signal });
    const { externalId } = known.outputs;
    const inputs = { ...seen, ...composeDrift(seen, found, services, externalId) };
    return {
      state: { id, outputs: { ...inputs, environmentId, ...pick(known.outputs, ["externalId"]) } },
      inputs,
    };
  },

  async update(client, { id, oldInputs, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    const work = workOn(client, call, environmentId, id, inputs, deadline(call));
    try {
      return await converge(work, oldInputs, inputs, call);
    } catch (error) {
      // Nothing was changed, or it was changed back: the old inputs stay true.
      const undone = error instanceof RolledBack || error instanceof ApiError;
      if (undone || error instanceof StackError || !isComposed(inputs)) throw error;
      const outputs = { ...inputs, environmentId, ...pick(old, ["externalId"]) };
      throw new PartialFailure({ id, outputs }, (error as Error).message);
    }
  },

  /** Removes everything in it too. */
  async delete(client, { id, inputs, outputs }, call) {
    if (client.held.has(id)) return;
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const named = { name: inputs["name"] ?? outputs["name"] ?? id };
    await removeStack(workOn(client, call, environmentId, id, named, deadline(call)));
  },
};

function workOn(
  client: Client,
  call: Call,
  environmentId: string,
  id: string,
  inputs: Props,
  until: number,
): StackWork {
  return {
    client,
    call,
    environmentId,
    id,
    what: `stack ${String(inputs["name"])} (${id})`,
    until,
  };
}

function isComposed(inputs: Props): boolean {
  return inputs["dockerCompose"] !== undefined;
}

function pick(from: Props | undefined, names: readonly string[]): Props {
  const entries = names.map((name): [string, unknown] => [name, from?.[name]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/**
 * What the server keeps beside the stack: whose it is and, for one made from compose texts, from which ones.
 * It takes over the mark of an upgrade once that is done.
 */
function markOf(inputs: Props, call: Pick<Call, "urn">): string {
  if (!isComposed(inputs)) return ownerMark(call);
  const texts = JSON.stringify(COMPOSE.map((field) => inputs[field] ?? null));
  const digest = createHash("sha256").update(texts).digest("hex").slice(0, 16);
  return `${ownerMark(call)}:${digest}`;
}

function isOwn({ externalId }: Stack, call: Pick<Call, "urn">): boolean {
  return externalId?.startsWith(ownerMark(call)) === true;
}

/** Brings a stack to what is declared, waits until its services run, and returns the outputs. */
async function converge(
  work: StackWork,
  oldInputs: Props,
  inputs: Props,
  call: Call,
): Promise<Props> {
  const options = { signal: call.signal };
  const mark = markOf(inputs, call);
  const composed = isComposed(inputs);
  const scope = scopeOf(oldInputs, inputs);
  let found = await settledStack(work);
  const resumed = composed && found.state !== "active";
  if (resumed) {
    await resumeUpgrade(work, found, mark, scope);
    found = await settledStack(work);
  }
  const same = COMPOSE.every((field) => equal(oldInputs[field], inputs[field]));
  // Where nothing is declared differently, only a run of ours that was broken off can be to blame.
  const other = found.externalId !== mark && (!same || isOwn(found, call));
  if (composed && (other || (isDrift(oldInputs) && !resumed))) {
    await upgradeStack(work, { ...upgradeOf(oldInputs, inputs), externalId: mark }, scope);
    const gone = namesMissing(oldInputs["dockerCompose"], inputs["dockerCompose"]);
    const services = await servicesOf(work, options);
    await removeServices(
      work,
      services.filter(({ name }) => gone.includes(name ?? "")),
    );
    found = await settledStack(work);
  }
  await describe(work, found, oldInputs, inputs);
  const { externalId } = await settledStack(work);
  const outputs = { ...inputs, environmentId: work.environmentId };
  if (!composed) return outputs;
  if (inputs["startOnCreate"] !== false) await startServices(work, scope);
  await servicesReady(work, scope);
  return { ...outputs, externalId: externalId ?? "" };
}

function upgradeOf(oldInputs: Props, inputs: Props): Omit<StackUpgrade, "externalId"> {
  const variables = (inputs["environment"] ?? {}) as Props;
  const before = (oldInputs["environment"] ?? {}) as Props;
  // The server adds the variables to those of before: one that is gone must not keep its value.
  const emptied = Object.keys(before).map((name): [string, string] => [name, ""]);
  return {
    dockerCompose: String(inputs["dockerCompose"]),
    rancherCompose: String(inputs["rancherCompose"] ?? ""),
    environment: { ...Object.fromEntries(emptied), ...variables },
  };
}

/** Sets name and description where they differ. */
async function describe(
  work: StackWork,
  found: Stack,
  oldInputs: Props,
  inputs: Props,
): Promise<void> {
  const fields = ["name", "description"] as const;
  const changed = fields.some(
    (field) => !equal(oldInputs[field], inputs[field]) || !matches(inputs[field], found[field]),
  );
  if (!changed) return;
  const body = { name: inputs["name"], description: inputs["description"] ?? null };
  const options = { signal: work.call.signal };
  await work.client.put(stackPath(work.environmentId, work.id), body, options);
}

function scopeOf(oldInputs: Props, inputs: Props): StackScope {
  const { dockerCompose, rancherCompose, startOnCreate } = inputs;
  const resting = restingServices(dockerCompose, rancherCompose);
  return {
    names: serviceNames(dockerCompose),
    mayRest: (name) => startOnCreate === false || resting.includes(name),
    added: namesMissing(dockerCompose, oldInputs["dockerCompose"]),
  };
}

/** Names of services that one text has and the other has not; none when that cannot be told. */
function namesMissing(text: unknown, other: unknown): string[] {
  const there = serviceNames(other);
  if (there === undefined) return [];
  return (serviceNames(text) ?? []).filter((name) => !there.includes(name));
}

/** The server tells the texts of the first time only. */
function importedInputs(found: Stack): Props {
  const { name, description, dockerCompose, rancherCompose } = found;
  // Those that an upgrade emptied are declared no more.
  const variables = Object.entries(found.environment ?? {}).filter(([, value]) => value !== "");
  const environment = Object.fromEntries(variables);
  return {
    name: name ?? "",
    ...(description ? { description } : {}),
    ...(dockerCompose ? { dockerCompose } : {}),
    ...(dockerCompose && rancherCompose ? { rancherCompose } : {}),
    ...(dockerCompose && variables.length > 0 ? { environment } : {}),
  };
}

/** Begins a line that says why the text on the server is not the declared one. */
const DRIFT = "# on the server: ";

function isDrift(oldInputs: Props): boolean {
  return String(oldInputs["dockerCompose"]).startsWith(DRIFT);
}

/**
 * What differs on the server from what the texts say. The server keeps the text of the first time only, so
 * the differences are told by its mark and its services: a text without those that are missing, and with a
 * line at its top when another text was executed, or an upgrade is not finished.
 */
function composeDrift(
  inputs: Props,
  found: Stack,
  services: readonly Service[],
  expected: unknown,
): Props {
  const text = inputs["dockerCompose"] as string;
  const there = services.flatMap((service) => [
    service.name,
    ...sidekicksOf(service.secondaryLaunchConfigs).map((sidekick) => sidekick["name"]),
  ]);
  const missing = (serviceNames(text) ?? []).filter((name) => !there.includes(name));
  const left = missing.length === 0 ? text : withoutServices(text, missing);
  const halfway = ["upgrading", "upgraded", "canceling-upgrade", "canceled-upgrade"];
  const another = expected !== undefined && (found.externalId ?? "") !== expected;
  const why = halfway.includes(found.state ?? "")
    ? `the stack is ${found.state ?? ""}`
    : another
      ? "another text"
      : missing.length > 0
        ? `without ${missing.join(", ")}`
        : undefined;
  const running = mustRun(services, scopeOf(inputs, inputs));
  const stopped = running.some(({ state }) => state === "inactive");
  return {
    ...(why === undefined || isDrift(inputs) ? {} : { dockerCompose: `${DRIFT}${why}\n${left}` }),
    ...(stopped ? { startOnCreate: false } : {}),
  };
}

/** How a stack of our own is found again or made; names are unique in an environment. */
function makingOf(
  client: Client,
  environmentId: string,
  inputs: Props,
  call: Call,
  until: number,
): Making<Stack> {
  const name = String(inputs["name"]);
  const path = stackPath(environmentId);
  return {
    async find() {
      const found = await client.list<Stack>(path, { signal: call.signal, query: { name } });
      const same = found.find((s) => s.name?.toLowerCase() === name.toLowerCase() && !isLeaving(s));
      if (same === undefined) return undefined;
      if (!isOwn(same, call)) {
        throw new Error(
          `the environment has a stack named ${JSON.stringify(name)} (${same.id}) that this program did not make: choose another name, remove it, or import it with this id`,
        );
      }
      if (same.state !== "error" && same.state !== "erroring") return same;
      await removeStack(workOn(client, call, environmentId, same.id, inputs, until));
      return undefined;
    },
    make() {
      const fields = pick(inputs, ["name", "description", ...COMPOSE]);
      const start = isComposed(inputs) ? { startOnCreate: inputs["startOnCreate"] !== false } : {};
      const externalId = markOf(inputs, call);
      return client.post<Stack>(path, { ...fields, ...start, externalId }, call);
    },
  };
}
