/** The containers on the stack's hosts, as the hosts' own Docker engines list them. */
import { nearest } from "../config/nearest";
import { Problem } from "./cli";
import { remoteLines } from "./hostCommand";
import type { StackOutputs } from "./stack";

/** A container on one of the hosts. */
export interface HostContainer {
  /** The name of its host. */
  readonly host: string;
  /** Docker's id, whole. */
  readonly id: string;
  /** What a person calls it: Rancher's name when Rancher runs it, such as `wordpress-web-1`. */
  readonly name: string;
  /** For what Rancher runs: stack and service, such as `wordpress/web`. */
  readonly service: string | undefined;
  readonly image: string;
  /** Docker's words, such as `Up 4 minutes (healthy)`. */
  readonly status: string;
}

/** Labels that Rancher's agent sets. Source: rancher/cattle, SystemLabels.java. */
const serviceLabel = "io.rancher.stack_service.name";
const nameLabel = "io.rancher.container.name";

const columns = [
  "{{.ID}}",
  "{{.Names}}",
  `{{.Label "${serviceLabel}"}}`,
  `{{.Label "${nameLabel}"}}`,
  "{{.Image}}",
  "{{.Status}}",
];
const listCommand = `docker ps --all --no-trunc --format '${columns.join("|")}'`;

/** One line of the list; `undefined` for one that is none. */
export function parseContainer(host: string, line: string): HostContainer | undefined {
  const [id, dockerName, service, rancherName, image, status] = line.split("|");
  if (id === undefined || dockerName === undefined) return undefined;
  return {
    host,
    id,
    name: rancherName === undefined || rancherName === "" ? dockerName : rancherName,
    service: service === undefined || service === "" ? undefined : service,
    image: image ?? "",
    status: status ?? "",
  };
}

/** All containers of a host, stopped ones too. @throws Error when the host cannot be asked */
export async function containersOf(
  outputs: Pick<StackOutputs, "sshCommands">,
  host: string,
  signal?: AbortSignal,
): Promise<HostContainer[]> {
  const lines = await remoteLines(outputs, host, listCommand, signal);
  return lines.flatMap((line) => parseContainer(host, line) ?? []);
}

/** What `npm run logs` knows a container by, the shortest first: `web`, `wordpress/web`, `wordpress-web-1`. */
export function namesOf({ name, service }: HostContainer): string[] {
  if (service === undefined) return [name];
  return [service.slice(service.lastIndexOf("/") + 1), service, name];
}

/** Those that go by a name. @throws Problem with the names there are */
export function chosen(containers: readonly HostContainer[], name: string): HostContainer[] {
  const found = containers.filter((container) => namesOf(container).includes(name));
  if (found.length > 0) return found;
  const known = [...new Set(containers.flatMap((container) => namesOf(container)[0] ?? []))].sort();
  if (known.length === 0) throw new Problem("no host has told of any container");
  const guess = nearest(name, containers.flatMap(namesOf));
  throw new Problem(
    `nothing is called "${name}"; did you mean ${guess}? there are: ${known.join(", ")}`,
  );
}
