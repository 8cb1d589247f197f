import * as pulumi from "@pulumi/pulumi";
import * as rancher from "../rancher";
import { token } from "./names";
import type { Network } from "./network";
import { RancherOsHost, type RancherOsHostArgs } from "./rancherOsHost";
import type { RancherServer } from "./rancherServer";
import { hostFolder, readScript } from "./script";

/** Arguments of {@link AgentHosts}. */
export interface AgentHostsArgs extends Pick<
  RancherOsHostArgs,
  "amiId" | "instanceType" | "securityGroupId" | "sshPublicKey" | "after"
> {
  /** How many hosts there are. Lowering it takes hosts from the end, raising it adds to the end. */
  readonly count: number;
  readonly server: RancherServer;
  /** Subnets to spread over. */
  readonly network: Network;
  /** Image of `rancher/agent`. Changing it replaces every host. */
  readonly agentImage: string;
}

/** One agent host, as the stack's output shows it. */
export interface AgentHost {
  readonly name: string;
  /** Public address. */
  readonly address: string;
  /** Id in Rancher, such as `1h3`. */
  readonly rancherHostId: string;
}

/** Label by which a host is found in Rancher; `register-agent.sh` sets it. */
const instanceLabel = "io.rancher-cattle.instance-id";

const scriptPath = `${hostFolder}/register-agent.sh`;
const urlPath = `${hostFolder}/registration-url`;

/**
 * Hosts that register themselves with Rancher. One that goes is taken out of Rancher before its
 * machine ends, and one that is replaced goes after its successor has joined.
 */
export class AgentHosts extends pulumi.ComponentResource {
  public readonly hosts: pulumi.Output<AgentHost[]>;
  /** The hosts in Rancher, active once they exist: to depend on. */
  public readonly active: readonly pulumi.Resource[];

  constructor(name: string, args: AgentHostsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("AgentHosts"), name, {}, opts);
    const { server } = args;

    const registration = new rancher.RegistrationToken(
      `${name}-registration`,
      { name, description: "lets the site's own hosts join" },
      { ...server.residency, parent: this },
    );

    const machine = (hostName: string, index: number) =>
      new RancherOsHost(
        hostName,
        {
          amiId: args.amiId,
          instanceType: args.instanceType,
          subnetId: args.network.place(index).subnetId,
          securityGroupId: args.securityGroupId,
          sshPublicKey: args.sshPublicKey,
          files: [
            { path: scriptPath, permissions: "0755", content: readScript("register-agent") },
            {
              path: urlPath,
              permissions: "0600",
              content: pulumi.interpolate`${registration.registrationUrl}\n`,
            },
          ],
          bootCommands: [
            `${scriptPath} ${args.agentImage} ${urlPath} </dev/null >>/var/log/rancher-cattle.log 2>&1 &`,
          ],
          after: args.after,
        },
        { parent: this },
      );

    const join = (index: number) => {
      const hostName = `${name}-${index}`;
      const { instanceId, publicIp, reachable } = machine(hostName, index);
      const joined = new rancher.Host(
        hostName,
        { matchLabels: { [instanceLabel]: instanceId } },
        {
          ...server.residency,
          parent: this,
          dependsOn: [...reachable],
          customTimeouts: { create: "20m", delete: "10m" },
        },
      );
      const host = pulumi
        .all([publicIp, joined.id])
        .apply(([address, rancherHostId]) => ({ name: hostName, address, rancherHostId }));
      return { joined, host };
    };
    const members = Array.from({ length: args.count }, (_, index) => join(index));

    this.active = members.map(({ joined }) => joined);
    this.hosts = pulumi.all(members.map(({ host }) => host));
    this.registerOutputs({ hosts: this.hosts });
  }
}
