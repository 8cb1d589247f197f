/** A setting of the server: a stored value takes the place of the one that the server came with. */
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import type { Setting } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import type { Call, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";

/** How long a stored value may take to come into effect; recorded: less than 15 ms. Milliseconds. */
const EFFECT_MS = 60_000;

/** Sources whose values win over stored ones. Source: the order of configurations in the server's sources. */
const PRESET = /^(Environment Variables|System Properties|cattle-local\.properties)$/i;

/** See `rancher.Setting`. */
export const setting: Resource<Client> = {
  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "value"]);
    const name = place.at("name");
    name.text({ required: true, maxLength: 255 });
    if (typeof name.value === "string" && !/^[A-Za-z0-9._:-]*$/.test(name.value)) {
      name.reject("must be letters, digits, dots and hyphens, as in api.host");
    }
    const value = place.at("value");
    // Nothing is a value too: `registry.default` is empty on a server that nobody has changed.
    if (value.present(true)) value.text({ maxLength: 16_777_215 });
    return { inputs, problems };
  },

  // Deleting one after it was made anew under the same name would take the new value away.
  diff: ({ oldInputs, inputs }) =>
    diffInputs(oldInputs, inputs, { replace: ["name"], deleteBeforeReplace: true }),

  async create(client, inputs, call) {
    const { name, value } = inputs as { name: string; value: string };
    await store(client, name, value, call);
    return { id: name, outputs: inputs };
  },

  async read(client, { id, inputs }, call) {
    const found = await client.find<Setting>(pathOf(id), call);
    // The server answers for every name; one without a stored value has its default.
    if (found === undefined || found.inDb === false || isUnset(found.value)) return undefined;
    const effective = isUnset(found.activeValue) ? found.value : found.activeValue;
    const { value } = inputs;
    const seen = { name: id, value: same(value, effective) ? value : effective };
    return { state: { id, outputs: seen }, inputs: seen };
  },

  async update(client, { id, inputs }, call) {
    await store(client, id, String(inputs["value"]), call);
    return inputs;
  },

  /** The server's own default applies again; what was stored before this resource is not restored. */
  async delete(client, { id }, call) {
    await waitFor(client, call, {
      what: `setting ${id} to go back to the server's default`,
      until: Math.min(deadline(call), Date.now() + EFFECT_MS),
      advice: "remove its value in Rancher, under Admin, Settings",
      look: async (options): Promise<Seen<void>> => {
        const found = await client.find<Setting>(pathOf(id), options);
        if (found?.inDb !== true) return { done: undefined };
        await client.delete(pathOf(id), options);
        return { waiting: "its value is still stored" };
      },
    });
  },
};

function pathOf(name: string): string {
  return `/v2-beta/settings/${encodeURIComponent(name)}`;
}

function isUnset(value: string | null | undefined): value is null | undefined {
  return value === null || value === undefined;
}

/** The server keeps lists as lists: `a, b` may come back as `[a, b]` or `a,b`. */
function same(declared: unknown, actual: string | null | undefined): boolean {
  if (typeof declared !== "string") return false;
  const [one, other] = [declared, actual ?? ""].map((value) =>
    value.replace(/^\[(.*)\]$/s, "$1").replace(/\s*,\s*/g, ","),
  );
  return one === other;
}

/** Stores a value and waits until it is the one in effect. */
async function store(client: Client, name: string, value: string, call: Call): Promise<void> {
  const path = pathOf(name);
  const before = await client.get<Setting>(path, call);
  if (PRESET.test(before.source ?? "")) throw preset(name, before);
  try {
    // The answer still shows the earlier value in effect.
    await client.put<Setting>(path, { value }, call);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 405) throw error;
    throw new Error(
      `${error.message}; settings are changed with the key of an administrator, not with that of an environment`,
    );
  }
  await waitFor(client, call, {
    what: `setting ${name} to have its new value`,
    until: Math.min(deadline(call), Date.now() + EFFECT_MS),
    advice: "see what the server says at its start about where its settings come from",
    look: async (options): Promise<Seen<void>> => {
      const now = await client.get<Setting>(path, options);
      if (same(value, now.activeValue)) return { done: undefined };
      if (PRESET.test(now.source ?? "")) throw preset(name, now);
      return { waiting: `the value in effect comes from ${now.source ?? "nowhere"}` };
    },
  });
}

function preset(name: string, { source }: Setting): Error {
  const variable = `CATTLE_${name.replaceAll(".", "_").toUpperCase()}`;
  return new Error(
    `setting ${name} is fixed by the server's own start (${source ?? ""}), and a stored value would have no effect: take ${variable} out of the server's environment, or leave this setting to it`,
  );
}
