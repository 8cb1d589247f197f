/**
 * Pulumi's property values on the wire and in memory.
 *
 * On the wire a secret, an unknown, an output or a resource reference is a JSON object or string
 * with a well-known signature (`sdk/go/common/resource/plugin/rpc.go` in Pulumi). In memory a value
 * is plain JSON, and which parts of it are secret stands beside it in a {@link Mask}.
 */
import { type Props, UNKNOWN } from "./types";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e";

/** What stands for an unknown string; also the one written for every unknown. */
export const UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** One sentinel for each kind of value, all meaning the same. */
const UNKNOWN_SENTINELS: ReadonlySet<unknown> = new Set([
  UNKNOWN_SENTINEL,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // boolean
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // array
  "030794c1-ac77-496b-92df-f27374a8bd58", // asset
  "e48ece36-62e2-4504-bad9-02848725956a", // archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
]);

/** Shorter strings are too common to be told apart from harmless text. */
const MIN_SECRET_LENGTH = 6;

/** Which parts of a value are secret: all of it, none of it, or some of its properties or elements. */
export type Mask = boolean | { readonly [key: string]: Mask };

/** A value beside its mask. */
export interface Masked {
  readonly value: unknown;
  readonly mask: Mask;
}

/** A property bag beside its mask. */
export interface MaskedProps {
  readonly props: Props;
  readonly mask: Mask;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function ownMask(mask: Mask, key: string): Mask {
  if (typeof mask === "boolean") return mask;
  return Object.hasOwn(mask, key) ? (mask[key] ?? false) : false;
}

/** The union of two masks. */
export function joinMasks(a: Mask, b: Mask): Mask {
  if (a === true || b === true) return true;
  if (a === false) return b;
  if (b === false) return a;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((k) => [k, joinMasks(ownMask(a, k), ownMask(b, k))]));
}

function decodeParts(parts: [string, Masked][]): Mask {
  const secret = parts.filter(([, part]) => part.mask !== false);
  return secret.length === 0 ? false : Object.fromEntries(secret.map(([k, p]) => [k, p.mask]));
}

/** Turns one wire value into a plain value and its mask. */
export function decodeValue(wire: unknown): Masked {
  if (UNKNOWN_SENTINELS.has(wire)) return { value: UNKNOWN, mask: false };
  if (Array.isArray(wire)) {
    const parts = wire.map((item, i): [string, Masked] => [String(i), decodeValue(item)]);
    return { value: parts.map(([, part]) => part.value), mask: decodeParts(parts) };
  }
  if (!isObject(wire)) return { value: wire, mask: false };
  switch (wire[SIGNATURE]) {
    case SECRET:
      return { value: decodeValue(wire["value"]).value, mask: true };
    case OUTPUT: {
      const inner = "value" in wire ? decodeValue(wire["value"]) : { value: UNKNOWN, mask: false };
      return { value: inner.value, mask: wire["secret"] === true ? true : inner.mask };
    }
    case RESOURCE: {
      const id = decodeValue(wire["id"]).value;
      return { value: id === undefined || id === "" ? wire["urn"] : id, mask: false };
    }
    default: {
      // Null means 'not set' to Pulumi, so an absent property and a null one are the same here.
      const parts = Object.entries(wire)
        .filter(([, item]) => item !== null && item !== undefined)
        .map(([key, item]): [string, Masked] => [key, decodeValue(item)]);
      return {
        value: Object.fromEntries(parts.map(([key, part]) => [key, part.value])),
        mask: decodeParts(parts),
      };
    }
  }
}

/** Turns a wire struct (as JSON) into a property bag and its mask. */
export function decodeProps(wire: unknown): MaskedProps {
  const { value, mask } = decodeValue(wire ?? {});
  return { props: isObject(value) ? value : {}, mask };
}

/** Deep equality of plain values; {@link UNKNOWN} equals nothing, because it may become anything. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === UNKNOWN || b === UNKNOWN) return false;
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a).filter((k) => a[k] !== undefined);
  return (
    keys.length === Object.keys(b).filter((k) => b[k] !== undefined).length &&
    keys.every((k) => equal(a[k], b[k]))
  );
}

/** Every string of at least six characters within the secret parts of a value. */
export function secretStrings({ value, mask }: Masked): string[] {
  if (mask === false) return [];
  if (typeof value === "string") return value.length >= MIN_SECRET_LENGTH ? [value] : [];
  if (Array.isArray(value)) {
    return value.flatMap((v, i) => secretStrings({ value: v, mask: ownMask(mask, String(i)) }));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([k, v]) =>
    secretStrings({ value: v, mask: ownMask(mask, k) }),
  );
}

function wrap(wire: unknown): unknown {
  return { [SIGNATURE]: SECRET, value: wire };
}

function plain(value: unknown): unknown {
  if (value === UNKNOWN) return UNKNOWN_SENTINEL;
  if (Array.isArray(value)) return value.map((item: unknown) => plain(item ?? null));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined && item !== null)
        .map(([key, item]) => [key, plain(item)]),
    );
  }
  return value ?? null;
}

/**
 * Puts a value on the wire. What was secret in `reference`, at the same path, is secret again; so is
 * every string that contains one of `secrets`, unless the program itself gave that very string in
 * the clear. Where a list is no longer the one it was, one secret element makes all of it secret.
 */
export function encodeValue(
  value: unknown,
  reference: Masked,
  secrets: readonly string[],
): unknown {
  const { mask } = reference;
  if (mask === true) return wrap(plain(value));
  if (Array.isArray(value)) {
    const same = equal(value, reference.value);
    if (mask !== false && !same) return wrap(plain(value));
    const before = Array.isArray(reference.value) ? reference.value : [];
    return value.map((item: unknown, i) =>
      encodeValue(
        item ?? null,
        { value: before[i] as unknown, mask: ownMask(mask, String(i)) },
        secrets,
      ),
    );
  }
  if (isObject(value)) {
    const before = isObject(reference.value) ? reference.value : {};
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined && item !== null)
        .map(([key, item]) => [
          key,
          encodeValue(item, { value: before[key], mask: ownMask(mask, key) }, secrets),
        ]),
    );
  }
  if (mask !== false) return wrap(plain(value));
  if (typeof value === "string" && value !== reference.value) {
    if (secrets.some((secret) => value.includes(secret))) return wrap(value);
  }
  return plain(value);
}

/** Puts a property bag on the wire, see {@link encodeValue}. */
export function encodeProps(
  props: Props,
  reference: MaskedProps,
  secrets: readonly string[] = [],
): Record<string, unknown> {
  const wire = encodeValue(props, { value: reference.props, mask: reference.mask }, secrets);
  return wire as Record<string, unknown>;
}

/** Knows every secret string that passed through, and takes them out of text for people. */
export class Scrubber {
  private readonly known = new Set<string>();

  /** Remembers strings, also in the forms in which they turn up in commands, URLs and headers. */
  add(secrets: readonly string[]): void {
    for (const secret of secrets) {
      if (this.known.has(secret)) continue;
      const forms = [
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret),
        Buffer.from(secret).toString("base64"),
        // A tool's output quotes a key or script line by line.
        ...secret.split("\n").map((line) => line.trim()),
      ];
      for (const form of forms) if (form.length >= MIN_SECRET_LENGTH) this.known.add(form);
    }
  }

  /** The text with every remembered secret replaced by `[secret]`. */
  scrub(text: string): string {
    // Longest first, so that a secret containing another one goes as a whole.
    const found = [...this.known].filter((s) => text.includes(s));
    found.sort((a, b) => b.length - a.length);
    return found.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
  }
}
