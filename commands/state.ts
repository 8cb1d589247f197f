/** A stack's state as `pulumi stack export` writes it: what the stack consists of, secrets encrypted. */

/** One resource of the state. Secrets in it are objects with a ciphertext. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly parent?: string;
  readonly protect?: boolean;
  /** Marked for removal: a replacement stands already. */
  readonly delete?: boolean;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The part of an export that the commands read. */
export interface StackExport {
  readonly deployment: {
    readonly manifest?: { readonly time?: string };
    readonly resources?: readonly StateResource[];
    /** What an `up` that was killed was doing. */
    readonly pending_operations?: readonly unknown[];
  };
}

/** Where `value.a.b` leads, or undefined. */
export function at(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      inner !== null && typeof inner === "object"
        ? (inner as Readonly<Record<string, unknown>>)[key]
        : undefined,
    value,
  );
}

/** The text at a place; undefined for anything else, a secret among them. */
export function textAt(value: unknown, ...keys: readonly string[]): string | undefined {
  const found = at(value, ...keys);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** The number at a place; undefined for anything else. */
export function numberAt(value: unknown, ...keys: readonly string[]): number | undefined {
  const found = at(value, ...keys);
  return typeof found === "number" ? found : undefined;
}

/** The resources of one stack, by type and name. */
export class StackState {
  private readonly resources: readonly StateResource[];

  constructor(private readonly exported: StackExport) {
    this.resources = (exported.deployment.resources ?? []).filter(
      (resource) => resource.delete !== true,
    );
  }

  /** Name of the project and of the stack, as every URN has them. */
  get names(): { readonly project: string; readonly stack: string } {
    const [, stack, project] =
      /^urn:pulumi:(.*?)::(.*?)::/.exec(this.resources[0]?.urn ?? "") ?? [];
    return { project: project ?? "", stack: stack ?? "" };
  }

  /** When it was last written; undefined for a stack that never was. */
  get updatedAt(): string | undefined {
    return this.exported.deployment.manifest?.time;
  }

  /** True when an `up` was killed, so that nobody knows how far it came. */
  get isInterrupted(): boolean {
    return (this.exported.deployment.pending_operations ?? []).length > 0;
  }

  /** All resources of a type, by name in natural order. */
  all(type: string): readonly StateResource[] {
    return this.resources
      .filter((resource) => resource.type === type)
      .sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }));
  }

  /** The resource of a type with a name. */
  find(type: string, name: string): StateResource | undefined {
    return this.all(type).find((resource) => nameOf(resource) === name);
  }
}

/** The last part of a resource's URN, which is its name in the program. */
export function nameOf(resource: StateResource): string {
  return resource.urn.slice(resource.urn.lastIndexOf("::") + 2);
}
