import { readFileSync } from "node:fs";
import * as path from "node:path";
import type { HostFile } from "./cloudConfig";

/** Folder of the shell scripts, POSIX sh all of them: RancherOS has busybox. */
const folder = path.join(__dirname, "scripts");

/** Where scripts stand on a host. `/opt` is kept when RancherOS replaces its console. */
export const hostFolder = "/opt/rancher-cattle";

/** Folder of the PHP code that containers of the site are given. */
const phpFolder = path.join(__dirname, "php");

/** One file of PHP, by its name without `.php`, as `eval` and `php -r` take it: without its tag. */
export function readPhp(name: string): string {
  return readFileSync(path.join(phpFolder, `${name}.php`), "utf8").replace(/^<\?php\n/, "");
}

/** One script of the folder as an executable file of a host, by its name without `.sh`. */
export function scriptFile(name: string): HostFile {
  return { path: `${hostFolder}/${name}.sh`, permissions: "0755", content: readScript(name) };
}

/** The text of one script of the folder, by its name without `.sh`. */
export function readScript(name: string): string {
  return readFileSync(path.join(folder, `${name}.sh`), "utf8");
}
