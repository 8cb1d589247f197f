import { findInstanceType, isAbsent } from "../../config/instanceTypes";
import { regionOf } from "../resource";
import type { ResourceRule } from "../rule";
import { machineOf } from "./machines";

export const instanceTypesBoot: ResourceRule = {
  name: "instance-types-boot",
  description: "Machines are of a type that RancherOS 1.5.8 boots on",
  why: "RancherOS is x86-64 and knows the disks and network cards of its time; on another type it starts, costs money and never answers",
  fix: "choose one such as t3.medium for serverInstanceType and agentInstanceType; config/instanceTypes.ts lists them",
  severity: "medium",
  problems: (resource) => {
    const name = machineOf(resource)?.instanceType;
    if (typeof name !== "string") return [];
    const found = findInstanceType(name);
    if (typeof found === "string") return [`is a ${name}, which ${found}`];
    const region = regionOf(resource);
    return region !== undefined && isAbsent(name, region)
      ? [`is a ${name}, which does not exist in ${region}`]
      : [];
  },
};
