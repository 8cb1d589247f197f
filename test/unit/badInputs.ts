/** Bad inputs: what someone sets, and the three parts of what the program answers. */
import { parseSettings } from "../../config/settings";
import { leastConfig } from "./program";

/** One mistake. */
export interface BadInput {
  /** The key that is set; full, or of the project's namespace; `stack` for the stack's name. */
  readonly key: string;
  readonly value: string;
  /** What the message says of the value. */
  readonly problem: string;
  /** What the message says to do. */
  readonly fix: string;
  /** The key that the message is about. @default {@link BadInput.key} */
  readonly about?: string;
  /** Other settings that the mistake needs. */
  readonly beside?: Readonly<Record<string, string>>;
  /** Whether it was set with --secret. */
  readonly isSecret?: boolean;
  /** What no message may show. */
  readonly hidden?: string;
}

/** What a message calls the stack's name, which is no key of the configuration. */
export const stackKey = "stack";

/** A key that would be somebody's own, in the form that is pasted by mistake. */
const privateKey =
  "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";

const publicKey = leastConfig["sshPublicKey"] ?? "";

/** An RSA key of 1024 bits, as far as its length tells. */
const shortRsa = `ssh-rsa ${Buffer.concat([
  Buffer.from([0, 0, 0, 7]),
  Buffer.from("ssh-rsa"),
  Buffer.alloc(140, 7),
]).toString("base64")}`;

type Row = readonly [
  key: string,
  value: string,
  problem: string,
  fix: string,
  more?: Omit<BadInput, "key" | "value" | "problem" | "fix">,
];

const rows = (...list: readonly Row[]): readonly BadInput[] =>
  list.map(([key, value, problem, fix, more]) => ({ key, value, problem, fix, ...more }));

const whole = (least: number, such: string) =>
  [`is not a whole number of ${least} or more`, `set one, such as ${such}`] as const;

const notARange = ["is not an IPv4 range", "write address/prefix, such as 203.0.113.7/32"] as const;

const notADomain = [
  "is not a domain name",
  "write it in lower case, without http:// and path",
] as const;

/** By what people get wrong; every case that the design names has a group. */
export const badInputs: Readonly<Record<string, readonly BadInput[]>> = {
  "unknown region": rows(
    ["aws:region", "", "is missing", "choose from ap-northeast-1, "],
    ["aws:region", "Frankfurt", "is not the name of a region", "choose from ap-northeast-1, "],
    ["aws:region", "eu-central", "is not the name of a region", "eu-central-1"],
    [
      "aws:region",
      "AKIAIOSFODNN7EXAMPLE",
      "is not the name of a region",
      "choose from ap-northeast-1, ",
      { hidden: "AKIAIOSFODNN7EXAMPLE" },
    ],
    [
      "aws:region",
      "hunter2",
      "is not the name of a region",
      "choose from ap-northeast-1, ",
      { isSecret: true, hidden: "hunter2" },
    ],
    [
      "aws:region",
      "eu-hunter-2",
      "has no RancherOS image",
      "set amiId to an image of your own",
      { isSecret: true, hidden: "hunter" },
    ],
    [
      "aws:region",
      "ASIAIOSFODNN7EXAMPLE",
      "is not the name of a region",
      "choose from ap-northeast-1, ",
      { hidden: "ASIAIOSFODNN7EXAMPLE" },
    ],
    ["aws:region", "eu-centrall-1", "has no RancherOS image", "set amiId to an image of your own"],
    ["aws:region", "us-gov-west-1", "has no RancherOS image", "choose from ap-northeast-1, "],
  ),
  "image that is none": rows(
    ["amiId", "rancheros-v1.5.8", "is not the id of an image", "set one such as ami-"],
    ["amiId", "ami-123", "is not the id of an image", "set one such as ami-"],
  ),
  "instance type that RancherOS cannot boot on": rows(
    ["serverInstanceType", "t4g.medium", "has an arm64 processor", "choose from c5, m4"],
    ["agentInstanceType", "a1.large", "has an arm64 processor", "such as t2.small"],
    ["agentInstanceType", "g5g.xlarge", "has an arm64 processor", "choose from c5, m4"],
    ["serverInstanceType", "m6i.large", "is of a family whose disks", "such as t3.medium"],
    ["agentInstanceType", "g4dn.xlarge", "is of a family whose disks", "choose from c5, m4"],
    [
      "agentInstanceType",
      "t3.colossal",
      "is not one of the sizes micro, small",
      "such as t2.small",
    ],
    ["agentInstanceType", "t3", "is not the name of an instance type", "such as t2.small"],
    [
      "agentInstanceType",
      "t2.small",
      "does not exist in eu-north-1",
      "choose a t3",
      {
        beside: { "aws:region": "eu-north-1" },
      },
    ],
  ),
  "instance type that is too small": rows(
    [
      "serverInstanceType",
      "t3.small",
      "has 2 GiB of memory, and 4 are needed",
      "choose a larger size",
    ],
    [
      "agentInstanceType",
      "t2.micro",
      "has 1 GiB of memory, and 2 are needed",
      "choose a larger size",
    ],
  ),
  "admin CIDR missing, malformed or world-open": rows(
    ["adminCidrs", "[]", "is missing", "Set your own address, such as 203.0.113.7/32"],
    ["adminCidrs", "", "is missing", "Set your own address"],
    ["adminCidrs", '["203.0.113.7"]', "has no prefix length", "write 203.0.113.7/32"],
    ["adminCidrs", "203.0.113.0/33", "has a prefix length that is not 0 to 32", "0 to 32"],
    [
      "adminCidrs",
      '["203.0.113.7/24"]',
      "has bits set after its prefix",
      "write 203.0.113.0/24 for the range",
    ],
    ["adminCidrs", '["office"]', ...notARange],
    ["adminCidrs", '["2001:db8::/32"]', ...notARange],
    ["adminCidrs", '["203.0.113.256/32"]', ...notARange],
    [
      "adminCidrs",
      '["0.0.0.0/0"]',
      "lets the whole world reach SSH",
      "set allowWorldAdmin to true if you mean it",
    ],
    [
      "adminCidrs",
      '["0.0.0.0/1", "128.0.0.0/1"]',
      "lets the whole world reach SSH",
      "name your own range",
    ],
    ["adminCidrs", '["203.0.113.7/32", "203.0.113.7/32"]', "names a range twice", "name it once"],
    ["adminCidrs", "[1, 2]", "is not a list of texts", "set one with --path 'adminCidrs[0]'"],
    ["adminCidrs", '["203.0.113.7/32"', "is not a list of texts", "set one with --path"],
    ["adminCidrs", '{"home": "203.0.113.7/32"}', ...notARange],
    ["allowWorldAdmin", "yes", "is neither true nor false", "set one of them"],
  ),
  "count or scale that is not a whole number, or negative": rows(
    ["agentCount", "-1", ...whole(1, "2")],
    ["agentCount", "2.5", ...whole(1, "2")],
    ["agentCount", "two", ...whole(1, "2")],
    ["agentCount", "", ...whole(1, "2")],
    ["agentCount", "0", "is too few", "set 1 or more"],
    ["wordpressScale", "-2", ...whole(0, "2")],
    ["wordpressScale", "3 nodes", ...whole(0, "2")],
    ["wordpressScale", "1e3", ...whole(0, "2")],
    ["wordpressScale", "2\n3", ...whole(0, "2")],
  ),
  "more hosts than the quota holds": rows(
    [
      "agentCount",
      "4",
      "need 6 vCPUs, and the quota is 5",
      "have AWS raise the quota and set vcpuQuota to it",
    ],
    [
      "addressQuota",
      "2",
      "need 3 Elastic IPs, and the quota is 2",
      "set addressQuota to it",
      {
        about: "agentCount",
      },
    ],
    [
      "serverInstanceType",
      "m5.xlarge",
      "need 6 vCPUs, and the quota is 5",
      "choose smaller types",
      {
        about: "agentCount",
      },
    ],
    ["vcpuQuota", "unlimited", ...whole(1, "5")],
    ["addressQuota", "0", "is too few", "set 1 or more"],
  ),
  "sshPublicKey malformed": rows(
    ["sshPublicKey", "", "is missing", "paste the one line of a .pub file"],
    [
      "sshPublicKey",
      "~/.ssh/id_ed25519.pub",
      "does not begin with one of ssh-ed25519",
      "paste the one line",
    ],
    ["sshPublicKey", publicKey.slice(0, 60), "is cut off", "paste the one line"],
    [
      "sshPublicKey",
      publicKey.replace("ssh-ed25519", "ssh-rsa"),
      "is damaged",
      "paste the one line",
    ],
    ["sshPublicKey", `${publicKey}\n${publicKey}`, "has more than one line", "paste the one line"],
    [
      "sshPublicKey",
      shortRsa,
      "is an RSA key of less than 2048 bits",
      "use a longer one, or ed25519",
    ],
    [
      "sshPublicKey",
      privateKey,
      "looks like a private key",
      "make a new key pair",
      { hidden: "c2VjcmV0" },
    ],
  ),
  "overlapping or unusable VPC range": rows(
    [
      "vpcCidr",
      "10.42.0.0/16",
      "overlaps 10.42.0.0/16, Rancher's managed network",
      "set another range, such as 10.0.0.0/16",
    ],
    ["vpcCidr", "10.42.128.0/20", "overlaps 10.42.0.0/16", "set another range"],
    ["vpcCidr", "172.17.0.0/16", "overlaps 172.17.0.0/16, Docker's bridge", "set another range"],
    ["vpcCidr", "172.18.4.0/24", "overlaps 172.18.0.0/16", "set another range"],
    ["vpcCidr", "172.19.0.0/16", "overlaps 172.19.0.0/16", "set another range"],
    [
      "vpcCidr",
      "10.0.0.0/8",
      "has a prefix length outside 16 to 24",
      "set one inside, such as 10.0.0.0/16",
    ],
    ["vpcCidr", "10.0.0.0/28", "has a prefix length outside 16 to 24", "set one inside"],
    ["vpcCidr", "10.0.0.0", "has no prefix length", "write 10.0.0.0/32"],
  ),
  "floating image tag": rows(
    ["wordpressImage", "wordpress", "has no tag", "name an exact version, such as wordpress:6.4.1"],
    [
      "wordpressImage",
      "wordpress:latest",
      "has the floating tag `latest`",
      "name an exact version",
    ],
    [
      "wordpressImage",
      "wordpress:6-apache",
      "has the floating tag `6-apache`",
      "name an exact version",
    ],
    [
      "wordpressImage",
      "example.com/shop/site:main",
      "has the floating tag `main`",
      "name an exact version",
    ],
    [
      "rancherServerImage",
      "rancher/server:stable",
      "has the floating tag `stable`",
      "such as rancher/server:v1.6.30",
    ],
    ["rancherAgentImage", "rancher/agent", "has no tag", "name an exact version"],
    [
      "loadBalancerImage",
      "rancher/lb-service-haproxy:v0.9",
      "has the floating tag `v0.9`",
      "name an exact version",
    ],
    ["siteDatabaseImage", "Maria DB:10.6", "is not an image reference", "such as mariadb:10.6"],
  ),
  "image that cannot run on the host's Docker engine": rows(
    [
      "wordpressImage",
      "wordpress:6.8.2-apache",
      "is built on Debian 12 or newer",
      "name an exact version",
    ],
    [
      "wordpressImage",
      "wordpress:6.4.1-php8.0-fpm-alpine",
      "is built on alpine",
      "name an exact version",
    ],
    [
      "siteDatabaseImage",
      "mariadb:10.11.6",
      "is built on Ubuntu 22.04 or newer",
      "such as mariadb:10.6",
    ],
    ["siteDatabaseImage", "mariadb:10.6.22-ubi9", "is built on ubi9", "name an exact version"],
    [
      "siteDatabaseImage",
      "docker.io/library/mariadb:11.4.2",
      "is built on Ubuntu 22.04",
      "name an exact version",
    ],
    ["siteDatabaseImage", "mysql:8.4.0", "is built on Oracle Linux 9", "name an exact version"],
    [
      "rancherDatabaseImage",
      "mariadb:10.6.22-focal",
      "is newer than Rancher 1.6 can migrate",
      "such as mariadb:10.1.48",
    ],
    [
      "rancherDatabaseImage",
      "mysql:8.0.36",
      "is newer than Rancher 1.6 can migrate",
      "MySQL 5.7 work",
    ],
    [
      "rancherServerImage",
      "rancher/server:v1.6.26",
      "does not accept hosts with Docker 19.03",
      "v1.6.29 is the first that does",
    ],
  ),
  "secret given in plain text": rows(
    [
      "smtpPassword",
      "hunter2",
      "is in clear text",
      "pulumi config rm smtpPassword, and set a new one with --secret",
      {
        beside: { smtpHost: "smtp.example.com", smtpFrom: "site@example.com", smtpUser: "site" },
        hidden: "hunter2",
      },
    ],
    [
      "siteCertificateKey",
      "-----BEGIN PRIVATE KEY-----",
      "is in clear text",
      "pulumi config rm siteCertificateKey",
      {
        hidden: "BEGIN",
      },
    ],
    [
      "siteCertificate",
      privateKey,
      "has a private key in it",
      "have a new one made",
      { hidden: "c2VjcmV0" },
    ],
    [
      "catalogUrl",
      "https://user:hunter2@example.com/c.git",
      "has a password or token in it",
      "use an address that needs none",
      {
        hidden: "hunter2",
      },
    ],
    [
      "smtpHost",
      "smtps://site:hunter2@smtp.example.com",
      "is not the name of a server",
      "such as smtp.example.com",
      {
        hidden: "hunter2",
      },
    ],
    [
      "wordpressImage",
      "https://user:hunter2@example.com/site:1",
      "is not an image reference",
      "name an exact version",
      {
        hidden: "hunter2",
      },
    ],
    ["agentCount", "hunter2", ...whole(1, "2"), { isSecret: true, hidden: "hunter2" }],
  ),
  "stack whose names Rancher's own DNS would hide": rows(
    [
      "stack",
      "rancher",
      "would give its hosts names under rancher.internal",
      "choose another name, such as prod",
    ],
    ["stack", "Rancher_", "would give its hosts names under rancher.internal", "such as prod"],
  ),
  "unknown key": rows(
    [
      "agentcount",
      "2",
      "is not a setting",
      "did you mean agentCount? Remove it with: pulumi config rm agentcount",
    ],
    ["wordpresScale", "2", "is not a setting", "did you mean wordpressScale?"],
    ["publicKey", "x", "is not a setting", "did you mean sshPublicKey?"],
    [
      "smtpPasword",
      "hunter2",
      "is not a setting",
      "did you mean smtpPassword?",
      { hidden: "hunter2" },
    ],
  ),
  "site that nobody could reach, or anybody own": rows(
    ["siteCidrs", "[]", "names nobody", 'set ["0.0.0.0/0"] for everyone'],
    ["siteCidrs", '["0.0.0.0"]', "has no prefix length", "write 0.0.0.0/32"],
    ["siteDomain", "http://blog.example.com", ...notADomain],
    ["siteDomain", "Blog.example.com", ...notADomain],
    ["siteDomain", "203.0.113.7", ...notADomain],
    ["siteTitle", "", "is empty", "give the site a title"],
    [
      "siteAdminUser",
      "admin",
      "is a name that guessers of passwords try first",
      "set another, such as siteowner",
    ],
    [
      "siteAdminUser",
      "two words",
      "is not a name of 1 to 60 letters",
      "set one, such as siteowner",
    ],
    ["siteAdminEmail", "owner", "is not a mail address", "set your own, such as you@example.com"],
    ["protectData", "always", "is neither true nor false", "set one of them"],
    ["catalogUrl", "catalog", "is not the address of a Git repository", "set one such as https://"],
  ),
  "certificate and mail that do not fit": rows(
    [
      "siteCertificate",
      "fullchain.pem",
      "is not PEM text with a certificate",
      "pulumi config set siteCertificate < fullchain.pem",
    ],
    [
      "siteCertificateKey",
      "-----BEGIN",
      "is not PEM text with a private key",
      "config set --secret siteCertificateKey <",
      {
        isSecret: true,
      },
    ],
    [
      "siteCertificate",
      "-----BEGIN CERTIFICATE-----",
      "is missing beside siteCertificate",
      "set both, or neither",
      {
        about: "siteCertificateKey",
      },
    ],
    [
      "smtpPort",
      "25",
      "is closed on EC2",
      "set 587, or 465",
      {
        beside: { smtpHost: "smtp.example.com", smtpFrom: "site@example.com" },
      },
    ],
    ["smtpPort", "submission", ...whole(1, "587")],
    ["smtpUser", "site", "does nothing without smtpHost", "set that too"],
    [
      "smtpHost",
      "smtp.example.com",
      "is missing",
      "which address does the site's mail come from?",
      {
        about: "smtpFrom",
      },
    ],
  ),
};

/** Every bad input, group by group. */
export const everyBadInput: readonly BadInput[] = Object.values(badInputs).flat();

/** A key with its namespace. */
export function fullKey(key: string): string {
  return key.includes(":") || key === stackKey ? key : `rancher-cattle:${key}`;
}

/** Configuration with one mistake, by full key. */
export function configWith({ key, value, beside = {} }: BadInput): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...leastConfig, ...beside, [key]: value }).map(([k, v]) => [fullKey(k), v]),
  );
}

/** The lines that the program has for a mistake. */
export function linesFor(bad: BadInput): readonly string[] {
  const values = configWith(bad);
  const stackName = values[stackKey];
  const outcome = parseSettings({
    values,
    ...(stackName === undefined ? {} : { stackName }),
    secretKeys: new Set(bad.isSecret === true ? [fullKey(bad.key)] : []),
    environmentRegion: undefined,
    now: new Date(),
  });
  return "region" in outcome ? [] : outcome;
}

/** The line about the mistake itself, undefined when the program has none. */
export function lineFor(bad: BadInput): string | undefined {
  const start = `${fullKey(bad.about ?? bad.key)}: `;
  return linesFor(bad).find((line) => line.startsWith(start) && line.includes(bad.problem));
}
