/** An API key: what a program logs in with, as an account or as an environment. */
import type { Client } from "../client/client";
import { type ApiKey, isLeaving } from "../client/types";
import { deadline } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import { PartialFailure } from "../plugin/serve";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";
import { makeKey, provenKey, removeCredential } from "./credentials";
import { observedInputs } from "./declared";
import { ENVIRONMENTS } from "./environments";
import { isMarked, MARKED_DESCRIPTION_LENGTH, marked, unmarked } from "./marks";

/**
 * Public halves of the keys that the engine has shown to this process, so that somebody holds their
 * secrets; every other key with a resource's mark is an orphan. The engine asks for a diff before it
 * replaces a key: the old one is in use until everything has the new one, and no orphan.
 */
const inState = new Set<unknown>();

/** See `rancher.ApiKey`. */
export const apiKey: Resource<Client> = {
  secretOutputs: ["secretKey"],

  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", "environmentId", "accountId"]);
    place.at("name").text({ maxLength: 255 });
    place.at("description").text({ maxLength: MARKED_DESCRIPTION_LENGTH });
    place.at("environmentId").text({ minLength: 1 });
    const account = place.at("accountId");
    account.text({ minLength: 1 });
    if (account.present() && inputs["environmentId"] !== undefined) {
      account.reject("cannot be given with environmentId: such a key is the environment's");
    }
    return { inputs, problems };
  },

  diff({ oldInputs, old, inputs }) {
    inState.add(old["accessKey"]);
    return diffInputs(oldInputs, inputs, { replace: ["environmentId", "accountId"] });
  },

  async create(client, inputs, call) {
    const key = await make(client, inputs, call);
    const { id, publicValue: accessKey, secretValue: secretKey } = key;
    const state = { id, outputs: { ...inputs, accessKey, secretKey } };
    try {
      await finish(client, id, state.outputs, call);
    } catch (error) {
      // Its secret is told once: what is not noted now is lost.
      throw new PartialFailure(state, (error as Error).message);
    }
    return state;
  },

  async read(client, { id, inputs, outputs }, call) {
    const { accessKey, secretKey } = outputs;
    if (typeof accessKey !== "string" || typeof secretKey !== "string") {
      throw new Error(
        "an API key cannot be imported, because the server never tells its secret again: declare a new one and remove this one",
      );
    }
    inState.add(accessKey);
    const key = await client.find<ApiKey>(pathOf(outputs, id), call);
    if (key === undefined || isLeaving(key)) return undefined;
    // A deactivated key opens nothing, and activating one is nobody's wish but its owner's.
    if (key.state === "inactive" || key.state === "deactivating") return undefined;
    const actual = { ...key, description: unmarked(key) };
    const seen = observedInputs(inputs, ["name", "description"], actual);
    return { state: { id, outputs: { ...seen, accessKey, secretKey } }, inputs: seen };
  },

  async update(client, { id, old, inputs }, call) {
    const { accessKey, secretKey } = old;
    inState.add(accessKey);
    await client.put(pathOf(inputs, id), described(inputs, call), call);
    await finish(client, id, { ...inputs, accessKey, secretKey }, call);
    return { ...inputs, accessKey, secretKey };
  },

  async delete(client, { id, outputs }, call) {
    await removeCredential(client, call, {
      path: pathOf(outputs, id),
      what: `API key ${id}`,
      until: deadline(call),
    });
  },
};

function pathOf({ environmentId }: Props, id = ""): string {
  const base =
    environmentId === undefined ? "/v2-beta" : `${ENVIRONMENTS}/${String(environmentId)}`;
  return `${base}/apikeys${id === "" ? "" : `/${id}`}`;
}

/** What may be changed of a key: names are not unique, so the description carries our mark as well. */
function described(inputs: Props, call: Call) {
  return { name: inputs["name"] ?? null, description: marked(inputs["description"], call) };
}

async function make(client: Client, inputs: Props, call: Call) {
  const { accountId } = inputs;
  const key = await makeKey(client, call, {
    path: pathOf(inputs),
    body: { ...described(inputs, call), ...(accountId === undefined ? {} : { accountId }) },
    until: deadline(call),
    removeOrphans: () => removeOrphans(client, inputs, "", call),
  });
  const wanted = accountId ?? inputs["environmentId"] ?? key.accountId;
  if (key.accountId === wanted) return key;
  // An account without the right to do this gets a key of its own instead, without a word.
  await removeCredential(client, call, {
    path: `/v2-beta/apikeys/${key.id}`,
    what: `API key ${key.id}`,
    until: deadline(call),
  });
  throw new Error(
    `the server made the key for account ${String(key.accountId)} instead of ${String(wanted)}: the provider's key may not make keys for others`,
  );
}

/** Waits until the key works and removes those that broken-off runs of this resource left behind. */
async function finish(client: Client, id: string, outputs: Props, call: Call): Promise<void> {
  const { accessKey, secretKey } = outputs as { accessKey: string; secretKey: string };
  await provenKey(client, call, { id, accessKey, secretKey, until: deadline(call) });
  await removeOrphans(client, outputs, id, call);
}

async function removeOrphans(client: Client, of: Props, keep: string, call: Call): Promise<void> {
  const keys = await client.list<ApiKey>(pathOf(of), call);
  const orphans = keys.filter(
    (key) =>
      isMarked(key, call) && key.id !== keep && !inState.has(key.publicValue) && !isLeaving(key),
  );
  for (const { id } of orphans) {
    await removeCredential(client, call, {
      path: pathOf(of, id),
      what: `old API key ${id}`,
      until: deadline(call),
    });
  }
}
