/** A machine that registers itself: waiting for it, labelling it, and letting it go in the right order. */
import type { Client } from "../client/client";
import { ApiError, CanceledError } from "../client/errors";
import { type Host, type Instance, isLeaving, isRemoved, type Service } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties, textValues } from "./checks";
import { observedInputs } from "./declared";
import { environmentOf } from "./ownership";
import { condition, isWell } from "./serviceLife";

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
    onlyProperties(place, ["matchLabels", "name", "description", "labels", "environmentId"]);
    const match = place.at("matchLabels");
    match.textMap({ required: true });
    if (match.present() && Object.keys(match.value as object).length === 0) {
      match.reject("must name at least one label, or any host would do");
    }
    place.at("labels").textMap();
    place.at("name").text({ maxLength: 255 });
    place.at("description").text({ maxLength: 1024 });
    place.at("environmentId").text();
    return { inputs, problems };
  },

  // Other labels mean another machine; the new one joins before the old one leaves.
  diff: ({ oldInputs, inputs }) =>
    diffInputs(oldInputs, inputs, { replace: ["matchLabels", "environmentId"] }),

  async create(client, inputs, call) {
    const environmentId = await client.environment(inputs["environmentId"], call);
    const found = await registered(client, environmentId, inputs["matchLabels"] as Labels, call);
    const described = await describe(client, environmentId, found, {}, inputs, call);
    return { id: found.id, outputs: outputsOf(inputs, environmentId, described) };
  },

  async read(client, { id, inputs, outputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const found = await client.find<Host>(pathOf(environmentId, id), call);
    if (found === undefined || isLeaving(found)) return undefined;
    const seen = observedInputs(inputs, ["name", "description", "labels"], found);
    return { state: { id, outputs: outputsOf(seen, environmentId, found) }, inputs: seen };
  },

  async update(client, { id, oldInputs, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    const found = await client.get<Host>(pathOf(environmentId, id), call);
    const described = await describe(client, environmentId, found, oldInputs, inputs, call);
    return outputsOf(inputs, environmentId, described);
  },

  /** Evacuate while there is somewhere to go, deactivate, remove. The machine itself is left alone. */
  async delete(client, { id, inputs, outputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const path = pathOf(environmentId, id);
    const until = deadline(call);
    const found = await client.find<Host>(path, call);
    if (found === undefined || isRemoved(found)) return;
    const services = await evacuate(client, environmentId, found, call);
    await deactivate(client, found, path, until, call);
    if (services.length > 0) await moved(client, environmentId, found, services, until, call);
    await remove(client, found, path, until, call);
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
    state: steadyState(found),
  };
}

/** A host whose agent is just coming back is still an active host; passing states are not told. */
function steadyState({ state }: Host): string {
  const passing = ["activating", "updating-active", "reconnecting", "finishing-reconnect"];
  return state === undefined || state === null || passing.includes(state) ? "active" : state;
}

function hasLabels(found: Host, labels: Labels): boolean {
  return Object.entries(labels).every(([key, value]) => found.labels?.[key] === value);
}

/** Waits for an active host with these labels; of several, the one that registered last. */
async function registered(
  client: Client,
  environmentId: string,
  labels: Labels,
  call: Call,
): Promise<Host> {
  const named = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
  return waitFor(client, call, {
    what: `a host labelled ${named} to register`,
    until: deadline(call),
    advice: "look at the machine: its agent's log, and whether it reaches the server's port",
    look: async (options): Promise<Seen<Host>> => {
      const hosts = await client.list<Host>(pathOf(environmentId), options);
      const ours = hosts.filter((h) => hasLabels(h, labels) && !isLeaving(h)).sort(newestFirst);
      const active = ours.find((h) => h.state === "active");
      if (active !== undefined) return { done: active };
      const [newest] = ours;
      if (newest === undefined)
        return { waiting: `none of ${hosts.length} hosts has these labels` };
      return { waiting: `host ${newest.id} is ${condition(newest)}` };
    },
  });
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

async function remove(
  client: Client,
  { id }: Host,
  path: string,
  until: number,
  call: Call,
): Promise<void> {
  await waitFor(client, call, {
    what: `host ${id} to be removed`,
    until,
    advice: "remove it in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const now = await client.find<Host>(path, options);
      if (now === undefined || isRemoved(now)) return { done: undefined };
      if (now.state !== "removing") {
        try {
          await client.delete(path, options);
        } catch (error) {
          // Its state changed since the look.
          if (!(error instanceof ApiError) || error.status !== 405) throw error;
        }
      }
      return { waiting: condition(now) };
    },
  });
}
