import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as rpc from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { diffInputs, formatPath, parsePath } from "../../rancher/plugin/diff";
import { PartialFailure, type Server, startServer } from "../../rancher/plugin/serve";
import {
  InvalidArguments,
  type Props,
  type ProviderDefinition,
  UNKNOWN,
} from "../../rancher/plugin/types";
import { UNKNOWN_SENTINEL } from "../../rancher/plugin/values";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const secret = (value: unknown): Props => ({
  [SIGNATURE]: "1b47061264138c4ac30d75fd1eb44270",
  value,
});
const urn = "urn:pulumi:dev::site::pkg:index:Group$pkg:index:Thing::one";
const struct = (props: Props): Struct =>
  Struct.fromJavaScript(props as Record<string, JavaScriptValue>);
const json = (wire: Struct | undefined): Props => (wire?.toJavaScript() ?? {}) as Props;

interface Client {
  config: Props;
}

/** One resource that does what its inputs tell it to, so that each test says what it exercises. */
const definition: ProviderDefinition<Client> = {
  name: "pkg",
  version: "1.2.3",
  schema: '{"name":"pkg"}',
  checkConfig: (config) =>
    config["url"] === "bad" ? [{ path: "url", reason: "is not a URL" }] : [],
  configure: (config) => ({ config }),
  functions: {
    "pkg:index:echo": (client, args) =>
      Promise.resolve({ ...args, said: `say ${String(args["key"])}`, config: client.config }),
    "pkg:index:refuse": (_, args) => {
      const reason = `is wrong with ${String(args["key"])}`;
      if (args["a"] === undefined) throw new Error(`no a, but ${String(args["key"])}`);
      throw new InvalidArguments([
        { path: "a", reason },
        { path: "b.c", reason: "is missing" },
      ]);
    },
  },
  resources: {
    "pkg:index:Thing": {
      secretOutputs: ["token"],
      check: (inputs) => ({
        inputs: { size: 1, ...inputs },
        problems:
          inputs["size"] === -1
            ? [{ path: "size", reason: `bad, with ${String(inputs["key"])}` }]
            : [],
      }),
      diff: ({ oldInputs, inputs }) =>
        diffInputs(oldInputs, inputs, { replace: ["zone"], deleteBeforeReplace: true }),
      create: async (client, inputs, call) => {
        const key = String(inputs["key"]);
        if (inputs["do"] === "fail") throw new Error(`cannot reach https://x/?k=${key}`);
        if (inputs["do"] === "hang") {
          call.status(`waiting with ${key}`);
          call.status(`waiting with ${key}`);
          await new Promise((_, reject) => {
            call.signal.addEventListener("abort", () => {
              reject(new Error("stopped waiting for readiness"));
            });
          });
        }
        const outputs = { ...inputs, token: "made-by-server", config: client.config };
        if (inputs["do"] === "half") {
          throw new PartialFailure({ id: "7", outputs }, `not ready, key ${key}`);
        }
        return { id: "7", outputs: { ...outputs, echo: `say ${key}` } };
      },
      read: (_, { id, inputs, outputs }) =>
        Promise.resolve(id === "gone" ? undefined : { state: { id, outputs }, inputs }),
      update: (_, { inputs }) => Promise.resolve({ ...inputs, token: "made-by-server" }),
      delete: () => Promise.resolve(),
    },
    "pkg:index:Fixed": {
      check: (inputs) => ({ inputs, problems: [] }),
      diff: ({ oldInputs, inputs }) => diffInputs(oldInputs, inputs),
      create: () => Promise.resolve({ id: "1", outputs: {} }),
      read: () => Promise.resolve(undefined),
      delete: () => Promise.resolve(),
    },
  },
};

describe("provider server", () => {
  let server: Server;
  let engine: grpc.Server;
  let client: ResourceProviderClient;
  const logged: LogRequest.AsObject[] = [];

  /** Calls one method of the provider over gRPC. */
  function call<R>(method: string, request: unknown): Promise<R> {
    const methods = client as unknown as Record<
      string,
      (q: unknown, done: (error: grpc.ServiceError | null, response: R) => void) => void
    >;
    return new Promise((resolve, reject) => {
      methods[method]?.call(client, request, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }

  function createRequest(props: Props, preview = false, timeout = 0): rpc.CreateRequest {
    const request = new rpc.CreateRequest();
    request.setUrn(urn);
    request.setProperties(struct(props));
    request.setPreview(preview);
    request.setTimeout(timeout);
    return request;
  }

  async function create(props: Props, preview = false): Promise<Props> {
    const response = await call<rpc.CreateResponse>("create", createRequest(props, preview));
    return json(response.getProperties());
  }

  async function failure(run: Promise<unknown>): Promise<grpc.ServiceError> {
    return run.then(
      () => assert.fail("should have failed"),
      (error: unknown) => error as grpc.ServiceError,
    );
  }

  async function invoke(name: string, args: Props): Promise<rpc.InvokeResponse> {
    const request = new rpc.InvokeRequest();
    request.setTok(`pkg:index:${name}`);
    request.setArgs(struct(args));
    return call<rpc.InvokeResponse>("invoke", request);
  }

  async function configure(config: Props): Promise<void> {
    const request = new rpc.ConfigureRequest();
    request.setArgs(struct(config));
    const response = await call<rpc.ConfigureResponse>("configure", request);
    assert.equal(response.getAcceptsecrets(), true);
    assert.equal(response.getSupportspreview(), true);
  }

  async function diff(before: Props, after: Props, type = "Thing"): Promise<rpc.DiffResponse> {
    const request = new rpc.DiffRequest();
    request.setUrn(`urn:pulumi:dev::site::pkg:index:${type}::one`);
    request.setId("7");
    request.setOlds(struct(before));
    request.setOldInputs(struct(before));
    request.setNews(struct(after));
    return call<rpc.DiffResponse>("diff", request);
  }

  before(async () => {
    engine = new grpc.Server();
    engine.addService(EngineService, {
      log: (request: { request: LogRequest }, done: grpc.sendUnaryData<Empty>) => {
        logged.push(request.request.toObject());
        done(null, new Empty());
      },
    } as unknown as grpc.UntypedServiceImplementation);
    const enginePort = await new Promise<number>((resolve, reject) => {
      engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    server = await startServer(definition, { engineAddress: `127.0.0.1:${enginePort}` });
    client = new ResourceProviderClient(
      `127.0.0.1:${server.port}`,
      grpc.credentials.createInsecure(),
    );
    await configure({ url: "http://x", nested: '{"a":[1]}', version: "9" });
  });

  after(() => {
    client.close();
    server.stop();
    engine.forceShutdown();
  });

  it("reports schema and version, and answers unknown methods with UNIMPLEMENTED", async () => {
    const schema = await call<rpc.GetSchemaResponse>("getSchema", new rpc.GetSchemaRequest());
    assert.equal(schema.getSchema(), '{"name":"pkg"}');
    const info = await call<{ getVersion(): string }>("getPluginInfo", new Empty());
    assert.equal(info.getVersion(), "1.2.3");
    const error = await failure(call("construct", new rpc.ConstructRequest()));
    assert.equal(error.code, grpc.status.UNIMPLEMENTED);
  });

  it("GIVEN nested settings as JSON text WHEN configured THEN they arrive decoded", async () => {
    const outputs = await create({});
    assert.deepEqual(outputs["config"], { url: "http://x", nested: { a: [1] } });
  });

  it("GIVEN unknown settings WHEN configured THEN nothing fails", async () => {
    await configure({ url: UNKNOWN_SENTINEL });
    await configure({ url: "http://x" });
  });

  it("GIVEN a changed setting WHEN the provider is diffed THEN it is updated, never replaced", async () => {
    const request = new rpc.DiffRequest();
    request.setOldInputs(struct({ url: "http://x" }));
    request.setNews(struct({ url: UNKNOWN_SENTINEL }));
    const response = await call<rpc.DiffResponse>("diffConfig", request);
    assert.equal(response.getChanges(), rpc.DiffResponse.DiffChanges.DIFF_SOME);
    assert.deepEqual(response.getReplacesList(), []);
  });

  it("GIVEN a bad setting WHEN checked THEN the problem names it", async () => {
    const request = new rpc.CheckRequest();
    request.setNews(struct({ url: "bad" }));
    const response = await call<rpc.CheckResponse>("checkConfig", request);
    assert.deepEqual(
      response.getFailuresList().map((f) => f.toObject()),
      [{ property: "url", reason: "is not a URL" }],
    );
  });

  it("GIVEN secrets WHEN checked THEN they come back wrapped, and no problem repeats one", async () => {
    const request = new rpc.CheckRequest();
    request.setUrn(urn);
    request.setNews(struct({ key: secret("hunter2hunter2"), size: -1, list: ["a", secret("b")] }));
    const response = await call<rpc.CheckResponse>("check", request);
    assert.deepEqual(json(response.getInputs()), {
      key: secret("hunter2hunter2"),
      size: -1,
      list: ["a", secret("b")],
    });
    assert.equal(response.getFailuresList()[0]?.getReason(), "bad, with [secret]");
  });

  for (const [what, size, name] of [
    ["a value", -1, "size"],
    // The engine shows the value of the property that a failure names.
    ["a secret", secret(-1), '["size"]'],
  ] as const) {
    it(`GIVEN ${what} that is wrong WHEN checked THEN the failure names ${name}`, async () => {
      const request = new rpc.CheckRequest();
      request.setUrn(urn);
      request.setNews(struct({ size }));
      const response = await call<rpc.CheckResponse>("check", request);
      assert.deepEqual(
        response.getFailuresList().map((f) => f.getProperty()),
        [name],
      );
    });
  }

  for (const [name, given, expected] of [
    ["at the same path", { a: { b: secret("x") } }, { a: { b: secret("x") } }],
    ["inside a secret", { a: secret({ b: "x" }) }, { a: secret({ b: "x" }) }],
    [
      "in an output value",
      {
        a: { [SIGNATURE]: "d0e6a833031e9bbcd3f4e8bde6ca49a4", value: "x", secret: true },
      },
      { a: secret("x") },
    ],
  ] as const) {
    it(`GIVEN a secret input ${name} WHEN created THEN the output is secret`, async () => {
      const outputs = await create({ ...given, key: "plain" });
      assert.deepEqual(outputs["a"], expected.a);
      assert.equal(outputs["echo"], "say plain");
    });
  }

  it("GIVEN a secret WHEN an output contains it elsewhere THEN that output is secret", async () => {
    const outputs = await create({ key: secret("hunter2hunter2") });
    assert.deepEqual(outputs["echo"], secret("say hunter2hunter2"));
  });

  it("GIVEN a declared secret output WHEN created, read or updated THEN it is secret", async () => {
    assert.deepEqual((await create({}))["token"], secret("made-by-server"));
    const read = new rpc.ReadRequest();
    read.setUrn(urn);
    read.setId("7");
    read.setProperties(struct({ token: "made-by-server", stdout: secret("s") }));
    const found = await call<rpc.ReadResponse>("read", read);
    assert.deepEqual(json(found.getProperties()), {
      token: secret("made-by-server"),
      stdout: secret("s"),
    });
    const update = new rpc.UpdateRequest();
    update.setUrn(urn);
    update.setId("7");
    update.setOlds(struct({}));
    update.setNews(struct({ key: secret("k") }));
    const updated = await call<rpc.UpdateResponse>("update", update);
    assert.deepEqual(json(updated.getProperties()), {
      token: secret("made-by-server"),
      key: secret("k"),
    });
  });

  it("GIVEN a resource reference WHEN created THEN the resource sees its id", async () => {
    const reference = (id: string): Props => ({
      [SIGNATURE]: "5cf8f73096256a8f31e491e813e4eb8e",
      urn: "urn:x",
      id,
    });
    const outputs = await create({ known: reference("i-1"), component: reference("") });
    assert.equal(outputs["known"], "i-1");
    assert.equal(outputs["component"], "urn:x");
  });

  it("GIVEN unknowns WHEN previewed THEN they stay unknown and secret outputs are unknown secrets", async () => {
    const outputs = await create({ a: [UNKNOWN_SENTINEL], key: secret(UNKNOWN_SENTINEL) }, true);
    assert.deepEqual(outputs, {
      a: [UNKNOWN_SENTINEL],
      key: secret(UNKNOWN_SENTINEL),
      token: secret(UNKNOWN_SENTINEL),
    });
  });

  it("GIVEN an update WHEN previewed THEN old outputs stay, new inputs show, dropped ones go", async () => {
    const request = new rpc.UpdateRequest();
    request.setUrn(urn);
    request.setPreview(true);
    request.setOlds(struct({ size: 2, dropped: 1, token: "t", address: "a" }));
    request.setOldInputs(struct({ size: 2, dropped: 1 }));
    request.setNews(struct({ size: 4 }));
    const response = await call<rpc.UpdateResponse>("update", request);
    assert.deepEqual(json(response.getProperties()), {
      size: 4,
      token: secret("t"),
      address: "a",
    });
  });

  it("GIVEN a vanished resource WHEN read THEN the id is empty", async () => {
    const request = new rpc.ReadRequest();
    request.setUrn(urn);
    request.setId("gone");
    assert.equal((await call<rpc.ReadResponse>("read", request)).getId(), "");
  });

  it("GIVEN changes WHEN diffed THEN each path is listed with its kind", async () => {
    const response = await diff(
      { scale: 2, old: 1, config: { env: { A: "1", "x.y": "1" } }, zone: "a" },
      { scale: 4, config: { env: { A: "2", "x.y": "2" }, extra: true }, zone: "b" },
    );
    const { UPDATE, UPDATE_REPLACE, ADD, DELETE } = rpc.PropertyDiff.Kind;
    const detailed = Object.fromEntries(
      response
        .getDetaileddiffMap()
        .toArray()
        .map(([path, entry]: [string, unknown]) => [path, entry]),
    );
    assert.deepEqual(Object.keys(detailed).sort(), [
      "config.env.A",
      'config.env["x.y"]',
      "config.extra",
      "old",
      "scale",
      "zone",
    ]);
    const kind = (path: string): number | undefined =>
      response.getDetaileddiffMap().get(path)?.getKind();
    assert.equal(kind("scale"), UPDATE);
    assert.equal(kind("old"), DELETE);
    assert.equal(kind("config.extra"), ADD);
    assert.equal(kind("zone"), UPDATE_REPLACE);
    assert.equal(response.getDetaileddiffMap().get("scale")?.getInputdiff(), true);
    assert.deepEqual(response.getReplacesList(), ["zone"]);
    assert.equal(response.getDeletebeforereplace(), true);
  });

  it("GIVEN only a changed secrecy WHEN diffed THEN nothing changed", async () => {
    const response = await diff({ key: "k" }, { key: secret("k") });
    assert.equal(response.getChanges(), rpc.DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("GIVEN a resource without update WHEN diffed THEN every change replaces", async () => {
    const response = await diff({ a: 1 }, { a: 2 }, "Fixed");
    assert.deepEqual(response.getReplacesList(), ["a"]);
  });

  it("GIVEN an unknown resource type WHEN diffed THEN the known ones are named", async () => {
    const error = await failure(diff({}, {}, "Nothing"));
    assert.match(
      error.details,
      /the pkg provider has no resource type pkg:index:Nothing; it has: pkg:index:Thing/,
    );
  });

  it("GIVEN a secret WHEN create fails THEN the message does not repeat it", async () => {
    const error = await failure(create({ do: "fail", key: secret("p&ss word/1") }));
    assert.equal(error.details, "cannot reach https://x/?k=[secret]");
  });

  it("GIVEN a half-made resource WHEN create fails THEN its state travels with the error", async () => {
    const error = await failure(create({ do: "half", key: secret("hunter2hunter2") }));
    assert.equal(error.details, "not ready, key [secret]");
    const [bytes] = error.metadata.get("grpc-status-details-bin");
    const status = Status.deserializeBinary(bytes as Buffer);
    const detail = status
      .getDetailsList()[0]
      ?.unpack(
        (data: Uint8Array) => rpc.ErrorResourceInitFailed.deserializeBinary(data),
        "pulumirpc.ErrorResourceInitFailed",
      );
    assert.equal(detail?.getId(), "7");
    assert.deepEqual(json(detail?.getProperties())["token"], secret("made-by-server"));
    assert.deepEqual(json(detail?.getInputs())["key"], secret("hunter2hunter2"));
    assert.deepEqual(detail?.getReasonsList(), ["not ready, key [secret]"]);
  });

  it("GIVEN a timeout WHEN it passes THEN the signal ends the operation, and its status is cleared", async () => {
    const request = createRequest({ do: "hang", key: secret("hunter2hunter2") }, false, 0.2);
    const error = await failure(call("create", request));
    assert.equal(error.details, "timed out after 0.2 seconds: stopped waiting for readiness");
    assert.deepEqual(
      logged.map(({ message, ephemeral, urn: shown }) => ({ message, ephemeral, shown })),
      [
        { message: "waiting with [secret]", ephemeral: true, shown: urn },
        { message: "", ephemeral: true, shown: urn },
      ],
    );
  });

  it("GIVEN a running operation WHEN cancelled THEN it ends", async () => {
    const running = failure(call("create", createRequest({ do: "hang" })));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await call("cancel", new Empty());
    assert.equal((await running).details, "cancelled: stopped waiting for readiness");
  });

  it("GIVEN a function WHEN invoked THEN it answers, and secret arguments stay secret", async () => {
    const response = await invoke("echo", { a: 1, key: secret("hunter2hunter2") });
    assert.deepEqual(json(response.getReturn()), {
      a: 1,
      key: secret("hunter2hunter2"),
      said: secret("say hunter2hunter2"),
      config: { url: "http://x" },
    });
    assert.deepEqual(response.getFailuresList(), []);
  });

  it("GIVEN wrong arguments WHEN a function is invoked THEN all its problems come as failures, without secrets", async () => {
    const response = await invoke("refuse", { a: 1, key: secret("hunter2hunter2") });
    assert.deepEqual(
      response.getFailuresList().map((f) => [f.getProperty(), f.getReason()]),
      [
        ["a", "is wrong with [secret]"],
        ["b.c", "is missing"],
      ],
    );
  });

  for (const [token, args, message] of [
    ["refuse", { key: secret("hunter2hunter2") }, /^no a, but \[secret\]$/],
    ["echo", { a: UNKNOWN_SENTINEL }, /pkg:index:echo was called with unknown arguments/],
    ["nothing", {}, /the pkg provider has no function pkg:index:nothing/],
  ] as const) {
    it(`GIVEN ${token} with ${Object.keys(args).join(", ") || "nothing"} WHEN it fails THEN the error says ${message.source}`, async () => {
      assert.match((await failure(invoke(token, args))).details, message);
    });
  }
});

describe("input diff", () => {
  for (const path of ["a", "a.b", "a[0].b", 'a["x.y"]', 'a["with \\"quote\\""].c']) {
    it(`GIVEN the path ${path} WHEN parsed and written THEN it is the same`, () => {
      assert.equal(formatPath(parsePath(path)), path);
    });
  }

  for (const [name, before, after, changes] of [
    ["an element", { a: [1, 2] }, { a: [1, 3] }, { "a[1]": "update" }],
    ["a new element", { a: [1] }, { a: [1, 2] }, { "a[1]": "update" }],
    ["an unknown", { a: 1 }, { a: UNKNOWN }, { a: "update" }],
    ["a path to replace", { r: { s: 1 } }, { r: { s: 2 } }, { "r.s": "replace" }],
    ["its unknown parent", { r: { s: 1 } }, { r: UNKNOWN }, { r: "replace" }],
    ["its vanished parent", { r: { s: 1 } }, {}, { r: "replace" }],
    ["a vanished parent without it", { r: { t: 1 } }, {}, { r: "update" }],
    ["any element", { l: [{ k: 1 }] }, { l: [{ k: 2 }] }, { "l[0].k": "replace" }],
    ["an ignored path", { i: { x: 1 } }, { i: { x: 2 } }, {}],
    ["nothing", { a: { b: [1] } }, { a: { b: [1] } }, {}],
  ] as const) {
    it(`GIVEN ${name} changed WHEN compared THEN the path says what it means`, () => {
      const options = { replace: ["r.s", "l[*].k"], ignore: ["i"] };
      assert.deepEqual(diffInputs(before, after, options).changes, changes);
    });
  }
});
