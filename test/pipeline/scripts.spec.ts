import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as yaml from "yaml";
import { ingress, rule, step } from "./plans";

const root = path.resolve(__dirname, "../..");

/** Notes how it was called and what it was given, and answers as the test wants. */
const fake = (name: string) => `#!/usr/bin/env bash
printf '%s\\n' "${name} $*" >>"$FAKE/calls"
if [[ "$*" == *--input* ]]; then cat >>"$FAKE/posted"; fi
if [[ ${name} == gh && "$*" == *--paginate* ]]; then cat "$FAKE/posts"; fi
if [[ ${name} == pulumi && $1 == preview ]]; then
  while (($# > 1)); do
    if [[ $1 == --event-log ]]; then cp "$FAKE/events" "$2"; fi
    shift
  done
  cat "$FAKE/plan"
  exit "$(cat "$FAKE/code")"
fi
`;

interface Situation {
  readonly steps?: readonly unknown[];
  readonly diagnostics?: readonly unknown[];
  readonly events?: string;
  readonly code?: number;
  /** Comments or issues that are there already, as `gh --jq` prints them. */
  readonly posts?: readonly unknown[];
  readonly env?: NodeJS.ProcessEnv;
}

interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly calls: readonly string[];
  readonly posted: { readonly body?: string; readonly title?: string; readonly state?: string };
  readonly summary: string;
  /** What later steps read as outputs. */
  readonly result: string;
}

/** Runs a script of the workflows with a `pulumi` and a `gh` that are not the real ones. */
async function script(name: string, situation: Situation): Promise<Outcome> {
  const folder = mkdtempSync(path.join(tmpdir(), "pipeline-"));
  try {
    const put = (file: string, text: string) => writeFileSync(path.join(folder, file), text);
    for (const program of ["pulumi", "gh"]) {
      put(program, fake(program));
      chmodSync(path.join(folder, program), 0o755);
    }
    const { steps = [], diagnostics = [], events = "", code = 0, posts = [] } = situation;
    put("plan", JSON.stringify({ steps, diagnostics, changeSummary: { same: 80 } }));
    put("events", events);
    put("code", String(code));
    put("posts", posts.map((post) => JSON.stringify(post)).join("\n"));
    for (const file of ["calls", "posted", "summary", "result"]) put(file, "");
    const env = {
      ...process.env,
      FAKE: folder,
      PIPELINE_PATH: folder,
      STACK: "dev",
      PULL: "7",
      GITHUB_REPOSITORY: "owner/site",
      GITHUB_OUTPUT: path.join(folder, "result"),
      GITHUB_STEP_SUMMARY: path.join(folder, "summary"),
      SSH_PRIVATE_KEY: "",
      ...situation.env,
    };
    const [ended, output] = await new Promise<[number, string]>((resolve) =>
      execFile(path.join(root, "pipeline", name), { env }, (error, stdout, stderr) =>
        resolve([error === null ? 0 : Number(error.code), stdout + stderr]),
      ),
    );
    const read = (file: string) => readFileSync(path.join(folder, file), "utf8");
    return {
      code: ended,
      output,
      calls: read("calls").trim().split("\n"),
      posted: JSON.parse(read("posted") || "{}") as Outcome["posted"],
      summary: read("summary"),
      result: read("result"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const opening = step("create", ingress, "x", { now: rule("g", 22, { cidrIpv4: "0.0.0.0/0" }) });

const violation = JSON.stringify({
  policyEvent: { message: "no", policyName: "no-open-ssh", enforcementLevel: "mandatory" },
});

describe("the scripts of the workflows", function () {
  this.timeout(300_000);

  it("GIVEN no comment yet THEN preview.sh writes one; GIVEN ours THEN it writes over it", async () => {
    const mark = "<!-- rancher-cattle: preview of dev -->";
    const quoted = { id: 4, number: null, bot: false, body: `> ${mark}` };
    const other = { id: 5, number: null, bot: true, body: `${mark.replace("dev", "prod")}\n` };
    const ours = { id: 6, number: null, bot: true, body: `old\n${mark}\n` };
    const [first, second] = await Promise.all([
      script("preview.sh", { steps: [opening], posts: [quoted, other] }),
      script("preview.sh", { steps: [opening], posts: [quoted, other, ours] }),
    ]);
    assert.equal(first.code, 0, first.output);
    assert.match(first.posted.body ?? "", /^### Preview of dev: 1 to create/);
    assert.match(first.posted.body ?? "", /opens TCP port 22 of g for \*\*the whole internet/);
    assert.equal(first.posted.body?.trimEnd().endsWith(mark), true);
    assert.match(
      first.calls.at(-1) ?? "",
      /--method POST repos\/owner\/site\/issues\/7\/comments /,
    );
    assert.match(
      second.calls.at(-1) ?? "",
      /--method PATCH repos\/owner\/site\/issues\/comments\/6 /,
    );
    assert.match(first.summary, /^### Preview of dev/);
    assert.match(first.calls[0] ?? "", /^pulumi preview --json --stack dev --non-interactive /);
    assert.doesNotMatch(first.calls[0] ?? "", /--refresh/);
  });

  it("GIVEN a preview that fails or breaks a policy THEN the comment is written and the step fails", async () => {
    const error = { severity: "error", message: "agentCount: is too few" };
    const [failed, forbidden] = await Promise.all([
      script("preview.sh", { diagnostics: [error], code: 255 }),
      script("preview.sh", { steps: [opening], events: violation, code: 255 }),
    ]);
    assert.deepEqual([failed.code, forbidden.code], [1, 1]);
    assert.match(failed.posted.body ?? "", /failed with 1 error[\s\S]*agentCount: is too few/);
    assert.match(forbidden.posted.body ?? "", /1 policy violation to put right; 1 to create/);
  });

  it("GIVEN a stack without a file or with no name THEN nothing is called", async () => {
    const [absent, nameless, first, there] = await Promise.all([
      script("deploy.sh", { env: { STACK: "nowhere" } }),
      script("preview.sh", { env: { STACK: "../dev" } }),
      script("configured.sh", { env: { STACK: "nowhere" } }),
      script("configured.sh", { env: { STACK: "dev" } }),
    ]);
    assert.deepEqual(
      [absent, nameless, first, there].map(({ code }) => code),
      [0, 2, 0, 0],
    );
    assert.match(absent.output, /::notice::there is no Pulumi\.nowhere\.yaml/);
    assert.deepEqual([absent.calls, nameless.calls], [[""], [""]]);
    assert.deepEqual([first.result, there.result], ["configured=false\n", "configured=true\n"]);
  });

  it("GIVEN a plan, an empty one too, THEN deploy.sh carries it out; GIVEN a violation or a failure THEN it does not", async () => {
    const [allowed, forbidden, failed, none] = await Promise.all([
      script("deploy.sh", { steps: [opening] }),
      script("deploy.sh", { steps: [opening], events: violation, code: 255 }),
      script("deploy.sh", { steps: [opening], diagnostics: [{ severity: "error", message: "x" }] }),
      script("deploy.sh", {}),
    ]);
    const ups = ({ calls }: Outcome) => calls.filter((call) => call.startsWith("pulumi up"));
    assert.deepEqual(
      [allowed, forbidden, failed, none].map((one) => one.code),
      [0, 1, 1, 0],
    );
    assert.deepEqual(
      [allowed, forbidden, failed, none].map((one) => ups(one).length),
      [1, 0, 0, 1],
    );
    assert.match(ups(allowed)[0] ?? "", /^pulumi up --yes --skip-preview .*--stack dev/);
    assert.match(forbidden.output, /nothing was deployed: 1 policy violation/);
    assert.match(forbidden.summary, /^### Deployment of dev/);
  });

  it("GIVEN drift THEN one issue is opened or written over; GIVEN none THEN it is closed", async () => {
    const mark = "<!-- rancher-cattle: drift of dev -->";
    const open = { id: 1, number: 12, bot: true, body: `x\n${mark}` };
    const [first, again, gone, quiet, failed] = await Promise.all([
      script("drift.sh", { steps: [opening] }),
      script("drift.sh", { steps: [opening], posts: [open] }),
      script("drift.sh", { posts: [open] }),
      script("drift.sh", {}),
      script("drift.sh", {
        diagnostics: [{ severity: "error", message: "no way" }],
        posts: [open],
      }),
    ]);
    assert.match(first.calls[0] ?? "", /--refresh/);
    assert.match(first.calls.at(-1) ?? "", /--method POST repos\/owner\/site\/issues /);
    assert.equal(first.posted.title, "Drift of dev");
    assert.match(again.calls.at(-1) ?? "", /--method PATCH repos\/owner\/site\/issues\/12 /);
    assert.equal(gone.posted.state, "closed");
    assert.deepEqual(quiet.posted, {});
    assert.deepEqual(
      [first, again, gone, quiet, failed].map(({ code }) => code),
      [0, 0, 0, 0, 1],
    );
    assert.deepEqual(failed.posted, {});
  });

  it("GIVEN no key, or text that is none THEN with-key.sh runs the command, or says so", async () => {
    const withKey = (env: NodeJS.ProcessEnv, ...words: string[]) =>
      new Promise<{ code: number; output: string }>((resolve) =>
        execFile(
          path.join(root, "pipeline/with-key.sh"),
          words,
          { env: { ...process.env, ...env } },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
        ),
      );
    const { privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
      publicKeyEncoding: { type: "pkcs1", format: "pem" },
    });
    const look = ["sh", "-c", 'ssh-add -l; echo "left: ${SSH_PRIVATE_KEY:-}"; exit 3'];
    const good = await withKey({ SSH_PRIVATE_KEY: privateKey }, ...look);
    assert.equal(good.code, 3, good.output);
    assert.match(good.output, /2048 SHA256:.*\nleft: \n/);
    const none = await withKey({ SSH_PRIVATE_KEY: "" }, "echo", "as it is");
    assert.equal(none.output, "as it is\n");
    const bad = await withKey({ SSH_PRIVATE_KEY: "C4N4RY" }, "echo", "never");
    assert.equal(bad.code, 1);
    assert.match(bad.output, /not a private key/);
    assert.doesNotMatch(bad.output, /never|C4N4RY/);
  });
});

describe("the workflows", () => {
  const github = path.join(root, ".github");
  const files = readdirSync(github, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".yml"),
  );
  const read = (file: string) => readFileSync(path.join(github, file), "utf8");

  it("GIVEN every action of others THEN it is pinned by a whole commit and says its version", () => {
    const uses = files.flatMap((file) => read(file).match(/^.*\buses: .*$/gm) ?? []);
    const others = uses.filter((line) => !line.includes("uses: ./"));
    assert.ok(others.length >= 8);
    for (const line of others)
      assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+/);
  });

  it("GIVEN every workflow THEN it grants nothing by default, and only what changes a stack is never cancelled", () => {
    for (const file of files.filter((name) => name.startsWith("workflows/"))) {
      const flow = yaml.parse(read(file)) as {
        permissions?: unknown;
        on?: unknown;
        jobs: Record<
          string,
          {
            concurrency?: Record<string, unknown>;
            permissions?: object;
            steps?: readonly { readonly id?: string; readonly if?: string }[];
          }
        >;
      };
      assert.deepEqual(flow.permissions, {}, file);
      assert.doesNotMatch(read(file), /pull_request_target|AWS_SECRET_ACCESS_KEY/);
      for (const job of Object.values(flow.jobs)) assert.ok(job.permissions, file);
      if (/preview|deploy-stack|drift/.test(file)) {
        // By stack, so that one that waits for somebody's approval holds up no other.
        const own = Object.values(flow.jobs).at(-1)?.concurrency;
        assert.equal(own?.["cancel-in-progress"], false, file);
        assert.match(String(own?.["group"]), /\$\{\{ (matrix|inputs)\.stack \}\}/, file);
        // A stack that is not there has no role to assume.
        const steps = Object.values(flow.jobs)[0]?.steps ?? [];
        const guarded = steps.slice(steps.findIndex(({ id }) => id === "stack") + 1);
        assert.ok(guarded.length >= 2, file);
        for (const one of guarded)
          assert.match(one.if ?? "", /outputs\.configured == 'true'/, file);
      }
    }
    assert.match(read("workflows/preview.yml"), /head\.repo\.full_name == github\.repository/);
  });
});
