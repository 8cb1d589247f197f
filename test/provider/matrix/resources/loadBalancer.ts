import * as assert from "node:assert/strict";
import { type ResourceCells } from "../cells";
import { importedTwice, late, removedBySomebody, wrong } from "../common";
import { ref } from "../declaration";
import { annexLbConfig, LB_PASSWORD } from "../site";
import { named, thingOf } from "../stage";

const IMAGE = "docker:rancher/lb-service-haproxy:v0.9.14";

interface Rules {
  readonly portRules: readonly { readonly serviceId: string; readonly path?: string }[];
}

function rulesOf(thing: object): Rules["portRules"] {
  return (thing as { lbConfig: Rules }).lbConfig.portRules;
}

/** As a program and as a client of the API would write it; each has a port of its own. */
function theirs(name: string) {
  const { sourcePort } = theirRule(name);
  return { name, scale: 1, launchConfig: launchConfig(`${sourcePort}:${sourcePort}`) };
}

function theirRule(name: string) {
  return { sourcePort: 8000 + name.length, targetPort: 80 };
}

function launchConfig(...ports: string[]) {
  return { imageUuid: IMAGE, ports };
}

/** See `rancher.LoadBalancer`. */
export const loadBalancer: ResourceCells = {
  updates: {
    stackId: { of: "lb", effect: "replace", to: ref("other") },
    name: { of: "lb", effect: "update", to: "front" },
    description: { of: "lb", effect: "update", to: "the blog's door" },
    scale: { of: "lb", effect: "update", to: 2 },
    launchConfig: {
      of: "lb",
      effect: "upgrade",
      to: launchConfig("80:80/tcp", "8080:8080/tcp"),
      paths: ["launchConfig.ports[1]"],
    },
    lbConfig: {
      of: "lb",
      effect: "update",
      to: { portRules: [{ serviceId: ref("web"), sourcePort: 80, targetPort: 80, path: "/blog" }] },
      paths: ["lbConfig.portRules[0].path"],
    },
    upgradeStrategy: {
      of: "lb",
      effect: "update",
      to: { intervalMillis: 100 },
      paths: ["upgradeStrategy.intervalMillis"],
      hidden: true,
    },
    startOnCreate: {
      of: "annexLb",
      effect: "update",
      to: true,
      hidden: true,
      check: ({ after }) => {
        assert.equal(named(after.known, "annexLb").containers.length, 1);
      },
    },
    environmentId: { of: "annexLb", effect: "replace", because: "annex" },
  },
  cases: {
    create: {
      of: ["lb", "annexLb"],
      check: ({ after }) => {
        const [rule] = rulesOf(thingOf(after, "lb"));
        assert.equal(rule?.serviceId, thingOf(after, "web").id);
        assert.equal(named(after.known, "lb").containers.length, 1);
      },
    },
    "no change": { of: ["lb", "annexLb"] },
    rollback: {
      of: ["annexLb"],
      happens: (stage) => {
        const annexLb = stage.resource("annexLb");
        annexLb.args["launchConfig"] = {
          ...annexLbConfig,
          imageUuid: "docker:doesnotexist/lb",
        };
        annexLb.timeouts = { update: "24s" };
      },
      says: [
        /the upgrade of load balancer annex-lb \(1s\d+\) failed, and it was rolled back/,
        /no such image: doesnotexist\/lb/,
      ],
      repair: (stage) => {
        const annexLb = stage.resource("annexLb");
        annexLb.args["launchConfig"] = annexLbConfig;
        annexLb.timeouts = { update: "4m" };
      },
    },
    changed: {
      of: ["lb"],
      happens: async ({ server }, now) => {
        const lb = thingOf(now, "lb");
        const portRules = rulesOf(lb).map((rule) => ({ ...rule, path: "/shop" }));
        await server.put("LoadBalancer", lb, { lbConfig: { portRules } });
      },
      plan: ["lbConfig.portRules[0].path"],
      check: ({ after }) => {
        assert.equal(rulesOf(thingOf(after, "lb"))[0]?.path, "/blog");
      },
    },
    removed: removedBySomebody("LoadBalancer", "annexLb"),
    replace: {
      of: ["lb", "annexLb"],
      check: ({ after }) => {
        // It follows the service, which was replaced too.
        const [rule] = rulesOf(thingOf(after, "lb"));
        assert.equal(rule?.serviceId, thingOf(after, "web").id);
      },
    },
    "parent removed": { of: ["lb", "annexLb"] },
    import: importedTwice(
      "LoadBalancer",
      (name, now) => ({
        ...{ ...theirs(name), startOnCreate: true },
        stackId: thingOf(now, "other").id,
        lbConfig: { portRules: [{ ...theirRule(name), serviceId: thingOf(now, "web").id }] },
      }),
      (name) => ({
        ...theirs(name),
        stackId: ref("other"),
        lbConfig: { portRules: [{ ...theirRule(name), serviceId: ref("web") }] },
      }),
    ),
    wrong: wrong(
      {
        name: "wrong",
        stackId: "1st1",
        launchConfig: { imageUuid: "docker:haproxy" },
        lbConfig: { portRules: [{ serviceId: "1s1", sourcePort: 42, targetPort: 0, path: "/" }] },
      },
      {
        "lbConfig.portRules[0].sourcePort": "must not be 42",
        "lbConfig.portRules[0].targetPort": "must be a whole number from 1 to 65535, got 0",
      },
    ),
    secrets: {
      of: ["annexLb"],
      check: (_, stage) => {
        stage.assertKept([LB_PASSWORD]);
      },
    },
    killed: late(
      "LoadBalancer",
      {
        name: "late-lb",
        stackId: ref("other"),
        launchConfig: launchConfig("8099:8099"),
        lbConfig: { portRules: [{ serviceId: ref("idle"), sourcePort: 8099, targetPort: 80 }] },
      },
      "closed",
    ),
    destroy: { of: [] },
  },
};
