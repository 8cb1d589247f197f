/**
 * Puts a {@link ProviderDefinition} on Pulumi's provider protocol (`pulumirpc.ResourceProvider`).
 *
 * The SDK's own provider server hands out neither configuration nor timeouts and makes no precise
 * diffs, hence this one. Resources see plain values; what was secret on the way in is secret on the
 * way out, and no error or status line repeats a secret that passed through.
 */
import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { type PluginAttach, PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { parsePath, valueAt } from "./diff";
import {
  type Call,
  type Change,
  hasUnknown,
  InvalidArguments,
  type Problem,
  type Props,
  type ProviderDefinition,
  type Resource,
  type State,
  UNKNOWN,
} from "./types";
import {
  decodeProps,
  encodeProps,
  equal,
  joinMasks,
  type Mask,
  type MaskedProps,
  Scrubber,
  secretStrings,
} from "./values";

/** Milliseconds an operation gets to clean up after its signal before the engine is answered. */
const ABORT_GRACE_MS = 10_000;

/** Milliseconds between looks at whether the engine is still there. */
const PARENT_POLL_MS = 1_000;

/** Configuration keys that are Pulumi's, not the provider's. */
const RESERVED_CONFIG = new Set(["version", "pluginDownloadURL", "__internal"]);

/**
 * Thrown by create or update when the resource exists but did not become ready. Its state is kept,
 * so that the next `up` continues with it instead of making another one.
 */
export class PartialFailure extends Error {
  constructor(
    /** What exists; for an update the id is not used. */
    readonly state: State,
    /** Why it is not ready. */
    readonly reason: string,
  ) {
    super(reason);
    this.name = "PartialFailure";
  }
}

/** Options of {@link startServer}. */
export interface ServerOptions {
  /** `host:port` of the engine, to which status lines go. Without it they are dropped. */
  readonly engineAddress?: string | undefined;
}

/** A running server. */
export interface Server {
  readonly port: number;
  /** Aborts what runs, releases the client and stops listening. */
  stop(): void;
}

/**
 * Serves the provider as a Pulumi plugin process does: takes the engine's address from the command
 * line, prints the port, and ends when the engine is gone.
 *
 * @param options.engineAddress default: the last command line argument
 */
export async function serve<C>(
  definition: ProviderDefinition<C>,
  options: ServerOptions = {},
): Promise<Server> {
  const engineAddress = options.engineAddress ?? process.argv.slice(2).findLast(isAddress);
  const server = await startServer(definition, { engineAddress });
  const exit = (): void => {
    server.stop();
    process.exit(0);
  };
  const parent = process.ppid;
  setInterval(() => {
    // An engine that was killed leaves its plugins to another parent.
    if (process.ppid !== parent) exit();
  }, PARENT_POLL_MS).unref();
  // How the engine ends a plugin. A user's Ctrl-C does not come here: plugins have a process group
  // of their own, and the engine says `Cancel`.
  process.on("SIGINT", exit);
  process.on("SIGTERM", exit);
  // The engine closes the pipe when it goes; a log line must not kill an operation for that.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  process.stdout.write(`${server.port}\n`);
  return server;
}

function isAddress(argument: string): boolean {
  return /:\d+$/.test(argument);
}

/** Starts the server on a free local port and returns at once. Used by {@link serve} and tests. */
export async function startServer<C>(
  definition: ProviderDefinition<C>,
  options: ServerOptions = {},
): Promise<Server> {
  const plugin = new Plugin(definition, options.engineAddress);
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  server.addService(
    ResourceProviderService as unknown as grpc.ServiceDefinition,
    plugin.handlers() as unknown as grpc.UntypedServiceImplementation,
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    stop: () => {
      plugin.stop();
      server.forceShutdown();
    },
  };
}

/** An error whose details the engine understands. */
class DetailedError extends Error {
  constructor(
    message: string,
    readonly typeName: string,
    readonly detail: Uint8Array,
  ) {
    super(message);
  }
}

/** What every gRPC request about one resource carries. */
interface ResourceRequest {
  getUrn(): string;
}

/** What one operation runs with. */
interface Operation {
  readonly signal: AbortSignal;
  readonly timeoutSeconds: number | undefined;
}

class Plugin<C> {
  private client: { value: C } | undefined;
  private engine: EngineClient | undefined;
  private readonly running = new Set<AbortController>();
  private readonly scrubber = new Scrubber();
  /** The last status line of each resource that is worked on. */
  private readonly shown = new Map<string, string>();
  private readonly title: string;

  constructor(
    private readonly definition: ProviderDefinition<C>,
    engineAddress: string | undefined,
  ) {
    this.title = definition.title ?? `the ${definition.name} provider`;
    this.attach(engineAddress);
  }

  stop(): void {
    this.cancel();
    this.release();
    this.engine?.close();
  }

  /** One function per gRPC method; a method not here is answered with UNIMPLEMENTED. */
  handlers(): Record<string, grpc.handleUnaryCall<never, unknown>> {
    const unary = <Q, R>(run: (request: Q, operation: Operation) => R | Promise<R>) =>
      this.unary(run) as grpc.handleUnaryCall<never, unknown>;
    return {
      handshake: unary((request: rpc.ProviderHandshakeRequest) => {
        this.attach(this.engine === undefined ? request.getEngineAddress() : undefined);
        const response = new rpc.ProviderHandshakeResponse();
        response.setAcceptSecrets(true);
        response.setAcceptResources(true);
        response.setAcceptOutputs(true);
        return response;
      }),
      getSchema: unary(() => {
        const response = new rpc.GetSchemaResponse();
        response.setSchema(this.definition.schema);
        return response;
      }),
      getPluginInfo: unary(() => {
        const response = new PluginInfo();
        response.setVersion(this.definition.version);
        return response;
      }),
      checkConfig: unary((request: rpc.CheckRequest) => this.checkConfig(request)),
      diffConfig: unary((request: rpc.DiffRequest) => this.diffConfig(request)),
      configure: unary((request: rpc.ConfigureRequest) => this.configure(request)),
      check: unary((request: rpc.CheckRequest) => this.check(request)),
      diff: unary((request: rpc.DiffRequest) => this.diff(request)),
      create: unary((request: rpc.CreateRequest, operation) => this.create(request, operation)),
      read: unary((request: rpc.ReadRequest, operation) => this.read(request, operation)),
      update: unary((request: rpc.UpdateRequest, operation) => this.update(request, operation)),
      delete: unary((request: rpc.DeleteRequest, operation) => this.delete(request, operation)),
      invoke: unary((request: rpc.InvokeRequest, operation) => this.invoke(request, operation)),
      cancel: unary(() => {
        this.cancel();
        return new Empty();
      }),
      attach: unary((request: PluginAttach) => {
        this.attach(request.getAddress());
        return new Empty();
      }),
    };
  }

  /** One place turns a promise into an answer, and an exception into a gRPC error. */
  private unary<Q, R>(
    run: (request: Q, operation: Operation) => R | Promise<R>,
  ): grpc.handleUnaryCall<Q, R> {
    return (call, done) => {
      const controller = new AbortController();
      this.running.add(controller);
      call.on("cancelled", () => {
        controller.abort(new Error("the engine gave up the operation"));
      });
      const timeoutSeconds = requestTimeout(call.request);
      const timer =
        timeoutSeconds === undefined
          ? undefined
          : setTimeout(() => {
              controller.abort(new Error(`timed out after ${timeoutSeconds} seconds`));
            }, timeoutSeconds * 1_000);
      const operation = { signal: controller.signal, timeoutSeconds };
      const urn = (call.request as { getUrn?: () => string }).getUrn?.() ?? "";
      bounded(async () => run(call.request, operation), controller.signal)
        .finally(() => this.clearStatus(urn))
        .then(
          (response) => {
            done(null, response);
          },
          (error: unknown) => {
            done(this.failure(error, controller.signal));
          },
        )
        .finally(() => {
          clearTimeout(timer);
          this.running.delete(controller);
        });
    };
  }

  private failure(error: unknown, signal: AbortSignal): Partial<grpc.StatusObject> {
    const said = error instanceof Error ? error.message : String(error);
    const why = signal.aborted && signal.reason instanceof Error ? signal.reason.message : said;
    const message = this.scrubber.scrub(said.includes(why) ? said : `${why}: ${said}`);
    const metadata = new grpc.Metadata();
    if (error instanceof DetailedError) {
      const any = new Any();
      any.pack(error.detail, error.typeName);
      const status = new Status();
      status.setCode(grpc.status.UNKNOWN);
      status.setMessage(message);
      status.addDetails(any);
      metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    }
    return { code: grpc.status.UNKNOWN, details: message, metadata };
  }

  private attach(address: string | undefined): void {
    if (address === undefined || address === "") return;
    this.engine?.close();
    this.engine = new EngineClient(address, grpc.credentials.createInsecure());
  }

  private cancel(): void {
    for (const controller of this.running) controller.abort(new Error("cancelled"));
  }

  private release(): void {
    if (this.client !== undefined) this.definition.close?.(this.client.value);
    this.client = undefined;
  }

  // --- the provider's own configuration ---

  private checkConfig(request: rpc.CheckRequest): rpc.CheckResponse {
    const news = this.decode(request.getNews());
    const response = new rpc.CheckResponse();
    response.setInputs(request.getNews());
    const problems = this.definition.checkConfig?.(decodeConfig(news.props)) ?? [];
    response.setFailuresList(this.failures(problems, news.mask));
    return response;
  }

  /** A changed configuration updates the provider; replacing it would replace all its resources. */
  private diffConfig(request: rpc.DiffRequest): rpc.DiffResponse {
    const before = this.decode(request.getOldInputs() ?? request.getOlds()).props;
    const after = this.decode(request.getNews()).props;
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    const changed = keys.filter((key) => key !== "version" && !equal(before[key], after[key]));
    return diffResponse(Object.fromEntries(changed.map((key) => [key, "update"])), before, after);
  }

  private configure(request: rpc.ConfigureRequest): rpc.ConfigureResponse {
    this.release();
    const config = decodeConfig(this.decode(request.getArgs()).props);
    this.client = { value: this.definition.configure(config) };
    const response = new rpc.ConfigureResponse();
    response.setAcceptsecrets(true);
    response.setSupportspreview(true);
    response.setAcceptresources(true);
    response.setAcceptoutputs(true);
    return response;
  }

  private configured(): C {
    if (this.client === undefined) {
      throw new Error(`${this.title} has not been configured: its settings are not known yet`);
    }
    return this.client.value;
  }

  // --- resources ---

  private check(request: rpc.CheckRequest): rpc.CheckResponse {
    const resource = this.resource(request);
    const news = this.decode(request.getNews());
    const olds = request.hasOlds() ? this.decode(request.getOlds()).props : undefined;
    const old = olds === undefined || Object.keys(olds).length === 0 ? undefined : olds;
    const { inputs, problems } = resource.check(news.props, old, { urn: request.getUrn() });
    const response = new rpc.CheckResponse();
    response.setInputs(struct(encodeProps(inputs, news, this.secretsOf(news))));
    response.setFailuresList(this.failures(problems, news.mask));
    return response;
  }

  private diff(request: rpc.DiffRequest): rpc.DiffResponse {
    const resource = this.resource(request);
    const inputs = this.decode(request.getNews()).props;
    const old = this.decode(request.getOlds()).props;
    // States written by an engine that does not send old inputs repeat them in the outputs.
    const oldInputs = request.hasOldInputs() ? this.decode(request.getOldInputs()).props : old;
    const { changes, deleteBeforeReplace } = resource.diff({
      id: request.getId(),
      oldInputs,
      old,
      inputs,
    });
    const fixed = resource.update === undefined;
    const effective = Object.entries(changes).map(([path, change]): [string, Change] => [
      path,
      fixed ? "replace" : change,
    ]);
    const response = diffResponse(Object.fromEntries(effective), oldInputs, inputs);
    response.setDeletebeforereplace(deleteBeforeReplace ?? false);
    return response;
  }

  private async create(
    request: rpc.CreateRequest,
    operation: Operation,
  ): Promise<rpc.CreateResponse> {
    const resource = this.resource(request);
    const inputs = this.decode(request.getProperties());
    const response = new rpc.CreateResponse();
    if (request.getPreview()) {
      const outputs = resource.preview?.(inputs.props, undefined) ?? inputs.props;
      response.setProperties(struct(this.previewed(resource, outputs, inputs)));
      return response;
    }
    const made = await this.keepingPartial(resource, inputs, "", () =>
      resource.create(this.configured(), inputs.props, this.call(request, operation)),
    );
    response.setId(made.id);
    response.setProperties(struct(this.outputs(resource, made.outputs, inputs)));
    return response;
  }

  private async read(request: rpc.ReadRequest, operation: Operation): Promise<rpc.ReadResponse> {
    const resource = this.resource(request);
    const inputs = this.decode(request.getInputs());
    const outputs = this.decode(request.getProperties());
    const found = await resource.read(
      this.configured(),
      { id: request.getId(), inputs: inputs.props, outputs: outputs.props },
      this.call(request, operation),
    );
    const response = new rpc.ReadResponse();
    if (found === undefined) return response;
    const known = withSecretOutputs(resource, found.inputs, inputs);
    response.setId(found.state.id);
    response.setInputs(struct(encodeProps(found.inputs, known, this.secretsOf(inputs, outputs))));
    const before = { props: outputs.props, mask: joinMasks(inputs.mask, outputs.mask) };
    response.setProperties(struct(this.outputs(resource, found.state.outputs, before)));
    return response;
  }

  private async update(
    request: rpc.UpdateRequest,
    operation: Operation,
  ): Promise<rpc.UpdateResponse> {
    const resource = this.resource(request);
    const inputs = this.decode(request.getNews());
    const old = this.decode(request.getOlds());
    const oldInputs = request.hasOldInputs() ? this.decode(request.getOldInputs()) : old;
    const response = new rpc.UpdateResponse();
    if (request.getPreview()) {
      const outputs =
        resource.preview?.(inputs.props, old.props) ??
        overlaid(old.props, oldInputs.props, inputs.props);
      response.setProperties(struct(this.previewed(resource, outputs, inputs)));
      return response;
    }
    const update = resource.update?.bind(resource);
    if (update === undefined) throw new Error(`${request.getUrn()} cannot be changed in place`);
    const id = request.getId();
    const outputs = await this.keepingPartial(resource, inputs, id, () =>
      update(
        this.configured(),
        { id, oldInputs: oldInputs.props, old: old.props, inputs: inputs.props },
        this.call(request, operation),
      ),
    );
    response.setProperties(struct(this.outputs(resource, outputs, inputs)));
    return response;
  }

  private async delete(request: rpc.DeleteRequest, operation: Operation): Promise<Empty> {
    const resource = this.resource(request);
    await resource.delete(
      this.configured(),
      {
        id: request.getId(),
        inputs: this.decode(request.getOldInputs()).props,
        outputs: this.decode(request.getProperties()).props,
      },
      this.call(request, operation),
    );
    return new Empty();
  }

  private async invoke(
    request: rpc.InvokeRequest,
    operation: Operation,
  ): Promise<rpc.InvokeResponse> {
    const token = request.getTok();
    const run = own(this.definition.functions ?? {}, token);
    if (run === undefined) throw new Error(`${this.title} has no function ${token}`);
    const args = this.decode(request.getArgs());
    if (hasUnknown(args.props)) throw new Error(`${token} was called with unknown arguments`);
    const response = new rpc.InvokeResponse();
    try {
      const result = await run(this.configured(), args.props, {
        ...operation,
        status: (message) => {
          this.status("", message);
        },
      });
      response.setReturn(struct(encodeProps(result, args, this.secretsOf(args))));
    } catch (error) {
      if (!(error instanceof InvalidArguments)) throw error;
      response.setFailuresList(this.failures(error.problems, args.mask));
    }
    return response;
  }

  // --- helpers ---

  private resource(request: ResourceRequest): Resource<C> {
    const type = typeOf(request.getUrn());
    const resource = own(this.definition.resources, type);
    if (resource === undefined) {
      const known = Object.keys(this.definition.resources).join(", ");
      throw new Error(`${this.title} has no resource type ${type}; it has: ${known}`);
    }
    return resource;
  }

  private call(request: ResourceRequest, operation: Operation): Call {
    const urn = request.getUrn();
    return {
      ...operation,
      urn,
      status: (message) => {
        this.status(urn, message);
      },
    };
  }

  /** Shows a line beside the resource, unless it stands there already. */
  private status(urn: string, message: string): void {
    if (this.shown.get(urn) === message) return;
    this.shown.set(urn, message);
    void this.log(urn, message);
  }

  /** Takes away what the finished operation showed. */
  private async clearStatus(urn: string): Promise<void> {
    if (this.shown.delete(urn)) await this.log(urn, "");
  }

  private log(urn: string, message: string): Promise<void> {
    const { engine } = this;
    if (engine === undefined) return Promise.resolve();
    const request = new LogRequest();
    request.setSeverity(LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(this.scrubber.scrub(message));
    request.setEphemeral(true);
    return new Promise((resolve) => {
      // A status line that gets lost changes nothing.
      engine.log(request, () => {
        resolve();
      });
    });
  }

  private decode(wire: Struct | undefined): MaskedProps {
    const decoded = decodeProps(wire?.toJavaScript());
    this.scrubber.add(this.secretsOf(decoded));
    return decoded;
  }

  private secretsOf(...bags: MaskedProps[]): string[] {
    return bags.flatMap(({ props, mask }) => secretStrings({ value: props, mask }));
  }

  private outputs(resource: Resource<C>, outputs: Props, inputs: MaskedProps): Props {
    const known = withSecretOutputs(resource, outputs, inputs);
    // A secret made by the service must not appear in a later error either.
    this.scrubber.add(secretStrings({ value: outputs, mask: known.mask }));
    return encodeProps(outputs, known, this.secretsOf(inputs));
  }

  private previewed(resource: Resource<C>, outputs: Props, inputs: MaskedProps): Props {
    const missing = secretOutputNames(resource, inputs).filter((name) => !(name in outputs));
    const unknown = Object.fromEntries(missing.map((name) => [name, UNKNOWN]));
    return this.outputs(resource, { ...outputs, ...unknown }, inputs);
  }

  private async keepingPartial<T>(
    resource: Resource<C>,
    inputs: MaskedProps,
    id: string,
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof PartialFailure)) throw error;
      const reason = this.scrubber.scrub(error.reason);
      const detail = new rpc.ErrorResourceInitFailed();
      detail.setId(id === "" ? error.state.id : id);
      detail.setProperties(struct(this.outputs(resource, error.state.outputs, inputs)));
      detail.setInputs(struct(encodeProps(inputs.props, inputs)));
      detail.setReasonsList([reason]);
      throw new DetailedError(
        reason,
        "pulumirpc.ErrorResourceInitFailed",
        detail.serializeBinary(),
      );
    }
  }

  private failures(problems: readonly Problem[], mask: Mask): rpc.CheckFailure[] {
    return problems.map(({ path, reason }) => {
      const failure = new rpc.CheckFailure();
      // The engine shows the value of the property of exactly this name, even a secret one.
      failure.setProperty(hidesSecret(mask, path) ? `[${JSON.stringify(path)}]` : path);
      failure.setReason(this.scrubber.scrub(reason));
      return failure;
    });
  }
}

function struct(wire: Record<string, unknown>): Struct {
  return Struct.fromJavaScript(wire as Record<string, JavaScriptValue>);
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The type token in a URN, `urn:pulumi:stack::project::parentType$type::name`. */
function typeOf(urn: string): string {
  const qualified = urn.split("::")[2] ?? "";
  return qualified.slice(qualified.lastIndexOf("$") + 1);
}

function requestTimeout(request: unknown): number | undefined {
  const seconds = (request as { getTimeout?: () => number }).getTimeout?.() ?? 0;
  return seconds > 0 ? seconds : undefined;
}

/** Runs an operation; one that ignores its signal is answered for after a grace period. */
async function bounded<T>(run: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const abandoned = new Promise<never>((_, reject) => {
    const wait = (): void => {
      timer = setTimeout(() => {
        reject(signal.reason as Error);
      }, ABORT_GRACE_MS);
    };
    signal.addEventListener("abort", wait, { once: true });
  });
  try {
    return await Promise.race([run(), abandoned]);
  } finally {
    clearTimeout(timer);
  }
}

/** SDKs write nested provider settings as JSON text; this reads them back. */
function decodeConfig(config: Props): Props {
  const entries = Object.entries(config).filter(([key]) => !RESERVED_CONFIG.has(key));
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return [key, value];
      try {
        return [key, decodeProps({ value: JSON.parse(value) as unknown }).props["value"]];
      } catch {
        return [key, value];
      }
    }),
  );
}

function hidesSecret(mask: Mask, name: string): boolean {
  if (typeof mask === "boolean") return mask;
  return Object.hasOwn(mask, name) && mask[name] !== false;
}

function secretOutputNames<C>(resource: Resource<C>, inputs: MaskedProps): readonly string[] {
  const names = resource.secretOutputs ?? [];
  if (typeof names !== "function") return names;
  const { mask } = inputs;
  return names(typeof mask === "boolean" ? [] : Object.keys(mask));
}

function withSecretOutputs<C>(
  resource: Resource<C>,
  outputs: Props,
  inputs: MaskedProps,
): MaskedProps {
  const named = secretOutputNames(resource, inputs).filter((name) => name in outputs);
  const always: Mask = Object.fromEntries(named.map((name) => [name, true]));
  return { props: inputs.props, mask: joinMasks(inputs.mask, always) };
}

/** The old outputs with the new inputs over them, less what was an input and is none any more. */
function overlaid(old: Props, oldInputs: Props, inputs: Props): Props {
  const kept = Object.entries(old).filter(([key]) => key in inputs || !(key in oldInputs));
  return { ...Object.fromEntries(kept), ...inputs };
}

function diffResponse(
  changes: Readonly<Record<string, Change>>,
  before: Props,
  after: Props,
): rpc.DiffResponse {
  const { ADD, ADD_REPLACE, DELETE, DELETE_REPLACE, UPDATE, UPDATE_REPLACE } =
    rpc.PropertyDiff.Kind;
  const response = new rpc.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = rpc.DiffResponse.DiffChanges;
  const paths = Object.entries(changes);
  response.setChanges(paths.length === 0 ? DIFF_NONE : DIFF_SOME);
  response.setHasdetaileddiff(true);
  const names = new Set<string>();
  const replaced = new Set<string>();
  for (const [path, change] of paths) {
    const steps = parsePath(path);
    const had = valueAt(before, steps) !== undefined;
    const has = valueAt(after, steps) !== undefined;
    const kinds =
      had === has
        ? ([UPDATE, UPDATE_REPLACE] as const)
        : has
          ? ([ADD, ADD_REPLACE] as const)
          : ([DELETE, DELETE_REPLACE] as const);
    const entry = new rpc.PropertyDiff();
    entry.setKind(kinds[change === "replace" ? 1 : 0]);
    // The change lies between inputs, except where a resource reports drift of an output.
    entry.setInputdiff(had || has);
    response.getDetaileddiffMap().set(path, entry);
    if (change === "replace") replaced.add(String(steps[0]));
    names.add(String(steps[0]));
  }
  response.setDiffsList([...names]);
  response.setReplacesList([...replaced]);
  return response;
}
