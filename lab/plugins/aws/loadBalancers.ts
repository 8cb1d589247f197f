/** Network load balancers: the balancer, its listeners, target groups and what is registered in them. */
import {
  AddTagsCommand,
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DeleteListenerCommand,
  DeleteLoadBalancerCommand,
  DeleteTargetGroupCommand,
  DeregisterTargetsCommand,
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeTagsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  type Listener,
  type LoadBalancer,
  ModifyLoadBalancerAttributesCommand,
  ModifyTargetGroupAttributesCommand,
  RegisterTargetsCommand,
  RemoveTagsCommand,
  type TargetGroup,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { randomBytes } from "node:crypto";
import type { Call, Props } from "../../../rancher/plugin/types";
import { flag, mustText, number, object, objects, text } from "../standIn";
import {
  type Aws,
  errorCode,
  type Operation,
  release,
  sdkTags,
  tagMap,
  unlessGone,
  until,
} from "./client";
import { type Kind, resource } from "./kind";
import { mustId } from "./network";

/** Something found, with the tags that it has. */
type Tagged<F> = F & { readonly tagMap: Record<string, string> };

async function tagsOf(aws: Aws, arn: string, call: Operation): Promise<Record<string, string>> {
  const command = new DescribeTagsCommand({ ResourceArns: [arn] });
  const { TagDescriptions } = await aws.elb.send(command, { abortSignal: call.signal });
  return tagMap(TagDescriptions?.[0]?.Tags);
}

async function retag(
  aws: Aws,
  arn: string,
  before: Props,
  after: Props,
  call: Call,
): Promise<void> {
  const [old, wanted] = [aws.tags(before), aws.tags(after)];
  const TagKeys = Object.keys(old).filter((key) => !(key in wanted));
  const options = { abortSignal: call.signal };
  if (TagKeys.length > 0) {
    await aws.elb.send(new RemoveTagsCommand({ ResourceArns: [arn], TagKeys }), options);
  }
  await aws.elb.send(new AddTagsCommand({ ResourceArns: [arn], Tags: sdkTags(wanted) }), options);
}

function unchangeable(what: string): () => Promise<void> {
  return () =>
    Promise.reject(new Error(`the lab's stand-in changes nothing of a ${what} but its tags`));
}

// --- load balancer ---

async function findBalancer(
  aws: Aws,
  arn: string,
  call: Operation,
): Promise<Tagged<LoadBalancer> | undefined> {
  const command = new DescribeLoadBalancersCommand({ LoadBalancerArns: [arn] });
  const found = await unlessGone(() => aws.elb.send(command, { abortSignal: call.signal }));
  const balancer = found?.LoadBalancers?.[0];
  return balancer && { ...balancer, tagMap: await tagsOf(aws, arn, call) };
}

const loadBalancer: Kind<Tagged<LoadBalancer>> = {
  type: "aws:lb/loadBalancer:LoadBalancer",
  inputs: {
    shape: {
      name: "string",
      loadBalancerType: "string",
      enableCrossZoneLoadBalancing: "boolean",
      subnetMappings: [{ subnetId: "string", allocationId: "string" }],
    },
    required: ["loadBalancerType", "subnetMappings"],
    autoName: "name",
  },
  replace: () => ["name", "loadBalancerType", "subnetMappings"],
  tags: (found) => found.tagMap,
  retag,
  create: async (aws, inputs, call) => {
    const options = { abortSignal: call.signal };
    const { LoadBalancers } = await aws.elb.send(
      new CreateLoadBalancerCommand({
        Name: mustText(inputs, "name"),
        Type: mustText(inputs, "loadBalancerType") as "network",
        SubnetMappings: objects(inputs, "subnetMappings").map((mapping) => ({
          SubnetId: mustText(mapping, "subnetId"),
          AllocationId: text(mapping, "allocationId"),
        })),
        Tags: sdkTags(aws.tags(inputs)),
      }),
      options,
    );
    const arn = mustId(LoadBalancers?.[0]?.LoadBalancerArn);
    const Value = String(flag(inputs, "enableCrossZoneLoadBalancing") ?? false);
    await aws.elb.send(
      new ModifyLoadBalancerAttributesCommand({
        LoadBalancerArn: arn,
        Attributes: [{ Key: "load_balancing.cross_zone.enabled", Value }],
      }),
      options,
    );
    return arn;
  },
  settle: async (aws, arn, _, call) => {
    await until(`waiting for load balancer ${arn} to be active`, call, async () =>
      (await findBalancer(aws, arn, call))?.State?.Code === "active" ? true : undefined,
    );
  },
  find: (aws, arn, _, call) => findBalancer(aws, arn, call),
  outputs: (_, found) => ({
    arn: found.LoadBalancerArn,
    dnsName: found.DNSName,
    vpcId: found.VpcId,
    zoneId: found.CanonicalHostedZoneId,
  }),
  actual: (found) => ({
    name: found.LoadBalancerName,
    loadBalancerType: found.Type,
    subnetMappings: (found.AvailabilityZones ?? []).map((zone) => ({
      subnetId: zone.SubnetId,
      allocationId: zone.LoadBalancerAddresses?.[0]?.AllocationId,
    })),
  }),
  update: async (_, { changed }) => {
    if ([...changed].some((name) => name !== "tags")) await unchangeable("load balancer")();
  },
  delete: async (aws, LoadBalancerArn, _, call) => {
    await release(`deleting load balancer ${LoadBalancerArn}`, call, () =>
      aws.elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }), {
        abortSignal: call.signal,
      }),
    );
  },
};

// --- target group ---

async function findGroup(
  aws: Aws,
  arn: string,
  call: Operation,
): Promise<Tagged<TargetGroup> | undefined> {
  const command = new DescribeTargetGroupsCommand({ TargetGroupArns: [arn] });
  const found = await unlessGone(() => aws.elb.send(command, { abortSignal: call.signal }));
  const group = found?.TargetGroups?.[0];
  return group && { ...group, tagMap: await tagsOf(aws, arn, call) };
}

const targetGroup: Kind<Tagged<TargetGroup>> = {
  type: "aws:lb/targetGroup:TargetGroup",
  inputs: {
    shape: {
      name: "string",
      vpcId: "string",
      targetType: "string",
      protocol: "string",
      port: "number",
      deregistrationDelay: "number",
      healthCheck: {
        protocol: "string",
        port: "string",
        interval: "number",
        healthyThreshold: "number",
        unhealthyThreshold: "number",
      },
    },
    required: ["vpcId", "targetType", "protocol", "port", "healthCheck"],
    autoName: "name",
  },
  replace: () => ["name", "vpcId", "targetType", "protocol", "port"],
  tags: (found) => found.tagMap,
  retag,
  create: async (aws, inputs, call) => {
    const check = object(inputs, "healthCheck") ?? {};
    const options = { abortSignal: call.signal };
    const { TargetGroups } = await aws.elb.send(
      new CreateTargetGroupCommand({
        Name: mustText(inputs, "name"),
        VpcId: mustText(inputs, "vpcId"),
        TargetType: mustText(inputs, "targetType") as "instance",
        Protocol: mustText(inputs, "protocol") as "TCP",
        Port: number(inputs, "port"),
        HealthCheckProtocol: text(check, "protocol") as "TCP" | undefined,
        HealthCheckPort: text(check, "port"),
        HealthCheckIntervalSeconds: number(check, "interval"),
        HealthyThresholdCount: number(check, "healthyThreshold"),
        UnhealthyThresholdCount: number(check, "unhealthyThreshold"),
        Tags: sdkTags(aws.tags(inputs)),
      }),
      options,
    );
    const arn = mustId(TargetGroups?.[0]?.TargetGroupArn);
    await aws.elb.send(
      new ModifyTargetGroupAttributesCommand({
        TargetGroupArn: arn,
        Attributes: [
          {
            Key: "deregistration_delay.timeout_seconds",
            Value: String(number(inputs, "deregistrationDelay") ?? 300),
          },
        ],
      }),
      options,
    );
    return arn;
  },
  find: (aws, arn, _, call) => findGroup(aws, arn, call),
  outputs: (_, found) => ({ arn: found.TargetGroupArn }),
  actual: (found) => ({
    name: found.TargetGroupName,
    vpcId: found.VpcId,
    targetType: found.TargetType,
    protocol: found.Protocol,
    port: found.Port,
    healthCheck: {
      protocol: found.HealthCheckProtocol,
      port: found.HealthCheckPort,
      interval: found.HealthCheckIntervalSeconds,
      healthyThreshold: found.HealthyThresholdCount,
      unhealthyThreshold: found.UnhealthyThresholdCount,
    },
  }),
  update: async (_, { changed }) => {
    if ([...changed].some((name) => name !== "tags")) await unchangeable("target group")();
  },
  delete: async (aws, TargetGroupArn, _, call) => {
    await release(`deleting target group ${TargetGroupArn}`, call, () =>
      aws.elb.send(new DeleteTargetGroupCommand({ TargetGroupArn }), { abortSignal: call.signal }),
    );
  },
};

// --- listener ---

async function findListener(
  aws: Aws,
  arn: string,
  call: Operation,
): Promise<Tagged<Listener> | undefined> {
  const command = new DescribeListenersCommand({ ListenerArns: [arn] });
  const found = await unlessGone(() => aws.elb.send(command, { abortSignal: call.signal }));
  const listener = found?.Listeners?.[0];
  return listener && { ...listener, tagMap: await tagsOf(aws, arn, call) };
}

const listener: Kind<Tagged<Listener>> = {
  type: "aws:lb/listener:Listener",
  inputs: {
    shape: {
      loadBalancerArn: "string",
      protocol: "string",
      port: "number",
      defaultActions: [{ type: "string", targetGroupArn: "string" }],
    },
    required: ["loadBalancerArn", "protocol", "port", "defaultActions"],
  },
  replace: () => ["loadBalancerArn", "protocol", "port", "defaultActions"],
  tags: (found) => found.tagMap,
  retag,
  create: async (aws, inputs, call) => {
    const { Listeners } = await aws.elb.send(
      new CreateListenerCommand({
        LoadBalancerArn: mustText(inputs, "loadBalancerArn"),
        Protocol: mustText(inputs, "protocol") as "TCP",
        Port: number(inputs, "port"),
        DefaultActions: objects(inputs, "defaultActions").map((action) => ({
          Type: mustText(action, "type") as "forward",
          TargetGroupArn: mustText(action, "targetGroupArn"),
        })),
        Tags: sdkTags(aws.tags(inputs)),
      }),
      { abortSignal: call.signal },
    );
    return mustId(Listeners?.[0]?.ListenerArn);
  },
  find: (aws, arn, _, call) => findListener(aws, arn, call),
  outputs: (_, found) => ({ arn: found.ListenerArn }),
  actual: (found) => ({
    loadBalancerArn: found.LoadBalancerArn,
    protocol: found.Protocol,
    port: found.Port,
    defaultActions: (found.DefaultActions ?? []).map((action) => ({
      type: action.Type,
      targetGroupArn: action.TargetGroupArn,
    })),
  }),
  delete: async (aws, ListenerArn, _, call) => {
    await unlessGone(() =>
      aws.elb.send(new DeleteListenerCommand({ ListenerArn }), { abortSignal: call.signal }),
    );
  },
};

// --- attachment ---

/** Whether an instance is registered: being drained it is not any more. */
async function isRegistered(aws: Aws, state: Props, call: Operation): Promise<true | undefined> {
  const command = new DescribeTargetHealthCommand({
    TargetGroupArn: mustText(state, "targetGroupArn"),
    Targets: [{ Id: mustText(state, "targetId") }],
  });
  const found = await unlessGone(() => aws.elb.send(command, { abortSignal: call.signal }));
  const health = found?.TargetHealthDescriptions?.[0]?.TargetHealth;
  if (health === undefined || health.State === "draining") return undefined;
  return health.Reason === "Target.NotRegistered" ? undefined : true;
}

const attachment: Kind<true> = {
  type: "aws:lb/targetGroupAttachment:TargetGroupAttachment",
  inputs: {
    shape: { targetGroupArn: "string", targetId: "string" },
    required: ["targetGroupArn", "targetId"],
  },
  replace: () => ["targetGroupArn", "targetId"],
  create: async (aws, inputs, call) => {
    await aws.elb.send(
      new RegisterTargetsCommand({
        TargetGroupArn: mustText(inputs, "targetGroupArn"),
        Targets: [{ Id: mustText(inputs, "targetId") }],
      }),
      { abortSignal: call.signal },
    );
    return `${mustText(inputs, "targetGroupArn")}-${randomBytes(6).toString("hex")}`;
  },
  find: (aws, _id, state, call) => isRegistered(aws, state, call),
  outputs: () => ({}),
  delete: async (aws, _id, state, call) => {
    const command = new DeregisterTargetsCommand({
      TargetGroupArn: mustText(state, "targetGroupArn"),
      Targets: [{ Id: mustText(state, "targetId") }],
    });
    try {
      await unlessGone(() => aws.elb.send(command, { abortSignal: call.signal }));
    } catch (error) {
      // An instance that has ended was deregistered with it.
      if (!errorCode(error).startsWith("InvalidTarget")) throw error;
    }
  },
};

/** Everything here, by type token. */
export const loadBalancerResources = {
  [loadBalancer.type]: resource(loadBalancer),
  [targetGroup.type]: resource(targetGroup),
  [listener.type]: resource(listener),
  [attachment.type]: resource(attachment),
};
