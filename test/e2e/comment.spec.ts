import { strict as assert } from "node:assert";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { outputs, pulumi, root, tryInLab } from "./lab";

/** Kept for whoever looks at the run: what a reviewer would read. */
const comment = path.join(root, ".lab", "test-output", "preview-comment.md");

/** Runs the script of preview.yml on the lab, with an `ssh` that only notes that it was called. */
async function previewed(folder: string): Promise<{ code: number; output: string }> {
  const ssh = path.join(folder, "ssh");
  // With -G it only tells its configuration, which says whether a key is at hand.
  const script = `[ "$1" = -G ] || echo "$*" >>${path.join(folder, "calls")}`;
  writeFileSync(ssh, `#!/bin/sh\n${script}\nexit 255\n`);
  chmodSync(ssh, 0o755);
  const stack = (await pulumi("stack", "--show-name")).trim();
  const words = ["--import", "tsx", "pipeline/preview.ts", "--stack", stack, "--output", comment];
  const file = path.join(folder, "before.yaml");
  // lab/run puts its own folder first, so the fake is put before it once more.
  const fake = ["sh", "-c", `PATH=${folder}:$PATH exec "$@"`, "sh"];
  const ran = await tryInLab(...fake, process.execPath, ...words, "--against", file);
  return { code: ran.code, output: ran.stdout + ran.stderr };
}

describe("the preview of a pull request", () => {
  it("GIVEN two replicas more THEN the comment names that one change, and no host was asked", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "pulls-"));
    const stack = (await pulumi("stack", "--show-name")).trim();
    const file = path.join(root, `Pulumi.${stack}.yaml`);
    const before = readFileSync(file, "utf8");
    const { config } = parse(before) as { config: Record<string, unknown> };
    const scale = Number(config["rancher-cattle:wordpressScale"]);
    mkdirSync(path.dirname(comment), { recursive: true });
    writeFileSync(path.join(folder, "before.yaml"), before);
    try {
      await pulumi("config", "set", "wordpressScale", String(scale + 2));
      const { code, output } = await previewed(folder);
      assert.equal(code, 0, output);
      const text = readFileSync(comment, "utf8");
      const [verdict = ""] = text.split("\n");
      assert.match(verdict, /: 1 to update, nothing replaced, \d+ unchanged$/);
      assert.match(text, new RegExp(`wordpress-service\\n! +scale: ${scale} => ${scale + 2}\\n`));
      assert.match(text, /\*\*Firewall\*\*: nothing opens, nothing closes/);
      assert.match(text, /a month: \*\*no difference\*\*/);
      const { siteAdminPassword, rancherSecretKey, rancherAdminPassword } = await outputs();
      for (const secret of [siteAdminPassword, rancherSecretKey, rancherAdminPassword]) {
        assert.ok(!text.includes(secret));
      }
      assert.throws(() => readFileSync(path.join(folder, "calls")), /ENOENT/, "ssh was called");
    } finally {
      writeFileSync(file, before);
      rmSync(folder, { recursive: true });
    }
  });
});
