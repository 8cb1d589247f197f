/** Sends the recorded requests, in order, to one fresh stand-in and compares its answers. */
import * as http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer, type RunningServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";
import { compareBodies, compareStates, lookText, type Ids } from "./compare";
import { identityOf, type Identity } from "./identities";
import type { Body, RecordedLook, RecordedResponse, Recording } from "./recordings";
import { unrecorded } from "./unrecorded";

/** How long a poll may take to end as recorded. Milliseconds. */
const POLL_MS = 12_000;
/** How long the health may take once the state is as recorded. Milliseconds. */
const HEALTH_MS = 2_000;
/** Pause between two looks. Milliseconds. */
const LOOK_MS = 10;

/** The environment that every recording is about. */
export const environment = "/v2-beta/projects/1a5";

/** The stand-in's answer. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** One replay: the stand-in, its two simulated hosts, and what recorded names are called there. */
export class Replay {
  /** Header lines to show for each identity. */
  public readonly authorization = new Map<Identity, string>();
  public readonly agents: SimulatedAgent[] = [];
  /** Recorded ids, tokens and keys, and what they are here. */
  private readonly names = new Map<string, string>([["1a5", "1a5"]]);
  private readonly ids: Ids = {
    toOurs: (recorded) => this.names.get(recorded),
    toRecorded: (ours) => [...this.names].find(([, name]) => name === ours)?.[0],
  };
  private readonly connections = new http.Agent({ keepAlive: true });
  private readonly states = new Map<string, RecordedLook>();
  private last: Identity = "anonymous";

  private constructor(private readonly server: RunningServer) {
    const bad = Buffer.from("BADKEY:BADSECRET").toString("base64");
    this.authorization.set("bad key", `Basic ${bad}`);
    const login = Buffer.from("admin:Secret123").toString("base64");
    this.authorization.set("password", `Basic ${login}`);
  }

  /** Starts a stand-in with nothing in it. Only the silence of an agent is shorter than by default. */
  static async start(): Promise<Replay> {
    // The recorder's installation read no catalog, and so had no template.
    const timings = { reconnecting: 600, catalog: Infinity };
    const store = new MemoryStore();
    const replay = new Replay(await startServer({ store, port: 0, host: "127.0.0.1", timings }));
    await replay.makeSystemStacks();
    return replay;
  }

  /** What the recorder's installation had from the start: two stacks of the system's, a driver in one. */
  private async makeSystemStacks(): Promise<void> {
    for (const [recorded, name] of [
      ["1st1", "network-services"],
      ["1st2", "healthcheck"],
    ] as const) {
      const stacks = `${environment}/stacks`;
      const { id } = await this.sendAs("anonymous", "POST", stacks, { name, system: true });
      this.learnName(recorded, String(id));
      await this.until(`${stacks}/${recorded}`, "active", "anonymous");
    }
    // Not known by its recorded id: the stand-in has no network drivers.
    const drivers = `${environment}/networkdriverservices`;
    const driver = { name: "network-driver", stackId: this.nameOf("1st1"), startOnCreate: true };
    const { id } = await this.sendAs("anonymous", "POST", drivers, driver);
    await this.until(`${environment}/services/${String(id)}`, "active", "anonymous");
  }

  /** Stops everything. */
  async close(): Promise<void> {
    for (const agent of this.agents) agent.stop();
    this.connections.destroy();
    await this.server.close();
  }

  /** Replays one recording; returns what differs, nothing when it conforms. */
  async play(recording: Recording): Promise<string[]> {
    await unrecorded[recording.number]?.(this);
    const identity = identityOf(recording) ?? this.last;
    this.last = identity;
    return recording.timeline === undefined
      ? this.exchange(recording, identity)
      : this.poll(recording, identity);
  }

  /** Sends, with the environment's key, what no recording holds but a later one needs. */
  send(method: string, path: string, body?: unknown): Promise<Body> {
    return this.sendAs("key", method, path, body);
  }

  /** The same as somebody else. */
  async sendAs(identity: Identity, method: string, path: string, body?: unknown): Promise<Body> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.request(method, this.translate(path), this.headers(identity), text);
    if (answer.status >= 300 || !isObject(answer.body))
      throw new Error(`${method} ${path} was answered with ${String(answer.status)}`);
    return answer.body;
  }

  /** Looks until the resource is in the state. */
  async until(path: string, state: string, identity: Identity = "key"): Promise<void> {
    for (const end = Date.now() + POLL_MS; Date.now() < end; await sleep(LOOK_MS))
      if ((await this.sendAs(identity, "GET", path))["state"] === state) return;
    throw new Error(`${path} did not become ${state}`);
  }

  /** Adds a simulated host, known in the recordings by this id. */
  async addHost(recordedId: string, hostname: string, agentIp: string): Promise<void> {
    const token = this.names.get("registration token") ?? "";
    const { url } = this.server;
    const times = { startDelayMs: 60, healthDelayMs: 150 };
    const agent = new SimulatedAgent({ server: url, token, hostname, agentIp, ...times });
    await agent.start();
    this.agents.push(agent);
    this.learnName(recordedId, agent.hostId ?? "");
  }

  /** What a recorded id or secret is called here. */
  nameOf(recorded: string): string {
    return this.names.get(recorded) ?? recorded;
  }

  /** Notes what a recorded id or secret is called here. */
  learnName(recorded: string, ours: string): void {
    this.names.set(recorded, ours);
  }

  private async exchange(recording: Recording, identity: Identity): Promise<string[]> {
    const { request, response } = recording;
    if (response === undefined) throw new Error(`${recording.title} has no answer`);
    const { body } = request;
    const text =
      typeof body === "string"
        ? body
        : body === undefined || body === null
          ? undefined
          : this.translate(JSON.stringify(body));
    const headers = this.headers(identity, request.headers);
    const answer = await this.request(request.method, this.translate(request.path), headers, text);
    this.learn(recording, response.body, answer.body);
    this.remember(response.body);
    return this.compare(response, answer);
  }

  private async poll(recording: Recording, identity: Identity): Promise<string[]> {
    const { request, timeline = [], final } = recording;
    if (final === undefined) throw new Error(`${recording.title} has no end`);
    const gaveUp = timeline.at(-1)?.timeout === true;
    const looks = timeline.filter((look) => look.timeout !== true);
    const shape = Object.keys(looks.at(-1) ?? {});
    const before = this.states.get(String(idIn(final.body)));
    const wanted = [...(before === undefined ? [] : [before]), ...looks].map((look) =>
      lookText(look, shape),
    );
    const seen: string[] = [];
    const path = this.translate(request.path);
    let answer: Answer;
    let end = Date.now() + POLL_MS;
    for (;;) {
      answer = await this.request("GET", path, this.headers(identity));
      const look = isObject(answer.body) ? answer.body : {};
      const text = lookText({ ...look, status: answer.status }, shape);
      if (seen.at(-1) !== text) seen.push(text);
      const isAtEnd = text === wanted.at(-1) && !gaveUp;
      // Where the end looks like the beginning, something has to have happened between them.
      const hasMoved = seen.length > 1 || text !== wanted[0] || new Set(wanted).size === 1;
      if (isAtEnd && hasMoved && sameHealth(answer.body, final.body)) break;
      if (isAtEnd) end = Math.min(end, Date.now() + HEALTH_MS);
      // A state that the recording does not have is a difference, whatever comes after it.
      if (!wanted.includes(text)) break;
      if (gaveUp && wanted.every((state) => seen.includes(state))) break;
      if (Date.now() > end) break;
      await sleep(LOOK_MS);
    }
    this.learn(recording, final.body, answer.body);
    this.remember(final.body);
    const found = compareStates(wanted, seen);
    if (found.length === 0 && !gaveUp && !sameHealth(answer.body, final.body))
      found.push("healthState does not end as recorded");
    // Where the recorder gave up, the last look is one moment of an endless coming and going.
    return gaveUp ? found : [...found, ...this.compare(final, answer)];
  }

  /** Keeps the recorded states: the last one known is the first that a poll may see. */
  private remember(body: unknown): void {
    if (!isObject(body)) return;
    const { data } = body;
    for (const one of Array.isArray(data) ? data.filter(isObject) : [body])
      if (typeof one["state"] === "string") this.states.set(String(one["id"]), one as RecordedLook);
  }

  private compare(recorded: RecordedResponse, answer: Answer): string[] {
    const found = compareBodies(recorded.body, answer.body, this.ids);
    return recorded.status === answer.status
      ? found
      : [`status is ${String(answer.status)} instead of ${String(recorded.status)}`, ...found];
  }

  private headers(
    identity: Identity,
    recorded: Readonly<Record<string, string>> = {},
  ): Record<string, string> {
    const headers: Record<string, string> = { Accept: "application/json" };
    for (const [name, value] of Object.entries(recorded)) {
      if (name !== "Authorization" && name !== "Content-Length")
        headers[name] = name === "Cookie" ? this.translate(value) : value;
    }
    const shown = this.authorization.get(identity);
    if (identity !== "anonymous" && shown === undefined)
      throw new Error(`nobody has become ${identity} yet`);
    if (shown !== undefined) headers["Authorization"] = shown;
    return headers;
  }

  /** Puts our ids and tokens for the recorded ones. */
  private translate(text: string): string {
    return text
      .replace(/[A-Za-z0-9]{40}|(?<![\w.])1(?:st|s|h|i|c|a)\d+(?!\w)/g, (name) => {
        return this.names.get(name) ?? name;
      })
      .replace(/(\/v1\/scripts\/).*/, `$1${this.names.get("registration token") ?? ""}`);
  }

  /** Learns names from a recorded body and ours. */
  private learn(recording: Recording, recorded: unknown, ours: unknown): void {
    if (!isObject(recorded) || !isObject(ours)) return;
    const pair = (a: unknown, b: unknown): void => {
      if (typeof a === "string" && typeof b === "string" && a !== "" && !this.names.has(a))
        this.learnName(a, b);
    };
    if (recorded["type"] !== "error" && ours["type"] !== "error") {
      if (recording.request.method === "POST") pair(recorded["id"], ours["id"]);
      pair(recorded["jwt"], ours["jwt"]);
      const [theirIds, ourIds] = [recorded["instanceIds"], ours["instanceIds"]];
      if (Array.isArray(theirIds) && Array.isArray(ourIds))
        theirIds.forEach((id, n) => pair(id, ourIds[n]));
      const [theirs, mine] = [recorded["data"], ours["data"]];
      // Containers are made by the server, so a list is the first place where they are seen.
      if (recorded["type"] === "collection" && Array.isArray(theirs) && Array.isArray(mine))
        for (const member of theirs.filter(isObject)) {
          const twin = mine.filter(isObject).find((m) => sameName(member, m));
          pair(member["id"], twin?.["id"]);
        }
    }
    if (ours["type"] === "registrationToken" && typeof ours["token"] === "string")
      this.learnName("registration token", ours["token"]);
    if (
      typeof ours["jwt"] === "string" &&
      ours["jwt"] !== "" &&
      recording.request.method === "POST"
    )
      this.authorization.set("login", `Bearer ${ours["jwt"]}`);
    if (ours["type"] === "apiKey" && typeof ours["secretValue"] === "string") {
      const pairText = `${String(ours["publicValue"])}:${ours["secretValue"]}`;
      const header = `Basic ${Buffer.from(pairText).toString("base64")}`;
      if (recording.number === 61) this.authorization.set("account key", header);
      if (recording.number === 63) this.authorization.set("key", header);
    }
  }

  private request(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Answer> {
    const typed =
      body === undefined || "Content-Type" in headers
        ? headers
        : { ...headers, "Content-Type": "application/json" };
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.connections, headers: typed };
      const request = http.request(`${this.server.url}${path}`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body: parse(text) });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }
}

function parse(text: string): unknown {
  if (!text.startsWith("{")) return text;
  return JSON.parse(text) as unknown;
}

/** Nobody asks for the health of what is gone. */
const sameHealth = (a: unknown, b: unknown): boolean =>
  !isObject(a) || !isObject(b) || b["state"] === "removed" || a["healthState"] === b["healthState"];

const idIn = (body: unknown): unknown => (isObject(body) ? body["id"] : undefined);

const sameName = (a: Body, b: Body): boolean =>
  a["type"] === "container" && a["name"] === b["name"] && a["state"] === b["state"];
