/** Links of a service to others: names under which its containers find them. */
import type { Client, RequestOptions } from "../client/client";
import type { Service } from "../client/types";
import type { Props } from "../plugin/types";
import type { Place } from "./checks";

/** One declared link. */
interface Link {
  readonly serviceId: string;
  /** Left out, the server takes the other service's name. */
  readonly name?: string;
}

/** Source: schema `serviceLink`. */
export function checkLinks(links: Place): void {
  const names = new Set<unknown>();
  for (const link of links.elements()) {
    if (!link.isObject(true)) continue;
    link.onlyKnown(["serviceId", "name"]);
    link.at("serviceId").text({ required: true });
    const name = link.at("name");
    name.text({ minLength: 1, maxLength: 255 });
    if (typeof name.value !== "string") continue;
    if (!/^[a-zA-Z0-9._-]*$/.test(name.value)) {
      name.reject("must be letters, digits, hyphens, dots and underscores");
    }
    if (names.has(name.value)) name.reject("is the name of another link already");
    names.add(name.value);
  }
}

/**
 * The declared links as they are on the server. A selector makes links too; beside one, links that nobody
 * declared are no difference.
 */
export function observedLinks(declared: unknown, service: Service, selected: boolean): unknown {
  if (!Array.isArray(declared)) return declared;
  const rest = linksOf(service);
  const take = (link: Link): Link[] => {
    const at = rest.findIndex((one) => isSame(link, one));
    if (at >= 0) rest.splice(at, 1);
    return at >= 0 ? [link] : [];
  };
  // Those with a name first, so that one without does not take the link that a name picks out.
  const all = declared as Link[];
  const named = all.filter((link) => link.name !== undefined).flatMap(take);
  const kept = all.filter((link) => named.includes(link) || (!link.name && take(link).length > 0));
  return [...kept, ...(selected ? [] : rest)];
}

function isSame(declared: Link, actual: Link): boolean {
  const { serviceId, name } = declared;
  return serviceId === actual.serviceId && (name === undefined || name === actual.name);
}

/** All links of a service, as a program would write them. */
export function linksOf({ linkedServices }: Pick<Service, "linkedServices">): Link[] {
  return Object.entries(linkedServices ?? {}).map(([name, serviceId]) => ({ serviceId, name }));
}

/**
 * Makes a service's links the declared ones, where they are not; undefined leaves them alone.
 *
 * @returns what undoes it.
 */
export async function setLinks(
  client: Client,
  path: string,
  service: Service,
  declared: readonly Props[] | undefined,
  selected: boolean,
  options: RequestOptions,
): Promise<() => Promise<void>> {
  const seen = observedLinks(declared, service, selected);
  if (declared === undefined || JSON.stringify(seen) === JSON.stringify(declared)) {
    return async () => undefined;
  }
  const send = async (links: readonly unknown[]): Promise<void> => {
    const body = { serviceLinks: links };
    // It says where to end: sending it again after a lost answer does no harm.
    await client.act<Service>(path, "setservicelinks", body, () => false, options);
  };
  await send(declared);
  return () => send(linksOf(service));
}
