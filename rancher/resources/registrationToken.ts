/** A registration token: what a machine needs to become a host of an environment. */
import type { Client } from "../client/client";
import { isLeaving, type RegistrationToken } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";
import { waitingOn } from "./containers";
import { removeCredential } from "./credentials";
import { matches, observedInputs } from "./declared";
import { locate } from "./identity";
import { findOrMake } from "./life";
import { isMarked, MARKED_DESCRIPTION_LENGTH, marked, unmarked } from "./marks";
import { diffInEnvironment, environmentOf } from "./ownership";

/** See `rancher.RegistrationToken`. */
export const registrationToken: Resource<Client> = {
  secretOutputs: ["registrationUrl", "command", "token"],

  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", "environmentId"]);
    place.at("name").text({ maxLength: 255 });
    place.at("description").text({ maxLength: MARKED_DESCRIPTION_LENGTH });
    place.at("environmentId").text();
    return { inputs, problems };
  },

  diff: (comparison) => diffInEnvironment(comparison),

  async create(client, inputs, call) {
    const environmentId = await client.environment(inputs["environmentId"], call);
    const id = await made(client, environmentId, inputs, call);
    const token = await activeToken(client, environmentId, id, call);
    return { id, outputs: { ...inputs, environmentId, ...usable(token) } };
  },

  async read(client, known, call) {
    const kind = "registrationtokens";
    const { environmentId, id: wanted, isImport } = await locate(client, kind, known, call);
    const token = await client.find<RegistrationToken>(pathOf(environmentId, wanted), call);
    // A deactivated token registers nothing, and activating one is nobody's wish but its owner's.
    if (token === undefined || token.state !== "active") return undefined;
    const { id, name } = token;
    const description = unmarked(token);
    const declared = isImport
      ? { ...(name ? { name } : {}), ...(description ? { description } : {}) }
      : known.inputs;
    const seen = observedInputs(declared, ["name", "description"], { name, description });
    const kept = steady(usable(token), known.outputs);
    return { state: { id, outputs: { ...seen, environmentId, ...kept } }, inputs: seen };
  },

  async update(client, { id, old, inputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs: old }, call);
    await client.put(pathOf(environmentId, id), described(inputs, call), call);
    const token = await activeToken(client, environmentId, id, call);
    return { ...inputs, environmentId, ...steady(usable(token), old) };
  },

  async delete(client, { id, inputs, outputs }, call) {
    if (client.held.has(id)) return;
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    await removeCredential(client, call, {
      path: pathOf(environmentId, id),
      what: `registration token ${id}`,
      until: deadline(call),
    });
  },
};

function pathOf(environmentId: string, id = ""): string {
  // Outside an environment the server refuses to make one.
  return `/v2-beta/projects/${environmentId}/registrationtokens${id === "" ? "" : `/${id}`}`;
}

/** What the server is told: names are not unique, so the description carries our mark as well. */
function described(inputs: Props, call: Call) {
  return { name: inputs["name"] ?? null, description: marked(inputs["description"], call) };
}

/** The token that a broken-off run made, as it is declared now, or a new one. */
async function made(
  client: Client,
  environmentId: string,
  inputs: Props,
  call: Call,
): Promise<string> {
  const wanted = described(inputs, call);
  const find = async (): Promise<RegistrationToken | undefined> => {
    const tokens = await client.list<RegistrationToken>(pathOf(environmentId), call);
    return tokens.find(
      (token) =>
        (token.state === "active" || token.state === "registering") && isMarked(token, call),
    );
  };
  const make = (): Promise<RegistrationToken> =>
    client.post<RegistrationToken>(pathOf(environmentId), wanted, call);
  const { id, found } = await findOrMake(client, { find, make });
  if (!matches(wanted, found ?? wanted)) await client.put(pathOf(environmentId, id), wanted, call);
  return id;
}

/** Its command and URL are empty until it is active. */
async function activeToken(
  client: Client,
  environmentId: string,
  id: string,
  call: Call,
): Promise<RegistrationToken> {
  return waitFor(client, call, {
    what: `registration token ${id} to become active`,
    until: deadline(call),
    advice: "look at the server's log",
    look: async (options): Promise<Seen<RegistrationToken>> => {
      const token = await client.get<RegistrationToken>(pathOf(environmentId, id), options);
      if (isLeaving(token)) throw new Error(`registration token ${id} was removed meanwhile`);
      if (token.state === "active" && token.registrationUrl) return { done: token };
      const { waiting, trouble } = waitingOn(token);
      return { waiting: `it is ${waiting}`, trouble };
    },
  });
}

interface Usable {
  readonly registrationUrl: string;
  readonly command: string;
  readonly token: string;
  readonly image: string;
}

function usable(token: RegistrationToken): Usable {
  return {
    registrationUrl: token.registrationUrl ?? "",
    command: token.command ?? "",
    token: token.token ?? "",
    image: token.image ?? "",
  };
}

/**
 * The same token as last time while it is valid. The server signs it anew at every turn of the year
 * and each form is good for ten years; passing on every new form would replace all hosts made with it.
 */
function steady(now: Usable, outputs: Props): Usable {
  const before = outputs["token"];
  if (typeof before !== "string" || before === now.token) return now;
  const sameKey = before.split(":")[0] === now.token.split(":")[0];
  if (!sameKey || now.token === "") return now;
  return {
    ...now,
    token: before,
    registrationUrl: now.registrationUrl.replace(now.token, before),
    command: now.command.replace(now.token, before),
  };
}
