/** The comment that a reviewer reads: the verdict first, then what it means, then the diff. */
import { changes, type Estimate } from "../commands/cost/estimate";
import { caveats, difference, dollars, pricesOf, total } from "../commands/cost/report";
import { diffLines } from "./diff";
import { addressChanges, firewallChanges } from "./firewall";
import { changing, nameOf, type Plan, type Step, typeOf } from "./plan";
import { isShown, redact } from "./redact";

/** GitHub refuses a longer text (65,536 characters); some are kept back for what it may count twice. */
export const longestComment = 65_000;

/** Most lines of one list and characters of one of them; most characters of all errors, and of all warnings. */
const longestList = 25;
const longestItem = 450;
const longestErrors = 12_000;
const longestWarnings = 3_000;

/** What a comment is made of. */
export interface CommentArgs {
  readonly stack: string;
  readonly plan: Plan;
  /** A month before and after; undefined where it could not be estimated. */
  readonly cost: {
    readonly before: Estimate | undefined;
    readonly after: Estimate | undefined;
    /** Why one of them is missing. */
    readonly problem?: string;
  };
  /** What was compared, such as a commit. @default nothing is said of it */
  readonly commit?: string;
  /** Address of the run that made it. @default none */
  readonly runUrl?: string;
  /** What is previewed, for the heading. @default `Preview` */
  readonly title?: string;
}

/** The line by which a later run finds the comment of a stack. */
export function marker(stack: string, title = "Preview"): string {
  return `<!-- rancher-cattle: ${title.toLowerCase()} of ${stack} -->`;
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Text between backticks, however many it has itself; it mentions nobody and ends no tag. */
function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return `${fence}${pad}${text.replaceAll("\n", " ")}${pad}${fence}`;
}

/** A block of lines that nothing in it can end. */
function block(language: string, lines: readonly string[]): string {
  const longest = Math.max(
    2,
    ...lines.flatMap((l) => [...l.matchAll(/`+/g)].map(([r]) => r.length)),
  );
  const fence = "`".repeat(longest + 1);
  return [`${fence}${language}`, ...lines, fence].join("\n");
}

/** A line that is not too long. */
function cut(line: string): string {
  return line.length <= longestItem ? line : `${line.slice(0, longestItem)}…`;
}

function list(items: readonly string[]): string {
  const shown = items.slice(0, longestList).map((item) => `- ${cut(item)}`);
  const more = items.length - shown.length;
  return [...shown, ...(more > 0 ? [`- and ${more} more`] : [])].join("\n");
}

/** Texts of the plan that stand outside of code: without anything that Markdown or HTML would obey. */
function plain(text: string): string {
  return redact(text)
    .replaceAll(/[<>&]/g, (sign) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[sign] ?? "")
    .replaceAll(/[@#[\]|_~]/g, (sign) => `\\${sign}`)
    .replaceAll("\n", " ");
}

function count(steps: readonly Step[], op: string): number {
  return changing(steps).filter((step) => step.op === op).length;
}

/** The plan in one line. */
export function verdict({ steps, counts, errors, violations }: Plan): string {
  const forbidden = violations.filter(({ isMandatory }) => isMandatory).length;
  const replaced = count(steps, "replace");
  const parts = [
    ...(["create", "update", "delete"] as const).flatMap((op) => {
      const number = count(steps, op);
      return number === 0 ? [] : [`${number} to ${op}`];
    }),
    replaced === 0 ? "nothing replaced" : `**${replaced} REPLACED**`,
    ...(counts["same"] === undefined ? [] : [`${counts["same"]} unchanged`]),
  ];
  const isEmpty = changing(steps).length === 0;
  const summary = isEmpty ? "no changes" : parts.join(", ");
  if (errors.length > 0) return `failed with ${plural(errors.length, "error")}`;
  return forbidden > 0
    ? `${plural(forbidden, "policy violation")} to put right; ${summary}`
    : summary;
}

/** A block of several texts, as far as there is room. */
function texts(of: readonly string[], longest: number): string {
  const lines = of.flatMap((text) => redact(text).split("\n"));
  let left = longest;
  const kept = lines.flatMap((line) => {
    if (left <= 0) return [];
    const part = line.slice(0, left);
    left -= part.length + 1;
    return [part];
  });
  const more = lines.length - kept.length;
  return block("text", [...kept, ...(more > 0 ? [`… ${plural(more, "more line")}`] : [])]);
}

function policySection({ violations }: Plan): readonly string[] {
  if (violations.length === 0) return [];
  const items = violations.map(({ policy, message, resource, isMandatory }) => {
    const where = resource === "" ? "" : ` ${code(resource)}`;
    return `${isMandatory ? "**stops the deployment**" : "advice"}: ${code(policy)}${where}: ${plain(message)}`;
  });
  return [`**Policy**\n${list(items)}`];
}

function replacedSection(steps: readonly Step[]): readonly string[] {
  const items = changing(steps)
    .filter(({ op }) => op === "replace")
    .map(({ urn, replaceReasons }) => {
      const reasons = (replaceReasons ?? []).filter((one) => isShown(one)).map(code);
      const why = reasons.length === 0 ? "" : `, because of ${reasons.join(", ")}`;
      return `${code(nameOf(urn))} (${typeOf(urn)})${why}`;
    });
  return items.length === 0 ? [] : [`**Replaced**: deleted and made anew\n${list(items)}`];
}

function firewallSection(steps: readonly Step[]): string {
  const { opens, closes } = firewallChanges(steps);
  if (opens.length + closes.length === 0) return "**Firewall**: nothing opens, nothing closes";
  const lines = [
    ...opens.map((rule) => `opens ${redact(rule)}`),
    ...closes.map((rule) => `closes ${redact(rule)}`),
  ];
  return `**Firewall**: ${opens.length} opened, ${closes.length} closed\n${list(lines)}`;
}

function addressSection(steps: readonly Step[]): string {
  const { added, removed } = addressChanges(steps);
  if (added.length + removed.length === 0) return "**Public addresses**: none come, none go";
  const lines = [
    ...added.map((name) => `new: ${code(name)}`),
    ...removed.map((name) => `given back: ${code(name)}`),
  ];
  return `**Public addresses**: ${added.length} new, ${removed.length} given back\n${list(lines)}`;
}

function costSection({ before, after, problem }: CommentArgs["cost"]): string {
  if (after === undefined || problem !== undefined) {
    return `**Cost**: not estimated: ${plain(problem ?? "there is no configuration")}`;
  }
  const notes = [pricesOf(after), ...caveats(after)].map(plain).join("; ");
  if (before === undefined)
    return `**Cost**: ${total(after)} a month, all of it new\n<sub>${notes}</sub>`;
  const changed = difference(after.totalUsd - before.totalUsd);
  const rows = changes(before, after).map(
    ({ label, before: old, after: now }) =>
      `| ${label} | ${old === undefined ? "–" : `${old.quantity}, ${dollars(old.usd)}`} | ${now === undefined ? "–" : `${now.quantity}, ${dollars(now.usd)}`} |`,
  );
  const table =
    rows.length === 0 ? [] : ["", "| | before | after |", "| --- | --- | --- |", ...rows];
  return [
    `**Cost**: ${total(before)} → ${total(after)} a month: **${changed}**`,
    ...table,
    "",
    `<sub>${notes}</sub>`,
  ].join("\n");
}

function folded(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`;
}

/** The diff in what room is left; what does not fit is counted. */
function diffSection(lines: readonly string[], room: number): string {
  if (lines.length === 0) return "";
  const summary = `Diff of ${plural(lines.filter((line) => !line.includes("     ")).length, "resource")}`;
  // Room for the frame, a long fence and the line that counts.
  let left = room - 400;
  const kept: string[] = [];
  for (const line of lines) {
    left -= line.length + 1;
    if (left < 0) break;
    kept.push(line);
  }
  const more = lines.length - kept.length;
  const rest =
    more > 0 ? [`# … ${plural(more, "more line")}; the run's summary has all of them`] : [];
  return kept.length === 0 ? "" : folded(summary, block("diff", [...kept, ...rest]));
}

/**
 * The body of the comment. What does not fit into a comment is left out of the diff, never of the
 * summary or the errors.
 *
 * @param longest most characters of it
 */
export function commentBody(args: CommentArgs, longest: number = longestComment): string {
  const { stack, plan, title = "Preview" } = args;
  const { steps, errors, warnings } = plan;
  const isWhole = errors.length === 0;
  const made = [
    ...(args.commit === undefined ? [] : [`of ${code(args.commit)}`]),
    ...(args.runUrl === undefined ? [] : [`by [this run](${args.runUrl})`]),
  ];
  const head = [
    `### ${title} of ${stack}: ${verdict(plan)}`,
    ...(isWhole ? [] : [texts(errors, longestErrors)]),
    ...policySection(plan),
    ...(isWhole
      ? [
          ...replacedSection(steps),
          firewallSection(steps),
          addressSection(steps),
          costSection(args.cost),
        ]
      : ["What would change is not known until this is put right."]),
    ...(warnings.length === 0
      ? []
      : [folded(plural(warnings.length, "warning"), texts(warnings, longestWarnings))]),
  ].join("\n\n");
  const tail = [
    ...(made.length === 0 ? [] : [`<sub>${title} ${made.join(" ")}</sub>`]),
    marker(stack, title),
  ].join("\n");
  const diff = isWhole ? diffSection(diffLines(steps), longest - head.length - tail.length) : "";
  return [head, diff, tail].filter((part) => part !== "").join("\n\n") + "\n";
}
