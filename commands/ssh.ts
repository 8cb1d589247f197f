/** `npm run ssh`: logs in to a host of the stack, or runs one command there. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Problem, runCommand, stackOption } from "./cli";
import { hostNames, sshArgs } from "./hosts";
import { Stack } from "./stack";

/** Runs ssh on this terminal; its exit code, as a shell has it. */
function attached(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("ssh", args, { stdio: "inherit" });
    // The terminal sends Ctrl-C to ssh as well, which knows whom it is for.
    process.on("SIGINT", () => undefined);
    process.once("SIGTERM", () => child.kill());
    child.once("error", (error) => {
      reject(new Problem(`cannot run ssh: ${error.message}; install OpenSSH 8.5 or newer`));
    });
    child.once("close", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

void runCommand(
  {
    name: "ssh",
    summary: [
      "Logs in to a host of the stack, or runs one command there and ends with its exit code.",
      "Without HOST it lists the hosts.",
    ].join("\n"),
    usage: "HOST [--stack NAME] [-- COMMAND…]",
    details: [
      "HOST           server, agents-0, agents-1, …",
      "COMMAND        what the host's shell is given, as ssh does it",
    ],
    options: stackOption,
    positionals: [0, 1],
    runsOther: true,
  },
  async ({ values, positionals: [host], other }) => {
    const outputs = await new Stack(values["stack"] as string | undefined).outputs();
    if (host === undefined) {
      console.log(hostNames(outputs).join("\n"));
      return 0;
    }
    const isTyped = process.stdin.isTTY && process.stdout.isTTY;
    const args = sshArgs(outputs, host, isTyped ? "-t" : "-T");
    return attached(other.length === 0 ? args : [...args, other.join(" ")]);
  },
);
