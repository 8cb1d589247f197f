/**
 * What an existing thing is called when it is imported. An id alone is enough in the provider's own
 * environment; `environment/…` says which environment, by its id or its name; the thing itself may be
 * given by its name too.
 */
import type { Client } from "../client/client";
import {
  type ApiResource,
  type Host,
  isLeaving,
  type Project,
  type Service,
} from "../client/types";
import type { Call, Props } from "../plugin/types";
import { environmentOf } from "./ownership";

/** What read is given, or the part of it that says where a thing is. */
interface Known {
  readonly id: string;
  readonly inputs: Props;
  readonly outputs: Props;
}

/** Where a thing is. */
export interface Located {
  readonly environmentId: string;
  /** The server's id. */
  readonly id: string;
  /** True when nothing is known of the thing yet: read then tells its inputs as well. */
  readonly isImport: boolean;
}

/** Collections of an environment whose things can be imported: how messages call one, and its ids. */
const KINDS = {
  stacks: { noun: "stack", id: /^1st\d+$/ },
  services: { noun: "service", id: /^1s\d+$/ },
  loadbalancerservices: { noun: "load balancer", id: /^1s\d+$/ },
  hosts: { noun: "host", id: /^1h\d+$/ },
  registrationtokens: { noun: "registration token", id: /^1c\d+$/ },
  certificates: { noun: "certificate", id: /^1c\d+$/ },
} as const satisfies Record<string, { noun: string; id: RegExp }>;

/** One of the collections whose things can be imported. */
export type ImportKind = keyof typeof KINDS;

/** True when read is called for an import: neither inputs nor outputs are known. */
export function isImport({ inputs, outputs }: Pick<Known, "inputs" | "outputs">): boolean {
  // A resource all of whose inputs are optional is told apart by its outputs.
  return Object.keys(inputs).length === 0 && outputs["environmentId"] === undefined;
}

/**
 * Finds out where a thing is. For an import its id may be `1st5`, `1a5/1st5`, `Default/1st5`,
 * `Default/name` or `name`; services and load balancers also `Default/stack/name`.
 *
 * Throws when nothing, or more than one thing, has the name, with the names that there are.
 */
export async function locate(
  client: Client,
  kind: ImportKind,
  known: Known,
  call: Pick<Call, "signal">,
): Promise<Located> {
  if (!isImport(known)) {
    const environmentId = await environmentOf(client, known, call);
    return { environmentId, id: known.id, isImport: false };
  }
  const { environment, stack, name } = parts(kind, known.id);
  const environmentId =
    environment === undefined
      ? await client.environment(undefined, { signal: call.signal })
      : await environmentNamed(client, environment, call);
  const id = KINDS[kind].id.test(name)
    ? name
    : await thingNamed(client, kind, environmentId, stack, name, call);
  return { environmentId, id, isImport: true };
}

/** The id of the environment with this id or name. Throws when there is none or more than one. */
export async function environmentNamed(
  client: Client,
  idOrName: string,
  call: Pick<Call, "signal">,
): Promise<string> {
  if (/^1a\d+$/.test(idOrName)) return idOrName;
  const { signal } = call;
  // Without this an administrator is shown only the ones that it is a member of.
  const query = { all: "true" };
  const found = await client.list<Project>("/v2-beta/projects", { signal, query });
  return only("environment", idOrName, found, namesOf, "that this key may see");
}

/** The parts of an import id, from the right: the thing, its stack, its environment. */
function parts(kind: ImportKind, id: string) {
  const { noun } = KINDS[kind];
  const deep = kind === "services" || kind === "loadbalancerservices";
  const pieces = id.split("/");
  const name = pieces.pop() ?? "";
  const stack = deep && pieces.length >= 2 ? pieces.pop() : undefined;
  // The name of an environment may contain anything, also a slash.
  const environment = pieces.length === 0 ? undefined : pieces.join("/");
  if (name === "" || stack === "" || environment === "") {
    throw new Error(
      `${JSON.stringify(id)} names no ${noun}: give its id, environment/id or environment/${deep ? "stack/" : ""}name`,
    );
  }
  return { environment, stack, name };
}

/** True for what is found among services but is a load balancer, a name for an address, or the like. */
export function isOtherKind({ type }: ApiResource): boolean {
  return type.endsWith("Service");
}

async function thingNamed(
  client: Client,
  kind: ImportKind,
  environmentId: string,
  stack: string | undefined,
  name: string,
  { signal }: Pick<Call, "signal">,
): Promise<string> {
  const base = `/v2-beta/projects/${environmentId}`;
  const { noun } = KINDS[kind];
  const listed = await client.list<ApiResource>(`${base}/${kind}`, { signal });
  const all = kind === "services" ? listed.filter((thing) => !isOtherKind(thing)) : listed;
  if (kind === "hosts") return only(noun, name, all, hostNames, "in the environment");
  if (kind !== "services" && kind !== "loadbalancerservices") {
    return only(noun, name, all, namesOf, "in the environment");
  }
  const stacks = await client.list<ApiResource>(`${base}/stacks`, { signal });
  if (stack !== undefined) {
    const stackId = KINDS.stacks.id.test(stack)
      ? stack
      : only("stack", stack, stacks, namesOf, "in the environment");
    const inside = (all as Service[]).filter((service) => service.stackId === stackId);
    return only(noun, name, inside, namesOf, "in the stack");
  }
  const stackName = (id: unknown): string =>
    stacks.find((one) => one.id === id)?.name ?? String(id);
  const full = (thing: ApiResource): string[] =>
    namesOf(thing).map((own) => `${stackName((thing as Service).stackId)}/${own}`);
  return only(noun, name, all, namesOf, "in the environment", full);
}

function namesOf({ name }: ApiResource): string[] {
  return name === undefined || name === null || name === "" ? [] : [name];
}

function hostNames(thing: ApiResource): string[] {
  const { hostname } = thing as Host;
  return [...namesOf(thing), ...(hostname === undefined || hostname === null ? [] : [hostname])];
}

/** The one thing with a name; exactly so, or else with other capitals. */
function only(
  noun: string,
  name: string,
  all: readonly ApiResource[],
  names: (thing: ApiResource) => string[],
  where: string,
  shown: (thing: ApiResource) => string[] = names,
): string {
  const present = all.filter((thing) => !isLeaving(thing));
  const exact = present.filter((thing) => names(thing).includes(name));
  const near = present.filter((thing) =>
    names(thing).some((other) => other.toLowerCase() === name.toLowerCase()),
  );
  const found = exact.length > 0 ? exact : near;
  const [one] = found;
  if (one !== undefined && found.length === 1) return one.id;
  if (one !== undefined) {
    const which = found.map((thing) => `${shown(thing)[0] ?? ""} (${thing.id})`).join(", ");
    throw new Error(
      `${found.length} ${noun}s ${where} are named ${JSON.stringify(name)}: ${which}; import one by its id`,
    );
  }
  const known = [...new Set(present.flatMap(shown))].sort().join(", ");
  throw new Error(
    `there is no ${noun} named ${JSON.stringify(name)} ${where}; ${known === "" ? "there is none at all" : `there are: ${known}`}`,
  );
}
