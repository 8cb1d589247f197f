/** What the test's program is told to declare, as JSON: any resource, with references between them. */

/** A whole program. */
export interface Declaration {
  readonly url: string;
  /** By Pulumi name, in the order in which they are made: references lead to earlier ones. */
  readonly resources: Record<string, Declared>;
  /** The stack's outputs. */
  readonly outputs: Record<string, unknown>;
}

/** One resource. */
export interface Declared {
  /** Name of its class, for instance `Stack`. */
  readonly type: string;
  /** Its arguments, possibly wrong on purpose; {@link ref} and {@link secret} at any depth. */
  args: Record<string, unknown>;
  /** `open` has no key; those with other names have the key of the resource `access`. @default "closed" */
  readonly provider?: string;
  /** Pulumi names of resources that it depends on besides those that it refers to. */
  readonly after?: readonly string[];
  timeouts?: Timeouts;
}

/** `customTimeouts`, for instance `30s`. */
export interface Timeouts {
  create?: string;
  update?: string;
}

/** Stands for another resource's output. */
export interface Reference {
  readonly $ref: readonly [name: string, output: string];
}

/** Stands for a secret value. */
export interface SecretValue {
  readonly $secret: unknown;
}

/** Stands for what a function finds. */
export interface Call {
  readonly $call: readonly [name: string, args: object];
}

/** Another resource's output, by its Pulumi name. */
export function ref(name: string, output = "id"): Reference {
  return { $ref: [name, output] };
}

/** What a function of the provider finds. */
export function call(name: string, args: object = {}): Call {
  return { $call: [name, args] };
}

/** A value that the program marks as secret. */
export function secret(value: unknown): SecretValue {
  return { $secret: value };
}

/** The environment variable with the path of the JSON file that holds the declaration. */
export const DECLARATION_FILE = "PROVIDER_TEST_DECLARATION";
