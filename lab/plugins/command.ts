/** Stand-in for the command plugin: `command.local.Command`. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { version } from "@pulumi/command/package.json";
import { diffInputs } from "../../rancher/plugin/diff";
import type { Call, Props } from "../../rancher/plugin/types";
import { checkInputs, flag, map, standIn, text, texts } from "./standIn";

/** Milliseconds between asking a command to end and ending it. */
const KILL_GRACE_MS = 3_000;

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end, showing its lines as they come. */
export async function run(
  script: string,
  inputs: Props,
  before: Props,
  call: Call,
): Promise<Output> {
  const interpreter = texts(inputs, "interpreter");
  const [program = "/bin/sh", ...options] =
    interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"];
  const previous =
    (flag(inputs, "addPreviousOutputInEnv") ?? true)
      ? {
          PULUMI_COMMAND_STDOUT: text(before, "stdout"),
          PULUMI_COMMAND_STDERR: text(before, "stderr"),
        }
      : {};
  const logging = text(inputs, "logging") ?? "stdoutAndStderr";
  call.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    // Its own process group, so that what the command started ends with it.
    const child = spawn(program, [...options, script], {
      cwd: text(inputs, "dir"),
      env: { ...process.env, ...previous, ...map(inputs, "environment") },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const collected = { stdout: [] as Buffer[], stderr: [] as Buffer[], all: [] as Buffer[] };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        collected[name].push(chunk);
        collected.all.push(chunk);
        if (logging !== name && logging !== "stdoutAndStderr") return;
        const lines = chunk
          .toString()
          .split("\n")
          .filter((line) => line.trim() !== "");
        for (const line of lines) call.status(line);
      });
    }
    const signalGroup = (signal: NodeJS.Signals): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // The group is gone already.
      }
    };
    let killer: NodeJS.Timeout | undefined;
    const abort = (): void => {
      signalGroup("SIGTERM");
      killer = setTimeout(() => {
        signalGroup("SIGKILL");
      }, KILL_GRACE_MS);
    };
    const finish = (): void => {
      clearTimeout(killer);
      call.signal.removeEventListener("abort", abort);
    };
    call.signal.addEventListener("abort", abort, { once: true });
    child.once("error", (error) => {
      finish();
      reject(new Error(`cannot run ${program}: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      finish();
      if (code === 0) {
        resolve({ stdout: trimmed(collected.stdout), stderr: trimmed(collected.stderr) });
        return;
      }
      const how = signal === null ? `exit status ${code ?? "unknown"}` : `signal: ${signal}`;
      reject(new Error(`${how}: running ${JSON.stringify(script)}:\n${trimmed(collected.all)}`));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(text(inputs, "stdin") ?? "");
  });
}

function trimmed(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString().replace(/\n$/, "");
}

const local = "command:local:Command";

/** The command plugin. */
export const command = standIn<null>("command", version, {
  configure: () => null,
  resources: {
    [local]: {
      // What a command prints can repeat anything it was given.
      secretOutputs: (secretInputs) => (secretInputs.length > 0 ? ["stdout", "stderr"] : []),
      check: checkInputs(local, {
        shape: {
          create: "string",
          update: "string",
          delete: "string",
          dir: "string",
          environment: "map",
          interpreter: ["string"],
          stdin: "string",
          logging: "string",
          triggers: ["any"],
          addPreviousOutputInEnv: "boolean",
        },
      }),
      diff: ({ oldInputs, inputs }) => diffInputs(oldInputs, inputs, { replace: ["triggers"] }),
      // An update runs the command again, so what it prints is not known before.
      preview: (inputs) => inputs,
      create: async (_, inputs, call) => {
        const script = text(inputs, "create");
        const output =
          script === undefined ? { stdout: "", stderr: "" } : await run(script, inputs, {}, call);
        const id = `${call.urn.split("::").at(-1) ?? ""}${randomBytes(4).toString("hex")}`;
        return { id, outputs: { ...inputs, ...output } };
      },
      read: (_, { id, inputs, outputs }) => Promise.resolve({ state: { id, outputs }, inputs }),
      update: async (_, { old, inputs }, call) => {
        const script = text(inputs, "update") ?? text(inputs, "create");
        const output =
          script === undefined ? { stdout: "", stderr: "" } : await run(script, inputs, old, call);
        return { ...inputs, ...output };
      },
      delete: async (_, { outputs }, call) => {
        const script = text(outputs, "delete");
        if (script !== undefined) await run(script, outputs, outputs, call);
      },
    },
  },
});
