import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { tags, token } from "./names";

/** Arguments of {@link Snapshots}. */
export interface SnapshotsArgs {
  /** ARNs of what is kept: volumes and file systems. */
  readonly resources: readonly pulumi.Input<string>[];
  /** How many days each snapshot is kept. A change is for new snapshots; old ones keep theirs. */
  readonly days: number;
  /**
   * Refuse to delete the vault: `destroy` stops in its preview until this is false and one `up` has
   * noted it. Without it the vault is deleted with the snapshots in it.
   *
   * @default false
   */
  readonly isProtected?: boolean;
}

/** Once a day, when Europe and America are asleep (UTC). */
const schedule = "cron(0 3 * * ? *)";

/**
 * In minutes: it begins within an hour and may take a day. Left out, the plugin would cancel what takes
 * three hours, which the first copy of a large file system does.
 */
const windows = { startWindow: 60, completionWindow: 1440 } as const;

/** AWS's own policy for a role that backups are taken by; it can restore nothing. */
const policyArn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup";

/**
 * Snapshots of disks and file systems, once a day, by AWS Backup. What is to be kept is named by its ARN: a
 * tag could be on something else too, and what is named is taken even in a region whose settings leave
 * its kind out (AWS Backup, service opt-in).
 *
 * A snapshot is what the disk held at one moment, as after a power cut; databases recover from that.
 */
export class Snapshots extends pulumi.ComponentResource {
  /** Name of the vault that snapshots are in. */
  public readonly vaultName: pulumi.Output<string>;

  constructor(name: string, args: SnapshotsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("Snapshots"), name, {}, opts);
    const owned = (part: string) => tags(`${name}-${part}`, "Snapshots");
    const isProtected = args.isProtected ?? false;

    const role = new aws.iam.Role(
      `${name}-role`,
      {
        description: "takes the snapshots of the stack's disk and files",
        assumeRolePolicy: JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            {
              Effect: "Allow",
              Principal: { Service: "backup.amazonaws.com" },
              Action: "sts:AssumeRole",
            },
          ],
        }),
        tags: owned("role"),
      },
      { parent: this },
    );
    const policy = new aws.iam.RolePolicyAttachment(
      `${name}-policy`,
      { role: role.name, policyArn },
      { parent: this },
    );

    const vault = new aws.backup.Vault(
      `${name}-vault`,
      { forceDestroy: !isProtected, tags: owned("vault") },
      { parent: this, protect: isProtected },
    );
    const plan = new aws.backup.Plan(
      `${name}-plan`,
      {
        rules: [
          {
            ruleName: "daily",
            targetVaultName: vault.name,
            schedule,
            ...windows,
            lifecycle: { deleteAfter: args.days },
            recoveryPointTags: owned("snapshot"),
          },
        ],
        tags: owned("plan"),
      },
      { parent: this },
    );
    new aws.backup.Selection(
      `${name}-selection`,
      { planId: plan.id, iamRoleArn: role.arn, resources: [...args.resources] },
      { parent: this, dependsOn: [policy] },
    );

    this.vaultName = vault.name;
    this.registerOutputs({ vaultName: this.vaultName });
  }

  /** Snapshots that are kept for so many days; 0 means that there are none. */
  static keptFor(
    days: number,
    name: string,
    args: Omit<SnapshotsArgs, "days">,
  ): Snapshots | undefined {
    return days > 0 ? new Snapshots(name, { ...args, days }) : undefined;
  }
}
