/** The programs that the workflows call: `pulumi` and `gh`, as PATH has them. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Problem } from "../commands/cli";
import { projectFolder } from "../commands/stack";
import { type Plan, type Ran, readPlan } from "./plan";
import { redact } from "./redact";

/** How a program is run. */
interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Shows what it prints as it comes, beside keeping it. @default false */
  readonly isShown?: boolean;
}

/** Runs a program in the project's folder to its end. @throws Problem when there is none */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: projectFolder,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const kept = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        kept[name] += text;
        if (options.isShown === true) process[name].write(text);
      });
    }
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new Problem(`there is no ${program} on PATH`) : error),
    );
    child.once("close", (code) => resolve({ code: code ?? 1, ...kept }));
    // Who does not read it has ended, and says why itself.
    child.stdin.once("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

/** What to preview. */
export interface PreviewArgs {
  readonly stack: string;
  /** Folder of a policy pack. @default none */
  readonly policyPack?: string;
  /** Looks at what is really there first, which needs SSH to the hosts. @default false */
  readonly refreshes?: boolean;
}

/** Options of both `preview` and `up`. */
export function stackOptions({ stack, policyPack }: PreviewArgs): string[] {
  const policies = policyPack === undefined ? [] : ["--policy-pack", policyPack];
  return ["--stack", stack, "--non-interactive", ...policies];
}

/** Previews a stack. One that fails is a plan with errors. */
export async function preview(args: PreviewArgs): Promise<Plan> {
  const folder = await mkdtemp(path.join(tmpdir(), "preview-"));
  try {
    const log = path.join(folder, "events.json");
    const words = ["preview", "--json", ...stackOptions(args)];
    if (args.refreshes === true) words.push("--refresh");
    // Policy violations are in the engine's log alone, and that is an option for debugging.
    words.push("--event-log", log);
    const env = { PULUMI_DEBUG_COMMANDS: "true", PULUMI_SKIP_UPDATE_CHECK: "true" };
    const ran = await run("pulumi", words, { env });
    const events = await readFile(log, "utf8").catch(() => "");
    return readPlan({ ...ran, events });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Calls GitHub's API through `gh`, which knows the token. @throws Problem with what it complained of */
async function api(args: readonly string[], body?: unknown): Promise<string> {
  const input = body === undefined ? {} : { input: JSON.stringify(body) };
  const words = ["api", ...args, ...(body === undefined ? [] : ["--input", "-"])];
  const ran = await run("gh", words, input);
  if (ran.code === 0) return ran.stdout;
  const complaint = redact(ran.stderr.trim() || ran.stdout.trim());
  throw new Problem(`gh api ${args.filter((arg) => !arg.startsWith("-")).join(" ")}: ${complaint}`);
}

/** A comment or an issue, as far as it is needed to find ours. */
interface Post {
  readonly id: number;
  readonly number?: number;
  readonly bot: boolean;
  readonly body: string;
}

/** Ours is a bot's and ends with the marker; what somebody quotes is not. */
async function find(list: string, marker: string): Promise<Post | undefined> {
  const fields = '.[] | {id, number, bot: (.user.type == "Bot"), body: (.body // "")} | tojson';
  const lines = await api(["--paginate", `${list}per_page=100`, "--jq", fields]);
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Post)
    .find(({ bot, body }) => bot && body.trimEnd().endsWith(marker));
}

/** Writes the one comment of a pull request that has this marker at its end, anew or over the last one. */
export async function upsertComment(
  repository: string,
  pull: number,
  marker: string,
  body: string,
): Promise<void> {
  const comments = `repos/${repository}/issues/${pull}/comments`;
  const found = await find(`${comments}?`, marker);
  if (found === undefined) await api(["--method", "POST", comments, "--silent"], { body });
  else {
    const comment = `repos/${repository}/issues/comments/${found.id}`;
    await api(["--method", "PATCH", comment, "--silent"], { body });
  }
}

/** Opens the one issue that has this marker at its end, or writes over the open one. */
export async function upsertIssue(
  repository: string,
  marker: string,
  title: string,
  body: string,
): Promise<void> {
  const issues = `repos/${repository}/issues`;
  const found = await find(`${issues}?state=open&`, marker);
  if (found?.number === undefined) {
    await api(["--method", "POST", issues, "--silent"], { title, body });
  } else {
    await api(["--method", "PATCH", `${issues}/${found.number}`, "--silent"], { title, body });
  }
}

/** Closes the open issue that has this marker at its end, if there is one. */
export async function closeIssue(repository: string, marker: string, body: string): Promise<void> {
  const issues = `repos/${repository}/issues`;
  const found = await find(`${issues}?state=open&`, marker);
  if (found?.number === undefined) return;
  const issue = `${issues}/${found.number}`;
  await api(["--method", "PATCH", issue, "--silent"], {
    state: "closed",
    state_reason: "completed",
    body,
  });
}
