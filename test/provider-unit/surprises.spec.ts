/**
 * The surprising behaviours of a real Rancher 1.6 server, by the numbers under which its recorded behaviour
 * lists them. Each test first shows the surprise on the lab's server with plain requests, so that the lab is
 * known to be able to surprise, and then that the provider is not surprised.
 */
import * as assert from "node:assert/strict";
import { Client } from "../../rancher/client/client";
import type { Service } from "../../rancher/client/types";
import type { Props } from "../../rancher/plugin/types";
import { eventually } from "../provider/rancher";
import { Lab, line, open, type Plain, PROJECT, Proxy, Seam, writes } from "./labServer";
import { failure } from "./support";

/** How many surprises there are. */
const ALL = 25;
const NGINX = "docker:nginx:1.27";
const NEWER = "docker:nginx:1.28";
const BALANCER = "docker:rancher/lb-service-haproxy:v0.9.14";
const PASSWORD = "correct horse battery";

/** Numbers that have a test. */
const covered = new Set<number>();

/** Test of one surprise. */
function surprise(number: number, sentence: string, test: () => Promise<void>): void {
  covered.add(number);
  it(`${number}. ${sentence}`, test);
}

/** Status, code and field of a refusal. */
function refusal({ status, body }: Plain): [number, unknown, unknown] {
  return [status, body["code"], body["fieldName"]];
}

/** Something that a state file knows and that is not on the server. */
function vanished(type: string, id: string, inputs: Props, environmentId = "1a5") {
  return { type, name: "vanished", id, inputs, outputs: { ...inputs, environmentId } };
}

describe("surprises", () => {
  describe("of an open server", () => {
    let lab: Lab;
    let seam: Seam;
    let client: Client;
    /** A stack of the test's own, made by plain requests. */
    let stackId: string;
    let count = 0;

    before(async function () {
      this.timeout(60_000);
      lab = await Lab.start();
      await lab.addHosts("m1", "m2");
      seam = await Seam.start({ url: lab.url });
      client = Client.create({ url: lab.url });
    });
    beforeEach(async () => {
      count += 1;
      stackId = (await lab.make("stacks", { name: `test-${count}` })).id;
    });
    afterEach(async () => {
      lab.faults.clear();
      Object.assign(lab.pace, { startDelayMs: 20, healthDelayMs: 20 });
      seam.timeout = 30;
      seam.kept.clear();
      await lab.request("DELETE", `${PROJECT}/stacks/${stackId}`);
    });
    after(async () => {
      client.close();
      seam.stop();
      await lab.close();
    });

    const service = (more: Props = {}): Props => ({
      stackId,
      name: "web",
      launchConfig: { imageUuid: NGINX },
      ...more,
    });
    /** A running service made by plain requests. */
    const plainService = (more: Props = {}): Promise<Props & { id: string }> =>
      lab.make("services", service({ startOnCreate: true, ...more }));
    const instances = async (id: string): Promise<Props[]> => [
      ...(await lab.get(`${PROJECT}/services/${id}/instances`)).body.data,
    ];
    const act = (collection: string, id: string, action: string, body?: unknown): Promise<Plain> =>
      lab.request("POST", `${PROJECT}/${collection}/${id}/?action=${action}`, body);
    const upgradeTo = (imageUuid: string): Props => ({
      inServiceStrategy: { launchConfig: { imageUuid }, batchSize: 5, intervalMillis: 100 },
    });
    const names = async (query = ""): Promise<unknown[]> =>
      (await lab.get(`${PROJECT}/stacks${query}`)).body.data.map((stack) => stack["name"]);

    surprise(1, "a PUT or DELETE of an unknown id is a 500, of a removed one a 200", async () => {
      for (const path of [`${PROJECT}/stacks/1st99999`, `${PROJECT}/services/1s99999`]) {
        assert.equal((await lab.get(path)).status, 404);
        assert.equal((await lab.request("PUT", path, { description: "x" })).status, 500);
        assert.equal((await lab.request("DELETE", path)).status, 500);
      }
      const { id } = await plainService();
      await lab.remove(`${PROJECT}/services/${id}`);
      assert.equal((await lab.request("DELETE", `${PROJECT}/services/${id}`)).status, 200);

      const gone = [
        vanished("Stack", "1st99999", { name: "vanished" }),
        vanished("Service", "1s99999", service()),
        vanished("Service", id, service()),
      ];
      for (const kept of gone) await seam.delete(kept);
      for (const kept of gone) {
        seam.kept.set("vanished", kept);
        const change = { ...kept.inputs, description: "other" };
        const sent = await lab.during(async () => {
          const { message } = await failure(seam.up(kept.type, "vanished", change));
          assert.match(message, /404|removed meanwhile/);
        });
        assert.ok(writes(sent).length <= 1, "a 500 that does not pass is not repeated");
      }
    });

    surprise(2, "what was removed is still answered for, but not listed any more", async () => {
      const { id } = await lab.make("stacks", { name: "leaver" });
      await lab.remove(`${PROJECT}/stacks/${id}`);
      const { status, body } = await lab.get(`${PROJECT}/stacks/${id}`);
      assert.deepEqual([status, body["state"]], [200, "removed"]);
      assert.equal(typeof body["removed"], "string");
      assert.deepEqual(await names("?name=leaver"), []);
      assert.deepEqual(await names("?name=leaver&removed_notnull=true"), []);
      assert.deepEqual(await names("?name=leaver&_removed=true"), ["leaver"]);

      assert.equal(await seam.read(vanished("Stack", id, { name: "leaver" })), undefined);
      // Its name is free at once.
      await seam.up("Stack", "leaver", { name: "leaver" });
      assert.notEqual(seam.the("leaver").id, id);
      const second = seam.the("leaver").id;
      await seam.down("leaver");
      assert.equal((await lab.get(`${PROJECT}/stacks/${second}`)).body["state"], "removed");
    });

    surprise(3, "below an environment that is not there everything is forbidden", async () => {
      assert.equal((await lab.get("/v2-beta/projects/1a999/stacks")).status, 403);
      assert.equal((await lab.get("/v2-beta/projects/1a999/stacks/1st1")).status, 403);
      assert.equal((await lab.get("/v2-beta/projects/1a999")).status, 404);

      for (const kept of [
        vanished("Stack", "1st7", { name: "a" }, "1a999"),
        vanished("Service", "1s7", service(), "1a999"),
        vanished("RegistrationToken", "1c7", {}, "1a999"),
        vanished("Host", "1h7", { matchLabels: { machine: "m1" } }, "1a999"),
      ]) {
        assert.equal(await seam.read(kept), undefined, kept.type);
        await seam.delete(kept);
      }
      const create = seam.up("Stack", "a", { name: "a", environmentId: "1a999" });
      assert.match((await failure(create)).message, /403.*the environment is gone/);
    });

    surprise(4, "what the present state forbids is a 422 or a 405, never a 409", async () => {
      const { id } = await plainService();
      const activate = await act("services", id, "activate");
      assert.deepEqual(refusal(activate), [422, "ActionNotAvailable", "action"]);
      const bogus = await act("services", id, "bogus");
      assert.deepEqual(refusal(bogus), [422, "InvalidAction", "action"]);
      await lab.addHosts("spare");
      const [host] = (await lab.get(`${PROJECT}/hosts?name_null=true`)).body.data.slice(-1);
      const path = `${PROJECT}/hosts/${String(host?.["id"])}`;
      assert.deepEqual(refusal(await lab.request("DELETE", path)).slice(0, 2), [
        405,
        "Method not allowed",
      ]);
      for (const method of ["PATCH", "HEAD", "OPTIONS"]) {
        assert.equal((await lab.request(method, path)).status, 405, method);
      }

      // An action that came too late is no error when the thing is where the action leads.
      const started = (now: Service): boolean => now.state !== "inactive";
      const sent = await lab.during(() =>
        client.act<Service>(`${PROJECT}/services/${id}`, "activate", undefined, started),
      );
      assert.equal(writes(sent).length, 1);
      // A host is out of service before it is removed: no removal is refused and sent again.
      await seam.up("Host", "spare", { matchLabels: { machine: "spare" } });
      await seam.restart();
      const removal = writes(await lab.during(() => seam.down("spare")));
      assert.deepEqual(
        removal.filter((request) => !request.endsWith("?action=deactivate")),
        [`POST ${path}/?action=evacuate`, `DELETE ${path}`],
      );
    });

    surprise(
      5,
      "a refusal has a code and a field, which may be a sentence, and no message",
      async () => {
        const imageless = await lab.request("POST", `${PROJECT}/services`, {
          ...{ stackId, name: "x", launchConfig: {} },
        });
        const sentence = "Image is required when selectorContainer is not passed in";
        assert.deepEqual(refusal(imageless), [422, "InvalidOption", sentence]);
        assert.equal(imageless.body["message"], null);
        const homeless = { name: "x", launchConfig: { imageUuid: NGINX } };
        assert.deepEqual(refusal(await lab.request("POST", `${PROJECT}/services`, homeless)), [
          422,
          "InvalidState",
          "stackId",
        ]);
        const strategyless = await plainService();
        assert.deepEqual(refusal(await act("services", strategyless.id, "upgrade", {})), [
          422,
          "MissingRequired",
          "Upgrade strategy needs to be set",
        ]);
        const broken = await lab.request("POST", `${PROJECT}/stacks`, "{nonsense");
        assert.deepEqual(refusal(broken).slice(0, 2), [400, "InvalidBodyContent"]);

        const { message } = await failure(
          client.post(`${PROJECT}/services`, { stackId, name: "x", launchConfig: {} }),
        );
        assert.match(message, /422 InvalidOption \(Image is required when .* passed in\)$/);
        assert.doesNotMatch(message, /null|undefined/);
        const lost = seam.up("Service", "lost", service({ stackId: "1st99999" }));
        assert.match((await failure(lost)).message, /422 InvalidReference \(stackId\)/);
      },
    );

    surprise(6, "the server takes much that cannot work; check does not", async () => {
      const accepted: [string, string, unknown][] = [
        ["without a launch config", "services", { stackId, name: "bare" }],
        ["with a field it does not know", "services", service({ name: "odd", colour: "red" })],
        [
          "with a network mode it does not know",
          "services",
          service({ name: "net", launchConfig: { imageUuid: NGINX, networkMode: "bogus" } }),
        ],
        [
          "without an image",
          "loadbalancerservices",
          { stackId, name: "lb", launchConfig: {}, lbConfig: {} },
        ],
      ];
      for (const [what, collection, body] of accepted) {
        const { status, text } = await lab.request("POST", `${PROJECT}/${collection}`, body);
        assert.equal(status, 201, `${what}: ${text}`);
        assert.doesNotMatch(text, /colour/);
      }
      const form = await lab.request("POST", `${PROJECT}/stacks`, "name=by-form", {
        "content-type": "application/x-www-form-urlencoded",
      });
      assert.equal(form.status, 201);
      await lab.request("DELETE", `${PROJECT}/stacks/${String(form.body["id"])}`);
      for (const query of ["?sort=bogus", "?bogus=1"]) {
        assert.ok((await names(query)).length > 1, query);
      }

      const bare = { stackId, name: "x" };
      const refused: [string, string, Props][] = [
        ["launchConfig", "Service", bare],
        ["colour", "Service", service({ colour: "red" })],
        [
          "launchConfig.colour",
          "Service",
          { ...bare, launchConfig: { imageUuid: NGINX, colour: 1 } },
        ],
        ["launchConfig.imageUuid", "Service", { ...bare, launchConfig: {} }],
        [
          "launchConfig.imageUuid",
          "LoadBalancer",
          { ...bare, launchConfig: {}, lbConfig: { portRules: [] } },
        ],
        ["lbConfig", "LoadBalancer", { ...bare, launchConfig: { imageUuid: BALANCER } }],
      ];
      const sent = await lab.during(async () => {
        for (const [path, type, props] of refused) {
          const error = (await failure(seam.up(type, "x", props))) as { paths?: string[] };
          assert.deepEqual(error.paths, [path]);
        }
      });
      assert.deepEqual(sent, []);
    });

    surprise(7, "a setting that does not exist is answered with 200 and null", async () => {
      const { status, body } = await lab.get("/v2-beta/settings/nobody.set.this");
      assert.deepEqual([status, body["value"], body["type"]], [200, null, "activeSetting"]);
      assert.equal(body["state"], undefined);
      assert.ok((await lab.get("/v2-beta/settings?name=telemetry.opt")).body.data.length > 1);
      const put = await lab.request("PUT", "/v2-beta/settings/telemetry.opt", { value: "in" });
      assert.deepEqual([put.body["value"], put.body["activeValue"]], ["in", "out"]);
      const after = await lab.get("/v2-beta/settings/telemetry.opt");
      assert.deepEqual([after.body["activeValue"], after.body["source"]], ["in", "Database"]);

      const inputs = { name: "nobody.set.this", value: "x" };
      const kept = vanished("Setting", inputs.name, inputs);
      assert.equal(await seam.read(kept), undefined);
      await seam.up("Setting", "mine", inputs);
      assert.equal((await seam.read(seam.the("mine")))?.inputs["value"], "x");
      await seam.up("Setting", "mine", { ...inputs, value: "y" });
      assert.equal((await lab.get(`/v2-beta/settings/${inputs.name}`)).body["activeValue"], "y");
      await seam.down("mine");
      assert.equal((await lab.get(`/v2-beta/settings/${inputs.name}`)).body["value"], null);
    });

    surprise(
      8,
      "registration tokens are made in environments only, with URLs of the old API",
      async () => {
        assert.equal((await lab.request("POST", "/v2-beta/registrationtokens", {})).status, 405);
        const { registrationUrl } = await lab.make("registrationtokens", {});
        assert.match(String(registrationUrl), /^http:\/\/[^/]+\/v1\/scripts\//);

        const sent = await lab.during(() => seam.up("RegistrationToken", "token", {}));
        assert.deepEqual(writes(sent), [`POST ${PROJECT}/registrationtokens`]);
        const outputs = open(seam.the("token").outputs);
        assert.equal(
          outputs["registrationUrl"],
          `${lab.url}/v1/scripts/${String(outputs["token"])}`,
        );
        await seam.down("token");
      },
    );

    surprise(
      9,
      "a PUT of a launch config is ignored, and the current scale goes stale",
      async () => {
        const { id } = await plainService({ scale: 2 });
        const path = `${PROJECT}/services/${id}`;
        const ignored = await lab.request("PUT", path, { launchConfig: { imageUuid: NEWER } });
        assert.equal(ignored.status, 200);
        assert.match((await lab.get(path)).text, /nginx:1\.27/);
        await act("services", id, "upgrade", upgradeTo(NEWER));
        await lab.settled(path, "upgraded");
        assert.equal((await lab.request("PUT", path, { scale: 3 })).body["scale"], 3);
        await act("services", id, "finishupgrade");
        const stale = await lab.settled(path);
        assert.deepEqual([stale["scale"], stale["currentScale"]], [3, 2]);
        assert.equal((stale["instanceIds"] as string[]).length, 3);

        await seam.up("Service", "both", service({ name: "both", scale: 2 }));
        const inputs = service({ name: "both", scale: 3, launchConfig: { imageUuid: NEWER } });
        await seam.up("Service", "both", inputs);
        const running = await instances(seam.the("both").id);
        assert.deepEqual(
          running.map((i) => [i["state"], i["imageUuid"]]),
          Array.from({ length: 3 }, () => ["running", NEWER]),
        );
        // In the very state in which the count is stale.
        await act("services", seam.the("both").id, "upgrade", upgradeTo(NGINX));
        await lab.settled(`${PROJECT}/services/${seam.the("both").id}`, "upgraded");
        await lab.request("PUT", `${PROJECT}/services/${seam.the("both").id}`, { scale: 4 });
        await seam.up("Service", "both", service({ name: "both", scale: 4 }));
        assert.equal((await instances(seam.the("both").id)).length, 4);
      },
    );

    surprise(10, "an error in the middle of a transition is final for stacks only", async () => {
      const message = "no such luck";
      const fails = (resource: RegExp): (() => void) =>
        lab.faults.add({ do: { kind: "error", resource, message } });
      const better = fails(/^service:flaky$/);
      const creating = seam.up("Service", "flaky", service({ name: "flaky" }));
      const seen = new Set<string>();
      await eventually("the service fails and tries again", 10, async () => {
        const [found] = (await lab.get(`${PROJECT}/services?name=flaky`)).body.data;
        if (found === undefined) return false;
        seen.add(`${String(found["state"])} ${String(found["transitioning"])}`);
        assert.notEqual(found["state"], "error");
        return seen.has("registering error") && seen.has("registering yes");
      });
      better();
      await creating;
      assert.equal((await instances(seam.the("flaky").id)).length, 1);

      // It gives up in time, and says what the server says.
      fails(/^service:hopeless$/);
      seam.timeout = 2;
      const hopeless = await failure(seam.up("Service", "hopeless", service({ name: "hopeless" })));
      assert.match(
        hopeless.message,
        /gave up after \d s while waiting for service hopeless .*no such luck/,
      );
      seam.timeout = 30;

      fails(/^stack:broken$/);
      const started = Date.now();
      const broken = await failure(seam.up("Stack", "broken", { name: "broken" }));
      assert.match(broken.message, /failed: .*no such luck/);
      assert.ok(Date.now() - started < 5_000, "it does not wait for what cannot come");
      lab.faults.clear();
      if (seam.kept.has("broken")) await seam.down("broken");
      assert.deepEqual(await names("?name=broken"), []);
    });

    surprise(11, "health says nothing about the state, nor the state about health", async () => {
      const made = await lab.request("POST", `${PROJECT}/services`, service({ name: "idle" }));
      assert.deepEqual(
        [made.body["state"], made.body["healthState"]],
        ["registering", "healthy"],
        "healthy before anything runs",
      );
      const idle = await lab.settled(`${PROJECT}/services/${String(made.body["id"])}`, "inactive");
      assert.equal(idle["healthState"], "unhealthy");

      const stopped = service({ name: "stopped", startOnCreate: false });
      await seam.up("Service", "stopped", stopped);
      assert.equal(await seam.up("Service", "stopped", stopped), "same");

      lab.pace.healthDelayMs = 1_200;
      const launchConfig = { imageUuid: NGINX, healthCheck: { port: 80, interval: 500 } };
      let done = false;
      const creating = seam.up("Service", "slow", service({ name: "slow", launchConfig }));
      void creating.then(() => (done = true));
      await eventually("it is active and not healthy yet", 10, async () => {
        const [found] = (await lab.get(`${PROJECT}/services?name=slow`)).body.data;
        return found?.["state"] === "active" && found["healthState"] === "initializing";
      });
      assert.equal(done, false);
      await creating;
      const [container] = await instances(seam.the("slow").id);
      assert.equal(container?.["healthState"], "healthy");
    });

    surprise(12, "a PUT is answered in the middle, and states may pass unseen", async () => {
      const { id } = await plainService();
      const put = await lab.request("PUT", `${PROJECT}/services/${id}`, { scale: 2 });
      assert.equal(put.body["state"], "updating-active");
      const settled = Date.now();
      await lab.settled(`${PROJECT}/services/${id}`);
      assert.ok(Date.now() - settled < 2_000);

      // Slow containers: the answer comes when they run, not when the PUT is taken.
      await seam.up("Service", "grown", service({ name: "grown" }));
      lab.pace.startDelayMs = 700;
      await seam.up("Service", "grown", service({ name: "grown", scale: 3 }));
      const states = (await instances(seam.the("grown").id)).map((i) => i["state"]);
      assert.deepEqual(states, ["running", "running", "running"]);
      // Quick ones: nothing to be seen between two looks.
      lab.pace.startDelayMs = 0;
      await seam.up("Service", "grown", service({ name: "grown", scale: 1 }));
      assert.equal((await instances(seam.the("grown").id)).length, 1);
    });

    surprise(13, "success has many numbers: 200, 201, 202, 204", async () => {
      const { id } = await plainService();
      const path = `${PROJECT}/services/${id}`;
      assert.equal(
        (await act("services", id, "setservicelinks", { serviceLinks: [] })).status,
        200,
      );
      assert.equal((await act("stacks", stackId, "exportconfig", {})).status, 200);
      assert.equal((await act("services", id, "upgrade", upgradeTo(NEWER))).status, 202);
      await lab.settled(path, "upgraded");
      assert.equal((await act("services", id, "finishupgrade")).status, 202);
      await lab.settled(path);
      const removal = await lab.request("DELETE", path);
      assert.deepEqual([removal.status, removal.body["state"]], [200, "removing"]);
      const logout = await lab.request("DELETE", "/v2-beta/token/current");
      assert.deepEqual([logout.status, logout.text], [204, ""]);

      assert.equal(await client.delete("/v2-beta/token/current"), undefined);
      await seam.up("Service", "web", service({ name: "all" }));
      await seam.up("Service", "web", service({ name: "all", launchConfig: { imageUuid: NEWER } }));
      await seam.down("web");
    });

    surprise(14, "actions have odd URLs, slashes are escaped, and ids are read laxly", async () => {
      const { id } = await plainService();
      const { text, body } = await lab.get(`${PROJECT}/services/${id}`);
      assert.ok(text.includes(String.raw`\/v2-beta\/projects\/1a5\/services\/${id}`));
      const actions = body["actions"] as Record<string, string>;
      assert.equal(actions["upgrade"], `${lab.url}${PROJECT}/services/${id}/?action=upgrade`);
      const lax = stackId.replace("1st", "1s");
      assert.equal((await lab.get(`${PROJECT}/stacks/${lax}`)).body["id"], stackId);

      await seam.up("Service", "web", service({ name: "odd" }));
      const sent = await lab.during(() =>
        seam.up("Service", "web", service({ name: "odd", launchConfig: { imageUuid: NEWER } })),
      );
      const own = `${PROJECT}/services/${seam.the("web").id}`;
      assert.deepEqual(writes(sent), [
        `POST ${own}/?action=upgrade`,
        `POST ${own}/?action=finishupgrade`,
      ]);
      // The id of another kind is not taken for the stack of the same number.
      const imported = await seam.import("Stack", "import", lax).catch(() => undefined);
      assert.ok(imported === undefined || imported.id === stackId);
    });

    surprise(19, "links are made of what the client calls the server", async () => {
      const elsewhere = {
        "x-forwarded-host": "elsewhere.invalid:99",
        "x-forwarded-proto": "https",
      };
      const { body } = await lab.request("GET", PROJECT, undefined, elsewhere);
      const links = body["links"] as Record<string, string>;
      assert.equal(links["self"], `https://elsewhere.invalid:99${PROJECT}`);

      const proxy = await Proxy.start(lab.url, elsewhere);
      const other = await Seam.start({ url: proxy.url });
      try {
        const inputs = service({ name: "behind" });
        assert.equal(await other.up("Service", "web", inputs), "create");
        const launchConfig = { imageUuid: NEWER };
        assert.equal(await other.up("Service", "web", { ...inputs, launchConfig }), "update");
        await other.down("web");
      } finally {
        other.stop();
        proxy.close();
      }
    });

    surprise(21, "the URL decides what is made, not the body's type", async () => {
      const type = "loadBalancerService";
      const plain = await lab.make("services", service({ type, name: "no-lb" }), "inactive");
      assert.equal(plain["type"], "service");

      const target = await plainService({ name: "target" });
      const portRules = [{ sourcePort: 80, serviceId: target.id, targetPort: 80 }];
      const launchConfig = { imageUuid: BALANCER, ports: ["8080:80"] };
      const inputs = { stackId, name: "lb", launchConfig, lbConfig: { portRules } };
      await seam.up("LoadBalancer", "lb", inputs);
      const { id } = seam.the("lb");
      const { body } = await lab.get(`${PROJECT}/services/${id}`);
      assert.equal(body["type"], type);
      // What the server adds is no drift.
      const config = body["launchConfig"] as Record<string, Props>;
      assert.equal(config["healthCheck"]?.["port"], 42);
      assert.equal(config["labels"]?.["io.rancher.container.create_agent"], "true");
      const seen = await seam.read(seam.the("lb"));
      assert.deepEqual(seen?.inputs, seam.the("lb").inputs);
      assert.equal(await seam.up("LoadBalancer", "lb", inputs), "same");
      await seam.down("lb");
    });

    surprise(22, "containers from before an upgrade are listed under the same names", async () => {
      await seam.up("Service", "web", service({ name: "twins" }));
      const { id } = seam.the("web");
      await act("services", id, "upgrade", upgradeTo(NEWER));
      await lab.settled(`${PROJECT}/services/${id}`, "upgraded");
      const both = (await instances(id)).map((i) => [i["name"], i["state"]]);
      assert.equal(new Set(both.map(([name]) => name)).size, 1);
      assert.deepEqual(both.map(([, state]) => state).sort(), ["running", "stopped"]);

      // Somebody's upgrade to what the program now asks for is finished, not repeated.
      const inputs = service({ name: "twins", launchConfig: { imageUuid: NEWER } });
      const sent = await lab.during(() => seam.up("Service", "web", inputs));
      assert.deepEqual(writes(sent), [`POST ${PROJECT}/services/${id}/?action=finishupgrade`]);
      assert.deepEqual(
        (await instances(id)).map((i) => [i["state"], i["imageUuid"]]),
        [["running", NEWER]],
      );
      // Old containers that still run do not stand in for new ones that do not come up.
      seam.timeout = 6;
      const bad = service({ name: "twins", launchConfig: { imageUuid: "docker:doesnotexist:1" } });
      const error = await failure(seam.up("Service", "web", bad));
      assert.match(error.message, /rolled back: .*no such image/);
      assert.deepEqual(
        (await instances(id)).map((i) => [i["state"], i["imageUuid"]]),
        [["running", NEWER]],
      );
    });

    surprise(
      23,
      "subscribers are told everything, asked for or not: the provider polls",
      async () => {
        const sent = await lab.during(async () => {
          await seam.up("Service", "web", service({ name: "polled" }));
          await seam.read(seam.the("web"));
          await seam.down("web");
        });
        assert.ok(sent.length > 0);
        assert.deepEqual(
          sent.filter(({ path }) => /subscribe|publish/.test(path)),
          [],
        );
      },
    );

    surprise(
      24,
      "an unknown path is answered with HTML, and every answer sets a cookie",
      async () => {
        const odd = await lab.get("/v3/projects");
        assert.equal(odd.status, 404);
        assert.match(odd.headers.get("content-type") ?? "", /^text\/html/);
        const { headers } = await lab.get("/v2-beta/projects");
        assert.match(headers.get("set-cookie") ?? "", /^PL=rancher/);
        assert.match(headers.get("expires") ?? "", /1970/);

        const proxy = await Proxy.start(lab.url);
        const lost = await Seam.start({ url: `${proxy.url}/nowhere` });
        try {
          const error = await failure(lost.up("Stack", "a", { name: "a" }));
          assert.match(error.message, /404/);
          assert.doesNotMatch(error.message, /<html|Unexpected token/);
          const pong = await failure(Client.create({ url: proxy.url }).get("/ping"));
          assert.match(
            pong.message,
            /not JSON: check that the url is that of a Rancher 1\.6 server/,
          );
          assert.ok(proxy.headers.length > 0);
          assert.ok(proxy.headers.every(({ cookie }) => cookie === undefined));
        } finally {
          lost.stop();
          proxy.close();
        }
      },
    );

    surprise(
      25,
      "bad compose is accepted and fails later; exported compose has other line ends",
      async () => {
        await plainService();
        const exported = (await act("stacks", stackId, "exportconfig", {})).body;
        assert.match(String(exported["dockerComposeConfig"]), /\r\n/);
        assert.match(String(exported["rancherComposeConfig"]), /start_on_create: true/);
        const bad = "version: '2'\nservices:\n  web:\n    image: nginx\n    command: {a: [}\n";
        const accepted = await lab.request("POST", `${PROJECT}/stacks`, {
          name: "plain-bad",
          dockerCompose: bad,
        });
        assert.equal(accepted.status, 201);
        await eventually("it fails", 10, async () => {
          const { body } = await lab.get(`${PROJECT}/stacks/${String(accepted.body["id"])}`);
          return body["state"] === "error";
        });
        await lab.request("DELETE", `${PROJECT}/stacks/${String(accepted.body["id"])}`);

        const stack = (dockerCompose: string): Props => ({ name: "composed", dockerCompose });
        const sent = await lab.during(async () => {
          const error = await failure(seam.up("Stack", "composed", stack(bad)));
          assert.deepEqual((error as { paths?: string[] }).paths, ["dockerCompose"]);
        });
        assert.deepEqual(sent, []);
        // What only the server can know: it says so, and leaves nothing behind.
        const unknowable =
          "version: '2'\nservices:\n  web:\n    image: nginx\n    links: [nobody]\n";
        const error = await failure(seam.up("Stack", "composed", stack(unknowable)));
        assert.match(error.message, /nobody/);
        seam.kept.delete("composed");
        assert.deepEqual(await names("?name=composed"), []);
        // And good compose is read back as it was written, whatever line ends it has.
        for (const ends of ["\n", "\r\n"]) {
          const good = stack(
            ["version: '2'", "services:", "  web:", "    image: nginx", ""].join(ends),
          );
          await seam.up("Stack", "composed", good);
          const seen = await seam.read(seam.the("composed"));
          assert.deepEqual(seen?.inputs, seam.the("composed").inputs);
          await seam.down("composed");
        }
      },
    );
  });

  describe("of long lists", () => {
    let lab: Lab;
    before(async () => {
      lab = await Lab.start();
    });
    after(() => lab.close());

    surprise(20, "lists come in pages of 100, and names are compared without case", async () => {
      const list = async (query: string): Promise<Plain["body"]> =>
        (await lab.get(`${PROJECT}/registrationtokens${query}`)).body;
      const post = (name: string): Promise<Plain> =>
        lab.request("POST", `${PROJECT}/registrationtokens`, { name });
      for (let n = 1; n <= 120; n++) await post(`t${n}`);
      const page = await list("");
      const pagination = page["pagination"] as Props;
      assert.deepEqual(
        [page.data.length, pagination["limit"], pagination["total"]],
        [100, 100, null],
      );
      assert.match(String(pagination["next"]), /marker=m100/);
      for (const limit of ["0", "-1", "100000"]) {
        assert.equal(((await list(`?limit=${limit}`))["pagination"] as Props)["limit"], 3000);
      }
      assert.equal((await list("?name=T17")).data.length, 1);
      assert.equal((await list("?state=active&state=removed")).data.length, 0);

      const seam = await Seam.start({ url: lab.url });
      try {
        // Its own token, on the second page: the answer to the POST was lost.
        lab.faults.add({
          ...{ method: "POST", path: /registrationtokens$/, times: 1 },
          do: { kind: "lose" },
        });
        const sent = await lab.during(() => seam.up("RegistrationToken", "own", { name: "own" }));
        assert.equal(writes(sent).length, 1);
        assert.ok(sent.some((request) => line(request).includes("marker=m100")));
        assert.equal((await list("?name=own")).data.length, 1);
        // Somebody's stack of the same name in another spelling.
        const { id } = await lab.make("stacks", { name: "Site" });
        const error = await failure(seam.up("Stack", "site", { name: "site" }));
        assert.match(error.message, new RegExp(`stack named "site" \\(${id}\\)`));
      } finally {
        seam.stop();
      }
    });
  });

  describe("of a closed server", () => {
    let lab: Lab;
    let seam: Seam;
    let keys: { accessKey: string; secretKey: string };
    const basic = (user: string, password: string): string =>
      `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const as = (authorization: string, path = "/v2-beta/projects"): Promise<Plain> =>
      lab.request("GET", path, undefined, { authorization });
    const logIn = (password: string): Promise<Plain> =>
      lab.request("POST", "/v2-beta/token", { code: `admin:${password}` });

    before(async () => {
      lab = await Lab.start();
    });
    after(async () => {
      seam.stop();
      await lab.close();
    });

    surprise(
      15,
      "while it is open wrong keys open it too; closed, /ping and /token stay open",
      async () => {
        assert.equal((await as(basic("wrong", "wrong-secret"))).status, 200);

        // The key with which the provider was configured proves nothing, and does no harm.
        const wrong = { accessKey: "wrong", secretKey: "wrong-secret" };
        const stranger = await Seam.start({ url: lab.url, ...wrong });
        seam = await Seam.start({ url: lab.url });
        await stranger.up("AccessControl", "access", { password: PASSWORD });
        const kept = stranger.the("access");
        const { accessKey, secretKey } = open(kept.outputs) as typeof keys;
        keys = { accessKey, secretKey };
        lab.authorization = basic(accessKey, secretKey);
        seam.kept.set("access", kept);

        for (const path of ["/ping", "/v2-beta/token"])
          assert.equal((await as("", path)).status, 200);
        const anonymous = await as("");
        assert.equal(anonymous.status, 401);
        assert.equal(
          anonymous.headers.get("www-authenticate"),
          'Basic realm="Enter API access key and secret key as username and password"',
        );
        assert.equal((await as(basic("admin", PASSWORD))).status, 401);
        const login = await logIn(PASSWORD);
        assert.equal(login.status, 201);
        assert.equal((await logIn("wrong")).status, 401);
        const bearer = `Bearer ${String(login.body["jwt"])}`;
        assert.equal((await as(bearer)).status, 200);
        const [token] = (await as(bearer, "/v2-beta/token")).body.data;
        assert.equal(token?.["jwt"], bearer);

        assert.ok(await seam.read(kept), "its own key is proven");
        const { message } = await failure(stranger.up("Stack", "a", { name: "a" }));
        assert.match(message, /401.*check the provider's accessKey and secretKey/);
        assert.doesNotMatch(message, /wrong-secret/);
        stranger.stop();
      },
    );

    surprise(16, "turning access control on again does not change the password", async () => {
      const localAuth = (password: string): Promise<Plain> =>
        lab.request("POST", "/v2-beta/localauthconfigs", {
          ...{ type: "localAuthConfig", enabled: true, accessMode: "unrestricted" },
          ...{ name: "admin", username: "admin", password },
        });
      assert.deepEqual(refusal(await localAuth("another password")).slice(0, 2), [
        401,
        "IncorrectPassword",
      ]);
      const again = await localAuth(PASSWORD);
      assert.deepEqual([again.status, again.body["password"]], [201, PASSWORD]);
      const config = await lab.get("/v2-beta/localauthconfigs");
      const [row] = config.body.data;
      assert.deepEqual([row?.["id"], row?.["username"], row?.["enabled"]], [null, "", true]);

      const changed = "a quite different password";
      const sent = await lab.during(() =>
        seam.up("AccessControl", "access", { password: changed }),
      );
      assert.ok(writes(sent).some((request) => request.endsWith("?action=changesecret")));
      assert.ok(!writes(sent).some((request) => request.includes("localauthconfig")));
      assert.deepEqual([(await logIn(changed)).status, (await logIn(PASSWORD)).status], [201, 401]);
      await seam.up("AccessControl", "access", { password: PASSWORD });
      // Who does not know the password is told so, without hearing one.
      const guess = "not the password at all";
      const error = await failure(seam.up("AccessControl", "second", { password: guess }));
      assert.match(error.message, /does not let "admin" in with the given password/);
      assert.doesNotMatch(error.message, new RegExp(`${guess}|${PASSWORD}`));
    });

    surprise(17, "a browser's cookies need a second one: the provider is no browser", async () => {
      const { body } = await logIn(PASSWORD);
      const send = (headers: Record<string, string>): Promise<Plain> =>
        lab.request("POST", `${PROJECT}/stacks`, { name: "x" }, { authorization: "", ...headers });
      const cookie = `token=${String(body["jwt"])}`;
      const differing = await send({ cookie: `${cookie}; CSRF=a`, "x-api-csrf": "b" });
      assert.deepEqual(refusal(differing).slice(0, 2), [403, "InvalidCSRFToken"]);
      const bare = await send({ cookie });
      assert.equal(bare.status, 201);

      const proxy = await Proxy.start(lab.url);
      const other = await Seam.start({ url: proxy.url, ...keys });
      try {
        await other.up("Stack", "site", { name: "site" });
        await other.down("site");
        for (const { cookie: sent, ...headers } of proxy.headers) {
          assert.equal(sent, undefined);
          assert.equal(headers["x-api-csrf"], undefined);
          assert.doesNotMatch(headers["user-agent"] ?? "", /mozilla/i);
          assert.equal(headers.accept, "application/json");
        }
      } finally {
        other.stop();
        proxy.close();
      }
    });

    surprise(
      18,
      "an active key cannot be removed, and deactivating one shows its hash",
      async () => {
        const made = await lab.request("POST", "/v2-beta/apikeys", { name: "plain" });
        const path = `/v2-beta/apikeys/${String(made.body["id"])}`;
        await lab.settled(path);
        assert.equal((await lab.request("DELETE", path)).status, 405);
        const deactivated = await lab.request("POST", `${path}/?action=deactivate`);
        assert.match(deactivated.text, /SHA256:[0-9a-f]+:/);
        await lab.settled(path, "inactive");
        assert.equal((await lab.request("DELETE", path)).status, 200);
        const environmentKey = await lab.request("POST", `${PROJECT}/apikeys`, { name: "env" });
        const { publicValue, secretValue, id } = environmentKey.body as Record<string, string>;
        await lab.settled(`/v2-beta/apikeys/${id}`);
        const unscoped = await as(basic(publicValue ?? "", secretValue ?? ""), "/v2-beta/stacks");
        assert.equal(unscoped.headers.get("x-api-account-kind"), "project");

        const admin = await Seam.start({ url: lab.url, ...keys });
        try {
          for (const environmentId of [undefined, "1a5"]) {
            await admin.up("ApiKey", "key", {
              name: "key",
              ...(environmentId && { environmentId }),
            });
            const kept = admin.the("key");
            assert.doesNotMatch(JSON.stringify(kept), /SHA256/);
            const { accessKey, secretKey } = open(kept.outputs) as typeof keys;
            const answer = await as(basic(accessKey, secretKey));
            const kind = environmentId === undefined ? "admin" : "project";
            assert.deepEqual(
              [answer.status, answer.headers.get("x-api-account-kind")],
              [200, kind],
            );
            const removal = writes(await lab.during(() => admin.down("key")));
            assert.match(String(removal[0]), /\?action=deactivate$/);
            assert.match(String(removal.at(-1)), /^DELETE /);
            assert.equal((await as(basic(accessKey, secretKey))).status, 401);
          }
        } finally {
          admin.stop();
        }
      },
    );
  });

  it("all have a test", () => {
    const numbers = Array.from({ length: ALL }, (_, i) => i + 1);
    assert.deepEqual(
      numbers.filter((number) => !covered.has(number)),
      [],
    );
  });
});
