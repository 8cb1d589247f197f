import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Host}. */
export interface HostArgs {
  /**
   * Labels that only this machine registers with (the agent's `CATTLE_HOST_LABELS`). Of several
   * machines, the one that registered last is taken. Exactly one of this and `matchAddress` is required.
   * Changing them to some that this machine does not have waits for the new machine and then removes the
   * old one; to some that it has, or from or to its address, does nothing.
   */
  readonly matchLabels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /**
   * IPv4 address that this machine's agent gives (`CATTLE_AGENT_IP`). Changing it to another machine's
   * waits for that one and then removes the old one.
   */
  readonly matchAddress?: pulumi.Input<string>;
  /** Name shown by Rancher, at most 255 characters. @default the machine's hostname is shown */
  readonly name?: pulumi.Input<string>;
  /** At most 1024 characters. */
  readonly description?: pulumi.Input<string>;
  /** Further labels. Merged with the labels of others, which are left alone. */
  readonly labels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /**
   * Creating also waits until every active service with the label `io.rancher.scheduler.global` runs
   * on the host, and is healthy if it has a health check. Changing it does nothing to a host that is there.
   *
   * @default false
   */
  readonly waitForServices?: pulumi.Input<boolean>;
  /** Another one replaces; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A machine that registers itself. Creating waits (10 minutes unless `customTimeouts` say otherwise)
 * until a host with the labels or the address is active; the id is Rancher's id of the host, for instance `1h1`.
 *
 * Deleting evacuates the host while another active host can take its containers (for at most two
 * minutes), deactivates and removes it. A machine that is dead or already removed is no error. The
 * machine itself and the containers left on it are not touched.
 * Import by id, `environment/id`, or `environment/name` with the host's name or hostname; an environment
 * by its id or name. An imported host is matched by its address.
 *
 * Source: `hosts` of the server's v2-beta API.
 */
export class Host extends pulumi.CustomResource {
  declare readonly matchLabels: pulumi.Output<Record<string, string> | undefined>;
  declare readonly matchAddress: pulumi.Output<string | undefined>;
  declare readonly name: pulumi.Output<string | undefined>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly labels: pulumi.Output<Record<string, string> | undefined>;
  declare readonly environmentId: pulumi.Output<string>;
  declare readonly hostname: pulumi.Output<string>;
  /** The address that the machine's agent gave. */
  declare readonly agentIpAddress: pulumi.Output<string>;
  /** All labels that the host has, also those of others, without `io.rancher.host.…`. */
  declare readonly hostLabels: pulumi.Output<Record<string, string>>;
  /**
   * `active`, `inactive`, `disconnected`, …; an agent that is just reconnecting counts as active. A refresh
   * tells the state, and changes nothing because of it: a machine may come back by itself.
   */
  declare readonly state: pulumi.Output<string>;

  constructor(name: string, args: HostArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      matchLabels: args.matchLabels,
      matchAddress: args.matchAddress,
      name: args.name,
      description: args.description,
      labels: args.labels,
      waitForServices: args.waitForServices,
      environmentId: args.environmentId,
      hostname: undefined,
      agentIpAddress: undefined,
      hostLabels: undefined,
      state: undefined,
    };
    super("rancher:index:Host", name, inputs, opts);
  }
}
