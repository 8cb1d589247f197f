import { strict as assert } from "node:assert";
import type { Report } from "../../commands/checks/report";
import { eventually, onMachine, outputs, pulumi, tryInLab } from "./lab";
import { serverMachine } from "./site";

/** Runs an npm script in the lab's environment and reads its `--json`, whatever it ends with. */
async function report(script: string): Promise<{ code: number; report: Report }> {
  const ran = await tryInLab("npm", "run", "--silent", script, "--", "--json");
  try {
    return { code: ran.code, report: JSON.parse(ran.stdout) as Report };
  } catch {
    throw new Error(`${script} printed no JSON: ${ran.stdout}\n${ran.stderr}`);
  }
}

/** Ids of the checks that ended so. */
function ids({ checks }: Report, status: string): string[] {
  return checks.filter((check) => check.status === status).map(({ id }) => id);
}

describe("operating a stack", () => {
  it("GIVEN the lab's account, THEN preflight passes", async () => {
    const { code, report: found } = await report("preflight");
    assert.deepEqual([ids(found, "fail"), code], [[], 0]);
    // Whom the server sees behind a router only a stranger could tell.
    assert.deepEqual(ids(found, "unknown"), ["config.admin-address"]);
    assert.equal(found.tally.pass, found.checks.length - 1);
  });

  it("GIVEN an image that is not there, THEN preflight and preview say so, and nothing is planned", async () => {
    await pulumi("config", "set", "amiId", "ami-00000000000000000");
    try {
      const { code, report: found } = await report("preflight");
      assert.deepEqual([ids(found, "fail"), code], [["aws.ami.launchable"], 4]);
      await assert.rejects(pulumi("preview"), /cannot hold this stack[^]*ami-00000000000000000/);
    } finally {
      await pulumi("config", "rm", "amiId");
    }
  });

  it("GIVEN settings that are wrong, THEN preflight names them and asks AWS nothing about them", async () => {
    await pulumi("config", "set", "serverInstanceType", "a1.large");
    try {
      const { code, report: found } = await report("preflight");
      assert.deepEqual([ids(found, "fail"), code], [["config.valid"], 4]);
      assert.match(JSON.stringify(found), /arm64/);
    } finally {
      await pulumi("config", "rm", "serverInstanceType");
    }
  });

  it("GIVEN a stack that is well, THEN check finds nothing wrong", async () => {
    const { code, report: found } = await report("check");
    assert.deepEqual([ids(found, "fail"), code], [[], 0]);
    const secrets = await outputs();
    assert.ok(!JSON.stringify(found).includes(secrets.rancherSecretKey));
  });

  it("GIVEN the site's database stopped, THEN check says what is wrong, and passes once it runs", async () => {
    const { id } = await serverMachine();
    await onMachine(id, "docker stop site-db");
    try {
      const { code, report: found } = await report("check");
      assert.equal(code, 1);
      assert.ok(ids(found, "fail").includes("stack.drift"), JSON.stringify(found.checks));
    } finally {
      await onMachine(id, "docker start site-db");
    }
    await eventually("check passes again", 120, async () =>
      (await report("check")).code === 0 ? true : undefined,
    );
  });
});
