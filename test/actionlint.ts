/** The linter of GitHub's workflows, built from its published Go module. */
import * as fs from "node:fs";
import * as path from "node:path";
import { cached, hashOf } from "../lab/cache";
import { clone } from "../lab/env";
import { checkGo } from "../lab/machine";
import { run } from "../lab/processes";

const version = "1.7.7";
const program = `github.com/rhysd/actionlint/cmd/actionlint@v${version}`;

/** Checks every workflow of the clone. It also reads their shell scripts where shellcheck is installed. */
export async function actionlint(): Promise<void> {
  const folder = path.join(clone, ".github", "workflows");
  const files = fs.readdirSync(folder).map((name) => path.join(folder, name));
  await run(path.join(await installed(), "actionlint"), files, { cwd: clone });
}

function installed(): Promise<string> {
  return cached("actionlint", hashOf(program, process.arch), async (target) => {
    await checkGo();
    // In the target, so that a build that was killed is swept away with it.
    const scratch = path.join(target, "scratch");
    fs.mkdirSync(scratch, { recursive: true });
    const env = {
      GOBIN: target,
      GOMODCACHE: path.join(scratch, "modules"),
      GOCACHE: path.join(scratch, "build"),
      GOFLAGS: "-modcacherw",
      GOWORK: "off",
      CGO_ENABLED: "0",
    };
    await run("nice", ["-n", "5", "go", "install", program], { cwd: scratch, env });
    fs.rmSync(scratch, { recursive: true, force: true });
  });
}
