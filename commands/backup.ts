/** `npm run backup` */
import * as path from "node:path";
import { defaultRoot, readManifest } from "./backups";
import { runCommand, stackOption } from "./cli";
import { formatBytes } from "./progress";
import { findSite } from "./siteHosts";
import { Stack } from "./stack";
import { takeBackup } from "./takeBackup";

void runCommand(
  {
    name: "backup",
    summary:
      "Takes a backup of a stack that is up: the site's database, Rancher's database and the site's files, each with\n" +
      "its checksum. The site goes on meanwhile. The folder holds password hashes and Rancher's keys: keep it like one.",
    usage: "[--output FOLDER] [--stack NAME]",
    details: ["--output FOLDER   where backups go, a folder a stack; default: backups"],
    options: { ...stackOption, output: { type: "string" } },
  },
  async ({ values }) => {
    const stack = new Stack(values["stack"] as string | undefined);
    const root = path.resolve((values["output"] as string | undefined) ?? defaultRoot);
    const [site, name] = await Promise.all([findSite(stack), stack.name()]);
    const folder = await takeBackup(site, name, root);
    for (const { file, bytes, sha256 } of Object.values(readManifest(folder).parts)) {
      console.log(`${sha256}  ${file}  ${formatBytes(bytes)}`);
    }
    console.log(`\nThe backup: ${path.relative(process.cwd(), folder)}`);
    return 0;
  },
);
