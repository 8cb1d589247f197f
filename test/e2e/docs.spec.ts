/** Runs the commands of README.md and docs that are marked with run=lab, as their reader would. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { blocks } from "../docs/blocks";
import { root } from "./lab";

/** The lab's CLI is what `npx pulumi` is on a machine that can download it. */
const npx = 'npx() { if [ "$1" = pulumi ]; then shift; pulumi "$@"; else command npx "$@"; fi; }';

describe("commands of the documentation, on the lab", () => {
  for (const { where, marks, lines } of blocks) {
    if (marks["run"] !== "lab") continue;
    it(where, () => {
      const script = [npx, ...lines].join("\n");
      const { status, stdout, stderr } = spawnSync(
        path.join(root, "lab/run"),
        ["bash", "-euo", "pipefail", "-c", script],
        { cwd: root, encoding: "utf8", timeout: 90_000 },
      );
      assert.equal(status, 0, `${lines.join("\n")}\n${stdout}\n${stderr}`);
    });
  }
});
