/** What the emulated account holds, seen through AWS's own API. */
import {
  BackupClient,
  DeleteBackupPlanCommand,
  DeleteBackupVaultCommand,
  ListBackupPlansCommand,
  ListBackupVaultsCommand,
} from "@aws-sdk/client-backup";
import {
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DeleteVpcCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
  EC2Client,
  ReleaseAddressCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import {
  DeleteFileSystemCommand,
  DeleteMountTargetCommand,
  DescribeFileSystemsCommand,
  DescribeMountTargetsCommand,
  EFSClient,
} from "@aws-sdk/client-efs";
import { DeleteRoleCommand, IAMClient, ListRolesCommand } from "@aws-sdk/client-iam";
import {
  DeleteLoadBalancerCommand,
  DeleteTargetGroupCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import {
  DeleteHostedZoneCommand,
  ListHostedZonesCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import type { LabEnv } from "./env";
import { until } from "./steps";

/** How long an instance may take to end, in seconds. */
const TERMINATE_SECONDS = 60;

/** One kind of thing that the program makes in the account. */
interface Kind {
  readonly name: string;
  /** Its resource type in Pulumi's state. */
  readonly type: string;
  /** Ids as Pulumi's state has them. */
  readonly list: () => Promise<(string | undefined)[]>;
  readonly remove: (id: string) => Promise<unknown>;
}

function kindsOf(env: LabEnv): Kind[] {
  // It warns on Node 20, which is what the project's packages are pinned for.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const options = {
    endpoint: env.cloudUrl,
    region: env.region,
    credentials: { accessKeyId: "lab", secretAccessKey: "lab" },
    maxAttempts: 2,
  };
  const backup = new BackupClient(options);
  const ec2 = new EC2Client(options);
  const efs = new EFSClient(options);
  const iam = new IAMClient(options);
  const elb = new ElasticLoadBalancingV2Client(options);
  const route53 = new Route53Client(options);
  const fileSystems = async () =>
    ((await efs.send(new DescribeFileSystemsCommand({}))).FileSystems ?? []).map(
      (found) => found.FileSystemId,
    );
  return [
    {
      name: "instance",
      type: "aws:ec2/instance:Instance",
      list: async () =>
        ((await ec2.send(new DescribeInstancesCommand({}))).Reservations ?? [])
          .flatMap((reservation) => reservation.Instances ?? [])
          .filter((instance) => instance.State?.Name !== "terminated")
          .map((instance) => instance.InstanceId),
      remove: (id) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })),
    },
    {
      name: "load balancer",
      type: "aws:lb/loadBalancer:LoadBalancer",
      list: async () =>
        ((await elb.send(new DescribeLoadBalancersCommand({}))).LoadBalancers ?? []).map(
          (balancer) => balancer.LoadBalancerArn,
        ),
      remove: (id) => elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: id })),
    },
    {
      name: "target group",
      type: "aws:lb/targetGroup:TargetGroup",
      list: async () =>
        ((await elb.send(new DescribeTargetGroupsCommand({}))).TargetGroups ?? []).map(
          (group) => group.TargetGroupArn,
        ),
      remove: (id) => elb.send(new DeleteTargetGroupCommand({ TargetGroupArn: id })),
    },
    {
      name: "address",
      type: "aws:ec2/eip:Eip",
      list: async () =>
        ((await ec2.send(new DescribeAddressesCommand({}))).Addresses ?? []).map(
          (address) => address.AllocationId,
        ),
      remove: (id) => ec2.send(new ReleaseAddressCommand({ AllocationId: id })),
    },
    {
      name: "volume",
      type: "aws:ebs/volume:Volume",
      list: async () =>
        ((await ec2.send(new DescribeVolumesCommand({}))).Volumes ?? [])
          // Attached, it is either the root volume of an instance, or known as what was attached.
          .filter((volume) => (volume.Attachments ?? []).length === 0)
          .map((volume) => volume.VolumeId),
      remove: (id) => ec2.send(new DeleteVolumeCommand({ VolumeId: id })),
    },
    {
      name: "mount target",
      type: "aws:efs/mountTarget:MountTarget",
      list: async () => {
        const found = (await fileSystems()).map(async (FileSystemId) =>
          efs.send(new DescribeMountTargetsCommand({ FileSystemId })),
        );
        return (await Promise.all(found))
          .flatMap(({ MountTargets = [] }) => MountTargets)
          .map((target) => target.MountTargetId);
      },
      remove: (id) => efs.send(new DeleteMountTargetCommand({ MountTargetId: id })),
    },
    {
      name: "file system",
      type: "aws:efs/fileSystem:FileSystem",
      list: fileSystems,
      remove: (id) => efs.send(new DeleteFileSystemCommand({ FileSystemId: id })),
    },
    {
      name: "backup plan",
      type: "aws:backup/plan:Plan",
      list: async () =>
        ((await backup.send(new ListBackupPlansCommand({}))).BackupPlansList ?? []).map(
          (plan) => plan.BackupPlanId,
        ),
      remove: (id) => backup.send(new DeleteBackupPlanCommand({ BackupPlanId: id })),
    },
    {
      name: "backup vault",
      type: "aws:backup/vault:Vault",
      list: async () =>
        ((await backup.send(new ListBackupVaultsCommand({}))).BackupVaultList ?? []).map(
          (vault) => vault.BackupVaultName,
        ),
      remove: (id) => backup.send(new DeleteBackupVaultCommand({ BackupVaultName: id })),
    },
    {
      name: "role",
      type: "aws:iam/role:Role",
      list: async () =>
        ((await iam.send(new ListRolesCommand({}))).Roles ?? [])
          // Those of AWS's own services, which every account has.
          .filter((role) => role.Path?.startsWith("/aws-service-role/") !== true)
          .map((role) => role.RoleName),
      remove: (id) => iam.send(new DeleteRoleCommand({ RoleName: id })),
    },
    {
      name: "group",
      type: "aws:ec2/securityGroup:SecurityGroup",
      list: async () =>
        ((await ec2.send(new DescribeSecurityGroupsCommand({}))).SecurityGroups ?? [])
          .filter((group) => group.GroupName !== "default")
          .map((group) => group.GroupId),
      remove: (id) => ec2.send(new DeleteSecurityGroupCommand({ GroupId: id })),
    },
    {
      name: "key",
      type: "aws:ec2/keyPair:KeyPair",
      list: async () =>
        ((await ec2.send(new DescribeKeyPairsCommand({}))).KeyPairs ?? []).map(
          (key) => key.KeyName,
        ),
      remove: (id) => ec2.send(new DeleteKeyPairCommand({ KeyName: id })),
    },
    {
      name: "zone",
      type: "aws:route53/zone:Zone",
      list: async () =>
        ((await route53.send(new ListHostedZonesCommand({}))).HostedZones ?? []).map((zone) =>
          zone.Id?.replace("/hostedzone/", ""),
        ),
      remove: (id) => route53.send(new DeleteHostedZoneCommand({ Id: id })),
    },
    {
      name: "VPC",
      type: "aws:ec2/vpc:Vpc",
      list: async () =>
        ((await ec2.send(new DescribeVpcsCommand({}))).Vpcs ?? [])
          // The region's own VPC, which every account has.
          .filter((vpc) => vpc.IsDefault !== true)
          .map((vpc) => vpc.VpcId),
      remove: (id) => ec2.send(new DeleteVpcCommand({ VpcId: id })),
    },
  ];
}

/** Everything in the emulator that the program could have made, as `kind id`. */
export async function emulatorHolds(env: LabEnv): Promise<string[]> {
  const found = kindsOf(env).map(async ({ name, list }) =>
    (await list()).map((id) => `${name} ${id ?? ""}`),
  );
  return (await Promise.all(found)).flat();
}

/**
 * Removes what a pulumi that was killed had made and not yet written down.
 * @param types resource types of which it was making one.
 * @param known ids in the stack's state; everything else of these types goes.
 * @returns what was removed, as `kind id`.
 */
export async function removeOrphans(
  env: LabEnv,
  types: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Promise<string[]> {
  const removed: string[] = [];
  for (const { name, type, list, remove } of kindsOf(env)) {
    if (!types.has(type)) continue;
    for (const id of await list()) {
      if (id === undefined || known.has(id)) continue;
      await remove(id);
      await until(`${name} ${id} is still there`, TERMINATE_SECONDS, async () => {
        return !(await list()).includes(id);
      });
      removed.push(`${name} ${id}`);
    }
  }
  return removed;
}
