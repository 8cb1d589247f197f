/** Security groups and their rules, one resource a rule. */
import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  type IpPermission,
  ModifySecurityGroupRulesCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
  type SecurityGroup,
  type SecurityGroupRule,
} from "@aws-sdk/client-ec2";
import type { Props } from "../../../rancher/plugin/types";
import { mustText, number, text } from "../standIn";
import { type Aws, errorCode, type Operation, release, tagMap, unlessGone, until } from "./client";
import { type Kind, resource } from "./kind";
import { mustId, vanished } from "./network";

async function findGroup(
  aws: Aws,
  groupId: string,
  call: Operation,
): Promise<SecurityGroup | undefined> {
  const command = new DescribeSecurityGroupsCommand({ GroupIds: [groupId] });
  const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
  return found?.SecurityGroups?.[0];
}

const DEFAULT_DESCRIPTION = "Managed by Pulumi";

const securityGroup: Kind<SecurityGroup> = {
  type: "aws:ec2/securityGroup:SecurityGroup",
  inputs: {
    shape: { name: "string", description: "string", vpcId: "string" },
    required: ["vpcId"],
    autoName: "name",
  },
  replace: () => ["name", "description", "vpcId"],
  tags: (found) => tagMap(found.Tags),
  create: async (aws, inputs, call) => {
    const { GroupId } = await aws.ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: mustText(inputs, "name"),
        Description: text(inputs, "description") ?? DEFAULT_DESCRIPTION,
        VpcId: mustText(inputs, "vpcId"),
        TagSpecifications: aws.tagSpecification("security-group", inputs),
      }),
      { abortSignal: call.signal },
    );
    const groupId = mustId(GroupId);
    // AWS lets a new group talk to everyone; the real plugin takes that away.
    await until(`waiting for security group ${groupId}`, call, () => findGroup(aws, groupId, call));
    try {
      await aws.ec2.send(
        new RevokeSecurityGroupEgressCommand({
          GroupId: groupId,
          IpPermissions: [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
        }),
        { abortSignal: call.signal },
      );
    } catch (error) {
      if (errorCode(error) !== "InvalidPermission.NotFound") throw error;
    }
    return groupId;
  },
  find: (aws, groupId, _, call) => findGroup(aws, groupId, call),
  outputs: async (aws, found, _, call) => ({
    arn: await aws.arn(`security-group/${mustId(found.GroupId)}`, call, found.OwnerId),
    description: found.Description,
    ownerId: found.OwnerId,
  }),
  actual: (found) => ({
    name: found.GroupName,
    description: found.Description,
    vpcId: found.VpcId,
  }),
  delete: async (aws, GroupId, _, call) => {
    await release(`deleting security group ${GroupId}`, call, () =>
      aws.ec2.send(new DeleteSecurityGroupCommand({ GroupId }), { abortSignal: call.signal }),
    );
    await vanished(`security group ${GroupId}`, call, () => findGroup(aws, GroupId, call));
  },
};

type Direction = "ingress" | "egress";

function permission(inputs: Props): IpPermission {
  const Description = text(inputs, "description");
  const v4 = text(inputs, "cidrIpv4");
  const v6 = text(inputs, "cidrIpv6");
  const group = text(inputs, "referencedSecurityGroupId");
  return {
    IpProtocol: mustText(inputs, "ipProtocol"),
    FromPort: number(inputs, "fromPort"),
    ToPort: number(inputs, "toPort"),
    IpRanges: v4 === undefined ? undefined : [{ CidrIp: v4, Description }],
    Ipv6Ranges: v6 === undefined ? undefined : [{ CidrIpv6: v6, Description }],
    UserIdGroupPairs: group === undefined ? undefined : [{ GroupId: group, Description }],
  };
}

function ruleKind(direction: Direction, type: string): Kind<SecurityGroupRule> {
  return {
    type,
    inputs: {
      shape: {
        securityGroupId: "string",
        description: "string",
        ipProtocol: "string",
        fromPort: "number",
        toPort: "number",
        cidrIpv4: "string",
        cidrIpv6: "string",
        referencedSecurityGroupId: "string",
      },
      required: ["securityGroupId", "ipProtocol"],
    },
    replace: () => ["securityGroupId"],
    tags: (found) => tagMap(found.Tags),
    create: async (aws, inputs, call) => {
      const request = {
        GroupId: mustText(inputs, "securityGroupId"),
        IpPermissions: [permission(inputs)],
        TagSpecifications: aws.tagSpecification("security-group-rule", inputs),
      };
      const options = { abortSignal: call.signal };
      const { SecurityGroupRules } =
        direction === "ingress"
          ? await aws.ec2.send(new AuthorizeSecurityGroupIngressCommand(request), options)
          : await aws.ec2.send(new AuthorizeSecurityGroupEgressCommand(request), options);
      return mustId(SecurityGroupRules?.[0]?.SecurityGroupRuleId);
    },
    find: async (aws, ruleId, _, call) => {
      const command = new DescribeSecurityGroupRulesCommand({ SecurityGroupRuleIds: [ruleId] });
      const found = await unlessGone(() => aws.ec2.send(command, { abortSignal: call.signal }));
      return found?.SecurityGroupRules?.find((rule) => rule.SecurityGroupRuleId === ruleId);
    },
    outputs: async (aws, found, _, call) => ({
      arn: await aws.arn(
        `security-group-rule/${mustId(found.SecurityGroupRuleId)}`,
        call,
        found.GroupOwnerId,
      ),
      securityGroupRuleId: found.SecurityGroupRuleId,
    }),
    actual: (found) => {
      const ports =
        found.IpProtocol === "-1" ? {} : { fromPort: found.FromPort, toPort: found.ToPort };
      return {
        securityGroupId: found.GroupId,
        description: found.Description,
        ipProtocol: found.IpProtocol,
        ...ports,
        cidrIpv4: found.CidrIpv4,
        cidrIpv6: found.CidrIpv6,
        referencedSecurityGroupId: found.ReferencedGroupInfo?.GroupId,
      };
    },
    update: async (aws, { id, inputs, changed }, call) => {
      if ([...changed].every((name) => name === "tags")) return;
      await aws.ec2.send(
        new ModifySecurityGroupRulesCommand({
          GroupId: mustText(inputs, "securityGroupId"),
          SecurityGroupRules: [
            {
              SecurityGroupRuleId: id,
              SecurityGroupRule: {
                IpProtocol: mustText(inputs, "ipProtocol"),
                FromPort: number(inputs, "fromPort") ?? -1,
                ToPort: number(inputs, "toPort") ?? -1,
                CidrIpv4: text(inputs, "cidrIpv4"),
                CidrIpv6: text(inputs, "cidrIpv6"),
                ReferencedGroupId: text(inputs, "referencedSecurityGroupId"),
                Description: text(inputs, "description"),
              },
            },
          ],
        }),
        { abortSignal: call.signal },
      );
    },
    delete: async (aws, ruleId, state, call) => {
      const request = {
        GroupId: mustText(state, "securityGroupId"),
        SecurityGroupRuleIds: [ruleId],
      };
      const options = { abortSignal: call.signal };
      await unlessGone<unknown>(() =>
        direction === "ingress"
          ? aws.ec2.send(new RevokeSecurityGroupIngressCommand(request), options)
          : aws.ec2.send(new RevokeSecurityGroupEgressCommand(request), options),
      );
    },
  };
}

const ingress = ruleKind("ingress", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule");
const egress = ruleKind("egress", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule");

/** Everything here, by type token. */
export const securityGroupResources = {
  [securityGroup.type]: resource(securityGroup),
  [ingress.type]: resource(ingress),
  [egress.type]: resource(egress),
};
