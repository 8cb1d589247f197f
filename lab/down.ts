/** Taking a lab down, from whatever state it is in. */
import * as fs from "node:fs";
import * as path from "node:path";
import { cleanCloud, cloudRuns } from "./cloud";
import { allHostsAreOff, engineAnswers, removeObjects, startEngine, stopEngine } from "./engine";
import { emulatorHolds } from "./emulator";
import { clone, type Lab, type LabEnv } from "./env";
import { isOnPath } from "./machine";
import { run } from "./processes";
import { releaseRanges } from "./ranges";
import { startAgent } from "./ssh";
import { hasResources, isHalfDone, pulumi, removeStaleLocks, settleInterrupted } from "./stack";
import { Interrupted, say, step } from "./steps";

/** How long `pulumi destroy` may take before the lab is removed without it, in seconds. */
const DESTROY_SECONDS = 15 * 60;

/**
 * Destroys the stack, checks that the emulator is empty, and removes every trace of the lab but the cache.
 * @throws at the end, when the lab is gone, for a destroy that failed or an emulator that was not empty.
 */
export async function down(lab: Lab): Promise<void> {
  const env = lab.readEnv();
  const problems: string[] = [];
  const attempt = async (name: string, work: () => Promise<void>) => {
    try {
      await step(name, work);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      problems.push((error as Error).message);
    }
  };
  if (env !== undefined && (await runsWhole(lab, env))) {
    if (hasResources(lab)) await attempt("pulumi destroy", () => destroy(lab, env));
    await attempt("checking that the emulator is empty", () => checkEmpty(env));
  } else if (hasResources(lab)) {
    say("the lab does not run as a whole; removing it without pulumi destroy");
  }
  await tearDown(lab, env);
  fs.rmSync(lab.stackFile, { force: true });
  if (problems.length > 0) throw new Error(`the lab is removed, but ${problems.join("; ")}`);
}

/** True when `pulumi destroy` would find what it needs: the cloud, the engine, and hosts that are on. */
async function runsWhole(lab: Lab, env: LabEnv): Promise<boolean> {
  return cloudRuns(lab) && (await engineAnswers(env.dockerHost)) && !(await allHostsAreOff(env));
}

async function destroy(lab: Lab, env: LabEnv): Promise<void> {
  removeStaleLocks(lab);
  await startAgent(lab);
  if (isHalfDone(lab)) await settleInterrupted(lab, env);
  await run(pulumi, ["destroy", "--yes", "--skip-preview", "--stack", lab.stack], {
    env: { LAB_NAME: lab.name },
    inherit: true,
    timeoutSeconds: DESTROY_SECONDS,
  });
}

async function checkEmpty(env: LabEnv): Promise<void> {
  const left = await emulatorHolds(env);
  if (left.length > 0) throw new Error(`the emulator still holds ${left.join(", ")}`);
  say(
    "the emulator holds no instance, group, key, address, volume, file system, zone or VPC of ours",
  );
}

/** Removes the lab from the machine without asking Pulumi. Each part may be missing. */
export async function tearDown(lab: Lab, env: LabEnv | undefined): Promise<void> {
  await step("ending the lab's processes", async () => {
    // What a killed pulumi leaves behind: plugins and their tunnels.
    await endStrays((pid) => hasVariable(pid, `PULUMI_HOME=${lab.pulumiHome}`));
    for (const name of ["cloud", "registry", "ssh-agent"]) await lab.daemon(name).stop();
  });
  await step("removing containers, networks and volumes", async () => {
    if (env === undefined) return;
    // An engine of ours that died may have left containers behind, which it finds again.
    if (env.ownEngine && fs.existsSync(lab.path("engine"))) await startEngine(lab, env);
    if (!(await engineAnswers(env.dockerHost))) {
      say(`the Docker engine at ${env.dockerHost} does not answer; what the lab has there stays`);
      return;
    }
    try {
      await cleanCloud(lab);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      // What follows removes the same by the lab's name and label.
      say(`the cloud did not clean up: ${(error as Error).message}`);
    }
    await removeObjects(lab, env);
  });
  await step("removing firewall rules, disks and files", async () => {
    await detachDisks(lab.dir);
    await stopEngine(lab);
    // An engine that was killed forgets containers of a build, and with them the processes that kept them.
    await endStrays((pid) => commandLine(pid).includes(`${lab.runDir}/`));
    await removeFirewallRules(lab.id);
    for (const folder of [lab.dir, lab.runDir]) {
      await unmountBelow(folder);
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
    releaseRanges(lab.dir);
    removeIfEmpty(path.join(clone, ".lab"));
  });
}

/** Ends the processes that are the lab's, except this one and its ancestors. */
async function endStrays(isOurs: (pid: number) => boolean): Promise<void> {
  const spared = new Set<number>();
  for (let pid = process.pid; pid > 1; pid = parentOf(pid)) spared.add(pid);
  const strays = fs
    .readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 1 && !spared.has(pid) && isOurs(pid));
  const signal = (name: NodeJS.Signals) => {
    for (const pid of strays.filter(runs)) process.kill(pid, name);
  };
  signal("SIGTERM");
  for (let i = 0; i < 50 && strays.some(runs); i++) await new Promise((r) => setTimeout(r, 100));
  signal("SIGKILL");
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}

function commandLine(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // It has ended.
  }
}

function hasVariable(pid: number, variable: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable);
  } catch {
    return false; // It has ended.
  }
}

function runs(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}/exe`); // A zombie has none.
}

/**
 * Removes the lab's iptables chains, the rules that lead to them, and the rules for its bridges that its
 * engine leaves behind: all of them have the lab's id in a name. A new machine has no iptables yet, and no rules.
 */
async function removeFirewallRules(id: string): Promise<void> {
  if (!isOnPath("iptables-save")) return;
  for (const table of ["raw", "mangle", "nat", "filter"]) {
    const lines = (await run("iptables-save", ["-t", table])).split("\n");
    const isChain = new RegExp(`^:(\\S*${id}\\S*) `);
    const chains = lines.flatMap((line) => isChain.exec(line)?.[1] ?? []);
    const rules = lines.filter((line) => line.startsWith("-A ") && line.includes(id));
    const foreign = rules.filter((line) => !chains.includes(line.split(" ")[1] ?? ""));
    if (chains.length + foreign.length === 0) continue;
    const script = [
      `*${table}`,
      ...foreign.map((line) => line.replace("-A ", "-D ")),
      ...chains.map((chain) => `-F ${chain}`),
      ...chains.map((chain) => `-X ${chain}`),
      "COMMIT",
      "",
    ];
    await run("iptables-restore", ["-w", "10", "--noflush"], { input: script.join("\n") });
  }
}

/** Detaches loop devices whose file lies in a folder. */
async function detachDisks(folder: string): Promise<void> {
  const list = await run("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
  for (const line of list.split("\n")) {
    const [device, file] = line.trim().split(/\s+/);
    if (device !== undefined && file?.startsWith(`${folder}/`) === true) {
      await run("losetup", ["--detach", device]);
    }
  }
}

/** Unmounts everything in a folder, the deepest first. */
async function unmountBelow(folder: string): Promise<void> {
  const points = fs
    .readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) await run("umount", ["--lazy", point]);
}

function removeIfEmpty(folder: string): void {
  if (fs.existsSync(folder) && fs.readdirSync(folder).length === 0) fs.rmdirSync(folder);
}
