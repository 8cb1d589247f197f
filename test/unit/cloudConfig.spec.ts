import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { parse } from "yaml";
import {
  cloudConfig,
  type CloudConfigArgs,
  userDataLimitBytes,
} from "../../components/cloudConfig";

/** Text as scripts and keys have it: printable, with line ends, tabs and every YAML indicator. */
const content = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.constantFrom(
        "",
        "  indented",
        "\ttab",
        "# comment",
        "- item",
        "key: value",
        "'",
        '"',
        "---",
        "%x",
        "é",
      ),
    ),
    { maxLength: 12 },
  )
  .map((lines) => lines.join("\n"));

const anyArgs: fc.Arbitrary<CloudConfigArgs> = fc.record({
  hostname: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
  authorizedKeys: fc.array(fc.string({ minLength: 1, maxLength: 80 }), { maxLength: 3 }),
  hostKey: fc.record({ privateKey: content, publicKey: fc.string({ maxLength: 100 }) }),
  files: fc.array(
    fc.record({
      path: fc.stringMatching(/^\/opt\/[a-z]{1,10}$/),
      permissions: fc.constantFrom("0600", "0644", "0755"),
      content,
    }),
    { maxLength: 4 },
  ),
  earlyCommands: fc.array(fc.string({ minLength: 1, maxLength: 60 }), { maxLength: 3 }),
  bootCommands: fc.array(fc.string({ maxLength: 60 }), { maxLength: 4 }),
});

interface Parsed {
  hostname: string;
  ssh_authorized_keys: string[];
  write_files: { path: string; permissions: string; owner: string; content: string }[];
  runcmd: string[];
  rancher: { ssh: { keys: Record<string, string> } };
}

describe("cloudConfig", () => {
  it("GIVEN any host THEN the text begins as RancherOS wants and reads back as what was given", () => {
    fc.assert(
      fc.property(anyArgs, (args) => {
        const text = cloudConfig(args);
        assert.ok(text.startsWith("#cloud-config\n"));
        assert.ok(Buffer.byteLength(text) <= userDataLimitBytes);
        const read = parse(text) as Parsed;
        assert.equal(read.hostname, args.hostname);
        assert.deepEqual(read.ssh_authorized_keys, args.authorizedKeys);
        assert.deepEqual(read.rancher.ssh.keys, {
          ed25519: args.hostKey.privateKey,
          "ed25519-pub": args.hostKey.publicKey,
        });
        assert.deepEqual(read.runcmd, args.earlyCommands);
        const rcLocal = read.write_files.pop();
        assert.equal(rcLocal?.path, "/etc/rc.local");
        assert.equal(rcLocal.permissions, "0755");
        assert.equal(rcLocal.content, ["#!/bin/sh", ...args.bootCommands, ""].join("\n"));
        assert.deepEqual(
          read.write_files,
          args.files.map((file) => ({ ...file, owner: "root" })),
        );
      }),
    );
  });

  it("GIVEN modes THEN they are texts: a YAML reader must not take 0755 for a number", () => {
    const text = cloudConfig({
      hostname: "h",
      authorizedKeys: [],
      hostKey: { privateKey: "a", publicKey: "b" },
      files: [],
      earlyCommands: [],
      bootCommands: [],
    });
    assert.match(text, /permissions: "0755"/);
  });

  it("GIVEN more than EC2 takes THEN it fails and says how much too long it is", () => {
    const files = [
      { path: "/opt/x", permissions: "0644", content: "x".repeat(userDataLimitBytes) },
    ];
    const args = {
      hostname: "h",
      authorizedKeys: [],
      hostKey: { privateKey: "a", publicKey: "b" },
      files,
      earlyCommands: [],
      bootCommands: [],
    };
    assert.throws(() => cloudConfig(args), /user data of h has \d{5} bytes, and EC2 takes 16384/);
  });
});
