import * as assert from "node:assert/strict";
import type { ResourceCells } from "../cells";
import { changedBySomebody, importedTwice, late, removedBySomebody, wrong } from "../common";
import { secret } from "../declaration";
import { compose, COMPOSE_PASSWORD } from "../site";
import { named, type Snapshot } from "../stage";

const NEW_COMPOSE_PASSWORD = "nobody may read that either";

/** The service that the compose files describe. */
function pagesOf({ known, all }: Snapshot) {
  const { id } = named(known, "composed");
  const pages = all["Service"]?.find(({ name, stackId }) => name === "pages" && stackId === id);
  assert.ok(pages !== undefined, "the composed stack has no service");
  return pages as unknown as {
    readonly scale: number;
    readonly metadata: { readonly owner: string };
    readonly launchConfig: { readonly imageUuid: string; readonly environment: object };
  };
}

/** See `rancher.Stack`. */
export const stack: ResourceCells = {
  updates: {
    name: { of: "site", effect: "update", to: "blog" },
    description: { of: "site", effect: "update", to: "a blog" },
    environmentId: { of: "annexed", effect: "replace", because: "annex" },
    dockerCompose: {
      of: "composed",
      effect: "upgrade",
      to: compose.docker("nginx:1.27"),
      hidden: true,
      check: ({ after }) => {
        assert.equal(pagesOf(after).launchConfig.imageUuid, "docker:nginx:1.27");
      },
    },
    rancherCompose: {
      of: "composed",
      effect: "upgrade",
      to: compose.rancher("us"),
      hidden: true,
      check: ({ after }) => {
        assert.equal(pagesOf(after).metadata.owner, "us");
      },
    },
    environment: {
      of: "composed",
      effect: "upgrade",
      to: { secret: secret(NEW_COMPOSE_PASSWORD) },
      paths: ["environment.secret"],
      check: ({ after }) => {
        const { environment } = pagesOf(after).launchConfig;
        assert.deepEqual(environment, { SECRET: NEW_COMPOSE_PASSWORD });
      },
    },
    startOnCreate: { of: "composed", effect: "update", to: false, hidden: true },
  },
  cases: {
    create: {
      of: ["site", "other", "annexed", "composed"],
      check: ({ after }) => {
        const { scale, launchConfig } = pagesOf(after);
        assert.deepEqual([scale, launchConfig.environment], [2, { SECRET: COMPOSE_PASSWORD }]);
      },
    },
    "no change": { of: ["site", "other", "annexed", "composed"] },
    rollback: {
      of: ["composed"],
      happens: (stage) => {
        const composed = stage.resource("composed");
        composed.args["dockerCompose"] = compose.docker("doesnotexist/pages");
        composed.timeouts = { update: "24s" };
      },
      says: [/stack composed \(1st\d+\)/, /no such image: doesnotexist\/pages/],
      repair: (stage) => {
        const composed = stage.resource("composed");
        composed.args["dockerCompose"] = compose.docker("nginx:1.27");
        composed.timeouts = { update: "4m" };
      },
    },
    changed: changedBySomebody("Stack", "site", () => ({ description: "a shop" }), ["description"]),
    removed: removedBySomebody("Stack", "composed"),
    replace: { of: ["annexed"] },
    "parent removed": { of: ["annexed"] },
    import: importedTwice(
      "Stack",
      (name) => ({ name, description: "theirs" }),
      (name) => ({ name, description: "theirs" }),
    ),
    wrong: wrong(
      { name: "-wrong", description: "x".repeat(1025) },
      {
        name: "must be 1 to 63 letters, digits and hyphens",
        description: "at most 1024 characters",
      },
    ),
    secrets: {
      of: ["composed"],
      check: (_, stage) => {
        stage.assertKept([COMPOSE_PASSWORD, NEW_COMPOSE_PASSWORD]);
      },
    },
    killed: late("Stack", { name: "late-stack" }, "second"),
    destroy: { of: [] },
  },
};
