/** Stand-in for the aws plugin: the AWS SDK against the lab's emulator, and nothing but the emulator. */
import { DescribeAvailabilityZonesCommand, DescribeImagesCommand } from "@aws-sdk/client-ec2";
import { version } from "@pulumi/aws/package.json";
import type { Invoke, Problem, Props } from "../../../rancher/plugin/types";
import { flag, objects, standIn, text, texts } from "../standIn";
import { addressResources } from "./addresses";
import { backupResources } from "./backups";
import { Aws, tagMap } from "./client";
import { fileSystemResources } from "./fileSystems";
import { instanceResources } from "./instance";
import { loadBalancerResources } from "./loadBalancers";
import { networkResources } from "./network";
import { roleResources } from "./roles";
import { route53Resources } from "./route53";
import { securityGroupResources } from "./securityGroups";
import { volumeResources } from "./volumes";

const settings = [
  "accessKey",
  "defaultTags",
  "endpoints",
  "region",
  "secretKey",
  "skipCredentialsValidation",
  "skipMetadataApiCheck",
  "skipRegionValidation",
  "skipRequestingAccountId",
];

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
  onlyArguments("aws.ec2.getAmi", args, ["owners", "filters", "mostRecent", "nameRegex"]);
  const owners = texts(args, "owners");
  const { Images } = await aws.ec2.send(
    new DescribeImagesCommand({
      Owners: owners.length === 0 ? undefined : owners,
      Filters: filters(args),
    }),
    { abortSignal: call.signal },
  );
  const pattern = new RegExp(text(args, "nameRegex") ?? "");
  const found = (Images ?? [])
    .filter((image) => pattern.test(image.Name ?? ""))
    .sort((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
  const [image, second] = found;
  if (image === undefined) throw new Error("your query returned no image; change the search");
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
    description: image.Description ?? "",
    ownerId: image.OwnerId,
    rootDeviceName: image.RootDeviceName,
    rootDeviceType: image.RootDeviceType,
    state: image.State,
    virtualizationType: image.VirtualizationType,
    tags: tagMap(image.Tags),
    region: aws.region,
  };
};

/** The aws plugin. */
export const aws = standIn<Aws>("aws", version, {
  checkConfig: (config) =>
    Object.keys(config)
      .filter((key) => !settings.includes(key))
      .map((path): Problem => ({
        path,
        reason: "the lab's stand-in for aws does not implement this setting",
      })),
  configure: (config) => new Aws(config),
  close: (client) => {
    client.close();
  },
  resources: {
    ...networkResources,
    ...securityGroupResources,
    ...instanceResources,
    ...addressResources,
    ...volumeResources,
    ...fileSystemResources,
    ...roleResources,
    ...backupResources,
    ...loadBalancerResources,
    ...route53Resources,
  },
  functions: {
    "aws:index/getAvailabilityZones:getAvailabilityZones": getAvailabilityZones,
    "aws:index/getRegion:getRegion": getRegion,
    "aws:ec2/getAmi:getAmi": getAmi,
  },
});
