import { readFileSync } from "node:fs";
import * as path from "node:path";

/** Folder of the shell scripts, POSIX sh all of them: RancherOS has busybox. */
const folder = path.join(__dirname, "scripts");

/** Where scripts stand on a host. `/opt` is kept when RancherOS replaces its console. */
export const hostFolder = "/opt/rancher-cattle";

/** The text of one script of the folder, by its name without `.sh`. */
export function readScript(name: string): string {
  return readFileSync(path.join(folder, `${name}.sh`), "utf8");
}
