/**
 * Stands between the engine and a policy pack. The engine tells a pack that runs which stack it is
 * about; packs written for Node learn it from their environment. So the pack is started only once the
 * engine has told, as the official language host does it.
 * Source: pulumi/pulumi, RunPlugin of sdk/nodejs/cmd/pulumi-language-nodejs/main.go and its PolicyProxy.
 */
import * as grpc from "@grpc/grpc-js";
import { AnalyzerService } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import {
  AnalyzerHandshakeResponse,
  AnalyzerStackConfigureRequest,
  AnalyzerStackConfigureResponse,
} from "@pulumi/pulumi/proto/analyzer_pb";

/** What the engine says of the stack; undefined when it asks something else first. */
type StackConfiguration = AnalyzerStackConfigureRequest | undefined;

/** Messages are passed on as they came: a newer engine's have fields that this side does not know. */
const asIs = (bytes: Buffer): Buffer => bytes;

const limits = {
  "grpc.max_receive_message_length": 400 * 1024 * 1024,
  "grpc.max_send_message_length": 400 * 1024 * 1024,
};

/** A promise that somebody else settles. */
function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  // Who waits for it sees the error; nobody may be waiting.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** An analyzer for the engine that hands everything to a policy pack, once that is started. */
export class PolicyProxy {
  private readonly server = new grpc.Server(limits);
  private readonly configuration = deferred<StackConfiguration>();
  private readonly pack = deferred<grpc.Client>();

  constructor() {
    const methods = Object.entries(AnalyzerService as unknown as grpc.ServiceDefinition).map(
      ([name, { path }]) => [name, method(path)] as const,
    );
    const passOn = methods.map(([name, { path }]) => [name, this.passOn(path)] as const);
    this.server.addService(Object.fromEntries(methods), {
      ...Object.fromEntries(passOn),
      handshake: (_: unknown, callback: grpc.sendUnaryData<Buffer>) =>
        callback(null, Buffer.from(new AnalyzerHandshakeResponse().serializeBinary())),
      configureStack: (
        call: grpc.ServerUnaryCall<Buffer, Buffer>,
        callback: grpc.sendUnaryData<Buffer>,
      ) => {
        this.configuration.resolve(AnalyzerStackConfigureRequest.deserializeBinary(call.request));
        callback(null, Buffer.from(new AnalyzerStackConfigureResponse().serializeBinary()));
      },
    });
  }

  /** The port that the engine finds it at. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      this.server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  /** What the pack is to be started with. */
  get stack(): Promise<StackConfiguration> {
    return this.configuration.promise;
  }

  /** From now on the pack at this port answers. */
  async attach(port: number): Promise<void> {
    const credentials = grpc.credentials.createInsecure();
    const client = new grpc.Client(`127.0.0.1:${port}`, credentials, limits);
    const configuration = await this.stack;
    if (configuration !== undefined) {
      const { path } = method("/pulumirpc.Analyzer/ConfigureStack");
      await forward(client, path, Buffer.from(configuration.serializeBinary()));
    }
    this.pack.resolve(client);
  }

  /** Ends it; whoever still waits for the pack is told that it did not start. */
  close(): void {
    this.pack.reject(new Error("the policy pack did not start"));
    this.pack.promise.then(
      (client) => client.close(),
      () => undefined,
    );
    this.server.forceShutdown();
  }

  private passOn(path: string) {
    return (
      call: grpc.ServerUnaryCall<Buffer, Buffer>,
      callback: grpc.sendUnaryData<Buffer>,
    ): void => {
      // Whoever asks before the stack is named, as `policy publish` does, has none to name.
      this.configuration.resolve(undefined);
      this.pack.promise
        .then((client) => forward(client, path, call.request))
        .then(
          (answer) => callback(null, answer),
          (error: unknown) => callback(error as grpc.ServiceError),
        );
    };
  }
}

function method(path: string): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

function forward(client: grpc.Client, path: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, request, (error, answer) => {
      if (error !== null) reject(error);
      else resolve(answer ?? Buffer.alloc(0));
    });
  });
}

/** The environment that packs for Node learn their stack from. */
export function stackEnvironment(stack: StackConfiguration): NodeJS.ProcessEnv {
  if (stack === undefined) return {};
  const config: Record<string, string> = {};
  for (const [key, value] of stack.getConfigMap().entries()) config[key] = value;
  const env = {
    PULUMI_NODEJS_ORGANIZATION: stack.getOrganization(),
    PULUMI_NODEJS_PROJECT: stack.getProject(),
    PULUMI_NODEJS_STACK: stack.getStack(),
    PULUMI_NODEJS_DRY_RUN: String(stack.getDryRun()),
    PULUMI_CONFIG: JSON.stringify(config),
  };
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}
