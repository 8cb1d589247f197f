/**
 * What a stack asks of its AWS account, and what AWS's answers mean for it. Whoever asks AWS, with
 * whatever client, brings the answers here, so that a problem reads the same everywhere.
 */
import { amis } from "./amis";
import { findInstanceType, needsEna } from "./instanceTypes";
import type { Settings } from "./settings";
import { elasticIps } from "./siteEntry";
import { zoneOf } from "./zones";

/** Where to read how to make an image of one's own. */
export const ownImageGuide = "docs/own-image.md";

/** The account that published RancherOS's images (see config/amis.ts). */
export const imagePublisher = "605812595337";

/** One thing that stands in a stack's way, and the setting that it concerns. */
export interface Finding {
  /** Full key of the setting. */
  readonly key: string;
  /** What is wrong. */
  readonly reason: string;
  /** What to do about it. */
  readonly fix: string;
}

/** An instance type that a stack asks for, and where. */
export interface WantedType {
  readonly key: "serverInstanceType" | "agentInstanceType";
  readonly name: string;
  /** Zones that machines of this type are placed in. */
  readonly zones: readonly string[];
}

/** What a stack asks of its account. */
export interface Demand {
  readonly machines: number;
  readonly vcpus: number;
  readonly addresses: number;
  /** vCPUs that the largest machine needs once more while it is replaced. */
  readonly vcpusToReplace: number;
}

type Wanted = Pick<
  Settings,
  "agentCount" | "loadBalancerScale" | "siteEntry" | "serverInstanceType" | "agentInstanceType"
>;

function vcpusOf(instanceType: string): number {
  const size = findInstanceType(instanceType);
  return typeof size === "string" ? 0 : size.vcpus;
}

/** Machines, vCPUs and addresses of a stack with these settings. */
export function demandOf(settings: Wanted): Demand {
  const [server, agent] = [
    vcpusOf(settings.serverInstanceType),
    vcpusOf(settings.agentInstanceType),
  ];
  return {
    machines: 1 + settings.agentCount,
    vcpus: server + settings.agentCount * agent,
    addresses: elasticIps(settings.siteEntry, settings.loadBalancerScale),
    vcpusToReplace: Math.max(server, agent),
  };
}

/** Types of a stack's machines with the zones that they are placed in. */
export function typesWanted(settings: Wanted, zones: readonly string[]): readonly WantedType[] {
  const placed = (count: number) =>
    Array.from({ length: count }, (_, index) => zoneOf(zones, index) ?? []).flat();
  return [
    { key: "serverInstanceType", name: settings.serverInstanceType, zones: placed(1) },
    {
      key: "agentInstanceType",
      name: settings.agentInstanceType,
      zones: [...new Set(placed(settings.agentCount))],
    },
  ];
}

/** An image as AWS describes it; what it left out is undefined. */
export interface ImageFacts {
  readonly state: string | undefined;
  readonly architecture: string | undefined;
  readonly virtualizationType: string | undefined;
  readonly rootDeviceType: string | undefined;
  readonly enaSupport: boolean | undefined;
}

/** What an image must be to boot on the instance types of config/instanceTypes.ts. */
const wantedImage = {
  state: "available",
  architecture: "x86_64",
  virtualizationType: "hvm",
  rootDeviceType: "ebs",
} as const satisfies Partial<ImageFacts>;

/**
 * Why no machine of a stack can be launched from its image; empty when nothing speaks against it.
 *
 * @param image undefined when AWS shows none with this id
 */
export function imageFindings(
  settings: Wanted & Pick<Settings, "amiId" | "region">,
  image: ImageFacts | undefined,
): readonly Finding[] {
  const { amiId, region } = settings;
  const fromTable = (amis as Readonly<Record<string, string>>)[region] === amiId;
  const key = fromTable ? "aws:region" : "rancher-cattle:amiId";
  const found = (reason: string, fix: string): Finding => ({ key, reason, fix });
  if (image === undefined) {
    return [
      fromTable
        ? found(
            `RancherOS's image "${amiId}" cannot be launched in ${region}: its publisher has withdrawn it, or the account allows only some publishers' images`,
            `choose another region, have the account allow images of ${imagePublisher}, or set amiId to an image of your own, as ${ownImageGuide} says`,
          )
        : found(
            `"${amiId}" is no image that this account can launch in ${region}`,
            `check the id, the region and whom the image is shared with; ${ownImageGuide} says how to make one`,
          ),
    ];
  }
  const wrong = Object.entries(wantedImage).flatMap(([field, wanted]) => {
    const given = image[field as keyof typeof wantedImage];
    return given === undefined || given === wanted ? [] : `${field} is ${given}, not ${wanted}`;
  });
  const types = new Set([settings.serverInstanceType, settings.agentInstanceType]);
  const ena = [...types].filter(needsEna);
  if (image.enaSupport === false && ena.length > 0) {
    wrong.push(`it is not marked as having the ENA driver, which ${ena.join(" and ")} need`);
  }
  return wrong.length === 0
    ? []
    : [
        found(
          `no machine can be made of "${amiId}": ${wrong.join("; ")}`,
          `set amiId to another image; ${ownImageGuide} says what it must be`,
        ),
      ];
}

/** An instance type in a zone that has it. */
export interface Offering {
  readonly type: string;
  readonly zone: string;
}

/** Types that a zone lacks in which machines of that type are to be placed. */
export function offeringFindings(
  wanted: readonly WantedType[],
  offered: readonly Offering[],
): readonly Finding[] {
  return wanted.flatMap(({ key, name, zones }) => {
    const having = offered.filter(({ type }) => type === name).map(({ zone }) => zone);
    const lacking = zones.filter((zone) => !having.includes(zone));
    if (lacking.length === 0) return [];
    return {
      key: `rancher-cattle:${key}`,
      reason: `"${name}" is not offered in ${lacking.join(" and ")}`,
      fix: "choose another type or another region",
    };
  });
}

/** Quotas of EC2 that a stack needs something of. Source: the codes that Service Quotas itself lists. */
export const quotas = {
  vcpus: {
    code: "L-1216C47A",
    /** As Service Quotas calls it. */
    name: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    unit: "vCPUs",
    setting: "vcpuQuota",
  },
  addresses: {
    code: "L-0263D0A3",
    name: "EC2-VPC Elastic IPs",
    unit: "Elastic IPs",
    setting: "addressQuota",
  },
} as const;

/** A row of {@link quotas}. */
export type QuotaName = keyof typeof quotas;

/**
 * Says that a quota is too small for a stack, or undefined when it is not.
 *
 * @param granted what AWS says the account may have
 * @param byOthers what is taken by everything that is not of this stack. Default: not known, so nothing
 */
export function quotaFinding(
  quota: QuotaName,
  needed: number,
  granted: number,
  byOthers = 0,
): Finding | undefined {
  if (needed + byOthers <= granted) return undefined;
  const { code, unit, setting } = quotas[quota];
  const others = byOthers === 0 ? "" : `, ${byOthers} of which others in it use`;
  return {
    key: "rancher-cattle:agentCount",
    reason: `the stack needs ${needed} ${unit}, and the account may have ${granted} in the region${others}`,
    fix: `have AWS raise the quota ${code} and set ${setting} to it, or ask for less with agentCount and smaller types`,
  };
}
