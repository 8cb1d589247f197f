/** The lab's commands, as `make` and the test driver call them. */
import * as fs from "node:fs";
import * as path from "node:path";
import { cacheFolder, withLock } from "./cache";
import { cloudRuns } from "./cloud";
import { down, tearDown } from "./down";
import { engineAnswers } from "./engine";
import { type Lab, testOutput } from "./env";
import { checkMachine } from "./machine";
import { bringUp, explain, prepare } from "./up";
import { say } from "./steps";

/** By name; each takes the lab it works on. */
export const commands: Readonly<Record<string, (lab: Lab) => Promise<void>>> = {
  async up(lab) {
    await checkMachine();
    await alone(lab, () => bringUp(lab));
    await explain(lab);
  },
  async prepare(lab) {
    await checkMachine();
    await alone(lab, async () => {
      await prepare(lab);
    });
  },
  down: (lab) => alone(lab, () => down(lab)),
  /** As `down`, but without asking Pulumi first. */
  remove: (lab) =>
    alone(lab, async () => {
      await tearDown(lab, lab.readEnv());
      fs.rmSync(lab.stackFile, { force: true });
    }),
  async clean(lab) {
    fs.rmSync(testOutput, { recursive: true, force: true });
    await alone(lab, () => down(lab));
    fs.rmSync(cacheFolder(), { recursive: true, force: true });
    say(`removed ${cacheFolder()}`);
  },
  status,
};

/** Keeps a second command off the same lab. */
async function alone<T>(lab: Lab, work: () => Promise<T>): Promise<T> {
  const busy = () => {
    throw new Error(`another command is working on the lab in ${lab.dir}; wait for it to end`);
  };
  return withLock(path.join(cacheFolder(), "locks", `lab-${lab.id}`), busy, work);
}

async function status(lab: Lab): Promise<void> {
  const env = lab.readEnv();
  if (env === undefined) return say("the lab is not set up; run: make lab");
  say(
    `engine ${env.dockerHost}: ${(await engineAnswers(env.dockerHost)) ? "answers" : "does not answer"}`,
  );
  say(`cloud ${env.cloudUrl}: ${cloudRuns(lab) ? "runs" : "does not run"}`);
  say(
    `registry on ${env.registryAddress}: ${lab.daemon("registry").pid === undefined ? "does not run" : "runs"}`,
  );
  say(`logs: ${lab.path("logs")}`);
}
