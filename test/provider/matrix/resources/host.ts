import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { changedBySomebody, removedBySomebody, wrong } from "../common";
import { thingOf } from "../stage";

/** See `rancher.Host`. */
export const host: ResourceCells = {
  updates: {
    matchLabels: { of: "host", effect: "replace", to: undefined, hidden: true },
    matchAddress: {
      of: "host",
      effect: "replace",
      to: "192.0.2.2",
      hidden: true,
      check: ({ after }) => {
        assert.equal(thingOf(after, "host")["hostname"], "sim-host-2");
      },
    },
    name: { of: "host", effect: "update", to: "front" },
    description: { of: "host", effect: "update", to: "the front" },
    labels: {
      of: "host",
      effect: "update",
      to: { tier: "front" },
      paths: ["labels.tier"],
      check: ({ after }) => {
        // The machine's own label is left alone.
        assert.equal((thingOf(after, "host")["labels"] as Labels)["sim.host"], "1");
      },
    },
    waitForServices: { of: "host", effect: "update", to: true, hidden: true },
    environmentId: { of: "annexHost", effect: "replace", because: "annex" },
  },
  cases: {
    create: {
      of: ["host", "annexHost"],
      check: async ({ after }, stage) => {
        const { hostname } = await stage.outputs();
        assert.equal(hostname, "sim-host-1");
        const labels = thingOf(after, "host")["labels"] as Labels;
        assert.deepEqual([labels["tier"], labels["sim.host"]], ["web", "1"]);
      },
    },
    "no change": { of: ["host", "annexHost"] },
    rollback: notApplicable("has nothing that is upgraded"),
    changed: {
      ...changedBySomebody(
        "Host",
        "host",
        ({ labels }) => ({ labels: { ...(labels as Labels), tier: "back", theirs: "yes" } }),
        ["labels.tier"],
      ),
      check: ({ after }) => {
        const labels = thingOf(after, "host")["labels"] as Labels;
        assert.deepEqual([labels["tier"], labels["theirs"]], ["front", "yes"]);
      },
    },
    removed: removedBySomebody("Host", "host"),
    replace: { of: ["host", "annexHost"] },
    "parent removed": { of: ["annexHost"] },
    import: {
      of: ["host-by-id", "host-by-name"],
      // Machines that nobody has declared.
      happens: (stage, { all }) => {
        const [three] = (all["Host"] ?? []).filter(({ hostname }) => hostname === "sim-host-3");
        const ids = { id: three?.id ?? "", name: "Default/sim-host-4" };
        for (const [i, way] of (["id", "name"] as const).entries()) {
          const args = { matchAddress: `192.0.2.${i + 3}` };
          stage.imports[`host-by-${way}`] = ["rancher:index:Host", ids[way]];
          stage.declared.resources[`host-by-${way}`] = { type: "Host", args };
        }
      },
    },
    wrong: wrong(
      { matchLabels: {}, description: "x".repeat(1025), labels: ["tier"] },
      {
        matchLabels: "must name at least one label",
        description: "at most 1024 characters",
        labels: "must be an object, not a list",
      },
    ),
    secrets: notApplicable("has no secrets"),
    killed: {
      of: ["late-Host"],
      happens: ({ declared }) => {
        const args = { matchLabels: { "sim.host": "5" }, labels: { late: "yes" } };
        declared.resources["late-Host"] = { type: "Host", args, provider: "third" };
      },
      made: async ({ server }) => {
        const hosts = await server.all("Host");
        return hosts.some(({ labels }) => (labels as Labels)["late"] === "yes");
      },
    },
    destroy: { of: [] },
  },
};

type Labels = Readonly<Record<string, string>>;
