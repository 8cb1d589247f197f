/** Commands on the stack's hosts, for what other commands look up there. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { sshArgs } from "./hosts";
import type { StackOutputs } from "./stack";

/** How much of the far end's complaints an error repeats, in lines. */
const COMPLAINTS_KEPT = 3;

/** What a command on a host is run with. */
export interface RemoteOptions {
  /** Takes each line of its output as it comes. */
  readonly onLine: (line: string) => void;
  /** Ends it, here and there. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Binds a command of the far end to the connection, whose end is the end of its input: a command that
 * writes nothing would otherwise not notice that nobody listens any more, and stay.
 */
function bound(command: string): string {
  return [
    "exec 3<&0",
    `${command} </dev/null 3<&- & p=$!`,
    "{ cat; kill $p; } <&3 >/dev/null 2>&1 &",
    "exec 3<&-",
    "wait $p",
  ].join("\n");
}

/**
 * Runs a simple command of the host's shell to its end.
 *
 * @throws Error when it fails, with what it said last; never with the command itself
 */
export function remote(
  outputs: Pick<StackOutputs, "sshCommands">,
  host: string,
  command: string,
  { onLine, signal }: RemoteOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("ssh", [...sshArgs(outputs, host, "-T"), bound(command)], {
      stdio: ["pipe", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    const complaints: string[] = [];
    createInterface({ input: child.stdout }).on("line", onLine);
    createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
    child.once("error", (error) => {
      reject(signal?.aborted === true ? new Error("no answer in time") : error);
    });
    child.once("close", (code) => {
      if (code === 0) {
        resolve();
        return;
      }
      const said = complaints.slice(-COMPLAINTS_KEPT).join("; ");
      reject(new Error(said === "" ? `ssh to ${host} ended with ${code ?? "a signal"}` : said));
    });
  });
}

/** The lines that a simple command of the host's shell prints. @throws Error when it fails */
export async function remoteLines(
  outputs: Pick<StackOutputs, "sshCommands">,
  host: string,
  command: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const lines: string[] = [];
  await remote(outputs, host, command, { onLine: (line) => lines.push(line), signal });
  return lines;
}
