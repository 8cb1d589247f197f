/**
 * The lab's Rancher server in this process, with pretended hosts and faults on purpose, and the provider
 * behind its gRPC seam, driven as Pulumi's engine drives it. Nothing here needs an engine or containers.
 */
import * as assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { SeenRequest } from "../../lab/rancher/server/faults";
import { type RunningServer, startServer } from "../../lab/rancher/server/server";
import { SimulatedAgent } from "../../lab/rancher/server/simulator";
import { MemoryStore } from "../../lab/rancher/server/store";
import type { Timings } from "../../lab/rancher/server/timings";
import { definition } from "../../rancher/definition";
import {
  type Server as PluginServer,
  startServer as startPlugin,
} from "../../rancher/plugin/serve";
import type { Props } from "../../rancher/plugin/types";
import { decodeProps } from "../../rancher/plugin/values";
import { eventually } from "../provider/rancher";

/** Path of the environment that every server has from the start. */
export const PROJECT = "/v2-beta/projects/1a5";

/** A little faster than the real server; what is shorter than a look of the provider stays so. */
export const QUICK: Partial<Timings> = { transition: 30, tick: 20, retryMin: 1_000, catalog: 20 };

/** An answer to a plain request. */
export interface Plain {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; empty when it is none. */
  readonly body: Record<string, unknown> & { readonly data: readonly Record<string, unknown>[] };
}

/** The server, its hosts, and an administrator's plain view of it. */
export class Lab {
  /** Sent with each plain request. */
  authorization: string | undefined;
  readonly agents: SimulatedAgent[] = [];
  /** From wanted to running and from running to healthy, of every container from now on. Milliseconds. */
  readonly pace = { startDelayMs: 20, healthDelayMs: 20 };

  private constructor(readonly server: RunningServer) {}

  /** Starts a fresh server, open to everybody and without hosts. */
  static async start(timings: Partial<Timings> = {}, env: NodeJS.ProcessEnv = {}): Promise<Lab> {
    return new Lab(
      await startServer({
        ...{ store: new MemoryStore(), port: 0, host: "127.0.0.1", env },
        timings: { ...QUICK, ...timings },
      }),
    );
  }

  get url(): string {
    return this.server.url;
  }

  /** What the server can be made to do wrong. */
  get faults(): RunningServer["app"]["faults"] {
    return this.server.app.faults;
  }

  /** A plain request, as a test's `curl`. A body that is a text is sent as it is. */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Plain> {
    const { authorization } = this;
    const answer = await fetch(this.url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: parsed(text) };
  }

  get(path: string): Promise<Plain> {
    return this.request("GET", path);
  }

  /** Makes something in an environment, waits until it is at rest and returns it. */
  async make(
    collection: string,
    body: unknown,
    state = "active",
    project = PROJECT,
  ): Promise<Props & { id: string }> {
    const path = `${project}/${collection}`;
    const { status, body: made, text } = await this.request("POST", path, body);
    assert.equal(status, 201, text);
    return this.settled(`${path}/${String(made["id"])}`, state);
  }

  /** Waits until a thing is in a state and at rest; returns it. */
  async settled(path: string, state = "active"): Promise<Props & { id: string }> {
    return eventually(`${path} is ${state}`, 20, async () => {
      const { body } = await this.get(path);
      if (body["state"] !== state || body["transitioning"] === "yes") return undefined;
      return body as unknown as Props & { id: string };
    });
  }

  /** Removes a thing behind the provider's back and waits until it is gone. */
  async remove(path: string): Promise<void> {
    const { status } = await this.request("DELETE", path);
    if (status === 405) {
      // Credentials and hosts go only when they are inactive.
      await this.request("POST", `${path}/?action=deactivate`);
      await this.settled(path, "inactive");
      await this.request("DELETE", path);
    }
    await this.settled(path, "removed");
  }

  /** Registers a pretended host with its name as the label `machine`. */
  async addHost(
    hostname: string,
    agentIp = `192.0.2.${this.agents.length + 1}`,
    labels: Readonly<Record<string, string>> = { machine: hostname },
    project = PROJECT,
  ): Promise<void> {
    const { pace } = this;
    const { token } = await this.make("registrationtokens", { name: "hosts" }, "active", project);
    const agent = new SimulatedAgent({
      server: this.url,
      token: String(token),
      ...{ hostname, agentIp, labels },
      get startDelayMs() {
        return pace.startDelayMs;
      },
      get healthDelayMs() {
        return pace.healthDelayMs;
      },
    });
    this.agents.push(agent);
    await agent.start();
  }

  /** Registers several and waits until the environment's own stacks run on them. */
  async addHosts(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.addHost(name);
    await eventually("the environment's own stacks are healthy", 30, async () => {
      const stacks = (await this.get(`${PROJECT}/stacks?system=true`)).body.data;
      return stacks.length > 0 && stacks.every((stack) => stack["healthState"] === "healthy");
    });
  }

  /** The requests of the provider and of the test that arrive while something runs; not the agents'. */
  async during(run: () => Promise<unknown>): Promise<SeenRequest[]> {
    const since = this.since();
    await run();
    return since();
  }

  /** Marks the present; the function that comes back tells the requests that arrived since. */
  since(): () => SeenRequest[] {
    const { requests } = this.server.app;
    const last = requests.at(-1);
    return () => {
      // The oldest are forgotten, so that positions change.
      const from = last === undefined ? 0 : requests.lastIndexOf(last) + 1;
      return requests.slice(from).filter(({ path }) => path !== "/v1/register");
    };
  }

  async close(): Promise<void> {
    for (const agent of this.agents) agent.stop();
    this.faults.clear();
    await this.server.close();
  }
}

function parsed(text: string): Plain["body"] {
  try {
    return { data: [], ...(JSON.parse(text) as object) };
  } catch {
    return { data: [] };
  }
}

/** A reverse proxy that counts connections and keeps the headers of what passes through it. */
export class Proxy {
  readonly headers: http.IncomingHttpHeaders[] = [];
  connections = 0;
  /** The most requests that were under way at once. */
  atOnce = 0;
  private readonly server: http.Server;

  private constructor(target: string, added: Readonly<Record<string, string>>) {
    let running = 0;
    this.server = http.createServer((request, response) => {
      this.headers.push(request.headers);
      running += 1;
      this.atOnce = Math.max(this.atOnce, running);
      response.on("close", () => (running -= 1));
      const { method, url: path, headers } = request;
      const onward = http.request(new URL(path ?? "/", target), {
        ...(method === undefined ? {} : { method }),
        headers: { ...headers, ...added },
      });
      onward.on("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    });
    this.server.on("connection", () => (this.connections += 1));
  }

  /** Starts one before `target`; it adds these headers to each request. */
  static async start(target: string, added: Readonly<Record<string, string>> = {}): Promise<Proxy> {
    const proxy = new Proxy(target, added);
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** The requests that change something. */
export function writes(requests: readonly SeenRequest[]): string[] {
  return requests.filter(({ method }) => method !== "GET").map(line);
}

/** A request in one line: `POST /v2-beta/projects/1a5/services/1s4/?action=upgrade`. */
export function line({ method, path, query }: SeenRequest): string {
  return `${method} ${path}${query === "" ? "" : `?${query}`}`;
}

/** A secret value as it travels. */
export function secret(value: unknown): Props {
  const signature = "4dabf18193072939515e22adb298388d";
  return { [signature]: "1b47061264138c4ac30d75fd1eb44270", value };
}

/** A value without any mark of secrecy. */
export function open(wire: Props): Props {
  return decodeProps(wire).props;
}

/** Inputs that check refuses. */
export class Refused extends Error {
  constructor(readonly failures: readonly { readonly path: string; readonly reason: string }[]) {
    super(failures.map(({ path, reason }) => `${path}: ${reason}`).join("\n"));
  }

  get paths(): string[] {
    return this.failures.map(({ path }) => path);
  }
}

/** What an engine keeps of a resource; values as they travel, with their secrecy. */
export interface Kept {
  readonly type: string;
  readonly name: string;
  id: string;
  inputs: Props;
  outputs: Props;
  /** Why it is not finished, when it is not: the next `up` goes on with it. */
  unfinished?: string | undefined;
}

/** What a diff says. */
export interface SeenDiff {
  readonly changes: Readonly<Record<string, "update" | "replace">>;
  readonly replaces: boolean;
  readonly deleteBeforeReplace: boolean;
}

/** What `up` did. */
export type Step = "create" | "same" | "update" | "replace";

/** The provider on its port, and the part of Pulumi's engine that talks to it. */
export class Seam {
  /** The state file. */
  readonly kept = new Map<string, Kept>();
  /** Seconds that every operation may take, as `customTimeouts` say. */
  timeout = 30;

  private constructor(
    private plugin: PluginServer,
    private client: ResourceProviderClient,
    private readonly config: Props,
  ) {}

  /** Starts the provider with these settings. */
  static async start(config: Props): Promise<Seam> {
    const seam = new Seam(...(await startProvider()), config);
    await seam.configure(config);
    return seam;
  }

  /** A new process of the provider, as each run of Pulumi has; what is kept stays. */
  async restart(): Promise<void> {
    this.stop();
    [this.plugin, this.client] = await startProvider();
    await this.configure(this.config);
  }

  async configure(config: Props): Promise<void> {
    const request = new rpc.ConfigureRequest();
    request.setArgs(struct(config));
    await this.call("configure", request);
  }

  /** Ends the provider as a kill does: what runs is aborted. */
  stop(): void {
    this.client.close();
    this.plugin.stop();
  }

  /** What the engine does on Ctrl-C. */
  async cancel(): Promise<void> {
    await this.call("cancel", new Empty());
  }

  /** Fills in defaults; throws {@link Refused} with every failure. */
  async check(type: string, name: string, props: Props, old?: Props): Promise<Props> {
    const request = new rpc.CheckRequest();
    request.setUrn(urnOf(type, name));
    request.setNews(struct(props));
    if (old !== undefined) request.setOlds(struct(old));
    const response = await this.call<rpc.CheckResponse>("check", request);
    const failures = response
      .getFailuresList()
      .map((f) => ({ path: f.getProperty(), reason: f.getReason() }));
    if (failures.length > 0) throw new Refused(failures);
    return json(response.getInputs());
  }

  async diff(kept: Kept, inputs: Props): Promise<SeenDiff> {
    const request = new rpc.DiffRequest();
    request.setUrn(urnOf(kept.type, kept.name));
    request.setId(kept.id);
    request.setOlds(struct(kept.outputs));
    request.setOldInputs(struct(kept.inputs));
    request.setNews(struct(inputs));
    const response = await this.call<rpc.DiffResponse>("diff", request);
    const { ADD_REPLACE, DELETE_REPLACE, UPDATE_REPLACE } = rpc.PropertyDiff.Kind;
    const replacing: number[] = [ADD_REPLACE, DELETE_REPLACE, UPDATE_REPLACE];
    const changes: Record<string, "update" | "replace"> = {};
    response.getDetaileddiffMap().forEach((entry: rpc.PropertyDiff, path: string) => {
      changes[path] = replacing.includes(entry.getKind()) ? "replace" : "update";
    });
    const some = response.getChanges() === rpc.DiffResponse.DiffChanges.DIFF_SOME;
    assert.equal(some, Object.keys(changes).length > 0, "the answer and its details disagree");
    return {
      changes,
      replaces: response.getReplacesList().length > 0,
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  /** What a preview of making it shows. */
  async preview(type: string, name: string, inputs: Props): Promise<Props> {
    return (await this.create(type, name, inputs, true)).outputs;
  }

  /** `pulumi up` of one resource: previews, then creates, changes, replaces or leaves it. */
  async up(type: string, name: string, props: Props): Promise<Step> {
    const kept = this.kept.get(name);
    const inputs = await this.check(type, name, props, kept?.inputs);
    if (kept === undefined) {
      await this.create(type, name, inputs, true);
      this.kept.set(name, await this.create(type, name, inputs));
      return "create";
    }
    const { changes, replaces, deleteBeforeReplace } = await this.diff(kept, inputs);
    if (replaces) {
      await this.create(type, name, inputs, true);
      if (deleteBeforeReplace) await this.delete(kept);
      this.kept.set(name, await this.create(type, name, inputs));
      if (!deleteBeforeReplace) await this.delete(kept);
      return "replace";
    }
    if (Object.keys(changes).length === 0 && kept.unfinished === undefined) {
      // The engine keeps what the program says now, for instance what has become secret.
      kept.inputs = inputs;
      return "same";
    }
    await this.update(kept, inputs, true);
    const outputs = await this.update(kept, inputs);
    Object.assign(kept, { inputs, outputs, unfinished: undefined });
    return "update";
  }

  /** `pulumi refresh` of one resource: what is on the server now, or undefined when it is gone. */
  async read(
    kept: Pick<Kept, "type" | "name" | "id" | "inputs" | "outputs">,
  ): Promise<Kept | undefined> {
    const request = new rpc.ReadRequest();
    request.setUrn(urnOf(kept.type, kept.name));
    request.setId(kept.id);
    request.setInputs(struct(kept.inputs));
    request.setProperties(struct(kept.outputs));
    const response = await this.call<rpc.ReadResponse>("read", request);
    if (response.getId() === "") return undefined;
    return {
      type: kept.type,
      name: kept.name,
      id: response.getId(),
      inputs: json(response.getInputs()),
      outputs: json(response.getProperties()),
    };
  }

  /** `pulumi import`. */
  async import(type: string, name: string, id: string): Promise<Kept | undefined> {
    return this.read({ type, name, id, inputs: {}, outputs: {} });
  }

  /** Removes one resource and forgets it. */
  async down(name: string): Promise<void> {
    await this.delete(this.the(name));
    this.kept.delete(name);
  }

  /** What is kept under a name. */
  the(name: string): Kept {
    const kept = this.kept.get(name);
    assert.ok(kept, `${name} was not made`);
    return kept;
  }

  async delete(kept: Kept): Promise<void> {
    const request = new rpc.DeleteRequest();
    request.setUrn(urnOf(kept.type, kept.name));
    request.setId(kept.id);
    request.setProperties(struct(kept.outputs));
    request.setOldInputs(struct(kept.inputs));
    request.setTimeout(this.timeout);
    await this.call("delete", request);
  }

  async invoke(token: string, args: Props): Promise<Props> {
    const request = new rpc.InvokeRequest();
    request.setTok(token);
    request.setArgs(struct(args));
    return json((await this.call<rpc.InvokeResponse>("invoke", request)).getReturn());
  }

  private async create(type: string, name: string, inputs: Props, preview = false): Promise<Kept> {
    const request = new rpc.CreateRequest();
    request.setUrn(urnOf(type, name));
    request.setProperties(struct(inputs));
    request.setTimeout(this.timeout);
    request.setPreview(preview);
    try {
      const response = await this.call<rpc.CreateResponse>("create", request);
      const outputs = json(response.getProperties());
      return { type, name, id: response.getId(), inputs, outputs };
    } catch (error) {
      const partial = partialOf(error);
      if (partial !== undefined) this.kept.set(name, { type, name, ...partial });
      throw error;
    }
  }

  private async update(kept: Kept, inputs: Props, preview = false): Promise<Props> {
    const request = new rpc.UpdateRequest();
    request.setUrn(urnOf(kept.type, kept.name));
    request.setId(kept.id);
    request.setOlds(struct(kept.outputs));
    request.setOldInputs(struct(kept.inputs));
    request.setNews(struct(inputs));
    request.setTimeout(this.timeout);
    request.setPreview(preview);
    try {
      return json((await this.call<rpc.UpdateResponse>("update", request)).getProperties());
    } catch (error) {
      const partial = partialOf(error);
      if (partial !== undefined) Object.assign(kept, partial);
      throw error;
    }
  }

  private call<R>(method: string, request: unknown): Promise<R> {
    const methods = this.client as unknown as Record<
      string,
      (q: unknown, done: (error: grpc.ServiceError | null, response: R) => void) => void
    >;
    return new Promise((resolve, reject) => {
      methods[method]?.call(this.client, request, (error, response) => {
        if (error === null) resolve(response);
        else reject(Object.assign(error, { message: error.details }));
      });
    });
  }
}

async function startProvider(): Promise<[PluginServer, ResourceProviderClient]> {
  const plugin = await startPlugin(definition);
  const address = `127.0.0.1:${plugin.port}`;
  return [plugin, new ResourceProviderClient(address, grpc.credentials.createInsecure())];
}

/** URN of a resource of the tests' program. */
export function urnOf(type: string, name: string): string {
  return `urn:pulumi:dev::test::rancher:index:${type}::${name}`;
}

/** What an operation had made when it failed. */
function partialOf(error: unknown): Omit<Kept, "type" | "name"> | undefined {
  const [bytes] = (error as grpc.ServiceError).metadata?.get("grpc-status-details-bin") ?? [];
  if (bytes === undefined) return undefined;
  const detail = Status.deserializeBinary(bytes as Buffer)
    .getDetailsList()[0]
    ?.unpack(
      (data: Uint8Array) => rpc.ErrorResourceInitFailed.deserializeBinary(data),
      "pulumirpc.ErrorResourceInitFailed",
    );
  if (detail === undefined || detail === null) return undefined;
  return {
    id: detail.getId(),
    inputs: json(detail.getInputs()),
    outputs: json(detail.getProperties()),
    unfinished: detail.getReasonsList().join("; "),
  };
}

function struct(props: Props): Struct {
  return Struct.fromJavaScript(props as Record<string, JavaScriptValue>);
}

function json(wire: Struct | undefined): Props {
  return (wire?.toJavaScript() ?? {}) as Props;
}
