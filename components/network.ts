import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { subnetOf } from "../config/cidr";
import { privateZone } from "../config/stackName";
import { zoneCount, zonesFor, zonesProblem } from "../config/zones";
import { tags, token } from "./names";

/** Arguments of {@link Network}. */
export interface NetworkArgs {
  /** Range of the VPC, /16 to /24. For a new stack only: a file system has mount targets in one VPC at a time. */
  readonly cidr: string;
}

/** A subnet and its zone. */
export interface Place {
  readonly subnetId: pulumi.Output<string>;
  readonly availabilityZone: pulumi.Output<string>;
  /** Range of the subnet. */
  readonly cidr: string;
}

/** Bits that a subnet's prefix is longer than the VPC's: room for sixteen subnets. */
const subnetBits = 4;

/** The zone number `index` of a region, by name. */
function zoneName(names: readonly string[], index: number): string {
  const found = zonesFor(names)[index];
  if (found === undefined) throw new pulumi.RunError(zonesProblem(names));
  return found;
}

/** A VPC with public subnets in two zones, a way out to the internet and a private DNS zone. */
export class Network extends pulumi.ComponentResource {
  public readonly vpcId: pulumi.Output<string>;
  /** Id of the private hosted zone. */
  public readonly zoneId: pulumi.Output<string>;
  /** Name of the private hosted zone, `<stack>.internal`. */
  public readonly zoneName: string;
  /** One place a zone. */
  public readonly places: readonly Place[];

  constructor(name: string, args: NetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("Network"), name, {}, opts);
    const owned = (part: string) => tags(`${name}-${part}`, "Network");

    const vpc = new aws.ec2.Vpc(
      `${name}-vpc`,
      {
        cidrBlock: args.cidr,
        enableDnsSupport: true,
        enableDnsHostnames: true,
        tags: owned("vpc"),
      },
      { parent: this },
    );

    const zones = aws.getAvailabilityZonesOutput({ state: "available" }, { parent: this }).names;
    const subnet = (cidrBlock: string, index: number) =>
      new aws.ec2.Subnet(
        `${name}-subnet-${index}`,
        {
          vpcId: vpc.id,
          cidrBlock,
          availabilityZone: zones.apply((names) => zoneName(names, index)),
          mapPublicIpOnLaunch: false,
          tags: owned(`subnet-${index}`),
        },
        // A zone that appears later in the region must not move the subnets and all that is in them.
        { parent: this, ignoreChanges: ["availabilityZone"] },
      );
    const subnets = Array.from({ length: zoneCount }, (_, index) => {
      const cidr = subnetOf(args.cidr, subnetBits, index);
      const { id, availabilityZone } = subnet(cidr, index);
      return { subnetId: id, availabilityZone, cidr };
    });

    const gateway = new aws.ec2.InternetGateway(
      `${name}-gateway`,
      { vpcId: vpc.id, tags: owned("gateway") },
      { parent: this },
    );
    const routes = new aws.ec2.RouteTable(
      `${name}-routes`,
      { vpcId: vpc.id, tags: owned("routes") },
      { parent: this },
    );
    new aws.ec2.Route(
      `${name}-default-route`,
      { routeTableId: routes.id, destinationCidrBlock: "0.0.0.0/0", gatewayId: gateway.id },
      { parent: this },
    );
    subnets.forEach(
      ({ subnetId }, index) =>
        new aws.ec2.RouteTableAssociation(
          `${name}-routes-${index}`,
          { subnetId, routeTableId: routes.id },
          { parent: this },
        ),
    );

    this.zoneName = privateZone(pulumi.getStack());
    const zone = new aws.route53.Zone(
      `${name}-zone`,
      {
        name: this.zoneName,
        comment: "names that the hosts of the site call each other by",
        vpcs: [{ vpcId: vpc.id }],
        tags: owned("zone"),
      },
      { parent: this },
    );

    this.vpcId = vpc.id;
    this.places = subnets;
    this.zoneId = zone.zoneId;
    this.registerOutputs({ vpcId: this.vpcId, zoneName: this.zoneName });
  }
  /** Where machine number `index` belongs: the subnets take turns. */
  place(index: number): Place {
    const place = this.places[index % this.places.length];
    if (place === undefined) throw new Error(`there is no place number ${index}`);
    return place;
  }
}
