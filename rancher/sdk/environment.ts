import * as pulumi from "@pulumi/pulumi";

/** Somebody who may use an environment. */
export interface EnvironmentMemberArgs {
  /** Who it is, in the words of the identity provider; for a local account its id, for instance `1a7`. */
  readonly externalId: pulumi.Input<string>;
  /** What kind of identity it is, for instance `rancher_id` for an account of the server itself. */
  readonly externalIdType: pulumi.Input<string>;
  /** `owner`, `member`, `restricted` or `readonly`. */
  readonly role: pulumi.Input<string>;
}

/** Ports that the server gives to services that ask for any, both ends included. */
export interface ServicesPortRangeArgs {
  /** 1 to 65535. */
  readonly startPort: pulumi.Input<number>;
  /** 1 to 65535, not below `startPort`. */
  readonly endPort: pulumi.Input<number>;
}

/** Arguments of {@link Environment}. */
export interface EnvironmentArgs {
  /** 1 to 255 characters; need not be unique. Changes in place. */
  readonly name: pulumi.Input<string>;
  /** At most 982 characters; a mark is added, by which a broken-off run finds its environment again. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /**
   * Manage the environment that every server has from the start (uuid `adminProject`) instead of making
   * one. Deleting this resource then forgets that environment and leaves it as it is. Changing it replaces.
   *
   * @default false
   */
  readonly useDefault?: pulumi.Input<boolean>;
  /**
   * The template whose stacks the environment begins with, for instance `1pt5`; not with `useDefault`.
   * Another template replaces the environment and all that is in it; leaving it out later does nothing.
   *
   * @default the public template named `Cattle`, once the server has loaded its catalog
   */
  readonly projectTemplateId?: pulumi.Input<string>;
  /**
   * Who may use it, with at least one `owner`; in any order. Change in place. Left out, or left out later,
   * the members are not looked at.
   *
   * @default the account that the provider's key belongs to, as owner
   */
  readonly members?: pulumi.Input<pulumi.Input<EnvironmentMemberArgs>[]>;
  /**
   * Seconds after which a host that is disconnected is removed; 0 or more, or -1 for never. Changes in
   * place; leaving it out later gives the default back.
   *
   * @default the server's setting `host.remove.delay.seconds`
   */
  readonly hostRemoveDelaySeconds?: pulumi.Input<number>;
  /** Changes in place; leaving it out later gives the default back. @default 49153 to 65535 */
  readonly servicesPortRange?: pulumi.Input<ServicesPortRangeArgs>;
  /** Let users make virtual machines. Changes in place. @default false */
  readonly virtualMachine?: pulumi.Input<boolean>;
}

/**
 * An environment: hosts, and the stacks that run on them, apart from all other environments. Its id is
 * what other resources take as `environmentId`.
 *
 * Needs the key of an account; an environment's own key makes none. Waits until the server has its
 * template and until the environment is active; its infrastructure starts with its first host. A run
 * broken off anywhere goes on with the environment it made. Deleting removes it with everything in it;
 * its machines go on running. One that vanished, or that the key may no longer see, is found by a refresh
 * and made again. Import it by its id or its name.
 *
 * Throws when the server's catalog brings no template, and when the key may not make environments.
 * Source: `projects`, `projecttemplates` and `projectmembers` of the server's v2-beta API. Making, waiting
 * for and removing one is as recorded from a server; templates, members and changes follow its schemas
 * and sources and are unverified.
 */
export class Environment extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly useDefault: pulumi.Output<boolean>;
  declare readonly projectTemplateId: pulumi.Output<string | undefined>;
  declare readonly members: pulumi.Output<
    { externalId: string; externalIdType: string; role: string }[] | undefined
  >;
  declare readonly hostRemoveDelaySeconds: pulumi.Output<number | undefined>;
  declare readonly servicesPortRange: pulumi.Output<
    { startPort: number; endPort: number } | undefined
  >;
  declare readonly virtualMachine: pulumi.Output<boolean | undefined>;
  /** The server's own unique name for it; `adminProject` for the default environment. */
  declare readonly uuid: pulumi.Output<string>;
  /** What runs its containers, for instance `cattle`. */
  declare readonly orchestration: pulumi.Output<string>;
  /** True for the environment that every server has from the start. */
  declare readonly isDefault: pulumi.Output<boolean>;

  constructor(name: string, args: EnvironmentArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      useDefault: args.useDefault,
      projectTemplateId: args.projectTemplateId,
      members: args.members,
      hostRemoveDelaySeconds: args.hostRemoveDelaySeconds,
      servicesPortRange: args.servicesPortRange,
      virtualMachine: args.virtualMachine,
      uuid: undefined,
      orchestration: undefined,
      isDefault: undefined,
    };
    super("rancher:index:Environment", name, inputs, opts);
  }
}
