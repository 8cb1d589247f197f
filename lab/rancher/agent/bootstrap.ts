/**
 * The registration command's part, `docker run … rancher/agent <registrationUrl>`: waits for the server,
 * registers this machine once, leaves the container `rancher-agent` running and ends.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { RegisterAnswer, RegisterRequest } from "../protocol";
import { type ContainerCreate, Docker, DockerError, isStatus } from "./docker";
import { log, text } from "./log";
import { checkAgentIp, checkRegistrationUrl, parseRegistrationScript } from "./settings";
import { ALMOST_PRIVILEGED } from "./spec";
import { hostToken, saveCredentials } from "./state";

/** Name of the container that stays. The bootstrap itself must have another one. */
export const AGENT_CONTAINER = "rancher-agent";

const WAIT_TRIES = 300;
const WAIT_PAUSE_MS = 2_000;
const REGISTER_TRIES = 150;

/** Runs the bootstrap. @throws with a message for the person who ran the command */
export async function bootstrap(argument: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const registrationUrl = checkRegistrationUrl(argument);
  const givenIp = environment.CATTLE_AGENT_IP ?? "";
  if (givenIp !== "") checkAgentIp(givenIp);
  const docker = new Docker();
  await docker.info().catch((error: unknown) => {
    throw new Error(
      `cannot talk to docker, mount it with -v /var/run/docker.sock:/var/run/docker.sock: ${text(error)}`,
    );
  });

  const script = parseRegistrationScript(await fetchScript(registrationUrl));
  const agentIp = checkAgentIp(givenIp === "" ? (script.DETECTED_CATTLE_AGENT_IP ?? "") : givenIp);
  const url = script.CATTLE_URL ?? "";
  if (url === "") throw new Error("the server's registration script names no CATTLE_URL");
  log(`registering ${agentIp} with ${url}`);
  const answer = await register(
    url,
    script.CATTLE_REGISTRATION_ACCESS_KEY ?? "",
    script.CATTLE_REGISTRATION_SECRET_KEY ?? "",
  );
  saveCredentials(answer);

  const self = await docker.inspect(ownContainer());
  await docker.remove(AGENT_CONTAINER);
  await startAgent(docker, {
    Image: self.Config.Image,
    Cmd: ["run"],
    Env: [
      `CATTLE_URL=${url}`,
      `CATTLE_AGENT_IP=${agentIp}`,
      `CATTLE_HOST_LABELS=${environment.CATTLE_HOST_LABELS ?? ""}`,
    ],
    HostConfig: {
      Binds: ["/var/run/docker.sock:/var/run/docker.sock", "/var/lib/rancher:/var/lib/rancher"],
      NetworkMode: "host",
      PidMode: "host",
      RestartPolicy: { Name: "always" },
    },
  });
  log(`${AGENT_CONTAINER} is running`);
}

/** Starts the agent, privileged where the engine can do that. */
async function startAgent(docker: Docker, body: ContainerCreate): Promise<void> {
  const attempt = async (host: Partial<ContainerCreate["HostConfig"]>): Promise<void> => {
    const HostConfig = { ...body.HostConfig, ...host };
    const id = await docker.create(AGENT_CONTAINER, { ...body, HostConfig });
    try {
      await docker.start(id);
    } catch (error) {
      await docker.remove(id);
      throw error;
    }
  };
  try {
    await attempt({ Privileged: true });
  } catch (error) {
    if (!(error instanceof DockerError) || isStatus(error, 404)) throw error;
    log(`starting ${AGENT_CONTAINER} without --privileged, which docker refuses: ${text(error)}`);
    await attempt(ALMOST_PRIVILEGED);
  }
}

async function fetchScript(url: string): Promise<string> {
  let last = "";
  for (let attempt = 0; attempt < WAIT_TRIES; attempt += 1) {
    if (attempt > 0) await pause();
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (response.ok) return await response.text();
      last = `it answers ${response.status}`;
    } catch (error) {
      last = cause(error);
    }
    // The URL's path is the token.
    if (attempt % 15 === 0) log(`waiting for the server at ${new URL(url).origin}: ${last}`);
  }
  throw new Error(`the server at ${new URL(url).origin} did not give its script: ${last}`);
}

async function register(url: string, user: string, secret: string): Promise<RegisterAnswer> {
  const body: RegisterRequest = { key: hostToken() };
  let last = "";
  for (let attempt = 0; attempt < REGISTER_TRIES; attempt += 1) {
    if (attempt > 0) await pause();
    try {
      const response = await fetch(`${url}/register`, {
        method: "POST",
        headers: {
          Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`,
          "Content-Type": "application/json",
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
      if (response.ok) return (await response.json()) as RegisterAnswer;
      last = `it answers ${response.status}`;
      if (response.status < 500) break;
    } catch (error) {
      last = cause(error);
    }
    if (attempt % 15 === 0) log(`registering: ${last}`);
  }
  throw new Error(`the server did not register this host: ${last}`);
}

/** Id of the container this runs in: Docker mounts files of its own folder for it. */
function ownContainer(): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  return /\/containers\/([0-9a-f]{64})\//.exec(mounts)?.[1] ?? hostname();
}

/** Whether this container was started with `--privileged`: what the bootstrap found out. */
export async function isPrivileged(docker: Docker): Promise<boolean> {
  return (await docker.inspect(ownContainer())).HostConfig.Privileged;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, WAIT_PAUSE_MS));
}

/** fetch hides the reason one level down. */
function cause(error: unknown): string {
  return text(error instanceof Error && error.cause !== undefined ? error.cause : error);
}
