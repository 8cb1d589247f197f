/** Log lines of several containers: asked of Docker, put in order, and marked with whose they are. */
import { Problem } from "./cli";
import type { HostContainer } from "./containers";

/** Lines of each container that are shown when nothing says how many. */
const TAIL = "100";

/** What of the logs is wanted. */
export interface Wanted {
  readonly since: string | undefined;
  readonly tail: string | undefined;
  readonly follow: boolean;
}

/** @throws Problem for a `since` that is neither a time span nor a time, and a `tail` that is no count */
export function checkWanted({ since, tail }: Wanted): void {
  const span = /^(?=.)(\d+h)?(\d+m)?(\d+s)?$/;
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?$/;
  if (since !== undefined && !span.test(since) && !time.test(since)) {
    throw new Problem(
      `--since is "${since}"; write a span such as 10m or 1h30m, or a time such as 2026-01-31T08:00:00Z`,
    );
  }
  if (tail !== undefined && !/^(\d+|all)$/.test(tail)) {
    throw new Problem(`--tail is "${tail}"; write a number of lines, or all`);
  }
}

/** The command that asks a host for them. Each line begins with its time, which sorts as text. */
export function logCommand(id: string, { since, tail, follow }: Wanted): string {
  return [
    "docker logs --timestamps",
    ...(since === undefined ? [] : [`--since ${since}`]),
    `--tail ${tail ?? (since === undefined ? TAIL : "all")}`,
    ...(follow ? ["--follow"] : []),
    `${id} 2>&1`,
  ].join(" ");
}

/** A line without its time, and the time. */
export function parseLine(line: string): { readonly time: string; readonly text: string } {
  const [, time = "", text = line] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ?(.*)$/.exec(line) ?? [];
  return { time, text };
}

/** Colours that can be read on light and dark terminals. */
const colours = [36, 33, 35, 32, 34, 31];

/** A label for each container, all of one width; with the host where names alone do not tell them apart. */
export function labels(containers: readonly HostContainer[], isColoured: boolean): string[] {
  const names = containers.map(({ name }) => name);
  const texts = containers.map(({ name, host }) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : `${name}@${host}`,
  );
  const width = Math.max(...texts.map((text) => text.length));
  return texts.map((text, index) => {
    const label = `${text.padEnd(width)} |`;
    return isColoured ? `\x1b[${colours[index % colours.length] ?? 0}m${label}\x1b[0m` : label;
  });
}
