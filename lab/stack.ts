/** The Pulumi stack of a lab: its environment, its configuration file, and what its state says. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as yaml from "yaml";
import { clone, type Lab, type LabEnv, writeWhole } from "./env";
import { run } from "./processes";
import { agentSocket } from "./ssh";
import { removeOrphans } from "./emulator";
import { say } from "./steps";
import { cliFolder } from "./toolchain";

/** The lab's wrapper of the CLI. */
export const pulumi = path.join(clone, "lab", "pulumi");

/** The name in Pulumi.yaml. */
const project = "rancher-cattle";

/** What turns the ordinary CLI into the lab's; undefined is unset. `lab/pulumi` reads it as shell. */
function environment(lab: Lab, env: LabEnv): Record<string, string | undefined> {
  return {
    PULUMI_HOME: lab.pulumiHome,
    PULUMI_BACKEND_URL: `file://${lab.path("backend")}`,
    // Test equipment: it protects nothing, and a known one keeps an old Pulumi.lab.yaml readable.
    PULUMI_CONFIG_PASSPHRASE: "lab",
    PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_STACK: undefined,
    // Nothing of the user's real account may be used by mistake.
    AWS_ENDPOINT_URL: env.cloudUrl,
    AWS_ACCESS_KEY_ID: "lab",
    AWS_SECRET_ACCESS_KEY: "lab",
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_REGION: env.region,
    AWS_DEFAULT_REGION: undefined,
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    SSH_AUTH_SOCK: agentSocket(lab),
  };
}

/** Writes `env.sh`, which `lab/pulumi` and tests read. */
export function writeShellEnvironment(lab: Lab, env: LabEnv): void {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(environment(lab, env)).map(([name, value]) =>
    value === undefined ? `unset ${name}` : `export ${name}=${quote(value)}`,
  );
  lines.push(
    `export PATH=${quote(cliFolder(lab))}:"$PATH"`,
    `lab_cloud_pid=${quote(String(lab.daemon("cloud").pid ?? ""))}`,
  );
  writeWhole(lab.path("env.sh"), `${lines.join("\n")}\n`);
}

function stateFile(lab: Lab): string {
  return lab.path("backend", ".pulumi", "stacks", project, `${lab.stack}.json`);
}

/** What is needed of a stack's state. */
interface State {
  readonly resources?: readonly { readonly id?: string }[];
  /** What a pulumi that was killed was doing. */
  readonly pending_operations?: readonly {
    readonly type: string;
    readonly resource: { readonly type: string; readonly urn: string };
  }[];
}

/** The stack's state as the backend has it; empty when there is none yet. */
function readState(lab: Lab): State {
  try {
    const file = JSON.parse(fs.readFileSync(stateFile(lab), "utf8")) as {
      checkpoint?: { latest?: State };
    };
    return file.checkpoint?.latest ?? {};
  } catch {
    return {};
  }
}

/** True when the stack's state holds anything besides the stack itself. */
export function hasResources(lab: Lab): boolean {
  const { resources = [], pending_operations: pending = [] } = readState(lab);
  return resources.length > 1 || pending.length > 0;
}

/** True when a pulumi was killed in the middle of operations. */
export function isHalfDone(lab: Lab): boolean {
  return (readState(lab).pending_operations?.length ?? 0) > 0;
}

/**
 * Settles operations of which nobody knows how far they came. Pulumi asks about resources that may have
 * been made, since it cannot look for them; here those in the emulator are looked for and removed.
 */
export async function settleInterrupted(lab: Lab, env: LabEnv): Promise<void> {
  const { resources = [], pending_operations: pending = [] } = readState(lab);
  for (const { type, resource } of pending) say(`interrupted while ${type}: ${resource.urn}`);
  const creating = pending.filter(({ type }) => type === "creating");
  const removed = await removeOrphans(
    env,
    new Set(creating.map(({ resource }) => resource.type)),
    new Set(resources.flatMap(({ id }) => id ?? [])),
  );
  if (removed.length > 0) say(`removed from the emulator: ${removed.join(", ")}`);
  // Importing what was exported drops the operations, and nothing else.
  const command = { env: { LAB_NAME: lab.name } };
  const stack = ["--stack", lab.stack];
  const input = await run(pulumi, ["stack", "export", ...stack], command);
  await run(pulumi, ["stack", "import", ...stack], { ...command, input });
}

/** Makes the stack and its configuration file, as far as they are missing. */
export async function ensureStack(lab: Lab, env: LabEnv, sshPublicKey: string): Promise<void> {
  fs.mkdirSync(lab.path("backend"), { recursive: true });
  const command = { env: { LAB_NAME: lab.name } };
  if (!fs.existsSync(stateFile(lab))) await run(pulumi, ["stack", "init", lab.stack], command);
  removeStaleLocks(lab);
  configure(lab, { ...env, sshPublicKey });
}

/** A killed pulumi leaves its lock in the backend. Removes those whose process is gone. */
export function removeStaleLocks(lab: Lab): void {
  const folder = lab.path("backend", ".pulumi", "locks", "organization", project, lab.stack);
  if (!fs.existsSync(folder)) return;
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    const pid = (JSON.parse(fs.readFileSync(file, "utf8")) as { pid: number }).pid;
    // A zombie still has a name, but no executable.
    const runs =
      fs.existsSync(`/proc/${pid}/exe`) &&
      fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "pulumi";
    if (!runs) fs.rmSync(file);
  }
}

/** Configuration as `key: value`. */
export type Config = Readonly<Record<string, unknown>>;

/** Fills `${name}` in the template of the lab's configuration. @throws for an unknown name. */
export function fillTemplate(template: string, values: Readonly<Record<string, unknown>>): Config {
  const filled = template.replaceAll(/^([^#\n]*)$/gm, (line) =>
    line.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`lab/stack.yaml: unknown value \${${name}}`);
      return String(value);
    }),
  );
  return (yaml.parse(filled) as { config: Config }).config;
}

/**
 * What the configuration should be: the wanted values, except where the user has changed or removed
 * what an earlier run wrote, and all of the user's own keys.
 * @param current what the file says now.
 * @param before what the earlier run wrote, or undefined when there was none.
 */
export function mergeConfig(current: Config, before: Config | undefined, wanted: Config): Config {
  // `pulumi config set` of one key writes the others' numbers as text.
  const text = (value: unknown) =>
    typeof value === "object" ? JSON.stringify(value) : String(value);
  const same = (a: unknown, b: unknown) => text(a) === text(b);
  const merged: Record<string, unknown> = { ...current };
  for (const [key, value] of Object.entries(wanted)) {
    const isOurs = before === undefined || !(key in before) || same(current[key], before[key]);
    if (isOurs) merged[key] = value;
  }
  return merged;
}

function configure(lab: Lab, values: Readonly<Record<string, unknown>>): void {
  const remembered = lab.path("stack-config.json");
  const before = fs.existsSync(remembered)
    ? (JSON.parse(fs.readFileSync(remembered, "utf8")) as Config)
    : undefined;
  const text = fs.existsSync(lab.stackFile) ? fs.readFileSync(lab.stackFile, "utf8") : "";
  const file = (yaml.parse(text) ?? {}) as { config?: Config };
  const wanted = fillTemplate(
    fs.readFileSync(path.join(clone, "lab", "stack.yaml"), "utf8"),
    values,
  );
  // A file without any configuration is one that `stack init` has just made, or the user removed.
  const config = mergeConfig(
    file.config ?? {},
    file.config === undefined ? undefined : before,
    wanted,
  );
  const result = yaml.stringify({ ...file, config }, { lineWidth: 0 });
  if (yaml.stringify(file, { lineWidth: 0 }) !== result) writeWhole(lab.stackFile, result);
  writeWhole(remembered, JSON.stringify(wanted, undefined, 2));
}
