/** The lab's Rancher server in this process, machines that join it by themselves, and an administrator's view. */
import type { Faults } from "../../lab/rancher/server/faults";
import { type RunningServer, startServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";

/** Anything on the server, as far as every kind of it has the same fields. */
export interface Thing {
  readonly id: string;
  readonly name: string | null;
  readonly state: string;
  readonly transitioning?: string;
  readonly description?: string | null;
  /** The environment, or the account of an API key. */
  readonly accountId?: string;
  /** True for Rancher's own stacks and services. */
  readonly system?: boolean;
  readonly [field: string]: unknown;
}

/** A machine, its label `sim.host` and the environment that it joins. */
interface Machine {
  readonly number: number;
  joins(environment: Thing): boolean;
}

/** Collection of each type, and where it lives: below `/v2-beta`, below an environment, or both. */
const collections: Readonly<
  Record<string, readonly [path: string, where: "root" | "environment" | "both"]>
> = {
  AccessControl: ["apikeys", "both"],
  ApiKey: ["apikeys", "both"],
  Certificate: ["certificates", "environment"],
  Environment: ["projects", "root"],
  Host: ["hosts", "environment"],
  LoadBalancer: ["loadbalancerservices", "environment"],
  RegistrationToken: ["registrationtokens", "environment"],
  Service: ["services", "environment"],
  Setting: ["settings", "root"],
  Stack: ["stacks", "environment"],
};

/** Machines of the environment that every server has, and one of each that is named annex or annexe. */
const machines: readonly Machine[] = [
  ...[1, 2, 3, 4, 5].map((number) => ({
    number,
    joins: ({ uuid }: Thing) => uuid === "adminProject",
  })),
  { number: 6, joins: ({ name }) => name?.startsWith("annex") === true },
];

/** Id of an environment template that the server has besides its own. */
export const secondTemplate = "1pt77";

/** Containers of images with this beginning run and never become healthy. */
const SICK_IMAGE = "sick/";

/** How the keys of `AccessControl` are named. */
const ACCESS_KEY_NAME = "pulumi-access-control";

/** The state of something that is gone or about to be. */
const LEAVING = ["removing", "removed", "purging", "purged"];

/** A server and what surrounds it. */
export class Server {
  /** From wanted to running, of every container. Milliseconds. */
  readonly pace = { startDelayMs: 50 };
  /** What the administrator may log in with: name and password. */
  readonly logins: (readonly [username: string, password: string])[] = [];
  /** By environment and number. */
  private readonly agents = new Map<string, SimulatedAgent>();
  private jwt = "";
  private closed = false;
  private tending: Promise<void> | undefined;

  private constructor(private readonly server: RunningServer) {}

  /** Starts a fresh server, open to everybody and without hosts. Faster than a real one. */
  static async start(env: NodeJS.ProcessEnv = {}): Promise<Server> {
    const timings = { transition: 30, tick: 20, retryMin: 1_000, catalog: 20 };
    const server = await startServer({
      ...{ store: new MemoryStore(), port: 0, host: "127.0.0.1" },
      ...{ env, timings },
    });
    const { projectTemplates } = server.app.db;
    await eventually("the catalog is loaded", 10, () => projectTemplates.live().length > 0);
    const [template] = projectTemplates.live();
    if (template === undefined) throw new Error("there is no template");
    const { id: _, ...copied } = template;
    projectTemplates.insert({ ...copied, name: "Other" }, Number(secondTemplate.slice(3)));
    return new Server(server);
  }

  get url(): string {
    return this.server.url;
  }

  /** What the server is made to do wrong, and what was asked of it. */
  get faults(): Faults {
    return this.server.app.faults;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.tending;
    for (const agent of this.agents.values()) agent.stop();
    await this.server.close();
  }

  /**
   * Lets machines join as they do at boot, with the registration token of their environment, and again when
   * their host was removed, as when somebody runs the agent's command once more.
   */
  bootMachines(): void {
    const tend = async () => {
      while (!this.closed) {
        // What fails is tried again: the server is closed on the way, and environments go.
        const environments = await this.all("Environment").catch(() => []);
        for (const machine of machines) {
          await this.tend(machine, environments).catch(() => undefined);
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    this.tending = tend();
  }

  private async tend({ number, joins }: Machine, environments: readonly Thing[]): Promise<void> {
    for (const { id } of environments.filter(joins)) {
      const path = `/v2-beta/projects/${id}`;
      const hosts = await this.list(`${path}/hosts`);
      const hostname = `sim-host-${number}`;
      if (hosts.some((host) => host["hostname"] === hostname && host.state !== "removed")) continue;
      const tokens = await this.list(`${path}/registrationtokens`);
      const token = tokens.find(({ state }) => state === "active")?.["registrationUrl"];
      if (typeof token !== "string") continue;
      this.agents.get(`${id}/${number}`)?.stop();
      const agent = this.machine(number, token);
      this.agents.set(`${id}/${number}`, agent);
      await agent.start();
    }
  }

  private machine(number: number, token: string): SimulatedAgent {
    const { pace, url } = this;
    const agent = new SimulatedAgent({
      server: url,
      token,
      hostname: `sim-host-${number}`,
      agentIp: `192.0.2.${number}`,
      labels: { "sim.host": String(number) },
      healthDelayMs: 50,
      // Looked up at every start of a container, so that it can be changed on the way.
      get startDelayMs() {
        return pace.startDelayMs;
      },
    });
    const { containers } = agent;
    const add = containers.set.bind(containers);
    containers.set = (uuid, container) => {
      if (container.wanted.image.startsWith(SICK_IMAGE)) container.forcedHealth = "unhealthy";
      return add(uuid, container);
    };
    return agent;
  }

  /** The status of a GET without credentials. */
  async anonymously(path: string): Promise<number> {
    return (await fetch(this.url + path)).status;
  }

  /** The status of a login as the administrator. */
  async logIn(password: string, username = "admin"): Promise<number> {
    const answer = await fetch(`${this.url}/v2-beta/token`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code: `${username}:${password}`, authProvider: "localauthconfig" }),
    });
    const body = (await answer.json()) as { jwt?: string };
    if (answer.ok) this.jwt = body.jwt ?? "";
    return answer.status;
  }

  /** The status of a GET with an API key. */
  async withKey(accessKey: string, secretKey: string, path: string): Promise<number> {
    const pair = Buffer.from(`${accessKey}:${secretKey}`).toString("base64");
    const headers = { Authorization: `Basic ${pair}`, "X-ENFORCE-AUTHENTICATION": "true" };
    return (await fetch(this.url + path, { headers })).status;
  }

  /** A request as the administrator; fails with the server's answer. */
  async send(method: string, path: string, body?: unknown): Promise<Thing> {
    const request = async () =>
      fetch(this.url + path, {
        method,
        headers: {
          Authorization: `Bearer ${this.jwt}`,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    let answer = await request();
    if (answer.status === 401) {
      for (const [username, password] of this.logins) {
        if ((await this.logIn(password, username)) === 201) break;
      }
      answer = await request();
    }
    const text = await answer.text();
    if (!answer.ok) throw new RequestFailed(answer.status, `${method} ${path}: ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as Thing;
  }

  /** What a collection lists, by its path. */
  async list(path: string): Promise<Thing[]> {
    const { data } = await this.send("GET", `${path}?limit=1000`);
    return data as Thing[];
  }

  /** Path of a collection of this type, or of one thing in it. */
  private path(type: string, id = "", environmentId?: string): string {
    const [collection, where] = collections[type] ?? ["", "root"];
    const inside = where === "environment" ? `/projects/${environmentId ?? "1a5"}` : "";
    return `/v2-beta${inside}/${collection}${id === "" ? "" : `/${id}`}`;
  }

  /** A thing, or undefined when it is gone. */
  async look(type: string, id: string, environmentId?: string): Promise<Thing | undefined> {
    try {
      const found = await this.send("GET", this.path(type, id, environmentId));
      if (type === "Setting") return found["inDb"] === true ? found : undefined;
      return LEAVING.includes(found.state) ? undefined : found;
    } catch (error) {
      const gone = error instanceof RequestFailed && [403, 404].includes(error.status);
      if (!gone) throw error;
      return undefined;
    }
  }

  /** Everything of a type in all environments: nothing that was removed, nothing of Rancher's own. */
  async all(type: string): Promise<Thing[]> {
    const [collection, where] = collections[type] ?? ["", "root"];
    const places = where === "environment" ? [] : [`/v2-beta/${collection}`];
    if (where !== "root") {
      const environments = await this.all("Environment");
      places.push(...environments.map(({ id }) => `/v2-beta/projects/${id}/${collection}`));
    }
    const found = new Map<string, Thing>();
    for (const place of places) {
      for (const thing of await this.list(place)) {
        if (thing.system !== true && !LEAVING.includes(thing.state)) found.set(thing.id, thing);
      }
    }
    const things = [...found.values()];
    // Both are API keys.
    const isAccess = ({ name }: Thing): boolean => name === ACCESS_KEY_NAME;
    if (type === "AccessControl") return things.filter(isAccess);
    if (type === "ApiKey") return things.filter((key) => !isAccess(key));
    if (type === "Setting") return things.filter((setting) => setting["inDb"] === true);
    // The services of a project are all kinds of services.
    if (type === "Service") return things.filter((service) => service["type"] === "service");
    return things;
  }

  /** Ids of a service's containers that run. */
  async containers(type: string, thing: Thing): Promise<string[]> {
    const all = await this.list(`${this.path(type, thing.id, thing.accountId)}/instances`);
    return all.filter(({ state }) => state === "running").map(({ id }) => id);
  }

  /** Makes a thing and waits until it is in a state and at rest. */
  async make(type: string, body: object, environmentId?: string, state = "active") {
    const made = await this.send("POST", this.path(type, "", environmentId), body);
    return this.settled(type, made, state);
  }

  /** Changes a thing and waits until it is active and at rest. */
  async put(type: string, thing: Thing, body: object): Promise<Thing> {
    const path = this.path(type, thing.id, thing.accountId);
    return this.settled(type, await this.send("PUT", path, body));
  }

  /** Performs an action. */
  async act(type: string, thing: Thing, action: string, body?: object): Promise<Thing> {
    const path = this.path(type, thing.id, thing.accountId);
    return this.send("POST", `${path}/?action=${action}`, body);
  }

  /** Removes a thing as a person would, and waits until it is gone. */
  async remove(type: string, thing: Thing): Promise<void> {
    const path = this.path(type, thing.id, thing.accountId);
    if (["AccessControl", "ApiKey", "Host", "RegistrationToken"].includes(type)) {
      await this.act(type, thing, "deactivate");
      await this.settled(type, thing, "inactive");
    }
    await this.send("DELETE", path);
    await eventually(`${type} ${thing.id} is removed`, 60, async () => {
      return (await this.look(type, thing.id, thing.accountId)) === undefined;
    });
  }

  private async settled(type: string, { id, accountId }: Thing, state = "active") {
    if (type === "Setting") return this.send("GET", this.path(type, id));
    return eventually(`${type} ${id} is ${state}`, 60, async () => {
      const thing = await this.send("GET", this.path(type, id, accountId));
      return thing.state === state && thing.transitioning === "no" && thing;
    });
  }
}

/** An answer that is no success. */
class RequestFailed extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(`${message.slice(0, 500)} (${status})`);
  }
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
