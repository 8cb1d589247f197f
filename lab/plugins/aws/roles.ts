/** IAM roles and the policies attached to them. */
import {
  AttachRolePolicyCommand,
  type AttachedPolicy,
  CreateRoleCommand,
  DeleteRoleCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  ListAttachedRolePoliciesCommand,
  type Role,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from "@aws-sdk/client-iam";
import type { RoleArgs, RolePolicyAttachmentArgs } from "@pulumi/aws/iam";
import { equal } from "../../../rancher/plugin/values";
import { mustText, type Shape, text } from "../standIn";
import { type Aws, type Operation, sdkTags, tagMap, unlessGone } from "./client";
import { type Kind, resource } from "./kind";

/** Inputs of these names exist in the real plugin too. */
type Shapes<Args> = Partial<Record<keyof Args, Shape>>;

/** A policy document as the API says it: escaped as in an address. */
function document(found: Role): string {
  return decodeURIComponent(found.AssumeRolePolicyDocument ?? "");
}

/** The wanted document if the found one says the same, however it is written. */
function sameDocument(found: string, wanted: string): boolean {
  try {
    return equal(JSON.parse(found), JSON.parse(wanted));
  } catch {
    return false;
  }
}

interface FoundRole {
  readonly role: Role;
  readonly assumeRolePolicy: string;
}

const role: Kind<FoundRole> = {
  type: "aws:iam/role:Role",
  inputs: {
    shape: {
      name: "string",
      description: "string",
      assumeRolePolicy: "string",
    } satisfies Shapes<RoleArgs>,
    required: ["assumeRolePolicy"],
    autoName: "name",
  },
  replace: () => ["name"],
  tags: ({ role: found }) => tagMap(found.Tags),
  retag: async (aws, RoleName, before, after, call) => {
    const [old, wanted] = [aws.tags(before), aws.tags(after)];
    const TagKeys = Object.keys(old).filter((key) => !(key in wanted));
    const options = { abortSignal: call.signal };
    if (TagKeys.length > 0) {
      await aws.iam.send(new UntagRoleCommand({ RoleName, TagKeys }), options);
    }
    await aws.iam.send(new TagRoleCommand({ RoleName, Tags: sdkTags(wanted) }), options);
  },
  create: async (aws, inputs, call) => {
    const RoleName = mustText(inputs, "name");
    await aws.iam.send(
      new CreateRoleCommand({
        RoleName,
        Description: text(inputs, "description"),
        AssumeRolePolicyDocument: mustText(inputs, "assumeRolePolicy"),
        Tags: sdkTags(aws.tags(inputs)),
      }),
      { abortSignal: call.signal },
    );
    return RoleName;
  },
  find: async (aws, RoleName, state, call) => {
    const command = new GetRoleCommand({ RoleName });
    const found = await unlessGone(() => aws.iam.send(command, { abortSignal: call.signal }));
    if (found?.Role === undefined) return undefined;
    const wanted = text(state, "assumeRolePolicy") ?? "";
    const actual = document(found.Role);
    return {
      role: found.Role,
      assumeRolePolicy: sameDocument(actual, wanted) ? wanted : actual,
    };
  },
  outputs: (_, { role: found }) => ({
    arn: found.Arn,
    createDate: found.CreateDate?.toISOString(),
    name: found.RoleName,
    uniqueId: found.RoleId,
  }),
  actual: ({ role: found, assumeRolePolicy }) => ({
    name: found.RoleName,
    description: found.Description,
    assumeRolePolicy,
  }),
  update: async (aws, { id: RoleName, inputs, changed }, call) => {
    const options = { abortSignal: call.signal };
    if (changed.has("assumeRolePolicy")) {
      const PolicyDocument = mustText(inputs, "assumeRolePolicy");
      const command = new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument });
      await aws.iam.send(command, options);
    }
    if (changed.has("description")) {
      const Description = text(inputs, "description") ?? "";
      await aws.iam.send(new UpdateRoleCommand({ RoleName, Description }), options);
    }
  },
  delete: async (aws, RoleName, _, call) => {
    const command = new DeleteRoleCommand({ RoleName });
    await unlessGone(() => aws.iam.send(command, { abortSignal: call.signal }));
  },
};

async function findAttachment(
  aws: Aws,
  state: Record<string, unknown>,
  call: Operation,
): Promise<AttachedPolicy | undefined> {
  const command = new ListAttachedRolePoliciesCommand({ RoleName: mustText(state, "role") });
  const found = await unlessGone(() => aws.iam.send(command, { abortSignal: call.signal }));
  return found?.AttachedPolicies?.find(({ PolicyArn }) => PolicyArn === text(state, "policyArn"));
}

const attachment: Kind<AttachedPolicy> = {
  type: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  inputs: {
    shape: { role: "string", policyArn: "string" } satisfies Shapes<RolePolicyAttachmentArgs>,
    required: ["role", "policyArn"],
  },
  replace: () => ["role", "policyArn"],
  create: async (aws, inputs, call) => {
    const [RoleName, PolicyArn] = [mustText(inputs, "role"), mustText(inputs, "policyArn")];
    const command = new AttachRolePolicyCommand({ RoleName, PolicyArn });
    await aws.iam.send(command, { abortSignal: call.signal });
    return `${RoleName}/${PolicyArn}`;
  },
  find: (aws, _, state, call) => findAttachment(aws, state, call),
  outputs: () => ({}),
  delete: async (aws, _, state, call) => {
    const [RoleName, PolicyArn] = [mustText(state, "role"), mustText(state, "policyArn")];
    const command = new DetachRolePolicyCommand({ RoleName, PolicyArn });
    await unlessGone(() => aws.iam.send(command, { abortSignal: call.signal }));
  },
};

/** Everything here, by type token. */
export const roleResources = {
  [role.type]: resource(role),
  [attachment.type]: resource(attachment),
};
