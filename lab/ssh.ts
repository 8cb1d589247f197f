/** The lab user's SSH key, and the agent that offers it. */
import * as fs from "node:fs";
import type { Lab } from "./env";
import { run, succeeds } from "./processes";

/** The socket of the lab's ssh-agent. */
export function agentSocket(lab: Lab): string {
  return `${lab.runDir}/ssh-agent.sock`;
}

/** Makes the key when there is none and returns its public half. */
export async function ensureKey(lab: Lab): Promise<string> {
  const key = lab.path("ssh", "id_ed25519");
  if (!fs.existsSync(`${key}.pub`)) {
    fs.mkdirSync(lab.path("ssh"), { recursive: true, mode: 0o700 });
    fs.rmSync(key, { force: true });
    await run("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-C",
      `rancher-cattle-${lab.stack}`,
      "-f",
      key,
    ]);
  }
  return fs.readFileSync(`${key}.pub`, "utf8").trim();
}

/** Starts the agent when it is not running, with the key in it. */
export async function startAgent(lab: Lab): Promise<void> {
  const socket = agentSocket(lab);
  const env = { SSH_AUTH_SOCK: socket };
  const daemon = lab.daemon("ssh-agent");
  if (daemon.pid === undefined) {
    fs.rmSync(socket, { force: true }); // Left by an agent that was killed.
    daemon.start("ssh-agent", ["-D", "-a", socket]);
    await daemon.ready(10, () => fs.existsSync(socket));
  }
  if (!(await succeeds("ssh-add", ["-l"], { env }))) {
    await run("ssh-add", ["-q", lab.path("ssh", "id_ed25519")], { env });
  }
}
