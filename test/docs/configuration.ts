/** `docs/configuration.md`: every setting of the schema, and what the program says of mistakes in it. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { regions } from "../../config/amis";
import { defaults, parseSettings } from "../../config/settings";
import { everyBadInput, fullKey, lineFor, linesFor } from "../unit/badInputs";
import { leastConfig } from "../unit/program";

const root = path.resolve(__dirname, "../..");

/** Where the page is kept. */
export const pageFile = path.join(root, "docs", "configuration.md");

/** One key of `Pulumi.yaml`. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
}

const project = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")) as {
  readonly config: Readonly<Record<string, Schema>>;
};

/** The keys of the program, without those of Pulumi. */
const settings = Object.entries(project.config).filter(([key]) => !key.includes(":"));

/** A cell must not end the row. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** Text as code, cut to what a table can hold. A code span needs no escapes but for the bar. */
function code(text: string): string {
  const short = text.replaceAll(/\s+/g, " ").replaceAll("`", "'");
  const shown = short.length > 60 ? `${short.slice(0, 59)}…` : short;
  return shown === "" ? "(empty)" : `\`${shown.replaceAll("|", "\\|")}\``;
}

/** Sixteen names would fill the page. */
const everyRegion = `${regions.slice(0, 2).join(", ")}, … ${regions.at(-1) ?? ""}`;

const row = (...cells: string[]): string => `| ${cells.join(" | ")} |`;

/** What a value is, told by the default where the schema leaves it to the program. */
function typeOf({ type, default: value }: Schema): string {
  if (type !== undefined) return type === "string" ? "text" : type;
  if (Array.isArray(value)) return "list of texts";
  return typeof value === "boolean" ? "true or false" : "whole number";
}

/** True when the program refuses the key in clear text. */
function mustBeSecret(key: string): boolean {
  const outcome = parseSettings({
    values: Object.fromEntries(
      Object.entries({ ...leastConfig, [key]: "text" }).map(([k, v]) => [fullKey(k), v]),
    ),
    secretKeys: new Set(),
    environmentRegion: undefined,
    now: new Date(),
  });
  if ("region" in outcome) return false;
  return outcome.some((line) => line.startsWith(`${fullKey(key)}: is in clear text`));
}

/** True when the program does not run without the key. */
function isRequired(key: string): boolean {
  return linesFor({
    key,
    value: defaults[key as keyof typeof defaults],
    problem: "",
    fix: "",
  }).some((line) => line.startsWith(`${fullKey(key)}: is missing`));
}

function defaultOf(key: string, value: unknown): string {
  if (isRequired(key)) return "required";
  if (value === "") return "";
  return code(typeof value === "string" ? value : JSON.stringify(value));
}

/** The page. */
export function pageText(): string {
  const [before, after] = readFileSync(
    path.join(__dirname, "configuration.template.md"),
    "utf8",
  ).split("<!-- tables -->\n");
  const keys = settings.map(([key, schema]) =>
    row(
      `\`${key}\``,
      typeOf(schema),
      defaultOf(key, schema.default),
      mustBeSecret(key) ? "secret" : "",
      cell(schema.description ?? ""),
    ),
  );
  const about = (bad: (typeof everyBadInput)[number]) => {
    const others = Object.entries(bad.beside ?? {}).map(
      ([key, value]) => `\`${key}\` ${code(value)}`,
    );
    return others.length > 0 ? ` beside ${others.join(", ")}` : "";
  };
  const refused = everyBadInput.map((bad) => {
    const said = (lineFor(bad) ?? "")
      .replace(/^\S+: /, "")
      .replace(regions.join(", "), everyRegion);
    const shown = bad.hidden === undefined ? code(bad.value) : "(a secret)";
    const whose = bad.about === undefined ? "" : `of \`${bad.about}\`: `;
    return row(`\`${bad.key}\``, shown + about(bad), whose + cell(said));
  });
  return [
    before?.trimEnd(),
    "",
    "<!-- prettier-ignore-start -->",
    "",
    row("Key", "Type", "Default", "", "What it is"),
    "|---|---|---|---|---|",
    ...keys,
    "",
    "## What is refused",
    "",
    "Examples, and what the program answers behind the key's name; a message never shows a secret.",
    "",
    row("Key", "Set to", "What is said"),
    "|---|---|---|",
    ...refused,
    "",
    "<!-- prettier-ignore-end -->",
    after ?? "",
  ].join("\n");
}
