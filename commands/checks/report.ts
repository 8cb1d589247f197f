/** Results for people and for programs. */
import { type Group, type Result, start, type Status } from "./engine";

/** How many checks ended how. */
export type Tally = Readonly<Record<Status, number>>;

/** What `--json` prints. */
export interface Report {
  readonly stack: string;
  /** True when nothing failed. */
  readonly ok: boolean;
  readonly tally: Tally;
  readonly checks: readonly Result[];
}

/** How a report is written. */
export interface Style {
  /** Whether to mark outcomes by colour too. */
  readonly colour: boolean;
}

/** ANSI colours: green, red, yellow. */
const colours: Readonly<Record<Status, number>> = { pass: 32, fail: 31, unknown: 33 };

const marks: Readonly<Record<Status, string>> = { pass: "√", fail: "×", unknown: "?" };

/** Colour for a terminal, unless the user wants none (https://no-color.org). */
export function styleOf(
  output: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
): Style {
  return { colour: output.isTTY === true && (environment["NO_COLOR"] ?? "") === "" };
}

/** A text with all lines but the first moved in. */
function indented(text: string, by: number): string {
  return text.replaceAll("\n", `\n${" ".repeat(by)}`);
}

/** One result: a line when it passed, else also what to do and where to read on. */
export function lines(result: Result, { colour }: Style): string {
  const { status, title, reason, fix, runbook } = result;
  const mark = colour ? `\x1b[${colours[status]}m${marks[status]}\x1b[0m` : marks[status];
  const head = `${mark} ${title}: ${indented(reason, 4)}`;
  if (status === "pass") return head;
  return [head, `    fix: ${indented(fix, 9)}`, `    see: ${runbook}`].join("\n");
}

/** Counts results by outcome. */
export function tallyOf(results: readonly Result[]): Tally {
  const count = (status: Status) => results.filter((result) => result.status === status).length;
  return { pass: count("pass"), fail: count("fail"), unknown: count("unknown") };
}

/** The last line. */
export function summary(tally: Tally): string {
  const parts = [`${tally.pass} passed`, `${tally.fail} failed`];
  return [...parts, ...(tally.unknown === 0 ? [] : [`${tally.unknown} unknown`])].join(", ");
}

/** How {@link run} reports. */
export interface RunOptions {
  /** The stack's name. */
  readonly stack: string;
  /** Has the commands of a fix work on the stack that is looked at. */
  readonly commands: (text: string) => string;
  /** One JSON document instead of lines. */
  readonly json: boolean;
  readonly style: Style;
  /** Takes what is printed, a line or more at a time. */
  readonly print: (text: string) => void;
}

/** Runs the checks and reports each group as soon as it and those before it are done. */
export async function run(groups: readonly Group[], options: RunOptions): Promise<Report> {
  const { stack, commands, json, style, print } = options;
  const running = start(groups);
  const checks: Result[] = [];
  for (const [index, results] of running.entries()) {
    const found = (await results).map((result) => ({ ...result, fix: commands(result.fix) }));
    checks.push(...found);
    if (json) continue;
    print(`${groups[index]?.title ?? ""}`);
    for (const result of found) print(lines(result, style));
    print("");
  }
  const tally = tallyOf(checks);
  const report = { stack, ok: tally.fail === 0, tally, checks };
  print(json ? JSON.stringify(report, undefined, 2) : `${stack}: ${summary(tally)}`);
  return report;
}
