/** What GitHub Actions tells a script, and what a script tells it. */
import { appendFileSync } from "node:fs";
import { Problem } from "../commands/cli";

/** A variable that GitHub Actions sets. @throws Problem outside of a workflow */
export function variable(name: string): string {
  const value = process.env[name] ?? "";
  if (value === "") throw new Problem(`${name} is not set; GitHub Actions sets it in a workflow`);
  return value;
}

/** Address of this run; undefined outside of a workflow. */
export function runUrl(): string | undefined {
  const {
    GITHUB_SERVER_URL: server,
    GITHUB_REPOSITORY: repository,
    GITHUB_RUN_ID: id,
  } = process.env;
  return server !== undefined && repository !== undefined && id !== undefined
    ? `${server}/${repository}/actions/runs/${id}`
    : undefined;
}

/** Adds to the page of this run; does nothing outside of a workflow. */
export function summarize(markdown: string): void {
  const file = process.env["GITHUB_STEP_SUMMARY"] ?? "";
  if (file !== "") appendFileSync(file, `${markdown}\n`);
}

/** Longest text of a page: GitHub takes 1 MiB of a step (docs, workflow commands, job summaries). */
export const longestSummary = 900_000;
