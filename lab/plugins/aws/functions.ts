/** Functions of the aws plugin: questions that make nothing. */
import {
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  type Filter,
  type LocationType,
} from "@aws-sdk/client-ec2";
import { GetServiceQuotaCommand } from "@aws-sdk/client-service-quotas";
import type { Invoke, Props } from "../../../rancher/plugin/types";
import { flag, map, objects, text, texts } from "../standIn";
import { type Aws, tagMap } from "./client";

/** Rejects arguments a function's stand-in does not implement. */
function onlyArguments(name: string, args: Props, known: readonly string[]): void {
  const unknown = Object.keys(args).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new Error(`the lab's stand-in for ${name} does not implement the argument ${unknown}`);
  }
}

function filters(args: Props): { Name: string; Values: string[] }[] | undefined {
  const given = objects(args, "filters").map((filter) => ({
    Name: text(filter, "name") ?? "",
    Values: texts(filter, "values"),
  }));
  return given.length === 0 ? undefined : given;
}

const getAvailabilityZones: Invoke<Aws> = async (aws, args, call) => {
  onlyArguments("aws.getAvailabilityZones", args, ["state", "filters"]);
  const { AvailabilityZones } = await aws.ec2.send(
    new DescribeAvailabilityZonesCommand({ Filters: filters(args) }),
    { abortSignal: call.signal },
  );
  const wanted = text(args, "state");
  const zones = (AvailabilityZones ?? [])
    .filter((zone) => wanted === undefined || zone.State === wanted)
    .sort((a, b) => (a.ZoneName ?? "").localeCompare(b.ZoneName ?? ""));
  return {
    ...args,
    id: aws.region,
    region: aws.region,
    names: zones.map((zone) => zone.ZoneName),
    zoneIds: zones.map((zone) => zone.ZoneId),
    groupNames: [...new Set(zones.map((zone) => zone.GroupName ?? aws.region))],
  };
};

const getRegion: Invoke<Aws> = (aws, args) => {
  onlyArguments("aws.getRegion", args, []);
  return Promise.resolve({ id: aws.region, region: aws.region, name: aws.region });
};

const getAmi: Invoke<Aws> = async (aws, args, call) => {
  onlyArguments("aws.ec2.getAmi", args, [
    "owners",
    "filters",
    "mostRecent",
    "nameRegex",
    "includeDeprecated",
  ]);
  const owners = texts(args, "owners");
  const { Images } = await aws.ec2.send(
    new DescribeImagesCommand({
      Owners: owners.length === 0 ? undefined : owners,
      Filters: filters(args),
      IncludeDeprecated: flag(args, "includeDeprecated"),
    }),
    { abortSignal: call.signal },
  );
  const pattern = new RegExp(text(args, "nameRegex") ?? "");
  const found = (Images ?? [])
    .filter((image) => pattern.test(image.Name ?? ""))
    .sort((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
  const [image, second] = found;
  if (image === undefined) throw new Error("Your query returned no results; change the search");
  if (second !== undefined && flag(args, "mostRecent") !== true) {
    throw new Error("your query returned more than one image; be more specific or set mostRecent");
  }
  return {
    ...args,
    id: image.ImageId,
    imageId: image.ImageId,
    name: image.Name,
    architecture: image.Architecture,
    creationDate: image.CreationDate,
    deprecationTime: image.DeprecationTime ?? "",
    description: image.Description ?? "",
    enaSupport: image.EnaSupport ?? false,
    ownerId: image.OwnerId,
    rootDeviceName: image.RootDeviceName,
    rootDeviceType: image.RootDeviceType,
    state: image.State,
    virtualizationType: image.VirtualizationType,
    tags: tagMap(image.Tags),
    region: aws.region,
  };
};

const getInstances: Invoke<Aws> = async (aws, args, call) => {
  onlyArguments("aws.ec2.getInstances", args, ["filters", "instanceStateNames", "instanceTags"]);
  const states = texts(args, "instanceStateNames");
  const Filters: Filter[] = [
    ...(filters(args) ?? []),
    ...Object.entries(map(args, "instanceTags")).map(([key, value]) => ({
      Name: `tag:${key}`,
      Values: [value],
    })),
    { Name: "instance-state-name", Values: states.length === 0 ? ["running"] : [...states] },
  ];
  const { Reservations } = await aws.ec2.send(new DescribeInstancesCommand({ Filters }), {
    abortSignal: call.signal,
  });
  const found = (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
  return {
    ...args,
    id: aws.region,
    region: aws.region,
    ids: found.map((instance) => instance.InstanceId),
    privateIps: found.map((instance) => instance.PrivateIpAddress ?? ""),
    publicIps: found.map((instance) => instance.PublicIpAddress ?? ""),
  };
};

const getInstanceTypeOfferings: Invoke<Aws> = async (aws, args, call) => {
  onlyArguments("aws.ec2.getInstanceTypeOfferings", args, ["filters", "locationType"]);
  const { InstanceTypeOfferings: found = [] } = await aws.ec2.send(
    new DescribeInstanceTypeOfferingsCommand({
      LocationType: text(args, "locationType") as LocationType | undefined,
      Filters: filters(args),
    }),
    { abortSignal: call.signal },
  );
  return {
    ...args,
    id: aws.region,
    region: aws.region,
    instanceTypes: found.map((offering) => offering.InstanceType ?? ""),
    locations: found.map((offering) => offering.Location ?? ""),
    locationTypes: found.map((offering) => offering.LocationType ?? ""),
  };
};

const getServiceQuota: Invoke<Aws> = async (aws, args, call) => {
  onlyArguments("aws.servicequotas.getServiceQuota", args, ["serviceCode", "quotaCode"]);
  const { Quota } = await aws.quotas.send(
    new GetServiceQuotaCommand({
      ServiceCode: text(args, "serviceCode"),
      QuotaCode: text(args, "quotaCode"),
    }),
    { abortSignal: call.signal },
  );
  return {
    ...args,
    id: Quota?.QuotaArn ?? "",
    arn: Quota?.QuotaArn ?? "",
    region: aws.region,
    quotaName: Quota?.QuotaName ?? "",
    serviceName: Quota?.ServiceName ?? "",
    value: Quota?.Value,
    adjustable: Quota?.Adjustable ?? false,
    globalQuota: Quota?.GlobalQuota ?? false,
  };
};

/** By token. */
export const functions: Readonly<Record<string, Invoke<Aws>>> = {
  "aws:index/getAvailabilityZones:getAvailabilityZones": getAvailabilityZones,
  "aws:index/getRegion:getRegion": getRegion,
  "aws:ec2/getAmi:getAmi": getAmi,
  "aws:ec2/getInstances:getInstances": getInstances,
  "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": getInstanceTypeOfferings,
  "aws:servicequotas/getServiceQuota:getServiceQuota": getServiceQuota,
};
