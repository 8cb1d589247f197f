import * as pulumi from "@pulumi/pulumi";
import type { SiteEntry } from "../config/siteEntry";
import type { AgentHosts } from "./agentHosts";
import { token } from "./names";
import type { Network } from "./network";
import { NetworkLoadBalancer } from "./networkLoadBalancer";

/** Arguments of {@link SiteAddress}. */
export interface SiteAddressArgs {
  /** How visitors reach the site. Changing it changes the site's address. */
  readonly entry: SiteEntry;
  /** The hosts that answer for the site. */
  readonly agents: AgentHosts;
  /** Where they are. */
  readonly network: Network;
  /** Group of those hosts. */
  readonly groupId: pulumi.Input<string>;
  /** What must stand before an address exists and stay until it is gone: the way to the internet. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The public addresses of the site, which stay while its hosts are replaced: one of each host that runs
 * a load balancer, or those of a network load balancer in front of them.
 */
export class SiteAddress extends pulumi.ComponentResource {
  /** Where the site answers, by HTTP. */
  public readonly urls: pulumi.Output<string[]>;
  /** The one of them that the site calls itself by when it has no name. */
  public readonly first: pulumi.Output<string>;
  /** ARNs of the target groups that the hosts have to be registered in; none without a network load balancer. */
  public readonly targetGroupArns: readonly pulumi.Output<string>[];

  constructor(name: string, args: SiteAddressArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SiteAddress"), name, {}, opts);

    const balancer =
      args.entry === "networkLoadBalancer"
        ? new NetworkLoadBalancer(
            `${name}-nlb`,
            { network: args.network, groupId: args.groupId, after: args.after },
            { parent: this },
          )
        : undefined;
    const addresses =
      balancer?.publicIps ?? args.agents.balancers.flatMap(({ publicIp }) => publicIp ?? []);
    const [first] = addresses;
    if (first === undefined) throw new Error("the site needs one address or more");

    this.first = first;
    this.urls = pulumi
      .all([...addresses])
      .apply((all) => all.map((address) => `http://${address}`));
    this.targetGroupArns = balancer?.targetGroupArns ?? [];
    this.registerOutputs({ urls: this.urls });
  }
}
