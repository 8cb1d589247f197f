import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";
import type { StackOutputs } from "../../commands/stack";

const run = promisify(execFile);

/** The clone under test. */
export const root = path.resolve(__dirname, "../..");
const labName = process.env["LAB_NAME"] ?? "lab";

/** What the lab says of itself (`.lab/<name>/env.json`). */
export interface LabEnv {
  readonly id: string;
  /** The lab's folder. */
  readonly dir: string;
  readonly label: string;
  readonly dockerHost: string;
  readonly cloudUrl: string;
  readonly region: string;
  readonly internetCidr: string;
}

/** Where the running lab keeps its state. */
export const labFolder = path.join(root, ".lab", labName);

/** Reads the running lab's description. */
export function labEnv(): LabEnv {
  const file = path.join(labFolder, "env.json");
  return JSON.parse(readFileSync(file, "utf8")) as LabEnv;
}

/** Result of one CLI run; `code` is the exit code. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `lab/pulumi` and returns whatever happened, success or not. */
export function tryPulumi(...args: string[]): Promise<Ran> {
  return tryRun("lab/pulumi", args);
}

/** Runs a command in the lab's environment, as `lab/run` does, and returns whatever happened. */
export function tryInLab(...command: string[]): Promise<Ran> {
  return tryRun("lab/run", command);
}

async function tryRun(program: string, args: readonly string[]): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(path.join(root, program), args, {
      cwd: root,
      maxBuffer: 64 << 20,
      env: { ...process.env, LAB_NAME: labName },
    });
    return { code: 0, stdout, stderr };
  } catch (e) {
    const failed = e as { code?: number; stdout?: string; stderr?: string; message: string };
    return {
      code: typeof failed.code === "number" ? failed.code : 1,
      stdout: failed.stdout ?? "",
      stderr: failed.stderr ?? failed.message,
    };
  }
}

/** Runs `lab/pulumi` and fails the test with its whole output when it fails. */
export async function pulumi(...args: string[]): Promise<string> {
  const ran = await tryPulumi(...args);
  if (ran.code !== 0) {
    throw new Error(`pulumi ${args.join(" ")} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  }
  return ran.stdout;
}

/** One planned operation of a preview. */
export interface Step {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** Changed property paths, when the provider gave a detailed diff. */
  readonly changed: readonly string[];
}

/** Plans an update and returns every step that is not `same`, in order. */
export async function plannedSteps(...args: string[]): Promise<Step[]> {
  const plan = JSON.parse(await pulumi("preview", "--json", ...args)) as {
    steps?: { op: string; urn: string; detailedDiff?: Record<string, unknown> | null }[];
  };
  return (plan.steps ?? [])
    .filter((s) => !["same", "read", "refresh"].includes(s.op))
    .map((s) => {
      const parts = s.urn.split("::");
      const type = (parts[2] ?? "").split("$").pop() ?? "";
      const changed = Object.keys(s.detailedDiff ?? {});
      return { op: s.op, urn: s.urn, type, name: parts[3] ?? "", changed };
    });
}

/** `up` as every test does it: it must succeed, and a preview after it, plain and with refresh, must be empty. */
export async function up(): Promise<void> {
  await pulumi("up", "--yes", "--skip-preview", "--non-interactive");
  await pulumi("preview", "--expect-no-changes", "--non-interactive");
  await pulumi("preview", "--refresh", "--expect-no-changes", "--non-interactive");
}

/** The stack's outputs, secrets included. */
export async function outputs(): Promise<StackOutputs> {
  return JSON.parse(
    await pulumi("stack", "output", "--json", "--show-secrets"),
  ) as unknown as StackOutputs;
}

/** Runs docker on the engine that carries the lab's machines. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run("docker", ["-H", labEnv().dockerHost, ...args], {
    maxBuffer: 64 << 20,
  });
  return stdout.trim();
}

/** Runs a shell command on one lab machine, as root, without SSH (it must work where SSH is closed). */
export function onMachine(instanceId: string, command: string): Promise<string> {
  return docker("exec", `rc-${labEnv().id}-${instanceId}`, "sh", "-c", command);
}

/** Polls until `condition` returns a value; fails with the last error after the deadline. */
export async function eventually<T>(
  what: string,
  seconds: number,
  condition: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last = "it never held";
  while (Date.now() < deadline) {
    try {
      const value = await condition();
      if (value !== undefined) return value;
    } catch (e) {
      last = e instanceof Error ? e.message : String(e);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`${what}: not within ${seconds} s; last: ${last}`);
}
