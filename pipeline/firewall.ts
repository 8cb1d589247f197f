/** What a plan opens and closes, in words. */
import { changing, nameOf, type State, type Step, typeOf } from "./plan";

/** One rule of a security group, as far as it says who reaches what. */
interface Rule {
  readonly group: string;
  readonly isEgress: boolean;
  readonly ports: string;
  readonly peer: string;
  readonly description: string;
}

/** What changes in the firewall: a sentence for each rule. */
export interface FirewallChanges {
  readonly opens: readonly string[];
  readonly closes: readonly string[];
}

type Inputs = Readonly<Record<string, unknown>>;

const text = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";

/** A group that an input names: by the resource it came from, since its id may not be known yet. */
function groupOf(state: State, inputs: Inputs, input: string, fallback: string): string {
  const [urn] = state.propertyDependencies?.[input] ?? [];
  if (urn !== undefined && urn !== "") return nameOf(urn);
  return text(inputs[input]) || fallback;
}

function portsOf(inputs: Inputs): string {
  const protocol = text(inputs["ipProtocol"] ?? inputs["protocol"]).toLowerCase();
  if (protocol === "-1" || protocol === "all") return "every port and protocol";
  const [from, to] = [text(inputs["fromPort"]), text(inputs["toPort"])];
  if (protocol === "icmp" || protocol === "1") return "ICMP";
  const ports = from === to ? `port ${from}` : `ports ${from} to ${to}`;
  return from === "" ? protocol.toUpperCase() : `${protocol.toUpperCase()} ${ports}`;
}

/** A range, with the widest ones in words that nobody overlooks. */
function rangeOf(cidr: string): string {
  return /\/0$/.test(cidr) ? `**the whole internet** (${cidr})` : cidr;
}

/** Whom a rule is about: ranges, groups, prefix lists or the group itself. */
function peersOf(state: State, inputs: Inputs, group: string): readonly string[] {
  const list = (value: unknown): string[] =>
    Array.isArray(value) ? value.map(text).filter((one) => one !== "") : text(value).split(/\s+/);
  const named = (input: string) =>
    input in inputs ? [`the group ${groupOf(state, inputs, input, "of another resource")}`] : [];
  const ranges = ["cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"].flatMap((input) =>
    input in inputs ? list(inputs[input]).map(rangeOf) : [],
  );
  const prefixes = ["prefixListId", "prefixListIds"].flatMap((input) =>
    input in inputs ? list(inputs[input]).map((id) => `the prefix list ${id}`) : [],
  );
  return [
    ...ranges,
    ...named("referencedSecurityGroupId"),
    ...named("sourceSecurityGroupId"),
    ...(Array.isArray(inputs["securityGroups"])
      ? list(inputs["securityGroups"]).map((id) => `the group ${id}`)
      : []),
    ...prefixes,
    ...(inputs["self"] === true ? [`the group ${group} itself`] : []),
  ].filter((peer) => peer !== "");
}

function rulesFrom(state: State, inputs: Inputs, group: string, isEgress: boolean): Rule[] {
  const peers = peersOf(state, inputs, group);
  return (peers.length === 0 ? ["somebody who is not known yet"] : peers).map((peer) => ({
    group,
    isEgress,
    ports: portsOf(inputs),
    peer,
    description: text(inputs["description"]),
  }));
}

/** The rules that a resource stands for, however it writes them. */
function rulesOf(urn: string, state: State | undefined): readonly Rule[] {
  const inputs = state?.inputs;
  if (state === undefined || inputs === undefined) return [];
  const type = typeOf(urn).split(":").pop();
  const group = groupOf(state, inputs, "securityGroupId", "of another resource");
  switch (type) {
    case "SecurityGroupIngressRule":
      return rulesFrom(state, inputs, group, false);
    case "SecurityGroupEgressRule":
      return rulesFrom(state, inputs, group, true);
    case "SecurityGroupRule":
      return rulesFrom(state, inputs, group, inputs["type"] === "egress");
    case "SecurityGroup":
    case "DefaultSecurityGroup":
      return (["ingress", "egress"] as const).flatMap((direction) => {
        const inline = inputs[direction];
        return Array.isArray(inline)
          ? (inline as Inputs[]).flatMap((rule) =>
              rulesFrom({ inputs: rule }, rule, nameOf(urn), direction === "egress"),
            )
          : [];
      });
    default:
      return [];
  }
}

function sentence({ group, isEgress, ports, peer, description }: Rule): string {
  const way = isEgress ? `from ${group} to ${peer}` : `of ${group} for ${peer}`;
  return `${ports} ${way}${description === "" ? "" : ` (${description})`}`;
}

/** The same rule, whatever it is called. */
const identity = ({ group, isEgress, ports, peer }: Rule) =>
  JSON.stringify([group, isEgress, ports, peer]);

/** Rules of a plan that nothing had before, and rules that nothing has afterwards. */
export function firewallChanges(steps: readonly Step[]): FirewallChanges {
  const all = changing(steps);
  const before = all.flatMap(({ urn, oldState }) => rulesOf(urn, oldState));
  const after = all.flatMap(({ op, urn, newState }) =>
    op === "delete" ? [] : rulesOf(urn, newState),
  );
  const without = (rules: readonly Rule[], others: readonly Rule[]) => {
    const known = new Set(others.map(identity));
    return [...new Set(rules.filter((rule) => !known.has(identity(rule))).map(sentence))];
  };
  return { opens: without(after, before), closes: without(before, after) };
}

/** What a plan changes in public addresses. */
export interface AddressChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Elastic IPs that come and go, and load balancers that the internet reaches. */
export function addressChanges(steps: readonly Step[]): AddressChanges {
  const isPublic = (urn: string, state: State | undefined) => {
    const type = typeOf(urn);
    if (state === undefined) return false;
    if (type === "aws:ec2/eip:Eip") return true;
    return type === "aws:lb/loadBalancer:LoadBalancer" && state.inputs?.["internal"] !== true;
  };
  const told = (urn: string, state: State | undefined) => {
    const address = text(state?.outputs?.["publicIp"] ?? state?.outputs?.["dnsName"]);
    return /^[\w.-]+$/.test(address) && /\./.test(address)
      ? `${nameOf(urn)} (${address})`
      : nameOf(urn);
  };
  const all = changing(steps);
  return {
    added: all.flatMap(({ op, urn, newState }) =>
      op !== "delete" && op !== "update" && isPublic(urn, newState) ? [nameOf(urn)] : [],
    ),
    removed: all.flatMap(({ op, urn, oldState }) =>
      op !== "create" && op !== "update" && isPublic(urn, oldState) ? [told(urn, oldState)] : [],
    ),
  };
}
