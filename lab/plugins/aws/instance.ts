/** Instances and key pairs. */
import {
  type _InstanceType,
  DeleteKeyPairCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeVolumesCommand,
  type HttpTokensState,
  ImportKeyPairCommand,
  type Instance,
  type InstanceMetadataEndpointState,
  type KeyPairInfo,
  ModifyInstanceAttributeCommand,
  ModifyInstanceMetadataOptionsCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Volume,
  type VolumeType,
} from "@aws-sdk/client-ec2";
import { randomUUID } from "node:crypto";
import type { Call, Props } from "../../../rancher/plugin/types";
import { flag, map, mustText, number, object, text, texts } from "../standIn";
import { type Aws, type Operation, sdkTags, tagMap, unlessGone, until } from "./client";
import { type Kind, resource } from "./kind";
import { mustId } from "./network";

/** Seconds in which an instance must reach a state it was sent to. */
const STATE_SECONDS = 600;

async function describeInstance(
  aws: Aws,
  instanceId: string,
  call: Operation,
): Promise<Instance | undefined> {
  const command = new DescribeInstancesCommand({ InstanceIds: [instanceId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.Reservations?.[0]?.Instances?.[0];
}

/** The instance, or undefined when it is terminated or unknown. */
export async function findInstance(
  aws: Aws,
  instanceId: string,
  call: Operation,
): Promise<Instance | undefined> {
  const found = await describeInstance(aws, instanceId, call);
  return found?.State?.Name === "terminated" ? undefined : found;
}

/** Waits for a state; fails at once when the instance is on its way to another end. */
export async function reached(
  aws: Aws,
  instanceId: string,
  wanted: "running" | "stopped",
  call: Operation,
): Promise<void> {
  await until(
    `waiting for instance ${instanceId} to be ${wanted}`,
    call,
    async () => {
      const found = await describeInstance(aws, instanceId, call);
      const state = found?.State?.Name;
      if (state === "shutting-down" || state === "terminated") {
        const why = found?.StateReason?.Message ?? "no reason given";
        throw new Error(`instance ${instanceId} is ${state} instead of ${wanted}: ${why}`);
      }
      if (state === wanted) return true;
      call.status(
        `waiting for instance ${instanceId} to be ${wanted}, it is ${state ?? "unknown"}`,
      );
      return undefined;
    },
    call.timeoutSeconds ?? STATE_SECONDS,
  );
}

/** Stops an instance and waits for it. AWS's own complaint is the answer for one that is gone, as with the real plugin. */
export async function stop(aws: Aws, instanceId: string, call: Operation): Promise<void> {
  const command = new StopInstancesCommand({ InstanceIds: [instanceId] });
  await aws.ec2.send(command, { abortSignal: call.signal });
  await reached(aws, instanceId, "stopped", call);
}

async function rootVolume(aws: Aws, of: Instance, call: Operation): Promise<Volume | undefined> {
  const device = of.BlockDeviceMappings?.find((d) => d.DeviceName === of.RootDeviceName);
  if (device?.Ebs?.VolumeId === undefined) return undefined;
  const command = new DescribeVolumesCommand({ VolumeIds: [device.Ebs.VolumeId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.Volumes?.[0];
}

function userData(inputs: Props): string | undefined {
  const plain = text(inputs, "userData");
  return plain === undefined
    ? text(inputs, "userDataBase64")
    : Buffer.from(plain).toString("base64");
}

interface FoundInstance {
  readonly instance: Instance;
  readonly root: Volume | undefined;
}

const instance: Kind<FoundInstance> = {
  type: "aws:ec2/instance:Instance",
  inputs: {
    shape: {
      ami: "string",
      instanceType: "string",
      subnetId: "string",
      availabilityZone: "string",
      vpcSecurityGroupIds: ["string"],
      keyName: "string",
      userData: "string",
      userDataBase64: "string",
      userDataReplaceOnChange: "boolean",
      privateIp: "string",
      associatePublicIpAddress: "boolean",
      sourceDestCheck: "boolean",
      disableApiTermination: "boolean",
      instanceInitiatedShutdownBehavior: "string",
      monitoring: "boolean",
      rootBlockDevice: {
        volumeType: "string",
        volumeSize: "number",
        encrypted: "boolean",
        deleteOnTermination: "boolean",
        iops: "number",
        throughput: "number",
        tags: "map",
      },
      metadataOptions: {
        httpEndpoint: "string",
        httpTokens: "string",
        httpPutResponseHopLimit: "number",
        instanceMetadataTags: "string",
      },
    },
    required: ["ami", "instanceType"],
  },
  replace: (inputs) => [
    ...["ami", "subnetId", "availabilityZone", "keyName", "privateIp", "associatePublicIpAddress"],
    "instanceInitiatedShutdownBehavior",
    "monitoring",
    // The real plugin grows a root volume in place; here any change of it but tags makes a new host.
    ...["volumeType", "volumeSize", "encrypted", "deleteOnTermination", "iops", "throughput"].map(
      (name) => `rootBlockDevice.${name}`,
    ),
    ...(flag(inputs, "userDataReplaceOnChange") === true ? ["userData", "userDataBase64"] : []),
  ],
  tags: (found) => tagMap(found.instance.Tags),
  create: async (aws, inputs, call) => {
    const options = { abortSignal: call.signal };
    const ImageId = mustText(inputs, "ami");
    const root = object(inputs, "rootBlockDevice");
    const metadata = object(inputs, "metadataOptions");
    const { Images } = await aws.ec2.send(
      new DescribeImagesCommand({ ImageIds: [ImageId] }),
      options,
    );
    const groups = texts(inputs, "vpcSecurityGroupIds");
    const publicIp = flag(inputs, "associatePublicIpAddress");
    const volumeTags = { ...aws.defaultTags, ...map(root ?? {}, "tags") };
    const placement = {
      SubnetId: text(inputs, "subnetId"),
      PrivateIpAddress: text(inputs, "privateIp"),
    };
    const { Instances } = await aws.ec2.send(
      new RunInstancesCommand({
        ClientToken: randomUUID(),
        ImageId,
        InstanceType: mustText(inputs, "instanceType") as _InstanceType,
        MinCount: 1,
        MaxCount: 1,
        KeyName: text(inputs, "keyName"),
        UserData: userData(inputs),
        DisableApiTermination: flag(inputs, "disableApiTermination"),
        InstanceInitiatedShutdownBehavior:
          text(inputs, "instanceInitiatedShutdownBehavior") === "terminate" ? "terminate" : "stop",
        Monitoring: { Enabled: flag(inputs, "monitoring") ?? false },
        Placement: { AvailabilityZone: text(inputs, "availabilityZone") },
        // A public address can only be asked for, or refused, on an interface of one's own.
        ...(publicIp === undefined
          ? { ...placement, SecurityGroupIds: groups.length === 0 ? undefined : groups }
          : {
              NetworkInterfaces: [
                {
                  DeviceIndex: 0,
                  AssociatePublicIpAddress: publicIp,
                  Groups: groups.length === 0 ? undefined : groups,
                  ...placement,
                },
              ],
            }),
        MetadataOptions: metadata && {
          HttpEndpoint: text(metadata, "httpEndpoint") as InstanceMetadataEndpointState | undefined,
          HttpTokens: text(metadata, "httpTokens") as HttpTokensState | undefined,
          HttpPutResponseHopLimit: number(metadata, "httpPutResponseHopLimit"),
        },
        BlockDeviceMappings: root && [
          {
            DeviceName: Images?.[0]?.RootDeviceName ?? "/dev/sda1",
            Ebs: {
              VolumeType: text(root, "volumeType") as VolumeType | undefined,
              VolumeSize: number(root, "volumeSize"),
              Encrypted: flag(root, "encrypted"),
              DeleteOnTermination: flag(root, "deleteOnTermination") ?? true,
              Iops: number(root, "iops"),
              Throughput: number(root, "throughput"),
            },
          },
        ],
        TagSpecifications: [
          ...aws.tagSpecification("instance", inputs),
          ...(Object.keys(volumeTags).length === 0
            ? []
            : [{ ResourceType: "volume" as const, Tags: sdkTags(volumeTags) }]),
        ],
      }),
      options,
    );
    return mustId(Instances?.[0]?.InstanceId);
  },
  settle: async (aws, InstanceId, inputs, call) => {
    await reached(aws, InstanceId, "running", call);
    await until(`waiting for the root volume of ${InstanceId}`, call, async () => {
      const found = await findInstance(aws, InstanceId, call);
      return found === undefined ? undefined : rootVolume(aws, found, call);
    });
    const check = flag(inputs, "sourceDestCheck");
    if (check === undefined) return;
    const command = new ModifyInstanceAttributeCommand({
      InstanceId,
      SourceDestCheck: { Value: check },
    });
    await aws.ec2.send(command, { abortSignal: call.signal });
  },
  find: async (aws, instanceId, _, call) => {
    const found = await findInstance(aws, instanceId, call);
    // An instance on its way out is as good as gone.
    if (found === undefined || found.State?.Name === "shutting-down") return undefined;
    return { instance: found, root: await rootVolume(aws, found, call) };
  },
  outputs: async (aws, { instance: found, root }, inputs, call) => ({
    arn: await aws.arn(`instance/${mustId(found.InstanceId)}`, call),
    availabilityZone: found.Placement?.AvailabilityZone,
    instanceState: found.State?.Name,
    privateIp: found.PrivateIpAddress,
    privateDns: found.PrivateDnsName ?? "",
    publicIp: found.PublicIpAddress ?? "",
    publicDns: found.PublicDnsName ?? "",
    subnetId: found.SubnetId,
    keyName: found.KeyName ?? "",
    primaryNetworkInterfaceId: found.NetworkInterfaces?.[0]?.NetworkInterfaceId ?? "",
    vpcSecurityGroupIds: groupIds(found, inputs),
    sourceDestCheck: found.SourceDestCheck ?? true,
    rootBlockDevice: {
      ...object(inputs, "rootBlockDevice"),
      volumeId: root?.VolumeId,
      deviceName: found.RootDeviceName,
      volumeSize: root?.Size,
      volumeType: root?.VolumeType,
      encrypted: root?.Encrypted,
      iops: root?.Iops,
      throughput: root?.Throughput,
    },
  }),
  actual: ({ instance: found }) => ({
    ami: found.ImageId,
    instanceType: found.InstanceType,
    subnetId: found.SubnetId,
    keyName: found.KeyName,
    vpcSecurityGroupIds: (found.SecurityGroups ?? []).map((group) => group.GroupId),
  }),
  update: async (aws, { id: InstanceId, oldInputs, old, inputs, changed }, call) => {
    const options = { abortSignal: call.signal };
    const modify = (change: Omit<ModifyInput, "InstanceId">): Promise<unknown> =>
      aws.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, ...change }), options);
    if (changed.has("vpcSecurityGroupIds")) {
      await modify({ Groups: texts(inputs, "vpcSecurityGroupIds") });
    }
    if (changed.has("disableApiTermination")) {
      await modify({
        DisableApiTermination: { Value: flag(inputs, "disableApiTermination") ?? false },
      });
    }
    if (changed.has("metadataOptions")) {
      const metadata = object(inputs, "metadataOptions") ?? {};
      await aws.ec2.send(
        new ModifyInstanceMetadataOptionsCommand({
          InstanceId,
          HttpEndpoint: text(metadata, "httpEndpoint") as InstanceMetadataEndpointState | undefined,
          HttpTokens: text(metadata, "httpTokens") as HttpTokensState | undefined,
          HttpPutResponseHopLimit: number(metadata, "httpPutResponseHopLimit"),
        }),
        options,
      );
    }
    if (changed.has("rootBlockDevice")) {
      const volumeId = text(object(old, "rootBlockDevice") ?? {}, "volumeId");
      const before = { tags: object(object(oldInputs, "rootBlockDevice") ?? {}, "tags") };
      const after = { tags: object(object(inputs, "rootBlockDevice") ?? {}, "tags") };
      if (volumeId !== undefined) await aws.retag(volumeId, before, after, call);
    }
    const data = changed.has("userData") || changed.has("userDataBase64");
    if (!changed.has("instanceType") && !data) return;
    // Both can only be changed while the instance is stopped.
    await stop(aws, InstanceId, call);
    if (changed.has("instanceType")) {
      await modify({ InstanceType: { Value: mustText(inputs, "instanceType") } });
    }
    if (data) await modify({ UserData: { Value: Buffer.from(userData(inputs) ?? "", "base64") } });
    await aws.ec2.send(new StartInstancesCommand({ InstanceIds: [InstanceId] }), options);
  },
  delete: (aws, instanceId, _, call) => terminate(aws, instanceId, call),
};

type ModifyInput = ConstructorParameters<typeof ModifyInstanceAttributeCommand>[0];

/** The program's order where the groups are the same ones, so that nothing seems to change. */
function groupIds(found: Instance, inputs: Props): (string | undefined)[] {
  const actual = (found.SecurityGroups ?? []).map((group) => group.GroupId);
  const given = texts(inputs, "vpcSecurityGroupIds");
  const same = given.length === actual.length && given.every((group) => actual.includes(group));
  return same ? given : actual;
}

async function terminate(aws: Aws, instanceId: string, call: Call): Promise<void> {
  const command = new TerminateInstancesCommand({ InstanceIds: [instanceId] });
  const sent = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  if (sent === undefined) return;
  await until(
    `waiting for instance ${instanceId} to terminate`,
    call,
    async () => {
      const left = await findInstance(aws, instanceId, call);
      if (left === undefined) return true;
      call.status(`waiting for instance ${instanceId} to terminate`);
      return undefined;
    },
    call.timeoutSeconds ?? STATE_SECONDS,
  );
}

const keyPair: Kind<KeyPairInfo> = {
  type: "aws:ec2/keyPair:KeyPair",
  inputs: {
    shape: { keyName: "string", publicKey: "string" },
    required: ["publicKey"],
    autoName: "keyName",
  },
  replace: () => ["keyName", "publicKey"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { KeyName } = await aws.ec2.send(
      new ImportKeyPairCommand({
        KeyName: mustText(inputs, "keyName"),
        PublicKeyMaterial: Buffer.from(mustText(inputs, "publicKey").trim()),
        TagSpecifications: aws.tagSpecification("key-pair", inputs),
      }),
      { abortSignal: call.signal },
    );
    return mustId(KeyName);
  },
  retag: async (aws, keyName, before, after, call) => {
    const found = await keyPair.find(aws, keyName, {}, call);
    if (found?.KeyPairId !== undefined) await aws.retag(found.KeyPairId, before, after, call);
  },
  find: async (aws, keyName, _, call) => {
    const command = new DescribeKeyPairsCommand({ KeyNames: [keyName] });
    const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
    return found?.KeyPairs?.[0];
  },
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`key-pair/${mustId(found.KeyName)}`, call),
    keyPairId: found.KeyPairId,
    fingerprint: found.KeyFingerprint,
    keyType: found.KeyType,
  }),
  delete: async (aws, KeyName, _, call) => {
    const command = new DeleteKeyPairCommand({ KeyName });
    await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  },
};

/** Everything here, by type token. */
export const instanceResources = {
  [instance.type]: resource(instance),
  [keyPair.type]: resource(keyPair),
};
