/** The provider's resources against the lab's Rancher server, in one process and without containers. */
import * as assert from "node:assert/strict";
import { startServer, type RunningServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";
import type { Client } from "../../rancher/client/client";
import type { Props, Resource } from "../../rancher/plugin/types";
import { accessControl } from "../../rancher/resources/accessControl";
import { host } from "../../rancher/resources/host";
import { loadBalancer } from "../../rancher/resources/loadBalancer";
import { registrationToken } from "../../rancher/resources/registrationToken";
import { service } from "../../rancher/resources/service";
import { stack } from "../../rancher/resources/stack";
import { call, connect, failure } from "./support";

/** One resource as the engine keeps it. */
interface Kept {
  readonly resource: Resource<Client>;
  readonly id: string;
  inputs: Props;
  outputs: Props;
}

const urn = (name: string): string => `urn:pulumi:dev::test::rancher:index:Thing::${name}`;

describe("the resources against the lab's Rancher server", () => {
  let server: RunningServer;
  let client: Client;
  const agents: SimulatedAgent[] = [];
  const kept = new Map<string, Kept>();

  async function create(name: string, resource: Resource<Client>, given: Props): Promise<Kept> {
    const { inputs, problems } = resource.check(given, undefined, { urn: urn(name) });
    assert.deepEqual(problems, []);
    const { id, outputs } = await resource.create(client, inputs, call(30, urn(name)));
    const made = { resource, id, inputs, outputs };
    kept.set(name, made);
    return made;
  }

  async function update(name: string, more: Props, seconds = 30): Promise<void> {
    const it = get(name);
    const { inputs } = it.resource.check({ ...it.inputs, ...more }, it.inputs, { urn: urn(name) });
    const args = { id: it.id, oldInputs: it.inputs, old: it.outputs, inputs };
    const outputs = await it.resource.update?.(client, args, call(seconds, urn(name)));
    Object.assign(it, { inputs, outputs });
  }

  function get(name: string): Kept {
    const found = kept.get(name);
    assert.ok(found, `${name} was not made`);
    return found;
  }

  async function assertNoDrift(): Promise<void> {
    for (const [name, { resource, id, inputs, outputs }] of kept) {
      const seen = await resource.read(client, { id, inputs, outputs }, call());
      assert.deepEqual(seen?.inputs, inputs, name);
      assert.deepEqual(seen.state, { id, outputs }, name);
    }
  }

  const instances = (): Promise<Props[]> =>
    client.list<Props>(`/v2-beta/projects/1a5/services/${get("web").id}/instances`);

  before(async () => {
    server = await startServer({ store: new MemoryStore(), port: 0, host: "127.0.0.1" });
    client = connect(server.url);
  });
  after(async () => {
    client.close();
    for (const agent of agents) agent.stop();
    await server.close();
  });

  it("closes the server and holds a key", async () => {
    const { outputs } = await create("access", accessControl, { password: "correct horse" });
    const [accessKey, secretKey] = [outputs["accessKey"], outputs["secretKey"]].map(String);
    assert.ok(accessKey !== undefined && secretKey !== undefined);
    assert.equal((await client.raw("GET", "/v2-beta/projects")).status, 401);
    client = client.as({ kind: "key", accessKey, secretKey });
  });

  it("gives out a registration token with which machines join", async () => {
    const { outputs } = await create("token", registrationToken, { description: "for tests" });
    for (const n of [1, 2]) {
      const labels = { machine: String(n) };
      const agentIp = `10.0.0.${n}`;
      const token = String(outputs["token"]);
      const agent = new SimulatedAgent({
        ...{ server: server.url, token, hostname: `m${n}`, agentIp, labels },
      });
      agents.push(agent);
      await agent.start();
      await create(`host${n}`, host, { matchLabels: labels, labels: { tier: "web" } });
    }
  });

  it("makes a stack, a service and a load balancer, without drift", async () => {
    const { id: stackId } = await create("stack", stack, { name: "site" });
    const { id: serviceId } = await create("web", service, {
      stackId,
      name: "web",
      scale: 2,
      launchConfig: {
        imageUuid: "docker:nginx:1.27",
        environment: { A: 1 },
        healthCheck: { port: 80, requestLine: "GET / HTTP/1.0", interval: 2000 },
      },
    });
    await create("lb", loadBalancer, {
      stackId,
      name: "lb",
      launchConfig: {
        imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14",
        ports: ["80:80"],
        labels: { "io.rancher.scheduler.global": true },
      },
      lbConfig: { portRules: [{ sourcePort: 80, serviceId, targetPort: 80 }] },
    });
    await assertNoDrift();
  });

  it("scales by a PUT, in place", async () => {
    const before = (await instances()).map((i) => i["id"]);
    await update("web", { scale: 4 });
    const after = await instances();
    assert.equal(after.length, 4);
    assert.ok(before.every((id) => after.some((i) => i["id"] === id)));
    await assertNoDrift();
  });

  it("changes rules live", async () => {
    const rule = { sourcePort: 80, serviceId: get("web").id, targetPort: 80, path: "/x" };
    await update("lb", { lbConfig: { portRules: [rule] } });
    await assertNoDrift();
  });

  it("upgrades to another image", async function () {
    this.timeout(180_000);
    await update("web", {
      scale: 1,
      launchConfig: { imageUuid: "docker:nginx:1.28" },
      upgradeStrategy: { batchSize: 4, intervalMillis: 100 },
    });
    assert.deepEqual(
      (await instances()).map((i) => i["imageUuid"]),
      ["docker:nginx:1.28"],
    );
    await assertNoDrift();
  });

  it("rolls an upgrade back that fails, with the server's reason", async function () {
    this.timeout(180_000);
    const launchConfig = { imageUuid: "docker:doesnotexist:1" };
    const error = await failure(update("web", { launchConfig }, 8));
    assert.match(error.message, /failed, and it was rolled back: .*no such image: doesnotexist:1/);
    assert.deepEqual(
      (await instances()).map((i) => i["imageUuid"]),
      ["docker:nginx:1.28"],
    );
    await assertNoDrift();
  });

  it("finds what changed behind our back", async () => {
    await client.put(`/v2-beta/projects/1a5/services/${get("web").id}`, { scale: 3 });
    const { resource, id, inputs, outputs } = get("web");
    const seen = await resource.read(client, { id, inputs, outputs }, call());
    assert.deepEqual(seen?.inputs, { ...inputs, scale: 3 });
  });

  it("removes everything, in order, and twice", async () => {
    for (const round of [1, 2]) {
      for (const name of ["lb", "web", "stack", "host2", "host1", "token", "access"]) {
        const { resource, id, inputs, outputs } = get(name);
        if (round === 2 && name === "access") continue;
        await resource.delete(client, { id, inputs, outputs }, call(30, urn(name)));
      }
      if (round === 1) {
        // The key went with the access control that held it: log in again, as the next program would.
        client = connect(server.url);
        const again = await create("access", accessControl, { password: "correct horse" });
        const { accessKey, secretKey } = again.outputs as Record<string, string>;
        assert.ok(accessKey !== undefined && secretKey !== undefined);
        client = client.as({ kind: "key", accessKey, secretKey });
      }
    }
    assert.deepEqual(await client.list("/v2-beta/projects/1a5/hosts"), []);
  });
});
