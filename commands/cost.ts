import { type CommandDescription, Problem, runCommand, stackOption } from "./cli";
import { estimate, ordinary } from "./cost/estimate";
import { comparison, report } from "./cost/report";
import { hoursAMonth, notCounted } from "./cost/prices";
import {
  pricedSettings,
  readStackFile,
  readStackFileAt,
  stackFile,
  withValues,
} from "./cost/stackConfig";
import { Stack } from "./stack";

const command: CommandDescription = {
  name: "cost",
  summary:
    "Estimates what a stack costs in a month, from its configuration and a dated price table.\nNothing is asked of AWS, and the stack need not be up.",
  usage: "[--set KEY=VALUE …] [--against COMMIT|FILE] [--files-gib N] [--stack NAME] [--json]",
  details: [
    "--set KEY=VALUE        the difference that another value would make; may be repeated",
    "--against COMMIT|FILE  the difference to the stack's configuration there, such as main",
    `--files-gib N          GiB in the shared files; default: ${ordinary.filesGiB}`,
    "--json                 the same for programs",
  ],
  options: {
    ...stackOption,
    set: { type: "string", multiple: true },
    against: { type: "string" },
    "files-gib": { type: "string" },
    json: { type: "boolean" },
  },
};

function filesGiB(text: string | undefined): number {
  if (text === undefined) return ordinary.filesGiB;
  if (!/^\d{1,7}(\.\d+)?$/.test(text)) {
    throw new Problem(`--files-gib: "${text}" is not a number of GiB; write one, such as 20`);
  }
  return Number(text);
}

void runCommand(command, async ({ values }) => {
  const [against, json] = [values["against"] as string | undefined, values["json"] === true];
  const assignments = (values["set"] ?? []) as string[];
  const stack = await new Stack(values["stack"] as string | undefined).name();
  const assumptions = {
    ...ordinary,
    filesGiB: filesGiB(values["files-gib"] as string | undefined),
  };

  const own = await readStackFile(stack);
  if (own === undefined) {
    throw new Problem(
      `there is no ${stackFile(stack)}; run: npx pulumi stack init ${stack}, and configure it`,
    );
  }
  const there = against === undefined ? own : await readStackFileAt(against, stack);
  const after = estimate(pricedSettings(withValues(own, assignments)), assumptions);
  const compares = against !== undefined || assignments.length > 0;
  const before =
    compares && there !== undefined ? estimate(pricedSettings(there), assumptions) : undefined;

  if (json) {
    console.log(JSON.stringify({ stack, hoursAMonth, notCounted, before, after }, undefined, 2));
    return undefined;
  }
  const lines = report(stack, after);
  if (before !== undefined) lines.push("", ...comparison(before, after));
  else if (compares)
    lines.push("", `${against ?? ""} has no ${stackFile(stack)}: all of it is new`);
  console.log(lines.join("\n"));
  return undefined;
});
