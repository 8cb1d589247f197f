/** `npm run diagram`: draws the stack as it is in Pulumi's state. */
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { Problem, runCommand, stackOption } from "./cli";
import { draw } from "./diagram/draw";
import { drawn } from "./diagram/model";
import { Stack } from "./stack";
import { type StackExport, StackState } from "./state";

/** Reads an export. @throws Problem for a file that is none */
function exported(file: string): StackState {
  try {
    const read = JSON.parse(readFileSync(file, "utf8")) as Partial<StackExport>;
    if (read.deployment === undefined) throw new Error("it has no deployment");
    return new StackState({ deployment: read.deployment });
  } catch (error) {
    throw new Problem(
      `${file} is not a stack's state (${(error as Error).message}); write one with: npx pulumi stack export --file ${file}`,
    );
  }
}

void runCommand(
  {
    name: "diagram",
    summary: "Draws the stack as an SVG: network, hosts, containers, services, and what is open.",
    usage: "[--output FILE] [--state FILE] [--stack NAME]",
    details: [
      "--output FILE  where to; default: STACK.svg",
      "--state FILE   what `pulumi stack export` has written, instead of the stack itself",
    ],
    options: { ...stackOption, output: { type: "string" }, state: { type: "string" } },
  },
  async ({ values }) => {
    const file = values["state"] as string | undefined;
    const state =
      file === undefined
        ? await new Stack(values["stack"] as string | undefined).state()
        : exported(file);
    const model = drawn(state);
    if (model.server === undefined || model.vpcCidr === "") {
      throw new Problem("there is nothing to draw: the stack is not up; run: npx pulumi up");
    }
    const output = (values["output"] as string | undefined) ?? `${model.stack}.svg`;
    try {
      writeFileSync(output, draw(model));
    } catch (error) {
      throw new Problem(`cannot write ${output}: ${(error as Error).message}`);
    }
    console.log(path.relative(process.cwd(), output) || output);
    return 0;
  },
);
