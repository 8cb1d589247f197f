import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link ApiKey}. */
export interface ApiKeyArgs {
  /** At most 255 characters. Changes in place. */
  readonly name?: pulumi.Input<string>;
  /** At most 982 characters; a mark is added, by which keys of broken-off runs are found. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /**
   * Makes a key of this environment, which opens nothing else. Changing it makes a new key.
   *
   * @default a key of the account that the provider's key belongs to; the provider's environment does not count here
   */
  readonly environmentId?: pulumi.Input<string>;
  /**
   * Makes a key of this account, which only an administrator may; not with `environmentId`. Changing it
   * makes a new key.
   *
   * @default the account that the provider's key belongs to
   */
  readonly accountId?: pulumi.Input<string>;
}

/**
 * An API key: what a program logs in with, for instance another provider of this kind. An account's key
 * may do what the account may; an environment's key works in that environment only.
 *
 * Waits until the server accepts the key, tried with the key itself. Its secret is told once, when it is
 * made: a run that was broken off in between leaves a key that nobody holds, and the next run removes it.
 * Name and description change in place. Deleting deactivates and removes the key. One that was
 * deactivated or removed behind our back is found by a refresh and made again.
 *
 * Throws on import, because the secret cannot be read, and when the server makes the key for another
 * account than the one asked for.
 * Source: `apikeys` of the server's v2-beta API. Keys of accounts are as recorded from a server; a key
 * made below an environment's path, which its schema allows, is unverified.
 */
export class ApiKey extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string | undefined>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly environmentId: pulumi.Output<string | undefined>;
  declare readonly accountId: pulumi.Output<string | undefined>;
  /** Public half of the key. */
  declare readonly accessKey: pulumi.Output<string>;
  /** Secret half of the key; a secret. */
  declare readonly secretKey: pulumi.Output<string>;

  constructor(name: string, args: ApiKeyArgs = {}, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      environmentId: args.environmentId,
      accountId: args.accountId,
      accessKey: undefined,
      secretKey: undefined,
    };
    const secrets = { additionalSecretOutputs: ["secretKey"] };
    super("rancher:index:ApiKey", name, inputs, pulumi.mergeOptions(secrets, opts));
  }
}
