/** `docs/provider-matrix.md`: which test every cell of the matrix is, or why there is none. */
import * as path from "node:path";
import { isNotApplicable, type Update } from "./cells";
import { cells, columns, order } from "./matrix";
import { resourceTypes } from "./schema";

/** Where the page is kept. */
export const tableFile = path.resolve(__dirname, "../../../docs/provider-matrix.md");

const introduction = `# What the provider is held to

Every resource of \`rancher/schema.json\` goes through the same cases, with the real Pulumi engine, the provider as a plugin process
and the lab's Rancher server. One stack holds one of everything, and once more what can live in an environment of its own; each
column is one run of the engine for all of them. After every \`up\` two previews, without and with refresh, must be empty, and
the server must have nothing that the state does not know.

This page is generated: \`UPDATE=1\` makes the suite in \`test/provider\` write it, without it a stale page fails; so does a resource
or an input of the schema that has no cell.
`;

/** A cell must not end the row. */
const escaped = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const row = (...fields: string[]): string => `| ${fields.join(" | ")} |`;

/** The page. */
export function tableText(): string {
  const notes: string[] = [];
  const note = (reason: string): string => {
    if (!notes.includes(reason)) notes.push(reason);
    return `–[^${notes.indexOf(reason) + 1}]`;
  };
  const inputs = (type: string, effect: string): string[] =>
    Object.entries(cells[type]?.updates ?? {})
      .filter(([, update]) => !isNotApplicable(update) && update.effect === effect)
      .map(([input]) => `\`${input}\``);
  const matrix = resourceTypes.map((type) => {
    const fields = order.map((name) => {
      if (name === "update" || name === "upgrade") {
        const changed = inputs(type, name);
        return changed.length > 0 ? changed.join(", ") : note("no input has this effect");
      }
      const cell = cells[type]?.cases[name];
      if (cell === undefined) return "";
      if (isNotApplicable(cell)) return note(cell.reason);
      return name === "replace" ? inputs(type, name).join(", ") : "✔";
    });
    return row(type, ...fields);
  });
  const changes = resourceTypes.flatMap((type) =>
    Object.entries(cells[type]?.updates ?? {}).map(([input, update]) =>
      isNotApplicable(update)
        ? row(`${type}.\`${input}\``, "–", note(update.reason))
        : row(`${type}.\`${input}\``, valueOf(update), update.effect),
    ),
  );
  return [
    introduction,
    ...order.map((name) => `- **${columns[name].title}**: ${columns[name].about}`),
    "",
    "<!-- prettier-ignore-start -->",
    "",
    "## Cases",
    "",
    row("", ...order.map((name) => columns[name].title)),
    `|${"---|".repeat(order.length + 1)}`,
    ...matrix,
    "",
    "## Changes of each input",
    "",
    row("Input", "changes to", "effect"),
    "|---|---|---|",
    ...changes,
    "",
    ...notes.map((reason, i) => `[^${i + 1}]: ${reason}`),
    "",
    "<!-- prettier-ignore-end -->",
    "",
  ].join("\n");
}

/** What an input changes to, in short. */
function valueOf({ to, because }: Update): string {
  if (because !== undefined) return `that of \`${because}\`, which is replaced`;
  if (to === undefined) return "nothing";
  const text = JSON.stringify(to, (_, value: unknown) => {
    if (value === null || typeof value !== "object") return value;
    if ("$secret" in value) return "[secret]";
    if ("$ref" in value) return (value.$ref as string[]).join(".");
    return value;
  });
  return `\`${escaped(text.length > 100 ? `${text.slice(0, 99)}…` : text)}\``;
}
