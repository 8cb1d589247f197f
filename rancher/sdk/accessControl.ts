import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link AccessControl}. */
export interface AccessControlArgs {
  /** Login name of the administrator. No colon. @default "admin" */
  readonly username?: pulumi.Input<string>;
  /**
   * The administrator's password. It must be known to the engine before this resource is made (for
   * instance a `random.RandomPassword`), so that a run that is broken off can log in the next time.
   */
  readonly password: pulumi.Input<string>;
  /**
   * Turn access control off when this resource is deleted, so that the server lets everybody in as its
   * administrator. Changing it changes nothing before that.
   *
   * @default false: deleting removes the key and leaves access control on
   */
  readonly turnOffOnDelete?: pulumi.Input<boolean>;
}

/**
 * Turns a fresh server's access control on, and holds an administrator's API key.
 *
 * Needs a provider without a key. While the server is open: makes a key, proves that it works, turns
 * local authentication on and sees that anonymous requests get 401. When it is closed already: logs in
 * and makes a key. A run broken off anywhere goes on the next time; keys that such a run left behind
 * are removed.
 *
 * Changing `password` or `username` changes the login in place. Deleting removes the key and leaves
 * access control on, unless `turnOffOnDelete` says otherwise: it then logs in, removes the key, turns
 * local authentication off and sees that anonymous requests are let in. A server that cannot be reached
 * any more is forgotten, because it usually goes together with this resource. A key that was removed or access control that was turned off behind our back is
 * found by a refresh and made again.
 *
 * Throws when the server does not accept the login, with the way to recover; on import, because a key's
 * secret cannot be read.
 * Source: `localauthconfigs`, `token` and `apikeys` of the server's v2-beta API.
 */
export class AccessControl extends pulumi.CustomResource {
  declare readonly username: pulumi.Output<string>;
  /** A secret. */
  declare readonly password: pulumi.Output<string>;
  declare readonly turnOffOnDelete: pulumi.Output<boolean>;
  /** Public half of an administrator's API key. */
  declare readonly accessKey: pulumi.Output<string>;
  /** Secret half of the key; a secret. */
  declare readonly secretKey: pulumi.Output<string>;

  constructor(name: string, args: AccessControlArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      username: args.username,
      password: pulumi.secret(args.password),
      turnOffOnDelete: args.turnOffOnDelete,
      accessKey: undefined,
      secretKey: undefined,
    };
    const secrets = { additionalSecretOutputs: ["password", "secretKey"] };
    super("rancher:index:AccessControl", name, inputs, pulumi.mergeOptions(secrets, opts));
  }
}
