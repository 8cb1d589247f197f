import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link RegistrationToken}. */
export interface RegistrationTokenArgs {
  /** At most 255 characters. */
  readonly name?: pulumi.Input<string>;
  /** At most 982 characters; a mark is added, by which a broken-off run finds its token again. */
  readonly description?: pulumi.Input<string>;
  /** Another one makes a new token; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * What machines need to join an environment as hosts. Valid for ten years; whoever has it can add hosts.
 *
 * Name and description change in place. The outputs stay the same while the token is valid, although
 * the server signs it anew every year. Deleting it does not affect hosts that have joined.
 * Import by id, `environment/id` or `environment/name`; an environment by its id or name.
 *
 * Source: `registrationtokens` of the server's v2-beta API.
 */
export class RegistrationToken extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string | undefined>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly environmentId: pulumi.Output<string>;
  /** URL that an agent is started with, on the server's `api.host`. A secret. */
  declare readonly registrationUrl: pulumi.Output<string>;
  /** A `docker run` line for a machine without further labels. A secret. */
  declare readonly command: pulumi.Output<string>;
  /** The token alone. A secret. */
  declare readonly token: pulumi.Output<string>;
  /** The agent's image, for instance `rancher/agent:v1.2.11`. */
  declare readonly image: pulumi.Output<string>;

  constructor(name: string, args: RegistrationTokenArgs = {}, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      environmentId: args.environmentId,
      registrationUrl: undefined,
      command: undefined,
      token: undefined,
      image: undefined,
    };
    const secrets = { additionalSecretOutputs: ["registrationUrl", "command", "token"] };
    super("rancher:index:RegistrationToken", name, inputs, pulumi.mergeOptions(secrets, opts));
  }
}
