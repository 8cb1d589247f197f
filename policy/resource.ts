import type { PolicyResource, ResourceValidationArgs } from "@pulumi/policy";

/** Stands for a value that a preview does not know yet. `up` checks it before it makes the resource. */
export const unknown = Symbol("not known before up");

/** A property's value: data, with {@link unknown} where the preview knows none. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | typeof unknown
  | readonly Value[]
  | { readonly [key: string]: Value };

/** A resource as the rules see it. */
export interface Resource {
  /** Type token, such as `aws:ec2/instance:Instance`. */
  readonly type: string;
  readonly name: string;
  readonly stack: string;
  readonly project: string;
  /** Its inputs; in a rule about the whole stack its outputs. */
  readonly props: Readonly<Record<string, Value>>;
  /** Whether Pulumi refuses to delete it. */
  readonly isProtected: boolean;
  /** Properties of its provider; empty for a component. */
  readonly provider: Readonly<Record<string, Value>>;
}

/** Copies a value out of the proxy that throws when something unknown is read. */
function copy(read: () => unknown): Value {
  let value: unknown;
  try {
    value = read();
  } catch {
    return unknown;
  }
  if (Array.isArray(value)) {
    const list = value as readonly unknown[];
    return Array.from({ length: list.length }, (_, i) => copy(() => list[i]));
  }
  if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    return Object.fromEntries(Object.keys(fields).map((key) => [key, copy(() => fields[key])]));
  }
  return value as Value;
}

/** What `@pulumi/policy` hands to a policy, as a {@link Resource}. */
export function resourceOf(args: ResourceValidationArgs | PolicyResource): Resource {
  const [, , stack = "", project = ""] = /^(urn:pulumi):([^:]*)::([^:]*)::/.exec(args.urn) ?? [];
  return {
    type: args.type,
    name: args.name,
    stack,
    project,
    props: asMap(copy(() => args.props)),
    isProtected: args.opts.protect,
    provider: asMap(copy(() => args.provider?.props)),
  };
}

/** A value's fields; none when it is not an object. */
export function asMap(value: Value): Readonly<Record<string, Value>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Value>>)
    : {};
}

/** A value's items; none when it is not a list. */
export function asList(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

/** A value's items that are text. */
export function asTexts(value: Value): readonly string[] {
  return asList(value).filter((item) => typeof item === "string");
}

/** A property of a provider, which the engine keeps as JSON unless it is text. */
export function fromJson(value: Value): Value {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as Value;
  } catch {
    return value;
  }
}

/** The region that a resource of AWS is made in; undefined when nothing says it. */
export function regionOf({ props, provider }: Resource): string | undefined {
  const region = props["region"] ?? provider["region"];
  return typeof region === "string" ? region : undefined;
}
