import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { changes, type Estimate, estimate, sizes } from "../../commands/cost/estimate";
import { instancePrice, prices } from "../../commands/cost/prices";
import { caveats, comparison, report } from "../../commands/cost/report";
import {
  parseStackFile,
  pricedSettings,
  readStackFileAt,
  withValues,
} from "../../commands/cost/stackConfig";
import { findInstanceType, instanceFamilies } from "../../config/instanceTypes";
import { recordProgram, text } from "./program";

const root = path.resolve(__dirname, "../..");

const small = { "aws:region": "us-east-1" };

function month(...assignments: string[]): Estimate {
  return estimate(pricedSettings(withValues(small, assignments)));
}

function usd(of: Estimate, id: string): number | undefined {
  return of.items.find((item) => item.id === id)?.usd;
}

/** Runs `npm run cost` as npm does. */
async function cost(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const words = ["--import", "tsx", "commands/cost.ts", ...args];
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, words, { cwd: root });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

describe("cost", () => {
  it("GIVEN every instance type that a stack can choose THEN it has a price, and a larger one costs more", () => {
    const sizesOf = ["micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge"];
    for (const family of instanceFamilies) {
      const types = sizesOf.map((size) => `${family}.${size}`);
      const known = types.filter((type) => typeof findInstanceType(type) !== "string");
      assert.ok(known.length >= 3, family);
      const hourly = known.map((type) => instancePrice(type)?.usd ?? assert.fail(type));
      hourly.slice(1).forEach((price, index) => {
        // Each size is twice the one before; AWS rounds.
        assert.ok(Math.abs(price / (hourly[index] ?? 0) - 2) < 0.03, known[index + 1]);
      });
    }
    assert.equal(instancePrice("toString"), undefined);
  });

  it("GIVEN the default stack THEN a month is the sum of what its table says", () => {
    const one = month();
    assert.equal(usd(one, "server"), 30.37); // 730 × 0.0416
    assert.equal(usd(one, "agents"), 33.58); // 730 × 2 × 0.023
    assert.equal(usd(one, "roots"), 3.84); // 3 × 16 × 0.08
    assert.equal(usd(one, "data"), 1.6); // 20 × 0.08
    assert.equal(usd(one, "addresses"), 10.95); // 730 × 3 × 0.005
    assert.equal(usd(one, "files"), 1.5); // 5 × 0.30
    assert.equal(usd(one, "zone"), 0.5);
    assert.equal(one.totalUsd, 82.34);
    assert.deepEqual(one.unpriced, []);
  });

  it("GIVEN the program THEN what it makes and what is priced are the same things", async () => {
    const { resources } = await recordProgram({ agentCount: "2" });
    const made = (type: string) => resources.filter((resource) => resource.type === type);
    const instances = made("aws:ec2/instance:Instance");
    const one = month("agentCount=2");
    assert.equal(instances.length, 3);
    assert.match(one.items.find(({ id }) => id === "roots")?.quantity ?? "", /^3 × 16 GiB/);
    for (const { inputs } of instances) {
      const { volumeSize, volumeType } = inputs["rootBlockDevice"] as Record<string, unknown>;
      assert.deepEqual([volumeSize, volumeType], [sizes.rootDiskGiB, "gp3"]);
    }
    const types = instances.map((instance) => text(instance, "instanceType")).sort();
    assert.deepEqual(types, ["t2.small", "t2.small", "t3.medium"]);
    assert.deepEqual(
      made("aws:ebs/volume:Volume").map(({ inputs }) => [inputs["size"], inputs["type"]]),
      [[sizes.dataDiskGiB, "gp3"]],
    );
    assert.equal(made("aws:ec2/eip:Eip").length, 3);
    assert.equal(made("aws:efs/fileSystem:FileSystem").length, 1);
    assert.equal(made("aws:route53/zone:Zone").length, 1);
    // Nothing else of AWS that is made has a price of its own.
    const free =
      /:(Vpc|Subnet|InternetGateway|RouteTable|Route|RouteTableAssociation|SecurityGroup|SecurityGroup(In|E)gressRule|EipAssociation|VolumeAttachment|MountTarget|Record|LifecyclePolicy|Role|RolePolicy|RolePolicyAttachment)$/;
    const paid = resources
      .filter(({ type }) => type.startsWith("aws:") && !free.test(type))
      .map(({ type }) => type.split(":").pop());
    assert.deepEqual([...new Set(paid)].sort(), [
      "Eip",
      "FileSystem",
      "Instance",
      "Volume",
      "Zone",
    ]);
  });

  it("GIVEN a change THEN the difference names what it makes dearer, and nothing else", () => {
    const [before, after] = [month(), month("agentCount=3")];
    assert.deepEqual(
      changes(before, after).map(({ id }) => id),
      ["agents", "roots", "addresses"],
    );
    assert.match(
      comparison(before, after).at(-1) ?? "",
      /\$82\.34 → \$104\.06 a month: \+\$21\.72/,
    );
    assert.match(comparison(after, before).at(-1) ?? "", /: −\$21\.72/);
    assert.match(comparison(before, month("wordpressScale=4")).at(-1) ?? "", /no difference/);
    assert.deepEqual(changes(before, month("wordpressScale=4")), []);
  });

  it("GIVEN more than the account may have THEN it is priced all the same", () => {
    assert.equal(usd(month("agentCount=20"), "agents"), 335.8);
  });

  it("GIVEN a load balancer or snapshots THEN load balancer and snapshots are priced", () => {
    const settings = pricedSettings(small);
    const entry = estimate({ ...settings, siteEntry: "networkLoadBalancer" } as never);
    assert.equal(usd(entry, "entry"), 16.43); // 730 × 0.0225
    assert.equal(usd(entry, "entry-addresses"), 7.3);
    const kept = estimate({ ...settings, snapshotDays: 7 } as never);
    assert.equal(usd(kept, "snapshots"), 1.3); // 20 GiB × (1 + 6 × 5 %) × 0.05
    assert.deepEqual(kept.unpriced, ["backups of the shared files (7 days)"]);
    assert.match(kept.assumed.join(), /7 daily snapshots/);
    assert.equal(usd(estimate({ ...settings, snapshotDays: 0 } as never), "snapshots"), undefined);
  });

  it("GIVEN a thing without a price THEN it is said, not counted as nothing", () => {
    const one = estimate({ ...pricedSettings(small), agentInstanceType: "x9.large" });
    assert.deepEqual(one.unpriced, ["agent hosts (2 × x9.large)"]);
    const lines = report("dev", one).join("\n");
    assert.match(lines, /agent hosts +2 × x9\.large +unknown/);
    assert.match(lines, /total +more than \$48\.76/);
    assert.match(lines, /no price is known for agent hosts \(2 × x9\.large\)/);
  });

  it("GIVEN a region whose prices are not in the table THEN it says whose they are", () => {
    const lines = (region: string) => report("dev", month(`aws:region=${region}`))[0];
    assert.match(String(lines("eu-west-1")), /prices of us-east-1, because those of eu-west-1 are/);
    assert.doesNotMatch(String(lines("us-east-1")), /because/);
  });

  it("GIVEN a price from memory THEN it is said", () => {
    assert.match(caveats(month("agentInstanceType=m4.large")).join(), /from memory: agent hosts/);
    assert.doesNotMatch(caveats(month()).join(), /agent hosts/);
    for (const { source } of Object.values(prices)) assert.ok(source.text !== "" && source.date);
  });

  it("GIVEN a stack's file THEN secrets are left where they are and bad files are named", () => {
    const file = `config:\n  aws:region: us-east-1\n  agentCount: 3\n  rancher-cattle:smtpPassword:\n    secure: v1:abc\n  adminCidrs: ["203.0.113.7/32"]\n`;
    assert.deepEqual(parseStackFile(file, "Pulumi.dev.yaml"), {
      "aws:region": "us-east-1",
      "rancher-cattle:agentCount": "3",
      "rancher-cattle:adminCidrs": '["203.0.113.7/32"]',
    });
    assert.deepEqual(parseStackFile("", "x"), {});
    assert.throws(
      () => parseStackFile("config: [", "Pulumi.dev.yaml"),
      /Pulumi\.dev\.yaml is not YAML/,
    );
    assert.throws(() => parseStackFile("config: [a]", "x"), /x has no map of settings/);
  });

  it("GIVEN assignments THEN unknown ones and bad values are named", () => {
    assert.throws(
      () => withValues(small, ["agentConut=3"]),
      /agentConut .*did you mean agentCount/,
    );
    assert.throws(() => withValues(small, ["=3"]), /sets nothing; write key=value/);
    assert.throws(() => month("agentCount=two"), /agentCount: "two" is not a whole number/);
    assert.equal(withValues(small, ["siteTitle=a=b"])["rancher-cattle:siteTitle"], "a=b");
  });

  it("GIVEN a commit without the stack's file THEN that is an answer; GIVEN no commit THEN an error", async () => {
    assert.equal(await readStackFileAt("HEAD", "no-such-stack"), undefined);
    assert.equal((await readStackFileAt("HEAD", "dev"))?.["aws:region"], "eu-central-1");
    await assert.rejects(readStackFileAt("no-such-commit", "dev"), /neither a file nor a commit/);
    await assert.rejects(readStackFileAt("--help", "dev"), /neither a file nor a commit/);
  });

  describe("npm run cost", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "cost-"));
    after(() => rmSync(folder, { recursive: true }));

    it("WHEN it compares with a file THEN both totals are told, as text and as JSON", async () => {
      const file = path.join(folder, "before.yaml");
      writeFileSync(file, "config:\n  aws:region: us-east-1\n  agentCount: 1\n");
      const told = await cost("--stack", "dev", "--set", "agentCount=2", "--against", file);
      assert.equal(told.code, 0, told.err);
      assert.match(told.out, /\$60\.62 → \$82\.34 a month: \+\$21\.72/);
      const json = await cost(
        "--stack",
        "dev",
        "--set",
        "agentCount=2",
        "--against",
        file,
        "--files-gib",
        "20",
        "--json",
      );
      const { before, after } = JSON.parse(json.out) as { before: Estimate; after: Estimate };
      assert.equal(usd(before, "files"), 6);
      assert.equal(after.totalUsd - before.totalUsd > 21.7, true);
    });

    it("WHEN it is given nonsense THEN one line says so", async () => {
      const wrong: [string[], RegExp][] = [
        [["--stack", "nowhere"], /^cost: there is no Pulumi\.nowhere\.yaml/],
        [["--stack", "dev", "--files-gib", "lots"], /^cost: --files-gib: "lots" is not a number/],
        [["--stack", "dev", "more"], /^cost: unexpected: more; usage/],
      ];
      const ran = wrong.map(async ([args, message]) => {
        const { code, err } = await cost(...args);
        assert.equal(code, 1);
        assert.match(err, message);
        assert.equal(err.trim().split("\n").length, 1, err);
      });
      await Promise.all(ran);
    });
  });
});
