import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { type Port, ports } from "../config/ports";
import { tags, token } from "./names";

/** Arguments of {@link SecurityGroups}. */
export interface SecurityGroupsArgs {
  readonly vpcId: pulumi.Input<string>;
  /** Ranges that may reach SSH of the server and the site. Changing one replaces its rules alone. */
  readonly adminCidrs: readonly string[];
}

/** Who a rule lets in. */
type Source =
  { readonly cidrIpv4: string } | { readonly referencedSecurityGroupId: pulumi.Input<string> };

/** A range as the end of a resource's name. */
function suffix(cidr: string): string {
  return cidr.replace("/", "_");
}

/** One group for the server and one for the agents, one resource a rule, each with a description. */
export class SecurityGroups extends pulumi.ComponentResource {
  /** Group of the server host. */
  public readonly serverGroupId: pulumi.Output<string>;
  /** Group of the agent hosts. */
  public readonly agentGroupId: pulumi.Output<string>;

  constructor(name: string, args: SecurityGroupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SecurityGroups"), name, {}, opts);

    const group = (part: string, description: string) =>
      new aws.ec2.SecurityGroup(
        `${name}-${part}`,
        { vpcId: args.vpcId, description, tags: tags(`${name}-${part}`, "SecurityGroups") },
        { parent: this },
      );
    const allow = (
      part: string,
      to: aws.ec2.SecurityGroup,
      port: Port,
      source: Source,
      description: string,
    ) =>
      new aws.vpc.SecurityGroupIngressRule(
        `${name}-${part}`,
        {
          securityGroupId: to.id,
          description,
          ipProtocol: port.protocol,
          fromPort: port.number,
          toPort: port.number,
          ...source,
          tags: tags(`${name}-${part}`, "SecurityGroups"),
        },
        { parent: this },
      );
    // The provider removes the rule that AWS adds to every new group.
    const allowOut = (part: string, from: aws.ec2.SecurityGroup) =>
      new aws.vpc.SecurityGroupEgressRule(
        `${name}-${part}`,
        {
          securityGroupId: from.id,
          description: "images, time and updates from anywhere",
          ipProtocol: "-1",
          cidrIpv4: "0.0.0.0/0",
          tags: tags(`${name}-${part}`, "SecurityGroups"),
        },
        { parent: this },
      );

    const server = group("server", "the host of Rancher and of the databases");
    const agents = group("agents", "the hosts that run the site");
    const fromAgents = { referencedSecurityGroupId: agents.id };

    for (const cidrIpv4 of args.adminCidrs) {
      allow(
        `server-ssh-${suffix(cidrIpv4)}`,
        server,
        ports.ssh,
        { cidrIpv4 },
        "SSH for an administrator",
      );
      allow(
        `agents-site-${suffix(cidrIpv4)}`,
        agents,
        ports.site,
        { cidrIpv4 },
        "the site, for an administrator until it is installed",
      );
    }
    allow("server-rancher", server, ports.rancher, fromAgents, "agents call Rancher");
    allow("server-mysql", server, ports.mysql, fromAgents, "the site reads its database");
    allow(
      "agents-ike",
      agents,
      ports.ipsecIke,
      fromAgents,
      "agents agree on keys for the containers' network",
    );
    allow(
      "agents-ipsec",
      agents,
      ports.ipsecNat,
      fromAgents,
      "containers of two hosts talk to each other",
    );
    allowOut("server-out", server);
    allowOut("agents-out", agents);

    this.serverGroupId = server.id;
    this.agentGroupId = agents.id;
    this.registerOutputs({ serverGroupId: server.id, agentGroupId: agents.id });
  }
}
