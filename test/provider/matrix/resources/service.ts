import * as assert from "node:assert/strict";
import type { ResourceCells } from "../cells";
import { changedBySomebody, importedTwice, wrong } from "../common";
import { ref, secret } from "../declaration";
import { DATABASE_PASSWORD, healthCheck, plainService } from "../site";
import { named, thingOf } from "../stage";

const NEW_DATABASE_PASSWORD = "nobody may read that";
const PREVIEWED_PASSWORD = "not in a preview either";

/** As a program and as a client of the API would write it. */
const theirs = {
  scale: 1,
  launchConfig: {
    imageUuid: "docker:pages:1",
    environment: { LANGUAGE: "en" },
    labels: { role: "pages" },
    healthCheck,
  },
};

const LATEST = "docker:nginx:1.28";
const upgraded = {
  imageUuid: "docker:nginx:1.27",
  environment: { PORT: 8081, DATABASE_PASSWORD: secret(NEW_DATABASE_PASSWORD) },
  healthCheck,
};

interface Balancer {
  readonly id: string;
  readonly lbConfig: { readonly portRules: readonly { readonly serviceId: string }[] };
}

/** See `rancher.Service`. */
export const service: ResourceCells = {
  updates: {
    stackId: { of: "web", effect: "replace", to: ref("other") },
    name: { of: "web", effect: "update", to: "wordpress" },
    description: { of: "web", effect: "update", to: "the blog's pages" },
    scale: {
      of: "web",
      effect: "update",
      to: 4,
      check: ({ after }) => {
        assert.equal(named(after.known, "web").containers.length, 4);
      },
    },
    launchConfig: {
      of: "web",
      effect: "upgrade",
      to: upgraded,
      paths: [
        "launchConfig.environment.DATABASE_PASSWORD",
        "launchConfig.environment.DEBUG",
        "launchConfig.environment.PORT",
        "launchConfig.imageUuid",
      ],
      check: ({ after }) => {
        const { environment } = thingOf(after, "web")["launchConfig"] as typeof upgraded;
        assert.ok(!("DEBUG" in environment), "DEBUG is still there");
      },
    },
    scalePolicy: {
      of: "pair",
      effect: "update",
      to: { min: 2, max: 2, increment: 1 },
      paths: ["scalePolicy.min"],
    },
    secondaryLaunchConfigs: {
      of: "pair",
      effect: "upgrade",
      to: [{ name: "side", imageUuid: "docker:side:2" }],
      paths: ["secondaryLaunchConfigs[0].imageUuid"],
      // The container that has not changed stays.
      partly: true,
    },
    serviceLinks: {
      of: "web",
      effect: "update",
      to: [{ serviceId: ref("pair"), name: "pages" }],
      hidden: true,
      check: ({ after }) => {
        const links = thingOf(after, "web")["linkedServices"];
        assert.deepEqual(links, { pages: named(after.known, "pair").id });
      },
    },
    retainIp: { of: "web", effect: "update", to: true },
    assignServiceIpAddress: { of: "pair", effect: "replace", to: true },
    vip: { of: "pair", effect: "replace", to: "10.43.0.9" },
    selectorLink: { of: "web", effect: "update", to: "role=db" },
    selectorContainer: { of: "web", effect: "update", to: "role=extra" },
    metadata: { of: "web", effect: "update", to: { owner: "us" } },
    upgradeStrategy: {
      of: "web",
      effect: "update",
      to: { intervalMillis: 200 },
      paths: ["upgradeStrategy.intervalMillis"],
      hidden: true,
    },
    startOnCreate: {
      of: "idle",
      effect: "update",
      to: true,
      hidden: true,
      check: ({ before, after }) => {
        assert.equal(thingOf(before, "idle").state, "inactive");
        assert.equal(thingOf(after, "idle").state, "active");
        assert.equal(named(after.known, "idle").containers.length, 1);
      },
    },
    environmentId: { of: "annexWeb", effect: "replace", because: "annex" },
  },
  cases: {
    create: {
      of: ["web", "idle", "annexWeb"],
      check: async ({ after }, stage) => {
        const web = thingOf(after, "web");
        const { environment } = web["launchConfig"] as { environment: unknown };
        assert.deepEqual(environment, { PORT: "8080", DEBUG: "yes", DATABASE_PASSWORD });
        assert.deepEqual([web.state, web["scale"]], ["active", 2]);
        assert.equal(named(after.known, "web").containers.length, 2);
        assert.deepEqual(named(after.known, "idle").containers, []);
        assert.equal((await stage.outputs())["webId"], web.id);
      },
    },
    "no change": { of: ["web", "idle", "annexWeb"] },
    rollback: {
      of: ["web", "idle"],
      happens: (stage) => {
        const [web, idle] = [stage.resource("web"), stage.resource("idle")];
        web.args["launchConfig"] = { ...upgraded, imageUuid: "docker:doesnotexist/wordpress" };
        idle.args["launchConfig"] = { imageUuid: "docker:sick/pages", healthCheck };
        web.timeouts = idle.timeouts = { update: "24s" };
        // One that was never well: it goes on from there when it is put right.
        stage.declared.resources["flop"] = {
          ...plainService("flop", "other", "docker:doesnotexist/flop"),
          timeouts: { create: "15s" },
        };
      },
      says: [
        /the upgrade of service wordpress \(1s\d+\) failed, and it was rolled back/,
        /no such image: doesnotexist\/wordpress/,
        /the upgrade of service idle \(1s\d+\) failed, and it was rolled back/,
        /waiting for the upgrade of service idle \(1s\d+\): .*unhealthy/,
        /waiting for service flop \(1s\d+\) to run/,
        /no such image: doesnotexist\/flop/,
      ],
      repair: (stage) => {
        const [web, idle] = [stage.resource("web"), stage.resource("idle")];
        web.args["launchConfig"] = upgraded;
        idle.args["launchConfig"] = { imageUuid: "docker:nginx:1.26" };
        web.timeouts = idle.timeouts = { update: "4m" };
        stage.declared.resources["flop"] = plainService("flop", "other", "docker:flop:2");
      },
      check: ({ plan, failed, after }) => {
        assert.deepEqual(Object.keys(plan["web"]?.paths ?? {}), ["launchConfig.imageUuid"]);
        assert.ok(failed !== undefined);
        const [old, now] = [named(failed.known, "web"), named(after.known, "web")];
        assert.deepEqual(now.containers, old.containers);
        // It exists but did not become ready.
        assert.equal(plan["flop"]?.op, "update");
        const flop = thingOf(after, "flop");
        assert.deepEqual([flop.id, flop.state], [thingOf(failed, "flop").id, "active"]);
        assert.equal((flop["launchConfig"] as typeof upgraded).imageUuid, "docker:flop:2");
        assert.equal(named(after.known, "flop").containers.length, 1);
      },
    },
    changed: {
      ...changedBySomebody("Service", "web", () => ({ scale: 1 }), ["scale"]),
      check: ({ after }) => {
        assert.equal(thingOf(after, "web")["scale"], 4);
        assert.equal(named(after.known, "web").containers.length, 4);
      },
    },
    removed: {
      of: ["web"],
      happens: ({ server }, now) => server.remove("Service", thingOf(now, "web")),
      check: (outcome) => {
        const { plan, before, after } = outcome;
        assert.equal(named(after.known, "web").containers.length, 4);
        // The load balancer before it follows.
        assert.deepEqual(plan["lb"], {
          op: "update",
          paths: { "lbConfig.portRules[0].serviceId": "update" },
        });
        const lb = thingOf(after, "lb") as unknown as Balancer;
        assert.equal(lb.id, named(before.known, "lb").id);
        assert.equal(lb.lbConfig.portRules[0]?.serviceId, named(after.known, "web").id);
      },
    },
    replace: {
      of: ["web", "annexWeb"],
      check: ({ after }) => {
        assert.equal(thingOf(after, "web")["stackId"], thingOf(after, "other").id);
        assert.equal(named(after.known, "web").containers.length, 4);
      },
    },
    "parent removed": { of: ["web", "annexWeb"] },
    import: importedTwice(
      "Service",
      (name, now) => ({
        ...{ ...theirs, name, startOnCreate: true },
        stackId: thingOf(now, "other").id,
      }),
      (name) => ({ ...theirs, name, stackId: ref("other") }),
      "Default/other/",
    ),
    wrong: wrong(
      {
        stackId: "1st1",
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
      {
        name: "must be 1 to 63 letters, digits and hyphens",
        scale: "must be a whole number of 0 or more, got -1",
        "launchConfig.imageUuid": "must start with docker:",
        "launchConfig.ports[1]": "must be public:private/protocol",
        "launchConfig.comand": "did you mean command?",
        "launchConfig.healthCheck.port": "must be a whole number from 1 to 65535, got 0",
        "upgradeStrategy.intervalMillis": "must be a whole number of 100 or more, got 5",
      },
    ),
    secrets: {
      of: ["web"],
      happens: (stage) => {
        stage.resource("web").args["launchConfig"] = {
          ...upgraded,
          environment: { DATABASE_PASSWORD: secret(PREVIEWED_PASSWORD) },
        };
      },
      says: [/DATABASE_PASSWORD *: \[secret\]/],
      check: (_, stage) => {
        stage.assertKept([DATABASE_PASSWORD, NEW_DATABASE_PASSWORD, PREVIEWED_PASSWORD]);
      },
    },
    killed: {
      of: ["late-Service"],
      happens: (stage) => {
        stage.server.pace.startDelayMs = 60_000;
        stage.declared.resources["late-Service"] = {
          ...plainService("late-service", "other"),
          provider: "third",
        };
        stage.resource("web").args["launchConfig"] = { ...upgraded, imageUuid: LATEST };
      },
      made: async ({ server }) => {
        const services = await server.all("Service");
        const state = (name: string) => services.find((each) => each.name === name)?.state;
        return state("late-service") === "activating" && state("wordpress") === "upgrading";
      },
      check: ({ before, failed, after }) => {
        const half = failed?.all["Service"]?.find(({ name }) => name === "late-service");
        assert.equal(named(after.known, "late-Service").id, half?.id);
        const web = thingOf(after, "web");
        assert.deepEqual([web.id, web.state], [named(before.known, "web").id, "active"]);
        assert.equal((web["launchConfig"] as typeof upgraded).imageUuid, LATEST);
      },
    },
    destroy: { of: [] },
  },
};
