import * as assert from "node:assert/strict";
import { DATABASE_PASSWORD, PASSWORD, plainService, wholeSite } from "./declared";
import type { Declaration, LoadBalancerDeclaration, ServiceDeclaration } from "./declaration";
import { Engine, type Plan } from "./engine";
import { eventually, Rancher, type ServiceThing, type Thing, type View } from "./rancher";

/** A change of the program, and what it does on the server. */
interface ProgramChange {
  readonly given: string;
  readonly when: string;
  readonly then: string;
  change(declared: Declaration): void;
  readonly plan: Plan;
  check(before: View, after: View): void;
}

/** Something that happens to the server behind Pulumi's back. */
interface Drift {
  readonly given: string;
  readonly when: string;
  happens(rancher: Rancher, view: View): Promise<void>;
  /** What a preview with refresh plans. */
  readonly plan: Plan;
  check(before: View, after: View): void;
}

/** A change of the program that fails, together with the others. */
interface Failure {
  readonly given: string;
  readonly when: string;
  readonly then: string;
  change(declared: Declaration): void;
  readonly says: readonly RegExp[];
  /** What the next preview plans for it. */
  readonly plan: Plan;
  check(before: View, after: View): void;
  /** After an `up` of a program that is put right. */
  checkRepaired(failed: View, after: View): void;
  repair(declared: Declaration): void;
}

/** A resource that is wrong all over, which is found before anything is done. */
interface Mistakes {
  readonly what: string;
  make(declared: Declaration): void;
  /** Each property and what is said of it. */
  readonly problems: Readonly<Record<string, string>>;
}

const NEW_PASSWORD = "another long password";
const NEW_DATABASE_PASSWORD = "nobody may read that";

const changes: readonly ProgramChange[] = [
  {
    given: "a service of two containers",
    when: "its scale is 4",
    then: "nothing but its scale changes, without an upgrade",
    change: (declared) => {
      web(declared).args["scale"] = 4;
    },
    plan: { web: "update scale" },
    check: (before, after) => {
      assert.equal(service(after).scale, 4);
      assert.equal(service(after).launchConfig.version, service(before).launchConfig.version);
      const [old = [], now = []] = [before.containers["web"], after.containers["web"]];
      assert.equal(now.length, 4);
      assert.ok(
        old.length === 2 && old.every((id) => now.includes(id)),
        "containers were replaced",
      );
    },
  },
  {
    given: "a site",
    when: "everything changes that the server lets change in place",
    then: "each thing keeps its identity and its containers",
    change: (declared) => {
      declared.tokenDescription = "hosts of the site";
      declared.hosts["host"] = { ...first(declared.hosts), labels: { tier: "front" } };
      declared.stacks["site"] = { name: "blog", description: "a blog" };
      web(declared).args["name"] = "wordpress";
      web(declared).args["description"] = "the blog's pages";
      web(declared).args["metadata"] = { owner: "us" };
      balancer(declared).args["name"] = "front";
      first(balancer(declared).portRules).path = "/blog";
    },
    plan: {
      agents: "update description",
      host: "update labels.tier",
      site: "update description name",
      web: "update description metadata name",
      lb: "update lbConfig.portRules[0].path name",
    },
    check: (before, after) => {
      assert.deepEqual(sorted(after.tokens), sorted(before.tokens));
      assert.match(after.tokens[0]?.description ?? "", /^hosts of the site /);
      const { labels } = named(after.hosts, "sim-host-1");
      assert.deepEqual([labels["tier"], labels["sim.host"]], ["front", "1"]);
      assert.equal(named(after.stacks, "blog").id, named(before.stacks, "site").id);
      assert.equal(named(after.stacks, "blog").description, "a blog");
      const [now, then] = [service(after, "wordpress"), service(before)];
      assert.equal(now.id, then.id);
      assert.equal(now.description, "the blog's pages");
      assert.deepEqual(now.metadata, { owner: "us" });
      assert.deepEqual(after.containers["wordpress"], before.containers["web"]);
      const [front, lb] = [named(after.loadBalancers, "front"), named(before.loadBalancers, "lb")];
      assert.equal(front.id, lb.id);
      assert.equal(first(front.lbConfig?.portRules ?? []).path, "/blog");
      assert.deepEqual(after.containers["front"], before.containers["lb"]);
      assert.equal(front.launchConfig.version, lb.launchConfig.version);
    },
  },
  {
    given: "services that run",
    when: "what their containers are started with and the administrator's password change",
    then: "all containers are replaced and the upgrades are finished",
    change: (declared) => {
      const launchConfig = launchConfigOf(web(declared));
      launchConfig["imageUuid"] = "docker:nginx:1.27";
      launchConfig["environment"] = { PORT: 8081 };
      web(declared).secretEnvironment = { DATABASE_PASSWORD: NEW_DATABASE_PASSWORD };
      launchConfigOf(balancer(declared))["ports"] = ["80:80", "8080:8080"];
      declared.password = NEW_PASSWORD;
    },
    plan: {
      access: "update password",
      web: [
        "update",
        "launchConfig.environment.DATABASE_PASSWORD",
        "launchConfig.environment.DEBUG",
        "launchConfig.environment.PORT",
        "launchConfig.imageUuid",
      ].join(" "),
      lb: "update launchConfig.ports[1]",
    },
    check: (before, after) => {
      const now = service(after, "wordpress");
      assert.equal(now.state, "active");
      assert.equal(now.launchConfig.imageUuid, "docker:nginx:1.27");
      const environment = { PORT: "8081", DATABASE_PASSWORD: NEW_DATABASE_PASSWORD };
      assert.deepEqual(now.launchConfig.environment, environment);
      assert.equal(named(after.loadBalancers, "front").state, "active");
      for (const name of ["wordpress", "front"]) {
        const [old = [], fresh = []] = [before.containers[name], after.containers[name]];
        assert.equal(fresh.length, old.length);
        assert.ok(!fresh.some((id) => old.includes(id)), `${name} has old containers`);
      }
    },
  },
  {
    given: "a service in a stack",
    when: "it belongs to another stack",
    then: "it is made there and removed here, and the load balancer follows",
    change: (declared) => {
      web(declared).stack = "other";
    },
    plan: { web: "replace stackId", lb: "update lbConfig.portRules[0].serviceId" },
    check: (before, after) => {
      const now = service(after, "wordpress");
      assert.notEqual(now.id, service(before, "wordpress").id);
      assert.equal(now.stackId, named(after.stacks, "other").id);
      const [rule] = named(after.loadBalancers, "front").lbConfig?.portRules ?? [];
      assert.equal(rule?.serviceId, now.id);
    },
  },
];

const drifts: readonly Drift[] = [
  {
    given: "a scale, a rule, a description and a label that somebody changed",
    when: "refreshed",
    happens: async (rancher, view) => {
      const [{ id }, lb] = [service(view, "wordpress"), named(view.loadBalancers, "front")];
      await rancher.put("services", id, { scale: 1 });
      const portRules = lb.lbConfig?.portRules.map((rule) => ({ ...rule, path: "/shop" }));
      await rancher.put("loadbalancerservices", lb.id, { lbConfig: { portRules } });
      await rancher.put("stacks", named(view.stacks, "blog").id, { description: "a shop" });
      const { id: host, labels } = named(view.hosts, "sim-host-1");
      await rancher.put("hosts", host, { labels: { ...labels, tier: "back", theirs: "yes" } });
      await rancher.settled("services", id);
    },
    plan: {
      host: "update labels.tier",
      site: "update description",
      web: "update scale",
      lb: "update lbConfig.portRules[0].path",
    },
    check: (before, after) => {
      assert.equal(service(after, "wordpress").id, service(before, "wordpress").id);
      assert.equal(service(after, "wordpress").scale, 4);
      assert.equal(after.containers["wordpress"]?.length, 4);
      const [rule] = named(after.loadBalancers, "front").lbConfig?.portRules ?? [];
      assert.equal(rule?.path, "/blog");
      assert.equal(named(after.stacks, "blog").description, "a blog");
      const { labels } = named(after.hosts, "sim-host-1");
      assert.deepEqual([labels["tier"], labels["theirs"]], ["front", "yes"]);
    },
  },
  {
    given: "a service and a registration token that somebody removed",
    when: "refreshed",
    happens: async (rancher, view) => {
      await rancher.remove("services", service(view, "wordpress").id);
      const { id } = first(view.tokens);
      await rancher.act("registrationtokens", id, "deactivate");
      await rancher.settled("registrationtokens", id, "inactive");
      await rancher.remove("registrationtokens", id);
    },
    plan: { agents: "create", web: "create", lb: "update lbConfig.portRules[0].serviceId" },
    check: (before, after) => {
      assert.notEqual(service(after, "wordpress").id, service(before, "wordpress").id);
      assert.equal(after.containers["wordpress"]?.length, 4);
      const [rule] = named(after.loadBalancers, "front").lbConfig?.portRules ?? [];
      assert.equal(rule?.serviceId, service(after, "wordpress").id);
      assert.equal(after.tokens.length, 1);
    },
  },
  {
    given: "stacks that somebody removed, with the service and the load balancer in them",
    when: "refreshed",
    happens: async (rancher, view) => {
      for (const { id } of Object.values(view.stacks)) await rancher.remove("stacks", id);
    },
    plan: { site: "create", other: "create", web: "create", lb: "create" },
    check: (before, after) => {
      const [blog, other] = [named(after.stacks, "blog").id, named(after.stacks, "other").id];
      assert.notEqual(blog, named(before.stacks, "blog").id);
      const { stackId, state } = named(after.loadBalancers, "front");
      assert.deepEqual([stackId, state], [blog, "active"]);
      assert.equal(service(after, "wordpress").stackId, other);
      assert.equal(after.containers["wordpress"]?.length, 4);
    },
  },
];

const failures: readonly Failure[] = [
  {
    given: "a service that runs",
    when: "it is upgraded to an image that does not exist",
    then: "the server's reason is told, and the old containers are back",
    change: (declared) => {
      launchConfigOf(web(declared))["imageUuid"] = "docker:doesnotexist/wordpress";
      web(declared).timeouts = { update: "40s" };
    },
    says: [
      /the upgrade of service wordpress \(1s\d+\) failed, and it was rolled back/,
      /no such image: doesnotexist\/wordpress/,
    ],
    plan: { web: "update launchConfig.imageUuid" },
    check: (before, after) => {
      const [now, then] = [service(after, "wordpress"), service(before, "wordpress")];
      assert.equal(now.state, "active");
      assert.equal(now.launchConfig.imageUuid, then.launchConfig.imageUuid);
      assert.deepEqual(after.containers["wordpress"], before.containers["wordpress"]);
    },
    repair: (declared) => {
      launchConfigOf(web(declared))["imageUuid"] = "docker:nginx:1.27";
      web(declared).timeouts = { update: "4m" };
    },
    checkRepaired: (failed, after) => {
      assert.deepEqual(after.containers["wordpress"], failed.containers["wordpress"]);
    },
  },
  {
    given: "a site",
    when: "a service is added whose image does not exist",
    then: "the server's reason is told, and the service goes on from there when it is put right",
    change: (declared) => {
      declared.services["late"] = {
        ...plainService("late", "doesnotexist/late"),
        timeouts: { create: "30s" },
      };
    },
    says: [/waiting for service late \(1s\d+\) to run/, /no such image: doesnotexist\/late/],
    // It exists but did not become ready.
    plan: { late: "update" },
    check: (_, after) => {
      assert.equal(service(after, "late").launchConfig.imageUuid, "docker:doesnotexist/late");
    },
    repair: (declared) => {
      declared.services["late"] = plainService("late", "late:2");
    },
    checkRepaired: (failed, after) => {
      const { id, state, launchConfig } = service(after, "late");
      assert.deepEqual([id, state], [service(failed, "late").id, "active"]);
      assert.equal(launchConfig.imageUuid, "docker:late:2");
      assert.equal(after.containers["late"]?.length, 1);
    },
  },
];

const mistakes: readonly Mistakes[] = [
  {
    what: "service",
    make: (declared) => {
      declared.services["wrong"] = {
        stack: "site",
        args: {
          name: "-wrong",
          scale: -1,
          launchConfig: {
            imageUuid: "nginx",
            ports: ["80:80", "80:eighty"],
            comand: ["run"],
            healthCheck: { port: 0 },
          },
          upgradeStrategy: { intervalMillis: 5 },
        },
      };
    },
    problems: {
      name: "must be 1 to 63 letters, digits and hyphens",
      scale: "must be a whole number of 0 or more, got -1",
      "launchConfig.imageUuid": "must start with docker:",
      "launchConfig.ports[1]": "must be public:private/protocol",
      "launchConfig.comand": "did you mean command?",
      "launchConfig.healthCheck.port": "must be a whole number from 1 to 65535, got 0",
      "upgradeStrategy.intervalMillis": "must be a whole number of 100 or more, got 5",
    },
  },
  {
    what: "load balancer",
    make: (declared) => {
      declared.loadBalancers["wrong"] = {
        stack: "site",
        args: { name: "wrong", launchConfig: { imageUuid: "docker:haproxy" } },
        portRules: [{ service: "web", sourcePort: 42, targetPort: 0, path: "/" }],
      };
    },
    problems: {
      "lbConfig.portRules[0].sourcePort": "must not be 42",
      "lbConfig.portRules[0].targetPort": "must be a whole number from 1 to 65535, got 0",
    },
  },
];

/** As a program and as a client of the API would write them. */
const theirs = {
  stack: { name: "shop", description: "theirs" },
  service: {
    name: "pages",
    scale: 1,
    launchConfig: {
      imageUuid: "docker:pages:1",
      environment: { LANGUAGE: "en" },
      labels: { role: "pages" },
      healthCheck: {
        port: 80,
        interval: 2000,
        responseTimeout: 2000,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
      },
    },
  },
  loadBalancer: {
    name: "door",
    scale: 1,
    launchConfig: {
      imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14",
      ports: ["8090:8090"],
    },
  },
  rule: { sourcePort: 8090, targetPort: 80 },
};

describe("the Rancher provider, through the engine", function () {
  this.timeout(600_000);
  let rancher: Rancher;
  let engine: Engine;
  // One stack goes through all cases in turn: an engine run costs seconds.
  let declared: Declaration;
  let isUp = false;

  /** Changes what the program declares, from now on. */
  function declare(change: (declared: Declaration) => void): void {
    change(declared);
    engine.declare(declared);
  }

  before(async () => {
    engine = new Engine();
    rancher = await Rancher.start();
    declared = wholeSite(rancher.url);
    await engine.run("stack", "init", "test");
  });
  beforeEach(function () {
    // Without a site each case would wait its whole time for one.
    if (!isUp && this.currentTest !== this.test?.parent?.tests[0]) this.skip();
  });
  after(async () => {
    engine?.remove();
    await rancher?.close();
  });

  it("GIVEN a fresh server WHEN all is declared THEN it is closed, machines join, and all runs", async () => {
    declare(() => undefined);
    const upped = engine.up();
    // Its failure is seen below; it must not end the process meanwhile.
    upped.catch(() => undefined);
    const { registrationUrl } = await eventually("there is a registration token", 180, async () => {
      await rancher.logIn(PASSWORD);
      return (await rancher.tokens())[0];
    });
    await rancher.addHosts(registrationUrl);
    await upped;
    assert.equal(await rancher.anonymously("/v2-beta/projects"), 401);
    const view = await rancher.view();
    assert.deepEqual(Object.keys(view.stacks).sort(), ["other", "site"]);
    const { state, scale, launchConfig, id, stackId } = service(view);
    assert.deepEqual(
      { state, scale, stackId },
      { state: "active", scale: 2, stackId: named(view.stacks, "site").id },
    );
    assert.deepEqual(launchConfig.environment, { PORT: "8080", DEBUG: "yes", DATABASE_PASSWORD });
    assert.equal(view.containers["web"]?.length, 2);
    assert.deepEqual(
      named(view.loadBalancers, "lb").lbConfig?.portRules.map((rule) => rule.serviceId),
      [id],
    );
    assert.deepEqual(view.containers["lb"]?.length, 1);
    assert.deepEqual(named(view.hosts, "sim-host-1").labels["tier"], "web");
    const outputs = await engine.outputs();
    assert.deepEqual(outputs["hostnames"], { host: "sim-host-1" });
    assert.deepEqual(outputs["serviceIds"], { web: id });
    assert.equal(outputs["registrationUrl"], registrationUrl);
    isUp = true;
  });

  for (const { given, when, then, change, plan, check } of changes) {
    it(`GIVEN ${given} WHEN ${when} THEN ${then}`, async () => {
      const before = await rancher.view();
      declare(change);
      assert.deepEqual(await engine.plan(), plan);
      await engine.up();
      await rancher.logIn(declared.password);
      check(before, await rancher.view());
    });
  }

  it("GIVEN a password that changed WHEN logging in THEN only the new one opens the server", async () => {
    assert.equal(await rancher.logIn(PASSWORD), 401);
    assert.equal(await rancher.logIn(NEW_PASSWORD), 201);
  });

  for (const { given, when, happens, plan, check } of drifts) {
    it(`GIVEN ${given} WHEN ${when} THEN preview shows it and up puts it back`, async () => {
      const before = await rancher.view();
      await happens(rancher, before);
      assert.deepEqual(await engine.plan("--refresh"), plan);
      await engine.up("--refresh");
      check(before, await rancher.view());
    });
  }

  /** What came of all {@link failures}, which share their runs of the engine. */
  async function fail() {
    const before = await rancher.view();
    declare((declared) => failures.forEach(({ change }) => change(declared)));
    const said = await engine.failingUp();
    const failed = await rancher.view();
    const plan = await engine.plan();
    declare((declared) => failures.forEach(({ repair }) => repair(declared)));
    await engine.up();
    return { before, said, failed, plan, repaired: await rancher.view() };
  }
  let outcome: ReturnType<typeof fail> | undefined;

  for (const { given, when, then, says, check, checkRepaired, plan: planned } of failures) {
    it(`GIVEN ${given} WHEN ${when} THEN ${then}`, async () => {
      const { before, said, failed, plan, repaired } = await (outcome ??= fail());
      for (const expected of says) assert.match(said, expected);
      check(before, failed);
      assert.deepEqual({ ...plan, ...planned }, plan);
      checkRepaired(failed, repaired);
    });
  }

  for (const { what, make, problems } of mistakes) {
    it(`GIVEN a ${what} that is wrong all over WHEN previewed THEN every problem is told with its path`, async () => {
      const right = structuredClone(declared);
      declare(make);
      const { code, output } = await engine.tryRun("preview");
      declared = right;
      assert.notEqual(code, 0);
      for (const [property, reason] of Object.entries(problems)) {
        const line = output.split("\n").find((each) => each.includes(`property ${property} `));
        assert.ok(line?.includes(reason), `nothing is said of ${property}:\n${output}`);
      }
    });
  }

  it("GIVEN a run that was killed in the middle WHEN run again THEN it goes on with what is half made", async () => {
    const before = await rancher.view();
    rancher.pace.startDelayMs = 60_000;
    declare((declared) => {
      declared.services["slow"] = plainService("slow", "slow:1");
      launchConfigOf(web(declared))["imageUuid"] = "docker:nginx:1.28";
    });
    const { pid, ended } = engine.start(["up", "--yes", "--skip-preview"]);
    const halfMade = await eventually("both services are being worked on", 180, async () => {
      const { slow, wordpress } = (await rancher.view()).services;
      return slow?.state === "activating" && wordpress?.state === "upgrading" && slow;
    });
    process.kill(-pid, "SIGKILL");
    await ended;
    await eventually("its plugins have ended", 60, () => engine.processes().length === 0);
    rancher.pace.startDelayMs = 50;
    // The lock that it left.
    await engine.run("cancel", "--yes");
    await engine.up();
    const after = await rancher.view();
    assert.deepEqual(
      [service(after, "slow").id, service(after, "slow").state],
      [halfMade.id, "active"],
    );
    const { id, state, launchConfig } = service(after, "wordpress");
    assert.deepEqual([id, state], [service(before, "wordpress").id, "active"]);
    assert.equal(launchConfig.imageUuid, "docker:nginx:1.28");
    // Pulumi goes on warning of the create that it knows nothing about until it is told not to.
    await engine.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates");
    assert.equal((await engine.state()).pending_operations, undefined);
  });

  it("GIVEN things that somebody else made WHEN imported and declared THEN nothing changes", async () => {
    const stack = await rancher.post("stacks", theirs.stack);
    await rancher.settled("stacks", stack.id);
    const service = await rancher.post("services", {
      ...theirs.service,
      stackId: stack.id,
      startOnCreate: true,
    });
    await rancher.settled("services", service.id);
    const balancer = await rancher.post("loadbalancerservices", {
      ...theirs.loadBalancer,
      stackId: stack.id,
      startOnCreate: true,
      lbConfig: { portRules: [{ ...theirs.rule, serviceId: service.id }] },
    });
    await rancher.settled("loadbalancerservices", balancer.id);
    const before = await rancher.view();

    await engine.import({
      shop: ["rancher:index:Stack", stack.id],
      pages: ["rancher:index:Service", service.id],
      door: ["rancher:index:LoadBalancer", balancer.id],
    });
    declare((declared) => {
      declared.stacks["shop"] = theirs.stack;
      declared.services["pages"] = { stack: "shop", args: theirs.service };
      declared.loadBalancers["door"] = {
        stack: "shop",
        args: theirs.loadBalancer,
        portRules: [{ service: "pages", ...theirs.rule }],
      };
    });
    assert.deepEqual(await engine.plan(), {});
    await engine.up();
    assert.deepEqual((await rancher.view()).containers, before.containers);
  });

  it("GIVEN all of this WHEN looking for secrets THEN they were never printed or written in clear", async () => {
    const { secretKey, registrationUrl } = await engine.outputs();
    await engine.state();
    const right = structuredClone(declared);
    declare((declared) => {
      declared.password = "a password for the preview";
      web(declared).secretEnvironment = { DATABASE_PASSWORD: "not in a preview either" };
    });
    const diff = await engine.run("preview", "--diff");
    declared = right;
    assert.match(diff, /password *: \[secret\] => \[secret\]/);
    assert.match(diff, /DATABASE_PASSWORD *: \[secret\]/);
    const secrets = [
      "a password for the preview",
      "not in a preview either",
      PASSWORD,
      NEW_PASSWORD,
      DATABASE_PASSWORD,
      NEW_DATABASE_PASSWORD,
      secretKey,
      String(registrationUrl).split("/").pop(),
    ];
    const places: [string, string][] = [["what Pulumi printed", engine.said], ...engine.files()];
    assert.ok(places.length > 20);
    for (const secret of secrets.map(String)) {
      assert.ok(secret.length > 10);
      for (const [place, text] of places)
        assert.ok(!text.includes(secret), `${place} has ${secret}`);
    }
  });

  it("GIVEN all of this WHEN destroyed THEN nothing of ours is left on the server, and it stays closed", async () => {
    await engine.run("destroy", "--yes", "--skip-preview");
    assert.deepEqual((await engine.state()).resources ?? [], []);
    const { stacks, services, loadBalancers, hosts, tokens } = await rancher.view();
    assert.deepEqual(
      { stacks, services, loadBalancers, tokens },
      { stacks: {}, services: {}, loadBalancers: {}, tokens: [] },
    );
    // The other host was never declared.
    assert.deepEqual(Object.keys(hosts), ["sim-host-2"]);
    assert.deepEqual(await rancher.keys(), []);
    assert.equal(await rancher.anonymously("/v2-beta/projects"), 401);
    assert.equal(await rancher.logIn(declared.password), 201);
    await eventually("all plugins have ended", 60, () => engine.processes().length === 0);
  });
});

/** The one service's declaration. */
function web(declared: Declaration): ServiceDeclaration {
  return named(declared.services, "web");
}

/** The one load balancer's declaration. */
function balancer(declared: Declaration): LoadBalancerDeclaration {
  return named(declared.loadBalancers, "lb");
}

function launchConfigOf({ args }: { args: Record<string, unknown> }): Record<string, unknown> {
  return args["launchConfig"] as Record<string, unknown>;
}

function service(view: View, name = "web"): ServiceThing {
  return named(view.services, name);
}

function named<T>(table: Readonly<Record<string, T>>, name: string): T {
  const found = table[name];
  assert.ok(found !== undefined, `there is no ${name}, only ${Object.keys(table).join(", ")}`);
  return found;
}

function first<T>(things: readonly T[] | Readonly<Record<string, T>>): T {
  const [one] = Object.values(things);
  assert.ok(one !== undefined, "there is none");
  return one;
}

function sorted(things: readonly Thing[]): string[] {
  return things.map(({ id }) => id).sort();
}
