/** AWS Backup as the cloud has it, asked by the AWS SDK: no engine is needed. */
import {
  BackupClient,
  CreateBackupPlanCommand,
  CreateBackupSelectionCommand,
  CreateBackupVaultCommand,
  DeleteBackupPlanCommand,
  DeleteBackupSelectionCommand,
  DeleteBackupVaultCommand,
  DeleteRecoveryPointCommand,
  GetBackupPlanCommand,
  GetBackupSelectionCommand,
  ListRecoveryPointsByBackupVaultCommand,
  StartBackupJobCommand,
  UpdateBackupPlanCommand,
} from "@aws-sdk/client-backup";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { strict as assert } from "node:assert";
import { type ChildProcess, spawn } from "node:child_process";
import * as path from "node:path";
import { ensurePython } from "../cloud";

process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

const volume = "arn:aws:ec2:eu-central-1:123456789012:volume/vol-1";

/** Lets AWS Backup take the role on. */
const trust = {
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: { Service: "backup.amazonaws.com" },
      Action: "sts:AssumeRole",
    },
  ],
};

describe("the cloud's AWS Backup", function () {
  this.timeout("2m");
  let server: ChildProcess;
  let backup: BackupClient;
  let IamRoleArn: string | undefined;

  before(async () => {
    const python = path.join(await ensurePython(), "bin", "python");
    const env = {
      ...process.env,
      AWS_DEFAULT_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: "lab",
      AWS_SECRET_ACCESS_KEY: "lab",
    };
    const stdio = ["ignore", "pipe", "ignore"] as const;
    const child = spawn(python, [path.join(__dirname, "backups.py")], { env, stdio: [...stdio] });
    server = child;
    const port = await new Promise<string>((resolve, reject) => {
      child.stdout?.once("data", (text: Buffer) => {
        resolve(text.toString().trim());
      });
      child.once("exit", (code) => {
        reject(new Error(`the server ended with ${code}`));
      });
    });
    const options = {
      endpoint: `http://127.0.0.1:${port}`,
      region: "eu-central-1",
      credentials: { accessKeyId: "lab", secretAccessKey: "lab" },
      maxAttempts: 1,
    };
    backup = new BackupClient(options);
    const iam = new IAMClient(options);
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: "takes-backups",
        AssumeRolePolicyDocument: JSON.stringify(trust),
      }),
    );
    IamRoleArn = Role?.Arn;
  });
  after(() => server.kill());

  it("GIVEN a vault with a recovery point WHEN it is deleted THEN that is refused until the point is gone", async () => {
    const BackupVaultName = "vault";
    await backup.send(new CreateBackupVaultCommand({ BackupVaultName }));
    const { RecoveryPointArn } = await backup.send(
      new StartBackupJobCommand({ BackupVaultName, IamRoleArn, ResourceArn: volume }),
    );
    const list = new ListRecoveryPointsByBackupVaultCommand({ BackupVaultName });
    const { RecoveryPoints = [] } = await backup.send(list);
    assert.deepEqual(
      RecoveryPoints.map((point) => [point.RecoveryPointArn, point.ResourceArn]),
      [[RecoveryPointArn, volume]],
    );
    const remove = () => backup.send(new DeleteBackupVaultCommand({ BackupVaultName }));
    await assert.rejects(remove(), { name: "InvalidRequestException" });
    await backup.send(new DeleteRecoveryPointCommand({ BackupVaultName, RecoveryPointArn }));
    await remove();
    await assert.rejects(backup.send(list), { name: "ResourceNotFoundException" });
  });

  it("GIVEN a plan with a selection THEN its rules can be changed, and it goes when the selection has gone", async () => {
    const rules = (DeleteAfterDays: number) => ({
      BackupPlanName: "plan",
      Rules: [
        { RuleName: "daily", TargetBackupVaultName: "vault", Lifecycle: { DeleteAfterDays } },
      ],
    });
    const { BackupPlanId } = await backup.send(
      new CreateBackupPlanCommand({ BackupPlan: rules(14) }),
    );
    const { SelectionId } = await backup.send(
      new CreateBackupSelectionCommand({
        BackupPlanId,
        BackupSelection: { SelectionName: "disk", IamRoleArn, Resources: [volume] },
      }),
    );
    const selection = new GetBackupSelectionCommand({ BackupPlanId, SelectionId });
    const { BackupSelection } = await backup.send(selection);
    assert.deepEqual(BackupSelection?.Resources, [volume]);
    await backup.send(new UpdateBackupPlanCommand({ BackupPlanId, BackupPlan: rules(30) }));
    const { BackupPlan } = await backup.send(new GetBackupPlanCommand({ BackupPlanId }));
    assert.equal(BackupPlan?.Rules?.[0]?.Lifecycle?.DeleteAfterDays, 30);
    const remove = () => backup.send(new DeleteBackupPlanCommand({ BackupPlanId }));
    await assert.rejects(remove(), { name: "InvalidRequestException" });
    await backup.send(new DeleteBackupSelectionCommand({ BackupPlanId, SelectionId }));
    await remove();
  });
});
