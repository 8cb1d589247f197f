import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ports } from "../config/ports";
import { ingressRule, suffix } from "./ingressRule";
import { tags, token } from "./names";
import type { Network } from "./network";

/** Arguments of {@link NetworkLoadBalancer}. */
export interface NetworkLoadBalancerArgs {
  /** Each of its zones gets a node with an Elastic IP. */
  readonly network: Network;
  /** Group of the hosts behind it. */
  readonly groupId: pulumi.Input<string>;
  /** What must stand before it exists and stay until it is gone: the way to the internet. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The ports it listens on, with a certificate or without, like the load balancers behind it: it is the
 * firewall that says which port visitors reach.
 */
const listening = [ports.site, ports.siteEncrypted];

/**
 * Whether a host takes connections, and no more: what the site says to them is the business of the load
 * balancers, and with no replica at all (`wordpressScale` 0) none would be well. Two answers in a row,
 * ten seconds apart, change the verdict.
 */
const healthCheck = {
  protocol: "TCP",
  port: String(ports.site.number),
  interval: 10,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
};

/** How long a host that goes may finish what it was asked, in seconds. */
export const deregistrationSeconds = 30;

/**
 * An AWS network load balancer with an Elastic IP in each zone, whose nodes use the hosts of all zones. It passes
 * connections on as they are: the hosts see the visitors' own addresses, TLS ends there, and the rules of
 * their group hold for visitors as they do without it.
 *
 * It has no group of its own. AWS then checks the hosts' health from its nodes' private addresses, which
 * no one can choose for a load balancer that faces the internet, so a rule lets their subnets in
 * (Elastic Load Balancing's guide to network load balancers: target groups, health checks, client IP preservation).
 */
export class NetworkLoadBalancer extends pulumi.ComponentResource {
  /** One address a zone. */
  public readonly publicIps: readonly pulumi.Output<string>[];
  /** One target group a port. They exist once connections are passed on to them. */
  public readonly targetGroupArns: readonly pulumi.Output<string>[];

  constructor(name: string, args: NetworkLoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("NetworkLoadBalancer"), name, {}, opts);
    const { places, vpcId } = args.network;
    const owned = (part: string) => tags(part, "NetworkLoadBalancer");

    const rules = places.map(({ cidr }) =>
      ingressRule(
        `${name}-health-${suffix(cidr)}`,
        {
          groupId: args.groupId,
          port: ports.site,
          source: { cidrIpv4: cidr },
          description: "the network load balancer sees whether the host is well",
          component: "NetworkLoadBalancer",
        },
        { parent: this },
      ),
    );

    const ips = places.map((_, index) => {
      const ipName = `${name}-ip-${index}`;
      return new aws.ec2.Eip(
        ipName,
        { domain: "vpc", tags: owned(ipName) },
        { parent: this, dependsOn: [...args.after] },
      );
    });
    const balancer = new aws.lb.LoadBalancer(
      name,
      {
        loadBalancerType: "network",
        subnetMappings: places.map(({ subnetId }, index) => ({
          subnetId,
          ...(ips[index] === undefined ? {} : { allocationId: ips[index].allocationId }),
        })),
        enableCrossZoneLoadBalancing: true,
        tags: owned(name),
      },
      { parent: this, dependsOn: [...args.after, ...rules] },
    );

    this.targetGroupArns = listening.map(({ number }) => {
      const part = `${name}-${number}`;
      const group = new aws.lb.TargetGroup(
        part,
        {
          vpcId,
          targetType: "instance",
          protocol: "TCP",
          port: number,
          healthCheck,
          deregistrationDelay: deregistrationSeconds,
          tags: owned(part),
        },
        { parent: this },
      );
      const listener = new aws.lb.Listener(
        part,
        {
          loadBalancerArn: balancer.arn,
          protocol: "TCP",
          port: number,
          defaultActions: [{ type: "forward", targetGroupArn: group.arn }],
          tags: owned(part),
        },
        { parent: this },
      );
      // A group that no listener uses calls its targets `unused` and never checks them.
      return pulumi.all([group.arn, listener.arn]).apply(([arn]) => arn);
    });
    this.publicIps = ips.map(({ publicIp }) => publicIp);
    this.registerOutputs();
  }
}
