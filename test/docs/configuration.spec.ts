import { strict as assert } from "node:assert";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { defaults, parseSettings } from "../../config/settings";
import { pageFile, pageText } from "./configuration";

const root = path.resolve(__dirname, "../..");

describe("docs/configuration.md", () => {
  it("THEN is what the schema and the program say", () => {
    const text = pageText();
    if (process.env["UPDATE"] === "1") writeFileSync(pageFile, text);
    const kept = existsSync(pageFile) ? readFileSync(pageFile, "utf8") : "";
    assert.ok(kept === text, "docs/configuration.md is stale: run this suite with UPDATE=1");
  });

  it("THEN has a row for every key, and says which are required and which are secret", () => {
    const lines = readFileSync(pageFile, "utf8").split("\n");
    for (const key of Object.keys(defaults)) {
      assert.equal(
        lines.filter(
          (line) =>
            /^\| `\w+` \| (text|list|true|whole)/.test(line) && line.startsWith(`| \`${key}\` `),
        ).length,
        1,
        key,
      );
    }
    const having = (word: RegExp) =>
      lines.filter((line) => word.test(line)).map((line) => line.split("`")[1]);
    assert.deepEqual(having(/^\| `\w+` \| [a-z ]+ \| required \|/), ["adminCidrs", "sshPublicKey"]);
    assert.deepEqual(having(/ \| secret \| /), ["siteCertificateKey", "smtpPassword"]);
  });
});

describe("the environments' files", () => {
  for (const name of ["dev", "staging", "prod"]) {
    const text = readFileSync(path.join(root, `Pulumi.${name}.yaml`), "utf8");
    const { config } = parse(text) as { config: Record<string, unknown> };

    it(`GIVEN ${name} THEN only what must be a person's own is missing`, () => {
      const outcome = parseSettings({
        values: Object.fromEntries(
          Object.entries(config).map(([key, value]) => [
            key,
            typeof value === "string" ? value : JSON.stringify(value),
          ]),
        ),
        secretKeys: new Set(),
        environmentRegion: undefined,
        now: new Date(),
      });
      assert.ok(!("region" in outcome));
      assert.deepEqual(
        outcome.map((line) => line.split(": ").slice(0, 2).join(": ").replace(/;.*/, "")),
        ["rancher-cattle:adminCidrs: is missing", "rancher-cattle:sshPublicKey: is missing"],
      );
    });

    it(`GIVEN ${name} THEN it is small, and every line of it is explained`, () => {
      assert.match(text, /^# .*\n(# .*\n)*config:\n/);
      assert.ok(text.split("\n").length < 25);
    });
  }

  it("THEN they grow: one host, two, and three with protected data", () => {
    const read = (name: string) =>
      (
        parse(readFileSync(path.join(root, `Pulumi.${name}.yaml`), "utf8")) as {
          config: Record<string, unknown>;
        }
      ).config;
    assert.deepEqual(
      ["dev", "staging", "prod"].map((name) => [
        read(name)["rancher-cattle:agentCount"],
        read(name)["rancher-cattle:protectData"],
      ]),
      [
        [1, undefined],
        [2, undefined],
        [3, true],
      ],
    );
  });
});
