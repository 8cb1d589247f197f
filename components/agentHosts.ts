import * as pulumi from "@pulumi/pulumi";
import type { SiteEntry } from "../config/siteEntry";
import * as rancher from "../rancher";
import { HostAddress } from "./hostAddress";
import { token } from "./names";
import type { Network } from "./network";
import { RancherOsHost, type RancherOsHostArgs } from "./rancherOsHost";
import type { RancherServer } from "./rancherServer";
import { hostFolder, scriptFile } from "./script";
import type { SharedContent } from "./sharedContent";
import type { SshEndpoint } from "./sshEndpoint";

/** Arguments of {@link AgentHosts}. */
export interface AgentHostsArgs extends Pick<
  RancherOsHostArgs,
  "amiId" | "instanceType" | "securityGroupId" | "sshPublicKey" | "after"
> {
  /** How many hosts there are, 1 or more. Lowering it takes hosts from the end, raising it adds to the end. */
  readonly count: number;
  /** How many of them, from the first, run the site's load balancer. Changing it replaces no host. */
  readonly balancers: number;
  /** With `addresses` each host that runs a load balancer has an Elastic IP. */
  readonly entry: SiteEntry;
  readonly server: RancherServer;
  /** Subnets to spread over. */
  readonly network: Network;
  /** What every host mounts. */
  readonly content: SharedContent;
  /** The host through which SSH reaches them; nothing else may. */
  readonly via: SshEndpoint;
  /** Image of `rancher/agent`. Changing it replaces every host. */
  readonly agentImage: string;
}

/** One agent host, as the stack's output shows it. */
export interface AgentHost {
  readonly name: string;
  /** Its Elastic IP; the private address of a host that has none. */
  readonly address: string;
  /** Id in Rancher, such as `1h3`. */
  readonly rancherHostId: string;
}

/** A host that runs the site's load balancer. */
export interface BalancerHost {
  readonly name: string;
  readonly instanceId: pulumi.Output<string>;
  /** Its Elastic IP; undefined when visitors come another way. */
  readonly publicIp: pulumi.Output<string> | undefined;
  /** The host in Rancher, active and with its load balancer once it exists: to depend on. */
  readonly joined: pulumi.Resource;
}

/** Label by which a host is found in Rancher; `register-agent.sh` sets it. */
const instanceLabel = "io.rancher-cattle.instance-id";

/**
 * Label of the hosts that are to run no load balancer. Those that are have none: then they run one from
 * the moment they join, whatever happens to this program meanwhile.
 */
const balancerLabel = { key: "io.rancher-cattle.balancer", none: "none" } as const;

const register = scriptFile("register-agent");
const urlPath = `${hostFolder}/registration-url`;

/**
 * Hosts that register themselves with Rancher. One that goes is taken out of Rancher before its
 * machine ends. One that is replaced keeps its address and its visitors until its successor has joined
 * and runs what runs on every host.
 */
export class AgentHosts extends pulumi.ComponentResource {
  public readonly hosts: pulumi.Output<AgentHost[]>;
  /** The hosts that run the site's load balancer; the first stays while others come and go. */
  public readonly balancers: readonly BalancerHost[];
  /** Labels of a service in Rancher that is to run on each of them, and nowhere else. */
  public readonly balancerLabels: Readonly<Record<string, string>> = {
    "io.rancher.scheduler.global": "true",
    "io.rancher.scheduler.affinity:host_label_ne": `${balancerLabel.key}=${balancerLabel.none}`,
  };
  /** How to log in, by host name. */
  public readonly endpoints: Readonly<Record<string, SshEndpoint>>;
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

    const machine = (hostName: string, index: number) => {
      const place = args.network.place(index);
      return new RancherOsHost(
        hostName,
        {
          amiId: args.amiId,
          instanceType: args.instanceType,
          subnetId: place.subnetId,
          securityGroupId: args.securityGroupId,
          sshPublicKey: args.sshPublicKey,
          files: [
            ...args.content.files,
            register,
            {
              path: urlPath,
              permissions: "0600",
              content: pulumi.interpolate`${registration.registrationUrl}\n`,
            },
          ],
          earlyCommands: [args.content.earlyCommand],
          bootCommands: [
            args.content.bootCommand(place),
            `${register.path} ${args.agentImage} ${urlPath} </dev/null >>/var/log/rancher-cattle.log 2>&1 &`,
          ],
          after: [...args.after, args.content],
        },
        { parent: this },
      );
    };

    const join = (index: number, previous: readonly pulumi.Resource[]) => {
      const hostName = `${name}-${index}`;
      const host = machine(hostName, index);
      const isBalancer = index < args.balancers;
      const joined = new rancher.Host(
        hostName,
        {
          matchLabels: { [instanceLabel]: host.instanceId },
          // The site's load balancer among them, once there is one; nothing else runs on every host.
          waitForServices: isBalancer,
          ...(isBalancer ? {} : { labels: { [balancerLabel.key]: balancerLabel.none } }),
        },
        {
          ...server.residency,
          parent: this,
          // So that hosts which go together go one at a time, and containers have somewhere to move.
          dependsOn: [host.instance, ...previous],
          customTimeouts: { create: "20m", delete: "10m" },
        },
      );
      // Visitors stay with the old machine until the new one can answer them.
      const stable =
        isBalancer && args.entry === "addresses"
          ? new HostAddress(
              `${hostName}-address`,
              { host, after: args.after, movesAfter: [joined] },
              { parent: this },
            )
          : undefined;
      const shown = pulumi
        .all([stable?.publicIp ?? host.privateIp, joined.id])
        .apply(([address, rancherHostId]) => ({ name: hostName, address, rancherHostId }));
      return {
        joined,
        shown,
        isBalancer,
        publicIp: stable?.publicIp,
        instanceId: host.instanceId,
        name: hostName,
        endpoint: host.endpoint(host.privateIp, { via: args.via }),
      };
    };
    const members = Array.from({ length: args.count }).reduce<ReturnType<typeof join>[]>(
      (before, _, index) => [
        ...before,
        join(
          index,
          before.slice(-1).map(({ joined }) => joined),
        ),
      ],
      [],
    );

    this.balancers = members.filter(({ isBalancer }) => isBalancer);
    this.active = members.map(({ joined }) => joined);
    this.hosts = pulumi.all(members.map(({ shown }) => shown));
    this.endpoints = Object.fromEntries(members.map((member) => [member.name, member.endpoint]));
    this.registerOutputs({ hosts: this.hosts });
  }
}
