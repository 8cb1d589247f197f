import * as pulumi from "@pulumi/pulumi";
import { amis, hasAmi, regions } from "./amis";
import { type Cidr, formatCidr, overlaps, parseCidr, widestAdminPrefix } from "./cidr";
import { cannotHoldRancher, cannotRun, floating, parseImage } from "./imageReference";
import { type ImageRole, images } from "./images";
import { ruleWarnings } from "./inboundRules";
import {
  findInstanceType,
  instanceFamilies,
  isAbsent,
  leastAgentMemoryGiB,
  leastServerMemoryGiB,
} from "./instanceTypes";
import { nearest } from "./nearest";
import {
  certificateProblems,
  expiryWarning,
  parseCertificates,
  privateKeyProblem,
} from "./siteCertificate";
import { elasticIps, type SiteEntry, siteEntries } from "./siteEntry";
import { sshProblem } from "./sshClient";
import { sshKeyProblem } from "./sshPublicKey";
import { type SshVia, sshVias } from "./sshVia";
import { stackNameProblem } from "./stackName";

/** A certificate for the site's domain name, with its key. */
export interface SiteCertificate {
  /** The site's own certificate, PEM. */
  readonly certificate: string;
  /** Those of the authorities behind it, PEM, the issuer first; undefined when it came without. */
  readonly chain: string | undefined;
  /** Its private key, PEM. A secret. */
  readonly key: pulumi.Output<string>;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  readonly expires: Date;
}

/** The server that takes the site's mail. */
export interface SiteMail {
  readonly host: string;
  /** 465 speaks TLS from the start; any other port by STARTTLS. */
  readonly port: number;
  /** Whom to log in as; undefined means no login. */
  readonly login: { readonly user: string; readonly password: pulumi.Output<string> } | undefined;
  /** The address that mail comes from. */
  readonly from: string;
}

/** Everything a stack can choose, checked as a whole. */
export interface Settings {
  /** AWS region (`aws:region`). */
  readonly region: string;
  /** Ranges that may reach SSH of the server. */
  readonly adminCidrs: readonly string[];
  /** Range of the VPC. */
  readonly vpcCidr: string;
  /** Number of agent hosts. */
  readonly agentCount: number;
  /** Number of WordPress containers. */
  readonly wordpressScale: number;
  /** Number of agent hosts that run the site's load balancer, the first ones. */
  readonly loadBalancerScale: number;
  /** How visitors reach them. */
  readonly siteEntry: SiteEntry;
  readonly serverInstanceType: string;
  readonly agentInstanceType: string;
  /** Ranges that may visit the site. */
  readonly siteCidrs: readonly string[];
  /** The site's own domain name; undefined means the first address that it has. */
  readonly siteDomain: string | undefined;
  /** For HTTPS; undefined means plain HTTP. */
  readonly siteCertificate: SiteCertificate | undefined;
  /** Undefined means that WordPress sends as its image does, which EC2 lets nowhere. */
  readonly siteMail: SiteMail | undefined;
  /** Title that the site is installed with. */
  readonly siteTitle: string;
  /** Name of the site's administrator. */
  readonly siteAdminUser: string;
  /** Where WordPress writes to its administrator. */
  readonly siteAdminEmail: string;
  /** Public half of the key that the administrator logs in with, one OpenSSH line. */
  readonly sshPublicKey: string;
  /** How SSH reaches the server. */
  readonly sshVia: SshVia;
  /** Image of every host: `amiId`, or the region's RancherOS. */
  readonly amiId: string;
  /** Whether nothing may delete the disk with the databases and the shared files. */
  readonly protectData: boolean;
  /** Days that the daily snapshots of disk and files are kept; 0 means that none are taken. */
  readonly snapshotDays: number;
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
  /** Name of the stack, without its organisation. @default not known, and not judged */
  readonly stackName?: string;
  /** The time that certificates are judged at. */
  readonly now: Date;
}

/** Namespace of the project's own keys: its name in Pulumi.yaml, which the tags of its resources carry too. */
export const namespace = "rancher-cattle";

/** Every key of the project's namespace with its default; an empty text means 'not set'. */
export const defaults = {
  adminCidrs: "[]",
  allowWorldAdmin: "false",
  vpcCidr: "10.0.0.0/16",
  agentCount: "2",
  wordpressScale: "2",
  loadBalancerScale: "",
  siteEntry: "addresses",
  serverInstanceType: "t3.medium",
  agentInstanceType: "t2.small",
  sshPublicKey: "",
  sshVia: "direct",
  amiId: "",
  protectData: "false",
  snapshotDays: "0",
  catalogUrl: "",
  siteCidrs: '["0.0.0.0/0"]',
  siteDomain: "",
  siteCertificate: "",
  siteCertificateKey: "",
  siteTitle: "My site",
  // Not `admin`, the name that every guesser of passwords begins with.
  siteAdminUser: "siteowner",
  // A name that is reserved for nobody: no stranger gets the mail of a site whose owner set none.
  siteAdminEmail: "siteowner@site.invalid",
  smtpHost: "",
  // The port for submission by STARTTLS (RFC 6409).
  smtpPort: "587",
  smtpUser: "",
  smtpPassword: "",
  smtpFrom: "",
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

/** Names that guessers of passwords try first. */
const guessedUsers = ["admin", "administrator", "root", "test", "user", "wordpress"];

/** A label of a domain name. */
const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/** A domain name. Its last label has a letter, or it would be an address. */
const domainName = new RegExp(`^(?=.{1,253}$)(${label}\\.)+(?!\\d+$)${label}$`);

/** A mail address of the usual form. */
const mailAddress = /^[\w.!#$%&'*+/=?^`{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$/;

/** VPC prefix lengths: AWS allows no range wider than 16, and two subnets of a sixteenth each need 24. */
const vpcPrefixes = { widest: 16, narrowest: 24 } as const;

/** A hundred years: the longest retention that a vault may have (AWS Backup, PutBackupVaultLockConfiguration). */
const mostSnapshotDays = 36_500;

/** What a value has when a password, token or private key was pasted into it. */
const carriesSecret = /PRIVATE KEY|\/\/[^/\s]*@|^[^/\s@]+:[^/\s@]+@|\bA[KS]IA[A-Z0-9]{16}\b/;

/** Longest value that a message repeats whole. */
const longestShown = 80;

/** A value for a message, which is one line that people still read. */
function onOneLine(value: string): string {
  const line = value.replace(/[\p{Cc}\s]+/gu, " ");
  return line.length > longestShown ? `${line.slice(0, longestShown)}…` : line;
}

/** Collects problems while it reads values; a read never throws. */
class Reader {
  readonly problems: string[] = [];

  constructor(private readonly given: GivenConfig) {}

  /** The text of a key: the value that was set, or the default. */
  text(key: Key): string {
    return (this.given.values[`${namespace}:${key}`] ?? defaults[key]).trim();
  }

  /** Reports a problem of a key; the value is shown unless it is empty, secret or looks like it. */
  reject(key: Key | "aws:region", value: string, problem: string): void {
    const full = key === "aws:region" ? key : `${namespace}:${key}`;
    const isSecret = this.given.secretKeys.has(full) || carriesSecret.test(value);
    const shown = value === "" || isSecret ? "" : `"${onOneLine(value)}" `;
    this.problems.push(`${full}: ${shown}${problem}`);
  }

  /** A whole number that is at least `least`. */
  whole(key: Key, least: number, example: string = defaults[key]): number {
    const text = this.text(key);
    if (!/^\d{1,6}$/.test(text)) {
      this.reject(
        key,
        text,
        `is not a whole number of ${least} or more; set one, such as ${example}`,
      );
    } else if (Number(text) < least) {
      this.reject(key, text, `is too few; set ${least} or more`);
    }
    return Number(text);
  }

  snapshotDays(): number {
    const key = "snapshotDays";
    const days = this.whole(key, 0);
    if (days > mostSnapshotDays) {
      this.reject(
        key,
        this.text(key),
        `is more than AWS Backup keeps anything; set ${mostSnapshotDays} or fewer, such as 14, or 0 for none`,
      );
    }
    return days;
  }

  /** How many hosts run the load balancer: every one, unless the stack says how many. */
  loadBalancerScale(): number {
    const key = "loadBalancerScale";
    const agents = Number(this.text("agentCount"));
    if (this.text(key) === "") return agents;
    const scale = this.whole(key, 1, "1");
    if (agents >= 1 && scale > agents) {
      this.reject(
        key,
        String(scale),
        `is more than the ${agents} of agentCount, and a host runs one at most; set ${agents} or fewer, or leave it out for one on every host`,
      );
    }
    return scale;
  }

  /** One of a few words, of which the first is taken where it is none. */
  choice<T extends string>(key: Key, words: readonly [T, ...T[]], isNone: string): T {
    const text = this.text(key);
    const found = words.find((word) => word === text);
    if (found === undefined) this.reject(key, text, `${isNone}; set ${words.join(" or ")}`);
    return found ?? words[0];
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
        "is missing: who may reach SSH? Set your own address, such as 203.0.113.7/32",
      );
    }
    for (const [text, cidr] of this.ranges(key, list)) {
      if (cidr.prefix < widestAdminPrefix && !worldAllowed) {
        this.reject(
          key,
          text,
          "lets the whole world reach SSH; name your own range, or set allowWorldAdmin to true if you mean it",
        );
      }
    }
    return list;
  }

  siteCidrs(): readonly string[] {
    const key = "siteCidrs";
    const list = this.list(key);
    if (list.length === 0 && /^(\[\s*\])?$/.test(this.text(key))) {
      this.reject(
        key,
        "",
        'names nobody; set ["0.0.0.0/0"] for everyone, or your own address, such as 203.0.113.7/32',
      );
    }
    this.ranges(key, list);
    return list;
  }

  /** The ranges of a list that are well-formed; reports those that are not, and repetitions. */
  ranges(key: Key, list: readonly string[]): readonly (readonly [text: string, cidr: Cidr])[] {
    const good = list.flatMap((text) => {
      const cidr = parseCidr(text);
      if (typeof cidr !== "string") return [[text, cidr] as const];
      this.reject(key, text, cidr);
      return [];
    });
    if (new Set(list).size < list.length) this.reject(key, "", "names a range twice; name it once");
    return good;
  }

  siteDomain(): string | undefined {
    const text = this.text("siteDomain");
    if (text === "") return undefined;
    if (!domainName.test(text)) {
      this.reject(
        "siteDomain",
        text,
        "is not a domain name; write it in lower case, without http:// and path, such as blog.example.com",
      );
    }
    return text;
  }

  /** Refuses a secret that anyone who reads the stack's file has read. */
  mustBeSecret(key: Key): void {
    if (this.text(key) === "" || this.given.secretKeys.has(`${namespace}:${key}`)) return;
    this.reject(
      key,
      "",
      `is in clear text; take it out with: pulumi config rm ${key}, and set a new one with --secret`,
    );
  }

  /** Reports whichever of two keys is missing beside the other. */
  bothOrNeither(one: Key, other: Key): void {
    for (const [given, missing] of [
      [one, other],
      [other, one],
    ] as const) {
      if (this.text(given) !== "" && this.text(missing) === "") {
        this.reject(missing, "", `is missing beside ${given}; set both, or neither`);
      }
    }
  }

  siteCertificate(domain: string | undefined): SiteCertificate | undefined {
    const [key, keyKey] = ["siteCertificate", "siteCertificateKey"] as const;
    const [pem, keyPem] = [this.text(key), this.text(keyKey)];
    if (pem === "" && keyPem === "") return undefined;
    this.bothOrNeither(key, keyKey);
    this.mustBeSecret(keyKey);
    if (domain === undefined) {
      this.reject(
        "siteDomain",
        "",
        "is missing beside siteCertificate; set the name that it is for",
      );
    }
    const found = pem === "" ? [] : parseCertificates(pem);
    const certificates = typeof found === "string" ? [] : found;
    const problems =
      typeof found === "string"
        ? [found]
        : certificateProblems(certificates, domain, this.given.now);
    for (const problem of problems) this.reject(key, "", problem);
    const [own, ...issuers] = certificates;
    const keyProblem = keyPem === "" ? undefined : privateKeyProblem(keyPem, own);
    if (keyProblem !== undefined) this.reject(keyKey, "", keyProblem);
    if (own === undefined) return undefined;
    return {
      certificate: own.toString(),
      chain: issuers.length === 0 ? undefined : issuers.map(String).join(""),
      key: pulumi.secret(keyPem),
      fingerprint: own.fingerprint256.replaceAll(":", "").toLowerCase(),
      expires: new Date(own.validTo),
    };
  }

  siteMail(): SiteMail | undefined {
    const [host, from] = [this.text("smtpHost"), this.text("smtpFrom")];
    const [user, password] = [this.text("smtpUser"), this.text("smtpPassword")];
    this.mustBeSecret("smtpPassword");
    this.bothOrNeither("smtpUser", "smtpPassword");
    const port = this.whole("smtpPort", 1);
    if (host === "") {
      for (const key of ["smtpUser", "smtpFrom"] as const) {
        if (this.text(key) === "") continue;
        this.reject(key, "", "does nothing without smtpHost; set that too");
      }
      return undefined;
    }
    if (!domainName.test(host) && typeof parseCidr(`${host}/32`) === "string") {
      this.reject(
        "smtpHost",
        host,
        "is not the name of a server; set one such as smtp.example.com",
      );
    }
    if (port === 25 || port > 65_535) {
      const problem = port === 25 ? "is closed on EC2" : "is not a port";
      this.reject("smtpPort", String(port), `${problem}; set ${defaults.smtpPort}, or 465`);
    }
    if (from === "") {
      this.reject("smtpFrom", "", "is missing: which address does the site's mail come from?");
    } else if (!mailAddress.test(from)) {
      this.reject(
        "smtpFrom",
        from,
        "is not a mail address; set one that the server takes mail from",
      );
    }
    const login = user === "" ? undefined : { user, password: pulumi.secret(password) };
    return { host, port, login, from };
  }

  siteTitle(): string {
    const text = this.text("siteTitle");
    if (text === "") this.reject("siteTitle", "", "is empty; give the site a title");
    if (/\p{Cc}/u.test(text)) {
      this.reject("siteTitle", "", "has a line break or another control character; leave it out");
    }
    if (text.length > 200)
      this.reject("siteTitle", "", "is longer than 200 characters; shorten it");
    return text;
  }

  siteAdminUser(): string {
    const key = "siteAdminUser";
    const text = this.text(key);
    if (!/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,59}$/.test(text)) {
      this.reject(
        key,
        text,
        `is not a name of 1 to 60 letters, digits and _ . @ -; set one, such as ${defaults[key]}`,
      );
    } else if (guessedUsers.includes(text.toLowerCase())) {
      this.reject(
        key,
        text,
        `is a name that guessers of passwords try first; set another, such as ${defaults[key]}`,
      );
    }
    return text;
  }

  siteAdminEmail(): string {
    const key = "siteAdminEmail";
    const text = this.text(key);
    if (!mailAddress.test(text)) {
      this.reject(key, text, "is not a mail address; set your own, such as you@example.com");
    }
    return text;
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
      this.reject("aws:region", "", `is missing; ${list}`);
    } else if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(text)) {
      this.reject("aws:region", text, `is not the name of a region; ${list}`);
      return "";
    } else if (!hasAmi(text) && this.text("amiId") === "") {
      this.reject(
        "aws:region",
        text,
        `has no RancherOS image; ${list}, or set amiId to an image of your own`,
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
  quotas(settings: Settings, serverVcpus: number, agentVcpus: number): void {
    const { agentCount: agents, loadBalancerScale: balancers, siteEntry } = settings;
    const [vcpuQuota, addressQuota] = [this.whole("vcpuQuota", 1), this.whole("addressQuota", 1)];
    const vcpus = serverVcpus + agents * agentVcpus;
    if (vcpus > vcpuQuota) {
      this.reject(
        "agentCount",
        String(agents),
        `agents and one server need ${vcpus} vCPUs, and the quota is ${vcpuQuota}; lower it, choose smaller types, or have AWS raise the quota and set vcpuQuota to it`,
      );
    }
    const raise = "have AWS raise the quota and set addressQuota to it";
    const byAddress = elasticIps("addresses", balancers);
    const byBalancer = elasticIps("networkLoadBalancer", balancers);
    if (siteEntry === "networkLoadBalancer") {
      if (byBalancer <= addressQuota) return;
      this.reject(
        "siteEntry",
        siteEntry,
        `and one server need ${byBalancer} Elastic IPs, and the quota is ${addressQuota}; ${raise}`,
      );
    } else if (byAddress > addressQuota) {
      const isScaled = this.text("loadBalancerScale") !== "";
      const instead =
        byBalancer <= addressQuota
          ? `, set siteEntry to networkLoadBalancer, which needs ${byBalancer} for any number`
          : "";
      this.reject(
        isScaled ? "loadBalancerScale" : "agentCount",
        String(balancers),
        `${isScaled ? "load balancers" : "agents"} and one server need ${byAddress} Elastic IPs, and the quota is ${addressQuota}; lower it${instead}, or ${raise}`,
      );
    }
  }

  stackName(): void {
    const { stackName } = this.given;
    const problem = stackName === undefined ? undefined : stackNameProblem(stackName);
    if (problem !== undefined) this.problems.push(`stack: ${problem}`);
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
  reader.stackName();
  const region = reader.region();
  const server = reader.instanceType("serverInstanceType", leastServerMemoryGiB, region);
  const agent = reader.instanceType("agentInstanceType", leastAgentMemoryGiB, region);
  const siteDomain = reader.siteDomain();
  const settings: Settings = {
    region,
    adminCidrs: reader.adminCidrs(),
    siteCidrs: reader.siteCidrs(),
    siteDomain,
    siteCertificate: reader.siteCertificate(siteDomain),
    siteMail: reader.siteMail(),
    siteTitle: reader.siteTitle(),
    siteAdminUser: reader.siteAdminUser(),
    siteAdminEmail: reader.siteAdminEmail(),
    vpcCidr: reader.vpcCidr(),
    agentCount: reader.whole("agentCount", 1),
    wordpressScale: reader.whole("wordpressScale", 0),
    loadBalancerScale: reader.loadBalancerScale(),
    siteEntry: reader.choice("siteEntry", siteEntries, "is no way to the site"),
    serverInstanceType: server.name,
    agentInstanceType: agent.name,
    sshPublicKey: reader.sshPublicKey(),
    sshVia: reader.choice("sshVia", sshVias, "is no way of SSH to the server"),
    amiId: reader.amiId(region),
    protectData: reader.yesOrNo("protectData"),
    snapshotDays: reader.snapshotDays(),
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
  reader.quotas(settings, server.vcpus, agent.vcpus);
  reader.unknownKeys();
  return reader.problems.length > 0 ? reader.problems : settings;
}

/** The region that AWS's own tools take from the environment. */
export function environmentRegion(): string | undefined {
  return process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"];
}

/** Keys that the CLI says are secret. The SDK keeps its own reader of this variable to itself. */
function secretKeys(): ReadonlySet<string> {
  const keys = JSON.parse(process.env["PULUMI_CONFIG_SECRET_KEYS"] ?? "[]") as string[];
  return new Set(keys.map((key) => key.replace(":config:", ":")));
}

/**
 * Reads and checks the stack's configuration. That this machine's ssh lacks the private key stops `up`, which
 * cannot do without; a preview may run where nobody has it.
 *
 * @throws pulumi.RunError with every problem, one line a key
 */
export function readSettings(): Settings {
  const values = pulumi.runtime.allConfig();
  const outcome = parseSettings({
    now: new Date(),
    values,
    secretKeys: secretKeys(),
    environmentRegion: environmentRegion(),
    stackName: pulumi.getStack(),
  });
  const found = "region" in outcome ? [] : outcome;
  // A preview that stops anyway need not look at the machine.
  const isPreview = pulumi.runtime.isDryRun();
  const publicKey = values[`${namespace}:sshPublicKey`]?.trim() ?? "";
  const looks = sshKeyProblem(publicKey) === undefined && !(isPreview && found.length > 0);
  const withoutKey = looks ? sshProblem(publicKey) : undefined;
  const stops = withoutKey === undefined || isPreview ? [] : [withoutKey];
  const problems = [...found, ...stops.map((line) => `${namespace}:sshPublicKey: ${line}`)];
  if (!("region" in outcome) || problems.length > 0) {
    throw new pulumi.RunError(
      `the configuration has problems\n${problems.map((p) => `  ${p}`).join("\n")}`,
    );
  }
  return outcome;
}

/** Warns when this machine's ssh seems to lack the private key, the site's certificate ends soon, or lists are very long. */
export function warnAhead(settings: Settings): void {
  const expires = settings.siteCertificate?.expires;
  for (const warning of [
    sshProblem(settings.sshPublicKey),
    expires === undefined ? undefined : expiryWarning(expires, new Date()),
    ...ruleWarnings(settings),
  ]) {
    if (warning !== undefined) void pulumi.log.warn(warning);
  }
}
