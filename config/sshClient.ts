import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";

/** Runs a program; its output, or undefined when it fails, is not there or takes longer than 5 s. */
export type Ask = (
  program: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
) => string | undefined;

const ask: Ask = (program, args, environment = {}) => {
  const done = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 5_000,
  });
  return done.status === 0 ? done.stdout : undefined;
};

/** A host that no pattern of an ssh configuration but `*` means. */
const anyHost = "rancher-cattle.invalid";

/** The words behind every line of `ssh -G` that begins with `key`. */
function values(configuration: string, key: string): readonly string[] {
  return configuration
    .split("\n")
    .filter((line) => line.startsWith(`${key} `))
    .map((line) => line.slice(key.length + 1));
}

/** The public half of a private key's file: what lies beside it, or what an unlocked key tells. */
function publicHalf(file: string, run: Ask): string {
  const path = file.replace(/^~(?=\/)/, homedir());
  if (!existsSync(path)) return "";
  if (existsSync(`${path}.pub`)) return readFileSync(`${path}.pub`, "utf8");
  return run("ssh-keygen", ["-y", "-P", "", "-f", path]) ?? "";
}

/**
 * Says why the `ssh` of this machine will not get into the hosts, or undefined when nothing speaks
 * against it. A preview may well run where nobody has the key, so it only warns there. A key that an ssh
 * configuration names for the hosts' addresses alone is not seen: those are not known before `up`.
 *
 * @param publicKey what the hosts let in, one OpenSSH line
 * @param run for tests
 */
export function sshProblem(publicKey: string, run: Ask = ask): string | undefined {
  // The option is what the program needs from OpenSSH 8.5; older ones refuse to start with it.
  const configuration = run("ssh", ["-G", "-o", "KnownHostsCommand=none", anyHost]);
  if (configuration === undefined) {
    return "`up` reaches the hosts with ssh, of OpenSSH 8.5 or newer, and it is not on this machine; install it";
  }
  if (values(configuration, "pkcs11provider").some((provider) => provider !== "none")) return;
  const [agent] = values(configuration, "identityagent");
  const socket = agent === undefined || /^(SSH_AUTH_SOCK|\$.*)$/.test(agent) ? undefined : agent;
  const keys = [
    run("ssh-add", ["-L"], socket === undefined ? {} : { SSH_AUTH_SOCK: socket }) ?? "",
    ...values(configuration, "identityfile").map((file) => publicHalf(file, run)),
  ];
  const wanted = publicKey.split(/\s+/)[1] ?? "";
  if (keys.some((key) => key.split(/\s+/).includes(wanted))) return undefined;
  return "no ssh-agent and no ssh configuration of this machine offers the private half of rancher-cattle:sshPublicKey, without which `up` cannot reach the hosts; add it with ssh-add, or set sshPublicKey to a key that `ssh-add -L` lists";
}
