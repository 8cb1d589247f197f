/** Checks of a stack that is up: its machines, Rancher, the site, its backups, and drift. */
import type { Host, Service, Stack as RancherStack } from "../../rancher/client/types";
import { isLeaving } from "../../rancher/client/types";
import { healthPath } from "../../config/siteHealth";
import { hostNames } from "../hosts";
import { wellHealth } from "../rancherConnection";
import type { StackOutputs } from "../stack";
import { type Check, fail, type Found, type Group, pass, unknown } from "./engine";

/** What Rancher has in the site's environment. Each rejects in good time when Rancher does not answer. */
export interface RancherAnswers {
  hosts(signal: AbortSignal): Promise<readonly Host[]>;
  services(signal: AbortSignal): Promise<readonly Service[]>;
  stacks(signal: AbortSignal): Promise<readonly RancherStack[]>;
}

/** What {@link runningChecks} look at. */
export interface RunningChecksArgs {
  readonly outputs: StackOutputs;
  readonly rancher: RancherAnswers;
  /** Runs a command on a host by its name; rejects with what was said when it fails. */
  readonly onHost: (host: string, command: string, signal: AbortSignal) => Promise<unknown>;
  /** The status of a request to the site through one address; follows nothing. Rejects in good time without one. */
  readonly visit: (address: string, path: string, signal: AbortSignal) => Promise<number>;
  /** When the newest backup was taken; undefined when there is none. */
  readonly newestBackup: () => Promise<Date | undefined>;
  /** Age that a backup may have, in hours. */
  readonly backupHours: number;
  /** What a preview after a refresh would change, such as `update wordpress-service`. */
  readonly drift: () => Promise<readonly string[]>;
  readonly now: Date;
}

/** Says of each thing what is wrong with it; the things that are well are left out. */
async function problemsOf<T>(
  things: readonly T[],
  problemOf: (thing: T) => Promise<string | undefined>,
): Promise<readonly string[]> {
  return (await Promise.all(things.map(problemOf))).flatMap((problem) => problem ?? []);
}

/** The last line that a failed command left. */
function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").at(-1) ?? "";
}

function machineChecks({ outputs, onHost }: RunningChecksArgs): Group {
  return {
    title: "machines",
    checks: [
      {
        id: "machines.reachable",
        title: "every machine answers SSH and runs Docker",
        run: async (signal) => {
          const hosts = hostNames(outputs);
          const asked = "docker version --format '{{.Server.Version}}'";
          const problems = await problemsOf(hosts, async (name) =>
            onHost(name, asked, signal).then(
              () => undefined,
              (error: unknown) => `${name}: ${lastLine(error)}`,
            ),
          );
          if (problems.length === 0) return pass(`${hosts.length} of them`);
          return fail(
            [`${problems.length} of ${hosts.length} do not`, ...problems].join("\n"),
            "a dead machine is made anew with: npx pulumi up --replace '**::agents-0-instance'",
          );
        },
      },
    ],
  };
}

/** That Rancher does not answer is a finding: a stack whose Rancher is dead is not well. */
async function heard<T>(answer: Promise<T>): Promise<T | Found> {
  try {
    return await answer;
  } catch (error) {
    return fail(
      `Rancher does not answer: ${lastLine(error)}`,
      "see whether its container and its database run: npm run status",
    );
  }
}

function rancherChecks({ outputs, rancher }: RunningChecksArgs): Group {
  const checks: Check[] = [
    {
      id: "rancher.hosts.active",
      title: "every agent host is active in Rancher",
      run: async (signal) => {
        const found = await heard(rancher.hosts(signal));
        if ("status" in found) return found;
        const problems = outputs.agentHosts.flatMap(({ name, rancherHostId }) => {
          const host = found.find(({ id }) => id === rancherHostId);
          const state = host?.state ?? "not there";
          return state === "active" ? [] : `${name}: ${state}`;
        });
        if (problems.length === 0) return pass(`${outputs.agentHosts.length} of them`);
        return fail(
          problems.join("\n"),
          "look whether the machine runs (above); if Rancher lost it: npx pulumi up --refresh",
        );
      },
    },
    {
      id: "rancher.services.healthy",
      title: "every service in Rancher is healthy",
      run: async (signal) => {
        const found = await heard(Promise.all([rancher.services(signal), rancher.stacks(signal)]));
        if ("status" in found) return found;
        const [all, stacks] = found;
        const services = all.filter((service) => !isLeaving(service));
        const stackOf = ({ stackId }: Service) =>
          stacks.find(({ id }) => id === stackId)?.name ?? "";
        const problems = services.flatMap((service) => {
          const { state, healthState, transitioningMessage } = service;
          const isWell = wellHealth.includes(healthState ?? "healthy");
          if (state === "active" && isWell) return [];
          const why = transitioningMessage ? `, ${transitioningMessage}` : "";
          return `${stackOf(service)}/${service.name ?? service.id}: ${[state, healthState].filter(Boolean).join(", ")}${why}`;
        });
        if (services.length === 0) {
          return fail("Rancher has no services at all", "put them back: npx pulumi up --refresh");
        }
        if (problems.length === 0) return pass(`${services.length} of them`);
        return fail(
          problems.join("\n"),
          "give a container that has just started a minute; then look at its log in Rancher's UI",
        );
      },
    },
  ];
  return { title: "Rancher", checks };
}

function siteChecks({ outputs, visit }: RunningChecksArgs): Group {
  const addresses = outputs.siteUrls.map((url) => new URL(url).hostname);
  const answered = (id: string, title: string, path: string, fix: string): Check => ({
    id,
    title,
    run: async (signal) => {
      const problems = await problemsOf(addresses, async (address) =>
        visit(address, path, signal).then(
          (status) => (status < 400 ? undefined : `${address}: it answers ${status}`),
          (error: unknown) => `${address}: ${lastLine(error)}`,
        ),
      );
      if (problems.length === 0) return pass(`at ${addresses.join(" and ")}`);
      return fail(problems.join("\n"), fix);
    },
  });
  return {
    title: "site",
    checks: [
      answered(
        "site.answers",
        "the site answers at every address",
        "/",
        "look at the machines and services above; is this machine's address in siteCidrs?",
      ),
      answered(
        "site.healthy",
        "WordPress reaches its database and its files",
        healthPath,
        "look at the server's machine and the database; put back what is missing: npx pulumi up --refresh",
      ),
    ],
  };
}

/** Hours and days of an age, for people. */
function age(milliseconds: number): string {
  const hours = Math.max(0, Math.round(milliseconds / 3_600_000));
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

function keepingChecks({ newestBackup, backupHours, drift, now }: RunningChecksArgs): Group {
  return {
    title: "keeping",
    checks: [
      {
        id: "backup.recent",
        title: "there is a recent backup",
        run: async () => {
          const taken = await newestBackup();
          if (taken === undefined) {
            return unknown("none was made from this folder", "make one: npm run backup");
          }
          const old = now.getTime() - taken.getTime();
          const text = `the newest is ${age(old)} old (${taken.toISOString()})`;
          if (old <= backupHours * 3_600_000) return pass(text);
          return fail(`${text}, and ${backupHours} h are the limit`, "make one: npm run backup");
        },
      },
      {
        id: "stack.drift",
        title: "the stack is what its program says",
        // A refresh asks about every resource, some of them through SSH.
        limitSeconds: 600,
        run: async () => {
          const changes = await drift();
          if (changes.length === 0) return pass("a preview after a refresh changes nothing");
          return fail(
            [`${changes.length} resources are not`, ...changes].join("\n"),
            "see what it is: npx pulumi preview --refresh --diff; put it right: npx pulumi up --refresh",
          );
        },
      },
    ],
  };
}

/** All checks of a stack that is up. */
export function runningChecks(args: RunningChecksArgs): readonly Group[] {
  return [machineChecks(args), rancherChecks(args), siteChecks(args), keepingChecks(args)];
}
