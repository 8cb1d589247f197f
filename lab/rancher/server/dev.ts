/**
 * The lab's Rancher server for developing against it: state in memory, no Docker, pretended hosts.
 *
 *   node_modules/.bin/tsx lab/rancher/server/dev.ts --port 18080 --simulate 2
 *
 * `--simulate N` makes N active hosts sim-host-1 … with the labels `sim.host=1` …; image names that
 * begin with `doesnotexist` fail to start. Everything is lost when it stops. In code: `startServer({store: new
 * MemoryStore(), port: 0, log: console.log})` from ./server and `SimulatedAgent` from ./simulator.
 */
import { startServer } from "./server";
import { SimulatedAgent } from "./simulator";
import { MemoryStore } from "./store";

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

async function main(): Promise<void> {
  const log = (line: string): void => {
    console.log(`${new Date().toISOString()} ${line}`);
  };
  const server = await startServer({
    store: new MemoryStore(),
    port: Number(option("port", "18080")),
    host: "127.0.0.1",
    env: process.env,
    log,
  });
  log(`listening on ${server.url}`);
  const { db, settings } = server.app;
  // Straight into the store: access control may be on by the time someone asks over HTTP.
  const token = db.credentials.insert({
    uuid: "simulated-hosts",
    kind: "registrationToken",
    name: "simulated hosts",
    description: null,
    state: "active",
    stateSince: Date.now(),
    accountId: 5,
    created: Date.now(),
    removed: null,
    transitioning: "no",
    transitioningMessage: null,
    transitioningProgress: null,
    publicValue: null,
    secretValue: `sim:${settings.installSecret}`,
    registerKeyHash: null,
    hostId: null,
  });
  for (let n = 1; n <= Number(option("simulate", "2")); n++) {
    const agent = new SimulatedAgent({
      server: server.url,
      token: token.secretValue ?? "",
      hostname: `sim-host-${String(n)}`,
      agentIp: `192.168.0.${String(20 + n)}`,
      labels: { "sim.host": String(n) },
    });
    await agent.start();
    log(`simulated host ${agent.hostId ?? ""} is connected`);
  }
}

main().catch((e: unknown) => {
  console.error(e);
  process.exit(1);
});
