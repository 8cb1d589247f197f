/** The emulated cloud: a Python program (lab/cloud) in a virtual environment of its own. */
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { cached, cachePath, hashOf } from "./cache";
import { clone, type Lab, type LabEnv } from "./env";
import { run } from "./processes";
import { step } from "./steps";

const folder = path.join(clone, "lab", "cloud");

const requirements = path.join(folder, "requirements.txt");

async function pythonHash(): Promise<string> {
  const version = await run("python3", ["-c", "import sys; print(sys.version, sys.prefix)"]);
  return hashOf(fs.readFileSync(requirements, "utf8"), version);
}

/** Returns the virtual environment with the packages of lab/cloud/requirements.txt. */
export async function ensurePython(): Promise<string> {
  const hash = await pythonHash();
  if (fs.existsSync(cachePath("python", hash)))
    return cached("python", hash, () => Promise.resolve());
  return step("installing the cloud's Python packages", (detail) =>
    cached(
      "python",
      hash,
      async (target) => {
        await run("python3", ["-m", "venv", target]);
        // `python -m pip` instead of `pip`: scripts name the path that the folder has now.
        const install = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
        await run(path.join(target, "bin", "python"), [...install, "--requirement", requirements], {
          onLine: (line) => detail(line.trim().slice(0, 60)),
        });
      },
      () => detail("another process is installing them"),
    ),
  );
}

/** True when the lab's cloud runs. */
export function cloudRuns(lab: Lab): boolean {
  return lab.daemon("cloud").pid !== undefined;
}

/** True when the account of the lab's cloud is on disk: with it the cloud can start again. */
export function hasAccount(lab: Lab): boolean {
  return fs.existsSync(lab.path("cloud.state"));
}

/** Starts the cloud when it is not running. It starts the hosts that it had when it ended. */
export async function startCloud(lab: Lab, env: LabEnv, python: string): Promise<void> {
  if (cloudRuns(lab)) return;
  const daemon = lab.daemon("cloud");
  const main = path.join(folder, "main.py");
  const args = ["-u", main, "--env", lab.path("env.json")];
  daemon.start(path.join(python, "bin", "python"), args, { PYTHONDONTWRITEBYTECODE: "1" }, clone);
  await daemon.ready(90, () => connects(env.cloudPort));
}

/** Lets the cloud, which must have ended, remove what it made on this machine, if its packages are there. */
export async function cleanCloud(lab: Lab): Promise<void> {
  const python = cachePath("python", await pythonHash());
  if (!fs.existsSync(python)) return;
  const main = path.join(folder, "main.py");
  await run(path.join(python, "bin", "python"), [main, "--env", lab.path("env.json"), "--clean"], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
}

async function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => end(true));
    socket.on("error", () => end(false));
  });
}
