/** The Docker engine that the lab's hosts run on: the user's when there is one, else the lab's own. */
import * as fs from "node:fs";
import * as http from "node:http";
import type { Lab, LabEnv } from "./env";
import { rangesOf } from "./ranges";
import { run, succeeds } from "./processes";

/** The socket of the engine that the user's own `docker` talks to. Only a local one will do. */
export function usersEngine(): string {
  const host = process.env["DOCKER_HOST"] ?? "";
  return host.startsWith("unix://") ? host : "unix:///var/run/docker.sock";
}

/** True when a Docker engine answers on a `unix://` address. */
export async function engineAnswers(dockerHost: string): Promise<boolean> {
  const socketPath = dockerHost.slice("unix://".length);
  if (!fs.existsSync(socketPath)) return false;
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: "/_ping", timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** The address of the lab's own engine. */
export function ownEngine(lab: Lab): string {
  return `unix://${lab.runDir}/docker.sock`;
}

function engineBridge(lab: Lab): string {
  return `rcb${lab.id}`;
}

/** Runs `docker` against the lab's engine. */
export async function docker(
  dockerHost: string,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<string> {
  const env = {
    DOCKER_HOST: dockerHost,
    DOCKER_CONTEXT: undefined,
    DOCKER_BUILDKIT: "0",
    ...options.env,
  };
  return run("docker", args, { ...options, env });
}

/** Starts the lab's own engine if the lab uses one and it is not running. */
export async function startEngine(lab: Lab, env: LabEnv): Promise<void> {
  if (!env.ownEngine || (await engineAnswers(env.dockerHost))) return;
  const daemon = lab.daemon("engine");
  if (daemon.pid !== undefined) await daemon.stop();
  const ranges = rangesOf(Number(env.internetGateway.split(".")[2]));
  // Its own bridge: two engines that share docker0 take it from each other, and one that is started
  // without any removes docker0.
  const bridge = engineBridge(lab);
  if (!(await succeeds("ip", ["link", "show", bridge]))) {
    await run("ip", ["link", "add", bridge, "type", "bridge"]);
  }
  await run("ip", ["address", "replace", ranges.engineBridge, "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);
  fs.mkdirSync(lab.runDir, { recursive: true });
  const pidFile = `${lab.runDir}/dockerd.pid`;
  fs.rmSync(pidFile, { force: true }); // Left by one that was killed.
  daemon.start("dockerd", [
    ...["--data-root", lab.path("engine")],
    ...["--exec-root", `${lab.runDir}/engine`],
    ...["--pidfile", pidFile],
    ...["--host", env.dockerHost],
    ...["--bridge", bridge],
    ...["--default-address-pool", `base=${ranges.enginePool},size=28`],
    ...["--log-level", "warn"],
    // Container output is for a look now and then; a lab may stand for weeks.
    ...["--log-opt", "max-size=10m"],
  ]);
  await daemon.ready(60, () => engineAnswers(env.dockerHost));
}

/** Makes the lab's "internet", the network whose gateway is this machine. */
export async function ensureInternet(lab: Lab, env: LabEnv): Promise<void> {
  const name = lab.internetNetwork;
  const inspect = ["network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", name];
  const found = await docker(env.dockerHost, inspect).catch(() => "");
  if (found.trim() === env.internetCidr) return;
  if (found !== "") await docker(env.dockerHost, ["network", "rm", name]);
  await docker(env.dockerHost, [
    ...["network", "create", "--driver", "bridge", "--label", env.label],
    ...["--subnet", env.internetCidr, "--gateway", env.internetGateway],
    ...["--opt", `com.docker.network.bridge.name=${env.internetBridge}`, name],
  ]);
}

/** True when the lab has hosts and none of them runs: their engine has ended since they were started. */
export async function allHostsAreOff(env: LabEnv): Promise<boolean> {
  const list = ["ps", "--all", "--filter", `label=${env.label}`, "--format", "{{.State}}"];
  const states = (await docker(env.dockerHost, list)).split("\n").filter((state) => state !== "");
  return states.length > 0 && !states.includes("running");
}

/** Names of the images that this lab made in its engine. */
export async function imagesOf(lab: Lab, dockerHost: string): Promise<string[]> {
  const list = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"];
  const found = await docker(dockerHost, [...list, "--filter", `reference=${lab.prefix}*`]);
  return found.split("\n").filter((name) => name !== "" && !name.endsWith(":<none>"));
}

/** Removes every container, network, volume and image of the lab from its engine. */
export async function removeObjects(lab: Lab, env: LabEnv): Promise<void> {
  const ids = async (args: readonly string[]) =>
    (await docker(env.dockerHost, args)).split("\n").filter((id) => id !== "");
  const label = ["--filter", `label=${lab.label}`];
  const name = ["--filter", `name=${lab.prefix}`];
  const remove = async (list: readonly string[], args: readonly string[]) => {
    const found = [
      ...new Set([...(await ids([...list, ...label])), ...(await ids([...list, ...name]))]),
    ];
    if (found.length > 0) await docker(env.dockerHost, [...args, ...found]);
  };
  await remove(["ps", "--all", "--quiet", "--no-trunc"], ["rm", "--force", "--volumes"]);
  await remove(["network", "ls", "--quiet", "--no-trunc"], ["network", "rm"]);
  await remove(["volume", "ls", "--quiet"], ["volume", "rm", "--force"]);
  if (env.ownEngine) return; // Its images go with it.
  const images = await imagesOf(lab, env.dockerHost);
  if (images.length > 0) await docker(env.dockerHost, ["image", "rm", "--force", ...images]);
}

/** Ends the lab's own engine and removes its bridge. */
export async function stopEngine(lab: Lab): Promise<void> {
  await lab.daemon("engine").stop(30);
  const bridge = engineBridge(lab);
  if (fs.existsSync(`/sys/class/net/${bridge}`)) {
    await run("ip", ["link", "delete", bridge]);
  }
}
