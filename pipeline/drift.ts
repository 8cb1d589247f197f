import { type CommandDescription, Problem, runCommand } from "../commands/cli";
import { longestSummary, runUrl, summarize, variable } from "./actions";
import { commentBody, marker, verdict } from "./comment";
import { changing } from "./plan";
import { closeIssue, preview, upsertIssue } from "./programs";
import { stackCost } from "./stackCost";

const command: CommandDescription = {
  name: "pipeline-drift",
  summary:
    "Compares a stack with what is really there, and keeps one issue open while they differ. Needs SSH to the hosts.",
  usage: "--stack NAME",
  details: ["--stack NAME   the stack"],
  options: { stack: { type: "string" } },
};

/** Drift is told in the issue and is no failure; a comparison that fails is one. */
void runCommand(command, async ({ values }) => {
  const stack = values["stack"] as string | undefined;
  if (stack === undefined) throw new Problem("--stack is missing: which stack?");
  const repository = variable("GITHUB_REPOSITORY");
  const title = "Drift";

  const plan = await preview({ stack, refreshes: true });
  const url = runUrl();
  const args = {
    stack,
    plan,
    title,
    cost: await stackCost(stack, undefined),
    ...(url === undefined ? {} : { runUrl: url }),
  };
  summarize(commentBody(args, longestSummary));
  console.log(`${stack}: ${verdict(plan)}`);
  if (plan.errors.length > 0) throw new Problem(`the comparison failed: ${plan.errors.join("\n")}`);

  const mark = marker(stack, title);
  if (changing(plan.steps).length === 0) {
    await closeIssue(repository, mark, `### ${title} of ${stack}: gone\n\n${mark}\n`);
  } else {
    await upsertIssue(repository, mark, `${title} of ${stack}`, commentBody(args));
  }
  return 0;
});
