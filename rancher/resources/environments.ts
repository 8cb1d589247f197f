/** Finding environments. */
import type { Client, RequestOptions } from "../client/client";
import { isGone } from "../client/errors";
import { isLeaving, type Project } from "../client/types";

/** Collection of all environments. */
export const ENVIRONMENTS = "/v2-beta/projects";

/** UUID of the environment that every server has from the start. */
export const DEFAULT_UUID = "adminProject";

/** Every environment that the provider's key may see, also those it is no member of. */
export async function environments(client: Client, options: RequestOptions): Promise<Project[]> {
  const found = await client.list<Project>(ENVIRONMENTS, { ...options, query: { all: "true" } });
  return found.filter((project) => !isLeaving(project));
}

/** The environment with this UUID, or undefined. */
export async function environmentByUuid(
  client: Client,
  uuid: string,
  options: RequestOptions,
): Promise<Project | undefined> {
  try {
    const found = await client.list<Project>(ENVIRONMENTS, { ...options, query: { uuid } });
    return found.find((project) => project.uuid === uuid && !isLeaving(project));
  } catch (error) {
    // The server's sources answer an unknown UUID with 404, other filters with an empty list.
    if (isGone(error)) return undefined;
    throw error;
  }
}
