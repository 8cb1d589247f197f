/** The lab's Rancher server with two pretended hosts, and resources kept as the engine keeps them. */
import * as assert from "node:assert/strict";
import { type RunningServer, startServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";
import type { Client } from "../../rancher/client/client";
import type { Props, Resource } from "../../rancher/plugin/types";
import { call, connect, type TestCall } from "./support";

/** Path of the environment that every server has from the start. */
const PROJECT = "/v2-beta/projects/1a5";

/** One resource as the engine keeps it. */
interface Kept {
  readonly resource: Resource<Client>;
  readonly id: string;
  inputs: Props;
  outputs: Props;
}

/** URN of a resource of a program. */
export const urnOf = (name: string): string => `urn:pulumi:dev::test::rancher:index:Thing::${name}`;

/** See the file's comment. */
export class Bench {
  private readonly kept = new Map<string, Kept>();
  private readonly agents: SimulatedAgent[] = [];

  private constructor(
    private readonly server: RunningServer,
    /** Like another run of the program when it is made anew. */
    public client: Client,
  ) {}

  /** Starts a fresh, open server with two active hosts, `m1` (10.0.0.1) and `m2`. */
  static async start(): Promise<Bench> {
    const timings = { transition: 30, tick: 20, retryMin: 500, catalog: 20 };
    const server = await startServer({
      ...{ store: new MemoryStore(), port: 0, host: "127.0.0.1" },
      timings,
    });
    const bench = new Bench(server, connect(server.url));
    const { id } = await bench.client.post<{ id: string }>(`${PROJECT}/registrationtokens`, {});
    await bench.eventually(async () => (await bench.get("registrationtokens", id))["token"]);
    const { token } = await bench.get("registrationtokens", id);
    for (const n of ["1", "2"]) {
      const agent = new SimulatedAgent({
        ...{ server: server.url, token: String(token), hostname: `m${n}` },
        ...{ agentIp: `10.0.0.${n}`, labels: { machine: n }, startDelayMs: 20, healthDelayMs: 20 },
      });
      bench.agents.push(agent);
      await agent.start();
    }
    await bench.eventually(async () => {
      const hosts = await bench.list("hosts");
      return hosts.length === 2 && hosts.every((host) => host["state"] === "active");
    });
    return bench;
  }

  async stop(): Promise<void> {
    this.client.close();
    for (const agent of this.agents) agent.stop();
    await this.server.close();
  }

  /** Another run of the program. */
  restart(): void {
    this.client.close();
    this.client = connect(this.server.url);
  }

  async create(
    name: string,
    resource: Resource<Client>,
    given: Props,
    operation: TestCall = call(60, urnOf(name)),
  ): Promise<Kept> {
    const inputs = this.checked(name, resource, given, undefined);
    const { id, outputs } = await resource.create(this.client, inputs, operation);
    const made = { resource, id, inputs, outputs };
    this.kept.set(name, made);
    return made;
  }

  /** Changes inputs; undefined takes one away. */
  async update(
    name: string,
    more: Props,
    operation: TestCall = call(60, urnOf(name)),
  ): Promise<void> {
    const it = this.of(name);
    const inputs = this.checked(name, it.resource, { ...it.inputs, ...more }, it.inputs);
    const args = { id: it.id, oldInputs: it.inputs, old: it.outputs, inputs };
    const outputs = await it.resource.update?.(this.client, args, operation);
    Object.assign(it, { inputs, outputs });
  }

  /** Takes over what a refresh sees; undefined when the thing is gone. */
  async refresh(name: string): Promise<Props | undefined> {
    const it = this.of(name);
    const seen = await it.resource.read(this.client, it, call(20, urnOf(name)));
    if (seen !== undefined) Object.assign(it, { inputs: seen.inputs, outputs: seen.state.outputs });
    return seen?.inputs;
  }

  async delete(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.of(name).resource.delete(this.client, this.of(name), call(30, urnOf(name)));
      this.kept.delete(name);
    }
  }

  of(name: string): Kept {
    const found = this.kept.get(name);
    assert.ok(found, `${name} was not made`);
    return found;
  }

  /** A refresh of everything finds nothing. */
  async assertNoDrift(): Promise<void> {
    for (const [name, { resource, id, inputs, outputs }] of this.kept) {
      const seen = await resource.read(this.client, { id, inputs, outputs }, call(20, urnOf(name)));
      assert.deepEqual(seen, { state: { id, outputs }, inputs }, name);
    }
  }

  get(collection: string, id: string): Promise<Props> {
    return this.client.get<Props>(`${PROJECT}/${collection}/${id}`);
  }

  list(path: string): Promise<Props[]> {
    return this.client.list<Props>(`${PROJECT}/${path}`);
  }

  act(collection: string, id: string, action: string, body: unknown): Promise<Props> {
    const path = `${PROJECT}/${collection}/${id}/`;
    return this.client.post<Props>(path, body, { query: { action } });
  }

  async remove(collection: string, id: string): Promise<void> {
    await this.client.delete(`${PROJECT}/${collection}/${id}`);
    await this.eventually(async () => (await this.get(collection, id))["state"] === "removed");
  }

  /** Images of a service's containers by their names, sorted. */
  async containers(name: string): Promise<string[]> {
    const all = await this.list(`services/${this.of(name).id}/instances`);
    return all.map((one) => `${String(one["name"])} ${String(one["imageUuid"])}`).sort();
  }

  async eventually(look: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; !(await look()); tries++) {
      assert.ok(tries < 400, "it did not happen");
      await this.client.pause(25);
    }
  }

  private checked(
    name: string,
    resource: Resource<Client>,
    given: Props,
    old: Props | undefined,
  ): Props {
    const entries = Object.entries(given).filter(([, value]) => value !== undefined);
    const { inputs, problems } = resource.check(Object.fromEntries(entries), old, {
      urn: urnOf(name),
    });
    assert.deepEqual(problems, []);
    return inputs;
  }
}
