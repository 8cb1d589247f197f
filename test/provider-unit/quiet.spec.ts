/**
 * A system at rest is left at rest: after everything has been made, changed, read and compared nothing more
 * is sent. And how the client behaves towards the server: few connections, bounded concurrency, retries of
 * what may be repeated and of nothing else, growing pauses, and an end at once when it is cancelled.
 */
import * as assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestEffect } from "../../lab/rancher/server/faults";
import { Client } from "../../rancher/client/client";
import { type ApiError, CanceledError } from "../../rancher/client/errors";
import { waitFor } from "../../rancher/client/wait";
import type { Props } from "../../rancher/plugin/types";
import { pairs } from "../provider/matrix/certificates";
import { eventually } from "../provider/rancher";
import { Lab, line, open, PROJECT, Proxy, Seam, writes } from "./labServer";
import { call, failure } from "./support";
import { resources } from "./walkSchema";

/** How long silence is listened to. Milliseconds. */
const SILENCE_MS = 3_500;
/** Connections and requests under way at once, at most. The transport's own bound. */
const AT_ONCE = 4;
const NGINX = "docker:nginx:1.27";

describe("a system at rest", () => {
  let lab: Lab;
  let seam: Seam;

  before(async function () {
    this.timeout(60_000);
    lab = await Lab.start();
    await lab.addHosts("m1", "m2");
    const access = await Seam.start({ url: lab.url });
    await access.up("AccessControl", "access", { password: "correct horse battery" });
    const kept = access.the("access");
    access.stop();
    const { accessKey, secretKey } = open(kept.outputs) as Record<string, string>;
    const pair = Buffer.from(`${accessKey}:${secretKey}`).toString("base64");
    lab.authorization = `Basic ${pair}`;
    seam = await Seam.start({ url: lab.url, accessKey, secretKey });
    seam.kept.set("access", kept);
  });
  after(async () => {
    seam.stop();
    await lab.close();
  });

  const id = (name: string): string => seam.the(name).id;
  /** One of everything, in the order in which things need each other. Made anew with each call. */
  const program: readonly [type: string, name: string, inputs: () => Props][] = [
    ["Environment", "environment", () => ({ name: "staging" })],
    ["ApiKey", "key", () => ({ name: "ci", environmentId: "1a5" })],
    ["Setting", "setting", () => ({ name: "telemetry.opt", value: "in" })],
    ["Certificate", "certificate", () => ({ name: "site", ...pairs[0] })],
    ["RegistrationToken", "token", () => ({ name: "machines" })],
    ["Host", "host", () => ({ matchLabels: { machine: "m1" }, labels: { tier: "web" } })],
    ["Stack", "stack", () => ({ name: "site" })],
    [
      "Stack",
      "composed",
      () => ({ name: "composed", dockerCompose: "web:\n  image: nginx:1.27\n" }),
    ],
    [
      "Service",
      "web",
      () => ({
        stackId: id("stack"),
        name: "web",
        scale: 2,
        launchConfig: { imageUuid: NGINX, healthCheck: { port: 80 } },
        secondaryLaunchConfigs: [{ name: "side", imageUuid: NGINX }],
        upgradeStrategy: { intervalMillis: 100 },
      }),
    ],
    [
      "LoadBalancer",
      "lb",
      () => ({
        stackId: id("stack"),
        name: "lb",
        launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14", ports: ["80:80"] },
        lbConfig: {
          portRules: [{ sourcePort: 80, serviceId: id("web"), targetPort: 80 }],
          defaultCertificateId: id("certificate"),
        },
      }),
    ],
  ];

  /** Nothing is sent, not even a look, from soon after now on. */
  async function assertQuiet(): Promise<void> {
    // The last answer may be on its way.
    await sleep(50);
    const sent = await lab.during(() => sleep(SILENCE_MS));
    assert.deepEqual(sent.map(line), []);
  }

  /** `pulumi refresh` and `pulumi preview` of everything. */
  async function assertNothingToDo(): Promise<void> {
    for (const [type, name, inputs] of program) {
      const kept = seam.the(name);
      const seen = await seam.read(kept);
      assert.deepEqual(open(seen?.inputs ?? {}), open(kept.inputs), name);
      const checked = await seam.check(type, name, inputs(), kept.inputs);
      assert.deepEqual((await seam.diff(kept, checked)).changes, {}, name);
    }
  }

  it("GIVEN one of everything WHEN made THEN it is quiet afterwards", async function () {
    this.timeout(60_000);
    for (const [type, name, inputs] of program) await seam.up(type, name, inputs());
    await assertQuiet();
  });

  it("covers every resource", () => {
    const types = new Set(["AccessControl", ...program.map(([type]) => type)]);
    const known = Object.keys(resources);
    assert.deepEqual([...types].sort(), known.sort());
  });

  it("GIVEN nothing changed WHEN read and compared twice THEN nothing is written", async function () {
    this.timeout(60_000);
    const sent = await lab.during(async () => {
      await assertNothingToDo();
      await assertNothingToDo();
    });
    assert.deepEqual(writes(sent), []);
    assert.ok(sent.length > 0);
    await assertQuiet();
  });

  it("GIVEN nothing changed WHEN the program runs again THEN nothing at all is sent", async () => {
    const sent = await lab.during(async () => {
      for (const [type, name, inputs] of program) {
        assert.equal(await seam.up(type, name, inputs()), "same", name);
      }
    });
    assert.deepEqual(sent.map(line), []);
  });

  it("GIVEN updates and an upgrade WHEN done THEN it is quiet, and nothing is left to do", async function () {
    this.timeout(60_000);
    const changes: Readonly<Record<string, Props>> = {
      environment: { description: "changed" },
      setting: { value: "out" },
      certificate: { description: "changed" },
      host: { labels: { tier: "db" } },
      composed: { dockerCompose: "web:\n  image: nginx:1.28\n" },
      web: { scale: 3, launchConfig: { imageUuid: "docker:nginx:1.28" } },
      lb: { description: "changed" },
    };
    for (const [type, name, inputs] of program) {
      const change = changes[name];
      if (change === undefined) continue;
      assert.equal(await seam.up(type, name, { ...inputs(), ...change }), "update", name);
    }
    await assertQuiet();
    for (const name of Object.keys(changes)) {
      const kept = seam.the(name);
      const sent = await lab.during(async () => {
        const seen = await seam.read(kept);
        assert.deepEqual(open(seen?.inputs ?? {}), open(kept.inputs), name);
      });
      assert.deepEqual(writes(sent), [], name);
    }
  });

  it("GIVEN everything is removed THEN it is quiet afterwards", async function () {
    this.timeout(60_000);
    for (const [, name] of [...program].reverse()) await seam.down(name);
    await assertQuiet();
  });
});

describe("the client's manners", () => {
  let lab: Lab;
  let client: Client;
  const stacks = `${PROJECT}/stacks`;
  let stack: string;

  beforeEach(async () => {
    lab = await Lab.start();
    client = Client.create({ url: lab.url });
    stack = `${stacks}/${(await lab.make("stacks", { name: "one" })).id}`;
  });
  afterEach(async () => {
    client.close();
    await lab.close();
  });

  it("GIVEN many requests THEN few connections carry them, and few are under way", async () => {
    const proxy = await Proxy.start(lab.url);
    const through = Client.create({ url: proxy.url });
    try {
      await Promise.all(Array.from({ length: 60 }, () => through.get(stack)));
      for (let n = 0; n < 20; n++) await through.get(stack);
      assert.equal(proxy.headers.length, 80);
      assert.ok(proxy.connections <= AT_ONCE, `${proxy.connections} connections`);
      assert.ok(proxy.atOnce <= AT_ONCE, `${proxy.atOnce} at once`);
      assert.ok(proxy.atOnce > 1, "they do not wait for each other needlessly");
    } finally {
      through.close();
      proxy.close();
    }
  });

  const passing: Readonly<Record<string, RequestEffect>> = {
    ...Object.fromEntries(
      [409, 429, 500, 502, 503, 504].map((status): [string, RequestEffect] => [
        String(status),
        { kind: "status", status },
      ]),
    ),
    "a dropped connection": { kind: "drop" },
    "a lost answer": { kind: "lose" },
  };
  for (const [what, effect] of Object.entries(passing)) {
    it(`GIVEN ${what} once THEN GET, PUT and DELETE are sent again, POST is not`, async () => {
      const path = new RegExp(`^${stacks}`);
      const hit = (method: string): (() => void) =>
        lab.faults.add({ method, path, times: 1, do: effect });
      const count = async (method: string, run: () => Promise<unknown>): Promise<number> => {
        const remove = hit(method);
        const sent = await lab.during(run);
        remove();
        return sent.filter((request) => request.method === method).length;
      };
      assert.equal(await count("GET", () => client.get(stack)), 2);
      assert.equal(await count("PUT", () => client.put(stack, { description: "x" })), 2);
      assert.equal((await lab.get(stack)).body["description"], "x");
      const post = (): Promise<Error> => failure(client.post(stacks, { name: "two" }));
      assert.equal(await count("POST", post), 1);
      assert.equal(await count("DELETE", () => client.delete(stack)), 2);
      assert.match(String((await lab.settled(stack, "removed"))["removed"]), /Z$/);
    });
  }

  for (const status of [400, 401, 403, 404, 405, 422]) {
    it(`GIVEN ${status} THEN nothing is sent again`, async () => {
      lab.faults.add({ path: new RegExp(`^${stacks}`), do: { kind: "status", status } });
      for (const method of ["get", "put", "post"] as const) {
        const sent = await lab.during(async () => {
          const error = await failure(client[method](stack, {}));
          assert.equal((error as ApiError).status, status);
        });
        assert.equal(sent.length, 1, method);
      }
    });
  }

  it("GIVEN 500 for an unknown id THEN a GET decides, at once", async () => {
    const unknown = `${stacks}/1st99999`;
    const put = await lab.during(async () => {
      const error = await failure(client.put(unknown, { description: "x" }));
      assert.equal((error as ApiError).status, 404);
    });
    assert.deepEqual(put.map(line), [`PUT ${unknown}`, `GET ${unknown}`]);
    const removal = await lab.during(() => client.delete(unknown));
    assert.deepEqual(removal.map(line), [`DELETE ${unknown}`, `GET ${unknown}`]);
  });

  it("GIVEN 500s without end THEN it gives up after a few, with the server's word", async () => {
    lab.faults.add({ method: "GET", path: /stacks/, do: { kind: "status", status: 500 } });
    const sent = await lab.during(async () => {
      const error = await failure(client.get(stack));
      assert.equal((error as ApiError).status, 500);
    });
    assert.ok(sent.length <= 6, `${sent.length} tries`);
  });

  it("GIVEN a busy server THEN the pauses between tries grow", async () => {
    lab.faults.add({
      method: "GET",
      path: /stacks/,
      times: 5,
      do: { kind: "status", status: 503 },
    });
    const sent = await lab.during(() => client.get(stack));
    assertGrowing(sent.map(({ at }) => at));
  });

  it("GIVEN something that takes long THEN the pauses between looks grow", async () => {
    const times: number[] = [];
    await waitFor(client, call(), {
      what: "it",
      until: Date.now() + 20_000,
      advice: "",
      look: () => {
        times.push(Date.now());
        return Promise.resolve(times.length < 8 ? { waiting: "not yet" } : { done: undefined });
      },
    });
    assertGrowing(times);
  });

  describe("cancelled", () => {
    /** Fails unless the promise is rejected within moments of the cancellation. */
    async function assertStops(run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
      const controller = new AbortController();
      const running = failure(run(controller.signal));
      await sleep(300);
      const cancelled = Date.now();
      controller.abort();
      const error = await running;
      const took = Date.now() - cancelled;
      assert.ok(took < 200, `it took ${took} ms`);
      assert.ok(error instanceof CanceledError, error.message);
    }

    it("GIVEN a request that is not answered THEN it ends at once", async () => {
      lab.faults.add({ method: "GET", path: /stacks/, do: { kind: "hang" } });
      await assertStops((signal) => client.get(stack, { signal }));
    });

    it("GIVEN a request that waits for its turn THEN it ends at once", async () => {
      lab.faults.add({ method: "GET", path: /stacks/, do: { kind: "hang" } });
      const others = new AbortController();
      const busy = Array.from({ length: AT_ONCE }, () =>
        failure(client.get(stack, { signal: others.signal })),
      );
      await sleep(100);
      await assertStops((signal) => client.get("/v2-beta/projects", { signal }));
      others.abort();
      await Promise.all(busy);
      // Its place was not taken from the others.
      await client.get("/v2-beta/projects");
    });

    it("GIVEN a pause between two tries THEN it ends at once", async () => {
      lab.faults.add({ method: "GET", path: /stacks/, do: { kind: "status", status: 503 } });
      await assertStops((signal) => client.get(stack, { signal }));
    });

    it("GIVEN an operation in the middle of a wait THEN the engine is answered at once", async () => {
      lab.faults.add({ do: { kind: "stuck", resource: /^stack:slow$/ } });
      const seam = await Seam.start({ url: lab.url });
      try {
        const running = failure(seam.up("Stack", "slow", { name: "slow" }));
        await eventually("it is being made", 5, async () => {
          return (await lab.get(`${stacks}?name=slow`)).body.data.length > 0;
        });
        await sleep(400);
        const sent = await lab.during(async () => {
          const cancelled = Date.now();
          await seam.cancel();
          assert.match((await running).message, /cancel.*while waiting for stack slow/);
          assert.ok(Date.now() - cancelled < 1_000);
          await sleep(1_500);
        });
        assert.ok(sent.length <= 1, "it looks no more");
        // What it had made is known.
        assert.match(seam.the("slow").id, /^1st/);
      } finally {
        seam.stop();
      }
    });

    it("GIVEN an operation in the middle of a request THEN the engine is answered at once", async () => {
      lab.faults.add({ method: "POST", path: /stacks$/, do: { kind: "hang" } });
      const seam = await Seam.start({ url: lab.url });
      try {
        const sent = lab.since();
        const running = failure(seam.up("Stack", "lost", { name: "lost" }));
        await eventually("the request is under way", 5, () =>
          sent().some(({ method }) => method === "POST"),
        );
        const cancelled = Date.now();
        await seam.cancel();
        assert.match((await running).message, /cancel/);
        assert.ok(Date.now() - cancelled < 1_000);
        // Whether it was made is found out by the next run.
        lab.faults.clear();
        await seam.restart();
        await seam.up("Stack", "lost", { name: "lost" });
        assert.equal((await lab.get(`${stacks}?name=lost`)).body.data.length, 1);
      } finally {
        seam.stop();
      }
    });
  });
});

/** Each gap is longer than the one before, but for a little chance and a busy machine. */
function assertGrowing(times: readonly number[]): void {
  const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
  const [first = 0] = gaps;
  const last = gaps.at(-1) ?? 0;
  assert.ok(last > first * 2, `pauses of ${gaps.join(", ")} ms`);
  for (const [n, gap] of gaps.slice(1).entries()) {
    assert.ok(gap > (gaps[n] ?? 0) * 0.9, `pauses of ${gaps.join(", ")} ms`);
  }
}
