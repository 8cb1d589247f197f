/**
 * The seam between Pulumi's gRPC protocol and a resource: everything a resource needs, and nothing
 * of gRPC. One provider is a `ProviderDefinition`; `serve` puts it on the wire.
 *
 * Property values are plain JSON except three wrappers, which pass through every function here:
 * `Unknown` (not known yet in a preview), `Secret` and resource references (as their URN or id).
 */

/** A property bag as resources see it: secrets unwrapped, unknowns as {@link UNKNOWN}. */
export type Props = Record<string, unknown>;

/** Stands for a value that is not known yet (only in previews). */
export const UNKNOWN: unique symbol = Symbol("unknown");

/** True when the value is, or contains at any depth, {@link UNKNOWN}. */
export function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  if (value !== null && typeof value === "object") return Object.values(value).some(hasUnknown);
  return false;
}

/** One rejected property: `path` in Pulumi's notation (`launchConfig.ports[0]`), `reason` for a person. */
export interface Problem {
  readonly path: string;
  readonly reason: string;
}

/** What one property's change means: change in place, or a new resource. */
export type Change = "update" | "replace";

/** Result of a diff: changed property path -> what the change does. Empty means no change. */
export interface Diff {
  readonly changes: Readonly<Record<string, Change>>;
  /** Replace by deleting the old one first. Default false. */
  readonly deleteBeforeReplace?: boolean;
}

/** What every operation is given besides its properties. */
export interface Call {
  readonly urn: string;
  /** Aborts when the engine cancels or the deadline passes. */
  readonly signal: AbortSignal;
  /** Seconds that `customTimeouts` allow, or undefined when the program set none. */
  readonly timeoutSeconds: number | undefined;
  /** Shows one line to the user while the operation runs. */
  status(message: string): void;
}

/** A created or read resource. */
export interface State {
  readonly id: string;
  /** Everything stored as outputs; inputs are repeated here by the resource where they are outputs too. */
  readonly outputs: Props;
}

/** One resource type. `C` is what `configure` returns. */
export interface Resource<C> {
  /**
   * Output properties that are always secret, as top-level names; a function is given the top-level
   * names of the inputs that are, or contain, secrets. Outputs repeating a secret input are secret
   * without being named here.
   */
  readonly secretOutputs?:
    readonly string[] | ((secretInputs: readonly string[]) => readonly string[]);
  /** Fills defaults and finds every problem at once. Inputs may contain UNKNOWN. */
  check(
    inputs: Props,
    old: Props | undefined,
    call: { urn: string },
  ): { inputs: Props; problems: Problem[] };
  /** Compares inputs the program gave last time (`oldInputs`), stored `old` outputs, and new inputs. */
  diff(args: { id: string; oldInputs: Props; old: Props; inputs: Props }): Diff;
  /**
   * Outputs to show in a preview. A property left out is unknown. Default for a create: the inputs;
   * for an update: the old outputs with the new inputs over them.
   */
  preview?(inputs: Props, old: Props | undefined): Props;
  /** Throws `PartialFailure` when the resource exists but did not become ready. */
  create(client: C, inputs: Props, call: Call): Promise<State>;
  /** Undefined means: it is gone. `inputs` returned become the new inputs (import, refresh). */
  read(
    client: C,
    args: { id: string; inputs: Props; outputs: Props },
    call: Call,
  ): Promise<{ state: State; inputs: Props } | undefined>;
  /** Without it every change replaces. Returns the new outputs. */
  update?(
    client: C,
    args: { id: string; oldInputs: Props; old: Props; inputs: Props },
    call: Call,
  ): Promise<Props>;
  /** Succeeds when the resource is already gone. `inputs` is empty for resources never managed here. */
  delete(client: C, args: { id: string; inputs: Props; outputs: Props }, call: Call): Promise<void>;
}

/** Thrown by a function for arguments that are wrong: each problem is told with its property. */
export class InvalidArguments extends Error {
  override readonly name = "InvalidArguments";

  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(({ path, reason }) => `${path} ${reason}`).join("; "));
  }
}

/** One function (invoke) of a provider; throws {@link InvalidArguments} for problems of its arguments. */
export type Invoke<C> = (client: C, args: Props, call: Omit<Call, "urn">) => Promise<Props>;

/** A whole provider. */
export interface ProviderDefinition<C> {
  readonly name: string;
  readonly version: string;
  /** What error messages call it. Default: `the <name> provider`. */
  readonly title?: string;
  /** The Pulumi package schema as JSON text. */
  readonly schema: string;
  /** Finds problems of the provider's own configuration. Values may be UNKNOWN. */
  checkConfig?(config: Props): Problem[];
  /** Called with known or unknown configuration; must not connect. */
  configure(config: Props): C;
  /** Releases what `configure` made. */
  close?(client: C): void;
  readonly resources: Readonly<Record<string, Resource<C>>>;
  readonly functions?: Readonly<Record<string, Invoke<C>>>;
}
