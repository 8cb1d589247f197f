import * as assert from "node:assert/strict";
import type { Instance, Service } from "../../rancher/client/types";
import type { Props } from "../../rancher/plugin/types";
import { type Kind, type Work } from "../../rancher/resources/serviceWork";
import { upgrade } from "../../rancher/resources/serviceUpgrade";
import { stack } from "../../rancher/resources/stack";
import { upgradeStack } from "../../rancher/resources/stackUpgrade";
import { Progress, RolledBack, sightOf } from "../../rancher/resources/upgrades";
import { Bench } from "./bench";
import { call, failure, withServer } from "./support";

/** What is seen of a service's containers for some time, once a second. */
interface Sights {
  readonly seconds: number;
  readonly containers: readonly Partial<Instance>[];
  /** Seconds before, in which the server does not answer. @default 0 */
  readonly away?: number;
}

const starting = { id: "1i2", name: "web-1", version: "1", state: "starting" };
const running = { ...starting, state: "running" };
const ill = { ...running, healthState: "unhealthy", transitioningMessage: "no answer" };
const well = { ...running, healthState: "healthy" };
const second = { ...well, id: "1i3", name: "web-2" };
const old = { id: "1i1", name: "web-1", version: "0", state: "running" };
const stopped = { ...old, state: "stopped" };

/** A service in the middle of an upgrade. */
function upgrading(launchConfig: Props = {}, upgradeOf: Props = {}): Service {
  return {
    ...{ id: "1s1", type: "service", state: "upgrading", scale: 1 },
    launchConfig: { version: "1", ...launchConfig },
    upgrade: { inServiceStrategy: upgradeOf },
  };
}

const healthCheck = { port: 80, initializingTimeout: 60_000 };

describe("an upgrade's progress", () => {
  const { now } = Date;
  afterEach(() => {
    Date.now = now;
  });

  const rows: [string, Service, readonly Sights[], RegExp | undefined][] = [
    [
      "nothing new that is well",
      upgrading(),
      [{ seconds: 121, containers: [starting] }],
      /^no new container became well for 121 s: web-1 is starting$/,
    ],
    ["not that long yet", upgrading(), [{ seconds: 119, containers: [starting] }], undefined],
    [
      "no new container at all",
      upgrading(),
      [
        { seconds: 1, containers: [stopped] },
        { seconds: 121, containers: [stopped] },
      ],
      /0 of 1 containers run$/,
    ],
    [
      "one that starts and exits over and over",
      upgrading(),
      [
        { seconds: 1, containers: [running] },
        { seconds: 60, containers: [starting] },
        { seconds: 30, containers: [running] },
        { seconds: 31, containers: [starting] },
      ],
      /for 121 s: web-1 is starting$/,
    ],
    [
      "one that is made anew over and over",
      upgrading(),
      [
        { seconds: 1, containers: [running] },
        { seconds: 60, containers: [{ ...running, id: "1i7" }] },
        { seconds: 61, containers: [{ ...starting, id: "1i8" }] },
      ],
      /for 121 s: web-1 is starting$/,
    ],
    [
      "a server that was away",
      upgrading(),
      [
        { seconds: 60, containers: [starting] },
        { seconds: 40, containers: [starting], away: 200 },
      ],
      undefined,
    ],
    [
      "an ill one, within the time it has for becoming well",
      upgrading({ healthCheck }),
      [{ seconds: 179, containers: [ill] }],
      undefined,
    ],
    [
      "an ill one",
      upgrading({ healthCheck }),
      [{ seconds: 181, containers: [ill] }],
      /for 181 s: web-1 is running and unhealthy \(no answer\)$/,
    ],
    [
      "another one that became well",
      upgrading(),
      [
        { seconds: 119, containers: [running] },
        { seconds: 119, containers: [running, second] },
      ],
      undefined,
    ],
    [
      "an old one that stopped",
      upgrading(),
      [
        { seconds: 119, containers: [old] },
        { seconds: 119, containers: [stopped, starting] },
      ],
      undefined,
    ],
    [
      "a pause between two batches",
      upgrading({}, { intervalMillis: 300_000 }),
      [{ seconds: 419, containers: [running] }],
      undefined,
    ],
    [
      "an old one that finishes its connections",
      upgrading({}, { previousLaunchConfig: { drainTimeoutMs: 300_000 } }),
      [{ seconds: 419, containers: [{ ...old, state: "stopping" }] }],
      undefined,
    ],
    [
      "a sidekick with a health check",
      { ...upgrading(), secondaryLaunchConfigs: [{ name: "side", healthCheck }] },
      [{ seconds: 179, containers: [starting] }],
      undefined,
    ],
  ];
  for (const [what, service, looks, expected] of rows) {
    it(`GIVEN ${what} THEN it ${expected === undefined ? "is waited for" : "is given up"}`, () => {
      let second = 0;
      Date.now = () => second * 1_000;
      const progress = new Progress();
      const judged = looks.flatMap(({ seconds, containers, away = 0 }) => {
        second += away;
        return Array.from({ length: seconds }, () => {
          second += 1;
          const sight = sightOf(service, containers as Instance[]);
          return progress.judge([sight], { waiting: "upgrading" });
        });
      });
      const last = judged.pop();
      for (const { giveUp } of judged) assert.equal(giveUp, undefined);
      assert.equal(last?.giveUp, expected === undefined ? undefined : true);
      assert.match(String(last?.waiting), expected ?? /^upgrading/);
    });
  }

  it("GIVEN what the server said THEN it is told on", () => {
    const seen = { waiting: "upgrading", trouble: "no such image" };
    const sight = sightOf(upgrading(), [starting as Instance]);
    const told = new Progress().judge([sight], seen);
    assert.deepEqual(told, { ...seen, waiting: "upgrading: web-1 is starting" });
  });
});

describe("an upgrade that makes no progress", () => {
  const context = withServer();

  for (const kind of ["services", "loadbalancerservices"] as readonly Kind[]) {
    it(`GIVEN one of ${kind} THEN it is rolled back long before its time is over, and the reason names the container`, async () => {
      const { server, client } = context;
      const launchConfig = { imageUuid: "docker:nginx:1.27" };
      const body = { name: "web", stackId: "1st1", launchConfig, startOnCreate: false };
      const { id } = await client.post<Service>(`/v2-beta/projects/1a1/${kind}`, body);
      const doc = server.docs.get(id) as Props;
      server.upgradesWork = false;
      server.fault = ({ query }) => {
        if (query["action"] !== "upgrade") return undefined;
        setTimeout(() => {
          const { version } = doc["launchConfig"] as Props;
          server.add("instances", {
            serviceId: id,
            name: "site-web-1",
            state: "starting",
            version,
          });
        }, 20);
        return undefined;
      };
      const work: Work = {
        ...{ client, call: call(), kind, environmentId: "1a1", id, what: "service web" },
        ...{ until: Date.now() + 600_000, stalledPatience: 300 },
      };
      await client.pause(10);
      await client.get(`/v2-beta/projects/1a1/${kind}/${id}`);
      const error = await failure(
        upgrade(work, { launchConfig: { imageUuid: "docker:bad" } }, { batchSize: 1 }),
      );
      assert.ok(error instanceof RolledBack);
      assert.match(
        error.message,
        /^the upgrade of service web failed, and it was rolled back: gave up after \d s .*: no new container became well for \d s: site-web-1 is starting; look at the logs/,
      );
      assert.equal(doc["state"], "active");
    });
  }
});

describe("an upgrade of a stack that makes no progress, on the lab's server", function () {
  this.timeout(60_000);
  let bench: Bench;
  before(async () => {
    bench = await Bench.start();
  });
  after(() => bench.stop());

  it("THEN it is rolled back long before its time is over, and the reason names the container", async () => {
    const text = (image: string): string =>
      `version: '2'\nservices: {web: {image: '${image}'}, kept: {image: x}}\n`;
    const inputs = { name: "site", dockerCompose: text("nginx:1") };
    const { id, outputs } = await bench.create("site", stack, inputs);
    const work = {
      ...{ client: bench.client, call: call(), environmentId: "1a5", id, what: "stack site" },
      ...{ until: Date.now() + 600_000, stalledPatience: 700 },
    };
    const news = { dockerCompose: text("doesnotexist:1"), rancherCompose: "", environment: {} };
    const externalId = String(outputs["externalId"]);
    const error = await failure(
      upgradeStack(
        work,
        { ...news, externalId },
        { names: ["web", "kept"], mayRest: () => false, added: [] },
      ),
    );
    assert.ok(error instanceof RolledBack);
    assert.match(
      error.message,
      /^the upgrade of stack site failed, and it was rolled back: gave up after .*: no new container became well for \d s: service web is upgrading.*: site-web-1 is .*doesnotexist/,
    );
    await bench.assertNoDrift();
  });
});
