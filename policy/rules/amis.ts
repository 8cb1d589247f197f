import { amis } from "../../config/amis";
import { regionOf } from "../resource";
import type { ResourceRule } from "../rule";
import { machineOf } from "./machines";

const regionByAmi = new Map<string, string>(
  Object.entries(amis).map(([region, ami]) => [ami, region]),
);

export const amisApproved: ResourceRule = {
  name: "amis-approved",
  description: "Machines start from RancherOS of the table, or from an image that the stack allows",
  why: "whoever made the image is root on the machine, and anybody can publish one under any name",
  fix: "leave amiId empty for the region's RancherOS, or look the image's owner up and add its id to amis in policy/stacks.yaml",
  severity: "high",
  config: {
    properties: {
      allow: { type: "array", items: { type: "string" }, description: "Further images, by id." },
    },
  },
  problems: (resource, config) => {
    const image = machineOf(resource)?.image;
    if (typeof image !== "string") return [];
    if (((config["allow"] ?? []) as readonly string[]).includes(image)) return [];
    const home = regionByAmi.get(image);
    if (home === undefined) return [`starts from ${image}, which nobody has approved`];
    const region = regionOf(resource) ?? home;
    return home === region ? [] : [`starts from ${image}, which is ${home}'s, in ${region}`];
  },
};
