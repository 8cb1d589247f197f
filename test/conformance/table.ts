/** `docs/conformance.md`: what became of every recorded exchange. */
import * as path from "node:path";
import type { Recording } from "./recordings";

/** Where the table is kept. */
export const tableFile = path.resolve(__dirname, "../../docs/conformance.md");

/** What became of one exchange. */
export interface Row {
  readonly recording: Recording;
  readonly verdict: "conforms" | "not needed" | "differs";
  /** Empty when it conforms. */
  readonly why: string;
}

const introduction = `# Conformance with the real server

The recordings in \`../shared/rancher-recordings\` are exchanges with Rancher's own API server. The suite in
\`test/conformance\` sends each of them, in file order, to a fresh Rancher server of the lab with two simulated hosts and
compares status, error code, \`fieldName\`, state, the set of keys at every depth, and for polls the order of distinct states
(repeats and skipped intermediates allowed). Ids, tokens and keys are mapped; times, uuids and link bases are ignored, and so
is what depends on the recorder's installation (its hosts had no Docker and checked each other's containers), on the moment
(whether something that is being removed is still in a list) and on chance (how many ports a host publishes).

What the recorder's installation had from the start is made before the first exchange: two of the system's stacks, with a
container on each host, and no catalog.

This page is generated: \`UPDATE=1\` makes the suite write it, without it a stale page fails. The reasons are kept in
\`test/conformance/exceptions.ts\`; one that is no longer needed fails too.
`;

/** A cell must not end the row. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The page. */
export function tableText(rows: readonly Row[]): string {
  const count = (verdict: Row["verdict"]): string =>
    String(rows.filter((row) => row.verdict === verdict).length);
  const lines = rows.map(({ recording, verdict, why }) => {
    const { method, path: target } = recording.request;
    const request = `\`${method} ${target.replace(/(\/v1\/scripts\/).*/, "$1<token>")}\``;
    const poll = recording.timeline === undefined ? "" : " (poll)";
    const result = why === "" ? verdict : `${verdict}: ${why}`;
    return `| ${recording.title} | ${cell(request)}${poll} | ${cell(result)} |`;
  });
  return [
    introduction,
    `${String(rows.length)} exchanges: ${count("conforms")} conform, ${count("not needed")} are not needed, ${count("differs")} differ.`,
    "",
    // Aligned columns would make the page three times as long.
    "<!-- prettier-ignore-start -->",
    "",
    "| Recording | Request | Result |",
    "|---|---|---|",
    ...lines,
    "",
    "<!-- prettier-ignore-end -->",
    "",
  ].join("\n");
}
