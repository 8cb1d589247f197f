/** Scripts on a stack's hosts, with data streamed in and out. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { shellQuote } from "../config/shell";
import { Problem } from "./cli";
import { shellWords } from "./hosts";

/** The text of a file of `scripts/` or `php/`. */
export function readText(...parts: string[]): string {
  return readFileSync(path.join(__dirname, ...parts), "utf8");
}

/** A script of `scripts/`, by its name without `.sh`, with its arguments. */
export interface Script {
  readonly name: string;
  readonly args: readonly string[];
}

/** What a script reads and where its output goes. */
export interface Streams {
  /** @default nothing */
  readonly input?: Readable;
  /** Takes what the script prints; ends when it does. */
  readonly output: (stdout: Readable) => Promise<void>;
}

/** A script that ended badly. */
export class ScriptFailed extends Problem {
  constructor(
    what: string,
    /** What it ended with; 255 means that ssh did not get there. */
    readonly code: number,
    /** The last of what it said. */
    readonly said: string,
  ) {
    super(`${what}: ${said === "" ? `it ended with ${code}` : said}`);
  }
}

/** Lines of a complaint that are shown. */
const SHOWN_LINES = 5;

/**
 * Runs a script on a host.
 *
 * @param ssh the command line of ssh up to the host, from the output `sshCommands`
 * @param what is told when it fails
 * @throws ScriptFailed with the last that the script said
 */
export async function runScript(
  ssh: string,
  what: string,
  script: Script,
  { input, output }: Streams,
): Promise<void> {
  const words = ["sh", "-c", readText("scripts", `${script.name}.sh`), script.name, ...script.args];
  // 255 is ssh's own, by which whoever calls knows that nothing has begun.
  const remote = `${words.map(shellQuote).join(" ")}; code=$?; [ $code -ne 255 ] || code=1; exit $code`;
  const [program = "ssh", ...args] = shellWords(ssh);
  const child = spawn(program, [...args, remote], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const sent =
    input === undefined ? Promise.resolve(child.stdin.end()) : pipeline(input, child.stdin);
  // A script that ends early is told by its exit code, which says more than a broken pipe.
  const [code, sending, reading] = await Promise.all([
    ended,
    sent.then(() => undefined, asError),
    output(child.stdout).then(() => undefined, asError),
  ]);
  // What is wrong on this machine, such as a full disk, ends the script too.
  if (reading !== undefined) throw new Problem(`${what}: ${reading.message}`);
  if (code !== 0) {
    const lines = said.split("\n").filter((line) => line.trim() !== "");
    throw new ScriptFailed(what, code, lines.slice(-SHOWN_LINES).join("; "));
  }
  if (sending !== undefined) throw new Problem(`${what}: ${sending.message}`);
}

/** Runs a script on a host and returns what it printed. @throws ScriptFailed */
export async function askScript(
  ssh: string,
  what: string,
  script: Script,
  input?: Readable,
): Promise<string> {
  let text = "";
  const output = async (stdout: Readable) => {
    for await (const chunk of stdout) text += String(chunk);
  };
  await runScript(ssh, what, script, input === undefined ? { output } : { input, output });
  return text.trim();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
