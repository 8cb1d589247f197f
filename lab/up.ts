/** Bringing a lab up: everything that is missing, and nothing twice. */
import { cloudRuns, ensurePython, hasAccount, startCloud } from "./cloud";
import { tearDown } from "./down";
import {
  allHostsAreOff,
  engineAnswers,
  ensureInternet,
  ownEngine,
  startEngine,
  usersEngine,
} from "./engine";
import type { Lab, LabEnv } from "./env";
import { ImageBuilder } from "./images";
import { run } from "./processes";
import { freePort, keepReservation, reserveRanges } from "./ranges";
import { registryPort, startRegistry } from "./registry";
import { ensureKey, startAgent } from "./ssh";
import {
  ensureStack,
  hasResources,
  isHalfDone,
  pulumi,
  settleInterrupted,
  writeShellEnvironment,
} from "./stack";
import { all, Interrupted, say, step, until } from "./steps";
import { ensureCli, installHome } from "./toolchain";
import { pruneCache } from "./cache";

/** Settles everything the stack needs, short of running Pulumi. */
export async function prepare(lab: Lab): Promise<LabEnv> {
  const env = await ensureEnv(lab);
  const [cli, python] = await all([ensureCli(), ensurePython(), startHosting(lab, env)]);
  await step("starting the cloud", async () => {
    // An engine that has ended took all hosts along; the cloud starts them when it begins.
    if (await allHostsAreOff(env)) await lab.daemon("cloud").stop();
    await startCloud(lab, env, python);
  });
  await step("preparing the stack", async () => {
    const [sshPublicKey] = await all([ensureKey(lab), installHome(lab, cli)]);
    await startAgent(lab);
    writeShellEnvironment(lab, env);
    await ensureStack(lab, env, sshPublicKey);
  });
  pruneCache();
  return env;
}

/**
 * Reads or makes `env.json`. A cloud that has ended comes back with the account and the hosts it had, as
 * long as its file is there; without it the stack speaks of things that nobody has, and the lab is made anew.
 */
async function ensureEnv(lab: Lab): Promise<LabEnv> {
  const known = lab.readEnv();
  if (known === undefined) return newEnv(lab);
  if (!cloudRuns(lab) && !hasAccount(lab) && hasResources(lab)) {
    say("the cloud's account is lost, and with it everything the stack had; making the lab anew");
    await tearDown(lab, known);
    return newEnv(lab);
  }
  if (!known.ownEngine && !(await engineAnswers(known.dockerHost))) {
    throw new Error(
      `the Docker engine at ${known.dockerHost}, on which this lab runs, does not answer; start it, or run make lab-down`,
    );
  }
  keepReservation(known.internetGateway, lab.dir);
  const hostImage = new ImageBuilder(lab, known.dockerHost).hostTag();
  const cloudPort = cloudRuns(lab) ? known.cloudPort : await freePort(known.cloudPort);
  return writeEnv(lab, {
    ...known,
    hostImage,
    cloudPort,
    cloudUrl: `http://127.0.0.1:${cloudPort}`,
  });
}

async function newEnv(lab: Lab): Promise<LabEnv> {
  const users = usersEngine();
  const ownsEngine = !(await engineAnswers(users));
  const dockerHost = ownsEngine ? ownEngine(lab) : users;
  const { internetCidr, internetGateway, vpcCidr } = await reserveRanges(lab.id, lab.dir);
  const cloudPort = await freePort();
  return writeEnv(lab, {
    id: lab.id,
    dir: lab.dir,
    dockerHost,
    ownEngine: ownsEngine,
    label: lab.label,
    internetCidr,
    internetGateway,
    internetBridge: `rci${lab.id}`,
    vpcCidr,
    cloudPort,
    cloudUrl: `http://127.0.0.1:${cloudPort}`,
    registry: `registry.lab:${registryPort}`,
    registryAddress: internetGateway,
    hostImage: new ImageBuilder(lab, dockerHost).hostTag(),
    region: "eu-central-1",
    // What a new AWS account has, plus the server that is being replaced: see docs/lab.md.
    vcpuQuota: 8,
    addressQuota: 5,
  });
}

function writeEnv(lab: Lab, env: LabEnv): LabEnv {
  lab.writeEnv(env);
  return env;
}

/** The engine with its host image, and the registry with its images. */
async function startHosting(lab: Lab, env: LabEnv): Promise<void> {
  await step("starting the Docker engine", async () => {
    await startEngine(lab, env);
    await ensureInternet(lab, env);
  });
  const images = new ImageBuilder(lab, env.dockerHost);
  const [, folders] = await all([images.ensureHost(), images.ensureContainers()]);
  await step("starting the registry", async () => {
    await images.cleanUp();
    await startRegistry(lab, env, folders);
  });
}

/**
 * Prepares the lab and runs the program on it. What a killed run left in a machine (a container, a Rancher
 * service) is unknown to Pulumi and in the way of its like; then, and only then, the lab is made anew.
 */
export async function bringUp(lab: Lab): Promise<void> {
  const env = await prepare(lab);
  const wasInterrupted = isHalfDone(lab);
  try {
    if (wasInterrupted) await settleInterrupted(lab, env);
    await pulumiUp(lab);
  } catch (error) {
    if (!wasInterrupted || error instanceof Interrupted) throw error;
    say("what an interrupted run left is in the way; making the lab anew");
    await tearDown(lab, env);
    await prepare(lab);
    await pulumiUp(lab);
  }
}

async function pulumiUp(lab: Lab): Promise<void> {
  say("running pulumi up");
  await run(pulumi, ["up", "--yes", "--skip-preview", "--stack", lab.stack], {
    env: { LAB_NAME: lab.name },
    inherit: true,
  });
}

/** How long hosts that were off may take until the site answers again, in seconds. */
const SITE_SECONDS = 180;

async function answers(url: string): Promise<boolean> {
  try {
    const options = { redirect: "manual", signal: AbortSignal.timeout(5000) } as const;
    return (await fetch(url, options)).status < 500;
  } catch {
    return false;
  }
}

/** Waits until the site answers, says where it is and how to go on. */
export async function explain(lab: Lab): Promise<void> {
  const output = await run(pulumi, ["stack", "output", "--json", "--stack", lab.stack], {
    env: { LAB_NAME: lab.name },
  });
  const { siteUrl, siteUrls, siteAdminUser } = JSON.parse(output) as {
    siteUrl?: string;
    siteUrls?: string[];
    siteAdminUser?: string;
  };
  for (const url of siteUrls ?? []) {
    await step(`asking ${url}`, () =>
      until(`${url} does not answer`, SITE_SECONDS, () => answers(url), 500),
    );
  }
  const prefix = lab.name === "lab" ? "" : `LAB_NAME=${lab.name} `;
  console.log(`
The site: ${siteUrl ?? "(the stack has no output siteUrl)"}

Go on with, for example:
  ${prefix}lab/pulumi stack output siteAdminPassword --show-secrets   # then ${siteUrl ?? ""}/wp-admin/ as ${siteAdminUser ?? "?"}
  ${prefix}lab/pulumi config set wordpressScale 4
  ${prefix}lab/pulumi preview --diff
  ${prefix}lab/pulumi up
  ${prefix}make lab-down`);
}
