/** Suites that need a Docker engine and the lab's images, but no lab that is up. */
import * as mysql from "mysql2/promise";
import * as net from "node:net";
import { ensurePython, startCloud } from "../lab/cloud";
import { tearDown } from "../lab/down";
import { docker, ensureInternet } from "../lab/engine";
import { Lab, type LabEnv } from "../lab/env";
import { freePort, reserveRanges } from "../lab/ranges";
import { registryPort } from "../lab/registry";
import { until } from "../lab/steps";

/** The lab of the cloud's own suite: a cloud and nothing else, on the engine of the tests' lab. */
export const cloudLab = new Lab("testcloud");

/** How long MariaDB may take to make its files and answer, in seconds. */
const DATABASE_SECONDS = 60;

/**
 * Runs `work` with a cloud that has an account, ranges and hosts of its own.
 * @param host the lab that is up, for its engine and its image of a host.
 * @param work takes the path of the cloud's `env.json`.
 */
export async function withCloud(host: LabEnv, work: (envFile: string) => Promise<void>) {
  const { internetCidr, internetGateway, vpcCidr } = await reserveRanges(cloudLab.id, cloudLab.dir);
  const cloudPort = await freePort();
  const env: LabEnv = {
    ...host,
    id: cloudLab.id,
    dir: cloudLab.dir,
    ownEngine: false,
    label: cloudLab.label,
    internetCidr,
    internetGateway,
    internetBridge: `rci${cloudLab.id}`,
    vpcCidr,
    cloudPort,
    cloudUrl: `http://127.0.0.1:${cloudPort}`,
    registryAddress: internetGateway,
  };
  cloudLab.writeEnv(env);
  try {
    await ensureInternet(cloudLab, env);
    await startCloud(cloudLab, env, await ensurePython());
    await work(cloudLab.path("env.json"));
  } finally {
    await tearDown(cloudLab, env);
  }
}

/**
 * Runs `work` with an empty database in the lab's MariaDB.
 * @param work takes its address, `mysql://user:password@host:port/database`.
 */
export async function withDatabase(
  lab: Lab,
  env: LabEnv,
  work: (url: string) => Promise<void>,
): Promise<void> {
  const name = `${lab.prefix}database`;
  let image = "";
  await withLocalRegistry(env, async (registry) => {
    image = `${registry}/mariadb:10.1.48`;
    // Any password will do: the container has an address on this machine only, and goes with the suite.
    const settings = Object.entries({ USER: "test", PASSWORD: "test", DATABASE: "test" });
    const args = [
      ...["run", "--detach", "--name", name, "--label", env.label],
      ...["--env", "MYSQL_RANDOM_ROOT_PASSWORD=1"],
      ...settings.flatMap(([key, value]) => ["--env", `MYSQL_${key}=${value}`]),
    ];
    await docker(env.dockerHost, [...args, image]);
  });
  try {
    const format = "{{.NetworkSettings.IPAddress}}";
    const inspected = await docker(env.dockerHost, ["inspect", "--format", format, name]);
    const url = `mysql://test:test@${inspected.trim()}:3306/test`;
    await until("MariaDB does not answer", DATABASE_SECONDS, () => accepts(url), 500);
    await work(url);
  } finally {
    await docker(env.dockerHost, ["rm", "--force", "--volumes", name]);
    await docker(env.dockerHost, ["image", "rm", image]);
  }
}

async function accepts(url: string): Promise<boolean> {
  try {
    const connection = await mysql.createConnection({ uri: url, connectTimeout: 2000 });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

/** Gives the lab's registry an address on the loopback range, where every engine accepts it without TLS. */
async function withLocalRegistry(
  env: LabEnv,
  work: (registry: string) => Promise<void>,
): Promise<void> {
  const server = net.createServer((client) => {
    const registry = net.connect(registryPort, env.registryAddress);
    const end = () => {
      client.destroy();
      registry.destroy();
    };
    client.on("error", end).on("close", end);
    registry.on("error", end).on("close", end);
    client.pipe(registry).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  } finally {
    server.close();
  }
}
