import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { ports } from "../config/ports";
import { sharedContent } from "../config/storage";
import { ingressRule } from "./ingressRule";
import { tags, token } from "./names";
import type { Network, Place } from "./network";
import type { HostFileArgs } from "./rancherOsHost";
import { scriptFile } from "./script";

/** Arguments of {@link SharedContent}. */
export interface SharedContentArgs {
  /** Where the hosts are. Each of its zones gets a mount target; they cost nothing. */
  readonly network: Network;
  /** Group of the hosts that mount it. Nobody else can. */
  readonly clientGroupId: pulumi.Input<string>;
  /**
   * Refuse to delete or replace the file system: `destroy` stops in its preview until this is false
   * and one `up` has noted it.
   *
   * @default false
   */
  readonly isProtected?: boolean;
}

const { mountPoint, siteDirectory } = sharedContent;

const protect = scriptFile("protect-mount-point");
const mount = scriptFile("mount-shared");

/**
 * A directory that all agent hosts have in common: an encrypted EFS file system with a mount target in
 * each zone. Hosts mount it by the target's address, which needs no DNS; RancherOS has no helper for
 * TLS, so the traffic stays readable inside the VPC.
 *
 * Changing the network or the group replaces mount targets, and a new address replaces the hosts that
 * mount it. The content is lost with the stack.
 */
export class SharedContent extends pulumi.ComponentResource {
  public readonly fileSystemId: pulumi.Output<string>;
  public readonly arn: pulumi.Output<string>;
  /** The directory on every host. It belongs to the site's user, and is there only while it is mounted. */
  public readonly directory = `${mountPoint}/${siteDirectory}`;
  /** The scripts that mount it, for a host's files. */
  public readonly files: readonly HostFileArgs[] = [protect, mount];
  /** For a host's early commands: from then on nothing can be written where nothing is mounted. */
  public readonly earlyCommand = `${protect.path} ${mountPoint}`;
  private readonly targets: ReadonlyMap<Place, aws.efs.MountTarget>;

  constructor(name: string, args: SharedContentArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SharedContent"), name, {}, opts);
    const owned = (part: string) => tags(`${name}-${part}`, "SharedContent");

    // Bursting gives a file system of a few GiB no more than 1 MiB/s once its first credits are used up;
    // elastic is paid by what is read and written, and AWS recommends it (EFS user guide, performance).
    const fileSystem = new aws.efs.FileSystem(
      `${name}-files`,
      { encrypted: true, throughputMode: "elastic", tags: owned("files") },
      { parent: this, protect: args.isProtected ?? false },
    );

    // A mount target only answers, and answers need no rule.
    const group = new aws.ec2.SecurityGroup(
      `${name}-group`,
      {
        vpcId: args.network.vpcId,
        description: "the content that the site's hosts share",
        tags: owned("group"),
      },
      { parent: this },
    );
    const rule = ingressRule(
      `${name}-nfs`,
      {
        groupId: group.id,
        port: ports.nfs,
        source: { referencedSecurityGroupId: args.clientGroupId },
        description: "the site's hosts mount its content",
        component: "SharedContent",
      },
      { parent: this },
    );

    const target = ({ subnetId }: Place, index: number) =>
      new aws.efs.MountTarget(
        `${name}-target-${index}`,
        { fileSystemId: fileSystem.id, subnetId, securityGroups: [group.id] },
        { parent: this, dependsOn: [rule] },
      );
    this.targets = new Map(
      args.network.places.map((place, index) => [place, target(place, index)]),
    );

    this.fileSystemId = fileSystem.id;
    this.arn = fileSystem.arn;
    this.registerOutputs({ fileSystemId: this.fileSystemId });
  }

  /**
   * For the boot commands of a host at this place: mounts the file system in the background.
   *
   * @throws Error for a place of another network
   */
  bootCommand(place: Place): pulumi.Output<string> {
    const address = this.targets.get(place)?.ipAddress;
    if (address === undefined) throw new Error("there is no mount target at this place");
    return pulumi.interpolate`${mount.path} ${address} ${mountPoint} ${siteDirectory} </dev/null >>/var/log/rancher-cattle.log 2>&1 &`;
  }
}
