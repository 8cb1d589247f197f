/** What of a stack's state is drawn. Nothing that could be a secret is read. */
import { imageOf, shortImage } from "../images";
import { at, nameOf, numberAt, type StackState, type StateResource, textAt } from "../state";

/** A machine. */
export interface DrawnHost {
  readonly name: string;
  readonly publicIp: string;
  readonly privateIp: string;
  readonly instanceType: string;
  readonly zone: string;
}

/** A container, or the containers of a service. */
export interface DrawnContainer {
  readonly name: string;
  readonly image: string;
}

/** A service of Rancher. */
export interface DrawnService extends DrawnContainer {
  /** Undefined for one that runs once on every host. */
  readonly scale: number | undefined;
  readonly isBalancer: boolean;
}

/** Who a rule lets in: a range of addresses, or a group by its name. */
export type Origin = { readonly cidr: string } | { readonly group: string };

/** One rule of a security group. */
export interface DrawnRule {
  readonly to: string;
  readonly from: Origin;
  readonly protocol: string;
  readonly port: number;
  readonly description: string;
}

/** All that is drawn. */
export interface Drawn {
  readonly project: string;
  readonly stack: string;
  readonly region: string;
  readonly vpcCidr: string;
  readonly privateZone: string;
  readonly subnets: readonly { readonly cidr: string; readonly zone: string }[];
  readonly server: DrawnHost | undefined;
  /** Those on the server that go on running. */
  readonly containers: readonly DrawnContainer[];
  readonly disk:
    | {
        readonly text: string;
        readonly isEncrypted: boolean;
        readonly isProtected: boolean;
        /** Names of the containers whose data it has. */
        readonly of: readonly string[];
      }
    | undefined;
  readonly agents: readonly DrawnHost[];
  readonly services: readonly DrawnService[];
  readonly files:
    | {
        readonly isEncrypted: boolean;
        readonly isProtected: boolean;
        readonly targets: readonly { readonly address: string; readonly zone: string }[];
      }
    | undefined;
  readonly rules: readonly DrawnRule[];
  /** Whether every group may reach out to anywhere. */
  readonly isOpenOutwards: boolean;
}

/** Groups by the name that the drawing knows them by; others go by their resource's name. */
const groupNames: Readonly<Record<string, string>> = {
  "security-server": "server",
  "security-agents": "agents",
  "content-group": "content",
};

/** Order in which the server's containers are drawn, so that arrows reach them without crossing. */
const containerOrder = ["site-db", "rancher", "rancher-db"];

function hosts(state: StackState, zones: ReadonlyMap<string, string>): DrawnHost[] {
  const addresses = new Map(
    state
      .all("aws:ec2/eip:Eip")
      .map((eip) => [nameOf(eip).replace(/-address$/, ""), textAt(eip.outputs, "publicIp")]),
  );
  return state.all("aws:ec2/instance:Instance").map((instance) => {
    const name = nameOf(instance).replace(/-instance$/, "");
    return {
      name,
      publicIp: addresses.get(name) ?? "",
      privateIp: textAt(instance.outputs, "privateIp") ?? "",
      instanceType: textAt(instance.inputs, "instanceType") ?? "",
      zone: zones.get(textAt(instance.inputs, "subnetId") ?? "") ?? "",
    };
  });
}

function containers(state: StackState): DrawnContainer[] {
  const position = ({ name }: DrawnContainer): number => {
    const index = containerOrder.indexOf(name);
    return index === -1 ? containerOrder.length : index;
  };
  return state
    .all("docker:index/container:Container")
    .filter(({ inputs }) => inputs?.["mustRun"] !== false)
    .map((container) => {
      const image = state.find("docker:index/remoteImage:RemoteImage", nameOf(container));
      return {
        name: textAt(container.inputs, "name") ?? nameOf(container),
        image: shortImage(textAt(image?.inputs, "name") ?? ""),
      };
    })
    .sort((a, b) => position(a) - position(b));
}

function disk(state: StackState): Drawn["disk"] {
  const [volume] = state.all("aws:ebs/volume:Volume");
  if (volume === undefined) return undefined;
  const size = numberAt(volume.inputs, "size");
  const ofDisk = (container: StateResource): boolean =>
    ((at(container.inputs, "mounts") ?? []) as readonly unknown[]).some((mount) =>
      (textAt(mount, "source") ?? "").startsWith("/mnt/data/"),
    );
  return {
    text: `${size ?? "?"} GiB ${textAt(volume.inputs, "type") ?? ""}`.trim(),
    isEncrypted: at(volume.inputs, "encrypted") === true,
    isProtected: volume.protect === true,
    of: state.all("docker:index/container:Container").filter(ofDisk).map(nameOf),
  };
}

function services(state: StackState): DrawnService[] {
  const drawn = (resource: StateResource, isBalancer: boolean): DrawnService => {
    const config = at(resource.inputs, "launchConfig");
    const isGlobal = textAt(config, "labels", "io.rancher.scheduler.global") === "true";
    return {
      name: textAt(resource.inputs, "name") ?? nameOf(resource),
      image: shortImage(imageOf(config) ?? ""),
      scale: isGlobal ? undefined : (numberAt(resource.inputs, "scale") ?? 1),
      isBalancer,
    };
  };
  return [
    ...state.all("rancher:index:LoadBalancer").map((resource) => drawn(resource, true)),
    ...state.all("rancher:index:Service").map((resource) => drawn(resource, false)),
  ];
}

function rules(state: StackState): DrawnRule[] {
  const names = new Map(
    state
      .all("aws:ec2/securityGroup:SecurityGroup")
      .map((group) => [group.id ?? "", groupNames[nameOf(group)] ?? nameOf(group)]),
  );
  const name = (id: string): string => names.get(id) ?? id;
  return state
    .all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    .map(({ inputs }) => {
      const cidr = textAt(inputs, "cidrIpv4");
      return {
        to: name(textAt(inputs, "securityGroupId") ?? ""),
        from:
          cidr === undefined
            ? { group: name(textAt(inputs, "referencedSecurityGroupId") ?? "") }
            : { cidr },
        protocol: textAt(inputs, "ipProtocol") ?? "",
        port: numberAt(inputs, "fromPort") ?? 0,
        description: textAt(inputs, "description") ?? "",
      };
    });
}

/** Reads what is drawn from a stack's state. */
export function drawn(state: StackState): Drawn {
  const subnets = state.all("aws:ec2/subnet:Subnet");
  const zoneOf = (subnet: StateResource): string => textAt(subnet.inputs, "availabilityZone") ?? "";
  const zones = new Map(subnets.map((subnet) => [subnet.id ?? "", zoneOf(subnet)]));
  const machines = hosts(state, zones);
  const [vpc] = state.all("aws:ec2/vpc:Vpc");
  const [fileSystem] = state.all("aws:efs/fileSystem:FileSystem");
  const egress = state.all("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule");
  return {
    ...state.names,
    region: textAt(vpc?.outputs, "region") ?? "",
    vpcCidr: textAt(vpc?.inputs, "cidrBlock") ?? "",
    privateZone: textAt(state.all("aws:route53/zone:Zone")[0]?.inputs, "name") ?? "",
    subnets: subnets.map((subnet) => ({
      cidr: textAt(subnet.inputs, "cidrBlock") ?? "",
      zone: zoneOf(subnet),
    })),
    server: machines.find(({ name }) => name === "server"),
    containers: containers(state),
    disk: disk(state),
    agents: machines.filter(({ name }) => name !== "server"),
    services: services(state),
    files:
      fileSystem === undefined
        ? undefined
        : {
            isEncrypted: at(fileSystem.inputs, "encrypted") === true,
            isProtected: fileSystem.protect === true,
            targets: state.all("aws:efs/mountTarget:MountTarget").map((target) => ({
              address: textAt(target.outputs, "ipAddress") ?? "",
              zone: zones.get(textAt(target.inputs, "subnetId") ?? "") ?? "",
            })),
          },
    rules: rules(state),
    isOpenOutwards:
      egress.length > 0 && egress.every(({ inputs }) => inputs?.["cidrIpv4"] === "0.0.0.0/0"),
  };
}
