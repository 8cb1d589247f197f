import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { late, wrong } from "../common";
import { secret } from "../declaration";
import { NEW_PASSWORD, PASSWORD } from "../site";
import { thingOf } from "../stage";

const PREVIEWED_PASSWORD = "a password for the preview";
/** What nobody may see without a key. */
const PROBE = "/v2-beta/projects";

/** See `rancher.AccessControl`. */
export const accessControl: ResourceCells = {
  updates: {
    username: {
      of: "access",
      effect: "update",
      to: "root",
      hidden: true,
      check: async (_, { server }) => {
        assert.equal(await server.logIn(NEW_PASSWORD, "admin"), 401);
      },
    },
    password: {
      of: "access",
      effect: "update",
      to: secret(NEW_PASSWORD),
      hidden: true,
      check: async (_, { server }) => {
        assert.equal(await server.logIn(PASSWORD, "root"), 401);
        assert.equal(await server.logIn(NEW_PASSWORD, "root"), 201);
      },
    },
    turnOffOnDelete: { of: "access", effect: "update", to: true, hidden: true },
  },
  cases: {
    create: {
      of: ["access"],
      check: async (_, stage) => {
        const { server } = stage;
        assert.equal(await server.anonymously(PROBE), 401);
        assert.equal(await server.logIn(PASSWORD), 201);
        const { accessKey, secretKey } = await stage.outputs();
        assert.equal(await server.withKey(String(accessKey), String(secretKey), PROBE), 200);
      },
    },
    "no change": { of: ["access"] },
    rollback: notApplicable(
      "has nothing that is upgraded: a login that is refused changes nothing",
    ),
    changed: {
      of: ["access"],
      happens: async (stage) => {
        const { server } = stage;
        // Destroying is to leave it on.
        stage.resource("access").args["turnOffOnDelete"] = false;
        stage.declare();
        const login = { name: "root", username: "root", password: NEW_PASSWORD };
        const off = { type: "localAuthConfig", accessMode: "unrestricted", enabled: false };
        await server.send("POST", "/v2-beta/localauthconfigs", { ...off, ...login });
        assert.equal(await server.anonymously(PROBE), 200);
        // Before the others: a preview says nothing of what needs a key that is not known yet.
        await stage.engine.run("up", "--yes", "--skip-preview", "--refresh");
        assert.equal(await server.anonymously(PROBE), 401);
      },
      planned: "same",
    },
    removed: {
      of: ["access"],
      planned: "same",
      // All others are read with this key, so it is looked for and made again before them.
      happens: async ({ server, engine }, now) => {
        await server.remove("AccessControl", thingOf(now, "access"));
        await engine.run("refresh", "--yes", "--skip-preview", "--target", "**::access");
        await engine.run("up", "--yes", "--skip-preview");
      },
    },
    replace: notApplicable("every change is made in place"),
    "parent removed": notApplicable("it belongs to the server as a whole"),
    import: {
      of: [],
      refused: true,
      says: [
        /access control cannot be imported, because the server never shows a secret key again/,
      ],
    },
    wrong: wrong(
      { username: "ad:min" },
      {
        username: "must not contain a colon",
        '["password"]': "is required",
      },
    ),
    secrets: {
      of: ["access"],
      happens: (stage) => {
        stage.resource("access").args["password"] = secret(PREVIEWED_PASSWORD);
      },
      says: [/password *: \[secret\] => \[secret\]/],
      check: async (_, stage) => {
        const { secretKey } = await stage.outputs();
        stage.assertKept([PASSWORD, NEW_PASSWORD, PREVIEWED_PASSWORD, secretKey]);
      },
    },
    killed: {
      // Another key of the same administrator. Whose secret nobody knows is removed.
      ...late("AccessControl", { username: "root", password: secret(NEW_PASSWORD) }, "open"),
      adopts: false,
    },
    destroy: {
      of: [],
      check: async (_, stage) => {
        const { server, engine } = stage;
        assert.equal(await server.anonymously(PROBE), 401);
        assert.equal(await server.logIn(NEW_PASSWORD, "root"), 201);
        // Once more, and off again.
        const { access } = stage.declared.resources;
        assert.ok(access !== undefined);
        access.args["turnOffOnDelete"] = true;
        stage.declared = { ...stage.declared, resources: { access }, outputs: {} };
        stage.declare();
        await engine.run("up", "--yes", "--skip-preview");
        await engine.run("destroy", "--yes", "--skip-preview");
        assert.equal(await server.anonymously(PROBE), 200);
      },
    },
  },
};
