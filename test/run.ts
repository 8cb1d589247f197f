/**
 * Runs the tests: `run.ts` all of them, `run.ts unit`, `run.ts lint`. The last line is
 * `N passed, N failed`; the exit code is 0 only when nothing failed.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { commands } from "../lab/commands";
import { docker } from "../lab/engine";
import { clone, Lab, type LabEnv, testOutput } from "../lab/env";
import { checkBrowser, completePath } from "../lab/machine";
import { CommandFailed, run } from "../lab/processes";
import { all, elapsed, Interrupted, interrupted, say, stopOnSignals } from "../lab/steps";
import { actionlint } from "./actionlint";
import { watchOutside } from "./e2e/watcher";
import { cloudLab, withCloud, withDatabase } from "./onEngine";
import type { Counts } from "./reporter";

/** The lab of the tests, so that the user's own stays as it is. */
const lab = new Lab("test");
/** `KEEP_LAB=1` leaves it up afterwards, and takes one that is up as it is. */
const keepsLab = (process.env["KEEP_LAB"] ?? "") !== "";

/** Suites under `lab` that need an engine; each says how it gets what it needs. */
const cloudSpec = "lab/test/cloud.spec.ts";
const serverSpec = "lab/test/rancher-server.spec.ts";

/** Suites that need neither engine nor lab. */
const unitFolders = [
  "test/unit",
  "test/commands",
  "test/policy",
  "test/docs",
  "test/pipeline",
  "test/provider-unit",
  "test/conformance",
  "lab",
];

/** Destroys the stack at its end, so that it comes last. */
const lastSpec = "test/e2e/lab.spec.ts";

/** Longest time for one test that sets none, in milliseconds. */
const UNIT_TIMEOUT_MILLIS = 120_000;
const E2E_TIMEOUT_MILLIS = 20 * 60_000;

/** Lines shown of each log when something on the lab has failed. */
const LOG_LINES = 40;

/** One mocha run. */
interface Suite {
  readonly name: string;
  /** Spec files. */
  readonly files: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Shows each test as it ends. Default: failures only, when the suite has ended. */
  readonly shown?: boolean;
  readonly timeoutMillis?: number;
}

const total = { passed: 0, failed: 0, skipped: 0 };

/** One thing that passes or fails as a whole; returns whether it passed. */
async function single(name: string, work: () => Promise<unknown>): Promise<boolean> {
  const start = Date.now();
  try {
    await work();
    total.passed++;
    say(`passed: ${name} (${elapsed(start)})`);
    return true;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    total.failed++;
    const text = error instanceof CommandFailed ? error.output : (error as Error).message;
    say(`FAILED: ${name} (${elapsed(start)})\n${text.trim()}`);
    return false;
  }
}

/** The spec files under a folder, without its packages. */
function specs(folder: string): string[] {
  if (!fs.existsSync(path.join(clone, folder))) return [];
  return fs
    .readdirSync(path.join(clone, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".spec.ts") && !name.includes("node_modules"))
    .map((name) => path.join(folder, name))
    .sort();
}

/** Runs a suite in a process of its own. */
async function mocha(suite: Suite): Promise<void> {
  if (suite.files.length === 0) return;
  const start = Date.now();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rancher-cattle-"));
  try {
    const output = path.join(folder, "results.json");
    const text = await runMocha(suite, output);
    if (!fs.existsSync(output)) throw new Error(`it ended without a result\n${text.trim()}`);
    const counts = JSON.parse(fs.readFileSync(output, "utf8")) as Counts;
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    if (suite.shown !== true) {
      for (const { title, error } of counts.failures) console.log(`FAILED: ${title}\n${error}\n`);
    }
    const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
    say(
      `${suite.name}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${elapsed(start)})`,
    );
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    total.failed++;
    say(`FAILED: ${suite.name}: ${(error as Error).message}`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns what mocha printed, also when tests failed. */
async function runMocha(suite: Suite, output: string): Promise<string> {
  const args = [
    ...["--import", "tsx", "node_modules/mocha/bin/mocha.js"],
    ...["--reporter", "test/reporter.ts", "--reporter-option", `output=${output}`],
    ...["--timeout", String(suite.timeoutMillis ?? UNIT_TIMEOUT_MILLIS)],
    ...["--exit", ...suite.files],
  ];
  const env = { LAB_NAME: lab.name, ...suite.env };
  try {
    return await run(process.execPath, args, { cwd: clone, inherit: suite.shown === true, env });
  } catch (error) {
    if (error instanceof CommandFailed) return error.output;
    throw error;
  }
}

function tool(name: string, ...args: string[]): () => Promise<unknown> {
  return () => run(path.join("node_modules", ".bin", name), args, { cwd: clone });
}

async function lint(): Promise<void> {
  await single("types (tsc)", tool("tsc", "--noEmit"));
  await single("lint (eslint)", tool("eslint", "."));
  await single("format (prettier)", tool("prettier", "--check", "--log-level", "warn", "."));
  await single("workflows (actionlint)", actionlint);
}

/** What needs neither engine nor lab; `make unit` runs the server's suite without a database. */
async function unit(withServer = true): Promise<void> {
  for (const folder of unitFolders) {
    const files = specs(folder).filter(
      (file) => file !== cloudSpec && (withServer || file !== serverSpec),
    );
    await mocha({ name: folder, files });
  }
}

/** Suites on the engine and the CLI that the lab has brought, while its machines boot. */
async function besideLab(env: LabEnv): Promise<void> {
  await single("the cloud of its suite comes up and goes away", () =>
    withCloud(env, (file) =>
      mocha({ name: "the cloud", files: [cloudSpec], env: { LAB_CLOUD_ENV: file } }),
    ),
  );
  await mocha({ name: "test/provider", files: specs("test/provider") });
}

/** Alone on the machine, because it watches states that pass quickly. */
async function serverOnDatabase(env: LabEnv): Promise<void> {
  await single("the database of the server's suite comes up and goes away", () =>
    withDatabase(lab, env, (url) =>
      mocha({ name: "the Rancher server", files: [serverSpec], env: { RANCHER_TEST_MYSQL: url } }),
    ),
  );
}

/** The quick checks run while the lab is built and comes up, and so do other suites that mostly wait. */
async function everything(): Promise<void> {
  const checks = lint().then(() => unit(false));
  // Awaited below; what goes before may fail first.
  checks.catch(() => undefined);
  const isPrepared = await single("the lab is built", async () => {
    if (!keepsLab) await remove();
    await commands["prepare"]?.(lab);
  });
  const env = lab.readEnv();
  let isUp = false;
  if (isPrepared && env !== undefined) {
    const endWatch = watchOutside(env, lab.path("outside.json"));
    const up = single("the lab comes up", async () => commands["up"]?.(lab)).finally(endWatch);
    const browser = single("the browser is there", checkBrowser);
    await all([up, besideLab(env), browser, checks]);
    await serverOnDatabase(env);
    isUp = await up;
  }
  await checks;
  const failed = total.failed;
  if (isUp) {
    const files = [...specs("test/e2e").filter((file) => file !== lastSpec), lastSpec];
    fs.rmSync(testOutput, { recursive: true, force: true });
    // Each in a process of its own, so that a suite that bails out takes no other with it.
    for (const file of files) {
      await mocha({ name: file, files: [file], shown: true, timeoutMillis: E2E_TIMEOUT_MILLIS });
    }
    if (fs.existsSync(testOutput)) say(`screenshots: ${testOutput}`);
  }
  if (!isUp || total.failed > failed) await showLogs();
  if (!keepsLab) await single("the lab goes away", remove);
}

async function remove(): Promise<void> {
  // First the one that lives on the other's engine.
  if (fs.existsSync(cloudLab.dir)) await commands["remove"]?.(cloudLab);
  await commands["down"]?.(lab);
}

/** The last words of the lab's processes, of its hosts and of their containers. */
async function showLogs(): Promise<void> {
  const show = (name: string, text: string) => {
    const lines = text.trimEnd().split("\n").slice(-LOG_LINES);
    console.log(`--- ${name}\n${lines.join("\n")}`);
  };
  for (const name of ["cloud", "engine", "registry"]) {
    const file = lab.daemon(name).log;
    if (fs.existsSync(file)) show(file, fs.readFileSync(file, "utf8"));
  }
  const env = lab.readEnv();
  if (env === undefined) return;
  const ask = (...args: string[]) =>
    docker(env.dockerHost, args, { timeoutSeconds: 30 }).catch((error: unknown) => {
      if (error instanceof Interrupted) throw error;
      return (error as Error).message;
    });
  const list = ["--all", "--format", "{{.Names}}"];
  const hosts = await ask("ps", ...list, "--filter", `name=${lab.prefix}i-`);
  for (const host of hosts.split("\n").filter((name) => name.startsWith(lab.prefix))) {
    show(`${host}: boot`, await ask("exec", host, "tail", "-n", "20", "/var/log/cloud-config.log"));
    show(`${host}: containers`, await ask("exec", host, "docker", "ps", "--all"));
    const names = await ask("exec", host, "docker", "ps", ...list);
    for (const name of names.split("\n").filter((line) => /^(rancher|site)/.test(line))) {
      const logs = `docker logs --tail ${LOG_LINES} ${name} 2>&1`;
      show(`${host}: ${name}`, await ask("exec", host, "sh", "-c", logs));
    }
  }
}

/** Removes the lab after an interruption, which keeps this process from starting anything. */
function removeAfterInterruption(): void {
  for (const { name } of [cloudLab, lab]) {
    const args = ["--import", "tsx", path.join("lab", "main.ts"), "remove"];
    const env = { ...process.env, LAB_NAME: name };
    spawnSync(process.execPath, args, { cwd: clone, env, stdio: "inherit" });
  }
}

async function main(): Promise<void> {
  stopOnSignals();
  completePath();
  const modes: Record<string, () => Promise<void>> = { all: everything, unit, lint };
  const mode = process.argv[2] ?? "all";
  const work = modes[mode];
  if (work === undefined)
    throw new Error(`unknown tests "${mode}"; use ${Object.keys(modes).join(", ")}`);
  try {
    await work();
  } finally {
    if (interrupted.aborted && mode === "all" && !keepsLab) removeAfterInterruption();
  }
}

/** The last line, whatever has happened before. */
function end(error?: unknown): never {
  if (error !== undefined) {
    total.failed++;
    console.error(error instanceof Interrupted ? error.message : error);
  }
  if (total.skipped > 0) console.log(`${total.skipped} skipped`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed === 0 ? 0 : 1);
}

process.on("uncaughtException", end);
main().then(() => end(), end);
