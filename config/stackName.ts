/** What a stack's name becomes: a label in the names of its hosts, and of its private DNS zone. */

/** A text as one label of a DNS name: lower case, digits and inner hyphens, at most 63 characters. */
export function dnsLabel(text: string): string {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "stack" : label;
}

/** Name of a stack's private hosted zone. */
export function privateZone(stack: string): string {
  return `${dnsLabel(stack)}.internal`;
}

/**
 * The domain that Rancher's own DNS answers for in every container that it runs, with NXDOMAIN for what it does
 * not know (rancher/rancher-dns, main.go; rancher/rancher-metadata's answers for it).
 */
const ranchersZone = "rancher.internal";

/** Says why a stack cannot have a name, or undefined. */
export function stackNameProblem(name: string): string | undefined {
  if (privateZone(name) !== ranchersZone) return undefined;
  return `"${name}" would give its hosts names under ${ranchersZone}, which Rancher's own DNS answers for, so that no container finds them; choose another name, such as prod`;
}
