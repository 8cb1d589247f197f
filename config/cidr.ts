/** An IPv4 range: its first address as a number, and its prefix length. */
export interface Cidr {
  readonly base: number;
  readonly prefix: number;
}

/** Prefix length of the widest range that counts as 'an administrator'; a wider one is the world. */
export const widestAdminPrefix = 8;

/** Addresses in a range of this prefix length. */
function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}

/** Reads dotted-decimal text; undefined when it is not an IPv4 address. */
function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) {
    return undefined;
  }
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The dotted-decimal text of an address. */
function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** The text of a range, such as `10.0.0.0/16`. */
export function formatCidr({ base, prefix }: Cidr): string {
  return `${formatAddress(base)}/${prefix}`;
}

/** Reads `address/prefix`, or says in a text what to write instead. */
export function parseCidr(text: string): Cidr | string {
  const [address = "", length, ...rest] = text.split("/");
  const value = parseAddress(address);
  if (value === undefined || rest.length > 0) {
    return "is not an IPv4 range; write address/prefix, such as 203.0.113.7/32";
  }
  if (length === undefined) return `has no prefix length; write ${address}/32 for this one address`;
  if (!/^(\d|[12]\d|3[0-2])$/.test(length)) return "has a prefix length that is not 0 to 32";
  const prefix = Number(length);
  const base = value - (value % sizeOf(prefix));
  if (base !== value) {
    return `has bits set after its prefix; write ${formatCidr({ base, prefix })} for the range, or ${address}/32 for the one address`;
  }
  return { base, prefix };
}

/** True when two ranges share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

/**
 * The range number `index` of those one gets by making the prefix `bits` longer.
 *
 * @throws Error when there is no such range
 */
export function subnetOf(cidr: string, bits: number, index: number): string {
  const parent = parseCidr(cidr);
  if (typeof parent === "string") throw new Error(`${cidr} ${parent}`);
  const prefix = parent.prefix + bits;
  if (prefix > 32 || index < 0 || index >= 2 ** bits) {
    throw new Error(`${cidr} has no part ${index} of ${2 ** bits}`);
  }
  return formatCidr({ base: parent.base + index * sizeOf(prefix), prefix });
}
