import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { DataVolume } from "./dataVolume";
import type { HostAddress } from "./hostAddress";
import { hostGate } from "./hostGate";
import { token } from "./names";

/** Arguments of {@link AttachedVolume}. */
export interface AttachedVolumeArgs {
  readonly volume: DataVolume;
  /** The machine, which has the volume's file and boot command. */
  readonly address: HostAddress;
}

/** Long enough for a machine to boot and for AWS to move a volume between two. */
const limitSeconds = 900;

/**
 * A data volume attached to a machine and mounted there. When the machine is replaced the old one is
 * stopped, the volume is detached from it, and only then attached to the new one.
 */
export class AttachedVolume extends pulumi.ComponentResource {
  /** Exists once the volume is mounted with its directories in place: to depend on. */
  public readonly mounted: pulumi.Resource;

  constructor(name: string, args: AttachedVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("AttachedVolume"), name, {}, opts);
    const { volume, address } = args;

    // An EBS volume attaches once, so this one resource is deleted first. No resource may take a
    // property from it: the engine would then delete that one first too, on a machine that is gone.
    const attachment = new aws.ec2.VolumeAttachment(
      `${name}-attachment`,
      {
        deviceName: "/dev/sdf",
        volumeId: volume.volumeId,
        instanceId: address.host.instanceId,
        stopInstanceBeforeDetaching: true,
      },
      { parent: this, deleteBeforeReplace: true },
    );

    this.mounted = hostGate(
      `${name}-mounted`,
      {
        address,
        waitFor: "the data volume to be mounted",
        limitSeconds,
        script: "data-mounted",
        args: [volume.mountPoint, ...volume.mountCommand],
      },
      { parent: this, dependsOn: [attachment, ...address.reachable] },
    );
    this.registerOutputs();
  }
}
