import * as pulumi from "@pulumi/pulumi";
import { amis, hasAmi, regions } from "./amis";
import { type Cidr, formatCidr, overlaps, parseCidr } from "./cidr";
import { cannotHoldRancher, cannotRun, floating, parseImage } from "./imageReference";
import { type ImageRole, images } from "./images";
import {
  findInstanceType,
  instanceFamilies,
  isAbsent,
  leastAgentMemoryGiB,
  leastServerMemoryGiB,
} from "./instanceTypes";
import { nearest } from "./nearest";
import { sshProblem } from "./sshClient";
import { sshKeyProblem } from "./sshPublicKey";

/** Everything a stack can choose, checked as a whole. */
export interface Settings {
  /** AWS region (`aws:region`). */
  readonly region: string;
  /** Ranges that may reach SSH of the server and, for now, the site. */
  readonly adminCidrs: readonly string[];
  /** Range of the VPC. */
  readonly vpcCidr: string;
  /** Number of agent hosts. */
  readonly agentCount: number;
  /** Number of WordPress containers. */
  readonly wordpressScale: number;
  readonly serverInstanceType: string;
  readonly agentInstanceType: string;
  /** Public half of the key that the administrator logs in with, one OpenSSH line. */
  readonly sshPublicKey: string;
  /** Image of every host: `amiId`, or the region's RancherOS. */
  readonly amiId: string;
  /** Git repository of Rancher's library catalog; undefined means Rancher's own. */
  readonly catalogUrl: string | undefined;
  /** Image reference by role: the setting, or the pin of the table. */
  readonly images: Readonly<Record<ImageRole, string>>;
}

/** Configuration as the CLI hands it over. */
export interface GivenConfig {
  /** Values by full key, such as `rancher-cattle:agentCount`; lists are JSON. */
  readonly values: Readonly<Record<string, string>>;
  /** Full keys whose values were encrypted and are never shown. */
  readonly secretKeys: ReadonlySet<string>;
  /** Region from the environment, used when `aws:region` is not set. */
  readonly environmentRegion: string | undefined;
}

/** Namespace of the project's own keys. */
const namespace = "rancher-cattle";

/** Every key of the project's namespace with its default; an empty text means 'not set'. */
export const defaults = {
  adminCidrs: "[]",
  allowWorldAdmin: "false",
  vpcCidr: "10.0.0.0/16",
  agentCount: "2",
  wordpressScale: "2",
  serverInstanceType: "t3.medium",
  agentInstanceType: "t2.small",
  sshPublicKey: "",
  amiId: "",
  catalogUrl: "",
  vcpuQuota: "5",
  addressQuota: "5",
  rancherDatabaseImage: "",
  siteDatabaseImage: "",
  wordpressImage: "",
  rancherServerImage: "",
  rancherAgentImage: "",
  loadBalancerImage: "",
} as const satisfies Record<string, string>;

type Key = keyof typeof defaults;

/** Ranges that hosts use inside, so a VPC must not. */
const takenRanges = {
  "10.42.0.0/16": "Rancher's managed network",
  "172.17.0.0/16": "Docker's bridge on every host",
  "172.18.0.0/16": "the bridge of RancherOS's own services",
  "172.19.0.0/16": "the Docker network of Rancher and its database",
} as const;

/** Widest range that counts as 'an administrator' without {@link defaults.allowWorldAdmin}. */
const widestAdminPrefix = 8;

/** VPC prefix lengths: AWS allows no range wider than 16, and two subnets of a sixteenth each need 24. */
const vpcPrefixes = { widest: 16, narrowest: 24 } as const;

/** Collects problems while it reads values; a read never throws. */
class Reader {
  readonly problems: string[] = [];

  constructor(private readonly given: GivenConfig) {}

  /** The text of a key: the value that was set, or the default. */
  text(key: Key): string {
    return (this.given.values[`${namespace}:${key}`] ?? defaults[key]).trim();
  }

  /** Reports a problem of a key; the value is shown unless it is empty or secret. */
  reject(key: Key, value: string, problem: string): void {
    const shown =
      value === "" || this.given.secretKeys.has(`${namespace}:${key}`) ? "" : `"${value}" `;
    this.problems.push(`${namespace}:${key}: ${shown}${problem}`);
  }

  /** A whole number that is at least `least`. */
  whole(key: Key, least: number): number {
    const text = this.text(key);
    if (!/^\d{1,6}$/.test(text)) {
      this.reject(
        key,
        text,
        `is not a whole number of ${least} or more; set one, such as ${defaults[key]}`,
      );
    } else if (Number(text) < least) {
      this.reject(key, text, `is too few; set ${least} or more`);
    }
    return Number(text);
  }

  yesOrNo(key: Key): boolean {
    const text = this.text(key);
    if (text !== "true" && text !== "false") {
      this.reject(key, text, "is neither true nor false; set one of them");
    }
    return text === "true";
  }

  /** A list, written as JSON or as one text with commas between the items. */
  list(key: Key): readonly string[] {
    const text = this.text(key);
    if (!text.startsWith("[")) return text.split(/[\s,]+/).filter((item) => item !== "");
    try {
      const items: unknown = JSON.parse(text);
      if (Array.isArray(items) && items.every((item) => typeof item === "string")) return items;
    } catch {
      // Reported below, like a list of the wrong shape.
    }
    this.reject(key, text, `is not a list of texts; set one with --path '${key}[0]'`);
    return [];
  }

  adminCidrs(): readonly string[] {
    const key = "adminCidrs";
    const worldAllowed = this.yesOrNo("allowWorldAdmin");
    const list = this.list(key);
    if (list.length === 0 && /^(\[\s*\])?$/.test(this.text(key))) {
      this.reject(
        key,
        "",
        "is missing: who may reach SSH and the site? Set your own address, such as 203.0.113.7/32",
      );
    }
    for (const text of list) {
      const cidr = parseCidr(text);
      if (typeof cidr === "string") {
        this.reject(key, text, cidr);
      } else if (cidr.prefix < widestAdminPrefix && !worldAllowed) {
        this.reject(
          key,
          text,
          "lets the whole world reach SSH; name your own range, or set allowWorldAdmin to true if you mean it",
        );
      }
    }
    if (new Set(list).size < list.length) this.reject(key, "", "names a range twice; name it once");
    return list;
  }

  vpcCidr(): string {
    const key = "vpcCidr";
    const text = this.text(key);
    const cidr = parseCidr(text);
    if (typeof cidr === "string") {
      this.reject(key, text, cidr);
      return text;
    }
    if (cidr.prefix < vpcPrefixes.widest || cidr.prefix > vpcPrefixes.narrowest) {
      this.reject(
        key,
        text,
        `has a prefix length outside ${vpcPrefixes.widest} to ${vpcPrefixes.narrowest}; set one inside, such as ${defaults[key]}`,
      );
    }
    for (const [range, owner] of Object.entries(takenRanges)) {
      if (overlaps(cidr, parseCidr(range) as Cidr)) {
        this.reject(
          key,
          text,
          `overlaps ${range}, ${owner}; set another range, such as ${defaults[key]}`,
        );
      }
    }
    return formatCidr(cidr);
  }

  /** An instance type with at least this much memory; its number of vCPUs comes along for the quota. */
  instanceType(key: Key, leastMemoryGiB: number, region: string): { name: string; vcpus: number } {
    const name = this.text(key);
    const size = findInstanceType(name);
    if (typeof size === "string") {
      this.reject(
        key,
        name,
        `${size}; choose from ${instanceFamilies.join(", ")}, such as ${defaults[key]}`,
      );
      return { name, vcpus: 0 };
    }
    if (isAbsent(name, region)) {
      this.reject(key, name, `does not exist in ${region}; choose a t3, m5, c5 or r5`);
    }
    if (size.memoryGiB < leastMemoryGiB) {
      this.reject(
        key,
        name,
        `has ${size.memoryGiB} GiB of memory, and ${leastMemoryGiB} are needed; choose a larger size, such as ${defaults[key]}`,
      );
    }
    return { name, vcpus: size.vcpus };
  }

  image(role: ImageRole): string {
    const key = `${role}Image` as const;
    const text = this.text(key);
    if (text === "") return images[role].reference;
    const advice = `; name an exact version, such as ${images[role].reference}`;
    const image = parseImage(text);
    if (image === undefined) {
      this.reject(key, text, `is not an image reference${advice}`);
      return text;
    }
    const problem =
      floating(image) ??
      cannotRun(image) ??
      (role === "rancherDatabase" ? cannotHoldRancher(image) : undefined);
    if (problem !== undefined) this.reject(key, text, problem + advice);
    return text;
  }

  region(): string {
    const text = this.given.values["aws:region"] ?? this.given.environmentRegion ?? "";
    const list = `choose from ${regions.join(", ")}`;
    if (text === "") {
      this.problems.push(`aws:region: is missing; ${list}`);
    } else if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(text)) {
      this.problems.push(`aws:region: "${text}" is not the name of a region; ${list}`);
    } else if (!hasAmi(text) && this.text("amiId") === "") {
      this.problems.push(
        `aws:region: there is no RancherOS image for "${text}"; ${list}, or set amiId to an image of your own`,
      );
    }
    return text;
  }

  amiId(region: string): string {
    const text = this.text("amiId");
    if (text === "") return hasAmi(region) ? amis[region] : "";
    if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(text)) {
      this.reject(
        "amiId",
        text,
        "is not the id of an image; set one such as ami-0fc1a9332c246bc56",
      );
    }
    return text;
  }

  sshPublicKey(): string {
    const text = this.text("sshPublicKey");
    const problem = sshKeyProblem(text);
    // The value is not shown: what is pasted here by mistake is often the private half.
    if (problem !== undefined) this.reject("sshPublicKey", "", problem);
    return text;
  }

  catalogUrl(): string | undefined {
    const text = this.text("catalogUrl");
    if (text === "") return undefined;
    if (/:\/\/.*:.*@|^https?:\/\/.*@/.test(text)) {
      this.reject(
        "catalogUrl",
        "",
        "has a password or token in it, which Rancher would show; use an address that needs none",
      );
    } else if (!/^(https?|git|ssh):\/\/[^\s/]+\/\S+$/.test(text)) {
      this.reject(
        "catalogUrl",
        text,
        "is not the address of a Git repository; set one such as https://example.com/catalog.git",
      );
    }
    return text;
  }

  /** Refuses more machines or addresses than the account may have. */
  quotas(agents: number, serverVcpus: number, agentVcpus: number): void {
    const [vcpuQuota, addressQuota] = [this.whole("vcpuQuota", 1), this.whole("addressQuota", 1)];
    const [vcpus, addresses] = [serverVcpus + agents * agentVcpus, 1 + agents];
    if (vcpus > vcpuQuota) {
      this.reject(
        "agentCount",
        String(agents),
        `agents and one server need ${vcpus} vCPUs, and the quota is ${vcpuQuota}; lower it, choose smaller types, or have AWS raise the quota and set vcpuQuota to it`,
      );
    }
    if (addresses > addressQuota) {
      this.reject(
        "agentCount",
        String(agents),
        `agents and one server need ${addresses} Elastic IPs, and the quota is ${addressQuota}; lower it, or have AWS raise the quota and set addressQuota to it`,
      );
    }
  }

  unknownKeys(): void {
    const known = Object.keys(defaults);
    for (const full of Object.keys(this.given.values)) {
      const [space, key = ""] = full.split(":");
      if (space !== namespace || known.includes(key)) continue;
      this.problems.push(
        `${full}: is not a setting; did you mean ${nearest(key, known)}? Remove it with: pulumi config rm ${key}`,
      );
    }
  }
}

/** Checks a whole configuration and returns either the settings or every problem, one line each. */
export function parseSettings(given: GivenConfig): Settings | readonly string[] {
  const reader = new Reader(given);
  const region = reader.region();
  const server = reader.instanceType("serverInstanceType", leastServerMemoryGiB, region);
  const agent = reader.instanceType("agentInstanceType", leastAgentMemoryGiB, region);
  const settings: Settings = {
    region,
    adminCidrs: reader.adminCidrs(),
    vpcCidr: reader.vpcCidr(),
    agentCount: reader.whole("agentCount", 1),
    wordpressScale: reader.whole("wordpressScale", 0),
    serverInstanceType: server.name,
    agentInstanceType: agent.name,
    sshPublicKey: reader.sshPublicKey(),
    amiId: reader.amiId(region),
    catalogUrl: reader.catalogUrl(),
    images: {
      rancherDatabase: reader.image("rancherDatabase"),
      siteDatabase: reader.image("siteDatabase"),
      wordpress: reader.image("wordpress"),
      rancherServer: reader.image("rancherServer"),
      rancherAgent: reader.image("rancherAgent"),
      loadBalancer: reader.image("loadBalancer"),
    },
  };
  reader.quotas(settings.agentCount, server.vcpus, agent.vcpus);
  reader.unknownKeys();
  return reader.problems.length > 0 ? reader.problems : settings;
}

/** Keys that the CLI says are secret. The SDK keeps its own reader of this variable to itself. */
function secretKeys(): ReadonlySet<string> {
  const keys = JSON.parse(process.env["PULUMI_CONFIG_SECRET_KEYS"] ?? "[]") as string[];
  return new Set(keys.map((key) => key.replace(":config:", ":")));
}

/**
 * Reads and checks the stack's configuration, once. Warns when this machine's ssh seems to lack the
 * private key.
 *
 * @throws pulumi.RunError with every problem, one line a key
 */
export function readSettings(): Settings {
  const outcome = parseSettings({
    values: pulumi.runtime.allConfig(),
    secretKeys: secretKeys(),
    environmentRegion: process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"],
  });
  if (!("region" in outcome)) {
    throw new pulumi.RunError(
      `the configuration has problems\n${outcome.map((p) => `  ${p}`).join("\n")}`,
    );
  }
  const problem = sshProblem(outcome.sshPublicKey);
  if (problem !== undefined) void pulumi.log.warn(problem);
  return outcome;
}
