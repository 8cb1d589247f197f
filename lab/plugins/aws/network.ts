/** VPC, subnets, gateway and routes. */
import {
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteInternetGatewayCommand,
  DeleteRouteCommand,
  DeleteRouteTableCommand,
  DeleteSubnetCommand,
  DeleteVpcCommand,
  DescribeInternetGatewaysCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  DetachInternetGatewayCommand,
  DisassociateRouteTableCommand,
  type InternetGateway,
  ModifySubnetAttributeCommand,
  ModifyVpcAttributeCommand,
  ReplaceRouteCommand,
  type Route,
  type RouteTable,
  type RouteTableAssociation,
  type Subnet,
  type Vpc,
} from "@aws-sdk/client-ec2";
import { flag, mustText, text } from "../standIn";
import { type Aws, isGone, type Operation, release, tagMap, unlessGone, until } from "./client";
import { type Kind, resource } from "./kind";

function id(value: string | undefined): string {
  if (value === undefined) throw new Error("AWS answered without an id");
  return value;
}

/** Waits until nothing is found any more. */
async function vanished(
  what: string,
  call: Operation,
  find: () => Promise<unknown>,
): Promise<void> {
  await until(`waiting for ${what} to go`, call, async () =>
    (await find()) === undefined ? true : undefined,
  );
}

// --- VPC ---

type FoundVpc = Vpc & { dnsSupport: boolean; dnsHostnames: boolean };

async function findVpc(aws: Aws, vpcId: string, call: Operation): Promise<FoundVpc | undefined> {
  const options = { abortSignal: call.signal };
  const attribute = async (name: "enableDnsSupport" | "enableDnsHostnames"): Promise<boolean> => {
    const answer = await aws.ec2.send(
      new DescribeVpcAttributeCommand({ VpcId: vpcId, Attribute: name }),
      options,
    );
    return (
      (name === "enableDnsSupport" ? answer.EnableDnsSupport : answer.EnableDnsHostnames)?.Value ===
      true
    );
  };
  const command = new DescribeVpcsCommand({ VpcIds: [vpcId] });
  const answer = await unlessGone(() => aws.ec2.send(command, options));
  const found = answer?.Vpcs?.[0];
  if (found === undefined) return undefined;
  return {
    ...found,
    dnsSupport: await attribute("enableDnsSupport"),
    dnsHostnames: await attribute("enableDnsHostnames"),
  };
}

const vpc: Kind<FoundVpc> = {
  type: "aws:ec2/vpc:Vpc",
  inputs: {
    shape: {
      cidrBlock: "string",
      enableDnsHostnames: "boolean",
      enableDnsSupport: "boolean",
      instanceTenancy: "string",
    },
    required: ["cidrBlock"],
  },
  replace: () => ["cidrBlock", "instanceTenancy"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { Vpc: made } = await aws.ec2.send(
      new CreateVpcCommand({
        CidrBlock: mustText(inputs, "cidrBlock"),
        InstanceTenancy: text(inputs, "instanceTenancy") === "dedicated" ? "dedicated" : "default",
        TagSpecifications: aws.tagSpecification("vpc", inputs),
      }),
      { abortSignal: call.signal },
    );
    return id(made?.VpcId);
  },
  settle: async (aws, VpcId, inputs, call) => {
    const options = { abortSignal: call.signal };
    const EnableDnsSupport = { Value: flag(inputs, "enableDnsSupport") ?? true };
    const EnableDnsHostnames = { Value: flag(inputs, "enableDnsHostnames") ?? false };
    await until(`waiting for VPC ${VpcId}`, call, () => findVpc(aws, VpcId, call));
    // One attribute a call: AWS takes no more.
    await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId, EnableDnsSupport }), options);
    await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId, EnableDnsHostnames }), options);
  },
  find: (aws, vpcId, _, call) => findVpc(aws, vpcId, call),
  outputs: async (aws, found, _, call) => {
    const filter = { Name: "vpc-id", Values: [id(found.VpcId)] };
    const options = { abortSignal: call.signal };
    const { SecurityGroups } = await aws.ec2.send(
      new DescribeSecurityGroupsCommand({
        Filters: [filter, { Name: "group-name", Values: ["default"] }],
      }),
      options,
    );
    const { RouteTables } = await aws.ec2.send(
      new DescribeRouteTablesCommand({
        Filters: [filter, { Name: "association.main", Values: ["true"] }],
      }),
      options,
    );
    const main = RouteTables?.[0]?.RouteTableId;
    return {
      arn: await aws.arn(`vpc/${id(found.VpcId)}`, call, found.OwnerId),
      ownerId: found.OwnerId,
      instanceTenancy: found.InstanceTenancy,
      dhcpOptionsId: found.DhcpOptionsId,
      enableDnsHostnames: found.dnsHostnames,
      enableDnsSupport: found.dnsSupport,
      defaultSecurityGroupId: SecurityGroups?.[0]?.GroupId,
      defaultRouteTableId: main,
      mainRouteTableId: main,
    };
  },
  actual: (found) => ({
    cidrBlock: found.CidrBlock,
    enableDnsHostnames: found.dnsHostnames,
    enableDnsSupport: found.dnsSupport,
  }),
  delete: async (aws, VpcId, _, call) => {
    await release(`deleting VPC ${VpcId}`, call, () =>
      aws.ec2.send(new DeleteVpcCommand({ VpcId }), { abortSignal: call.signal }),
    );
    await vanished(`VPC ${VpcId}`, call, () => findVpc(aws, VpcId, call));
  },
};

// --- subnet ---

async function findSubnet(
  aws: Aws,
  subnetId: string,
  call: Operation,
): Promise<Subnet | undefined> {
  const command = new DescribeSubnetsCommand({ SubnetIds: [subnetId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.Subnets?.[0];
}

const subnet: Kind<Subnet> = {
  type: "aws:ec2/subnet:Subnet",
  inputs: {
    shape: {
      vpcId: "string",
      cidrBlock: "string",
      availabilityZone: "string",
      mapPublicIpOnLaunch: "boolean",
    },
    required: ["vpcId", "cidrBlock"],
  },
  replace: () => ["vpcId", "cidrBlock", "availabilityZone"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { Subnet: made } = await aws.ec2.send(
      new CreateSubnetCommand({
        VpcId: mustText(inputs, "vpcId"),
        CidrBlock: mustText(inputs, "cidrBlock"),
        AvailabilityZone: text(inputs, "availabilityZone"),
        TagSpecifications: aws.tagSpecification("subnet", inputs),
      }),
      { abortSignal: call.signal },
    );
    return id(made?.SubnetId);
  },
  settle: async (aws, SubnetId, inputs, call) => {
    await until(`waiting for subnet ${SubnetId}`, call, () => findSubnet(aws, SubnetId, call));
    const MapPublicIpOnLaunch = { Value: flag(inputs, "mapPublicIpOnLaunch") ?? false };
    const command = new ModifySubnetAttributeCommand({ SubnetId, MapPublicIpOnLaunch });
    await aws.ec2.send(command, { abortSignal: call.signal });
  },
  find: (aws, subnetId, _, call) => findSubnet(aws, subnetId, call),
  outputs: (_, found) => ({
    arn: found.SubnetArn,
    availabilityZone: found.AvailabilityZone,
    availabilityZoneId: found.AvailabilityZoneId,
    mapPublicIpOnLaunch: found.MapPublicIpOnLaunch,
    ownerId: found.OwnerId,
  }),
  actual: (found) => ({
    vpcId: found.VpcId,
    cidrBlock: found.CidrBlock,
    availabilityZone: found.AvailabilityZone,
    mapPublicIpOnLaunch: found.MapPublicIpOnLaunch,
  }),
  delete: async (aws, SubnetId, _, call) => {
    await release(`deleting subnet ${SubnetId}`, call, () =>
      aws.ec2.send(new DeleteSubnetCommand({ SubnetId }), { abortSignal: call.signal }),
    );
    await vanished(`subnet ${SubnetId}`, call, () => findSubnet(aws, SubnetId, call));
  },
};

// --- internet gateway ---

async function findGateway(
  aws: Aws,
  gatewayId: string,
  call: Operation,
): Promise<InternetGateway | undefined> {
  const command = new DescribeInternetGatewaysCommand({ InternetGatewayIds: [gatewayId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.InternetGateways?.[0];
}

async function detachGateway(
  aws: Aws,
  InternetGatewayId: string,
  VpcId: string,
  call: Operation,
): Promise<void> {
  await release(`detaching gateway ${InternetGatewayId}`, call, async () => {
    try {
      const command = new DetachInternetGatewayCommand({ InternetGatewayId, VpcId });
      await aws.ec2.send(command, { abortSignal: call.signal });
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "Gateway.NotAttached") throw error;
    }
  });
}

const internetGateway: Kind<InternetGateway> = {
  type: "aws:ec2/internetGateway:InternetGateway",
  inputs: { shape: { vpcId: "string" } },
  replace: () => [],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { InternetGateway: made } = await aws.ec2.send(
      new CreateInternetGatewayCommand({
        TagSpecifications: aws.tagSpecification("internet-gateway", inputs),
      }),
      { abortSignal: call.signal },
    );
    return id(made?.InternetGatewayId);
  },
  settle: async (aws, InternetGatewayId, inputs, call) => {
    const wanted = text(inputs, "vpcId");
    const found = await until(`waiting for gateway ${InternetGatewayId}`, call, () =>
      findGateway(aws, InternetGatewayId, call),
    );
    const attached = found.Attachments?.[0]?.VpcId;
    if (attached === wanted) return;
    if (attached !== undefined) await detachGateway(aws, InternetGatewayId, attached, call);
    if (wanted === undefined) return;
    const command = new AttachInternetGatewayCommand({ InternetGatewayId, VpcId: wanted });
    await aws.ec2.send(command, { abortSignal: call.signal });
  },
  find: (aws, gatewayId, _, call) => findGateway(aws, gatewayId, call),
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`internet-gateway/${id(found.InternetGatewayId)}`, call, found.OwnerId),
    ownerId: found.OwnerId,
    vpcId: found.Attachments?.[0]?.VpcId,
  }),
  actual: (found) => ({ vpcId: found.Attachments?.[0]?.VpcId }),
  delete: async (aws, InternetGatewayId, state, call) => {
    const VpcId = text(state, "vpcId");
    if (VpcId !== undefined) await detachGateway(aws, InternetGatewayId, VpcId, call);
    await release(`deleting gateway ${InternetGatewayId}`, call, () =>
      aws.ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId }), {
        abortSignal: call.signal,
      }),
    );
  },
};

// --- route tables ---

async function findTable(
  aws: Aws,
  tableId: string,
  call: Operation,
): Promise<RouteTable | undefined> {
  const command = new DescribeRouteTablesCommand({ RouteTableIds: [tableId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.RouteTables?.[0];
}

const routeTable: Kind<RouteTable> = {
  type: "aws:ec2/routeTable:RouteTable",
  inputs: { shape: { vpcId: "string" }, required: ["vpcId"] },
  replace: () => ["vpcId"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { RouteTable: made } = await aws.ec2.send(
      new CreateRouteTableCommand({
        VpcId: mustText(inputs, "vpcId"),
        TagSpecifications: aws.tagSpecification("route-table", inputs),
      }),
      { abortSignal: call.signal },
    );
    return id(made?.RouteTableId);
  },
  find: (aws, tableId, _, call) => findTable(aws, tableId, call),
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`route-table/${id(found.RouteTableId)}`, call, found.OwnerId),
    ownerId: found.OwnerId,
  }),
  actual: (found) => ({ vpcId: found.VpcId }),
  delete: (aws, RouteTableId, _, call) =>
    release(`deleting route table ${RouteTableId}`, call, () =>
      aws.ec2.send(new DeleteRouteTableCommand({ RouteTableId }), { abortSignal: call.signal }),
    ),
};

const route: Kind<Route> = {
  type: "aws:ec2/route:Route",
  inputs: {
    shape: { routeTableId: "string", destinationCidrBlock: "string", gatewayId: "string" },
    required: ["routeTableId", "destinationCidrBlock", "gatewayId"],
  },
  replace: () => ["routeTableId", "destinationCidrBlock"],
  create: async (aws, inputs, call) => {
    const RouteTableId = mustText(inputs, "routeTableId");
    const DestinationCidrBlock = mustText(inputs, "destinationCidrBlock");
    const GatewayId = mustText(inputs, "gatewayId");
    await until("waiting for the route's table", call, () => findTable(aws, RouteTableId, call));
    const command = new CreateRouteCommand({ RouteTableId, DestinationCidrBlock, GatewayId });
    await aws.ec2.send(command, { abortSignal: call.signal });
    return `r-${RouteTableId}-${DestinationCidrBlock}`;
  },
  find: async (aws, _, state, call) => {
    const table = await findTable(aws, mustText(state, "routeTableId"), call);
    const destination = mustText(state, "destinationCidrBlock");
    return table?.Routes?.find((r) => r.DestinationCidrBlock === destination);
  },
  outputs: (_, found) => ({ state: found.State, origin: found.Origin }),
  actual: (found) => ({ gatewayId: found.GatewayId }),
  update: async (aws, { inputs }, call) => {
    const command = new ReplaceRouteCommand({
      RouteTableId: mustText(inputs, "routeTableId"),
      DestinationCidrBlock: mustText(inputs, "destinationCidrBlock"),
      GatewayId: mustText(inputs, "gatewayId"),
    });
    await aws.ec2.send(command, { abortSignal: call.signal });
  },
  delete: async (aws, _, state, call) => {
    const command = new DeleteRouteCommand({
      RouteTableId: mustText(state, "routeTableId"),
      DestinationCidrBlock: mustText(state, "destinationCidrBlock"),
    });
    await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  },
};

const routeTableAssociation: Kind<RouteTableAssociation> = {
  type: "aws:ec2/routeTableAssociation:RouteTableAssociation",
  inputs: {
    shape: { subnetId: "string", routeTableId: "string" },
    required: ["subnetId", "routeTableId"],
  },
  // The real plugin moves an association in place, which gives it a new id; here it is replaced.
  replace: () => ["subnetId", "routeTableId"],
  create: async (aws, inputs, call) => {
    const { AssociationId } = await aws.ec2.send(
      new AssociateRouteTableCommand({
        SubnetId: mustText(inputs, "subnetId"),
        RouteTableId: mustText(inputs, "routeTableId"),
      }),
      { abortSignal: call.signal },
    );
    return id(AssociationId);
  },
  find: async (aws, associationId, state, call) => {
    const table = await findTable(aws, mustText(state, "routeTableId"), call);
    return table?.Associations?.find((a) => a.RouteTableAssociationId === associationId);
  },
  outputs: () => ({}),
  actual: (found) => ({ subnetId: found.SubnetId, routeTableId: found.RouteTableId }),
  delete: async (aws, AssociationId, _, call) => {
    try {
      const command = new DisassociateRouteTableCommand({ AssociationId });
      await aws.ec2.send(command, { abortSignal: call.signal });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  },
};

/** Everything here, by type token. */
export const networkResources = {
  [vpc.type]: resource(vpc),
  [subnet.type]: resource(subnet),
  [internetGateway.type]: resource(internetGateway),
  [routeTable.type]: resource(routeTable),
  [route.type]: resource(route),
  [routeTableAssociation.type]: resource(routeTableAssociation),
};

/** Used by other files of this folder. */
export { id as mustId, vanished };
