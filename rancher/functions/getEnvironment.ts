/** Looks up one environment. */
import type { Client } from "../client/client";
import { isLeaving, type Project } from "../client/types";
import { InvalidArguments, type Invoke, type Props } from "../plugin/types";
import { inspect, onlyProperties } from "../resources/checks";
import { DEFAULT_UUID, ENVIRONMENTS, environmentByUuid } from "../resources/environments";
import { environmentNamed } from "../resources/identity";
import { unmarked } from "../resources/marks";

const WAYS = ["id", "name", "uuid"] as const;

/** See `rancher.getEnvironment`. */
export const getEnvironment: Invoke<Client> = async (client, args, call) => {
  const { place, problems } = inspect(args);
  onlyProperties(place, WAYS);
  for (const way of WAYS) place.at(way).text({ minLength: 1 });
  const [, ...further] = WAYS.filter((way) => args[way] !== undefined);
  for (const way of further)
    place.at(way).reject(`is one too many: give one of ${WAYS.join(", ")}`);
  if (problems.length > 0) throw new InvalidArguments(problems);
  return described(await find(client, args, call));
};

async function find(
  client: Client,
  { id, name, uuid = DEFAULT_UUID }: Props,
  call: { readonly signal: AbortSignal },
): Promise<Project> {
  if (id === undefined && name === undefined) {
    const found = await environmentByUuid(client, String(uuid), call);
    if (found !== undefined) return found;
    throw new Error(
      `the server has no environment with the uuid ${JSON.stringify(uuid)} that this key may see`,
    );
  }
  const path = `${ENVIRONMENTS}/${String(id ?? (await environmentNamed(client, String(name), call)))}`;
  const found = await client.find<Project>(path, call);
  if (found !== undefined && !isLeaving(found)) return found;
  throw new Error(`the server has no environment ${String(id ?? name)} that this key may see`);
}

function described(found: Project): Props {
  const description = unmarked(found);
  return {
    id: found.id,
    name: found.name ?? "",
    uuid: found.uuid ?? "",
    ...(description === "" ? {} : { description }),
    state: found.state ?? "",
    healthState: found.healthState ?? "",
    orchestration: found.orchestration ?? "",
  };
}
