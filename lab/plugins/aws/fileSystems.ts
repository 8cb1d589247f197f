/** EFS file systems and their mount targets. */
import {
  CreateFileSystemCommand,
  CreateMountTargetCommand,
  DeleteFileSystemCommand,
  DeleteMountTargetCommand,
  DescribeFileSystemsCommand,
  DescribeMountTargetSecurityGroupsCommand,
  DescribeMountTargetsCommand,
  type FileSystemDescription,
  ModifyMountTargetSecurityGroupsCommand,
  type MountTargetDescription,
  type PerformanceMode,
  TagResourceCommand,
  type ThroughputMode,
  UntagResourceCommand,
} from "@aws-sdk/client-efs";
import type { FileSystemArgs, MountTargetArgs } from "@pulumi/aws/efs";
import { randomUUID } from "node:crypto";
import { flag, mustText, type Shape, text, texts } from "../standIn";
import { type Aws, type Operation, release, sdkTags, tagMap, unlessGone, until } from "./client";
import { type Kind, resource } from "./kind";
import { mustId, vanished } from "./network";

/** Seconds in which one must become available. On AWS a mount target takes a minute and a half. */
const STATE_SECONDS = 600;

/** Inputs of these names exist in the real plugin too. */
type Shapes<Args> = Partial<Record<keyof Args, Shape>>;

/** True until its deletion has begun. */
function stays(found: { LifeCycleState?: string | undefined }): boolean {
  return found.LifeCycleState !== "deleting" && found.LifeCycleState !== "deleted";
}

/** Waits until it is available. */
async function available(
  what: string,
  call: Operation,
  find: () => Promise<{ LifeCycleState?: string | undefined } | undefined>,
): Promise<void> {
  await until(
    `waiting for ${what} to be available`,
    call,
    async () => {
      const state = (await find())?.LifeCycleState;
      call.status(`waiting for ${what} to be available, it is ${state ?? "unknown"}`);
      return state === "available" ? true : undefined;
    },
    call.timeoutSeconds ?? STATE_SECONDS,
  );
}

function dnsName(aws: Aws, fileSystemId: string | undefined): string {
  return `${mustId(fileSystemId)}.efs.${aws.region}.amazonaws.com`;
}

// --- file system ---

async function findFileSystem(
  aws: Aws,
  FileSystemId: string,
  call: Operation,
): Promise<FileSystemDescription | undefined> {
  const command = new DescribeFileSystemsCommand({ FileSystemId });
  const found = await unlessGone(() => aws.efs.send(command, { abortSignal: call.signal }));
  return found?.FileSystems?.find(stays);
}

const fileSystem: Kind<FileSystemDescription> = {
  type: "aws:efs/fileSystem:FileSystem",
  inputs: {
    shape: {
      creationToken: "string",
      encrypted: "boolean",
      kmsKeyId: "string",
      performanceMode: "string",
      throughputMode: "string",
    } satisfies Shapes<FileSystemArgs>,
  },
  replace: () => ["creationToken", "encrypted", "kmsKeyId", "performanceMode"],
  tags: (found) => tagMap(found.Tags),
  retag: async (aws, ResourceId, before, after, call) => {
    const [old, wanted] = [aws.tags(before), aws.tags(after)];
    const TagKeys = Object.keys(old).filter((key) => !(key in wanted));
    const options = { abortSignal: call.signal };
    if (TagKeys.length > 0) {
      await aws.efs.send(new UntagResourceCommand({ ResourceId, TagKeys }), options);
    }
    await aws.efs.send(new TagResourceCommand({ ResourceId, Tags: sdkTags(wanted) }), options);
  },
  create: async (aws, inputs, call) => {
    const { FileSystemId } = await aws.efs.send(
      new CreateFileSystemCommand({
        CreationToken: text(inputs, "creationToken") ?? randomUUID(),
        Encrypted: flag(inputs, "encrypted"),
        KmsKeyId: text(inputs, "kmsKeyId"),
        PerformanceMode: text(inputs, "performanceMode") as PerformanceMode | undefined,
        ThroughputMode: text(inputs, "throughputMode") as ThroughputMode | undefined,
        Tags: sdkTags(aws.tags(inputs)),
      }),
      { abortSignal: call.signal },
    );
    return mustId(FileSystemId);
  },
  settle: (aws, id, _, call) =>
    available(`file system ${id}`, call, () => findFileSystem(aws, id, call)),
  find: (aws, id, _, call) => findFileSystem(aws, id, call),
  outputs: (aws, found) => ({
    arn: found.FileSystemArn,
    creationToken: found.CreationToken,
    dnsName: dnsName(aws, found.FileSystemId),
    encrypted: found.Encrypted,
    kmsKeyId: found.KmsKeyId ?? "",
    ownerId: found.OwnerId,
    performanceMode: found.PerformanceMode,
    throughputMode: found.ThroughputMode,
  }),
  actual: (found) => ({
    encrypted: found.Encrypted,
    performanceMode: found.PerformanceMode,
    throughputMode: found.ThroughputMode,
  }),
  update: (_, { changed }) => {
    if (!changed.has("throughputMode")) return Promise.resolve();
    throw new Error("the lab's cloud cannot change the throughput mode of a file system");
  },
  delete: async (aws, FileSystemId, _, call) => {
    await release(`deleting file system ${FileSystemId}`, call, () =>
      aws.efs.send(new DeleteFileSystemCommand({ FileSystemId }), { abortSignal: call.signal }),
    );
    await vanished(`file system ${FileSystemId}`, call, () =>
      findFileSystem(aws, FileSystemId, call),
    );
  },
};

// --- mount target ---

interface FoundTarget {
  readonly target: MountTargetDescription;
  readonly groups: readonly string[];
}

async function describeTarget(
  aws: Aws,
  MountTargetId: string,
  call: Operation,
): Promise<MountTargetDescription | undefined> {
  const command = new DescribeMountTargetsCommand({ MountTargetId });
  const found = await unlessGone(() => aws.efs.send(command, { abortSignal: call.signal }));
  return found?.MountTargets?.[0];
}

const mountTarget: Kind<FoundTarget> = {
  type: "aws:efs/mountTarget:MountTarget",
  inputs: {
    shape: {
      fileSystemId: "string",
      subnetId: "string",
      ipAddress: "string",
      securityGroups: ["string"],
    } satisfies Shapes<MountTargetArgs>,
    required: ["fileSystemId", "subnetId"],
  },
  replace: () => ["fileSystemId", "subnetId", "ipAddress"],
  create: async (aws, inputs, call) => {
    const groups = texts(inputs, "securityGroups");
    const { MountTargetId } = await aws.efs.send(
      new CreateMountTargetCommand({
        FileSystemId: mustText(inputs, "fileSystemId"),
        SubnetId: mustText(inputs, "subnetId"),
        IpAddress: text(inputs, "ipAddress"),
        SecurityGroups: groups.length === 0 ? undefined : groups,
      }),
      { abortSignal: call.signal },
    );
    return mustId(MountTargetId);
  },
  settle: (aws, id, _, call) =>
    available(`mount target ${id}`, call, () => describeTarget(aws, id, call)),
  find: async (aws, MountTargetId, _, call) => {
    const target = await describeTarget(aws, MountTargetId, call);
    if (target === undefined || !stays(target)) return undefined;
    const command = new DescribeMountTargetSecurityGroupsCommand({ MountTargetId });
    const { SecurityGroups } = await aws.efs.send(command, { abortSignal: call.signal });
    return { target, groups: SecurityGroups ?? [] };
  },
  outputs: async (aws, { target, groups }, inputs, call) => ({
    availabilityZoneId: target.AvailabilityZoneId,
    availabilityZoneName: target.AvailabilityZoneName,
    dnsName: dnsName(aws, target.FileSystemId),
    fileSystemArn: (await findFileSystem(aws, mustText(inputs, "fileSystemId"), call))
      ?.FileSystemArn,
    ipAddress: target.IpAddress,
    mountTargetDnsName: `${target.AvailabilityZoneName ?? ""}.${dnsName(aws, target.FileSystemId)}`,
    networkInterfaceId: target.NetworkInterfaceId,
    ownerId: target.OwnerId,
    securityGroups: groups,
  }),
  actual: ({ target, groups }) => ({
    fileSystemId: target.FileSystemId,
    subnetId: target.SubnetId,
    ipAddress: target.IpAddress,
    securityGroups: groups,
  }),
  update: async (aws, { id: MountTargetId, inputs, changed }, call) => {
    if (!changed.has("securityGroups")) return;
    const SecurityGroups = texts(inputs, "securityGroups");
    const command = new ModifyMountTargetSecurityGroupsCommand({ MountTargetId, SecurityGroups });
    await aws.efs.send(command, { abortSignal: call.signal });
  },
  delete: async (aws, MountTargetId, _, call) => {
    await unlessGone(() =>
      aws.efs.send(new DeleteMountTargetCommand({ MountTargetId }), { abortSignal: call.signal }),
    );
    await until(
      `waiting for mount target ${MountTargetId} to go`,
      call,
      async () =>
        (await describeTarget(aws, MountTargetId, call)) === undefined ? true : undefined,
      call.timeoutSeconds ?? STATE_SECONDS,
    );
  },
};

/** Everything here, by type token. */
export const fileSystemResources = {
  [fileSystem.type]: resource(fileSystem),
  [mountTarget.type]: resource(mountTarget),
};
