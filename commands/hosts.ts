/** The stack's hosts and the way to them: the command lines that the stack itself has put out. */
import { nearest } from "../config/nearest";
import { Problem } from "./cli";
import type { StackOutputs } from "./stack";

/** The host of Rancher and of the databases. */
export const serverHost = "server";

type WithHosts = Pick<StackOutputs, "sshCommands">;

/** The words of a command line as a POSIX shell reads it, as far as `sshCommands` use its quoting. */
export function shellWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? [];
  return words.map((word) =>
    word.replaceAll(
      /'([^']*)'|\\(.)/g,
      (_, quoted: string | undefined, escaped: string | undefined) => quoted ?? escaped ?? "",
    ),
  );
}

/** The names of the hosts, the server first. */
export function hostNames({ sshCommands }: WithHosts): string[] {
  return Object.keys(sshCommands).sort(
    (a, b) =>
      Number(b === serverHost) - Number(a === serverHost) ||
      a.localeCompare(b, "en", { numeric: true }),
  );
}

/**
 * Arguments of `ssh` that lead to a host, its key pinned.
 *
 * @param extra further options, which go before the destination
 * @throws Problem when there is no such host
 */
export function sshArgs(outputs: WithHosts, host: string, ...extra: readonly string[]): string[] {
  const line = outputs.sshCommands[host];
  if (line === undefined) {
    const names = hostNames(outputs);
    throw new Problem(
      `there is no host "${host}"; did you mean ${nearest(host, names)}? hosts: ${names.join(", ")}`,
    );
  }
  const [, ...words] = shellWords(line);
  return [...words.slice(0, -1), ...extra, ...words.slice(-1)];
}
