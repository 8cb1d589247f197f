import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Stack}. */
export interface StackArgs {
  /**
   * 1 to 63 letters, digits and hyphens, no hyphen at either end, unique in the environment. Changes in
   * place.
   */
  readonly name: pulumi.Input<string>;
  /** At most 1024 characters. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /** Changing it replaces. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A name under which services live together. Deleting it deletes every service in it.
 *
 * Throws when the environment has a stack of this name that this program did not make.
 * Source: `stacks` of the server's v2-beta API.
 */
export class Stack extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly environmentId: pulumi.Output<string>;

  constructor(name: string, args: StackArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      environmentId: args.environmentId,
    };
    super("rancher:index:Stack", name, inputs, opts);
  }
}
