/** The status on one screen. */
import { shortImage } from "../images";
import type { Status } from "./status";

/** Whether a terminal's colours are wanted. */
export interface ScreenOptions {
  readonly isColoured: boolean;
}

/** Rows as columns of one width each; the last one is left as it is. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, index) =>
    Math.max(...rows.map((row) => (row[index] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** A span of time as people say it: the largest unit only. */
export function ago(from: string, to: string): string {
  const minutes = Math.floor((Date.parse(to) - Date.parse(from)) / 60_000);
  const [count, unit] =
    minutes < 60
      ? [minutes, "minute"]
      : minutes < 48 * 60
        ? [Math.floor(minutes / 60), "hour"]
        : [Math.floor(minutes / 1440), "day"];
  return count < 1 ? "just now" : `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

const good = "✓";
const bad = "✗";
const unknown = "?";

/** All of it, as lines. */
export function screen(status: Status, { isColoured }: ScreenOptions): string {
  const paint = (code: number, text: string): string =>
    isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  const mark = (isWell: boolean | null): string =>
    isWell === null ? unknown : isWell ? good : bad;
  const colourMarks = (line: string): string =>
    line
      .replace(/^( *)✓/, `$1${paint(32, good)}`)
      .replace(/^( *)✗/, `$1${paint(31, bad)}`)
      .replace(/^( *)\?/, `$1${paint(33, unknown)}`);
  const table = (title: string, rows: readonly (readonly string[])[]): string[] =>
    rows.length === 0
      ? []
      : ["", paint(1, title), ...columns(rows).map((line) => colourMarks(`  ${line}`))];

  const { urls, hosts, services, containers } = status;
  const verdict = status.isHealthy ? paint(32, "healthy") : paint(31, "not healthy");
  const updated = status.updatedAt === null ? "" : `, last up ${ago(status.updatedAt, status.at)}`;
  const rancher = status.rancherVersion === null ? "" : `, Rancher ${status.rancherVersion}`;
  const backup =
    status.backup === null
      ? "no backup here"
      : `last backup ${ago(status.backup.takenAt, status.at)} (${status.backup.folder})`;
  const protection = status.isProtected
    ? "protected against being deleted"
    : "goes with the stack (protectData is false)";
  return [
    `${paint(1, status.stack)}: ${verdict}${rancher}${updated}`,
    ...status.problems.map((problem) => colourMarks(`  ${bad} ${problem}`)),
    ...table(
      "Site",
      urls.map(({ url, status: code, milliseconds, problem }) => [
        mark(problem === null),
        url,
        code === null ? "no answer" : `${code}`,
        milliseconds === null ? "" : `${milliseconds} ms`,
      ]),
    ),
    ...table(
      "Hosts",
      hosts.map(({ name, address, state, containers: count }) => [
        mark(
          state === null
            ? count === null
              ? false
              : true
            : state === "unknown"
              ? null
              : state === "active",
        ),
        name,
        address,
        state ?? (count === null ? "not reached" : "reached"),
        count === null ? "" : `${count} container${count === 1 ? "" : "s"}`,
      ]),
    ),
    ...table(
      "Services",
      services.map(({ name, state, health, running, wanted, image, isWell }) => [
        mark(isWell),
        name,
        state === "active" ? health : `${state}, ${health}`,
        `${running} of ${wanted}`,
        shortImage(image),
      ]),
    ),
    ...table(
      "On the server",
      containers.map(({ name, state, image, isWell }) => [
        mark(isWell),
        name,
        state,
        shortImage(image),
      ]),
    ),
    "",
    `${paint(1, "Data")}  ${protection}; ${backup}`,
    `${paint(1, "Next")}  ${status.next.text}${status.next.command === null ? "" : `: ${status.next.command}`}`,
  ].join("\n");
}
