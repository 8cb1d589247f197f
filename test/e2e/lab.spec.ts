import {
  BackupClient,
  GetBackupPlanCommand,
  GetBackupSelectionCommand,
  ListBackupPlansCommand,
  ListBackupSelectionsCommand,
  ListBackupVaultsCommand,
  StartBackupJobCommand,
} from "@aws-sdk/client-backup";
import {
  AttachVolumeCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
  DetachVolumeCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { DescribeFileSystemsCommand, EFSClient } from "@aws-sdk/client-efs";
import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam";
import {
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { ListHostedZonesCommand, Route53Client } from "@aws-sdk/client-route-53";
import { strict as assert } from "node:assert";
import { readFileSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { everything, siteRows } from "./checksums";
import {
  docker,
  eventually,
  labEnv,
  onMachine,
  outputs,
  plannedSteps,
  pulumi,
  root,
  tryPulumi,
  up,
} from "./lab";
import {
  accepts,
  agentMachines,
  ec2,
  hits,
  killMachine,
  machines,
  page,
  rancherHosts,
  replicas,
  revokeIngress,
  serverMachine,
  siteSql,
  spreadReplicas,
} from "./site";

/** Each of `count` replicas must answer some of the requests sent through one balancer. */
async function everyReplicaAnswers(siteUrl: string, count: number): Promise<void> {
  const marker = `probe-${Date.now().toString(36)}`;
  for (let i = 0; i < count * 10; i++) {
    const { status } = await page(`${siteUrl}/wp-includes/version.php?${marker}`);
    assert.equal(status, 200);
  }
  const logged = await hits(marker);
  assert.equal(logged.length, count);
  assert.ok(
    logged.every((n) => n > 0),
    `requests per replica: ${logged.join(", ")}`,
  );
}

/** Every text of eight characters or more inside a secret of a state exported with its secrets. */
function secretTexts(state: unknown): Set<string> {
  const found = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === "string" && value.length >= 8) found.add(value);
    else if (value !== null && typeof value === "object") Object.values(value).forEach(collect);
  };
  const walk = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    const { plaintext } = value as { plaintext?: unknown };
    if (typeof plaintext === "string") collect(JSON.parse(plaintext));
    else Object.values(value).forEach(walk);
  };
  walk(state);
  return found;
}

/** The account's services, with the lab's keys. */
function clients() {
  const { cloudUrl: endpoint, region } = labEnv();
  const options = {
    endpoint,
    region,
    credentials: { accessKeyId: "lab", secretAccessKey: "lab" },
  };
  return {
    backup: new BackupClient(options),
    dns: new Route53Client(options),
    efs: new EFSClient(options),
    elb: new ElasticLoadBalancingV2Client(options),
    iam: new IAMClient(options),
  };
}

/** All rows and files are what they were, once what Rancher has under way is done. */
async function sameData(before: Awaited<ReturnType<typeof everything>>): Promise<void> {
  await eventually("all rows and files are the same", 120, async () => {
    assert.deepEqual(await everything(), before);
    return true;
  });
}

async function siteAnswersEverywhere(): Promise<void> {
  for (const url of (await outputs()).siteUrls) {
    await eventually(`${url} answers with WordPress`, 60, async () => {
      const { status, body } = await page(url);
      return status === 200 && /wordpress/i.test(body) ? true : undefined;
    });
  }
}

/** GIVEN a lab on which `up` has run once, in order; each test leaves the stack as it found it. */
describe("the whole program on the lab", function () {
  this.timeout("15m");
  this.bail(true);

  describe("GIVEN a first up", () => {
    it("THEN every site URL answers with WordPress", async () => {
      assert.equal((await outputs()).siteUrls.length, 2);
      await siteAnswersEverywhere();
    });

    it("THEN preview shows no change, and so does preview --refresh", async () => {
      await pulumi("preview", "--expect-no-changes");
      await pulumi("preview", "--refresh", "--expect-no-changes");
    });

    it("THEN only the ports of the firewall table accept a connection from the laptop", async () => {
      const [server, agents] = await Promise.all([serverMachine(), agentMachines()]);
      const open = async (address: string) => {
        const ports = [22, 80, 3306, 8080, 9345];
        const accepted = await Promise.all(ports.map((port) => accepts(address, port)));
        return ports.filter((_, i) => accepted[i]);
      };
      assert.deepEqual(await open(server.publicAddress ?? ""), [22]);
      for (const agent of agents) assert.deepEqual(await open(agent.publicAddress ?? ""), [80]);
    });

    it("THEN an anonymous call of the Rancher API is refused", async () => {
      const server = await serverMachine();
      const status = await onMachine(
        server.id,
        "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/v2-beta/projects",
      );
      assert.equal(status, "401");
    });

    it("THEN nothing that is secret anywhere in the state stands in it in clear text", async () => {
      const state = await pulumi("stack", "export");
      const secrets = secretTexts(JSON.parse(await pulumi("stack", "export", "--show-secrets")));
      const { rancherSecretKey, rancherAdminPassword } = await outputs();
      assert.ok(secrets.has(rancherSecretKey) && secrets.has(rancherAdminPassword));
      assert.ok([...secrets].some((text) => text.includes("PRIVATE KEY")));
      assert.ok([...secrets].some((text) => text.includes("/v1/scripts/")));
      for (const secret of secrets) {
        const written = JSON.stringify(secret).slice(1, -1);
        assert.ok(!state.includes(written), "a secret is in the state in clear text");
      }
    });

    it("THEN containers reach each other across hosts, until the agents' UDP 4500 rule goes", async () => {
      await spreadReplicas();
      const all = await replicas();
      const here = all[0];
      const there = all.find((r) => r.machine.id !== here?.machine.id);
      assert.ok(here !== undefined && there !== undefined, "replicas on two hosts");
      const address = await onMachine(
        there.machine.id,
        `docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${there.container}`,
      );
      assert.match(address, /^10\.42\./);
      const script = `$c = @fsockopen("${address}", 80, $n, $s, 3); echo $c ? "reached" : "refused";`;
      const probe = () =>
        onMachine(here.machine.id, `docker exec ${here.container} php -r '${script}'`);
      assert.equal(await probe(), "reached");

      await revokeIngress("udp", 4500);
      await eventually("the overlay is cut", 30, async () =>
        (await probe()) === "refused" ? true : undefined,
      );
      // The rule is missing behind Pulumi's back: a refresh sees it, and up puts it back.
      await pulumi("up", "--yes", "--skip-preview", "--refresh");
      await eventually("the overlay is back", 30, async () =>
        (await probe()) === "reached" ? true : undefined,
      );
      await pulumi("preview", "--refresh", "--expect-no-changes");
    });
  });

  describe("WHEN wordpressScale goes from 2 to 4", () => {
    it("THEN preview shows exactly one resource, scale: 2 => 4", async () => {
      await pulumi("config", "set", "wordpressScale", "4");
      const steps = await plannedSteps();
      assert.deepEqual(
        steps.map((s) => [s.op, s.type, s.changed]),
        [["update", "rancher:index:Service", ["scale"]]],
      );
      assert.match(await pulumi("preview", "--diff", "--non-interactive"), /scale\s*: 2 => 4/);
    });

    it("THEN up ends with four replicas over two hosts, each answering through each balancer", async () => {
      await up();
      const four = await replicas();
      assert.equal(four.length, 4);
      assert.equal(new Set(four.map((r) => r.machine.id)).size, 2);
      for (const url of (await outputs()).siteUrls) await everyReplicaAnswers(url, 4);
    });

    it("THEN back to 2 leaves two", async () => {
      await pulumi("config", "set", "wordpressScale", "2");
      await up();
      assert.equal((await replicas()).length, 2);
    });
  });

  describe("WHEN agentCount goes from 2 to 3 and back", () => {
    it("THEN preview shows one more host and nothing else", async () => {
      await pulumi("config", "set", "agentCount", "3");
      const steps = await plannedSteps();
      assert.ok(steps.length > 0);
      for (const step of steps) {
        if (step.type === "pulumi:pulumi:Stack") continue;
        assert.equal(step.op, "create", step.urn);
        assert.match(step.name, /-2(-|$)/, step.urn);
      }
    });

    it("THEN the new host boots, registers itself, becomes active and serves the site", async () => {
      const before = (await outputs()).agentHosts;
      await up();
      const after = (await outputs()).agentHosts;
      assert.deepEqual(after.slice(0, 2), before);
      assert.equal(after.length, 3);
      assert.deepEqual(
        (await rancherHosts()).map((h) => h.state),
        ["active", "active", "active"],
      );
      await siteAnswersEverywhere();
    });

    it("THEN back to 2 removes the tail, from Rancher first", async () => {
      const kept = (await outputs()).agentHosts.slice(0, 2);
      await pulumi("config", "set", "agentCount", "2");
      await up();
      assert.deepEqual((await outputs()).agentHosts, kept);
      assert.deepEqual(
        (await rancherHosts()).map((h) => h.id).sort(),
        kept.map((h) => h.rancherHostId).sort(),
      );
      assert.equal((await machines()).length, 3);
      await siteAnswersEverywhere();
    });
  });

  describe("WHEN the server instance is replaced", () => {
    const marker = `kept-${Date.now().toString(36)}`;

    const replaceServer = async (type: string) => {
      const before = await serverMachine();
      const hostsBefore = (await rancherHosts()).map((h) => h.id).sort();
      const data = await everything();
      assert.ok("kept" in data.site);
      await pulumi("config", "set", "serverInstanceType", type);
      await up();
      const after = await serverMachine();
      assert.notEqual(after.id, before.id);
      assert.equal(after.type, type);
      assert.equal(after.publicAddress, before.publicAddress);
      assert.ok(!(await machines()).some((m) => m.id === before.id));
      await eventually("the same agents are active again", 120, async () => {
        const hosts = await rancherHosts();
        return hosts.every((h) => h.state === "active") ? true : undefined;
      });
      assert.deepEqual((await rancherHosts()).map((h) => h.id).sort(), hostsBefore);
      assert.match(await siteSql("SELECT note FROM kept"), new RegExp(marker));
      await siteAnswersEverywhere();
      await sameData(data);
    };

    it("THEN all rows of both databases, all files, its agents and the site are the same", async () => {
      await siteSql("CREATE TABLE IF NOT EXISTS kept (note VARCHAR(40))");
      await siteSql(`INSERT INTO kept VALUES ('${marker}')`);
      await replaceServer("t3.large");
    });

    it("THEN they are the same with the old host killed beforehand", async () => {
      const old = await serverMachine();
      const before = (await machines()).length;
      const data = await everything();
      await killMachine(old.id);
      await pulumi("config", "set", "serverInstanceType", "t3.medium");
      await pulumi("up", "--yes", "--skip-preview");
      await pulumi("preview", "--refresh", "--expect-no-changes");
      const server = await serverMachine();
      assert.notEqual(server.id, old.id);
      assert.equal((await machines()).length, before);
      assert.match(await siteSql("SELECT note FROM kept"), new RegExp(marker));
      await eventually("the agents are active again", 120, async () => {
        const hosts = await rancherHosts();
        return hosts.length === 2 && hosts.every((h) => h.state === "active") ? true : undefined;
      });
      await siteAnswersEverywhere();
      await sameData(data);
    });
  });

  describe("WHEN the server is terminated behind our back", () => {
    it("THEN up says that it cannot be stopped, and after a look at its disk makes it anew with all data", async () => {
      const old = await serverMachine();
      const data = await everything();
      await ec2().send(new TerminateInstancesCommand({ InstanceIds: [old.id] }));
      await eventually("it is gone", 120, async () =>
        (await machines()).some(({ id }) => id === old.id) ? undefined : true,
      );
      const up = ["up", "--yes", "--skip-preview"];
      const refused = await tryPulumi(...up, "--replace", "**::server-instance");
      assert.notEqual(refused.code, 0);
      assert.match(
        `${refused.stdout}${refused.stderr}`,
        /not in a state from which it can be stopped/,
      );
      await pulumi("refresh", "--yes", "--target", "**::server-data-attachment");
      await pulumi(...up);
      await pulumi("preview", "--refresh", "--expect-no-changes");
      assert.notEqual((await serverMachine()).id, old.id);
      await eventually("the agents are active again", 120, async () =>
        (await rancherHosts()).every((h) => h.state === "active") ? true : undefined,
      );
      await siteAnswersEverywhere();
      await sameData(data);
    });
  });

  describe("WHEN the server boots without its volume", () => {
    it("THEN no database starts until the volume is there, and then all is as it was", async () => {
      const server = await serverMachine();
      const data = await everything();
      const here = { InstanceIds: [server.id] };
      const becomes = (state: string) =>
        eventually(`the server is ${state}`, 120, async () => {
          const { Reservations = [] } = await ec2().send(new DescribeInstancesCommand(here));
          return Reservations[0]?.Instances?.[0]?.State?.Name === state ? true : undefined;
        });
      const { Volumes = [] } = await ec2().send(
        new DescribeVolumesCommand({
          Filters: [{ Name: "attachment.instance-id", Values: [server.id] }],
        }),
      );
      const disk = Volumes.flatMap((v) => v.Attachments ?? []).find((a) => a.Device === "/dev/sdf");
      assert.ok(disk !== undefined, "the server has its volume");
      const place = { VolumeId: disk.VolumeId, InstanceId: server.id, Device: disk.Device };
      const waits = "grep -c 'waiting for .* to appear' /var/log/rancher-cattle-mount-data.log";
      const before = Number(await onMachine(server.id, `${waits} || true`));

      await ec2().send(new StopInstancesCommand(here));
      await becomes("stopped");
      await ec2().send(new DetachVolumeCommand(place));
      await ec2().send(new StartInstancesCommand(here));
      await becomes("running");
      await eventually("Docker is up and the machine waits for its volume", 120, async () => {
        await onMachine(server.id, "docker info");
        return Number(await onMachine(server.id, waits)) > before ? true : undefined;
      });
      for (const name of ["rancher-db", "site-db"]) {
        await assert.rejects(onMachine(server.id, `docker start ${name}`), /bind source path/);
        const state = await onMachine(server.id, `docker inspect -f '{{.State.Status}}' ${name}`);
        assert.equal(state, "exited", name);
      }
      assert.equal(await onMachine(server.id, "ls -A /mnt/data"), "", "nothing is in its place");

      await ec2().send(new AttachVolumeCommand(place));
      await eventually("the databases start by themselves", 180, async () => {
        const up = await onMachine(
          server.id,
          "docker ps --filter health=healthy --format '{{.Names}}'",
        );
        return ["rancher-db", "site-db"].every((name) => up.split("\n").includes(name))
          ? true
          : undefined;
      });
      assert.deepEqual(await siteRows(), data.site);
      await eventually("the agents are active again", 120, async () =>
        (await rancherHosts()).every((h) => h.state === "active") ? true : undefined,
      );
      await siteAnswersEverywhere();
      await sameData(data);
      await pulumi("preview", "--refresh", "--expect-no-changes");
    });
  });

  describe("WHEN the Rancher server's container is killed and made anew", () => {
    it("THEN everything is still there", async () => {
      const server = await serverMachine();
      const before = await rancherHosts();
      const name = await onMachine(
        server.id,
        "docker ps --format '{{.Names}} {{.Ports}}' | awk '/8080->/ {print $1}'",
      );
      await onMachine(server.id, `docker rm -f ${name}`);
      await siteAnswersEverywhere();
      // Rancher's own objects cannot be read while it is down, and refresh says so; what it did see
      // is recorded, so that the next up makes the container anew.
      assert.notEqual((await tryPulumi("refresh", "--yes", "--skip-preview")).code, 0);
      await pulumi("up", "--yes", "--skip-preview");
      await eventually("the hosts are active again", 120, async () => {
        const hosts = await rancherHosts();
        return hosts.length === before.length && hosts.every((h) => h.state === "active")
          ? true
          : undefined;
      });
      await pulumi("preview", "--refresh", "--expect-no-changes");
    });
  });

  describe("WHEN snapshotDays is 14 and protectData is true", () => {
    it("THEN a plan keeps the disk and the files, every day for 14 days", async () => {
      await pulumi("config", "set", "snapshotDays", "14");
      await pulumi("config", "set", "protectData", "true");
      await up();
      const { backup, efs } = clients();
      const [plan, ...otherPlans] =
        (await backup.send(new ListBackupPlansCommand({}))).BackupPlansList ?? [];
      assert.deepEqual(otherPlans, []);
      const BackupPlanId = plan?.BackupPlanId;
      const { BackupPlan } = await backup.send(new GetBackupPlanCommand({ BackupPlanId }));
      assert.equal(BackupPlan?.Rules?.length, 1);
      assert.equal(BackupPlan.Rules[0]?.Lifecycle?.DeleteAfterDays, 14);
      const { BackupSelectionsList: selections = [] } = await backup.send(
        new ListBackupSelectionsCommand({ BackupPlanId }),
      );
      assert.equal(selections.length, 1);
      const SelectionId = selections[0]?.SelectionId;
      const { BackupSelection } = await backup.send(
        new GetBackupSelectionCommand({ BackupPlanId, SelectionId }),
      );
      const { FileSystems = [] } = await efs.send(new DescribeFileSystemsCommand({}));
      const { Volumes = [] } = await ec2().send(new DescribeVolumesCommand({}));
      const disks = Volumes.filter((v) => v.Attachments?.some((a) => a.Device === "/dev/sdf"));
      assert.equal(BackupSelection?.Resources?.length, 2);
      assert.match(
        BackupSelection.Resources[0] ?? "",
        new RegExp(`/${disks[0]?.VolumeId ?? "?"}$`),
      );
      assert.equal(BackupSelection.Resources[1], FileSystems[0]?.FileSystemArn);
      // As its first night would: from now on the vault holds something.
      const [vault] = (await backup.send(new ListBackupVaultsCommand({}))).BackupVaultList ?? [];
      await backup.send(
        new StartBackupJobCommand({
          BackupVaultName: vault?.BackupVaultName,
          ResourceArn: BackupSelection.Resources[0],
          IamRoleArn: BackupSelection.IamRoleArn,
        }),
      );
    });

    it("THEN destroy stops before it does anything, and says what to do", async () => {
      const before = (await machines()).map((m) => m.id);
      // It is the preview that stops: without one, all that the protected does not need would go.
      const ran = await tryPulumi("destroy", "--yes", "--non-interactive");
      assert.notEqual(ran.code, 0);
      for (const name of ["data-volume", "content-files", "snapshots-vault"]) {
        const says = new RegExp(`${name}[^]*cannot be deleted[^]*protect`);
        assert.match(ran.stdout + ran.stderr, says);
      }
      assert.deepEqual(
        (await machines()).map((m) => m.id),
        before,
      );
      await siteAnswersEverywhere();
      await pulumi("config", "set", "protectData", "false");
      await up();
    });
  });

  describe("WHEN the config has mistakes", () => {
    it("THEN preview names every key at once and nothing is planned", async () => {
      await pulumi("config", "set", "agentCount", "--", "-1");
      await pulumi("config", "set", "wordpressScale", "3 nodes");
      try {
        const ran = await tryPulumi("preview", "--non-interactive");
        assert.notEqual(ran.code, 0);
        const text = ran.stdout + ran.stderr;
        assert.match(text, /agentCount/);
        assert.match(text, /wordpressScale/);
      } finally {
        await pulumi("config", "set", "agentCount", "2");
        await pulumi("config", "set", "wordpressScale", "2");
      }
      await pulumi("preview", "--expect-no-changes");
    });
  });

  describe("WHEN the stack is destroyed", () => {
    it("THEN the account holds nothing of ours", async () => {
      const said = await pulumi("destroy", "--yes", "--skip-preview", "--non-interactive");
      const [closed, ended] = ["site-access-0.0.0.0_0 deleted", "wordpress-balancer deleting"].map(
        (line) => said.indexOf(line),
      );
      assert.ok(
        (closed ?? -1) >= 0 && (closed ?? 0) < (ended ?? 0),
        "the site's port closes first",
      );
      assert.deepEqual(await machines(), []);
      const [addresses, volumes, groups, keys, vpcs] = await Promise.all([
        ec2().send(new DescribeAddressesCommand({})),
        ec2().send(new DescribeVolumesCommand({})),
        ec2().send(new DescribeSecurityGroupsCommand({})),
        ec2().send(new DescribeKeyPairsCommand({})),
        ec2().send(new DescribeVpcsCommand({})),
      ]);
      assert.deepEqual(addresses.Addresses ?? [], []);
      assert.deepEqual(volumes.Volumes ?? [], []);
      assert.deepEqual(
        (groups.SecurityGroups ?? []).filter((g) => g.GroupName !== "default"),
        [],
      );
      assert.deepEqual(keys.KeyPairs ?? [], []);
      assert.deepEqual(
        (vpcs.Vpcs ?? []).filter((v) => v.IsDefault !== true),
        [],
      );
      const { dns, efs, backup, iam, elb } = clients();
      assert.deepEqual((await dns.send(new ListHostedZonesCommand({}))).HostedZones ?? [], []);
      const { FileSystems } = await efs.send(new DescribeFileSystemsCommand({}));
      assert.deepEqual(FileSystems, []);
      // The vault went with the snapshot in it.
      const { BackupVaultList } = await backup.send(new ListBackupVaultsCommand({}));
      assert.deepEqual(BackupVaultList, []);
      const { BackupPlansList } = await backup.send(new ListBackupPlansCommand({}));
      assert.deepEqual(BackupPlansList, []);
      const { Roles = [] } = await iam.send(new ListRolesCommand({}));
      assert.deepEqual(
        Roles.filter((role) => role.Path?.startsWith("/aws-service-role/") !== true),
        [],
      );
      const { LoadBalancers } = await elb.send(new DescribeLoadBalancersCommand({}));
      const { TargetGroups } = await elb.send(new DescribeTargetGroupsCommand({}));
      assert.deepEqual([LoadBalancers ?? [], TargetGroups ?? []], [[], []]);
      await pulumi("config", "rm", "snapshotDays");
      const { label } = labEnv();
      const left = await docker("ps", "-a", "--filter", `label=${label}`, "--format", "{{.Names}}");
      assert.ok(!/-i-/.test(left), `containers left: ${left}`);
    });
  });
});

/** The lab is test equipment: nothing in the product knows of it. */
describe("the product", () => {
  it("does not mention the lab", () => {
    const files = ["components", "config", "rancher"].flatMap((dir) =>
      readdirSync(path.join(root, dir), { recursive: true, withFileTypes: true })
        .filter((f) => f.isFile() && f.name.endsWith(".ts"))
        .map((f) => path.join(f.parentPath, f.name)),
    );
    assert.ok(files.length > 10);
    const entries = ["start.ts", "index.ts"].map((name) => path.join(root, name));
    for (const file of [...files, ...entries]) {
      assert.doesNotMatch(readFileSync(file, "utf8"), /\blab\b/i, file);
    }
  });
});
