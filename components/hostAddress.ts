import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { tags, token } from "./names";
import type { InstanceConnectEndpoint } from "./instanceConnectEndpoint";
import type { RancherOsHost } from "./rancherOsHost";
import type { SshEndpoint } from "./sshEndpoint";

/** Arguments of {@link HostAddress}. */
export interface HostAddressArgs {
  readonly host: RancherOsHost;
  /** What must stand before the address exists and stay until it is gone: the way to the internet. */
  readonly after: readonly pulumi.Resource[];
  /**
   * What must be ready on a new instance before the address leaves the old one.
   *
   * @default nothing: it moves as soon as the new instance runs
   */
  readonly movesAfter?: readonly pulumi.Resource[];
  /** What SSH goes through to the machine. @default straight to the address */
  readonly through?: InstanceConnectEndpoint | undefined;
}

/** The Elastic IP of a host, which stays when its instance is replaced, and the host as SSH finds it there. */
export class HostAddress extends pulumi.ComponentResource {
  /** The machine that it leads to. */
  public readonly host: RancherOsHost;
  public readonly publicIp: pulumi.Output<string>;
  /** How to log in. */
  public readonly endpoint: SshEndpoint;
  /** Exist once the address leads to the machine: to depend on. */
  public readonly reachable: readonly pulumi.Resource[];

  constructor(name: string, args: HostAddressArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("HostAddress"), name, {}, opts);
    const { host } = args;

    const address = new aws.ec2.Eip(
      name,
      { domain: "vpc", tags: tags(name, "HostAddress") },
      { parent: this, dependsOn: [...args.after] },
    );
    const association = new aws.ec2.EipAssociation(
      name,
      { allocationId: address.allocationId, instanceId: host.instanceId, allowReassociation: true },
      { parent: this, dependsOn: [...(args.movesAfter ?? [])] },
    );

    this.host = host;
    this.publicIp = address.publicIp;
    this.endpoint = host.endpoint(address.publicIp, {
      tunnel: args.through?.tunnel(host.instanceId),
    });
    this.reachable = [host.instance, association];
    this.registerOutputs({ publicIp: this.publicIp });
  }
}
