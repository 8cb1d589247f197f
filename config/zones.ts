/** How many zones of a region a stack uses. */
export const zoneCount = 2;

/** An ordinary zone such as eu-central-1a, not a local or wavelength zone, which lack instance types. */
const ordinaryZone = /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/;

/**
 * The zones of a region that a new stack is built in, of all that AWS names.
 *
 * @returns {@link zoneCount} names, or fewer where the region has fewer
 */
export function zonesFor(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => ordinaryZone.test(name))
    .sort()
    .slice(0, zoneCount);
}

/** The zone of machine number `index`: the zones take turns. */
export function zoneOf(zones: readonly string[], index: number): string | undefined {
  return zones[index % zoneCount];
}

/** Says what is wrong with a region's zones, or undefined when there are enough. */
export function zonesProblem(names: readonly string[]): string | undefined {
  if (zonesFor(names).length === zoneCount) return undefined;
  return `the region has fewer than ${zoneCount} availability zones (${names.join(", ")}); choose another for aws:region`;
}
