/** A registration token: what a machine needs to become a host of an environment. */
import type { Client } from "../client/client";
import { isPassing } from "../client/errors";
import { isLeaving, type RegistrationToken } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";
import { removeCredential } from "./credentials";
import { observedInputs } from "./declared";
import { environmentOf, ownerMark } from "./ownership";

/** A mark in brackets at the end of the description, with a space before it. */
const MARK = / ?\[pulumi:[0-9a-f]{32}\]$/;
const MARK_LENGTH = 42;

/** See `rancher.RegistrationToken`. */
export const registrationToken: Resource<Client> = {
  secretOutputs: ["registrationUrl", "command", "token"],

  check(inputs) {
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["name", "description", "environmentId"]);
    place.at("name").text({ maxLength: 255 });
    place.at("description").text({ maxLength: 1024 - MARK_LENGTH });
    place.at("environmentId").text();
    return { inputs, problems };
  },

  diff: ({ oldInputs, inputs }) => diffInputs(oldInputs, inputs, { replace: ["environmentId"] }),

  async create(client, inputs, call) {
    const environmentId = await client.environment(inputs["environmentId"], call);
    const id = await findOrMake(client, environmentId, inputs, call);
    const token = await activeToken(client, environmentId, id, call);
    return { id, outputs: { ...inputs, environmentId, ...usable(token) } };
  },

  async read(client, { id, inputs, outputs }, call) {
    const environmentId = await environmentOf(client, { inputs, outputs }, call);
    const token = await client.find<RegistrationToken>(pathOf(environmentId, id), call);
    // A deactivated token registers nothing, and activating one is nobody's wish but its owner's.
    if (token === undefined || token.state !== "active") return undefined;
    const description = token.description?.replace(MARK, "");
    const seen = observedInputs(inputs, ["name", "description"], { ...token, description });
    const kept = steady(usable(token), outputs);
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
  const { name, description } = inputs;
  const mark = `[${ownerMark(call)}]`;
  return {
    name: name ?? null,
    description: description === undefined ? mark : `${String(description)} ${mark}`,
  };
}

async function findOrMake(
  client: Client,
  environmentId: string,
  inputs: Props,
  call: Call,
): Promise<string> {
  const wanted = described(inputs, call);
  const adopt = async (): Promise<string | undefined> => {
    const tokens = await client.list<RegistrationToken>(pathOf(environmentId), call);
    const own = tokens.find(
      (token) =>
        (token.state === "active" || token.state === "registering") &&
        token.description?.endsWith(`[${ownerMark(call)}]`) === true,
    );
    if (own === undefined) return undefined;
    client.held.add(own.id);
    if (own.name !== wanted.name || own.description !== wanted.description) {
      await client.put(pathOf(environmentId, own.id), wanted, call);
    }
    return own.id;
  };
  const existing = await adopt();
  if (existing !== undefined) return existing;
  try {
    return (await client.post<RegistrationToken>(pathOf(environmentId), wanted, call)).id;
  } catch (error) {
    if (!isPassing(error)) throw error;
    const made = await adopt();
    if (made === undefined) throw error;
    return made;
  }
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
      return { waiting: `it is ${token.state ?? "in no known state"}` };
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
