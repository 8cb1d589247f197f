/** A stack: a name under which services live together. */
import type { Client } from "../client/client";
import { hasCode, isPassing } from "../client/errors";
import { isLeaving, isRemoved, type Stack } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import { PartialFailure } from "../plugin/serve";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";
import { observedInputs } from "./declared";
import { environmentOf, ownerMark } from "./ownership";
import { condition } from "./serviceLife";

/** See `rancher.Stack`. */
export const stack: Resource<Client> = {
  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", "environmentId"]);
    place.at("name").name();
    place.at("description").text({ maxLength: 1024 });
    place.at("environmentId").text();
    return { inputs, problems };
  },

  diff: ({ oldInputs, inputs }) => diffInputs(oldInputs, inputs, { replace: ["environmentId"] }),

  async create(client, inputs, call) {
    const environmentId = await client.environment(inputs["environmentId"], call);
    const id = await findOrMake(client, environmentId, inputs, call);
    const state = { id, outputs: { ...inputs, environmentId } };
    try {
      await active(client, environmentId, id, inputs, call);
    } catch (error) {
      throw new PartialFailure(state, (error as Error).message);
    }
    return state;
  },

  async read(client, { id, inputs, outputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const found = await client.find<Stack>(pathOf(environmentId, id), call);
    if (found === undefined || isLeaving(found)) return undefined;
    // An import has no inputs yet.
    const declared = inputs["name"] === undefined ? importedInputs(found) : inputs;
    const seen = observedInputs(declared, ["name", "description"], found);
    return { state: { id, outputs: { ...seen, environmentId } }, inputs: seen };
  },

  async update(client, { id, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    await client.put(
      pathOf(environmentId, id),
      { name: inputs["name"], description: inputs["description"] ?? null },
      call,
    );
    await active(client, environmentId, id, inputs, call);
    return { ...inputs, environmentId };
  },

  /** Removes everything in it too. */
  async delete(client, { id, inputs, outputs }, call) {
    if (client.held.has(id)) return;
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const path = pathOf(environmentId, id);
    await client.delete(path, { signal: call.signal });
    await waitFor(client, call, {
      what: `stack ${String(inputs["name"] ?? id)} (${id}) to be removed`,
      until: deadline(call),
      advice: "look at its services in Rancher",
      look: async (options): Promise<Seen<void>> => {
        const found = await client.find<Stack>(path, options);
        if (found === undefined || isRemoved(found)) return { done: undefined };
        if (found.state !== "removing") await client.delete(path, options);
        return { waiting: condition(found) };
      },
    });
  },
};

function pathOf(environmentId: string, id = ""): string {
  return `/v2-beta/projects/${environmentId}/stacks${id === "" ? "" : `/${id}`}`;
}

function importedInputs({ name, description }: Stack): Props {
  return { name: name ?? "", ...(description ? { description } : {}) };
}

/** Finds the stack that a broken-off run made, or makes it. */
async function findOrMake(
  client: Client,
  environmentId: string,
  inputs: Props,
  call: Call,
): Promise<string> {
  const name = String(inputs["name"]);
  const find = async (): Promise<string | undefined> => {
    const found = await client.list<Stack>(pathOf(environmentId), {
      signal: call.signal,
      query: { name },
    });
    const same = found.find((s) => s.name?.toLowerCase() === name.toLowerCase() && !isLeaving(s));
    if (same === undefined) return undefined;
    if (same.externalId !== ownerMark(call)) {
      throw new Error(
        `the environment has a stack named ${JSON.stringify(name)} (${same.id}) that this program did not make: choose another name, remove it, or import it with this id`,
      );
    }
    client.held.add(same.id);
    return same.id;
  };
  const existing = await find();
  if (existing !== undefined) return existing;
  const body = { name, description: inputs["description"], externalId: ownerMark(call) };
  try {
    return (await client.post<Stack>(pathOf(environmentId), body, call)).id;
  } catch (error) {
    if (!isPassing(error) && !hasCode(error, "NotUnique")) throw error;
    const made = await find();
    if (made === undefined) throw error;
    return made;
  }
}

async function active(
  client: Client,
  environmentId: string,
  id: string,
  inputs: Props,
  call: Call,
): Promise<void> {
  await waitFor(client, call, {
    what: `stack ${String(inputs["name"])} (${id}) to become active`,
    until: deadline(call),
    advice: "look at it in Rancher",
    look: async (options): Promise<Seen<void>> => {
      const found = await client.get<Stack>(pathOf(environmentId, id), options);
      if (isLeaving(found)) throw new Error(`stack ${id} was removed meanwhile`);
      // Unlike a service's, a stack's error is final.
      if (found.state === "error") throw new Error(`stack ${id} failed: ${condition(found)}`);
      if (found.state === "active" && found.transitioning !== "yes") return { done: undefined };
      return { waiting: condition(found) };
    },
  });
}
