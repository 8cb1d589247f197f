import { strict as assert } from "node:assert";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import * as yaml from "yaml";
import { labFolder, pulumi, root, tryPulumi } from "./lab";

const common = ["--non-interactive", "--color", "never", "--policy-pack", "policy"];

/** The stack's own configuration, with something changed, in a file of this test's. */
async function configFile(name: string, changed: Readonly<Record<string, unknown>>) {
  const stack = (await pulumi("stack", "--show-name")).trim();
  const file = yaml.parse(readFileSync(path.join(root, `Pulumi.${stack}.yaml`), "utf8")) as {
    config: Record<string, unknown>;
  };
  const keyed = Object.entries(changed).map(([key, value]) => [`rancher-cattle:${key}`, value]);
  const config = { ...file.config, ...(Object.fromEntries(keyed) as object) };
  const target = path.join(labFolder, name);
  writeFileSync(target, yaml.stringify({ ...file, config }));
  return target;
}

/** GIVEN a lab on which `up` has run once; only previews, which change nothing. */
describe("the policy pack on the lab", function () {
  this.timeout("5m");

  it("WHEN the lab's own stack is previewed THEN it breaks nothing that is mandatory", async () => {
    const { code, stdout, stderr } = await tryPulumi("preview", ...common);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /\[advisory\].*data-protected/);
    assert.doesNotMatch(stdout, /\[mandatory\]/);
  });

  it("WHEN SSH is opened to the world THEN preview fails and says what, why and what to do", async () => {
    const file = await configFile("open.yaml", {
      adminCidrs: ["0.0.0.0/0"],
      allowWorldAdmin: true,
    });
    const without = common.slice(0, -2);
    await pulumi("preview", ...without, "--config-file", file);
    const { code, stdout } = await tryPulumi("preview", ...common, "--config-file", file);
    assert.notEqual(code, 0);
    assert.match(stdout, /\[mandatory\].*admin-ports-closed.*security-server-ssh-0\.0\.0\.0_0/);
    assert.match(stdout, /opens port 22 \(SSH\) to 0\.0\.0\.0\/0\./);
    assert.match(stdout, /why: whole networks are searched/);
    assert.match(stdout, /fix: name your own ranges in adminCidrs/);
  });

  it("WHEN a configuration of the pack lowers the budget THEN preview fails with the counts", async () => {
    const file = path.join(labFolder, "budget.json");
    writeFileSync(file, JSON.stringify({ "within-budget": { instances: 2 } }));
    const args = [...common, "--policy-pack-config", file];
    const { code, stdout } = await tryPulumi("preview", ...args);
    assert.notEqual(code, 0);
    assert.match(stdout, /the stack has 3 instances, and its budget is 2\./);
  });

  it("WHEN a stack named prod-… is previewed for the first time THEN its data must be protected", async () => {
    const stack = "prod-policy";
    const selected = (await pulumi("stack", "--show-name")).trim();
    await pulumi("stack", "init", stack, "--no-select");
    try {
      const preview = async (protectData: boolean) => {
        const file = await configFile("prod.yaml", { protectData });
        return tryPulumi("preview", "--stack", stack, ...common, "--config-file", file);
      };
      const { code, stdout } = await preview(false);
      assert.notEqual(code, 0);
      assert.equal(stdout.match(/\[mandatory\].*data-protected/g)?.length, 2, stdout);
      assert.match(stdout, /fix: pulumi config set protectData true/);
      // Nothing exists, so most is not known yet; what is known is in order.
      const kept = await preview(true);
      assert.equal(kept.code, 0, kept.stdout + kept.stderr);
      assert.doesNotMatch(kept.stdout, /\[(mandatory|advisory)\]/);
    } finally {
      await pulumi("stack", "rm", stack, "--yes");
      // The CLI forgets its selection with any stack that goes.
      await pulumi("stack", "select", selected);
      rmSync(path.join(root, `Pulumi.${stack}.yaml`), { force: true });
    }
  });
});
