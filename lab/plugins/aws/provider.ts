/** Stand-in for the aws plugin: the AWS SDK against the lab's emulator, and nothing but the emulator. */
import { version } from "@pulumi/aws/package.json";
import type { Problem } from "../../../rancher/plugin/types";
import { standIn } from "../standIn";
import { addressResources } from "./addresses";
import { backupResources } from "./backups";
import { Aws } from "./client";
import { fileSystemResources } from "./fileSystems";
import { functions } from "./functions";
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
  functions,
});
