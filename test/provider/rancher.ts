/** The lab's Rancher server in this process, with pretended hosts, and an administrator's view of it. */
import { type RunningServer, startServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";

/** A thing on the server, as far as tests look at it. */
export interface Thing {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly transitioning: string;
  readonly description?: string | null;
  /** True for Rancher's own stacks and services. */
  readonly system?: boolean;
}

/** A host. */
export interface HostThing extends Thing {
  readonly hostname: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A registration token. */
export interface TokenThing extends Thing {
  readonly registrationUrl: string;
}

/** A service or load balancer. */
export interface ServiceThing extends Thing {
  readonly scale: number;
  readonly stackId: string;
  readonly metadata?: unknown;
  readonly launchConfig: {
    readonly imageUuid: string;
    /** Another one for each upgrade. */
    readonly version: string;
    readonly environment?: Readonly<Record<string, string>>;
  };
  readonly lbConfig?: {
    readonly portRules: readonly { readonly serviceId: string; readonly path?: string }[];
  };
}

/** What is on the server, by name, without what Rancher put there itself. */
export interface View {
  readonly stacks: Readonly<Record<string, Thing>>;
  readonly services: Readonly<Record<string, ServiceThing>>;
  readonly loadBalancers: Readonly<Record<string, ServiceThing>>;
  readonly hosts: Readonly<Record<string, HostThing>>;
  readonly tokens: readonly TokenThing[];
  /** Ids of the containers that run, by service or load balancer. */
  readonly containers: Readonly<Record<string, readonly string[]>>;
}

/** The environment that every server has from the start. */
const project = "/v2-beta/projects/1a5";

/** A server, its two hosts, and what an administrator sees. */
export class Rancher {
  /** From wanted to running, of every container. Milliseconds. */
  readonly pace = { startDelayMs: 50 };
  private readonly agents: SimulatedAgent[] = [];
  private jwt = "";

  private constructor(private readonly server: RunningServer) {}

  /** Starts a fresh server, open to everybody and without hosts. Faster than a real one. */
  static async start(): Promise<Rancher> {
    const timings = { transition: 30, tick: 20, retryMin: 1_000, catalog: 20 };
    const server = await startServer({
      store: new MemoryStore(),
      port: 0,
      host: "127.0.0.1",
      timings,
    });
    return new Rancher(server);
  }

  get url(): string {
    return this.server.url;
  }

  /** Registers the hosts `sim.host=1` and `sim.host=2`, as machines do that were given this URL. */
  async addHosts(registrationUrl: string): Promise<void> {
    const { pace, url } = this;
    for (const n of [1, 2]) {
      const agent = new SimulatedAgent({
        server: url,
        token: registrationUrl,
        hostname: `sim-host-${n}`,
        agentIp: `192.0.2.${n}`,
        labels: { "sim.host": String(n) },
        healthDelayMs: 50,
        // Looked up at every start of a container, so that it can be changed on the way.
        get startDelayMs() {
          return pace.startDelayMs;
        },
      });
      this.agents.push(agent);
      await agent.start();
    }
  }

  async close(): Promise<void> {
    for (const agent of this.agents) agent.stop();
    await this.server.close();
  }

  /** The status of a GET without credentials. */
  async anonymously(path: string): Promise<number> {
    return (await fetch(this.url + path)).status;
  }

  /** Logs the administrator in; the status that the server answers. */
  async logIn(password: string): Promise<number> {
    const answer = await fetch(`${this.url}/v2-beta/token`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code: `admin:${password}`, authProvider: "localauthconfig" }),
    });
    const body = (await answer.json()) as { jwt?: string };
    if (answer.ok) this.jwt = body.jwt ?? "";
    return answer.status;
  }

  private async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        Authorization: `Bearer ${this.jwt}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** What a collection lists: nothing that was removed, nothing of Rancher's own. */
  private async list<T extends Thing>(collection: string): Promise<T[]> {
    const path = `${project}/${collection}?limit=1000`;
    const { data } = await this.call<{ data: T[] }>("GET", path);
    return data.filter((thing) => thing.system !== true);
  }

  /** The administrator's API keys. */
  async keys(): Promise<Thing[]> {
    return (await this.call<{ data: Thing[] }>("GET", "/v2-beta/apikeys")).data;
  }

  /** The active registration tokens. */
  async tokens(): Promise<TokenThing[]> {
    const all = await this.list<TokenThing>("registrationtokens");
    return all.filter((token) => token.state === "active");
  }

  /** Everything that matters, at this moment. */
  async view(): Promise<View> {
    const loadBalancers = await this.list<ServiceThing>("loadbalancerservices");
    const services = (await this.list<ServiceThing>("services")).filter(
      (service) => !loadBalancers.some(({ id }) => id === service.id),
    );
    const containers: [string, string[]][] = [];
    for (const { id, name } of [...services, ...loadBalancers]) {
      const all = await this.list(`services/${id}/instances`);
      const running = all.filter((container) => container.state === "running");
      containers.push([name, running.map((container) => container.id).sort()]);
    }
    return {
      stacks: byName(await this.list("stacks")),
      services: byName(services),
      loadBalancers: byName(loadBalancers),
      hosts: byName(await this.list<HostThing>("hosts"), ({ hostname }) => hostname),
      tokens: await this.tokens(),
      containers: Object.fromEntries(containers),
    };
  }

  post<T extends Thing>(collection: string, body: unknown): Promise<T> {
    return this.call("POST", `${project}/${collection}`, body);
  }

  put(collection: string, id: string, body: unknown): Promise<Thing> {
    return this.call("PUT", `${project}/${collection}/${id}`, body);
  }

  /** Performs an action. */
  act(collection: string, id: string, action: string): Promise<Thing> {
    return this.call("POST", `${project}/${collection}/${id}/?action=${action}`);
  }

  get(collection: string, id: string): Promise<Thing> {
    return this.call("GET", `${project}/${collection}/${id}`);
  }

  /** Removes a thing and waits until it is gone. */
  async remove(collection: string, id: string): Promise<void> {
    await this.call("DELETE", `${project}/${collection}/${id}`);
    await eventually(`${collection} ${id} is removed`, 60, async () => {
      const { state } = await this.get(collection, id);
      return state === "removed" || state === "purged";
    });
  }

  /** Waits until a thing is in a state and at rest. */
  async settled(collection: string, id: string, state = "active"): Promise<void> {
    await eventually(`${collection} ${id} is ${state}`, 60, async () => {
      const thing = await this.get(collection, id);
      return thing.state === state && thing.transitioning === "no";
    });
  }
}

/** Fails when two things have the same name. */
function byName<T extends Thing>(things: readonly T[], nameOf = (thing: T) => thing.name) {
  const table: Record<string, T> = {};
  for (const thing of things) {
    const name = nameOf(thing);
    if (name in table) throw new Error(`two things are named ${name}`);
    table[name] = thing;
  }
  return table;
}

/** Polls until the condition returns something; a look that fails counts as not yet. */
export async function eventually<T>(
  what: string,
  seconds: number,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const until = Date.now() + seconds * 1_000;
  let last = "";
  while (Date.now() < until) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = `: ${(error as Error).message}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${seconds} s in vain until ${what}${last}`);
}
