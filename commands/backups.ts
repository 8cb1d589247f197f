/** Backups as folders of this machine: what is in one, and whether it is whole. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { Problem } from "./cli";
import { projectFolder } from "./stack";

/** Where backups go when nothing else is said. */
export const defaultRoot = path.join(projectFolder, "backups");

/** What a backup consists of, each a file. */
export const parts = {
  siteDatabase: { file: "site.sql.gz", what: "the site's database" },
  rancherDatabase: { file: "rancher.sql.gz", what: "Rancher's database" },
  content: { file: "wp-content.tar.gz", what: "the site's files" },
} as const satisfies Record<string, { file: string; what: string }>;

/** The name of a part. */
export type PartName = keyof typeof parts;

/** All parts, in the order they are taken: a file that a row speaks of is there when its row is. */
export const partNames = Object.keys(parts) as readonly PartName[];

/** One part as the manifest knows it. */
export interface Part {
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 of the file, hexadecimal. */
  readonly sha256: string;
}

/** `manifest.json`: written last, so that a folder that has one is whole. */
export interface Manifest {
  /** Version of this format. */
  readonly format: 1;
  readonly stack: string;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
  /** The site's address at that time. */
  readonly siteUrl: string;
  /** Image of WordPress at that time. */
  readonly wordpressImage: string;
  /** Tells one Rancher from another: SHA-256 of the program's own key in it. */
  readonly rancher: string;
  readonly parts: Readonly<Record<PartName, Part>>;
}

const manifestFile = "manifest.json";

/** Folder of a stack's backups. */
export function backupFolder(root: string, stack: string): string {
  return path.join(root, stack);
}

/** SHA-256 of a text, hexadecimal. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Size and SHA-256 of a file. */
async function measure(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(fs.createReadStream(file), hash);
  return { bytes: fs.statSync(file).size, sha256: hash.digest("hex") };
}

/** Writes the manifest, which makes the folder a backup. */
export function writeManifest(folder: string, manifest: Manifest): void {
  const file = path.join(folder, manifestFile);
  fs.writeFileSync(file, `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: 0o600 });
}

/** Reads a folder's manifest. @throws Problem when it is no backup, or of a format that is not known */
export function readManifest(folder: string): Manifest {
  const file = path.join(folder, manifestFile);
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(fs.readFileSync(file, "utf8")) as Partial<Manifest>;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "has no" : "has a broken";
    throw new Problem(
      `${folder} ${reason} ${manifestFile}; name a folder that npm run backup made`,
    );
  }
  if (manifest.format !== 1) {
    throw new Problem(
      `${folder} is of format ${String(manifest.format)}, and this version reads 1; use the version that made it`,
    );
  }
  return manifest as Manifest;
}

/** The newest backup of a stack: its folder and manifest; undefined when there is none. */
export function newestBackup(
  root: string,
  stack: string,
): { folder: string; manifest: Manifest } | undefined {
  const folder = backupFolder(root, stack);
  if (!fs.existsSync(folder)) return undefined;
  const whole = fs
    .readdirSync(folder)
    .map((name) => path.join(folder, name))
    .filter((one) => fs.existsSync(path.join(one, manifestFile)))
    .map((one) => ({ folder: one, manifest: readManifest(one) }));
  return whole.sort((a, b) => a.manifest.takenAt.localeCompare(b.manifest.takenAt)).at(-1);
}

/** Compares every file with the manifest. @throws Problem with all that is wrong */
export async function verify(folder: string, manifest: Manifest): Promise<void> {
  const problems = await Promise.all(
    Object.values(manifest.parts).map(async ({ file, bytes, sha256 }) => {
      const place = path.join(folder, file);
      if (!fs.existsSync(place)) return `${file} is missing`;
      const found = await measure(place);
      if (found.bytes !== bytes) return `${file} has ${found.bytes} bytes instead of ${bytes}`;
      return found.sha256 === sha256 ? undefined : `${file} was changed: its checksum differs`;
    }),
  );
  const wrong = problems.filter((problem) => problem !== undefined);
  if (wrong.length > 0) {
    throw new Problem(`${folder} is damaged, and nothing was restored: ${wrong.join("; ")}`);
  }
}
