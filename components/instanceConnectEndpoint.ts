import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ports } from "../config/ports";
import { shellQuote } from "../config/shell";
import type { SshVia } from "../config/sshVia";
import { ingressRule } from "./ingressRule";
import { tags, token } from "./names";

/** Arguments of {@link InstanceConnectEndpoint}. */
export interface InstanceConnectEndpointArgs {
  readonly region: string;
  readonly vpcId: pulumi.Input<string>;
  /** Where the endpoint is: in the host's own zone nothing is paid for traffic between zones. */
  readonly subnetId: pulumi.Input<string>;
  /** Group of the host behind it. */
  readonly groupId: pulumi.Input<string>;
}

/**
 * A way to SSH of a host for those who are in none of its ranges: AWS passes connections on for
 * whom IAM allows it (`ec2-instance-connect:OpenTunnel`). What it passes on is encrypted for the host and pinned
 * to its key all the same.
 */
export class InstanceConnectEndpoint extends pulumi.ComponentResource {
  /** Exists once the rules that it needs do. */
  private readonly endpointId: pulumi.Output<string>;
  private readonly region: string;

  constructor(
    name: string,
    args: InstanceConnectEndpointArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(token("InstanceConnectEndpoint"), name, {}, opts);
    const owned = (part: string) => tags(part, "InstanceConnectEndpoint");

    const group = new aws.ec2.SecurityGroup(
      `${name}-group`,
      {
        vpcId: args.vpcId,
        description: "the way of SSH through AWS",
        tags: owned(`${name}-group`),
      },
      { parent: this },
    );
    const out = new aws.vpc.SecurityGroupEgressRule(
      `${name}-out`,
      {
        securityGroupId: group.id,
        description: "SSH of the server and nothing else",
        ipProtocol: ports.ssh.protocol,
        fromPort: ports.ssh.number,
        toPort: ports.ssh.number,
        referencedSecurityGroupId: args.groupId,
        tags: owned(`${name}-out`),
      },
      { parent: this },
    );
    const into = ingressRule(
      `${name}-in`,
      {
        groupId: args.groupId,
        port: ports.ssh,
        source: { referencedSecurityGroupId: group.id },
        description: "SSH for whom IAM lets through the endpoint",
        component: "InstanceConnectEndpoint",
      },
      { parent: this },
    );
    const endpoint = new aws.ec2transitgateway.InstanceConnectEndpoint(
      name,
      {
        subnetId: args.subnetId,
        securityGroupIds: [group.id],
        // With the client's own address as the source, a rule that names the endpoint's group would not let it in.
        preserveClientIp: false,
        tags: owned(name),
      },
      { parent: this, dependsOn: [out, into] },
    );

    this.endpointId = endpoint.id;
    this.region = args.region;
    this.registerOutputs({ endpointId: this.endpointId });
  }

  /** The endpoint, where SSH is to take this way. */
  static where(
    via: SshVia,
    name: string,
    args: InstanceConnectEndpointArgs,
  ): InstanceConnectEndpoint | undefined {
    return via === "instance-connect-endpoint"
      ? new InstanceConnectEndpoint(name, args)
      : undefined;
  }

  /**
   * The command line whose input and output lead to SSH of an instance, quoted for a shell (EC2 user guide,
   * "Connect to a Linux instance using EC2 Instance Connect Endpoint").
   */
  tunnel(instanceId: pulumi.Input<string>): pulumi.Output<string> {
    return pulumi
      .all([instanceId, this.endpointId])
      .apply(([instance, endpoint]) =>
        [
          ...["aws", "ec2-instance-connect", "open-tunnel", "--region", this.region],
          ...["--instance-id", instance, "--instance-connect-endpoint-id", endpoint],
        ]
          .map(shellQuote)
          .join(" "),
      );
  }
}
