/** The lab's image registry: Debian's `docker-registry` over storage that was filled when images were built. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { hashOf } from "./cache";
import { type Lab, type LabEnv, writeWhole } from "./env";
import { freePort } from "./ranges";
import { run, succeeds } from "./processes";
import { until } from "./steps";

/** The registry's port on the lab's "internet". */
export const registryPort = 5000;

function configOf(storage: string, address: string, readonly: boolean): string {
  return [
    "version: 0.1",
    "log: { level: warn, accesslog: { disabled: true } }",
    "storage:",
    `  filesystem: { rootdirectory: ${JSON.stringify(storage)} }`,
    `  maintenance: { readonly: { enabled: ${readonly} } }`,
    `http: { addr: ${JSON.stringify(address)} }`,
    "",
  ].join("\n");
}

async function answers(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

/** Runs `work` with a registry that stores into the new folder `storage`, and ends the registry. */
export async function temporaryRegistry(
  storage: string,
  work: (address: string) => Promise<void>,
): Promise<void> {
  fs.mkdirSync(storage, { recursive: true });
  // On the loopback range, where every engine accepts a registry without TLS.
  const address = `127.0.0.1:${await freePort()}`;
  const config = path.join(storage, "config.yml");
  fs.writeFileSync(config, configOf(storage, address, false));
  const registry = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
  const ended = new Promise((resolve) => registry.on("close", resolve).on("error", resolve));
  try {
    await until("the registry for building images does not answer", 20, () => answers(address));
    await work(address);
  } finally {
    registry.kill();
    await ended;
    fs.rmSync(config, { force: true });
  }
}

/** Serves the given storage folders as one registry on the lab's "internet". */
export async function startRegistry(
  lab: Lab,
  env: LabEnv,
  folders: readonly string[],
): Promise<void> {
  const storage = lab.path("registry", hashOf(...folders));
  if (!fs.existsSync(storage)) await merge(folders, storage);
  const address = `${env.registryAddress}:${registryPort}`;
  const config = lab.path("registry", "config.yml");
  // Read-only: its files are links into the cache.
  const wanted = configOf(storage, address, true);
  const daemon = lab.daemon("registry");
  const current = fs.existsSync(config) ? fs.readFileSync(config, "utf8") : "";
  if (daemon.pid !== undefined && current === wanted && (await answers(address))) return;
  await daemon.stop();
  writeWhole(config, wanted);
  daemon.start("docker-registry", ["serve", config]);
  await daemon.ready(20, () => answers(address));
}

/**
 * Lays several storage folders over each other. That is all it takes: a registry's files are named by
 * their content, and no two folders hold the same repository.
 */
async function merge(folders: readonly string[], storage: string): Promise<void> {
  const unfinished = `${storage}.unfinished`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(unfinished, { recursive: true });
  for (const folder of folders) {
    const args = ["--archive", "--force", `${folder}/.`, unfinished];
    // Links instead of copies, unless the cache is on another file system.
    if (!(await succeeds("cp", ["--link", ...args]))) await run("cp", args);
  }
  fs.renameSync(unfinished, storage);
}
