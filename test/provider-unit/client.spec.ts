import * as assert from "node:assert/strict";
import { Client } from "../../rancher/client/client";
import { type ApiError, CanceledError, ConnectionError } from "../../rancher/client/errors";
import { sshArgs } from "../../rancher/client/ssh";
import type { ApiResource } from "../../rancher/client/types";
import { type Seen, waitFor } from "../../rancher/client/wait";
import type { Fault, Request } from "./fakeRancher";
import { call, failure, first, withServer } from "./support";

describe("client", () => {
  const context = withServer();
  const stack = "/v2-beta/projects/1a1/stacks/1st1";

  const retries: { fault: Fault; method: "get" | "put" | "delete"; tries: number }[] = [
    { fault: "drop", method: "get", tries: 3 },
    { fault: "drop", method: "put", tries: 3 },
    { fault: "lose", method: "put", tries: 3 },
    { fault: { status: 409 }, method: "put", tries: 3 },
    { fault: { status: 429 }, method: "get", tries: 3 },
    { fault: { status: 502 }, method: "delete", tries: 3 },
    { fault: { status: 503 }, method: "get", tries: 3 },
  ];
  for (const { fault, method, tries } of retries) {
    const name = typeof fault === "object" ? String(fault.status) : String(fault);
    it(`GIVEN two answers of ${name} WHEN ${method} THEN it is sent again`, async () => {
      const { server, client } = context;
      server.add("stacks", { name: "a" });
      server.fault = first(2, fault, (r: Request) => r.method === method.toUpperCase());
      if (method === "put") await client.put(stack, { description: "b" });
      else await client[method](stack);
      const sent = server.requests.filter((r) => r.method === method.toUpperCase());
      assert.equal(sent.length, tries);
    });
  }

  for (const fault of ["drop", "lose", { status: 503 }, { status: 409 }] as Fault[]) {
    it(`GIVEN ${JSON.stringify(fault)} WHEN POST THEN it is sent once only`, async () => {
      const { server, client } = context;
      server.fault = first(1, fault, (r: Request) => r.method === "POST");
      await failure(client.post("/v2-beta/projects/1a1/stacks", { name: "a" }));
      assert.equal(server.writes.length, 1);
    });
  }

  for (const method of ["put", "delete"] as const) {
    it(`GIVEN an unknown id, answered with 500, WHEN ${method} THEN a GET says that it is gone`, async () => {
      const { server, client } = context;
      if (method === "delete") assert.equal(await client.delete(stack), undefined);
      else assert.equal(((await failure(client.put(stack, {}))) as ApiError).status, 404);
      assert.deepEqual(
        server.requests.map((r) => r.method),
        [method.toUpperCase(), "GET"],
      );
    });
  }

  it("GIVEN an existing thing and passing 500s WHEN PUT THEN it is sent again", async () => {
    const { server, client } = context;
    server.add("stacks", { name: "a" });
    server.fault = first(2, { status: 500 }, (r: Request) => r.method === "PUT");
    await client.put(stack, { description: "b" });
    assert.equal(server.docs.get("1st1")?.["description"], "b");
  });

  for (const [status, code] of [
    [404, "Not Found"],
    [403, "Forbidden"],
  ] as const) {
    it(`GIVEN ${status} WHEN looked for THEN it is gone`, async () => {
      const { server, client } = context;
      server.fault = () => ({ status, body: { type: "error", status, code } });
      assert.equal(await client.find(stack), undefined);
    });
  }

  it("GIVEN a refusal THEN the error has status, code and field", async () => {
    const { server, client } = context;
    const body = {
      type: "error",
      status: 422,
      code: "MinLimitExceeded",
      fieldName: "scale",
      message: null,
    };
    server.fault = () => ({ status: 422, body });
    const error = (await failure(client.post(stack, {}))) as ApiError;
    assert.deepEqual(
      [error.status, error.code, error.fieldName],
      [422, "MinLimitExceeded", "scale"],
    );
    assert.match(error.message, /POST .*1st1: the server answered 422 MinLimitExceeded \(scale\)/);
  });

  it("GIVEN a page of HTML THEN the error is still one of status", async () => {
    const { server, client } = context;
    server.fault = () => ({ status: 404, body: undefined });
    assert.equal(((await failure(client.get("/v3"))) as ApiError).status, 404);
  });

  it("GIVEN secrets in an answer THEN no error repeats them", async () => {
    const { server, client } = context;
    client.hide("hunter2xx");
    const message = "bad hunter2xx and SHA256:ede66b431a68bd709c8a:e2d4ad39be189d4a";
    server.fault = () => ({ status: 422, body: { code: "X", message } });
    const error = await failure(client.post(stack, {}));
    assert.match(error.message, /bad \[secret\] and \[secret\]$/);
  });

  it("GIVEN more than one page THEN all are read, by the path that was asked", async () => {
    const { server, client } = context;
    const page = (id: string, next: string | null): Fault => ({
      status: 200,
      body: { data: [{ id }], pagination: { next } },
    });
    server.fault = ({ query }) =>
      query["marker"] === undefined
        ? page("1st1", "http://elsewhere.test/v2-beta/projects/1a1/stacks?limit=100&marker=m100")
        : page("1st2", null);
    const found = await client.list<ApiResource>("/v2-beta/projects/1a1/stacks");
    assert.deepEqual(
      found.map((s) => s.id),
      ["1st1", "1st2"],
    );
  });

  it("sends no browser's user agent", async () => {
    const { server, client } = context;
    await client.get("/v2-beta/projects");
    assert.doesNotMatch(String(server.requests[0]?.headers["user-agent"]), /mozilla/i);
  });

  it("GIVEN nobody listens THEN it gives up after its time with the reason", async () => {
    const { server, client } = context;
    server.stop();
    const error = await failure(client.get("/v2-beta/projects", { retryMs: 500 }));
    assert.ok(error instanceof ConnectionError);
    assert.match(error.message, /ECONNREFUSED/);
  });

  it("GIVEN a cancellation within retries THEN it ends at once", async () => {
    const { server, client } = context;
    server.fault = () => ({ status: 503 });
    const { signal, controller } = call();
    const started = Date.now();
    setTimeout(() => controller.abort(), 300);
    assert.ok((await failure(client.get(stack, { signal }))) instanceof CanceledError);
    assert.ok(Date.now() - started < 1_000);
  });

  describe("act", () => {
    const done = (s: ApiResource): boolean => s.state !== "active";
    const host = "/v2-beta/projects/1a1/hosts/1h1";

    it("GIVEN a lost answer THEN the thing decides, and it is not sent twice", async () => {
      const { server, client } = context;
      server.add("hosts", {});
      server.fault = first(1, "lose", (r: Request) => r.method === "POST");
      await client.act(host, "deactivate", undefined, done);
      assert.equal(server.writes.length, 1);
    });

    it("GIVEN a dropped request THEN it is sent again", async () => {
      const { server, client } = context;
      server.add("hosts", {});
      server.fault = first(1, "drop", (r: Request) => r.method === "POST");
      await client.act(host, "deactivate", undefined, done);
      assert.equal(server.writes.length, 2);
    });

    it("GIVEN a refusal THEN it is thrown", async () => {
      const { server, client } = context;
      server.add("hosts", {});
      server.fault = first(
        1,
        { status: 422, body: { code: "InvalidAction" } },
        (r: Request) => r.method === "POST",
      );
      assert.match(
        (await failure(client.act(host, "bogus", undefined, done))).message,
        /InvalidAction/,
      );
    });
  });

  describe("environment", () => {
    it("is the given one, else the provider's, else the default one", async () => {
      const { client, url } = context;
      assert.equal(await client.environment("1a7"), "1a7");
      assert.equal(await client.environment(undefined), "1a1");
      const other = Client.create({ url, environmentId: "1a9" });
      assert.equal(await other.environment(undefined), "1a9");
      other.close();
    });
  });

  describe("wait", () => {
    it("GIVEN a deadline THEN the error has what, state reached, server's message and advice", async () => {
      const { client } = context;
      const error = await failure(
        waitFor(client, call(), {
          what: "the sun",
          until: Date.now() + 400,
          advice: "look east",
          look: () => Promise.resolve({ waiting: "it is dark (clouds)" }),
        }),
      );
      assert.match(
        error.message,
        /gave up after \d s while waiting for the sun: it is dark \(clouds\); look east/,
      );
    });

    it("GIVEN trouble that comes and goes THEN the error tells it, not only the last look", async () => {
      const looks: Seen<undefined>[] = [
        { waiting: "it tries", trouble: "no such image: a" },
        { waiting: "it tries", trouble: "no such image: b" },
      ];
      const error = await failure(
        waitFor<undefined>(context.client, call(), {
          what: "the sun",
          until: Date.now() + 900,
          advice: "look east",
          look: () => Promise.resolve(looks.shift() ?? { waiting: "it tries again" }),
        }),
      );
      assert.match(
        error.message,
        /for the sun: it tries again; it said before: no such image: b; look east$/,
      );
    });

    it("GIVEN a server that is away for a moment THEN it goes on", async () => {
      const { server, client } = context;
      server.fault = first(3, "drop", () => true);
      const { lines, ...waiter } = call();
      await waitFor(client, waiter, {
        what: "it",
        until: Date.now() + 5_000,
        advice: "",
        look: async (options) => ({ done: await client.get("/v2-beta/projects", options) }),
      });
      assert.match(String(lines[0]), /waiting for it: GET/);
    });

    it("GIVEN a cancellation THEN it ends at once and says how far it got", async () => {
      const { client } = context;
      const waiter = call();
      setTimeout(() => waiter.controller.abort(), 100);
      const look = (): Promise<{ waiting: string }> => Promise.resolve({ waiting: "slowly" });
      const until = Date.now() + 60_000;
      const error = await failure(waitFor(client, waiter, { what: "it", until, advice: "", look }));
      assert.match(error.message, /canceled while waiting for it: slowly/);
    });
  });

  it("reaches a server through ssh with the host's key pinned and no files", () => {
    const args = sshArgs(
      {
        host: "203.0.113.7",
        user: "rancher",
        hostKey: "ssh-ed25519 AAAA= me@x",
        hostKeyAlias: "server",
      },
      "127.0.0.1:8080",
    );
    assert.ok(args.includes("KnownHostsCommand=/bin/echo server ssh-ed25519 AAAA="));
    assert.ok(args.includes("StrictHostKeyChecking=yes"));
    assert.deepEqual(args.slice(-4), ["-W", "127.0.0.1:8080", "--", "203.0.113.7"]);
    assert.ok(!args.some((arg) => arg.startsWith("ProxyCommand")));
  });

  it("GIVEN a proxy command THEN ssh goes through it, and pins the key as before", () => {
    const endpoint = { host: "h", user: "u", hostKey: "ssh-ed25519 AAAA=", hostKeyAlias: "server" };
    const straight = sshArgs(endpoint, "127.0.0.1:8080");
    const proxyCommand = "nc -x 'a b' %h %p";
    const args = sshArgs({ ...endpoint, proxyCommand }, "127.0.0.1:8080");
    const at = args.indexOf(`ProxyCommand=${proxyCommand}`);
    assert.equal(args[at - 1], "-o");
    assert.deepEqual(args.toSpliced(at - 1, 2), straight);
  });
});
