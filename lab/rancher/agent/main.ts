/**
 * The lab's stand-in for `rancher/agent`. TEST EQUIPMENT.
 * `<registrationUrl>`: registers the machine and leaves `rancher-agent` running. `run`: is that container.
 */
import { type Hello, PROTOCOL_VERSION } from "../protocol";
import { bootstrap, isPrivileged } from "./bootstrap";
import { Connection } from "./connection";
import { Converger } from "./converge";
import { Docker } from "./docker";
import { log, text } from "./log";
import { checkAgentIp, parseHostLabels } from "./settings";
import { HealthFile, loadCredentials } from "./state";

async function run(environment: NodeJS.ProcessEnv): Promise<void> {
  const docker = new Docker();
  const agentIp = checkAgentIp(environment.CATTLE_AGENT_IP ?? "");
  const url = environment.CATTLE_URL ?? "";
  if (url === "") throw new Error("CATTLE_URL is not set: run the server's registration command");

  const hello = async (): Promise<Hello> => {
    const info = await docker.info();
    return {
      type: "hello",
      version: PROTOCOL_VERSION,
      hostname: info.Name,
      agentIp,
      labels: parseHostLabels(environment.CATTLE_HOST_LABELS ?? ""),
      dockerVersion: info.ServerVersion,
      kernelVersion: info.KernelVersion,
      operatingSystem: info.OperatingSystem,
      memoryMiB: Math.floor(info.MemTotal / 1024 / 1024),
      cpuCount: info.NCPU,
    };
  };
  const converger = new Converger({
    docker,
    privilegedWorks: await isPrivileged(docker),
    memory: new HealthFile(),
    onChange: () => connection.tell(),
  });
  const connection = new Connection({
    url,
    credentials: loadCredentials(),
    hello,
    onDesired: (desired) => converger.setDesired(desired),
    onRemoved: () => converger.release(),
    observe: (generation) => converger.observe(generation),
  });
  onStop(() => {
    log("stopping; the containers stay");
    connection.close();
    // The server sees the close at once; nothing else is pending that matters.
    setTimeout(() => process.exit(0), 100);
  });
  // Before the first report everything that is here must be known.
  await converger.overlay.adopt();
  await converger.start();
  await connection.run();
}

/** The first process of a container ignores signals that it does not handle. */
function onStop(stop: () => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop);
}

const argument = process.argv[2] ?? "";
if (argument !== "run") onStop(() => process.exit(130));
const role = argument === "run" ? run(process.env) : bootstrap(argument, process.env);
role.catch((error: unknown) => {
  console.error(`error: ${text(error)}`);
  process.exit(1);
});
