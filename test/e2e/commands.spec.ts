import { strict as assert } from "node:assert";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { Status } from "../../commands/status/status";
import { eventually, outputs, type Ran, root } from "./lab";
import { page } from "./site";

/** Starts one of the commands as `npm run` does, in the lab's environment. */
function start(name: string, ...args: string[]): ChildProcess {
  const words = ["--import", "tsx", path.join("commands", `${name}.ts`), ...args];
  return spawn(path.join(root, "lab/run"), [process.execPath, ...words], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** What a process has said so far. */
function listen(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  return said;
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) =>
    child.once("close", (code) => {
      resolve(code ?? -1);
    }),
  );
}

/** Runs one of the commands to its end. */
async function run(name: string, ...args: string[]): Promise<Ran> {
  const child = start(name, ...args);
  const said = listen(child);
  return { code: await ended(child), ...said };
}

/** A port of this machine that is taken until the server is closed. */
function takePort(): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      resolve({ server, port: (server.address() as AddressInfo).port });
    });
  });
}

async function freePort(): Promise<number> {
  const { server, port } = await takePort();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("seeing a stack that is up", () => {
  it("GIVEN a healthy stack WHEN its status is asked for THEN it is one screen and exit code 0", async () => {
    // Other tests may have stopped something a moment ago.
    const { code, stdout, stderr } = await eventually("it is well", 60, async () => {
      const ran = await run("status");
      if (ran.code !== 0) throw new Error(`${ran.stdout}\n${ran.stderr}`);
      return ran;
    });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /: healthy, Rancher v1\.6\.30/);
    for (const { name, address } of (await outputs()).agentHosts) {
      assert.match(stdout, new RegExp(`✓ +${name} +${address} +active +\\d+ containers?`));
    }
    assert.match(stdout, /✓ +wordpress\/web +healthy +(\d+) of \1 +wordpress:/);
    assert.match(stdout, /✓ +rancher-db +Up .*\(healthy\) +mariadb:/);
  });

  it("GIVEN a healthy stack WHEN its status is asked for as JSON THEN it has times and scales, and no secret", async () => {
    const { code, stdout } = await run("status", "--json");
    assert.equal(code, 0, stdout);
    const status = JSON.parse(stdout) as Status;
    assert.ok(status.isHealthy && status.problems.length === 0);
    assert.ok(status.urls.length > 0);
    assert.ok(status.urls.every(({ milliseconds }) => milliseconds !== null && milliseconds > 0));
    const web = status.services.find(({ name }) => name === "wordpress/web");
    assert.ok(web !== undefined && web.running > 0 && web.running === web.wanted);
    const secret = await outputs();
    for (const text of [
      secret.rancherSecretKey,
      secret.rancherAdminPassword,
      secret.siteAdminPassword,
    ]) {
      assert.ok(!stdout.includes(text));
    }
  });

  it("GIVEN an agent host WHEN a command is run there THEN its output and exit code are passed on", async () => {
    const [listed, failed, unknown] = await Promise.all([
      run("ssh", "agents-0", "--", "docker", "ps", "--format", "{{.Names}}"),
      run("ssh", "server", "--", "exit 7"),
      run("ssh", "agent-0", "--", "true"),
    ]);
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /^rancher-agent$/m);
    assert.equal(failed.code, 7);
    assert.equal(unknown.code, 1);
    assert.match(
      unknown.stderr,
      /no host "agent-0"; did you mean agents-0\? hosts: server, agents-0/,
    );
  });

  it("GIVEN visitors WHEN the logs of web are asked for THEN those of every replica come, in the order of time", async () => {
    const marker = `seeing-${Date.now().toString(36)}`;
    const [address] = (await outputs()).siteUrls;
    assert.ok(address);
    for (let i = 0; i < 8; i++) await page(`${address}/?${marker}`);
    const { code, stdout, stderr } = await run("logs", "web", "--since", "1m");
    assert.equal(code, 0, stderr);
    const lines = stdout.split("\n").filter((line) => line.includes(marker));
    assert.equal(lines.length, 8);
    const replicas = new Set(lines.map((line) => line.split(" |")[0] ?? ""));
    assert.ok(replicas.size > 1, [...replicas].join(", "));
    for (const name of replicas) assert.match(name, /^wordpress-web-\d+ *$/);
  });

  it("GIVEN logs that are followed WHEN they are interrupted THEN nothing goes on running on the hosts", async () => {
    const follower = start("logs", "balancer", "--follow", "--tail", "1");
    const said = listen(follower);
    const end = ended(follower);
    const followed = async () => {
      const hosts = await Promise.all(
        ["agents-0", "agents-1"].map((host) =>
          run("ssh", host, "--", "ps ax | grep -c '[d]ocker logs.*--follow'"),
        ),
      );
      return hosts.map(({ stdout }) => Number(stdout));
    };
    await eventually("each host is asked", 20, async () =>
      (await followed()).every((count) => count > 0) ? true : undefined,
    );
    follower.kill("SIGINT");
    assert.equal(await end, 0, said.stderr);
    await eventually("no host is asked any more", 20, async () =>
      (await followed()).every((count) => count === 0) ? true : undefined,
    );
  });

  it("GIVEN the stack WHEN it is drawn THEN the SVG has its hosts, and no secret", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "rancher-cattle-"));
    try {
      const file = path.join(folder, "stack.svg");
      const { code, stderr } = await run("diagram", "--output", file);
      assert.equal(code, 0, stderr);
      const svg = readFileSync(file, "utf8");
      const { agentHosts, rancherSecretKey } = await outputs();
      for (const { address } of agentHosts) assert.ok(svg.includes(`>${address}<`));
      assert.ok(!svg.includes(rancherSecretKey));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("GIVEN the tunnel to Rancher's UI WHEN it is open THEN Rancher answers at its end, until it is closed", async () => {
    const port = await freePort();
    const tunnel = start("ui", "--port", String(port));
    const said = listen(tunnel);
    const end = ended(tunnel);
    await eventually("the tunnel opens", 20, () =>
      Promise.resolve(said.stdout.includes(`http://127.0.0.1:${port}`) ? true : undefined),
    );
    assert.equal((await page(`http://127.0.0.1:${port}/v2-beta`)).status, 401);
    tunnel.kill("SIGINT");
    assert.equal(await end, 0, said.stderr);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/v2-beta`));
  });

  it("GIVEN a port that is taken WHEN the tunnel is asked for THEN another one is named", async () => {
    const { server, port } = await takePort();
    try {
      const { code, stderr } = await run("ui", "--port", String(port));
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`port ${port} of this machine is taken.*--port \\d+`));
    } finally {
      server.close();
    }
  });
});
