/** How the checks of a stack that is up reach its machines, its Rancher, its site and its backups. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import { ports } from "../../config/ports";
import { Client } from "../../rancher/client/client";
import type { Host, Service, Stack as RancherStack } from "../../rancher/client/types";
import { processStream } from "../../rancher/plugin/sshStream";
import { projectFolder, type Stack, type StackOutputs } from "../stack";
import { once } from "./engine";
import type { RancherAnswers } from "./running";

/** A line of `sshCommands` with further options. */
function withOptions(sshCommand: string, ...options: readonly string[]): string {
  return sshCommand.replace(/^ssh /, `exec ssh ${options.join(" ")} `);
}

/** Quotes one word for the shell of a host, and once more for the one here. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs a command on a host. @throws Error with what ssh or the command complained of */
export function onHost(sshCommand: string, command: string, signal: AbortSignal): Promise<string> {
  const line = `${withOptions(sshCommand, "-T")} ${quoted(command)}`;
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", line], { signal }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else
        reject(
          signal.aborted ? new Error("no answer in time") : new Error(stderr || error.message),
        );
    });
  });
}

/** Rancher behind the server's SSH, asked with the administrator's key. Close it when done. */
export function rancherBehind(outputs: StackOutputs): RancherAnswers & { close(): void } {
  const client = Client.create({
    url: `http://127.0.0.1:${ports.rancher.number}`,
    dial: (host, port) =>
      processStream(
        "sh",
        ["-c", withOptions(outputs.sshCommands["server"] ?? "", "-T", "-W", `${host}:${port}`)],
        { target: "the server" },
      ),
    credentials: {
      kind: "key",
      accessKey: outputs.rancherAccessKey,
      secretKey: outputs.rancherSecretKey,
    },
  });
  // A check ends long before the client gives up by itself.
  const environment = once(() => client.environment(undefined, { retryMs: 10_000 }));
  const list = async <T>(collection: string, signal: AbortSignal) =>
    client.list<T>(`/v2-beta/projects/${await environment()}/${collection}`, {
      signal,
      retryMs: 10_000,
    });
  return {
    hosts: (signal) => list<Host>("hosts", signal),
    services: (signal) => list<Service>("services", signal),
    stacks: (signal) => list<RancherStack>("stacks", signal),
    close: () => {
      client.close();
    },
  };
}

function ask(
  options: https.RequestOptions,
  secure: boolean,
): Promise<{ status: number; location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(options, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, location: answer.headers.location });
    });
    request.on("error", reject);
    request.end();
  });
}

/**
 * A visitor of the site, who comes through one address at a time as if the site's name led there.
 * Where the site is encrypted it is asked by HTTPS, and its certificate must hold.
 */
export function visitor(siteUrl: string) {
  const { host, hostname, protocol } = new URL(siteUrl);
  const secure = protocol === "https:";
  return async (address: string, path: string, signal: AbortSignal): Promise<number> => {
    const { status } = await ask(
      {
        host: address,
        port: (secure ? ports.siteEncrypted : ports.site).number,
        path,
        headers: { host },
        agent: false,
        signal,
        ...(secure ? { servername: hostname } : {}),
      },
      secure,
    );
    return status;
  };
}

/** When the newest backup of a stack was taken, of those in the project's folder. */
export async function newestBackup(
  stack: string,
  folder: string = path.join(projectFolder, "backups"),
): Promise<Date | undefined> {
  const own = path.join(folder, stack);
  const names = await readdir(own).catch(() => []);
  const times = await Promise.all(
    names.map(async (name) => {
      try {
        const text = await readFile(path.join(own, name, "manifest.json"), "utf8");
        return Date.parse(String((JSON.parse(text) as { takenAt?: unknown }).takenAt));
      } catch {
        // One that was interrupted has no manifest, and is no backup.
        return NaN;
      }
    }),
  );
  const newest = Math.max(...times.filter((time) => !Number.isNaN(time)));
  return Number.isFinite(newest) ? new Date(newest) : undefined;
}

/** What `up --refresh` would change, as `update wordpress-service`. */
export async function drift(stack: Stack): Promise<readonly string[]> {
  const text = await stack.pulumi("preview", "--refresh", "--json");
  const { steps = [] } = JSON.parse(text) as { steps?: { op: string; urn: string }[] };
  return steps
    .filter(({ op }) => !["same", "read", "refresh"].includes(op))
    .map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? urn}`);
}
