/** A machine that registers itself: waiting for it, labelling it, and letting it go in the right order. */
import { isIPv4 } from "node:net";
import type { Client } from "../client/client";
import { CanceledError } from "../client/errors";
import { type Host, type Instance, isLeaving, isRemoved, type Service } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { type Call, hasUnknown, type Props, type Resource } from "../plugin/types";
import { inspect, onlyProperties, type Place, textValues } from "./checks";
import { condition, isWell } from "./containers";
import { observedInputs } from "./declared";
import { globalServicesRun } from "./globalServices";
import { locate } from "./identity";
import { removed } from "./life";
import { diffInEnvironment, environmentOf } from "./ownership";

/** Longest time for moving a host's containers to others before it is removed with them. Milliseconds. */
const EVACUATION_MS = 120_000;

type Labels = Readonly<Record<string, string>>;

/** See `rancher.Host`. */
export const host: Resource<Client> = {
  check(given) {
    const inputs = { ...given };
    for (const field of ["matchLabels", "labels"]) {
      if (field in inputs) inputs[field] = textValues(inputs[field]);
    }
    const { place, problems } = inspect(inputs);
    onlyProperties(place, [
      ...MATCHERS,
      "name",
      "description",
      "labels",
      "waitForServices",
      "environmentId",
    ]);
    checkMatch(place);
    place.at("labels").textMap();
    place.at("waitForServices").flag();
    place.at("name").text({ maxLength: 255 });
    place.at("description").text({ maxLength: 1024 });
    place.at("environmentId").text();
    return { inputs, problems };
  },

  diff(comparison) {
    const { old, inputs } = comparison;
    // Other labels mean another machine, unless they are labels of this one too; the new one joins before
    // the old one leaves.
    const same = !hasUnknown(MATCHERS.map((f) => inputs[f])) && isMatch(inputs, old);
    return diffInEnvironment(comparison, { replace: same ? [] : MATCHERS });
  },

  async create(client, inputs, call) {
    const until = deadline(call);
    const environmentId = await client.environment(inputs["environmentId"], call);
    const found = await registered(client, environmentId, inputs, call);
    // Other ways to say which machine it is may lead to the one that is known already.
    client.held.add(found.id);
    const described = await describe(client, environmentId, found, {}, inputs, call);
    if (inputs["waitForServices"] === true) {
      await globalServicesRun(client, environmentId, found.id, until, call);
    }
    return { id: found.id, outputs: outputsOf(inputs, environmentId, described) };
  },

  async read(client, known, call) {
    const { environmentId, id: wanted, isImport } = await locate(client, "hosts", known, call);
    const found = await client.find<Host>(pathOf(environmentId, wanted), call);
    if (found === undefined || isLeaving(found)) return undefined;
    const { id } = found;
    const declared = isImport ? importedInputs(found) : known.inputs;
    const seen = observedInputs(declared, ["name", "description", "labels"], found);
    const outputs = outputsOf(seen, environmentId, found);
    // A machine may come back by itself: told, and shown by the output, but no reason to change anything.
    if (outputs["state"] !== "active") {
      call.status(`host ${id} (${found.hostname ?? ""}) is ${condition(found)}`);
    }
    return { state: { id, outputs }, inputs: seen };
  },

  async update(client, { id, oldInputs, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    const found = await client.get<Host>(pathOf(environmentId, id), call);
    const described = await describe(client, environmentId, found, oldInputs, inputs, call);
    return outputsOf(inputs, environmentId, described);
  },

  /** Evacuate while there is somewhere to go, deactivate, remove. The machine itself is left alone. */
  async delete(client, { id, inputs, outputs }, call) {
    if (client.held.has(id)) return;
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const path = pathOf(environmentId, id);
    const until = deadline(call);
    const found = await client.find<Host>(path, call);
    if (found === undefined || isRemoved(found)) return;
    const services = await evacuate(client, environmentId, found, call);
    await deactivate(client, found, path, until, call);
    if (services.length > 0) await moved(client, environmentId, found, services, until, call);
    const what = `host ${id}`;
    await removed(client, call, { path, what, until, advice: "remove it in Rancher" });
  },
};

function pathOf(environmentId: string, id = ""): string {
  return `/v2-beta/projects/${environmentId}/hosts${id === "" ? "" : `/${id}`}`;
}

function outputsOf(inputs: Props, environmentId: string, found: Host): Props {
  return {
    ...inputs,
    environmentId,
    hostname: found.hostname ?? "",
    agentIpAddress: found.agentIpAddress ?? "",
    hostLabels: ownLabels(found),
    state: steadyState(found),
  };
}

/** A host's labels without those that Rancher itself keeps up to date. */
function ownLabels({ labels }: Host): Labels {
  const entries = Object.entries(labels ?? {});
  return Object.fromEntries(entries.filter(([key]) => !key.startsWith("io.rancher.host.")));
}

function importedInputs(found: Host): Props {
  const { name, description, agentIpAddress } = found;
  const match = agentIpAddress
    ? { matchAddress: agentIpAddress }
    : { matchLabels: ownLabels(found) };
  return { ...match, ...(name ? { name } : {}), ...(description ? { description } : {}) };
}

/** A host whose agent is just coming back is still an active host; passing states are not told. */
function steadyState({ state }: Host): string {
  const passing = ["activating", "updating-active", "reconnecting", "finishing-reconnect"];
  return state === undefined || state === null || passing.includes(state) ? "active" : state;
}

/** The ways to say which machine a host is; exactly one is used. */
const MATCHERS = ["matchLabels", "matchAddress"];

/** What tells one machine from another, as it is in the outputs. */
interface Known {
  readonly agentIpAddress: string | null;
  readonly hostLabels: Labels;
}

function checkMatch(inputs: Place): void {
  const [labels, address] = [inputs.at("matchLabels"), inputs.at("matchAddress")];
  const given = [labels, address].filter(({ value }) => value !== undefined);
  if (given.length === 0) labels.reject("is required, or matchAddress is");
  if (given.length > 1) address.reject("must not be given together with matchLabels");
  labels.textMap();
  if (labels.present() && Object.keys(labels.value as object).length === 0) {
    labels.reject("must name at least one label, or any host would do");
  }
  address.text();
  if (typeof address.value === "string" && !isIPv4(address.value)) {
    address.reject(`must be an IPv4 address, got ${JSON.stringify(address.value)}`);
  }
}

/** True when a host is the machine that the inputs speak of. */
function isMatch({ matchLabels, matchAddress }: Props, known: Partial<Known>): boolean {
  if (matchLabels === undefined) return known.agentIpAddress === matchAddress;
  return Object.entries(matchLabels as Labels).every(([k, v]) => known.hostLabels?.[k] === v);
}

/** Waits for such a host to be active; of several, the one that registered last. */
async function registered(
  client: Client,
  environmentId: string,
  inputs: Props,
  call: Call,
): Promise<Host> {
  const named = Object.entries((inputs["matchLabels"] ?? {}) as Labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
  const is = named === "" ? `with address ${String(inputs["matchAddress"])}` : `labelled ${named}`;
  return waitFor(client, call, {
    what: `a host ${is} to register`,
    until: deadline(call),
    advice: "look at the machine: its agent's log, and whether it reaches the server's port",
    look: async (options): Promise<Seen<Host>> => {
      const hosts = await client.list<Host>(pathOf(environmentId), options);
      const ours = hosts.filter((h) => isHost(inputs, h) && !isLeaving(h)).sort(newestFirst);
      const active = ours.find((h) => h.state === "active");
      if (active !== undefined) return { done: active };
      const [newest] = ours;
      if (newest !== undefined) return { waiting: `host ${newest.id} is ${condition(newest)}` };
      const missing = named === "" ? "has this address" : "has these labels";
      return { waiting: `none of ${hosts.length} hosts ${missing}` };
    },
  });
}

function isHost(inputs: Props, { agentIpAddress, labels }: Host): boolean {
  return isMatch(inputs, { agentIpAddress: agentIpAddress ?? null, hostLabels: labels ?? {} });
}

function newestFirst(a: Host, b: Host): number {
  const number = (h: Host): number => Number(h.id.replace(/\D*\d\D+/, ""));
  return (b.createdTS ?? 0) - (a.createdTS ?? 0) || number(b) - number(a);
}

/** Sets name, description and labels where they differ. Labels of others stay. */
async function describe(
  client: Client,
  environmentId: string,
  found: Host,
  oldInputs: Props,
  inputs: Props,
  call: Call,
): Promise<Host> {
  const before = (oldInputs["labels"] as Labels | undefined) ?? {};
  const wanted = (inputs["labels"] as Labels | undefined) ?? {};
  // A PUT replaces the whole map.
  const kept = Object.entries(found.labels ?? {}).filter(([k]) => !(k in before) || k in wanted);
  const labels: Labels = { ...Object.fromEntries(kept), ...wanted };
  const body: Props = {};
  for (const field of ["name", "description"] as const) {
    const declared = inputs[field] ?? (oldInputs[field] === undefined ? undefined : null);
    if (declared !== undefined && declared !== (found[field] ?? null)) body[field] = declared;
  }
  const keys = new Set([...Object.keys(labels), ...Object.keys(found.labels ?? {})]);
  if ([...keys].some((key) => labels[key] !== found.labels?.[key])) body["labels"] = labels;
  if (Object.keys(body).length === 0) return found;
  const path = pathOf(environmentId, found.id);
  await client.put(path, body, call);
  return waitFor(client, call, {
    what: `host ${found.id} to take its new labels`,
    until: deadline(call),
    advice: "try again",
    look: async (options): Promise<Seen<Host>> => {
      const now = await client.get<Host>(path, options);
      if (now.state === "updating-active" || now.state === "updating-inactive") {
        return { waiting: condition(now) };
      }
      return { done: now };
    },
  });
}

/** Asks for evacuation if there is somewhere to go; the services whose containers are to move. */
async function evacuate(
  client: Client,
  environmentId: string,
  found: Host,
  call: Call,
): Promise<string[]> {
  if (found.state !== "active") return [];
  const hosts = await client.list<Host>(pathOf(environmentId), call);
  if (!hosts.some((other) => other.id !== found.id && other.state === "active")) return [];
  const path = pathOf(environmentId, found.id);
  const here = await client.list<Instance>(`${path}/instances`, call);
  try {
    const action = { signal: call.signal, query: { action: "evacuate" } };
    await client.post(`${path}/`, undefined, action);
  } catch (error) {
    if (error instanceof CanceledError) throw error;
    call.status(`host ${found.id} is removed without evacuation: ${(error as Error).message}`);
    return [];
  }
  return [...new Set(here.filter(isMovable).flatMap((instance) => instance.serviceIds ?? []))];
}

/** An active host cannot be removed. */
async function deactivate(
  client: Client,
  { id }: Host,
  path: string,
  until: number,
  call: Call,
): Promise<void> {
  const active = ["active", "reconnecting", "disconnected", "finishing-reconnect"];
  await waitFor(client, call, {
    what: `host ${id} to be deactivated`,
    until,
    advice: "deactivate it in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const now = await client.find<Host>(path, options);
      if (now === undefined || isLeaving(now) || now.state === "inactive")
        return { done: undefined };
      if (active.includes(now.state ?? "")) {
        const elsewhere = (h: Host): boolean => !active.includes(h.state ?? "");
        await client.act<Host>(path, "deactivate", undefined, elsewhere, options);
      }
      return { waiting: condition(now) };
    },
  });
}

/** Waits, not for ever, until the host's containers run elsewhere. */
async function moved(
  client: Client,
  environmentId: string,
  found: Host,
  services: readonly string[],
  until: number,
  call: Call,
): Promise<void> {
  try {
    await waitFor(client, call, {
      what: `the containers of host ${found.id} to move`,
      until: Date.now() + Math.min(EVACUATION_MS, (until - Date.now()) * 0.4),
      advice: "look at the services in Rancher",
      look: async (options): Promise<Seen<void>> => {
        const path = `${pathOf(environmentId, found.id)}/instances`;
        const here = (await client.list<Instance>(path, options)).filter(isMovable);
        if (here.length > 0) return { waiting: `${here.length} are left` };
        for (const id of services) {
          const servicePath = `/v2-beta/projects/${environmentId}/services/${id}`;
          const service = await client.find<Service>(servicePath, options);
          if (service === undefined || isLeaving(service) || service.state === "inactive") continue;
          if (service.state !== "active" || !isWell(service.healthState)) {
            return { waiting: `service ${service.name ?? id} is ${condition(service)}` };
          }
        }
        return { done: undefined };
      },
    });
  } catch (error) {
    if (call.signal.aborted) throw error;
    call.status(`host ${found.id} is removed all the same: ${(error as Error).message}`);
  }
}

function isMovable(instance: Instance): boolean {
  const labels = instance.labels ?? {};
  return (
    instance.state === "running" &&
    instance.system !== true &&
    labels["io.rancher.container.system"] === undefined &&
    labels["io.rancher.scheduler.global"] !== "true"
  );
}
