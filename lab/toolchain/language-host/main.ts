/**
 * A Node language host for the Pulumi engine: what `pulumi-language-nodejs` does, as far as this
 * repository needs it. The official one ships only inside Pulumi's own download; where that cannot be
 * reached, this one stands beside a CLI that was built from source.
 *
 * The engine starts it with its own address as the last argument and reads a port from stdout.
 */
import * as grpc from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/language_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { createRequire } from "node:module";
import * as path from "node:path";
import { allEnded, spawnChild, stopAll } from "./children";
import { programDependencies } from "./dependencies";
import { PolicyProxy, stackEnvironment } from "./policyProxy";

/** Exit code of `@pulumi/pulumi/cmd/run` for "failed, and already reported to the engine". */
const BAIL = 32;

const VERSION = process.env.PULUMI_LANGUAGE_HOST_VERSION ?? "0.0.0";
const engine = process.argv[process.argv.length - 1] ?? "";

/** Resolves a module of the program that is being run, not of this file. */
function resolveFrom(folders: string[], module: string): string {
  for (const folder of folders.filter((each) => each !== "")) {
    try {
      return createRequire(path.join(folder, "noop.js")).resolve(module);
    } catch {
      // Try the next folder; the error below names them all.
    }
  }
  throw new Error(`cannot find ${module} from ${folders.join(" or ")}; run npm ci there`);
}

function failure(error: unknown): Partial<grpc.StatusObject> & Error {
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(message), { code: grpc.status.INTERNAL, details: message });
}

/** The engine's `ns:key` as the SDK reads it from its environment: `ns:config:key`. */
function sdkConfigKey(key: string): string {
  const colon = key.indexOf(":");
  return `${key.slice(0, colon)}:config:${key.slice(colon + 1)}`;
}

/** What to start for a program: the arguments of `node` and its extra environment. */
function programCommand(request: pb.RunRequest): {
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
} {
  const info = request.getInfo();
  const cwd = info?.getProgramDirectory() ?? request.getPwd();
  const options = info?.getOptions()?.toJavaScript() ?? {};
  const nodeArgs = typeof options["nodeargs"] === "string" ? options["nodeargs"] : "";
  const entry = info?.getEntryPoint() ?? "";
  const args = [
    ...nodeArgs.split(" ").filter((each) => each !== ""),
    resolveFrom([cwd], "@pulumi/pulumi/cmd/run"),
    ...["--monitor", request.getMonitorAddress()],
    ...["--engine", engine],
    ...["--organization", request.getOrganization()],
    ...["--project", request.getProject()],
    ...["--stack", request.getStack()],
    ...["--pwd", request.getPwd() === "" ? cwd : request.getPwd()],
    ...["--root-directory", info?.getRootDirectory() ?? cwd],
    ...["--parallel", String(request.getParallel())],
    ...(request.getDryrun() ? ["--dry-run"] : []),
    entry === "" ? "." : entry,
    ...request.getArgsList(),
  ];
  const config: Record<string, string> = {};
  for (const [key, value] of request.getConfigMap().entries()) config[sdkConfigKey(key)] = value;
  const env: NodeJS.ProcessEnv = {
    PULUMI_CONFIG: JSON.stringify(config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList().map(sdkConfigKey)),
  };
  if (options["typescript"] !== false) env["PULUMI_NODEJS_TYPESCRIPT"] = "true";
  return { args, env, cwd };
}

function run(
  call: grpc.ServerUnaryCall<pb.RunRequest, pb.RunResponse>,
  callback: grpc.sendUnaryData<pb.RunResponse>,
): void {
  try {
    const { args, env, cwd } = programCommand(call.request);
    const child = spawnChild(process.execPath, args, {
      cwd,
      env,
      stdio: ["ignore", "inherit", "inherit"],
    });
    call.on("cancelled", () => child.stop());
    void child.ended.then(({ code, signal }) => {
      const response = new pb.RunResponse();
      if (code === BAIL) response.setBail(true);
      else if (signal !== null) response.setError(`the program was ended by ${signal}`);
      else if (code !== 0) response.setError(`the program exited with code ${code}`);
      callback(null, response);
    });
  } catch (error) {
    callback(failure(error));
  }
}

type RunPluginCall = grpc.ServerWritableStream<pb.RunPluginRequest, pb.RunPluginResponse>;

/** The variables that the engine wants a plugin to have. */
function givenEnvironment(request: pb.RunPluginRequest): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const pair of request.getEnvList()) {
    const equals = pair.indexOf("=");
    env[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return env;
}

/**
 * Starts a plugin and passes on what it prints, then its exit code.
 *
 * @param onStdout takes its standard output; returns what of it the engine is to see
 */
function relay(
  call: RunPluginCall,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
  onStdout: (data: Buffer) => Buffer = (data) => data,
): Promise<void> {
  const child = spawnChild(process.execPath, args, {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const send = (fill: (response: pb.RunPluginResponse) => void) => {
    const response = new pb.RunPluginResponse();
    fill(response);
    call.write(response);
  };
  child.process.stdout?.on("data", (data: Buffer) => {
    const seen = onStdout(data);
    if (seen.length > 0) send((response) => response.setStdout(seen));
  });
  child.process.stderr?.on("data", (data: Buffer) => send((response) => response.setStderr(data)));
  call.on("cancelled", () => child.stop());
  return child.ended.then(({ code }) => {
    send((response) => response.setExitcode(code ?? 1));
    call.end();
  });
}

/** Runs a plugin written for Node, passing on what it prints. */
function runPlugin(call: RunPluginCall): void {
  try {
    const request = call.request;
    const program = request.getInfo()?.getProgramDirectory() ?? request.getProgram();
    if (request.getKind() === "analyzer") {
      runPolicyPack(call, program).catch((error: unknown) => call.destroy(failure(error)));
      return;
    }
    const script = resolveFrom([program, request.getPwd()], "@pulumi/pulumi/cmd/run-plugin");
    const cwd = request.getPwd() === "" ? program : request.getPwd();
    const args = [script, program, ...request.getArgsList()];
    void relay(call, args, { cwd, env: givenEnvironment(request) });
  } catch (error) {
    call.destroy(failure(error));
  }
}

/**
 * Runs a policy pack written for Node, in its own folder. Its `nodeargs` go behind the script, where
 * they do nothing: that is how the official host does it.
 */
async function runPolicyPack(call: RunPluginCall, program: string): Promise<void> {
  const request = call.request;
  const script = resolveFrom([program, request.getPwd()], "@pulumi/pulumi/cmd/run-policy-pack");
  const nodeArgs = request.getInfo()?.getOptions()?.toJavaScript()["nodeargs"];
  const proxy = new PolicyProxy();
  try {
    const port = await proxy.listen();
    call.write(new pb.RunPluginResponse().setStdout(Buffer.from(`${port}\n`)));
    const ended = new Promise<undefined>((resolve) => call.once("cancelled", resolve));
    const stack = await Promise.race([proxy.stack, ended]);
    if (call.cancelled) return;
    const env = { ...givenEnvironment(request), ...stackEnvironment(stack) };
    // The engine's address first and the pack's folder last.
    const args = [
      script,
      ...(typeof nodeArgs === "string" ? nodeArgs.split(" ").filter((each) => each !== "") : []),
      ...request.getArgsList(),
      program,
    ];
    let before: string | undefined = "";
    await relay(call, args, { cwd: program, env }, (data) => {
      if (before === undefined) return data;
      before += data.toString();
      const line = before.indexOf("\n");
      if (line < 0) return Buffer.alloc(0);
      // The pack's first line is its port, which is for the proxy.
      proxy.attach(Number(before.slice(0, line))).catch(() => proxy.close());
      const rest = Buffer.from(before.slice(line + 1));
      before = undefined;
      return rest;
    });
  } finally {
    proxy.close();
  }
}

const service: grpc.UntypedServiceImplementation = {
  handshake: answer(() => new pb.LanguageHandshakeResponse()),
  // The SDK names each plugin's version when it registers a resource, so nothing is listed up front.
  getRequiredPlugins: answer(() => new pb.GetRequiredPluginsResponse()),
  getRequiredPackages: answer(() => new pb.GetRequiredPackagesResponse()),
  getPluginInfo: answer(() => new PluginInfo().setVersion(VERSION)),
  about: answer(() =>
    new pb.AboutResponse().setExecutable(process.execPath).setVersion(process.version),
  ),
  getProgramDependencies: answer((request: pb.GetProgramDependenciesRequest) =>
    programDependencies(
      request.getInfo()?.getProgramDirectory() ?? request.getPwd(),
      request.getTransitivedependencies(),
    ),
  ),
  runtimeOptionsPrompts: answer(() => new pb.RuntimeOptionsResponse()),
  template: answer(() => new pb.TemplateResponse()),
  cancel: answer(() => {
    stopAll();
    return new Empty();
  }),
  run,
  runPlugin,
};

/** A unary method that answers at once. */
function answer<Request, Response>(respond: (request: Request) => Response) {
  return (
    call: grpc.ServerUnaryCall<Request, Response>,
    callback: grpc.sendUnaryData<Response>,
  ): void => {
    try {
      callback(null, respond(call.request));
    } catch (error) {
      callback(failure(error));
    }
  };
}

/** Ends this process once its children are gone: `stopAll` kills what does not go by itself. */
function exit(): void {
  stopAll();
  void allEnded().then(() => process.exit(0));
}

function main(): void {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 400 * 1024 * 1024 });
  server.addService(LanguageRuntimeService as unknown as grpc.ServiceDefinition, service);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) {
      console.error(`cannot listen for the engine: ${error.message}`);
      process.exit(1);
    }
    console.log(port);
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, exit);
  // An engine that was killed cannot say so; its death is seen by this process getting a new parent.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) exit();
  }, 1000).unref();
}

main();
