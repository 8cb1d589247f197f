/** Compose stacks, sidekicks, scale policies and service links of the lab's Rancher server, over HTTP. */
import * as assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { MemoryStore } from "../rancher/server/store";
import { project, Rig, type Json } from "./rancherRig";

const compose = (image: string, more: readonly string[] = []): string =>
  [
    "version: '2'",
    "services:",
    "  web:",
    `    image: ${image}`,
    "    links:",
    "      - db:database",
    ...more.map((line) => `  ${line}`),
    "  db:",
    "    image: mysql:5.7",
    "    environment:",
    "      MYSQL_ROOT_PASSWORD: pw",
  ].join("\n");

const scaled = [
  "version: '2'",
  "services:",
  "  web:",
  "    scale: 2",
  "    health_check:",
  "      port: 80",
  "      interval: 2000",
  "      request_line: GET / HTTP/1.0",
].join("\n");

describe("compose stacks of the lab's Rancher server", function () {
  this.timeout(15_000);
  let rig: Rig;

  before(async () => {
    rig = await new Rig().start();
    await rig.addHost(1);
    await rig.addHost(2);
  });

  after(() => rig.stop());

  const stackOf = async (name: string, body: Json): Promise<Json> =>
    (await rig.call("POST", `${project}/stacks`, { name, startOnCreate: true, ...body })).body;

  const look = async (thing: Json): Promise<Json> => {
    const plural = String(thing["id"]).startsWith("1st") ? "stacks" : "services";
    return (await rig.call("GET", `${project}/${plural}/${String(thing["id"])}`)).body;
  };

  const act = async (thing: Json, action: string, body?: Json): Promise<Json> => {
    const plural = String(thing["id"]).startsWith("1st") ? "stacks" : "services";
    const path = `${project}/${plural}/${String(thing["id"])}/?action=${action}`;
    const answer = await rig.call("POST", path, body);
    assert.ok(answer.status < 300, `${action}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };

  /** Looks until it is so; fails with the last look. */
  const until = async (thing: Json, is: (seen: Json) => boolean): Promise<Json> => {
    let seen: Json = {};
    for (const end = Date.now() + 8_000; Date.now() < end; await sleep(15)) {
      seen = await look(thing);
      if (is(seen)) return seen;
    }
    assert.fail(`${String(seen["name"])} stays ${String(seen["state"])}: ${JSON.stringify(seen)}`);
  };

  const rested =
    (state: string) =>
    (seen: Json): boolean =>
      seen["state"] === state && seen["transitioning"] !== "yes";

  const services = async (stack: Json): Promise<Record<string, Json>> => {
    const path = `${project}/stacks/${String(stack["id"])}/services`;
    const { body } = await rig.call("GET", path);
    return Object.fromEntries((body["data"] as Json[]).map((s) => [s["name"], s]));
  };

  const containers = async (service: Json): Promise<Json[]> => {
    const path = `${project}/services/${String(service["id"])}/instances`;
    return (await rig.call("GET", path)).body["data"] as Json[];
  };

  it("makes and starts the services of both files, each after those it links to", async () => {
    const made = await stackOf("made", { dockerCompose: compose("nginx"), rancherCompose: scaled });
    assert.equal(made["state"], "activating");
    await until(made, rested("active"));
    const { web, db } = await services(made);
    assert.deepEqual(web?.["linkedServices"], { database: db?.["id"] });
    assert.equal(web?.["scale"], 2);
    assert.equal(web?.["launchConfig"]["healthCheck"]["requestLine"], "GET / HTTP/1.0");
    assert.deepEqual(db?.["launchConfig"]["environment"], { MYSQL_ROOT_PASSWORD: "pw" });
    assert.ok(Number(db?.["id"].slice(2)) < Number(web?.["id"].slice(2)));
    assert.deepEqual([web?.["state"], db?.["state"]], ["active", "active"]);
  });

  it("only makes them without startOnCreate", async () => {
    const stack = await stackOf("asleep", {
      dockerCompose: compose("nginx"),
      startOnCreate: false,
    });
    await until(stack, rested("active"));
    const states = Object.values(await services(stack)).map((s) => String(s["state"]));
    assert.deepEqual(states, ["inactive", "inactive"]);
  });

  it("reads version 1, variables, and both forms of lists and maps", async () => {
    const dockerCompose = [
      "web:",
      "  image: ${IMAGE}:$TAG",
      "  command: sh -c \"echo '$$HOME' here\"",
      "  entrypoint: [/bin/init, --]",
      "  environment: [A=1, TAG]",
      "  labels: ['a=b']",
      "  ports: ['8097:80', 81/udp]",
      "  volumes: ['/data', 'named:/x']",
      "  net: host",
      "  privileged: true",
      "  mem_limit: 64m",
    ].join("\n");
    const rancherCompose = "web:\n  metadata:\n    who: {me: 1}\n  retain_ip: true\n";
    const environment = { IMAGE: "nginx", TAG: "1.13" };
    const stack = await stackOf("old", { dockerCompose, rancherCompose, environment });
    await until(stack, rested("active"));
    const { web } = await services(stack);
    const config = web?.["launchConfig"] as Json;
    assert.equal(config["imageUuid"], "docker:nginx:1.13");
    assert.deepEqual(config["command"], ["sh", "-c", "echo '$HOME' here"]);
    assert.deepEqual(config["entryPoint"], ["/bin/init", "--"]);
    assert.deepEqual(config["environment"], { A: "1", TAG: "1.13" });
    assert.equal(config["labels"]["a"], "b");
    assert.deepEqual(config["ports"], ["8097:80/tcp", "81/udp"]);
    assert.deepEqual(config["dataVolumes"], ["/data", "named:/x"]);
    assert.equal(config["networkMode"], "host");
    assert.equal(config["privileged"], true);
    assert.equal(config["memory"], 64 * 1024 * 1024);
    assert.deepEqual(web?.["metadata"]["who"], { me: 1 });
    assert.equal(web?.["retainIp"], true);
  });

  it("makes load balancers, sidekicks and links to other stacks", async () => {
    const dockerCompose = [
      "version: '2'",
      "services:",
      "  lb:",
      "    image: rancher/lb-service-haproxy:v0.9.14",
      "    ports: ['8098:80/tcp']",
      "  web:",
      "    image: nginx",
      "    external_links: ['made/db:store', 'nowhere/x:y']",
      "    labels: {io.rancher.sidekicks: data}",
      "    volumes_from: [data]",
      "  data: {image: busybox, network_mode: 'container:web'}",
    ].join("\n");
    const rancherCompose = [
      "version: '2'",
      "services:",
      "  lb:",
      "    lb_config:",
      "      port_rules:",
      "        - {source_port: 80, target_port: 8080, service: web, hostname: example.test}",
    ].join("\n");
    const stack = await stackOf("mixed", { dockerCompose, rancherCompose });
    await until(stack, rested("active"));
    const { lb, web, data } = await services(stack);
    assert.equal(data, undefined);
    assert.equal(lb?.["type"], "loadBalancerService");
    const [rule] = lb?.["lbConfig"]["portRules"] as Json[];
    assert.deepEqual(
      [rule?.["serviceId"], rule?.["targetPort"], rule?.["hostname"]],
      [web?.["id"], 8080, "example.test"],
    );
    const [side] = web?.["secondaryLaunchConfigs"] as Json[];
    assert.deepEqual([side?.["name"], side?.["networkLaunchConfig"]], ["data", "web"]);
    assert.deepEqual(web?.["launchConfig"]["dataVolumesFromLaunchConfigs"], ["data"]);
    assert.deepEqual(Object.keys(web?.["linkedServices"] as Json), ["store"]);
    const names = (await containers(web ?? {})).map((c) => String(c["name"])).sort();
    assert.deepEqual(names, ["mixed-web-1", "mixed-web-data-1"]);
  });

  for (const [what, dockerCompose, message] of [
    [
      "no YAML",
      "services: [nope",
      /^error parsing yaml, please check: yaml: line 1: did not find expected ',' or '\]'\. \(Note/,
    ],
    [
      "a service without image",
      "version: '2'\nservices:\n  a:\n    command: x\n",
      /^Bad response statusCode \[422\]\. Status .*\[code=InvalidOption, fieldName=Image is required/,
    ],
    ["version 3", "version: '3'\nservices: {}\n", /^version 3 is not supported$/],
    [
      "a link to nothing",
      "version: '2'\nservices:\n  a: {image: x, links: [b]}\n",
      /^Service 'a' has a link to service 'b' which is undefined$/,
    ],
    ["a stray $", "version: '2'\nservices:\n  a: {image: 'x$'}\n", /^Invalid interpolation format/],
  ] as const) {
    it(`ends in state error for ${what}`, async () => {
      const stack = await stackOf(what.replace(/\W/g, "-") + "-x", { dockerCompose });
      const failed = await until(stack, (s) => s["state"] !== "activating");
      assert.deepEqual([failed["state"], failed["transitioning"]], ["error", "error"]);
      assert.match(String(failed["transitioningMessage"]), message);
      await rig.call("DELETE", `${project}/stacks/${String(stack["id"])}`);
      await until(stack, (s) => s["state"] === "removed");
    });
  }

  it("upgrades what changed, makes what is new, and finishes", async () => {
    const stack = await stackOf("up", {
      dockerCompose: compose("nginx:${TAG}"),
      environment: { TAG: "1", OLD: "o" },
      externalId: "first",
    });
    await until(stack, rested("active"));
    const before = await services(stack);
    await act(stack, "upgrade", {
      dockerCompose: `${compose("nginx:${TAG}")}\n  extra:\n    image: busybox\n`,
      environment: { TAG: "2" },
      externalId: "second",
    });
    const upgraded = await until(stack, rested("upgraded"));
    assert.ok("finishupgrade" in upgraded["actions"] && "rollback" in upgraded["actions"]);
    assert.deepEqual(upgraded["environment"], { TAG: "2", OLD: "o" });
    assert.deepEqual(upgraded["previousEnvironment"], { TAG: "1", OLD: "o" });
    assert.deepEqual([upgraded["externalId"], upgraded["previousExternalId"]], ["second", "first"]);
    // As recorded: the files that a stack shows are those that it was made from.
    assert.equal(upgraded["dockerCompose"], compose("nginx:${TAG}"));
    const { web, db, extra } = await services(stack);
    assert.equal(web?.["state"], "upgraded");
    assert.equal(web?.["launchConfig"]["imageUuid"], "docker:nginx:2");
    assert.equal(db?.["launchConfig"]["version"], before["db"]?.["launchConfig"]["version"]);
    assert.equal(extra?.["state"], "active");
    await act(stack, "finishupgrade");
    const finished = await until(stack, rested("active"));
    assert.deepEqual(
      [finished["previousEnvironment"], finished["previousExternalId"]],
      [null, null],
    );
    assert.equal((await look(web ?? {}))["state"], "active");
    assert.equal((await containers(web ?? {})).length, 1);
  });

  it("rolls back the services that were upgraded, and the environment", async () => {
    const stack = await stackOf("back", {
      dockerCompose: compose("nginx:${TAG}"),
      environment: { TAG: "1" },
    });
    await until(stack, rested("active"));
    await act(stack, "upgrade", {
      dockerCompose: compose("nginx:${TAG}"),
      environment: { TAG: "2" },
    });
    await until(stack, rested("upgraded"));
    await act(stack, "rollback");
    const after = await until(stack, rested("active"));
    assert.deepEqual(after["environment"], { TAG: "1" });
    const { web } = await services(stack);
    assert.deepEqual(
      [web?.["state"], web?.["launchConfig"]["imageUuid"]],
      ["active", "docker:nginx:1"],
    );
  });

  it("cancels an upgrade that cannot be executed, and takes another one", async () => {
    const stack = await stackOf("canceled", { dockerCompose: compose("nginx") });
    await until(stack, rested("active"));
    await act(stack, "upgrade", { dockerCompose: "services: [nope" });
    const failed = await until(stack, rested("canceled-upgrade"));
    assert.match(String(failed["transitioningMessage"]), /^error parsing yaml/);
    await act(stack, "upgrade", { dockerCompose: compose("nginx:2") });
    await until(stack, rested("upgraded"));
    await act(stack, "rollback");
    await until(stack, rested("active"));
  });

  it("is upgraded before a service that fails is: cancel and roll back that one first", async () => {
    const stack = await stackOf("failing", { dockerCompose: compose("nginx") });
    await until(stack, rested("active"));
    await act(stack, "upgrade", { dockerCompose: compose("doesnotexist") });
    await until(stack, rested("upgraded"));
    const { web = {} } = await services(stack);
    assert.equal(web["state"], "upgrading");
    await act(web, "cancelupgrade");
    await until(web, rested("canceled-upgrade"));
    await act(web, "rollback");
    await until(web, rested("active"));
    await act(stack, "rollback");
    await until(stack, rested("active"));
    assert.equal((await look(web))["launchConfig"]["imageUuid"], "docker:nginx");
  });

  it("goes on with making a stack after a restart of the server", async () => {
    const store = new MemoryStore();
    const first = await new Rig(store).start();
    const agent = await first.addHost(1);
    const body = { name: "s", startOnCreate: true, dockerCompose: compose("nginx") };
    const stack = await first.post(`${project}/stacks`, body);
    const { port } = first.server;
    await first.server.close();
    const second = await new Rig(store).start(port);
    try {
      await second.active(`${project}/stacks/${String(stack["id"])}`);
    } finally {
      agent.stop();
      await second.stop();
    }
  });

  it("upgrades, adds and removes sidekicks, and what shares their volumes", async () => {
    const { body: stack } = await rig.call("POST", `${project}/stacks`, { name: "side" });
    const { body: service } = await rig.call("POST", `${project}/services`, {
      ...{ name: "main", stackId: stack["id"], startOnCreate: true },
      launchConfig: { imageUuid: "docker:nginx", dataVolumesFromLaunchConfigs: ["data"] },
      secondaryLaunchConfigs: [
        { name: "data", imageUuid: "docker:busybox:1" },
        { name: "log", imageUuid: "docker:logger:1" },
      ],
    });
    const first = await until(service, rested("active"));
    const strategy = (secondaryLaunchConfigs: Json[]): Json => ({
      inServiceStrategy: { secondaryLaunchConfigs, intervalMillis: 100 },
    });
    await act(service, "upgrade", strategy([{ name: "data", imageUuid: "docker:busybox:2" }]));
    const second = await until(service, rested("upgraded"));
    const version = (seen: Json, name: string): unknown =>
      (seen["secondaryLaunchConfigs"] as Json[]).find((c) => c["name"] === name)?.["version"];
    assert.notEqual(second["launchConfig"]["version"], first["launchConfig"]["version"]);
    assert.notEqual(version(second, "data"), version(first, "data"));
    assert.equal(version(second, "log"), version(first, "log"));
    await act(service, "finishupgrade");
    await until(service, rested("active"));
    await act(
      service,
      "upgrade",
      strategy([
        { name: "log", imageUuid: "rancher/none" },
        { name: "new", imageUuid: "docker:busybox" },
      ]),
    );
    await until(service, rested("upgraded"));
    await act(service, "finishupgrade");
    const third = await until(service, rested("active"));
    const names = (third["secondaryLaunchConfigs"] as Json[]).map((c) => String(c["name"]));
    assert.deepEqual(names.sort(), ["data", "new"]);
    const running = (await containers(service)).map((c) => String(c["name"])).sort();
    assert.deepEqual(running, ["side-main-1", "side-main-data-1", "side-main-new-1"]);
  });

  it("scales by a policy as far as hosts have room, and again when there is another host", async () => {
    const { body: stack } = await rig.call("POST", `${project}/stacks`, { name: "policy" });
    const { body: service } = await rig.call("POST", `${project}/services`, {
      ...{ name: "p", stackId: stack["id"], startOnCreate: true },
      launchConfig: { imageUuid: "docker:nginx", ports: ["8099:80/tcp"] },
      scalePolicy: { min: 1, max: 3, increment: 1 },
    });
    const has =
      (count: number) =>
      (seen: Json): boolean =>
        rested("active")(seen) && (seen["instanceIds"] as string[] | null)?.length === count;
    await until(service, has(2));
    await sleep(300);
    assert.ok(has(2)(await look(service)));
    await rig.addHost(3);
    await until(service, has(3));
    const path = `${project}/services/${String(service["id"])}`;
    await rig.call("PUT", path, { scalePolicy: { min: 1, max: 1 } });
    const least = await until(service, has(1));
    assert.deepEqual([least["scalePolicy"]["max"], least["scalePolicy"]["increment"]], [1, 1]);
    const wrong = await rig.call("PUT", path, { scalePolicy: { min: 3, max: 2 } });
    assert.deepEqual([wrong.status, wrong.body["code"]], [422, "MaxLimitExceeded"]);
  });

  it("sets, adds and removes links", async () => {
    const { body: stack } = await rig.call("POST", `${project}/stacks`, { name: "links" });
    const make = async (name: string): Promise<Json> =>
      (
        await rig.call("POST", `${project}/services`, {
          ...{ name, stackId: stack["id"], launchConfig: { imageUuid: "docker:nginx" } },
        })
      ).body;
    const [a, b, c] = [await make("a"), await make("b"), await make("c")];
    await until(a, rested("inactive"));
    const serviceLinks = [{ serviceId: b["id"], name: "store" }, { serviceId: c["id"] }];
    await act(a, "setservicelinks", { serviceLinks });
    assert.deepEqual((await look(a))["linkedServices"], { store: b["id"], c: c["id"] });
    await act(a, "addservicelink", { serviceLink: { serviceId: b["id"], name: "again" } });
    await act(a, "removeservicelink", { serviceLink: { serviceId: b["id"], name: "store" } });
    assert.deepEqual((await look(a))["linkedServices"], { again: b["id"], c: c["id"] });
    await act(a, "setservicelinks", { serviceLinks: [] });
    assert.equal((await look(a))["linkedServices"], null);
  });
});
