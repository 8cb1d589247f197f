/**
 * Built artefacts, each in `<cache>/<kind>-<hash of its inputs>`, shared by all clones of a user.
 * An entry is either whole or absent: it is made under another name and renamed.
 */
import { spawn } from "node:child_process";
import * as crypto from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Interrupted, interrupted } from "./steps";

/** An entry that nobody asked for in this many days is removed. */
const KEEP_DAYS = 30;

/** `${XDG_CACHE_HOME:-~/.cache}/rancher-cattle`. */
export function cacheFolder(): string {
  const xdg = process.env["XDG_CACHE_HOME"] ?? "";
  return path.join(xdg === "" ? path.join(os.homedir(), ".cache") : xdg, "rancher-cattle");
}

/** A short hash of texts; the order and the borders between them count. */
export function hashOf(...parts: readonly string[]): string {
  const hash = crypto.createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest("hex").slice(0, 16);
}

/** A hash of a folder: names, contents and executable bits of all files in it. */
export function hashOfFolder(folder: string): string {
  const parts: string[] = [];
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const file = path.join(folder, name);
    const stat = fs.lstatSync(file);
    if (stat.isDirectory() || name.includes("__pycache__")) continue;
    const content = stat.isSymbolicLink() ? fs.readlinkSync(file) : fs.readFileSync(file, "latin1");
    parts.push(name, (stat.mode & 0o100) === 0 ? "-" : "x", content);
  }
  return hashOf(...parts);
}

/**
 * Holds an exclusive lock on a file while `work` runs. The kernel drops the lock when this process
 * dies, however it dies.
 * @param onWait called when another process holds the lock; throwing there gives up.
 */
export async function withLock<T>(
  file: string,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  // Node has no flock. The helper keeps the lock until its standard input closes, that is, until we
  // close it or are gone.
  const helper = spawn("flock", ["--exclusive", file, "sh", "-c", "echo held; cat >/dev/null"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => helper.on("close", () => resolve()));
  const abort = () => helper.kill();
  interrupted.addEventListener("abort", abort);
  const waiting = setTimeout(() => {
    try {
      onWait();
    } catch (error) {
      givenUp = error;
      helper.kill();
    }
  }, 1000);
  let givenUp: unknown;
  try {
    await new Promise<void>((resolve, reject) => {
      helper.on("error", () =>
        reject(new Error("flock is not installed; it is part of util-linux")),
      );
      helper.stdout.once("data", () => resolve());
      void ended.then(() => {
        if (givenUp !== undefined) reject(givenUp as Error);
        else reject(interrupted.aborted ? new Interrupted() : new Error(`cannot lock ${file}`));
      });
    });
    clearTimeout(waiting);
    interrupted.removeEventListener("abort", abort);
    return await work();
  } finally {
    clearTimeout(waiting);
    interrupted.removeEventListener("abort", abort);
    helper.stdin.end();
    await ended;
  }
}

/** Where the entry is, or would be. */
export function cachePath(kind: string, hash: string): string {
  return path.join(cacheFolder(), `${kind}-${hash}`);
}

/**
 * Returns the path of an artefact, building it when it is missing. Two processes that want the same
 * one build it once; a build that fails or is interrupted leaves nothing.
 * @param build makes the artefact at the path it is given (a file or a folder; nothing is there yet).
 * @param onWait called when another process is building the same thing.
 */
export async function cached(
  kind: string,
  hash: string,
  build: (target: string) => Promise<void>,
  onWait: () => void = () => undefined,
): Promise<string> {
  const final = cachePath(kind, hash);
  if (!fs.existsSync(final)) {
    await withLock(path.join(cacheFolder(), "locks", `${kind}-${hash}`), onWait, async () => {
      if (fs.existsSync(final)) return;
      const unfinished = path.join(cacheFolder(), `unfinished-${kind}-${hash}`);
      // Left by a build that was killed; the lock says that nobody is at it now.
      fs.rmSync(unfinished, { recursive: true, force: true });
      try {
        await build(unfinished);
        fs.renameSync(unfinished, final);
      } finally {
        fs.rmSync(unfinished, { recursive: true, force: true });
      }
    });
  }
  const now = new Date();
  fs.utimesSync(final, now, now);
  return final;
}

/** Removes entries that nobody asked for in the last 30 days. */
export function pruneCache(now = Date.now()): void {
  const folder = cacheFolder();
  if (!fs.existsSync(folder)) return;
  for (const name of fs.readdirSync(folder)) {
    const entry = path.join(folder, name);
    const ageDays = (now - fs.statSync(entry).mtimeMs) / 86_400_000;
    if (name !== "locks" && ageDays > KEEP_DAYS) fs.rmSync(entry, { recursive: true, force: true });
  }
}
