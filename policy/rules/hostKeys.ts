import { asMap, asTexts, fromJson, type Resource, type Value } from "../resource";
import type { ResourceRule } from "../rule";

/** What ends a command. */
const separator = /^[;|&()\n]$/;

/** The words of a command line, without their quotes, and what separates commands; comments are left out. */
function words(text: string): readonly string[] {
  const code = text.replace(/^\s*#.*$/gm, "");
  const found =
    code.match(/(?:'(?:[^']|'\\'')*'|"(?:[^"\\]|\\.)*"|[^\s'";|&()])+|[;|&()\n]/g) ?? [];
  return found.map((word) =>
    word.replaceAll("'\\''", "\0").replace(/['"]/g, "").replaceAll("\0", "'"),
  );
}

/** What ssh's arguments say of an option. The first time counts, as for ssh. */
function option(args: readonly string[], name: string): string | undefined {
  const settings = args.flatMap((arg, i) => {
    if (arg === "-o") return [args[i + 1] ?? ""];
    return arg.startsWith("-o") ? [arg.slice(2)] : [];
  });
  const pattern = new RegExp(`^\\s*${name}\\s*[=\\s]\\s*(?<value>.*)$`, "is");
  for (const setting of settings) {
    const value = pattern.exec(setting)?.groups?.["value"];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Says why these arguments of ssh accept any host, its jump host included. */
function argumentsProblem(args: readonly string[]): string | undefined {
  const strict = option(args, "StrictHostKeyChecking");
  if (strict === undefined) return "leaves StrictHostKeyChecking to whoever runs it";
  if (strict.toLowerCase() !== "yes") return `has StrictHostKeyChecking=${strict}`;
  return commandProblem(option(args, "ProxyCommand") ?? "");
}

/** Whether these arguments of ssh, scp or sftp connect to something, or a text only speaks of it. */
function connects(args: readonly string[]): boolean {
  return /^-/.test(args[0] ?? "") || args.some((arg) => /@|^[\w.-]+:/.test(arg));
}

/** Says why a text that may run ssh, scp or sftp accepts any host. */
function commandProblem(text: string): string | undefined {
  const all = words(text);
  const problems = all.map((word, i) => {
    if (/^(eval|-\w*c)$/.test(all[i - 1] ?? "")) return commandProblem(word);
    if (!/^(.*\/)?(ssh|scp|sftp)$/.test(word)) return undefined;
    const rest = all.slice(i + 1);
    const end = rest.findIndex((each) => separator.test(each));
    const args = end < 0 ? rest : rest.slice(0, end);
    return connects(args) ? argumentsProblem(args) : undefined;
  });
  return problems.find((problem) => problem !== undefined);
}

/** Texts of a command resource that a shell may run. */
function commands(props: Resource["props"]): readonly string[] {
  const values = [
    ...["create", "read", "update", "delete"].map((key) => props[key]),
    ...Object.values(asMap(props["environment"])),
  ];
  return values.filter((value) => typeof value === "string");
}

/** Nothing is said of what is not known yet. */
const isEmpty = (value: Value): boolean => value === undefined || value === null || value === "";

/** command.remote takes any host whose key it is not told, at a jump host too. */
function connectionProblems(props: Resource["props"]): readonly string[] {
  const connection = asMap(props["connection"]);
  const proxy = asMap(connection["proxy"]);
  return [
    ...(isEmpty(connection["hostKey"]) ? ["connects without connection.hostKey"] : []),
    ...(Object.keys(proxy).length > 0 && isEmpty(proxy["hostKey"])
      ? ["jumps without connection.proxy.hostKey"]
      : []),
  ];
}

function localProblems(props: Resource["props"]): readonly string[] {
  const problem = commands(props)
    .map(commandProblem)
    .find((each) => each !== undefined);
  return problem === undefined ? [] : [`runs an ssh that ${problem}`];
}

const forms: Readonly<Record<string, (props: Resource["props"]) => readonly string[]>> = {
  "pulumi:providers:docker": ({ host, sshOpts }) => {
    if (typeof host === "string" && !host.startsWith("ssh://")) return [];
    const options = fromJson(sshOpts);
    if (typeof options === "symbol" || (typeof host === "symbol" && options === undefined))
      return [];
    if (isEmpty(host) && isEmpty(options)) return [];
    const problem = argumentsProblem(asTexts(options));
    return problem === undefined ? [] : [`reaches Docker by an ssh that ${problem}`];
  },
  "pulumi:providers:rancher": ({ ssh }) => {
    const endpoint = fromJson(ssh);
    if (typeof endpoint === "symbol" || isEmpty(endpoint)) return [];
    return isEmpty(asMap(endpoint)["hostKey"]) ? ["reaches Rancher without ssh.hostKey"] : [];
  },
  "command:local:Command": localProblems,
  "command:remote:Command": (props) => [...connectionProblems(props), ...localProblems(props)],
  "command:remote:CopyFile": connectionProblems,
  "command:remote:CopyToRemote": connectionProblems,
};

export const hostKeysVerified: ResourceRule = {
  name: "host-keys-verified",
  description: "Whoever connects by SSH knows the host's key before, and takes no other",
  why: "an ssh that takes any key talks to whoever has the address, and hands that one the commands, the passwords in them and the Docker engine",
  fix: "go through SshEndpoint, which pins the key that the host was born with; elsewhere give StrictHostKeyChecking=yes with KnownHostsCommand, or hostKey",
  severity: "critical",
  problems: ({ type, props }) => forms[type]?.(props) ?? [],
};
