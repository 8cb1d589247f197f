import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { tags, token } from "./names";
import type { HostFileArgs } from "./rancherOsHost";
import { scriptFile } from "./script";

/** Arguments of {@link DataVolume}. */
export interface DataVolumeArgs {
  /** Zone of the machine that will carry it. Changing it replaces the volume. */
  readonly availabilityZone: pulumi.Input<string>;
  /** Directories to make when the volume is formatted, and never again. */
  readonly directories: readonly string[];
  /** @default 20 */
  readonly sizeGiB?: number;
  /**
   * Refuse to delete or replace the volume: `destroy` stops in its preview until this is false and
   * one `up` has noted it.
   *
   * @default false
   */
  readonly isProtected?: boolean;
}

const script = scriptFile("mount-data");

/**
 * A disk for databases that outlives the machine it is attached to. The machine formats it when it is
 * blank and mounts it; {@link AttachedVolume} attaches it.
 */
export class DataVolume extends pulumi.ComponentResource {
  public readonly volumeId: pulumi.Output<string>;
  public readonly arn: pulumi.Output<string>;
  /** Where machines mount it. Below `/mnt`, which RancherOS shares with its Docker engine. */
  public readonly mountPoint = "/mnt/data";
  /** The script that mounts it, for the machine's files. */
  public readonly file: HostFileArgs;
  /** The command that mounts it, as words. */
  public readonly mountCommand: readonly pulumi.Input<string>[];
  /** The same for the machine's boot commands. */
  public readonly bootCommand: pulumi.Output<string>;
  /** Whether it may not be deleted; nor may then what opens the databases on it. */
  public readonly isProtected: boolean;
  /** Options for what lives in a database on this volume: it is lost with the volume and nothing else. */
  public readonly residency: pulumi.CustomResourceOptions;

  constructor(name: string, args: DataVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("DataVolume"), name, {}, opts);
    this.isProtected = args.isProtected ?? false;

    const volume = new aws.ebs.Volume(
      `${name}-volume`,
      {
        availabilityZone: args.availabilityZone,
        size: args.sizeGiB ?? 20,
        type: "gp3",
        encrypted: true,
        tags: tags(name, "DataVolume"),
      },
      { parent: this, protect: this.isProtected },
    );

    this.volumeId = volume.id;
    this.arn = volume.arn;
    this.file = script;
    this.mountCommand = [script.path, volume.id, this.mountPoint, ...args.directories];
    this.bootCommand = pulumi
      .all([...this.mountCommand])
      .apply((words) => `${words.join(" ")} </dev/null >/dev/null 2>&1 &`);
    this.residency = {
      replaceWith: [volume],
      deletedWith: volume,
      replacementTrigger: volume.id,
    };
    this.registerOutputs({ volumeId: this.volumeId });
  }

  /** The path of one of the volume's directories on the machine. */
  directory(name: string): string {
    return `${this.mountPoint}/${name}`;
  }
}
