import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { type Port, ports } from "../config/ports";
import { ingressRule, type Source, suffix } from "./ingressRule";
import { tags, token } from "./names";

/** Arguments of {@link SecurityGroups}. */
export interface SecurityGroupsArgs {
  readonly vpcId: pulumi.Input<string>;
  /** Ranges that may reach SSH of the server. Changing one replaces its rule alone. */
  readonly adminCidrs: readonly string[];
}

/**
 * One group for the server and one for the agents, one resource a rule, each with a description. The
 * site's own port is not among them: `SiteAccess` opens it last.
 */
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
      ingressRule(
        `${name}-${part}`,
        { groupId: to.id, port, source, description, component: "SecurityGroups" },
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
    const fromServer = { referencedSecurityGroupId: server.id };

    for (const cidrIpv4 of args.adminCidrs) {
      allow(
        `server-ssh-${suffix(cidrIpv4)}`,
        server,
        ports.ssh,
        { cidrIpv4 },
        "SSH for an administrator",
      );
    }
    allow("server-rancher", server, ports.rancher, fromAgents, "agents call Rancher");
    allow("server-mysql", server, ports.mysql, fromAgents, "the site reads its database");
    allow("agents-ssh", agents, ports.ssh, fromServer, "SSH for an administrator, by the server");
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
