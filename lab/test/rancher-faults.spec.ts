import * as assert from "node:assert/strict";
import { project, Rig, withRig, type Json } from "./rancherRig";

const stacks = `${project}/stacks`;
const onStacks = /\/stacks$/;

/** How many stacks of this name there are. */
async function count(rig: Rig, name: string): Promise<number> {
  return ((await rig.get(`${stacks}?name=${name}`)).data as Json[]).length;
}

/** What a fetch fails with: the code of the connection's error. */
async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (e) {
    const { cause } = e as { cause?: { code?: string } };
    return cause?.code ?? (e as Error).name;
  }
  return "none";
}

/** One request, without the rig's second try. */
const once = (rig: Rig, method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(rig.server.url + path, {
    method,
    headers: { "Content-Type": "application/json", Connection: "close" },
    ...init,
  });

const post = (rig: Rig, name: string, init: RequestInit = {}): Promise<Response> =>
  once(rig, "POST", stacks, { body: JSON.stringify({ name }), ...init });

describe("faults of the lab's Rancher server", function () {
  this.timeout(60_000);

  it(
    "GIVEN no rule THEN requests are remembered with method, path, query and time",
    withRig(0, async (rig) => {
      const before = Date.now();
      await rig.get(`${stacks}?name=a&limit=3`);
      const last = rig.server.app.requests.at(-1);
      assert.deepEqual([last?.method, last?.path, last?.query], ["GET", stacks, "name=a&limit=3"]);
      assert.ok((last?.at ?? 0) >= before);
    }),
  );

  it(
    "GIVEN slow THEN the work is done and the answer comes late, as often as was said",
    withRig(0, async (rig) => {
      rig.server.app.faults.add({
        method: "post",
        path: onStacks,
        times: 1,
        do: { kind: "slow", ms: 200 },
      });
      const start = Date.now();
      const answer = post(rig, "a");
      await new Promise((r) => setTimeout(r, 100));
      assert.equal(await count(rig, "a"), 1);
      assert.equal((await answer).status, 201);
      assert.ok(Date.now() - start >= 195);
      assert.equal((await post(rig, "b")).status, 201);
      assert.ok(Date.now() - start < 400);
    }),
  );

  it(
    "GIVEN hang THEN the work is done and no answer comes",
    withRig(0, async (rig) => {
      rig.server.app.faults.add({ method: "POST", path: onStacks, do: { kind: "hang" } });
      assert.equal(
        await failure(post(rig, "a", { signal: AbortSignal.timeout(150) })),
        "TimeoutError",
      );
      assert.equal(await count(rig, "a"), 1);
    }),
  );

  it(
    "GIVEN status THEN nothing is done and this is the answer, in Rancher's shape unless a body is given",
    withRig(0, async (rig) => {
      const { faults } = rig.server.app;
      const remove = faults.add({ path: onStacks, do: { kind: "status", status: 503 } });
      const answer = await post(rig, "a");
      const body = (await answer.json()) as Json;
      assert.deepEqual(
        [answer.status, body.type, body.status, body.code],
        [503, "error", 503, "Service Unavailable"],
      );
      remove();
      assert.equal(await count(rig, "a"), 0);
      faults.add({ path: onStacks, do: { kind: "status", status: 200, body: { data: [] } } });
      assert.deepEqual(await rig.get(stacks), { data: [] });
      faults.clear();
      assert.notDeepEqual(await rig.get(stacks), { data: [] });
    }),
  );

  it(
    "GIVEN drop THEN the connection breaks and nothing was done; GIVEN lose THEN it was",
    withRig(0, async (rig) => {
      const { faults } = rig.server.app;
      faults.add({ method: "POST", path: onStacks, times: 1, do: { kind: "drop" } });
      faults.add({ method: "POST", path: onStacks, times: 1, do: { kind: "lose" } });
      for (const name of ["dropped", "lost"]) {
        const error = await failure(post(rig, name));
        assert.ok(["UND_ERR_SOCKET", "ECONNRESET"].includes(error), error);
      }
      assert.deepEqual([await count(rig, "dropped"), await count(rig, "lost")], [0, 1]);
      assert.equal((await post(rig, "third")).status, 201);
    }),
  );

  it(
    "GIVEN a rule for one action THEN others pass",
    withRig(0, async (rig) => {
      const { id } = await rig.post(stacks, { name: "a" });
      await rig.active(`${stacks}/${String(id)}`);
      rig.server.app.faults.add({
        path: /\/stacks\/1st\d+\/?$/,
        action: "deactivateServices",
        do: { kind: "status", status: 500 },
      });
      const act = (name: string) =>
        rig.call("POST", `${stacks}/${String(id)}/?action=${name}`, {}).then((a) => a.status);
      assert.deepEqual(
        [await act("deactivateservices"), await act("activateservices")],
        [500, 200],
      );
    }),
  );

  it(
    "GIVEN restart THEN the work is done, connections are refused for a while, agents come back and nothing is lost",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      const service = await rig.service(stackId, "web");
      await rig.active(service);
      const agent = rig.agents[0];
      const before = agent?.find("wp-web-1")?.since;
      rig.server.app.faults.add({
        method: "POST",
        path: onStacks,
        times: 1,
        do: { kind: "restart", downMs: 400 },
      });
      const start = Date.now();
      const error = await failure(post(rig, "a"));
      assert.ok(["UND_ERR_SOCKET", "ECONNRESET"].includes(error), error);
      assert.equal(await failure(once(rig, "GET", "/ping")), "ECONNREFUSED");
      while ((await failure(once(rig, "GET", "/ping"))) !== "none")
        await new Promise((r) => setTimeout(r, 20));
      assert.ok(Date.now() - start >= 395);
      assert.equal(await count(rig, "a"), 1);
      const host = `${project}/hosts/${agent?.hostId ?? ""}`;
      const { states } = await rig.until(
        host,
        () => rig.server.app.agents.isConnected(Number(agent?.hostId?.slice(2))),
        "connected",
      );
      assert.deepEqual(states, ["active"]);
      await rig.active(service);
      assert.equal(agent?.find("wp-web-1")?.since, before);
      await rig.call("PUT", service, { scale: 2 });
      await rig.until(service, (b) => b.state === "active" && b.currentScale === 2);
    }),
  );

  it("GIVEN restart WHEN the server is closed while it is down THEN it stays closed", async () => {
    const rig = await new Rig().start();
    await rig.server.app.restart(50);
    await rig.stop();
    await new Promise((r) => setTimeout(r, 120));
    assert.equal(await failure(once(rig, "GET", "/ping")), "ECONNREFUSED");
  });

  it(
    "GIVEN stuck THEN a resource stays where it is until the rule is gone, others go on",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      const remove = rig.server.app.faults.add({
        do: { kind: "stuck", resource: /^service:slow$/ },
      });
      const slow = await rig.service(stackId, "slow");
      const quick = await rig.service(stackId, "quick");
      await rig.active(quick);
      const body = await rig.get(slow);
      assert.deepEqual([body.state, body.transitioning], ["registering", "yes"]);
      remove();
      await rig.active(slow);
    }),
  );

  it(
    "GIVEN stuck in one state only THEN it gets there",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      rig.server.app.faults.add({
        do: { kind: "stuck", resource: /^service:/, states: ["removing"] },
      });
      const service = await rig.service(stackId, "web");
      await rig.active(service);
      await rig.call("DELETE", service);
      await new Promise((r) => setTimeout(r, 200));
      assert.equal((await rig.get(service)).state, "removing");
      rig.server.app.faults.clear();
      await rig.until(service, (b) => b.state === "removed");
    }),
  );

  it(
    "GIVEN error THEN a service shows it, tries again for ever, and goes on when the rule is gone",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      const remove = rig.server.app.faults.add({
        do: { kind: "error", resource: /:web$/, states: ["activating"], message: "no luck" },
      });
      const service = await rig.service(stackId, "web");
      const seen: string[] = [];
      await rig.until(
        service,
        (b) => {
          const look = `${String(b.state)}/${String(b.transitioning)}`;
          if (look === "activating/error") assert.equal(b.transitioningMessage, "no luck");
          if (seen.at(-1) !== look) seen.push(look);
          return seen.filter((s) => s === "activating/error").length === 2;
        },
        "a second failure",
      );
      remove();
      const body = await rig.active(service);
      assert.deepEqual([body.transitioning, body.transitioningMessage], ["no", null]);
    }),
  );

  it(
    "GIVEN error once THEN the next try succeeds",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      rig.server.app.faults.add({
        times: 1,
        do: { kind: "error", resource: /^service:web$/, message: "no luck" },
      });
      const service = await rig.service(stackId, "web");
      await rig.until(service, (b) => b.transitioning === "error", "the failure");
      await rig.active(service);
    }),
  );

  it(
    "GIVEN error on a stack THEN it ends in state error, and can be removed",
    withRig(0, async (rig) => {
      rig.server.app.faults.add({
        do: { kind: "error", resource: /^stack:bad$/, message: "compose went wrong" },
      });
      const { id } = await rig.post(stacks, { name: "bad" });
      const path = `${stacks}/${String(id)}`;
      const { body } = await rig.until(path, (b) => b.state === "error");
      assert.deepEqual(
        [body.transitioning, body.transitioningMessage],
        ["error", "compose went wrong"],
      );
      await rig.call("DELETE", path);
      await rig.until(path, (b) => b.state === "removed");
    }),
  );

  it(
    "GIVEN error on a container once THEN its service replaces it",
    withRig(1, async (rig) => {
      const stackId = await rig.stack();
      rig.server.app.faults.add({
        times: 1,
        do: { kind: "error", resource: /^container:wp-web-1$/, message: "disk full" },
      });
      const service = await rig.service(stackId, "web");
      const { body } = await rig.until(service, (b) => b.transitioning === "error");
      assert.match(String(body.transitioningMessage), /in state \[error\]: disk full$/);
      await rig.active(service);
    }),
  );
});
