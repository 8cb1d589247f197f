/** `npm run ui`: brings Rancher's UI to this machine, for as long as it runs. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ports } from "../config/ports";
import { Problem, runCommand, stackOption } from "./cli";
import { serverHost, sshArgs } from "./hosts";
import { Stack } from "./stack";

/** Between two looks at a tunnel that opens. Milliseconds. */
const LOOK_MS = 200;
/** Longest time for one answer through the tunnel. Milliseconds. */
const ANSWER_MS = 5_000;

/** What keeps a port of this machine from being listened on, or undefined. */
function trouble(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}

/** @throws Problem for a port that is none, or not to be had */
async function checkPort(text: string): Promise<number> {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    throw new Problem(`--port is "${text}"; write a number from 1 to 65535`);
  }
  const reason = await trouble(port);
  if (reason === "EADDRINUSE") {
    for (let other = port + 1; other <= Math.min(port + 20, 65535); other++) {
      if ((await trouble(other)) !== undefined) continue;
      throw new Problem(
        `port ${port} of this machine is taken; end what listens there, or: npm run ui -- --port ${other}`,
      );
    }
  }
  if (reason !== undefined) {
    throw new Problem(
      `cannot listen on port ${port} of this machine (${reason}); choose another: npm run ui -- --port 8081`,
    );
  }
  return port;
}

/** Waits until Rancher answers at the near end, whatever it says; false when `until` is over before. */
async function answers(url: string, until: AbortSignal): Promise<boolean> {
  while (!until.aborted) {
    const signal = AbortSignal.any([until, AbortSignal.timeout(ANSWER_MS)]);
    try {
      await (await fetch(`${url}/ping`, { signal })).body?.cancel();
      return true;
    } catch {
      await sleep(LOOK_MS, undefined, { signal: until }).catch(() => undefined);
    }
  }
  return false;
}

void runCommand(
  {
    name: "ui",
    summary:
      "Brings Rancher's UI to this machine through SSH. It runs until Ctrl-C; nothing else can use the tunnel's port meanwhile.",
    usage: "[--port PORT] [--stack NAME]",
    details: ["--port PORT    of this machine; default: 8080"],
    options: { ...stackOption, port: { type: "string", default: String(ports.rancher.number) } },
  },
  async ({ values }) => {
    const port = await checkPort(values["port"] as string);
    const stack = new Stack(values["stack"] as string | undefined);
    const outputs = await stack.outputs();
    const ends = `127.0.0.1:${port}:127.0.0.1:${ports.rancher.number}`;
    const options = ["-o", "ExitOnForwardFailure=yes", "-N", "-L", ends];
    const tunnel = spawn("ssh", sshArgs(outputs, serverHost, ...options), {
      stdio: ["ignore", "ignore", "inherit"],
    });

    const over = new AbortController();
    let isAsked = false;
    const end = (): void => {
      isAsked = true;
      tunnel.kill();
    };
    process.once("SIGINT", end).once("SIGTERM", end);
    const ended = new Promise<void>((resolve, reject) => {
      tunnel.once("error", (error) => {
        reject(new Problem(`cannot run ssh: ${error.message}; install OpenSSH 8.5 or newer`));
      });
      tunnel.once("close", () => {
        resolve();
      });
    }).finally(() => {
      over.abort();
    });

    const url = `http://127.0.0.1:${port}`;
    const opened = answers(url, over.signal).then((isOpen) => {
      if (!isOpen) return;
      console.log(
        stack.inCommands(
          `Rancher's UI: ${url}, user admin, password: npx pulumi stack output rancherAdminPassword --show-secrets`,
        ),
      );
      console.log("Ctrl-C closes it.");
    });
    await Promise.all([ended, opened]);
    if (isAsked) return 0;
    throw new Problem("the tunnel broke; ssh said why above, and npm run status what is well");
  },
);
