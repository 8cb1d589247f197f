import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Host}. */
export interface HostArgs {
  /**
   * Labels that only this machine registers with (the agent's `CATTLE_HOST_LABELS`). Of several
   * machines, the one that registered last is taken. Changing them waits for the new machine and then
   * removes the old one.
   */
  readonly matchLabels: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Name shown by Rancher, at most 255 characters. @default the machine's hostname is shown */
  readonly name?: pulumi.Input<string>;
  /** At most 1024 characters. */
  readonly description?: pulumi.Input<string>;
  /** Further labels. Merged with the labels of others, which are left alone. */
  readonly labels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Changing it replaces. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A machine that registers itself. Creating waits (10 minutes unless `customTimeouts` say otherwise)
 * until a host with the labels is active; the id is Rancher's id of the host, for instance `1h1`.
 *
 * Deleting evacuates the host while another active host can take its containers (for at most two
 * minutes), deactivates and removes it. A machine that is dead or already removed is no error. The
 * machine itself and the containers left on it are not touched.
 * Source: `hosts` of the server's v2-beta API.
 */
export class Host extends pulumi.CustomResource {
  declare readonly matchLabels: pulumi.Output<Record<string, string>>;
  declare readonly name: pulumi.Output<string | undefined>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly labels: pulumi.Output<Record<string, string> | undefined>;
  declare readonly environmentId: pulumi.Output<string>;
  declare readonly hostname: pulumi.Output<string>;
  /** The address that the machine's agent gave. */
  declare readonly agentIpAddress: pulumi.Output<string>;
  /** `active`, `inactive`, `disconnected`, …; an agent that is just reconnecting counts as active. */
  declare readonly state: pulumi.Output<string>;

  constructor(name: string, args: HostArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      matchLabels: args.matchLabels,
      name: args.name,
      description: args.description,
      labels: args.labels,
      environmentId: args.environmentId,
      hostname: undefined,
      agentIpAddress: undefined,
      state: undefined,
    };
    super("rancher:index:Host", name, inputs, opts);
  }
}
