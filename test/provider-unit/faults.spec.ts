/**
 * The provider against a server and a network that do wrong: every resource is made, changed and removed
 * while each kind of fault is in force, and in the end is on the server as declared, once, or not at all.
 */
import * as assert from "node:assert/strict";
import type { RequestEffect } from "../../lab/rancher/server/faults";
import type { Props } from "../../rancher/plugin/types";
import { pairs } from "../provider/matrix/certificates";
import { eventually } from "../provider/rancher";
import { Lab, open, PROJECT, Seam, writes } from "./labServer";
import { failure } from "./support";

const NGINX = "docker:nginx:1.27";
const NEWER = "docker:nginx:1.28";

/** What is made, changed and removed. */
interface Thing {
  readonly type: string;
  /** Path below the environment, or from the root. */
  readonly collection: string;
  inputs(ids: { readonly stackId: string; readonly serviceId: string }): Props;
  /** Changes in place. */
  readonly change: Props;
  /** How it is called in the engine's faults. @default it goes through no states */
  readonly engineName?: RegExp;
  /** What the error says when it is stuck and when it fails. @default the state, and the server's message */
  readonly says?: RegExp;
  /** It is made anew when the answer to the POST gets lost, after the lost one is removed. @default false */
  readonly toldOnce?: boolean;
}

const things: Readonly<Record<string, Thing>> = {
  "a stack": {
    type: "Stack",
    collection: `${PROJECT}/stacks`,
    inputs: () => ({ name: "thing" }),
    change: { description: "changed" },
    engineName: /^stack:thing$/,
  },
  "a registration token": {
    type: "RegistrationToken",
    collection: `${PROJECT}/registrationtokens`,
    inputs: () => ({ name: "thing" }),
    change: { description: "changed" },
    engineName: /^registrationToken:thing$/,
  },
  "a setting": {
    type: "Setting",
    collection: "/v2-beta/settings",
    inputs: () => ({ name: "thing", value: "one" }),
    change: { value: "two" },
  },
  "a certificate": {
    type: "Certificate",
    collection: `${PROJECT}/certificates`,
    inputs: () => ({ name: "thing", ...pairs[0] }),
    change: { ...pairs[1] },
    engineName: /^certificate:thing$/,
  },
  "an environment": {
    type: "Environment",
    collection: "/v2-beta/projects",
    inputs: () => ({ name: "thing" }),
    change: { description: "changed" },
    engineName: /^project:thing$/,
  },
  "an API key": {
    type: "ApiKey",
    collection: "/v2-beta/apikeys",
    inputs: () => ({ name: "thing" }),
    change: { description: "changed" },
    engineName: /^apiKey:thing$/,
    says: /gave up after .* while waiting for the new API key 1c\d+ to work/,
    // The answer holds the secret.
    toldOnce: true,
  },
  "a stack made from compose": {
    type: "Stack",
    collection: `${PROJECT}/stacks`,
    inputs: () => ({ name: "thing", dockerCompose: "web:\n  image: nginx:1.27\n" }),
    change: { dockerCompose: "web:\n  image: nginx:1.28\n" },
    engineName: /^stack:thing$/,
  },
  "a service that is scaled": {
    type: "Service",
    collection: `${PROJECT}/services`,
    inputs: ({ stackId }) => ({ stackId, name: "thing", launchConfig: { imageUuid: NGINX } }),
    change: { scale: 2 },
    engineName: /^service:thing$/,
  },
  "a service that is upgraded": {
    type: "Service",
    collection: `${PROJECT}/services`,
    inputs: ({ stackId }) => ({ stackId, name: "thing", launchConfig: { imageUuid: NGINX } }),
    change: { launchConfig: { imageUuid: NEWER } },
    engineName: /^service:thing$/,
  },
  "a load balancer": {
    type: "LoadBalancer",
    collection: `${PROJECT}/loadbalancerservices`,
    inputs: ({ stackId, serviceId }) => ({
      stackId,
      name: "thing",
      launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14" },
      lbConfig: { portRules: [{ sourcePort: 80, serviceId, targetPort: 80 }] },
    }),
    change: { description: "changed" },
    engineName: /^loadBalancerService:thing$/,
  },
};

/** A fault of requests, and how many runs of the program it may cost. */
interface Fault {
  readonly effect: RequestEffect;
  readonly times: number;
  /** Runs until a thing is made; changes and removals take one. @default 1 */
  readonly runs?: number;
}

/** Every write is hit, as often as `times` says. */
const faults: Readonly<Record<string, Fault>> = {
  "slow answers": { effect: { kind: "slow", ms: 300 }, times: Infinity },
  // A POST that may not have been done is not sent again blindly; the next run looks, and does.
  "a 500": { effect: { kind: "status", status: 500 }, times: 1, runs: 2 },
  "a connection dropped before the work": { effect: { kind: "drop" }, times: 1, runs: 2 },
  "a connection dropped after the work": { effect: { kind: "lose" }, times: 1 },
  "a restart in the middle": { effect: { kind: "restart", downMs: 500 }, times: 1 },
};

/** What is said of a thing that does not come. */
const SAYS = {
  stuck: /gave up after .* while waiting for .*(registering|activating|creating)/,
  error: /no such luck/,
} as const;

describe("faults", () => {
  let lab: Lab;
  let seam: Seam;
  let ids: { stackId: string; serviceId: string };

  before(async function () {
    this.timeout(60_000);
    lab = await Lab.start();
    await lab.addHosts("m1", "m2");
    const { id: stackId } = await lab.make("stacks", { name: "home" });
    const { id: serviceId } = await lab.make("services", {
      ...{ stackId, name: "target", startOnCreate: true, launchConfig: { imageUuid: NGINX } },
    });
    ids = { stackId, serviceId };
  });
  beforeEach(async () => {
    seam = await Seam.start({ url: lab.url });
  });
  afterEach(async () => {
    lab.faults.clear();
    for (const thing of Object.values(things)) {
      for (const id of await live(thing)) await lab.remove(`${thing.collection}/${String(id)}`);
    }
    seam.stop();
  });
  after(() => lab.close());

  const live = async ({ collection }: Thing): Promise<unknown[]> =>
    (await lab.get(`${collection}?name=thing`)).body.data
      // The list of settings cannot be narrowed.
      .filter(({ name }) => name === "thing")
      .map(({ id }) => id);

  function hit({ effect, times }: Fault, { collection }: Thing, methods: readonly string[]): void {
    lab.faults.clear();
    for (const method of methods) {
      lab.faults.add({ method, path: new RegExp(`^${collection}(/|$)`), times, do: effect });
    }
  }

  /** Runs the program until it succeeds; fails when that takes more runs than allowed. */
  async function run(runs: number, program: () => Promise<unknown>): Promise<void> {
    for (let n = 1; ; n++) {
      await seam.restart();
      try {
        await program();
        return;
      } catch (error) {
        if (n >= runs) throw error;
      }
    }
  }

  async function assertAsDeclared(thing: Thing): Promise<void> {
    const kept = seam.the("thing");
    assert.deepEqual(await live(thing), [kept.id], "it is there once");
    const seen = await seam.read(kept);
    assert.ok(seen);
    assert.deepEqual(open(seen.inputs), open(kept.inputs));
    assert.deepEqual(open(seen.outputs), open(kept.outputs));
  }

  for (const [name, thing] of Object.entries(things)) {
    for (const [kind, fault] of Object.entries(faults)) {
      it(`GIVEN ${kind} WHEN ${name} comes, changes and goes THEN it does so once`, async () => {
        const { type, change } = thing;
        const inputs = thing.inputs(ids);
        hit(fault, thing, ["POST", "PUT"]);
        const sent = await lab.during(() =>
          run(fault.runs ?? 1, () => seam.up(type, "thing", inputs)),
        );
        const posts = writes(sent).filter((request) => request === `POST ${thing.collection}`);
        const most = thing.toldOnce === true ? 2 : (fault.runs ?? 1);
        assert.ok(posts.length <= most, posts.join("\n"));
        await assertAsDeclared(thing);

        hit(fault, thing, ["PUT", "POST"]);
        await run(1, () => seam.up(type, "thing", { ...inputs, ...change }));
        await assertAsDeclared(thing);

        hit(fault, thing, ["DELETE", "POST"]);
        await run(1, () => seam.down("thing"));
        assert.deepEqual(await live(thing), []);
      });
    }

    const { engineName } = thing;
    if (engineName === undefined) continue;

    it(`GIVEN ${name} that a killed run made WHEN the program now says less THEN it has no more`, async () => {
      const { type, collection } = thing;
      const inputs = thing.inputs(ids);
      hit({ effect: { kind: "hang" }, times: 1 }, thing, ["POST"]);
      const killed = failure(seam.up(type, "thing", { ...inputs, description: "not any more" }));
      await eventually("it is made", 10, async () => (await live(thing)).length === 1);
      await seam.cancel();
      await killed;
      seam.kept.delete("thing");
      await run(1, () => seam.up(type, "thing", inputs));
      await assertAsDeclared(thing);
      const { text } = await lab.get(`${collection}/${seam.the("thing").id}`);
      assert.doesNotMatch(text, /not any more/);
    });

    for (const kind of ["stuck", "error"] as const) {
      it(`GIVEN ${name} that is ${kind} WHEN made THEN the next run goes on with it`, async () => {
        const { type } = thing;
        const inputs = thing.inputs(ids);
        const message = "no such luck";
        lab.faults.add({ do: { kind, resource: engineName, ...{ message } } });
        seam.timeout = 2;
        const error = await failure(seam.up(type, "thing", inputs));
        assert.match(error.message, thing.says ?? SAYS[kind]);
        const [id] = await live(thing);
        lab.faults.clear();
        seam.timeout = 30;
        await run(1, () => seam.up(type, "thing", inputs));
        // A stack that failed has failed for ever: another one takes its place.
        if (kind === "stuck" || type !== "Stack") assert.equal(seam.the("thing").id, id);
        await assertAsDeclared(thing);
        await run(1, () => seam.down("thing"));
        assert.deepEqual(await live(thing), []);
      });
    }
  }
});
