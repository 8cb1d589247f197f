/** The part of a stack's configuration that its price depends on, from wherever it is written. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { promisify } from "node:util";
import * as yaml from "yaml";
import { nearest } from "../../config/nearest";
import {
  defaults,
  environmentRegion,
  namespace,
  parseSettings,
  type Settings,
} from "../../config/settings";
import { Problem } from "../cli";
import { projectFolder } from "../stack";

const run = promisify(execFile);

/** Values by full key, as the CLI hands them to the program. */
export type ConfigValues = Readonly<Record<string, string>>;

/**
 * Keys that a stack's price depends on. Others are left out, so that a price needs no passphrase and can be
 * had before a stack is fully configured.
 */
const pricedKeys = [
  "agentCount",
  "wordpressScale",
  "serverInstanceType",
  "agentInstanceType",
  "siteEntry",
  "snapshotDays",
] as const satisfies readonly (keyof typeof defaults)[];

/** What settings demand and no price depends on. */
const standIns: ConfigValues = {
  [`${namespace}:adminCidrs`]: '["203.0.113.7/32"]',
  [`${namespace}:sshPublicKey`]:
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl nobody",
  [`${namespace}:amiId`]: "ami-00000000",
  // One may ask what more would cost than the account may have yet.
  [`${namespace}:vcpuQuota`]: "999999",
  [`${namespace}:addressQuota`]: "999999",
};

/**
 * Reads the text of a `Pulumi.<stack>.yaml`. Values that are encrypted stay where they are.
 *
 * @param name what to call it in an error
 */
export function parseStackFile(text: string, name: string): ConfigValues {
  let file: unknown;
  try {
    file = yaml.parse(text);
  } catch (error) {
    throw new Problem(`${name} is not YAML: ${(error as Error).message.split("\n")[0] ?? ""}`);
  }
  const config = (file as { config?: unknown } | null)?.config ?? {};
  if (typeof config !== "object" || Array.isArray(config)) {
    throw new Problem(`${name} has no map of settings below config`);
  }
  const plain = Object.entries(config).flatMap(([key, value]: [string, unknown]) => {
    if (value === null || (typeof value === "object" && "secure" in value)) return [];
    const full = key.includes(":") ? key : `${namespace}:${key}`;
    return [[full, typeof value === "object" ? JSON.stringify(value) : String(value)] as const];
  });
  return Object.fromEntries(plain);
}

/** The file of a stack's configuration, below the project's folder. */
export function stackFile(stack: string): string {
  return `Pulumi.${stack}.yaml`;
}

/** The configuration of a stack as this folder has it; undefined when it has none. */
export async function readStackFile(stack: string): Promise<ConfigValues | undefined> {
  const file = path.join(projectFolder, stackFile(stack));
  return existsSync(file)
    ? parseStackFile(await readFile(file, "utf8"), stackFile(stack))
    : undefined;
}

/**
 * The configuration of a stack at another point: a file, or a commit of Git.
 *
 * @returns undefined when that commit has no file for the stack
 * @throws Problem when it is neither
 */
export async function readStackFileAt(
  place: string,
  stack: string,
): Promise<ConfigValues | undefined> {
  if (existsSync(place)) return parseStackFile(await readFile(place, "utf8"), place);
  const git = async (...args: string[]) =>
    (await run("git", ["-C", projectFolder, ...args])).stdout.trimEnd();
  let commit: string;
  try {
    commit = await git("rev-parse", "--verify", "--quiet", "--end-of-options", `${place}^{commit}`);
  } catch {
    throw new Problem(
      `"${place}" is neither a file nor a commit of Git; name one, such as main or Pulumi.prod.yaml`,
    );
  }
  // The tree is asked first: a missing file is an answer, anything else that fails is not.
  const inFolder = `./${stackFile(stack)}`;
  if ((await git("ls-tree", commit, "--", inFolder)) === "") return undefined;
  return parseStackFile(
    await git("show", `${commit}:${inFolder}`),
    `${stackFile(stack)} of ${place}`,
  );
}

/** Configuration with `key=value` set on top. @throws Problem for what is not of that form or no setting */
export function withValues(values: ConfigValues, assignments: readonly string[]): ConfigValues {
  const known = Object.keys(defaults);
  const added = assignments.map((text) => {
    const [, key = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === "aws:region") return [key, value] as const;
    const short = key.replace(`${namespace}:`, "");
    if (!known.includes(short)) {
      throw new Problem(
        key === ""
          ? `"${text}" sets nothing; write key=value, such as wordpressScale=4`
          : `${key} is not a setting; did you mean ${nearest(short, known)}?`,
      );
    }
    return [`${namespace}:${short}`, value] as const;
  });
  return { ...values, ...Object.fromEntries(added) };
}

/** Settings, of which only what a price depends on is the stack's own. @throws Problem with every problem */
export function pricedSettings(values: ConfigValues): Settings {
  const kept = ["aws:region", ...pricedKeys.map((key) => `${namespace}:${key}`)];
  const outcome = parseSettings({
    now: new Date(),
    values: {
      ...standIns,
      ...Object.fromEntries(Object.entries(values).filter(([key]) => kept.includes(key))),
    },
    secretKeys: new Set(),
    environmentRegion: environmentRegion(),
  });
  if ("region" in outcome) return outcome;
  throw new Problem(`the configuration has problems\n${outcome.map((p) => `  ${p}`).join("\n")}`);
}
