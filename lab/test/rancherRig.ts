/** A Rancher server of the lab with pretended hosts, in this process, and a client to ask it. */
import * as assert from "node:assert/strict";
import { startServer, type RunningServer } from "../rancher/server/server";
import { SimulatedAgent } from "../rancher/server/simulator";
import { MemoryStore, type Store } from "../rancher/server/store";
import type { Timings } from "../rancher/server/timings";

/** Bodies are looked into freely; a wrong guess fails the assertion. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = Record<string, any>;

/** Faster than the real server; the order of states is what is tested. */
export const fast: Partial<Timings> = {
  transition: 25,
  tick: 10,
  retryMin: 300,
  catalog: 20,
  reconnecting: 700,
  disconnected: 700,
  startGrace: 700,
};

/** Path of the environment that every server starts with. */
export const project = "/v2-beta/projects/1a5";

/** An answer of the server. */
export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

/** One server, its hosts, and a client. */
export class Rig {
  public server!: RunningServer;
  public readonly agents: SimulatedAgent[] = [];
  public token = "";

  public constructor(
    public readonly store: Store = new MemoryStore(),
    private readonly env: NodeJS.ProcessEnv = {},
    private readonly timings: Partial<Timings> = {},
  ) {}

  public async start(port = 0): Promise<this> {
    this.server = await startServer({
      store: this.store,
      port,
      host: "127.0.0.1",
      env: this.env,
      timings: { ...fast, ...this.timings },
    });
    return this;
  }

  public async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const send = (): Promise<Response> =>
      fetch(path.startsWith("http") ? path : this.server.url + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
    // A pooled connection to a server that was since restarted fails before anything was sent.
    const response = await send().catch(send);
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith("{") ? (JSON.parse(text) as Json) : { text },
      headers: response.headers,
    };
  }

  public async get(path: string): Promise<Json> {
    return (await this.call("GET", path)).body;
  }

  public async post(path: string, body: unknown = {}): Promise<Json> {
    const answer = await this.call("POST", path, body);
    assert.ok(
      answer.status < 300,
      `POST ${path}: ${String(answer.status)} ${JSON.stringify(answer.body)}`,
    );
    return answer.body;
  }

  /** Polls until the condition holds; returns the body and the distinct states seen. */
  public async until(
    path: string,
    done: (body: Json) => boolean,
    what = "the expected state",
    timeoutMs = 30_000,
  ): Promise<{ body: Json; states: string[] }> {
    const states: string[] = [];
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const body = await this.get(path);
      const state = String(body.state);
      if (states.at(-1) !== state) states.push(state);
      if (done(body)) return { body, states };
      if (Date.now() > deadline) {
        throw new Error(
          `${path} did not reach ${what}: ${states.join(" ")} ${JSON.stringify(body)}`,
        );
      }
      await new Promise((r) => setTimeout(r, 5));
    }
  }

  public async active(path: string): Promise<Json> {
    return (
      await this.until(path, (b) => b.state === "active" && b.transitioning === "no", "active")
    ).body;
  }

  public async registrationToken(): Promise<Json> {
    const made = await this.post(`${project}/registrationtokens`);
    return this.active(`${project}/registrationtokens/${String(made.id)}`);
  }

  public async addHost(n: number, labels: Record<string, string> = {}): Promise<SimulatedAgent> {
    if (this.token === "") this.token = String((await this.registrationToken()).token);
    const agent = new SimulatedAgent({
      server: this.server.url,
      token: this.token,
      hostname: `host-${String(n)}`,
      agentIp: `192.0.2.${String(n)}`,
      labels,
      startDelayMs: 30,
      healthDelayMs: 30,
    });
    this.agents.push(agent);
    await agent.start();
    await this.active(`${project}/hosts/${String(agent.hostId)}`);
    return agent;
  }

  public async stack(name = "wp"): Promise<string> {
    const made = await this.post(`${project}/stacks`, { name });
    await this.active(`${project}/stacks/${String(made.id)}`);
    return String(made.id);
  }

  public async service(stackId: string, name: string, more: Json = {}): Promise<string> {
    const made = await this.post(`${project}/services`, {
      name,
      stackId,
      startOnCreate: true,
      launchConfig: { imageUuid: "docker:nginx:1.11" },
      ...more,
    });
    return `${project}/services/${String(made.id)}`;
  }

  public async instances(service: string): Promise<Json[]> {
    return (await this.get(`${service}/instances`)).data as Json[];
  }

  public async stop(): Promise<void> {
    for (const a of this.agents) a.stop();
    await this.server.close();
  }
}

/** Starts a rig with hosts, runs the test, stops it. */
export function withRig(
  hosts: number,
  test: (rig: Rig) => Promise<void>,
  rig = (): Rig => new Rig(),
) {
  return async (): Promise<void> => {
    const r = await rig().start();
    try {
      for (let n = 1; n <= hosts; n++) await r.addHost(n);
      await test(r);
    } finally {
      await r.stop();
    }
  };
}

/** Headers of a login by key. */
export const basic = (user: string, secret: string): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`,
});
