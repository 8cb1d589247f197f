import { type CommandDescription, Problem, runCommand } from "../commands/cli";
import { longestSummary, runUrl, summarize } from "./actions";
import { commentBody, verdict } from "./comment";
import { preview, run, stackOptions } from "./programs";
import { stackCost } from "./stackCost";

const command: CommandDescription = {
  name: "pipeline-deploy",
  summary:
    "Brings a stack up to date, unless its preview fails or a policy forbids it. Needs SSH to the hosts.",
  usage: "--stack NAME [--policy-pack FOLDER]",
  details: [
    "--stack NAME           the stack",
    "--policy-pack FOLDER   rules to hold it to, in the preview and again in `up`",
  ],
  options: { stack: { type: "string" }, "policy-pack": { type: "string" } },
};

void runCommand(command, async ({ values }) => {
  const stack = values["stack"] as string | undefined;
  const policyPack = values["policy-pack"] as string | undefined;
  if (stack === undefined) throw new Problem("--stack is missing: which stack?");
  const what = { stack, ...(policyPack === undefined ? {} : { policyPack }) };

  const plan = await preview(what);
  const url = runUrl();
  const body = commentBody(
    {
      stack,
      plan,
      cost: await stackCost(stack, undefined),
      title: "Deployment",
      ...(url === undefined ? {} : { runUrl: url }),
    },
    longestSummary,
  );
  console.log(body);
  summarize(body);
  if (plan.errors.length > 0 || plan.violations.some(({ isMandatory }) => isMandatory)) {
    throw new Problem(`nothing was deployed: ${verdict(plan)}`);
  }

  // Also when no resource changes: protection and outputs do without a step that says so.
  const words = ["up", "--yes", "--skip-preview", "--suppress-outputs", ...stackOptions(what)];
  const { code } = await run("pulumi", words, { isShown: true });
  if (code !== 0) throw new Problem(`pulumi up ended with ${code}; the stack may be half-way`);
  return 0;
});
