import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Setting}. */
export interface SettingArgs {
  /** The setting's name, for instance `api.host`: letters, digits, dots and hyphens. Changing it replaces. */
  readonly name: pulumi.Input<string>;
  /** Its value, as text; may be a secret. Changes in place. */
  readonly value: pulumi.Input<string>;
}

/**
 * A value for one of the server's settings, in the place of the one that the server came with. Its id is
 * the setting's name. Server-wide: it belongs to no environment.
 *
 * Needs the key of an administrator. Waits until the value is the one in effect. A value that was stored
 * before is overwritten. Deleting takes the stored value away, so that the server's own default applies
 * again. A value that was changed behind our back is found by a refresh; one that was taken away is made
 * again. Import it by its name.
 *
 * Throws when the server was started with a value of its own for the setting (`CATTLE_…` in its
 * environment), which always wins.
 * Source: `settings` of the server's v2-beta API. Reading and writing is as recorded from a server; taking
 * a value away follows its schema and sources and is unverified.
 */
export class Setting extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, args: SettingArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = { name: args.name, value: args.value };
    super("rancher:index:Setting", name, inputs, opts);
  }
}
