import * as assert from "node:assert/strict";
import { notApplicable, type ResourceCells } from "../cells";
import { pairs } from "../certificates";
import { changedBySomebody, importedTwice, late, removedBySomebody, wrong } from "../common";
import { secret } from "../declaration";
import { named, type Snapshot, thingOf } from "../stage";

const [first, second, third] = pairs;
const declared = { cert: third.cert, key: secret(third.key) };

function showsName(after: Snapshot, name: string): void {
  assert.equal(named(after.known, "pem").outputs["cn"], name);
  assert.equal(thingOf(after, "pem")["CN"], name);
}

/** See `rancher.Certificate`. */
export const certificate: ResourceCells = {
  updates: {
    name: { of: "pem", effect: "update", to: "blog" },
    description: {
      of: "pem",
      effect: "update",
      to: "the blog's",
      hidden: true,
      check: ({ after }) => {
        assert.match(thingOf(after, "pem").description ?? "", /^the blog's \[/);
      },
    },
    cert: {
      of: "pem",
      effect: "update",
      to: second.cert,
      hidden: true,
      check: ({ after }) => {
        showsName(after, "blog2.example.com");
      },
    },
    key: { of: "pem", effect: "update", to: secret(second.key), hidden: true },
    certChain: { of: "pem", effect: "update", to: second.cert, hidden: true },
    environmentId: { of: "annexPem", effect: "replace", because: "annex" },
  },
  cases: {
    create: {
      of: ["pem", "annexPem"],
      check: ({ after }) => {
        showsName(after, "blog1.example.com");
      },
    },
    "no change": { of: ["pem", "annexPem"] },
    rollback: notApplicable("has nothing that is upgraded"),
    changed: changedBySomebody("Certificate", "pem", () => ({ ...third, name: "theirs" }), [
      "cert",
      "name",
    ]),
    removed: removedBySomebody("Certificate", "pem"),
    replace: { of: ["annexPem"] },
    "parent removed": { of: ["annexPem"] },
    import: importedTwice(
      "Certificate",
      (name) => ({ name, cert: third.cert, key: third.key }),
      (name) => ({ name, ...declared }),
    ),
    wrong: wrong(
      { name: "", cert: first.cert, key: secret(second.key), certChain: "none" },
      {
        name: "must not be empty",
        '["key"]': "does not belong to cert",
        certChain: "must be PEM text with a certificate",
      },
    ),
    secrets: {
      of: ["pem"],
      happens: (stage) => {
        Object.assign(stage.resource("pem").args, { ...declared, certChain: third.cert });
      },
      says: [/key *: \[secret\] => \[secret\]/],
      check: (_, stage) => {
        stage.assertKept(pairs.flatMap(({ key }) => [key, key.split("\n")[1]]));
      },
    },
    killed: late("Certificate", { name: "late-certificate", ...declared }, "third"),
    destroy: { of: [] },
  },
};
