/** `npm run check`: whether a stack that is up is well. */
import { exitCodes } from "./checks/exitCodes";
import { defaultRoot, newestBackup } from "./backups";
import { drift, rancherBehind, visitor } from "./checks/reach";
import { run, styleOf } from "./checks/report";
import { runningChecks } from "./checks/running";
import { Problem, runCommand, stackOption } from "./cli";
import { remoteLines } from "./hostCommand";
import { Stack } from "./stack";

/** A night's backup that failed is noticed; one that is running is not. */
const defaultBackupHours = 36;

function hours(given: string | undefined): number {
  if (given === undefined) return defaultBackupHours;
  if (/^\d{1,5}$/.test(given) && Number(given) > 0) return Number(given);
  throw new Problem(`--backup-hours: "${given}" is not a number of hours; give one, such as 36`);
}

/** When the newest backup of a stack was taken, of those in the project's folder. */
function newestTime(stack: string): Date | undefined {
  const newest = newestBackup(defaultRoot, stack);
  return newest === undefined ? undefined : new Date(newest.manifest.takenAt);
}

void runCommand(
  {
    name: "check",
    summary:
      "Looks whether a stack that is up is well: machines, Rancher, the site, the last backup, drift. Changes nothing.",
    usage: "[--stack NAME] [--json] [--backup-hours N]",
    details: [
      `--backup-hours N   age that the newest backup may have; default: ${defaultBackupHours}`,
      "--json             one JSON document instead of lines",
      `exit code          0: nothing failed, ${exitCodes.drift}: nothing but drift, ${exitCodes.failed}: something else`,
    ],
    options: { ...stackOption, json: { type: "boolean" }, "backup-hours": { type: "string" } },
  },
  async ({ values }) => {
    const backupHours = hours(values["backup-hours"] as string | undefined);
    const stack = new Stack(values["stack"] as string | undefined);
    const [name, outputs] = await Promise.all([stack.name(), stack.outputs()]);
    const rancher = rancherBehind(outputs);
    try {
      const groups = runningChecks({
        outputs,
        rancher,
        onHost: (host, command, signal) => remoteLines(outputs, host, command, signal),
        visit: visitor(outputs.siteUrl),
        newestBackup: () => Promise.resolve(newestTime(name)),
        backupHours,
        drift: () => drift(stack),
        now: new Date(),
      });
      const { ok, checks } = await run(groups, {
        stack: name,
        commands: (text) => stack.inCommands(text),
        json: values["json"] === true,
        style: styleOf(process.stdout, process.env),
        print: (text) => {
          console.log(text);
        },
      });
      if (ok) return exitCodes.ok;
      const failed = checks.filter(({ status }) => status === "fail");
      return failed.every(({ id }) => id === "stack.drift") ? exitCodes.drift : exitCodes.failed;
    } finally {
      rancher.close();
    }
  },
);
