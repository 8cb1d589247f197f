/** EBS volumes and their attachments. */
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DeleteVolumeCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  ModifyVolumeCommand,
  type Volume,
  type VolumeAttachment,
  type VolumeType,
} from "@aws-sdk/client-ec2";
import { createHash } from "node:crypto";
import { flag, mustText, number, text } from "../standIn";
import { type Aws, errorCode, type Operation, release, tagMap, unlessGone, until } from "./client";
import { findInstance, stop } from "./instance";
import { type Kind, resource } from "./kind";
import { mustId, vanished } from "./network";

/** Seconds in which a volume must attach, detach or become available. */
const STATE_SECONDS = 300;

async function findVolume(
  aws: Aws,
  volumeId: string,
  call: Operation,
): Promise<Volume | undefined> {
  const command = new DescribeVolumesCommand({ VolumeIds: [volumeId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  const volume = found?.Volumes?.[0];
  return volume?.State === "deleted" || volume?.State === "deleting" ? undefined : volume;
}

const volume: Kind<Volume> = {
  type: "aws:ebs/volume:Volume",
  inputs: {
    shape: {
      availabilityZone: "string",
      size: "number",
      type: "string",
      encrypted: "boolean",
      iops: "number",
      throughput: "number",
      snapshotId: "string",
    },
    required: ["availabilityZone"],
  },
  replace: () => ["availabilityZone", "encrypted", "snapshotId"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { VolumeId } = await aws.ec2.send(
      new CreateVolumeCommand({
        AvailabilityZone: mustText(inputs, "availabilityZone"),
        Size: number(inputs, "size"),
        VolumeType: text(inputs, "type") as VolumeType | undefined,
        Encrypted: flag(inputs, "encrypted"),
        Iops: number(inputs, "iops"),
        Throughput: number(inputs, "throughput"),
        SnapshotId: text(inputs, "snapshotId"),
        TagSpecifications: aws.tagSpecification("volume", inputs),
      }),
      { abortSignal: call.signal },
    );
    return mustId(VolumeId);
  },
  settle: async (aws, volumeId, _, call) => {
    await until(
      `waiting for volume ${volumeId}`,
      call,
      async () => {
        const state = (await findVolume(aws, volumeId, call))?.State;
        return state === "available" || state === "in-use" ? true : undefined;
      },
      call.timeoutSeconds ?? STATE_SECONDS,
    );
  },
  find: (aws, volumeId, _, call) => findVolume(aws, volumeId, call),
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`volume/${mustId(found.VolumeId)}`, call),
    size: found.Size,
    type: found.VolumeType,
    encrypted: found.Encrypted,
    iops: found.Iops,
    throughput: found.Throughput,
  }),
  actual: (found) => ({
    availabilityZone: found.AvailabilityZone,
    size: found.Size,
    type: found.VolumeType,
    encrypted: found.Encrypted,
  }),
  update: async (aws, { id: VolumeId, inputs, changed }, call) => {
    if (!["size", "type", "iops", "throughput"].some((name) => changed.has(name))) return;
    await aws.ec2.send(
      new ModifyVolumeCommand({
        VolumeId,
        Size: number(inputs, "size"),
        VolumeType: text(inputs, "type") as VolumeType | undefined,
        Iops: number(inputs, "iops"),
        Throughput: number(inputs, "throughput"),
      }),
      { abortSignal: call.signal },
    );
  },
  delete: async (aws, VolumeId, _, call) => {
    await release(`deleting volume ${VolumeId}`, call, () =>
      aws.ec2.send(new DeleteVolumeCommand({ VolumeId }), { abortSignal: call.signal }),
    );
    await vanished(`volume ${VolumeId}`, call, () => findVolume(aws, VolumeId, call));
  },
};

const volumeAttachment: Kind<VolumeAttachment> = {
  type: "aws:ec2/volumeAttachment:VolumeAttachment",
  inputs: {
    shape: {
      deviceName: "string",
      instanceId: "string",
      volumeId: "string",
      forceDetach: "boolean",
      skipDestroy: "boolean",
      stopInstanceBeforeDetaching: "boolean",
    },
    required: ["deviceName", "instanceId", "volumeId"],
  },
  replace: () => ["deviceName", "instanceId", "volumeId"],
  create: async (aws, inputs, call) => {
    const Device = mustText(inputs, "deviceName");
    const InstanceId = mustText(inputs, "instanceId");
    const VolumeId = mustText(inputs, "volumeId");
    await until(
      `waiting for instance ${InstanceId} to take a volume`,
      call,
      async () => {
        const state = (await findInstance(aws, InstanceId, call))?.State?.Name;
        return state === "running" || state === "stopped" ? true : undefined;
      },
      call.timeoutSeconds ?? STATE_SECONDS,
    );
    const command = new AttachVolumeCommand({ Device, InstanceId, VolumeId });
    await aws.ec2.send(command, { abortSignal: call.signal });
    const hash = createHash("sha256").update(`${Device}-${InstanceId}-${VolumeId}-`).digest();
    return `vai-${hash.readUInt32BE(0)}`;
  },
  settle: async (aws, _, inputs, call) => {
    const volumeId = mustText(inputs, "volumeId");
    await until(
      `waiting for volume ${volumeId} to be attached`,
      call,
      async () => {
        const state = (await attachment(aws, inputs, call))?.State;
        return state === "attached" ? true : undefined;
      },
      call.timeoutSeconds ?? STATE_SECONDS,
    );
  },
  find: (aws, _, state, call) => attachment(aws, state, call),
  outputs: () => ({}),
  actual: (found) => ({ deviceName: found.Device, instanceId: found.InstanceId }),
  delete: async (aws, _, state, call) => {
    if (flag(state, "skipDestroy") === true) return;
    const InstanceId = mustText(state, "instanceId");
    const VolumeId = mustText(state, "volumeId");
    if (flag(state, "stopInstanceBeforeDetaching") === true) await stop(aws, InstanceId, call);
    try {
      await aws.ec2.send(
        new DetachVolumeCommand({
          VolumeId,
          InstanceId,
          Device: mustText(state, "deviceName"),
          Force: flag(state, "forceDetach") ?? false,
        }),
        { abortSignal: call.signal },
      );
    } catch (error) {
      // Detached already, by hand or with the instance's end.
      const detached = /^IncorrectState$|^InvalidAttachment|NotFound/.test(errorCode(error));
      if (!detached) throw error;
    }
    await until(
      `waiting for volume ${VolumeId} to be detached`,
      call,
      async () => {
        const left = await attachment(aws, state, call);
        if (left === undefined) return true;
        call.status(
          `waiting for volume ${VolumeId} to be detached, it is ${left.State ?? "unknown"}`,
        );
        return undefined;
      },
      call.timeoutSeconds ?? STATE_SECONDS,
    );
  },
};

async function attachment(
  aws: Aws,
  state: Record<string, unknown>,
  call: Operation,
): Promise<VolumeAttachment | undefined> {
  const found = await findVolume(aws, mustText(state, "volumeId"), call);
  return found?.Attachments?.find(
    (a) => a.InstanceId === text(state, "instanceId") && a.State !== "detached",
  );
}

/** Everything here, by type token. */
export const volumeResources = {
  [volume.type]: resource(volume),
  [volumeAttachment.type]: resource(volumeAttachment),
};
