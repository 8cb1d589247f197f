import * as pulumi from "@pulumi/pulumi";
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { regions } from "../../config/amis";
import { images } from "../../config/images";
import { defaults, parseSettings, type Settings } from "../../config/settings";
import { expiryWarning } from "../../config/siteCertificate";
import { makeCertificate } from "../certificate";
import { leastConfig, recordProgram, sshPublicKey } from "./program";

function given(config: Readonly<Record<string, string>>, secret: readonly string[] = []) {
  const full = Object.entries(config).map(([key, value]) => [
    key.includes(":") ? key : `rancher-cattle:${key}`,
    value,
  ]);
  return {
    values: Object.fromEntries(full) as Record<string, string>,
    secretKeys: new Set(secret.map((key) => `rancher-cattle:${key}`)),
    environmentRegion: undefined,
    now: new Date(),
  };
}

/** Keys that are secret wherever a test does not say otherwise. */
const secret = ["siteCertificateKey", "smtpPassword"];

function problems(config: Readonly<Record<string, string>>): readonly string[] {
  const outcome = parseSettings(given({ ...leastConfig, ...config }, secret));
  return "region" in outcome ? [] : outcome;
}

function settings(config: Readonly<Record<string, string>>): Settings {
  const outcome = parseSettings(given({ ...leastConfig, ...config }, secret));
  assert.ok("region" in outcome, String(outcome));
  return outcome;
}

const privateKey =
  "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";
const rsa1024 = `ssh-rsa ${Buffer.concat([
  Buffer.from([0, 0, 0, 7]),
  Buffer.from("ssh-rsa"),
  Buffer.alloc(140, 7),
]).toString("base64")}`;

/** Key, value, and what the message must say beside the key. */
const mistakes: readonly (readonly [key: string, value: string, says: RegExp])[] = [
  [
    "aws:region",
    "eu-centrall-1",
    /"eu-centrall-1" has no RancherOS image.*choose from ap-.*us-west-2/,
  ],
  ["aws:region", "us-gov-west-1", /no RancherOS image/],
  ["aws:region", "Frankfurt", /not the name of a region/],
  ["aws:region", "", /is missing; choose from/],
  ["adminCidrs", "[]", /is missing: who may reach SSH/],
  ["adminCidrs", "", /is missing/],
  ["adminCidrs", '["203.0.113.7"]', /no prefix length; write 203\.0\.113\.7\/32/],
  ["adminCidrs", "203.0.113.0/33", /prefix length that is not 0 to 32/],
  ["adminCidrs", '["203.0.113.7/24"]', /write 203\.0\.113\.0\/24 .* or 203\.0\.113\.7\/32/],
  ["adminCidrs", '["office"]', /"office" is not an IPv4 range/],
  ["adminCidrs", '["2001:db8::\/32"]', /is not an IPv4 range/],
  ["adminCidrs", '["203.0.113.256/32"]', /is not an IPv4 range/],
  ["adminCidrs", '["0.0.0.0/0"]', /whole world.*allowWorldAdmin/],
  ["adminCidrs", '["0.0.0.0/1", "128.0.0.0/1"]', /whole world/],
  ["adminCidrs", '["203.0.113.7/32", "203.0.113.7/32"]', /twice/],
  ["adminCidrs", "[1, 2]", /not a list of texts/],
  ["adminCidrs", '["203.0.113.7/32"', /not a list of texts/],
  ["allowWorldAdmin", "yes", /neither true nor false/],
  ["vpcCidr", "10.0.0.0", /no prefix length/],
  ["vpcCidr", "10.0.0.0/8", /outside 16 to 24/],
  ["vpcCidr", "10.0.0.0/28", /outside 16 to 24/],
  ["vpcCidr", "10.42.0.0/16", /overlaps 10\.42\.0\.0\/16, Rancher's managed network/],
  ["vpcCidr", "10.42.128.0/20", /overlaps 10\.42/],
  ["vpcCidr", "172.17.0.0/16", /overlaps 172\.17/],
  ["vpcCidr", "172.18.4.0/24", /overlaps 172\.18/],
  ["vpcCidr", "172.19.0.0/16", /overlaps 172\.19/],
  ["agentCount", "-1", /"-1" is not a whole number of 1 or more/],
  ["agentCount", "0", /"0" is too few/],
  ["agentCount", "2.5", /not a whole number/],
  ["agentCount", "many", /not a whole number/],
  ["wordpressScale", "3 nodes", /"3 nodes" is not a whole number/],
  ["wordpressScale", "-2", /not a whole number/],
  ["wordpressScale", "1e3", /not a whole number/],
  ["loadBalancerScale", "0", /"0" is too few; set 1 or more/],
  ["loadBalancerScale", "all", /"all" is not a whole number of 1 or more; set one, such as 1/],
  ["loadBalancerScale", "1.5", /not a whole number/],
  [
    "loadBalancerScale",
    "3",
    /"3" is more than the 2 of agentCount, .* set 2 or fewer, or leave it out/,
  ],
  ["siteEntry", "nlb", /"nlb" is no way to the site; set addresses or networkLoadBalancer/],
  ["siteEntry", "", /is no way to the site/],
  [
    "sshVia",
    "bastion",
    /"bastion" is no way of SSH to the server; set direct or instance-connect-endpoint/,
  ],
  ["sshVia", "", /is no way of SSH/],
  ["protectData", "always", /neither true nor false/],
  ["snapshotDays", "two weeks", /not a whole number of 0 or more/],
  ["snapshotDays", "-1", /not a whole number/],
  ["snapshotDays", "36501", /"36501" is more than AWS Backup keeps anything; set 36500 or fewer/],
  ["siteCidrs", "[]", /names nobody; set \["0\.0\.0\.0\/0"\] for everyone/],
  ["siteCidrs", '["0.0.0.0"]', /no prefix length/],
  ["siteCidrs", '["203.0.113.0/24", "203.0.113.0/24"]', /twice/],
  ["siteDomain", "http://blog.example.com", /not a domain name; write it .* without http/],
  ["siteDomain", "blog.example.com/wp", /not a domain name/],
  ["siteDomain", "blog", /not a domain name/],
  ["siteDomain", "Blog.example.com", /in lower case/],
  ["siteDomain", "203.0.113.7", /not a domain name/],
  ["siteDomain", "-blog.example.com", /not a domain name/],
  ["siteDomain", `${"a".repeat(64)}.example.com`, /not a domain name/],
  ["siteCertificate", "-----BEGIN CERTIFICATE-----", /is not PEM text with a certificate/],
  ["smtpHost", "smtp.example.com:587", /"smtp\.example\.com:587" is not the name of a server/],
  ["smtpHost", "https://example.com", /not the name of a server/],
  ["smtpHost", "203.0.113.300", /not the name of a server/],
  ["smtpPort", "submission", /not a whole number/],
  ["smtpUser", "site", /does nothing without smtpHost/],
  ["smtpFrom", "site@example.com", /does nothing without smtpHost/],
  ["siteTitle", "", /is empty/],
  ["siteTitle", "two\nlines", /line break/],
  ["siteTitle", "x".repeat(201), /longer than 200/],
  ["siteAdminUser", "admin", /guessers of passwords try first; set another, such as siteowner/],
  ["siteAdminUser", "Administrator", /guessers/],
  ["siteAdminUser", "", /not a name of 1 to 60/],
  ["siteAdminUser", "two words", /not a name of 1 to 60/],
  ["siteAdminUser", "x".repeat(61), /not a name of 1 to 60/],
  ["siteAdminEmail", "owner", /not a mail address; set your own/],
  ["siteAdminEmail", "owner@localhost", /not a mail address/],
  ["siteAdminEmail", "", /not a mail address/],
  ["vcpuQuota", "unlimited", /not a whole number/],
  ["addressQuota", "0", /too few/],
  ["agentCount", "4", /4" agents and one server need 6 vCPUs, and the quota is 5/],
  ["addressQuota", "2", /need 3 Elastic IPs, and the quota is 2/],
  ["serverInstanceType", "t4g.medium", /arm64/],
  ["serverInstanceType", "a1.large", /arm64/],
  ["serverInstanceType", "m6i.large", /family whose disks.*choose from c5, m4/],
  ["serverInstanceType", "t3.small", /2 GiB of memory, and 4 are needed/],
  ["serverInstanceType", "t3.colossal", /not one of the sizes micro, small/],
  ["serverInstanceType", "t3", /not the name of an instance type/],
  ["agentInstanceType", "t2.micro", /1 GiB of memory, and 2 are needed/],
  ["agentInstanceType", "g5g.xlarge", /arm64/],
  ["agentInstanceType", "g4dn.xlarge", /family whose disks/],
  ["amiId", "rancheros", /not the id of an image/],
  ["sshPublicKey", "", /is missing/],
  ["sshPublicKey", "~/.ssh/id_ed25519.pub", /does not begin with/],
  ["sshPublicKey", "ssh-ed25519 AAAA", /damaged/],
  ["sshPublicKey", sshPublicKey.slice(0, 60), /damaged|cut off/],
  ["sshPublicKey", sshPublicKey.replace("ssh-ed25519", "ssh-rsa"), /damaged/],
  ["sshPublicKey", `${sshPublicKey}\n${sshPublicKey}`, /more than one line/],
  ["sshPublicKey", privateKey, /looks like a private key/],
  ["sshPublicKey", rsa1024, /less than 2048 bits/],
  ["catalogUrl", "catalog", /not the address of a Git repository/],
  ["catalogUrl", "https://user:hunter2@example.com/c.git", /password or token in it/],
  ["catalogUrl", "https://hunter2@example.com/c.git", /password or token in it/],
  ["catalogUrl", "https://user:hunter2@example.com", /password or token in it/],
  ["wordpressImage", "wordpress", /no tag.*name an exact version, such as wordpress:6\.4\.1/],
  ["wordpressImage", "wordpress:latest", /floating tag `latest`/],
  ["wordpressImage", "wordpress:6-apache", /floating tag/],
  ["wordpressImage", "example.com/shop/site:main", /floating tag `main`/],
  ["wordpressImage", "Word Press:1", /not an image reference/],
  ["wordpressImage", "wordpress:6.4.1-php8.2-apache", /Debian 12/],
  ["wordpressImage", "wordpress:6.8.2-apache", /Debian 12/],
  ["wordpressImage", "wordpress:6.4.1-php8.0-fpm-alpine", /alpine.*cannot run/],
  ["siteDatabaseImage", "mariadb:10.11.6", /Ubuntu 22\.04/],
  ["siteDatabaseImage", "mariadb:10.6.22-jammy", /jammy.*cannot run/],
  ["siteDatabaseImage", "mariadb:10.6.22-ubi9", /ubi9.*cannot run/],
  ["siteDatabaseImage", "docker.io/library/mariadb:11.4.2", /Ubuntu 22\.04/],
  ["siteDatabaseImage", "mysql:8.4.0", /Oracle Linux 9/],
  ["rancherDatabaseImage", "mariadb:10.6.22-focal", /newer than Rancher 1\.6 can migrate/],
  ["rancherDatabaseImage", "mysql:8.0.36", /newer than Rancher 1\.6 can migrate/],
  ["rancherServerImage", "rancher/server:stable", /floating tag `stable`/],
  ["rancherServerImage", "rancher/server:v1.6.26", /does not accept hosts with Docker 19\.03/],
  ["rancherAgentImage", "rancher/agent", /no tag/],
  ["loadBalancerImage", "rancher/lb-service-haproxy:v0.9", /floating tag/],
  ["agentcount", "2", /is not a setting; did you mean agentCount\?/],
  ["wordpresScale", "2", /did you mean wordpressScale\?/],
  ["publicKey", "x", /did you mean sshPublicKey\?/],
];

/** Values that look unusual and are right. */
const accepted: readonly (readonly [key: string, value: string])[] = [
  ["adminCidrs", "203.0.113.7/32, 198.51.100.0/24"],
  ["adminCidrs", '["10.0.0.0/8"]'],
  ["vpcCidr", "192.168.4.0/24"],
  ["vpcCidr", "10.41.0.0/16"],
  ["wordpressScale", "0"],
  ["snapshotDays", "36500"],
  ["loadBalancerScale", ""],
  ["loadBalancerScale", "1"],
  ["loadBalancerScale", "2"],
  ["siteEntry", "networkLoadBalancer"],
  ["sshVia", "direct"],
  ["sshVia", "instance-connect-endpoint"],
  ["siteCidrs", "203.0.113.7/32, 198.51.100.0/24"],
  ["siteDomain", "blog.example.com"],
  ["siteDomain", "xn--bcher-kva.example"],
  ["siteTitle", 'Kate\'s "Cattle" & <friends> ☕'],
  ["siteAdminUser", "kate@example.com"],
  ["siteAdminEmail", "kate+site@mail.example.com"],
  ["serverInstanceType", "m5a.large"],
  ["amiId", "ami-0123456789abcdef0"],
  ["catalogUrl", "https://github.com/example/catalog.git"],
  ["wordpressImage", "registry.example:5000/wordpress:6.9.1-php8.4-apache"],
  ["wordpressImage", `wordpress@sha256:${"0".repeat(64)}`],
  ["wordpressImage", "wordpress:6.1.1-php8.1-apache"],
  ["wordpressImage", "wordpress:5.7.1-php8.0-fpm-alpine3.13"],
  ["wordpressImage", "example.com/shop/site:3f2a9c1"],
  ["siteDatabaseImage", "mariadb:10.5.29-focal"],
  ["rancherDatabaseImage", "mysql:5.7.44"],
  ["rancherServerImage", "rancher/server:v1.6.29"],
];

describe("settings", () => {
  for (const [key, value, says] of mistakes) {
    it(`GIVEN ${key} = ${JSON.stringify(value).slice(0, 50)} THEN one line says ${String(says).slice(1, 50)}`, () => {
      const lines = problems({ [key]: value });
      const about = key === "addressQuota" && value === "2" ? "agentCount" : key;
      const full = about.includes(":") ? about : `rancher-cattle:${about}`;
      const found = lines.filter((line) => line.startsWith(`${full}: `) && says.test(line));
      assert.ok(found.length > 0, lines.join("\n") || "no problem was found");
      for (const line of lines) {
        assert.doesNotMatch(line, /\n|undefined|NaN|\.$/);
      }
    });
  }

  for (const [key, value] of accepted) {
    it(`GIVEN ${key} = ${value.slice(0, 50)} THEN it is accepted`, () => {
      assert.deepEqual(problems({ [key]: value }), []);
    });
  }

  describe("GIVEN a certificate", () => {
    const domain = "blog.example.com";
    const authority = makeCertificate([]);
    const other = makeCertificate(["DNS:example.com", "DNS:*.shop.example.com"]);
    const good = makeCertificate([`DNS:${domain}`], authority);
    const config = (changed: Readonly<Record<string, string>> = {}) => ({
      siteDomain: domain,
      siteCertificate: good.certificate + authority.certificate,
      siteCertificateKey: good.key,
      ...changed,
    });
    const at = (days: number) => new Date(Date.now() + days * 86_400_000);
    const encrypted = makeCertificate([`DNS:${domain}`]).key.replace("BEGIN", "BEGIN ENCRYPTED");

    it("THEN the site's own and its issuers arrive apart, with the key as a secret", async () => {
      const found = settings(config()).siteCertificate;
      assert.equal(found?.certificate, good.certificate);
      assert.equal(found.chain, authority.certificate);
      assert.match(found.fingerprint, /^[0-9a-f]{64}$/);
      assert.ok(await pulumi.isSecret(found.key));
      assert.equal(settings({}).siteCertificate, undefined);
    });

    for (const names of [["DNS:example.com", "DNS:*.example.com"], [`DNS:${domain}`]]) {
      it(`THEN one for ${names.join(" and ")} is accepted, with or without an issuer`, () => {
        const { certificate, key } = makeCertificate(names);
        const own = { siteCertificate: certificate, siteCertificateKey: key };
        assert.deepEqual(problems(config(own)), []);
      });
    }

    for (const [what, changed, says] of [
      [
        "for another name",
        { siteCertificate: other.certificate, siteCertificateKey: other.key },
        ["siteCertificate", /is for DNS:example\.com, .* not for siteDomain, blog\.example\.com/],
      ],
      [
        "without a name",
        { siteCertificate: authority.certificate, siteCertificateKey: authority.key },
        ["siteCertificate", /is for no name at all/],
      ],
      [
        "with another's key",
        { siteCertificateKey: other.key },
        ["siteCertificateKey", /does not belong to siteCertificate/],
      ],
      ["with half a key", { siteCertificateKey: "-----BEGIN" }, ["siteCertificateKey", /not PEM/]],
      [
        "with a passphrase",
        { siteCertificateKey: encrypted },
        ["siteCertificateKey", /passphrase/],
      ],
      ["without its key", { siteCertificateKey: "" }, ["siteCertificateKey", /missing beside/]],
      ["that is missing", { siteCertificate: "" }, ["siteCertificate", /missing beside/]],
      ["without a domain", { siteDomain: "" }, ["siteDomain", /missing beside siteCertificate/]],
      [
        "behind its issuer",
        { siteCertificate: authority.certificate + good.certificate },
        ["siteCertificate", /wrong order/],
      ],
      [
        "that is damaged",
        { siteCertificate: good.certificate.replace(/\n..../, "\nAAAA") },
        ["siteCertificate", /damaged/],
      ],
      [
        "with a private key in it",
        { siteCertificate: good.certificate + good.key },
        ["siteCertificate", /has a private key in it/],
      ],
    ] as const) {
      it(`${what} THEN it is refused, and the key is not shown`, () => {
        const lines = problems(config(changed));
        const [key, pattern] = says;
        assert.ok(
          lines.some((line) => line.startsWith(`rancher-cattle:${key}: `) && pattern.test(line)),
          lines.join("\n"),
        );
        for (const line of lines) assert.doesNotMatch(line, /\n|BEGIN|MIG/);
      });
    }

    it("and its key in clear text THEN that is refused", () => {
      const outcome = parseSettings(given({ ...leastConfig, ...config() }));
      assert.deepEqual(outcome, [
        "rancher-cattle:siteCertificateKey: is in clear text; take it out with: pulumi config rm siteCertificateKey, and set a new one with --secret",
      ]);
    });

    it("THEN it is refused before its time and after", () => {
      for (const [now, says] of [
        [at(-2), /^rancher-cattle:siteCertificate: is valid from .* still to come/],
        [at(91), /^rancher-cattle:siteCertificate: ended on .*; renew it$/],
      ] as const) {
        const outcome = parseSettings({ ...given({ ...leastConfig, ...config() }, secret), now });
        assert.ok(!("region" in outcome));
        assert.equal(outcome.length, 1);
        assert.match(outcome[0] ?? "", says);
      }
    });

    it("THEN it is warned of in its last 30 days", () => {
      const expires = settings(config()).siteCertificate?.expires ?? new Date(0);
      assert.equal(expiryWarning(expires, at(59)), undefined);
      assert.match(expiryWarning(expires, at(61)) ?? "", /ends in 28 days, on .*: renew it/);
    });
  });

  describe("GIVEN a mail server", () => {
    const config = { smtpHost: "smtp.example.com", smtpFrom: "site@example.com" };

    it("THEN the port is 587 and there is no login, or both are the config's", async () => {
      const { login, ...rest } = settings(config).siteMail ?? {};
      assert.deepEqual(rest, { host: "smtp.example.com", port: 587, from: "site@example.com" });
      assert.equal(login, undefined);
      const all = { ...config, smtpPort: "465", smtpUser: "site", smtpPassword: "hunter2" };
      const mail = settings(all).siteMail;
      assert.deepEqual([mail?.port, mail?.login?.user], [465, "site"]);
      assert.ok(mail?.login && (await pulumi.isSecret(mail.login.password)));
    });

    for (const [key, value, says] of [
      ["smtpPort", "25", /is closed on EC2; set 587, or 465/],
      ["smtpPort", "70000", /is not a port/],
      ["smtpFrom", "", /is missing: which address/],
      ["smtpFrom", "site", /is not a mail address/],
      ["smtpUser", "site", /smtpPassword: is missing beside smtpUser/],
      ["smtpPassword", "hunter2", /smtpUser: is missing beside smtpPassword/],
    ] as const) {
      it(`and ${key} = "${value}" THEN it is refused`, () => {
        const lines = problems({ ...config, [key]: value });
        assert.equal(lines.length, 1, lines.join("\n"));
        assert.match(lines[0] ?? "", says);
        assert.doesNotMatch(lines[0] ?? "", /hunter2/);
      });
    }

    it("and its password in clear text THEN that is refused", () => {
      const all = { ...leastConfig, ...config, smtpUser: "site", smtpPassword: "hunter2" };
      const outcome = parseSettings(given(all));
      assert.ok(!("region" in outcome));
      assert.equal(outcome.length, 1);
      assert.match(outcome[0] ?? "", /^rancher-cattle:smtpPassword: is in clear text/);
      assert.doesNotMatch(outcome[0] ?? "", /hunter2/);
    });
  });

  it("GIVEN mistakes in several keys THEN each is reported, at once", () => {
    const lines = problems({
      agentCount: "-1",
      wordpressScale: "3 nodes",
      vpcCidr: "10.42.0.0/16",
      bogus: "1",
    });
    assert.deepEqual(
      lines.map((line) => line.split(": ")[0]),
      ["vpcCidr", "agentCount", "wordpressScale", "bogus"].map((key) => `rancher-cattle:${key}`),
    );
  });

  it("GIVEN a secret or a private key THEN no message shows it", () => {
    const outcome = parseSettings(
      given({ ...leastConfig, agentCount: "hunter2", sshPublicKey: privateKey }, ["agentCount"]),
    );
    assert.ok(!("region" in outcome));
    assert.equal(outcome.length, 2);
    assert.doesNotMatch(outcome.join("\n"), /hunter2|c2VjcmV0/);
    for (const address of [
      "user:hunter2@example.com/c.git",
      "hunter2@example.com/c.git",
      "u:hunter2@e",
    ]) {
      assert.doesNotMatch(problems({ catalogUrl: `https://${address}` }).join("\n"), /hunter2/);
    }
  });

  it("GIVEN the least configuration THEN everything else has its default", () => {
    const read = settings({});
    assert.equal(read.agentCount, 2);
    assert.equal(read.wordpressScale, 2);
    assert.deepEqual([read.loadBalancerScale, read.siteEntry], [2, "addresses"]);
    assert.equal(read.sshVia, "direct");
    assert.equal(read.vpcCidr, "10.0.0.0/16");
    assert.equal(read.amiId, "ami-0fc1a9332c246bc56");
    assert.equal(read.catalogUrl, undefined);
    assert.equal(read.siteDomain, undefined);
    assert.deepEqual(read.siteCidrs, ["0.0.0.0/0"]);
    assert.deepEqual(
      read.images,
      Object.fromEntries(Object.entries(images).map(([role, pin]) => [role, pin.reference])),
    );
  });

  it("GIVEN a region that lacks the default's family THEN it is said before AWS does", () => {
    assert.deepEqual(problems({ "aws:region": "eu-north-1" }), [
      'rancher-cattle:agentInstanceType: "t2.small" does not exist in eu-north-1; choose a t3, m5, c5 or r5',
    ]);
    assert.deepEqual(
      problems({ "aws:region": "eu-north-1", agentInstanceType: "t3.small", vcpuQuota: "6" }),
      [],
    );
  });

  it("GIVEN a world-open range and allowWorldAdmin THEN it is accepted", () => {
    assert.deepEqual(
      settings({ adminCidrs: '["0.0.0.0/0"]', allowWorldAdmin: "true" }).adminCidrs,
      ["0.0.0.0/0"],
    );
  });

  it("GIVEN amiId THEN a region without an image of RancherOS is accepted", () => {
    const read = settings({ "aws:region": "me-south-1", amiId: "ami-0123456789abcdef0" });
    assert.equal(read.amiId, "ami-0123456789abcdef0");
  });

  it("GIVEN a region in the environment alone THEN it is used", () => {
    const rest = given(Object.fromEntries(Object.entries(leastConfig).slice(1)));
    assert.ok(!("aws:region" in rest.values));
    const outcome = parseSettings({ ...rest, environmentRegion: "us-east-1" });
    assert.ok("region" in outcome);
    assert.equal(outcome.region, "us-east-1");
  });

  it("GIVEN quotas that AWS has raised THEN more hosts are accepted", () => {
    assert.equal(
      settings({ agentCount: "12", vcpuQuota: "32", addressQuota: "20" }).agentCount,
      12,
    );
  });

  it("GIVEN a way to the site THEN as many Elastic IPs are counted as it needs", () => {
    const many = { agentCount: "8", vcpuQuota: "32" };
    assert.deepEqual(problems(many), [
      'rancher-cattle:agentCount: "8" agents and one server need 9 Elastic IPs, and the quota is 5; lower it, set siteEntry to networkLoadBalancer, which needs 3 for any number, or have AWS raise the quota and set addressQuota to it',
    ]);
    assert.match(
      problems({ ...many, loadBalancerScale: "5" }).join(),
      /^rancher-cattle:loadBalancerScale: "5" load balancers and one server need 6 Elastic IPs/,
    );
    assert.deepEqual(problems({ ...many, loadBalancerScale: "4" }), []);
    const entry = { siteEntry: "networkLoadBalancer" };
    assert.deepEqual(problems({ ...many, ...entry, addressQuota: "3" }), []);
    assert.deepEqual(problems({ ...many, ...entry, addressQuota: "2" }), [
      'rancher-cattle:siteEntry: "networkLoadBalancer" and one server need 3 Elastic IPs, and the quota is 2; have AWS raise the quota and set addressQuota to it',
    ]);
  });

  it("GIVEN each region of the table THEN its own image is chosen", () => {
    assert.equal(regions.length, 16);
    const everywhere = { agentInstanceType: "t3.small", vcpuQuota: "6" };
    const chosen = regions.map((region) => settings({ "aws:region": region, ...everywhere }).amiId);
    assert.equal(new Set(chosen).size, 16);
  });

  it("GIVEN a mistake WHEN the program runs THEN it stops with the message and without a stack trace", async () => {
    await assert.rejects(
      recordProgram({ agentCount: "-1", wordpressScale: "x" }),
      (error: Error) => {
        assert.ok("__pulumiRunError" in error);
        assert.match(error.message, /agentCount: "-1".*\n.*wordpressScale: "x"/);
        return true;
      },
    );
  });
});

describe("Pulumi.yaml", () => {
  const root = path.resolve(__dirname, "../..");
  const projectFile = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")) as {
    config: Record<
      string,
      { type?: string; description?: string; default?: unknown; value?: unknown }
    >;
  };
  const own = Object.entries(projectFile.config).filter(([key]) => !key.includes(":"));

  it("THEN has exactly the keys and defaults of the program, each with a description", () => {
    const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
    assert.deepEqual(
      Object.fromEntries(own.map(([key, schema]) => [key, shown(schema.default)])),
      defaults,
    );
    for (const [key, { description }] of own)
      assert.match(description ?? "", /^[A-Za-z].+\.$/, key);
  });

  it("THEN declares a type only where any text is of that type, so that the program speaks first", () => {
    for (const [key, { type }] of own) assert.ok(type === undefined || type === "string", key);
  });

  it("THEN has no default provider for docker and rancher", () => {
    assert.deepEqual(projectFile.config["pulumi:disable-default-providers"]?.value, [
      "docker",
      "rancher",
    ]);
  });
});
