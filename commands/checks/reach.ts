/** How the checks of a stack that is up reach its machines, its Rancher and its site. */
import * as http from "node:http";
import * as https from "node:https";
import { ports } from "../../config/ports";
import type { Host, Service, Stack as RancherStack } from "../../rancher/client/types";
import { rancherClient } from "../rancherConnection";
import type { Stack, StackOutputs } from "../stack";
import { once } from "./engine";
import type { RancherAnswers } from "./running";

/** Longest times for an answer, in milliseconds: shorter than a check's own, so that it says who did not. */
const rancherMs = 20_000;
const siteMs = 10_000;

/** Rancher behind the server's SSH, asked with the administrator's key. Close it when done. */
export function rancherBehind(outputs: StackOutputs): RancherAnswers & { close(): void } {
  const client = rancherClient(outputs);
  // A check ends long before the client gives up by itself.
  const environment = once(() => client.environment(undefined, { retryMs: 10_000 }));
  const list = <T>(collection: string, signal: AbortSignal) =>
    inTime(rancherMs, signal, async (ends) =>
      client.list<T>(`/v2-beta/projects/${await environment()}/${collection}`, {
        signal: ends,
        retryMs: 10_000,
      }),
    );
  return {
    hosts: (signal) => list<Host>("hosts", signal),
    services: (signal) => list<Service>("services", signal),
    stacks: (signal) => list<RancherStack>("stacks", signal),
    close: () => {
      client.close();
    },
  };
}

/** Rejects when an answer takes longer, and ends the work with it. @throws Error that says so */
async function inTime<T>(
  milliseconds: number,
  signal: AbortSignal,
  work: (ends: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(milliseconds);
  const isLate = new Promise<never>((_, reject) => {
    late.addEventListener("abort", () => {
      reject(new Error(`no answer within ${milliseconds / 1000} s`));
    });
  });
  return Promise.race([isLate, work(AbortSignal.any([signal, late]))]);
}

/** The status of the answer. */
function ask(options: https.RequestOptions, secure: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on("error", reject);
    request.end();
  });
}

/**
 * A visitor of the site, who comes through one address at a time as if the site's name led there.
 * Where the site is encrypted it is asked by HTTPS, and its certificate must hold.
 */
export function visitor(
  siteUrl: string,
  { answerMs, port }: { readonly answerMs: number; readonly port?: number } = { answerMs: siteMs },
) {
  const { host, hostname, protocol } = new URL(siteUrl);
  const secure = protocol === "https:";
  return async (address: string, path: string, signal: AbortSignal): Promise<number> => {
    const options = {
      host: address,
      port: port ?? (secure ? ports.siteEncrypted : ports.site).number,
      path,
      headers: { host },
      agent: false,
      ...(secure ? { servername: hostname } : {}),
    };
    return inTime(answerMs, signal, (ends) => ask({ ...options, signal: ends }, secure));
  };
}

/** What `up --refresh` would change, as `update wordpress-service`. */
export async function drift(stack: Stack): Promise<readonly string[]> {
  const text = await stack.pulumi("preview", "--refresh", "--json");
  const { steps = [] } = JSON.parse(text) as { steps?: { op: string; urn: string }[] };
  return steps
    .filter(({ op }) => !["same", "read", "refresh"].includes(op))
    .map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? urn}`);
}
