import { widestAdminPrefix } from "../../config/cidr";
import { ports } from "../../config/ports";
import { asList, asMap, asTexts, type Resource, type Value } from "../resource";
import type { ResourceRule } from "../rule";

/** Ports that administer something, or that only the site's own machines need. */
const adminPorts: Readonly<Record<number, string>> = {
  [ports.ssh.number]: "SSH",
  [ports.rancher.number]: "Rancher",
  [ports.mysql.number]: "the database",
  [ports.nfs.number]: "the shared files",
  2375: "Docker",
  2376: "Docker",
};

/**
 * Shortest prefix of an IPv6 range that does not count as the world. A provider gets a /32 or longer
 * (RIPE NCC, IPv6 Address Allocation and Assignment Policy).
 */
const widestAdminPrefix6 = 32;

/** An entry of a security group: what it opens, and to whom. */
interface Opening {
  readonly protocol: Value;
  readonly from: Value;
  readonly to: Value;
  readonly ranges: readonly Value[];
}

/** An entry as a group and as the older kind of rule have it. */
function classic(entry: Value): Opening {
  const { protocol, fromPort, toPort, cidrBlocks, ipv6CidrBlocks } = asMap(entry);
  const ranges = [...asTexts(cidrBlocks), ...asTexts(ipv6CidrBlocks)];
  return { protocol, from: fromPort, to: toPort, ranges };
}

/** Every way to open a port of a group, by type. */
const forms: Readonly<Record<string, (props: Resource["props"]) => readonly Opening[]>> = {
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (props) => [
    {
      protocol: props["ipProtocol"],
      from: props["fromPort"],
      to: props["toPort"],
      ranges: [props["cidrIpv4"], props["cidrIpv6"]],
    },
  ],
  "aws:ec2/securityGroupRule:SecurityGroupRule": (props) =>
    props["type"] === "ingress" ? [classic(props)] : [],
  "aws:ec2/securityGroup:SecurityGroup": (props) => asList(props["ingress"]).map(classic),
  "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (props) =>
    asList(props["ingress"]).map(classic),
};

function isWorld(range: string): boolean {
  const prefix = Number(range.split("/")[1]);
  return prefix < (range.includes(":") ? widestAdminPrefix6 : widestAdminPrefix);
}

/** The ports of the table that an entry opens. Without numbers it opens them all. */
function opened({ protocol, from, to }: Opening): readonly string[] {
  const everything = ["-1", "all", -1].includes(protocol as string);
  if (!everything && !["tcp", "6", 6].includes(protocol as string)) return [];
  const isOpen = (port: number) =>
    everything || (Number(from ?? 0) <= port && port <= Number(to ?? 65_535));
  // Of what is not known no number can be made.
  if (typeof from === "symbol" || typeof to === "symbol") return [];
  return Object.entries(adminPorts)
    .filter(([port]) => isOpen(Number(port)))
    .map(([port, what]) => `${port} (${what})`);
}

export const adminPortsClosed: ResourceRule = {
  name: "admin-ports-closed",
  description: "No security group opens SSH, Rancher, a database, NFS or Docker to the world",
  why: "whole networks are searched for these ports all day, and one weak key or one old bug behind one gives the machine away",
  fix: "name your own ranges in adminCidrs, such as 203.0.113.7/32, take allowWorldAdmin away, and let machines reach each other by their groups",
  severity: "critical",
  problems: ({ type, props }) =>
    (forms[type]?.(props) ?? []).flatMap((opening) => {
      const worlds = opening.ranges.filter((range) => typeof range === "string" && isWorld(range));
      const open = opened(opening);
      if (worlds.length === 0 || open.length === 0) return [];
      return [`opens port ${open.join(", ")} to ${worlds.join(", ")}`];
    }),
};
