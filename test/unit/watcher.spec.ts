import { strict as assert } from "node:assert";
import { kindOf } from "../e2e/watcher";

const table: readonly (readonly [string, string, Parameters<typeof kindOf>])[] = [
  ["a page", "site", [200, "", "", "<html><title>My site</title>"]],
  ["a redirect to the site", "site", [301, "http://198.51.100.7/", "", ""]],
  ["what is closed", "closed", [403, "", "", "closed on this site"]],
  [
    "a redirect to the installer",
    "installer",
    [302, "http://198.51.100.7/wp-admin/install.php", "", ""],
  ],
  ["a missing configuration", "installer", [302, "/wp-admin/setup-config.php", "", ""]],
  [
    "the installer's choice of language",
    "installer",
    [200, "", "", '<form id="setup" method="post" action="?step=1">'],
  ],
  [
    "the installer's questions",
    "installer",
    [200, "", "", '<form id="setup" method="post" action="install.php?step=2">'],
  ],
  ["Rancher's API", "rancher", [200, "", "content-type x-api-schemas", "{}"]],
  ["Rancher's login", "rancher", [401, "", "", '{"type":"error","baseType":"rancher"}']],
  ["a balancer without a site", "error", [503, "", "", "no service configured yet"]],
  ["a site without a database", "error", [500, "", "", "Error establishing a database"]],
];

describe("the watcher of the first up", () => {
  for (const [what, expected, answer] of table) {
    it(`GIVEN ${what} THEN it is noted as ${expected}`, () => {
      assert.equal(kindOf(...answer), expected);
    });
  }
});
