/** `main.ts COMMAND`: runs one of the lab's commands on the lab that `LAB_NAME` names. */
import { commands } from "./commands";
import { currentLab } from "./env";
import { completePath } from "./machine";
import { Interrupted, stopOnSignals } from "./steps";

async function main(): Promise<void> {
  stopOnSignals();
  completePath();
  const name = process.argv[2] ?? "";
  const command = commands[name];
  if (command === undefined)
    throw new Error(`unknown command "${name}"; use ${Object.keys(commands).join(", ")}`);
  await command(currentLab());
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    if (!(error instanceof Interrupted)) console.error(`error: ${(error as Error).message}`);
    else console.error(error.message);
    process.exit(1);
  },
);
