/** The command blocks of README.md and docs: what each shows, and how it is known to be true. */
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

export const root = path.resolve(__dirname, "../..");

/** One fenced block. */
export interface Block {
  /** File and line, for messages. */
  readonly where: string;
  /** First word behind the fence; empty when there is none. */
  readonly language: string;
  /** `run=lab`, `run=unit`, `needs=aws`, `shown-by=FILE` */
  readonly marks: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

/** Every page that people read. */
function pages(): readonly string[] {
  const docs = readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" });
  return ["README.md", ...docs.filter((f) => f.endsWith(".md")).map((f) => path.join("docs", f))];
}

/** Blocks of a text, indented ones of lists too. */
export function blocksOf(file: string, text: string): readonly Block[] {
  const found: Block[] = [];
  let open: { info: string; start: number; lines: string[] } | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) {
      open?.lines.push(line.trim());
    } else if (open === undefined) {
      open = { info: fence[1] ?? "", start: i + 1, lines: [] };
    } else {
      const [language = "", ...words] = open.info.trim().split(/\s+/);
      const marks = Object.fromEntries(words.map((word) => word.split("=") as [string, string]));
      const lines = open.lines.filter((each) => each !== "" && !each.startsWith("#"));
      found.push({ where: `${file}:${open.start}`, language, marks, lines });
      open = undefined;
    }
  }
  return found;
}

/** Every block of every page. */
export const blocks: readonly Block[] = pages().flatMap((file) =>
  blocksOf(file, readFileSync(path.join(root, file), "utf8")),
);

/** A line that someone would type. */
const command =
  /^\(?(sudo |cd |make |npm |npx |pulumi |lab\/|ssh(-\w+)? |curl |eval |docker |git |UPDATE=1 )/;

/** True when a block holds commands, whatever its fence says. */
export function isCommands({ language, lines }: Block): boolean {
  if (["sh", "bash", "shell", "console"].includes(language)) return true;
  return language === "" && lines.some((line) => command.test(line));
}

/** Words of a command that a test which shows it has too: scripts, settings, options, verbs. */
export function keyWords(line: string): readonly string[] {
  const [before = ""] = line.split(/\s#\s|\s{4,}#/);
  // Names of stacks are examples.
  const skipped = /^(dev|staging|prod|npx|npm|run|pulumi|lab|sudo|cat|eval|git|cd|export)$/;
  return before
    .split(/\s+/)
    .filter((word) => /^(--)?[a-z][A-Za-z-]{2,}$/.test(word) && !skipped.test(word));
}
