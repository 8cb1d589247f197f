import { writeFile } from "node:fs/promises";
import { type CommandDescription, Problem, runCommand } from "../commands/cli";
import { runUrl, longestSummary, summarize, variable } from "./actions";
import { commentBody, type CommentArgs, marker, verdict } from "./comment";
import { preview, upsertComment } from "./programs";
import { stackCost } from "./stackCost";

const command: CommandDescription = {
  name: "pipeline-preview",
  summary:
    "Previews a stack and says what a reviewer should know of it. Needs no SSH to the hosts.",
  usage:
    "--stack NAME [--against COMMIT|FILE] [--policy-pack FOLDER] [--output FILE] [--pull NUMBER]",
  details: [
    "--stack NAME            the stack",
    "--against COMMIT|FILE   its configuration before, for the cost",
    "--policy-pack FOLDER    rules to hold it to",
    "--output FILE           where to write the comment; default: the terminal",
    "--pull NUMBER           the pull request to write it to, through `gh`",
  ],
  options: {
    stack: { type: "string" },
    against: { type: "string" },
    "policy-pack": { type: "string" },
    output: { type: "string" },
    pull: { type: "string" },
  },
};

/** 1 when the preview failed or a policy forbids what it plans, after that has been told. */
void runCommand(command, async ({ values }) => {
  const text = (name: string) => values[name] as string | undefined;
  const [stack, pull, output] = [text("stack"), text("pull"), text("output")];
  const policyPack = text("policy-pack");
  if (stack === undefined) throw new Problem("--stack is missing: which stack?");
  if (pull !== undefined && !/^\d{1,9}$/.test(pull)) {
    throw new Problem(`--pull: "${pull}" is not the number of a pull request`);
  }

  const [plan, cost] = await Promise.all([
    preview({ stack, ...(policyPack === undefined ? {} : { policyPack }) }),
    stackCost(stack, text("against")),
  ]);
  const [commit, url] = [process.env["PREVIEWED_COMMIT"], runUrl()];
  const args: CommentArgs = {
    stack,
    plan,
    cost,
    ...(commit === undefined ? {} : { commit }),
    ...(url === undefined ? {} : { runUrl: url }),
  };
  const body = commentBody(args);
  summarize(commentBody(args, longestSummary));
  if (output === undefined) console.log(body);
  else {
    await writeFile(output, body);
    console.log(`${stack}: ${verdict(plan)}`);
  }
  if (pull !== undefined) {
    await upsertComment(variable("GITHUB_REPOSITORY"), Number(pull), marker(stack), body);
  }
  return plan.errors.length > 0 || plan.violations.some(({ isMandatory }) => isMandatory) ? 1 : 0;
});
