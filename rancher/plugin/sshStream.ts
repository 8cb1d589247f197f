/** A child process's stdin and stdout as one stream, so that HTTP can be spoken through `ssh`. */
import { type ChildProcess, spawn } from "node:child_process";
import { Duplex } from "node:stream";

/** How much of the process's complaints an error repeats, in characters. */
const STDERR_KEPT = 2_000;

/** Options of {@link processStream}. */
export interface ProcessStreamOptions {
  /** What the stream leads to, for error messages, e.g. `rancher@203.0.113.7`. */
  readonly target: string;
  /** Ends the process and the stream. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a command and returns its stdin and stdout as a stream. The stream fails when the command
 * ends with an error, quoting the end of its stderr; destroying the stream ends the command.
 */
export function processStream(
  command: string,
  args: readonly string[],
  options: ProcessStreamOptions,
): Duplex {
  return new ProcessStream(command, args, options);
}

/** Runs the system's `ssh` with these arguments, see {@link processStream}. */
export function sshStream(args: readonly string[], options: ProcessStreamOptions): Duplex {
  return processStream("ssh", args, options);
}

class ProcessStream extends Duplex {
  private readonly child: ChildProcess;
  private stderr = "";

  constructor(command: string, args: readonly string[], options: ProcessStreamOptions) {
    super({ allowHalfOpen: true });
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.child = child;
    const abort = (): void =>
      void this.destroy(new Error(`connection to ${options.target} given up`));
    child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-STDERR_KEPT);
    });
    // A command that ends early makes writes fail with EPIPE; its exit says why, so wait for that.
    child.stdin.on("error", () => undefined);
    child.once("error", (error) => {
      options.signal?.removeEventListener("abort", abort);
      this.destroy(new Error(`cannot run ${command} for ${options.target}: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      options.signal?.removeEventListener("abort", abort);
      if (code === 0) {
        this.push(null);
        return;
      }
      const said = this.stderr.trim().split("\n").slice(-5).join("; ");
      const how = signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
      this.destroy(
        new Error(
          `${command} to ${options.target} failed (${how})${said === "" ? "" : `: ${said}`}`,
        ),
      );
    });
    if (options.signal?.aborted === true) process.nextTick(abort);
    else options.signal?.addEventListener("abort", abort, { once: true });
  }

  override _read(): void {
    this.child.stdout?.resume();
  }

  override _write(
    chunk: Buffer,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const stdin = this.child.stdin;
    if (stdin === null || !stdin.writable) {
      done();
      return;
    }
    stdin.write(chunk, encoding, () => {
      done();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.child.stdin?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill();
    done(error);
  }

  // What HTTP clients call on a socket; none of it has a meaning for a process.
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    this.child.ref();
    return this;
  }
  unref(): this {
    this.child.unref();
    return this;
  }
}
