/** The processes that the language host starts, each in a process group of its own. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** How long a child may take to end by itself once asked to, in milliseconds. */
const GRACE_MILLIS = 5000;

/** A started process. */
export interface Child {
  readonly process: ChildProcess;
  /** Settles when the process has ended and its output is drained. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Asks the whole process group to end, and kills it when it has not after five seconds. */
  stop(): void;
}

const children = new Set<Child>();

/** Starts a process in its own group, with `options.env` added to this process' environment. */
export function spawnChild(command: string, args: string[], options: SpawnOptions): Child {
  const started = spawn(command, args, {
    ...options,
    env: { ...process.env, ...options.env },
    detached: true,
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      if (started.pid !== undefined) process.kill(-started.pid, signal);
    } catch {
      // The group is gone already, which is what was wanted.
    }
  };
  const child: Child = {
    process: started,
    ended: new Promise((resolve) => {
      started.on("error", (error) => {
        console.error(`cannot start ${command}: ${error.message}`);
        resolve({ code: 1, signal: null });
      });
      started.on("close", (code, signal) => resolve({ code, signal }));
    }),
    stop() {
      signalGroup("SIGTERM");
      const timer = setTimeout(() => signalGroup("SIGKILL"), GRACE_MILLIS);
      void child.ended.then(() => clearTimeout(timer));
    },
  };
  children.add(child);
  void child.ended.then(() => children.delete(child));
  return child;
}

/** Stops every child. */
export function stopAll(): void {
  for (const child of children) child.stop();
}

/** Settles when no child runs any more. */
export async function allEnded(): Promise<void> {
  await Promise.all([...children].map((child) => child.ended));
}
