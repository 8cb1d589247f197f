/** `npm run status`: how a stack is, on one screen. */
import { runCommand, stackOption } from "./cli";
import { containersOf } from "./containers";
import { serverHost } from "./hosts";
import { rancherClient } from "./rancherConnection";
import { Stack, type StackOutputs } from "./stack";
import { lookAtRancher, lookAtUrl, lastBackup } from "./status/lookups";
import { screen } from "./status/screen";
import type { Status } from "./status/status";
import { judge, type Seen } from "./status/verdict";

/** Longest time for everything that is asked over the network. Milliseconds. */
const DEADLINE_MS = 15_000;

/** The result, or why there is none. What does not heed the deadline is left alone when it is over. */
async function seen<T>(work: Promise<T>, deadline: AbortSignal): Promise<Seen<T>> {
  const over = new Promise<never>((_, reject) => {
    deadline.addEventListener("abort", () => {
      reject(new Error(`no answer within ${DEADLINE_MS / 1000} seconds`));
    });
  });
  try {
    return { value: await Promise.race([work, over]) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

async function look(stack: Stack): Promise<Status> {
  const [outputs, state, config] = await Promise.all([
    stack.outputs(),
    stack.state(),
    stack.plainConfig(),
  ]);
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const client = rancherClient(outputs);
  try {
    const [urls, server, rancher] = await Promise.all([
      Promise.all(urlsOf(outputs).map((url) => lookAtUrl(url, deadline))),
      seen(containersOf(outputs, serverHost, deadline), deadline),
      seen(lookAtRancher(client, deadline), deadline),
    ]);
    const backup = lastBackup(state.names.stack);
    const status = judge({ at: new Date(), outputs, state, config, urls, server, rancher, backup });
    const { text, command } = status.next;
    return {
      ...status,
      next: { text, command: command === null ? null : stack.inCommands(command) },
    };
  } finally {
    client.close();
  }
}

/** The site's own address and one of each host, each once. */
function urlsOf({ siteUrl, siteUrls }: StackOutputs): string[] {
  return [...new Set([siteUrl, ...siteUrls].map((url) => url.replace(/\/$/, "")))];
}

void runCommand(
  {
    name: "status",
    summary:
      "Shows how the stack is: site, hosts, services, versions, backup, and what to do next.\nEnds with 0 when all is well, with 1 when not.",
    usage: "[--json] [--stack NAME]",
    details: ["--json         the same for programs; see commands/status/status.ts"],
    options: { ...stackOption, json: { type: "boolean" } },
  },
  async ({ values }) => {
    const status = await look(new Stack(values["stack"] as string | undefined));
    const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
    console.log(
      values["json"] === true
        ? JSON.stringify(status, undefined, 2)
        : screen(status, { isColoured }),
    );
    return status.isHealthy ? 0 : 1;
  },
);
