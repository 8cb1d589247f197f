import { strict as assert } from "node:assert";
import { parse } from "yaml";
import { draft, fileOf, nameProblem, type Wishes } from "../../commands/environment";
import { sshPublicKey } from "./program";

const wishes: Wishes = {
  region: "eu-west-1",
  adminCidrs: ["203.0.113.7/32"],
  sshPublicKey,
};
const nothing: Wishes = { region: undefined, adminCidrs: [], sshPublicKey: undefined };

/** Another environment, in use: with secrets, a domain, and people of its own. */
const other = `# Our production, see the wiki.
config:
  aws:region: us-east-1
  # Three survive the loss of one.
  rancher-cattle:agentCount: 3
  rancher-cattle:adminCidrs: ["198.51.100.0/24"]
  rancher-cattle:sshPublicKey: ssh-ed25519 AAAA somebody
  rancher-cattle:siteDomain: blog.example.com
  rancher-cattle:smtpHost: smtp.example.com
  rancher-cattle:smtpUser: site
  rancher-cattle:smtpPassword:
    secure: v1:abc:def
  rancher-cattle:siteTitle:
    secure: v1:ghi:jkl
encryptionsalt: v1:salt
secretsprovider: awskms://alias/pulumi
`;

const configOf = (text: string) => (parse(text) as { config: Record<string, unknown> }).config;

describe("new-environment", () => {
  it("GIVEN another environment THEN takes over what is not one place's, site's or person's, and no secret", () => {
    const { text, problems, leftOut } = draft(other, wishes, "prod");
    assert.deepEqual(problems, []);
    assert.deepEqual(configOf(text), {
      "aws:region": "eu-west-1",
      "rancher-cattle:agentCount": 3,
      "rancher-cattle:adminCidrs": ["203.0.113.7/32"],
      "rancher-cattle:sshPublicKey": sshPublicKey,
    });
    assert.doesNotMatch(text, /v1:|awskms|wiki|198\.51/);
    assert.match(text, /^# Made from Pulumi\.prod\.yaml by/);
    assert.match(text, /# Three survive the loss of one\.\n {2}rancher-cattle:agentCount/);
    assert.match(text, /# Who may reach SSH of the server\.\n {2}rancher-cattle:adminCidrs:/);
    assert.deepEqual(leftOut.map((key) => key.split(":")[1]).sort(), [
      "adminCidrs",
      "region",
      "siteDomain",
      "siteTitle",
      "smtpHost",
      "smtpPassword",
      "smtpUser",
      "sshPublicKey",
    ]);
  });

  it("GIVEN its own file THEN completes it and keeps everything in it, comments and order too", () => {
    const own =
      "# Mine.\nconfig:\n  aws:region: eu-west-1\n  # Small.\n  rancher-cattle:agentCount: 1\n";
    const { text, problems, leftOut } = draft(own, { ...wishes, region: undefined }, undefined);
    assert.deepEqual([problems, leftOut], [[], []]);
    assert.ok(text.startsWith(own), text);
    // Once more with the same wishes changes nothing.
    assert.equal(draft(text, wishes, undefined).text, text);
    assert.deepEqual(draft(text, wishes, undefined).problems, []);
  });

  it("GIVEN values that the file has already THEN says so and changes none", () => {
    const { text, problems } = draft(other, wishes, undefined);
    assert.deepEqual(
      problems.slice(0, 3).map((line) => line.replace(/: is .* in the file already;/, ":")),
      [
        "aws:region: leave --region out, or change it there",
        "rancher-cattle:adminCidrs: leave --admin-cidr out, or change it there",
        "rancher-cattle:sshPublicKey: leave --ssh-public-key out, or change it there",
      ],
    );
    assert.deepEqual(configOf(text), configOf(other));
  });

  it("GIVEN nothing THEN says all that is missing, in the program's own words", () => {
    for (const file of ["", "config:\n", "config: {}\n"]) {
      const { problems } = draft(file, nothing, "dev");
      assert.deepEqual(
        problems.map((line) => /^(.*: is missing)/.exec(line)?.[1]),
        ["aws:region", "rancher-cattle:adminCidrs", "rancher-cattle:sshPublicKey"].map(
          (key) => `${key}: is missing`,
        ),
      );
    }
  });

  it("GIVEN mistakes of several kinds THEN says all of them at once", () => {
    const bad = { region: "mars", adminCidrs: ["0.0.0.0/0", "home"], sshPublicKey: "x" };
    const { problems } = draft("config:\n  rancher-cattle:agentCount: 9\n", bad, "dev");
    assert.deepEqual(
      problems.map((line) => line.split(": ")[0]),
      ["aws:region", "adminCidrs", "adminCidrs", "sshPublicKey", "agentCount", "agentCount"].map(
        (key) => (key.includes(":") ? key : `rancher-cattle:${key}`),
      ),
    );
  });

  it("GIVEN a secret in its own file THEN does not judge what it cannot read", () => {
    const mail = ["smtpHost: smtp.example.com", "smtpFrom: a@example.com", "smtpUser: site"];
    const lines = [...mail, "smtpPassword:\n    secure: v1:abc:def"];
    const own = `config:\n${lines.map((line) => `  rancher-cattle:${line}\n`).join("")}`;
    const { text, problems } = draft(own, wishes, undefined);
    assert.deepEqual(problems, []);
    assert.match(text, /secure: v1:abc:def/);
  });

  it("GIVEN text that is not YAML THEN says so", () => {
    assert.match(draft("config: [", wishes, "dev").problems[0] ?? "", /^is not YAML: /);
  });

  it("GIVEN names THEN takes those that fit into a host's name", () => {
    for (const name of ["prod", "qa-2", "acme/prod"]) assert.equal(nameProblem(name), undefined);
    for (const name of ["rancher", "acme/rancher"]) {
      assert.match(nameProblem(name) ?? "", /"rancher" would give .*; choose another name/);
    }
    for (const name of ["", "Prod", "a_b", "2nd", "a-", "a".repeat(41), "a/b/c", "../x", "acme/"]) {
      assert.match(nameProblem(name) ?? "", /is no name for an environment; use lower-case/, name);
    }
    assert.equal(fileOf("acme/prod"), "Pulumi.prod.yaml");
  });
});
