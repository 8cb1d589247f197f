/** Taking a backup: both databases and the site's files, streamed from the hosts into one folder. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { serverContainers } from "../config/storage";
import {
  backupFolder,
  digest,
  type Manifest,
  type Part,
  type PartName,
  partNames,
  parts,
  writeManifest,
} from "./backups";
import { formatBytes, Meter, step } from "./progress";
import { runScript } from "./hostScript";
import { contentScript, onAgent, type Site } from "./siteHosts";

/** Counts and sums up what flows through it, so that nothing is read twice. */
class DigestMeter extends Meter {
  private readonly hash = createHash("sha256");

  override _transform(
    chunk: Buffer,
    encoding: BufferEncoding,
    done: (error: null, data: Buffer) => void,
  ) {
    this.hash.update(chunk);
    super._transform(chunk, encoding, done);
  }

  /** Of all that has flowed, hexadecimal; to be asked once. */
  sha256(): string {
    return this.hash.digest("hex");
  }
}

/** Takes one part. @throws Problem */
async function take(site: Site, name: PartName, folder: string): Promise<Part> {
  const { file, what } = parts[name];
  const place = path.join(folder, file);
  let meter = new DigestMeter();
  const output = async (stdout: Readable) => {
    // Afresh for each host that is tried.
    meter = new DigestMeter();
    await pipeline(stdout, meter, fs.createWriteStream(place, { mode: 0o600 }));
  };
  const failure = `saving ${what} failed`;
  const dump = (container: string) =>
    runScript(site.server, failure, { name: "dump-database", args: [container] }, { output });
  const takers: Record<PartName, () => Promise<void>> = {
    siteDatabase: () => dump(serverContainers.siteDatabase),
    rancherDatabase: () => dump(serverContainers.rancherDatabase),
    content: () =>
      onAgent(site, (ssh) =>
        runScript(ssh, failure, contentScript(site, "save-content"), { output }),
      ),
  };
  await step(`saving ${what}`, takers[name], () => formatBytes(meter.bytes));
  return { file, bytes: meter.bytes, sha256: meter.sha256() };
}

/** How the name of a folder begins that is no backup yet; what follows is the process that makes it, and a random part. */
const unfinished = ".unfinished-";

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is somebody else's, and there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether a folder was left by a process that is no more. */
function isAbandoned(name: string): boolean {
  if (!name.startsWith(unfinished)) return false;
  const pid = parseInt(name.slice(unfinished.length), 10);
  // One of this process's own number is of another container, or of before a reboot.
  return pid === process.pid || !isRunning(pid);
}

/** A time as the name of a folder. */
function folderName(time: Date): string {
  return time
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "-");
}

/**
 * Takes a backup and returns its folder, `<root>/<stack>/<time>`. A folder whose name begins with a dot
 * is one that did not become whole; the next backup removes it.
 *
 * @throws Problem with what failed
 */
export async function takeBackup(site: Site, stack: string, root: string): Promise<string> {
  const home = backupFolder(root, stack);
  fs.mkdirSync(home, { recursive: true, mode: 0o700 });
  for (const name of fs.readdirSync(home).filter(isAbandoned)) {
    fs.rmSync(path.join(home, name), { recursive: true });
  }
  const time = new Date();
  const draft = fs.mkdtempSync(path.join(home, `${unfinished}${process.pid}-`));
  const taken: [PartName, Part][] = [];
  // The files last: what a row speaks of is there by then.
  for (const name of partNames) taken.push([name, await take(site, name, draft)]);
  const manifest: Manifest = {
    format: 1,
    stack,
    takenAt: time.toISOString(),
    siteUrl: site.outputs.siteUrl,
    wordpressImage: site.wordpressImage,
    rancher: digest(site.outputs.rancherAccessKey),
    parts: Object.fromEntries(taken) as Record<PartName, Part>,
  };
  writeManifest(draft, manifest);
  const folder = path.join(home, folderName(time));
  fs.renameSync(draft, folder);
  return folder;
}
