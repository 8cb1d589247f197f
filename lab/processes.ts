/** Running commands, and background processes that outlive this one and are found again by it. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { childrenWereTold, Interrupted, interrupted, until } from "./steps";

/** How a command is run. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process' environment; undefined removes. */
  readonly env?: NodeJS.ProcessEnv;
  /** Sent to its standard input. */
  readonly input?: string;
  /** Receives each line the command prints, instead of keeping it for the result and the error. */
  readonly onLine?: (line: string) => void;
  /** Show its output as it comes and let it read the terminal. */
  readonly inherit?: boolean;
  /** End it after this many seconds. Default: no limit. */
  readonly timeoutSeconds?: number;
}

/** A command that ended with a code other than 0. */
export class CommandFailed extends Error {
  constructor(
    command: string,
    readonly code: number | null,
    readonly output: string,
  ) {
    const last = output.trim().split("\n").slice(-20).join("\n");
    super(
      `${command} failed${code === null ? "" : ` with code ${code}`}${last === "" ? "" : `:\n${last}`}`,
    );
  }
}

/** How long an interrupted command may take to clean up before it is killed, in milliseconds. */
const GRACE_MILLIS = 60_000;

/** Runs a command to its end and returns what it printed on stdout; throws {@link CommandFailed}. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  if (interrupted.aborted) throw new Interrupted();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: options.inherit === true ? "inherit" : ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let everything = "";
  const collect = (stream: NodeJS.ReadableStream | null, isOut: boolean) => {
    let rest = "";
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      if (isOut) stdout += text;
      everything = (everything + text).slice(-100_000);
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onLine?.(line);
    });
  };
  collect(child.stdout, true);
  collect(child.stderr, false);
  // A command that ends without reading its input is not an error of ours.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.input ?? "");

  const stop = () => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), GRACE_MILLIS).unref();
  };
  // A second signal makes pulumi drop everything, so nothing is sent twice.
  const onInterrupt = () => {
    if (!childrenWereTold()) stop();
  };
  interrupted.addEventListener("abort", onInterrupt);
  const timer =
    options.timeoutSeconds === undefined
      ? undefined
      : setTimeout(stop, options.timeoutSeconds * 1000);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", (error: NodeJS.ErrnoException) => {
        reject(error.code === "ENOENT" ? new Error(`${command} is not installed`) : error);
      });
      child.on("close", resolve);
    });
    if (interrupted.aborted) throw new Interrupted();
    if (code !== 0)
      throw new CommandFailed([command, ...args.slice(0, 3)].join(" "), code, everything);
    return stdout;
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener("abort", onInterrupt);
  }
}

/** True when the command succeeds. */
export async function succeeds(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return false;
  }
}

/** When a process began, in the kernel's clock ticks; undefined when there is none (or a zombie). */
function startOf(pid: number): string | undefined {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** A background process of the lab: `<folder>/<name>.pid` says which, `<logs>/<name>.log` what it said. */
export class Daemon {
  constructor(
    readonly name: string,
    private readonly folder: string,
    private readonly logs: string,
  ) {}

  private get file(): string {
    return path.join(this.folder, `${this.name}.pid`);
  }

  /** Where its output goes. */
  get log(): string {
    return path.join(this.logs, `${this.name}.log`);
  }

  /** Its process id while it runs. The start time guards against a reused id. */
  get pid(): number | undefined {
    try {
      const [pid, start] = fs.readFileSync(this.file, "utf8").trim().split(" ");
      return start !== undefined && startOf(Number(pid)) === start ? Number(pid) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Starts it in a session of its own, so that neither Ctrl-C nor our end reaches it. */
  start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): void {
    fs.mkdirSync(this.folder, { recursive: true });
    fs.mkdirSync(this.logs, { recursive: true });
    const log = fs.openSync(this.log, "a");
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ["ignore", log, log],
    });
    fs.closeSync(log);
    child.on("error", () => undefined);
    child.unref();
    if (child.pid === undefined) throw new Error(`cannot start ${command}; is it installed?`);
    fs.writeFileSync(this.file, `${child.pid} ${startOf(child.pid) ?? ""}\n`);
  }

  /** Waits until it is ready; when it ends before or takes too long, the error shows its last words. */
  async ready(seconds: number, check: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await until(`${this.name} is not ready`, seconds, async () => {
        if (this.pid === undefined) throw new Error(`${this.name} ended while starting`);
        return check();
      });
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const last = fs.readFileSync(this.log, "utf8").trim().split("\n").slice(-15).join("\n");
      throw new Error(`${(error as Error).message}; its log ${this.log} ends with:\n${last}`);
    }
  }

  /** Ends it: politely, and after `seconds` by force. Nothing happens when it does not run. */
  async stop(seconds = 20): Promise<void> {
    const pid = this.pid;
    if (pid !== undefined) {
      process.kill(pid, "SIGTERM");
      const deadline = Date.now() + seconds * 1000;
      while (this.pid !== undefined && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      if (this.pid !== undefined) process.kill(pid, "SIGKILL");
    }
    fs.rmSync(this.file, { force: true });
  }
}
