/** AWS Backup: vaults, plans and what a plan selects. */
import {
  type BackupPlan,
  type BackupPlanInput,
  type BackupRuleInput,
  type BackupSelection,
  CreateBackupPlanCommand,
  CreateBackupSelectionCommand,
  CreateBackupVaultCommand,
  DeleteBackupPlanCommand,
  DeleteBackupSelectionCommand,
  DeleteBackupVaultCommand,
  DeleteRecoveryPointCommand,
  DescribeBackupVaultCommand,
  type DescribeBackupVaultCommandOutput,
  GetBackupPlanCommand,
  GetBackupSelectionCommand,
  ListRecoveryPointsByBackupVaultCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateBackupPlanCommand,
} from "@aws-sdk/client-backup";
import type { PlanArgs, SelectionArgs, VaultArgs } from "@pulumi/aws/backup";
import type { Props } from "../../../rancher/plugin/types";
import { equal } from "../../../rancher/plugin/values";
import { flag, map, mustText, number, object, objects, type Shape, text, texts } from "../standIn";
import { type Aws, type Operation, unlessGone } from "./client";
import { type Kind, resource } from "./kind";
import { mustId } from "./network";

/** Inputs of these names exist in the real plugin too. */
type Shapes<Args> = Partial<Record<keyof Args, Shape>>;

interface Tagged {
  readonly arn: string;
  readonly tags: Record<string, string>;
}

async function tagsOf(aws: Aws, arn: string | undefined, call: Operation): Promise<Tagged> {
  const ResourceArn = mustId(arn);
  const command = new ListTagsCommand({ ResourceArn });
  const { Tags } = await aws.backup.send(command, { abortSignal: call.signal });
  return { arn: ResourceArn, tags: Tags ?? {} };
}

async function retag(
  aws: Aws,
  ResourceArn: string,
  before: Props,
  after: Props,
  call: Operation,
): Promise<void> {
  const [old, Tags] = [aws.tags(before), aws.tags(after)];
  const TagKeyList = Object.keys(old).filter((key) => !(key in Tags));
  const options = { abortSignal: call.signal };
  if (TagKeyList.length > 0) {
    await aws.backup.send(new UntagResourceCommand({ ResourceArn, TagKeyList }), options);
  }
  await aws.backup.send(new TagResourceCommand({ ResourceArn, Tags }), options);
}

// --- vault ---

interface FoundVault extends Tagged {
  readonly vault: DescribeBackupVaultCommandOutput;
}

async function findVault(
  aws: Aws,
  BackupVaultName: string,
  call: Operation,
): Promise<FoundVault | undefined> {
  const command = new DescribeBackupVaultCommand({ BackupVaultName });
  const vault = await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
  if (vault === undefined) return undefined;
  return { vault, ...(await tagsOf(aws, vault.BackupVaultArn, call)) };
}

/** Deletes the snapshots in a vault, so that it can be deleted. */
async function empty(aws: Aws, BackupVaultName: string, call: Operation): Promise<void> {
  const options = { abortSignal: call.signal };
  const list = new ListRecoveryPointsByBackupVaultCommand({ BackupVaultName });
  const found = await unlessGone(() => aws.backup.send(list, options));
  await Promise.all(
    (found?.RecoveryPoints ?? []).map(({ RecoveryPointArn }) =>
      aws.backup.send(
        new DeleteRecoveryPointCommand({ BackupVaultName, RecoveryPointArn }),
        options,
      ),
    ),
  );
}

const vault: Kind<FoundVault> = {
  type: "aws:backup/vault:Vault",
  inputs: {
    shape: { name: "string", forceDestroy: "boolean" } satisfies Shapes<VaultArgs>,
    autoName: "name",
  },
  replace: () => ["name"],
  tags: (found) => found.tags,
  retag: async (aws, name, before, after, call) => {
    const found = await findVault(aws, name, call);
    await retag(aws, mustId(found?.arn), before, after, call);
  },
  create: async (aws, inputs, call) => {
    const BackupVaultName = mustText(inputs, "name");
    const command = new CreateBackupVaultCommand({
      BackupVaultName,
      BackupVaultTags: aws.tags(inputs),
    });
    await aws.backup.send(command, { abortSignal: call.signal });
    return BackupVaultName;
  },
  find: (aws, name, _, call) => findVault(aws, name, call),
  outputs: (_, found) => ({
    arn: found.arn,
    kmsKeyArn: found.vault.EncryptionKeyArn ?? "",
    recoveryPoints: found.vault.NumberOfRecoveryPoints ?? 0,
  }),
  actual: (found) => ({ name: found.vault.BackupVaultName }),
  // Only the plugin itself ever looks at forceDestroy.
  update: () => Promise.resolve(),
  delete: async (aws, BackupVaultName, state, call) => {
    if (flag(state, "forceDestroy") === true) await empty(aws, BackupVaultName, call);
    const command = new DeleteBackupVaultCommand({ BackupVaultName });
    await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
  },
};

// --- plan ---

interface FoundPlan extends Tagged {
  readonly plan: BackupPlan;
  /** As in the state when they say the same, whatever the order of their parts. */
  readonly rules: readonly Props[];
  readonly version: string | undefined;
}

async function findPlan(
  aws: Aws,
  BackupPlanId: string,
  call: Operation,
  state: Props = {},
): Promise<FoundPlan | undefined> {
  const command = new GetBackupPlanCommand({ BackupPlanId });
  const found = await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
  // A deleted plan can still be asked for.
  if (found?.BackupPlan === undefined || found.DeletionDate !== undefined) return undefined;
  const tagged = await tagsOf(aws, found.BackupPlanArn, call);
  const [rules, known] = [rulesOf(found.BackupPlan), objects(state, "rules")];
  const same = equal(rules, known) ? known : rules;
  return { plan: found.BackupPlan, rules: same, version: found.VersionId, ...tagged };
}

function ruleInput(rule: Props): BackupRuleInput {
  const lifecycle = object(rule, "lifecycle");
  return {
    RuleName: mustText(rule, "ruleName"),
    TargetBackupVaultName: mustText(rule, "targetVaultName"),
    ScheduleExpression: text(rule, "schedule"),
    StartWindowMinutes: number(rule, "startWindow"),
    CompletionWindowMinutes: number(rule, "completionWindow"),
    Lifecycle:
      lifecycle === undefined ? undefined : { DeleteAfterDays: number(lifecycle, "deleteAfter") },
    RecoveryPointTags: map(rule, "recoveryPointTags"),
  };
}

function planInput(inputs: Props): BackupPlanInput {
  return {
    BackupPlanName: mustText(inputs, "name"),
    Rules: objects(inputs, "rules").map(ruleInput),
  };
}

/** The rules as inputs, all of those that {@link ruleInput} reads. */
function rulesOf(found: BackupPlan): Props[] {
  return (found.Rules ?? []).map((rule) => ({
    ruleName: rule.RuleName,
    targetVaultName: rule.TargetBackupVaultName,
    schedule: rule.ScheduleExpression,
    startWindow: rule.StartWindowMinutes,
    completionWindow: rule.CompletionWindowMinutes,
    lifecycle: { deleteAfter: rule.Lifecycle?.DeleteAfterDays },
    recoveryPointTags: rule.RecoveryPointTags ?? {},
  }));
}

const plan: Kind<FoundPlan> = {
  type: "aws:backup/plan:Plan",
  inputs: {
    shape: {
      name: "string",
      rules: [
        {
          ruleName: "string",
          targetVaultName: "string",
          schedule: "string",
          startWindow: "number",
          completionWindow: "number",
          lifecycle: { deleteAfter: "number" },
          recoveryPointTags: "map",
        },
      ],
    } satisfies Shapes<PlanArgs>,
    required: ["rules"],
    autoName: "name",
  },
  replace: () => [],
  tags: (found) => found.tags,
  retag: async (aws, id, before, after, call) => {
    const found = await findPlan(aws, id, call);
    await retag(aws, mustId(found?.arn), before, after, call);
  },
  create: async (aws, inputs, call) => {
    const command = new CreateBackupPlanCommand({
      BackupPlan: planInput(inputs),
      BackupPlanTags: aws.tags(inputs),
    });
    return mustId((await aws.backup.send(command, { abortSignal: call.signal })).BackupPlanId);
  },
  find: (aws, id, state, call) => findPlan(aws, id, call, state),
  outputs: (_, found) => ({ arn: found.arn, version: found.version }),
  actual: (found) => ({ name: found.plan.BackupPlanName, rules: found.rules }),
  update: async (aws, { id: BackupPlanId, inputs, changed }, call) => {
    if (!changed.has("rules") && !changed.has("name")) return;
    const command = new UpdateBackupPlanCommand({ BackupPlanId, BackupPlan: planInput(inputs) });
    await aws.backup.send(command, { abortSignal: call.signal });
  },
  delete: async (aws, BackupPlanId, _, call) => {
    const command = new DeleteBackupPlanCommand({ BackupPlanId });
    await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
  },
};

// --- selection ---

const selection: Kind<BackupSelection> = {
  type: "aws:backup/selection:Selection",
  inputs: {
    shape: {
      name: "string",
      planId: "string",
      iamRoleArn: "string",
      resources: ["string"],
    } satisfies Shapes<SelectionArgs>,
    required: ["planId", "iamRoleArn"],
    autoName: "name",
  },
  replace: () => ["name", "planId", "iamRoleArn", "resources"],
  create: async (aws, inputs, call) => {
    const command = new CreateBackupSelectionCommand({
      BackupPlanId: mustText(inputs, "planId"),
      BackupSelection: {
        SelectionName: mustText(inputs, "name"),
        IamRoleArn: mustText(inputs, "iamRoleArn"),
        Resources: texts(inputs, "resources"),
      },
    });
    return mustId((await aws.backup.send(command, { abortSignal: call.signal })).SelectionId);
  },
  find: async (aws, SelectionId, state, call) => {
    const BackupPlanId = mustText(state, "planId");
    const command = new GetBackupSelectionCommand({ BackupPlanId, SelectionId });
    const found = await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
    return found?.BackupSelection;
  },
  outputs: () => ({}),
  actual: (found) => ({
    name: found.SelectionName,
    iamRoleArn: found.IamRoleArn,
    resources: found.Resources ?? [],
  }),
  delete: async (aws, SelectionId, state, call) => {
    const BackupPlanId = mustText(state, "planId");
    const command = new DeleteBackupSelectionCommand({ BackupPlanId, SelectionId });
    await unlessGone(() => aws.backup.send(command, { abortSignal: call.signal }));
  },
};

/** Everything here, by type token. */
export const backupResources = {
  [vault.type]: resource(vault),
  [plan.type]: resource(plan),
  [selection.type]: resource(selection),
};
