/** `npm run logs`: what the containers of a service have said, on all hosts at once. */
import { Problem, runCommand, stackOption } from "./cli";
import { chosen, containersOf, type HostContainer } from "./containers";
import { hostNames, sshArgs } from "./hosts";
import { checkWanted, labels, logCommand, parseLine, type Wanted } from "./logLines";
import { remote } from "./hostCommand";
import { Stack, type StackOutputs } from "./stack";

/** Longest time for looking at the hosts. Milliseconds. */
const LOOK_MS = 20_000;

/** What could not be done; the rest is shown. */
const complaints: string[] = [];

/** The containers of those hosts that can be asked. */
async function look(outputs: StackOutputs, hosts: readonly string[]): Promise<HostContainer[]> {
  const signal = AbortSignal.timeout(LOOK_MS);
  const ask = async (host: string): Promise<HostContainer[]> => {
    try {
      return await containersOf(outputs, host, signal);
    } catch (error) {
      complaints.push(`cannot ask ${host}: ${(error as Error).message}`);
      return [];
    }
  };
  return (await Promise.all(hosts.map(ask))).flat();
}

/** Prints the lines of all containers: in the order of their times, or as they come. */
async function show(
  outputs: StackOutputs,
  containers: readonly HostContainer[],
  wanted: Wanted,
): Promise<void> {
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  const marks = labels(containers, isColoured);
  const lines: { readonly time: string; readonly line: string }[] = [];

  const read = async ({ host, id, name }: HostContainer, mark: string): Promise<void> => {
    const onLine = (whole: string): void => {
      const { time, text } = parseLine(whole);
      const line = `${mark} ${text}`;
      if (wanted.follow) console.log(line);
      else lines.push({ time, line });
    };
    try {
      await remote(outputs, host, logCommand(id, wanted), { onLine, signal: stopped.signal });
    } catch (error) {
      if (stopped.signal.aborted) return;
      complaints.push(`${name} on ${host}: ${(error as Error).message}`);
    }
  };
  await Promise.all(containers.map((container, index) => read(container, marks[index] ?? "")));
  // Sorting keeps the order of equal times.
  lines.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
  for (const { line } of lines) console.log(line);
}

void runCommand(
  {
    name: "logs",
    summary:
      "Shows what the containers of a service have said, on all hosts, in the order of time.",
    usage: "SERVICE [--host HOST] [--since TIME] [--tail N] [-f] [--stack NAME]",
    details: [
      "SERVICE        web, balancer, rancher, rancher-db, site-db, … or one container's name",
      "--host HOST    of this host only",
      "--since TIME   a span such as 10m, or a time such as 2026-01-31T08:00:00Z",
      "--tail N       the last N lines of each container, or all; default: 100, with --since all",
      "-f, --follow   and what they say from now on, until Ctrl-C",
    ],
    options: {
      ...stackOption,
      host: { type: "string" },
      since: { type: "string" },
      tail: { type: "string" },
      follow: { type: "boolean", short: "f" },
    },
    positionals: [1, 1],
  },
  async ({ values, positionals: [service = ""] }) => {
    const wanted: Wanted = {
      since: values["since"] as string | undefined,
      tail: values["tail"] as string | undefined,
      follow: values["follow"] === true,
    };
    checkWanted(wanted);
    const outputs = await new Stack(values["stack"] as string | undefined).outputs();
    const only = values["host"] as string | undefined;
    // Names what there is when there is no such host.
    if (only !== undefined) sshArgs(outputs, only);
    const containers = await look(outputs, only === undefined ? hostNames(outputs) : [only]);
    try {
      await show(outputs, chosen(containers, service), wanted);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      throw new Problem([...complaints, error.message].join("\n"));
    }
    for (const complaint of complaints) console.error(`logs: ${complaint}`);
    return complaints.length === 0 ? 0 : 1;
  },
);
