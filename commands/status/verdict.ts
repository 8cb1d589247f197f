/** From what was seen of a stack to whether it is well, and what to do next. */
import type { HostContainer } from "../containers";
import { serverHost } from "../hosts";
import type { StackOutputs } from "../stack";
import { numberAt, type StackState, textAt } from "../state";
import type { RancherSight } from "./lookups";
import type { BackupStatus, ContainerStatus, HostStatus, Status, UrlStatus } from "./status";

/** What was looked up, or why it could not be. */
export type Seen<T> = { readonly value: T } | { readonly problem: string };

/** All that was seen. */
export interface Sight {
  readonly at: Date;
  readonly outputs: Pick<StackOutputs, "agentHosts" | "serverAddress" | "siteUrl">;
  readonly state: StackState;
  /** The configuration's plain values by full key. */
  readonly config: Readonly<Record<string, { readonly value?: string }>>;
  readonly urls: readonly UrlStatus[];
  readonly server: Seen<readonly HostContainer[]>;
  readonly rancher: Seen<RancherSight>;
  readonly backup: BackupStatus | undefined;
}

/** Days after which another backup is suggested. */
const BACKUP_DAYS = 7;

/** A container of the server that ends when its work is done. */
const oneTime = new Set(["site-installer"]);

function containerStatus(
  { name, image, status }: HostContainer,
  state: StackState,
): ContainerStatus {
  const isDone = oneTime.has(name) && status.startsWith("Exited (0)");
  const isUp = status.startsWith("Up ") && !/\((unhealthy|health: starting|Paused)\)/.test(status);
  // Docker is given the image's id and knows no other name for it.
  const tagged = state.find("docker:index/remoteImage:RemoteImage", name)?.inputs;
  return { name, image: textAt(tagged, "name") ?? image, state: status, isWell: isDone || isUp };
}

function hostStatuses({ outputs, server, rancher }: Sight): HostStatus[] {
  const own = "value" in server ? server.value.filter(isRunning).length : null;
  const first = {
    name: serverHost,
    address: outputs.serverAddress,
    state: null,
    containers: own,
  };
  const agents = outputs.agentHosts.map(({ name, address, rancherHostId }) => {
    if (!("value" in rancher)) return { name, address, state: "unknown", containers: null };
    const seen = rancher.value.hosts.get(rancherHostId);
    return { name, address, state: seen?.state ?? "missing", containers: seen?.containers ?? null };
  });
  return [first, ...agents];
}

function isRunning({ status }: HostContainer): boolean {
  return status.startsWith("Up ");
}

/** A problem, and the step that leads out of it. */
interface Finding {
  readonly problem: string;
  readonly next: Status["next"];
}

const step = (text: string, command: string | null = null): Status["next"] => ({ text, command });

function findings(
  sight: Sight,
  hosts: readonly HostStatus[],
  containers: readonly ContainerStatus[],
): Finding[] {
  const found: Finding[] = [];
  const { state, server, rancher, urls } = sight;
  if (state.isInterrupted) {
    found.push({
      problem: "an `up` was killed, and nobody knows how far it came",
      next: step(
        "let Pulumi look at what there is, then run up again",
        "npx pulumi cancel; npx pulumi refresh --clear-pending-creates; npx pulumi up",
      ),
    });
  }
  if ("problem" in server) {
    found.push({
      problem: `the server cannot be reached by SSH: ${server.problem}`,
      next: step(
        "see that your address is in adminCidrs, your key in ssh-agent, and the machine up",
        "npm run ssh server",
      ),
    });
  }
  for (const { name, state: words, isWell } of containers) {
    if (isWell) continue;
    found.push({
      problem: `container ${name} on the server: ${words}`,
      next: step("see what it says", `npm run logs ${name}`),
    });
  }
  if ("value" in server) {
    const expected = state
      .all("docker:index/container:Container")
      .map(({ inputs }) => inputs?.["name"]);
    for (const name of expected) {
      if (typeof name !== "string" || containers.some((container) => container.name === name))
        continue;
      found.push({
        problem: `container ${name} is gone from the server`,
        next: step("have Pulumi notice and make it again", "npx pulumi refresh; npx pulumi up"),
      });
    }
  }
  if ("problem" in rancher) {
    found.push({
      problem: `Rancher cannot be asked: ${rancher.problem}`,
      next: step("see what Rancher says", "npm run logs rancher"),
    });
  } else {
    for (const { name, state: word } of hosts) {
      if (word === null || word === "active") continue;
      found.push({
        problem: `host ${name} is ${word} in Rancher`,
        next: step(
          "see whether the machine lives; replace one that is dead",
          `npx pulumi up --replace '**::${name}-instance'`,
        ),
      });
    }
    for (const service of rancher.value.services) {
      if (service.isWell) continue;
      const { name, state: word, health, running, wanted } = service;
      found.push({
        problem: `service ${name} is ${word}, ${health}, ${running} of ${wanted} running`,
        next: step("see what its containers say", `npm run logs ${name}`),
      });
    }
  }
  for (const { url, problem } of urls) {
    if (problem === null) continue;
    found.push({
      problem: `${url}: ${problem}`,
      next: step("see what the load balancers say", "npm run logs balancer"),
    });
  }
  return found;
}

/** What a number of the configuration differs in from what is deployed. */
function notDeployed({ config, state }: Sight): string | undefined {
  const wanted = (key: string): number | undefined => {
    const value = config[`${state.names.project}:${key}`]?.value;
    return value === undefined ? undefined : Number(value);
  };
  const deployed = {
    wordpressScale: numberAt(state.all("rancher:index:Service")[0]?.inputs, "scale"),
    agentCount: state.all("rancher:index:Host").length,
  };
  for (const [key, now] of Object.entries(deployed)) {
    const then = wanted(key);
    if (then !== undefined && now !== undefined && then !== now) {
      return `the configuration's ${key} is ${then}, deployed is ${now}`;
    }
  }
  return undefined;
}

/** How the scale in Rancher differs from what Pulumi has set. */
function scaledByHand({ rancher, state }: Sight): string | undefined {
  if (!("value" in rancher)) return undefined;
  const stacks = new Map(
    state.all("rancher:index:Stack").map(({ id, inputs }) => [id, inputs?.["name"]]),
  );
  for (const { inputs } of state.all("rancher:index:Service")) {
    const name = `${String(stacks.get(String(inputs?.["stackId"])))}/${String(inputs?.["name"])}`;
    const scale = numberAt(inputs, "scale");
    const there = rancher.value.services.find((service) => service.name === name);
    if (there !== undefined && scale !== undefined && there.wanted !== scale) {
      return `Rancher runs ${name} ${there.wanted} times, Pulumi has set ${scale}`;
    }
  }
  return undefined;
}

function nextWhenHealthy(sight: Sight): Status["next"] {
  const waiting = notDeployed(sight);
  if (waiting !== undefined) return step(waiting, "npx pulumi up");
  const moved = scaledByHand(sight);
  if (moved !== undefined) return step(moved, "npx pulumi up --refresh");
  if (sight.backup === undefined) return step("take the first backup", "npm run backup");
  const days = Math.floor((sight.at.getTime() - Date.parse(sight.backup.takenAt)) / 86_400_000);
  if (days >= BACKUP_DAYS) {
    return step(`take a backup: the last one is ${days} days old`, "npm run backup");
  }
  return step(`nothing; the site is at ${sight.outputs.siteUrl}`);
}

/** The verdict, and all that it rests on. */
export function judge(sight: Sight): Status {
  const { state, server, rancher } = sight;
  const hosts = hostStatuses(sight);
  const containers =
    "value" in server ? server.value.map((container) => containerStatus(container, state)) : [];
  const found = findings(sight, hosts, containers);
  return {
    stack: state.names.stack,
    at: sight.at.toISOString(),
    updatedAt: state.updatedAt ?? null,
    isHealthy: found.length === 0,
    problems: found.map(({ problem }) => problem),
    urls: sight.urls,
    hosts,
    services: "value" in rancher ? rancher.value.services : [],
    containers,
    rancherVersion: "value" in rancher ? rancher.value.version : null,
    backup: sight.backup ?? null,
    isProtected: state.find("aws:ebs/volume:Volume", "data-volume")?.protect === true,
    next: found[0]?.next ?? nextWhenHealthy(sight),
  };
}
