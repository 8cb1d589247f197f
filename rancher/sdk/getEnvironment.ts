import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link getEnvironment}: at most one of them. */
export interface GetEnvironmentArgs {
  /** For instance `1a5`. */
  readonly id?: string;
  /** Its name, which must not be that of several environments. */
  readonly name?: string;
  /** @default "adminProject", the environment that every server has from the start */
  readonly uuid?: string;
}

/** Arguments of {@link getEnvironmentOutput}: at most one of them. */
export interface GetEnvironmentOutputArgs {
  /** For instance `1a5`. */
  readonly id?: pulumi.Input<string>;
  /** Its name, which must not be that of several environments. */
  readonly name?: pulumi.Input<string>;
  /** @default "adminProject", the environment that every server has from the start */
  readonly uuid?: pulumi.Input<string>;
}

/** What {@link getEnvironment} finds. */
export interface GetEnvironmentResult {
  readonly id: string;
  readonly name: string;
  readonly uuid: string;
  /** Without the mark that an `Environment` adds. */
  readonly description?: string;
  /** For instance `active`. */
  readonly state: string;
  /** `healthy`, `unhealthy`, `degraded`, … */
  readonly healthState: string;
  /** What runs its containers, for instance `cattle`. */
  readonly orchestration: string;
}

const TOKEN = "rancher:index:getEnvironment";

/**
 * Looks up an environment of the server, by default the one that every server has from the start. Give the
 * provider as `opts.provider`, or a resource that has it as `opts.parent`.
 *
 * Throws when there is no such environment or more than one, or when the provider's key may not see it,
 * with the names that there are.
 * Source: `projects` of the server's v2-beta API.
 */
export function getEnvironment(
  args: GetEnvironmentArgs = {},
  opts: pulumi.InvokeOptions = {},
): Promise<GetEnvironmentResult> {
  const { id, name, uuid } = args;
  return pulumi.runtime.invoke(TOKEN, { id, name, uuid }, opts) as Promise<GetEnvironmentResult>;
}

/** {@link getEnvironment} for arguments that may not be known yet, or that come after other resources. */
export function getEnvironmentOutput(
  args: GetEnvironmentOutputArgs = {},
  opts: pulumi.InvokeOutputOptions = {},
): pulumi.Output<GetEnvironmentResult> {
  const { id, name, uuid } = args;
  return pulumi.runtime.invokeOutput<GetEnvironmentResult>(TOKEN, { id, name, uuid }, opts);
}
