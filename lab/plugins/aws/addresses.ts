/** Elastic IPs and their associations. */
import {
  type Address,
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  ReleaseAddressCommand,
} from "@aws-sdk/client-ec2";
import { flag, mustText, text } from "../standIn";
import { type Aws, errorCode, type Operation, release, tagMap, unlessGone, until } from "./client";
import { reached } from "./instance";
import { type Kind, resource } from "./kind";
import { mustId } from "./network";

async function findAddress(
  aws: Aws,
  allocationId: string,
  call: Operation,
): Promise<Address | undefined> {
  const command = new DescribeAddressesCommand({ AllocationIds: [allocationId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.Addresses?.[0];
}

const eip: Kind<Address> = {
  type: "aws:ec2/eip:Eip",
  inputs: { shape: { domain: "string" } },
  replace: () => ["domain"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { AllocationId } = await aws.ec2.send(
      new AllocateAddressCommand({
        Domain: text(inputs, "domain") === "standard" ? "standard" : "vpc",
        TagSpecifications: aws.tagSpecification("elastic-ip", inputs),
      }),
      { abortSignal: call.signal },
    );
    return mustId(AllocationId);
  },
  find: (aws, allocationId, _, call) => findAddress(aws, allocationId, call),
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`elastic-ip/${mustId(found.AllocationId)}`, call),
    allocationId: found.AllocationId,
    associationId: found.AssociationId ?? "",
    domain: found.Domain,
    instance: found.InstanceId ?? "",
    networkInterface: found.NetworkInterfaceId ?? "",
    privateIp: found.PrivateIpAddress ?? "",
    publicIp: found.PublicIp,
  }),
  actual: (found) => ({ domain: found.Domain }),
  delete: async (aws, AllocationId, _, call) => {
    const AssociationId = (await findAddress(aws, AllocationId, call))?.AssociationId;
    const options = { abortSignal: call.signal };
    if (AssociationId !== undefined && AssociationId !== "") {
      const command = new DisassociateAddressCommand({ AssociationId });
      await unlessGone(() => aws.ec2.send(command, options));
    }
    await release(`releasing address ${AllocationId}`, call, () =>
      aws.ec2.send(new ReleaseAddressCommand({ AllocationId }), options),
    );
  },
};

const eipAssociation: Kind<Address> = {
  type: "aws:ec2/eipAssociation:EipAssociation",
  inputs: {
    shape: { allocationId: "string", instanceId: "string", allowReassociation: "boolean" },
    required: ["allocationId", "instanceId"],
  },
  replace: () => ["allocationId", "instanceId", "allowReassociation"],
  create: async (aws, inputs, call) => {
    const InstanceId = mustText(inputs, "instanceId");
    await reached(aws, InstanceId, "running", call);
    return until(`associating ${mustText(inputs, "allocationId")}`, call, async () => {
      try {
        const { AssociationId } = await aws.ec2.send(
          new AssociateAddressCommand({
            AllocationId: mustText(inputs, "allocationId"),
            InstanceId,
            AllowReassociation: flag(inputs, "allowReassociation") ?? false,
          }),
          { abortSignal: call.signal },
        );
        return mustId(AssociationId);
      } catch (error) {
        // The instance is not known everywhere yet, or is still on its way to running.
        if (/^InvalidInstanceID|^InvalidAllocationID\.NotFound/.test(errorCode(error)))
          return undefined;
        throw error;
      }
    });
  },
  find: async (aws, associationId, _, call) => {
    const filter = { Name: "association-id", Values: [associationId] };
    const command = new DescribeAddressesCommand({ Filters: [filter] });
    const { Addresses } = await aws.ec2.send(command, { abortSignal: call.signal });
    return Addresses?.[0];
  },
  outputs: (_, found) => ({
    networkInterfaceId: found.NetworkInterfaceId,
    privateIpAddress: found.PrivateIpAddress,
    publicIp: found.PublicIp,
  }),
  actual: (found) => ({ allocationId: found.AllocationId, instanceId: found.InstanceId }),
  delete: async (aws, AssociationId, _, call) => {
    // After a move the old association is gone already, which AWS reports as not found.
    const command = new DisassociateAddressCommand({ AssociationId });
    await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  },
};

/** Everything here, by type token. */
export const addressResources = {
  [eip.type]: resource(eip),
  [eipAssociation.type]: resource(eipAssociation),
};
