import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { estimate } from "../../commands/cost/estimate";
import { pricedSettings, withValues } from "../../commands/cost/stackConfig";
import {
  commentBody,
  type CommentArgs,
  longestComment,
  marker,
  verdict,
} from "../../pipeline/comment";
import { diffLines, valueText } from "../../pipeline/diff";
import { addressChanges, firewallChanges } from "../../pipeline/firewall";
import { type Plan, readPlan } from "../../pipeline/plan";
import { redact } from "../../pipeline/redact";
import { groupUrn, ingress, plan, rule, step } from "./plans";

const month = (...assignments: string[]) =>
  estimate(pricedSettings(withValues({ "aws:region": "us-east-1" }, assignments)));

function body(of: Plan, more: Partial<CommentArgs> = {}, longest?: number): string {
  const cost = { before: month(), after: month() };
  return commentBody({ stack: "dev", plan: of, cost, ...more }, longest);
}

const scaled = plan(
  [
    step("update", "rancher:index:Service", "wordpress-service", {
      old: { inputs: { scale: 2 } },
      now: { inputs: { scale: 4 } },
      detailedDiff: { scale: { kind: "update", inputDiff: true } },
    }),
  ],
  { counts: { same: 80, update: 1 } },
);

describe("the comment of a preview", () => {
  it("GIVEN one update THEN the first line is the verdict and the last one the marker", () => {
    const lines = body(scaled).trimEnd().split("\n");
    assert.equal(lines[0], "### Preview of dev: 1 to update, nothing replaced, 80 unchanged");
    assert.equal(lines.at(-1), marker("dev"));
    assert.match(body(scaled), /\*\*Firewall\*\*: nothing opens, nothing closes/);
    assert.match(body(scaled), /\*\*Public addresses\*\*: none come, none go/);
    assert.match(body(scaled), /\*\*Cost\*\*: \$82\.34 → \$82\.34 a month: \*\*no difference\*\*/);
    assert.match(
      body(scaled),
      /<details><summary>Diff of 1 resource<\/summary>\n\n```diff\n! update rancher:index:Service wordpress-service\n! {5}scale: 2 => 4\n```/,
    );
  });

  it("GIVEN nothing to do THEN it says so, and has no diff", () => {
    assert.match(body(plan([])), /^### Preview of dev: no changes\n/);
    assert.doesNotMatch(body(plan([])), /details/);
  });

  it("GIVEN a replacement in its three steps THEN it is one, it is loud, and it says why", () => {
    const old = { inputs: { instanceType: "t3.medium" } };
    const now = { inputs: { instanceType: "t3.large" } };
    const type = "aws:ec2/instance:Instance";
    const why = { replaceReasons: ["instanceType"] };
    const steps = [
      step("create-replacement", type, "server-instance", { now, ...why }),
      step("replace", type, "server-instance", {
        old,
        now,
        ...why,
        detailedDiff: { instanceType: { kind: "update-replace", inputDiff: true } },
      }),
      step("delete-replaced", type, "server-instance", { old }),
    ];
    assert.equal(verdict(plan(steps)), "**1 REPLACED**, 80 unchanged");
    const text = body(plan(steps));
    assert.match(
      text,
      /- `server-instance` \(aws:ec2\/instance:Instance\), because of `instanceType`/,
    );
    assert.match(text, /! {5}instanceType: "t3\.medium" => "t3\.large" {2}\(replaces it\)/);
    assert.equal(text.match(/server-instance$/gm)?.length, 1);
  });

  describe("the firewall", () => {
    it("GIVEN rules that come and go THEN ports, ranges and groups are in words", () => {
      const steps = [
        step("create", ingress, "security-server-ssh-198.51.100.0_24", {
          now: rule("security-server", 22, { cidrIpv4: "198.51.100.0/24" }, "SSH"),
        }),
        step("delete", ingress, "site-access-0.0.0.0_0", {
          old: rule("security-agents", 80, { cidrIpv4: "0.0.0.0/0" }),
        }),
        step("create", ingress, "other", {
          now: {
            ...rule("security-agents", undefined, { referencedSecurityGroupId: "sg-1" }),
            propertyDependencies: {
              securityGroupId: [groupUrn("security-agents")],
              referencedSecurityGroupId: [groupUrn("security-server")],
            },
          },
        }),
      ];
      assert.deepEqual(firewallChanges(steps), {
        opens: [
          "TCP port 22 of security-server for 198.51.100.0/24 (SSH)",
          "every port and protocol of security-agents for the group security-server",
        ],
        closes: ["TCP port 80 of security-agents for **the whole internet** (0.0.0.0/0)"],
      });
      assert.match(body(plan(steps)), /\*\*Firewall\*\*: 2 opened, 1 closed\n- opens TCP port 22/);
    });

    it("GIVEN a rule that is replaced by its like THEN nothing opens and nothing closes", () => {
      const same = rule("security-server", 22, { cidrIpv4: "203.0.113.7/32" });
      const steps = [step("replace", ingress, "a", { old: same, now: same })];
      assert.deepEqual(firewallChanges(steps), { opens: [], closes: [] });
    });

    it("GIVEN a rule that is widened in place THEN the new range opens and the old one closes", () => {
      const old = rule("g", 22, { cidrIpv4: "203.0.113.7/32" });
      const now = rule("g", 22, { cidrIpv4: "0.0.0.0/0" });
      const { opens, closes } = firewallChanges([step("update", ingress, "a", { old, now })]);
      assert.match(opens.join(), /for \*\*the whole internet\*\* \(0\.0\.0\.0\/0\)/);
      assert.match(closes.join(), /for 203\.0\.113\.7\/32/);
    });

    it("GIVEN rules written in other ways THEN none is overlooked", () => {
      const inline = [
        { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["0.0.0.0/0", "10.0.0.0/8"] },
        { protocol: "udp", fromPort: 1, toPort: 9, ipv6CidrBlocks: ["::/0"] },
        { protocol: "tcp", fromPort: 1, toPort: 1, self: true },
      ];
      const steps = [
        step("update", "aws:ec2/securityGroup:SecurityGroup", "g", {
          old: { inputs: {} },
          now: { inputs: { ingress: inline } },
        }),
        step("create", "aws:ec2/securityGroupRule:SecurityGroupRule", "r", {
          now: {
            inputs: {
              type: "egress",
              protocol: "-1",
              fromPort: 0,
              toPort: 0,
              cidrBlocks: ["0.0.0.0/0"],
              securityGroupId: "sg-7",
            },
          },
        }),
        step("create", ingress, "p", { now: rule("g", 53, { prefixListId: "pl-1" }) }),
      ];
      assert.deepEqual(firewallChanges(steps).opens, [
        "TCP port 22 of g for **the whole internet** (0.0.0.0/0)",
        "TCP port 22 of g for 10.0.0.0/8",
        "UDP ports 1 to 9 of g for **the whole internet** (::/0)",
        "TCP port 1 of g for the group g itself",
        "every port and protocol from sg-7 to **the whole internet** (0.0.0.0/0)",
        "TCP port 53 of g for the prefix list pl-1",
      ]);
    });
  });

  it("GIVEN addresses that come and go THEN they are named, the old ones with their number", () => {
    const eip = "aws:ec2/eip:Eip";
    const balancer = "aws:lb/loadBalancer:LoadBalancer";
    const steps = [
      step("create", eip, "agents-2", { now: { inputs: {} } }),
      step("delete", eip, "agents-1", { old: { outputs: { publicIp: "203.0.113.9" } } }),
      step("update", eip, "agents-0", { old: { inputs: {} }, now: { inputs: {} } }),
      step("create", balancer, "inner", { now: { inputs: { internal: true } } }),
      step("create", balancer, "entry", { now: { inputs: {} } }),
    ];
    assert.deepEqual(addressChanges(steps), {
      added: ["agents-2", "entry"],
      removed: ["agents-1 (203.0.113.9)"],
    });
  });

  it("GIVEN another configuration THEN the cost before and after is there, by what changes it", () => {
    const text = body(scaled, { cost: { before: month(), after: month("agentCount=3") } });
    assert.match(text, /\*\*Cost\*\*: \$82\.34 → \$104\.06 a month: \*\*\+\$21\.72\*\*/);
    assert.match(text, /\| agent hosts \| 2 × t2\.small, \$33\.58 \| 3 × t2\.small, \$50\.37 \|/);
    const fresh = body(scaled, { cost: { before: undefined, after: month() } });
    assert.match(fresh, /\*\*Cost\*\*: \$82\.34 a month, all of it new/);
    const none = { before: undefined, after: undefined, problem: "there is no Pulumi.dev.yaml" };
    assert.match(body(scaled, { cost: none }), /not estimated: there is no Pulumi\.dev\.yaml/);
  });

  describe("a preview that fails", () => {
    it("GIVEN diagnostics THEN every error is shown, and nothing is claimed of the rest", () => {
      const failed = readPlan({
        code: 255,
        stdout: JSON.stringify({
          steps: scaled.steps,
          diagnostics: [
            { urn: "", message: "the configuration has problems\n  a: is bad", severity: "error" },
            { urn: groupUrn("g"), message: "error: no such VPC\n", severity: "error" },
            { message: "the key is missing", severity: "warning" },
          ],
        }),
        stderr: "",
      });
      const text = body(failed);
      assert.match(text, /^### Preview of dev: failed with 2 errors\n/);
      assert.match(
        text,
        /```text\nthe configuration has problems\n {2}a: is bad\ng: no such VPC\n```/,
      );
      assert.match(text, /not known until this is put right/);
      assert.match(text, /<summary>1 warning<\/summary>/);
      assert.doesNotMatch(text, /Firewall/);
    });

    it("GIVEN only what the CLI complained of THEN that is the error", () => {
      const ran = { code: 255, stdout: "", stderr: "error: incorrect passphrase\n" };
      assert.deepEqual(readPlan(ran).errors, ["incorrect passphrase"]);
      assert.match(readPlan({ code: 9, stdout: "", stderr: "" }).errors.join(), /ended with 9/);
      assert.match(readPlan({ code: 1, stdout: '{"steps": [', stderr: "" }).errors.join(), /steps/);
    });
  });

  it("GIVEN policy violations in the engine's log THEN mandatory ones are part of the verdict", () => {
    const event = (level: string, name: string) =>
      JSON.stringify({
        policyEvent: {
          resourceUrn: groupUrn("security-server"),
          message: "SSH is open to the world; name your own range\n",
          policyName: name,
          enforcementLevel: level,
        },
      });
    const lines = [event("mandatory", "no-open-ssh"), event("advisory", "tags"), '{"sequence":1}'];
    const found = readPlan({ code: 1, stdout: "{}", stderr: "", events: lines.join("\n") });
    assert.deepEqual(found.errors, []);
    const text = body(found);
    assert.match(text, /^### Preview of dev: 1 policy violation to put right; no changes/);
    assert.match(
      text,
      /- \*\*stops the deployment\*\*: `no-open-ssh` `security-server`: SSH is open/,
    );
    assert.match(text, /- advice: `tags`/);
  });

  describe("secrets", () => {
    const canary = "C4N4RY-in-a-coal-mine";

    it("GIVEN a secret's placeholder or a telling name THEN no value is shown", () => {
      const states = {
        old: { inputs: { env: { a: "[secret]" }, password: canary, userData: canary } },
        now: {
          inputs: { env: { a: "[secret]", b: canary }, password: `${canary}2`, userData: "x" },
        },
      };
      const steps = [
        step("update", "x:y:Z", "one", states),
        step("create", "x:y:Z", "two", { now: states.now }),
        step("update", "x:y:Z", "three", {
          ...states,
          detailedDiff: { "env.a": { kind: "update", inputDiff: true } },
        }),
      ];
      assert.doesNotMatch(diffLines(steps).join("\n"), new RegExp(canary));
      assert.match(diffLines(steps).join("\n"), /env\.a: \[secret\] => \[secret\]/);
    });

    it("GIVEN a secret in an error, a warning or a description THEN it is taken out", () => {
      const pem = `-----BEGIN OPENSSH PRIVATE KEY-----\n${canary}\n-----END OPENSSH PRIVATE KEY-----`;
      const texts = [
        pem,
        `password=${canary}`,
        `"secretKey": "AKIAABCDEFGHIJKLMNOP"`,
        `https://user:${canary}@example.com/x`,
        `token: ghp_abcdefghijklmnopqrstuvwxyz0123`,
        `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc`,
      ];
      const told = body(plan([], { errors: texts, warnings: texts }));
      for (const secret of [canary, "AKIAABCDEF", "ghp_abc", "eyJzdWI"]) {
        assert.ok(!told.includes(secret), `${secret} in\n${told}`);
      }
      const open = step("create", ingress, "x", {
        now: rule("g", 22, { cidrIpv4: "10.0.0.0/8" }, `password: ${canary}`),
      });
      assert.doesNotMatch(body(plan([open])), new RegExp(canary));
    });

    it("GIVEN the values of this process's own secret variables THEN they are taken out anywhere", () => {
      const env = { PULUMI_CONFIG_PASSPHRASE: "correct horse", AWS_REGION: "eu-central-1" };
      assert.equal(redact("a correct horse in eu-central-1", env), "a [secret] in eu-central-1");
      assert.equal(redact("abc", { X_TOKEN: "" }), "abc");
    });
  });

  describe("text that would be obeyed", () => {
    it("GIVEN values that end a block, a tag or mention people THEN they stay inside of it", () => {
      const evil = "```\n</details> @everyone <img src=x> `";
      const states = { now: { inputs: { title: evil } } };
      const text = body(plan([step("create", "x:y:Z", "site", states)]));
      const fences = text.split("\n").filter((line) => /^`{3,}/.test(line));
      assert.deepEqual(fences, ["````diff", "````"]);
      const outside = text.slice(0, text.indexOf("````diff"));
      assert.doesNotMatch(outside, /everyone/);
      const policy = [{ policy: "p`", message: evil, resource: "a`b", isMandatory: false }];
      const told = body(plan([], { violations: policy }));
      assert.doesNotMatch(told, /<img|[^\\]@everyone|<\/details> @/);
    });

    it("GIVEN control characters and long values THEN they are one short line", () => {
      assert.equal(valueText("a", "x\u202ey"), '"xy"');
      assert.ok(valueText("a", "y".repeat(5_000)).length < 170);
      assert.equal(valueText("a", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"), "known after up");
      assert.equal(valueText("a", undefined), "nothing");
    });
  });

  describe("GitHub's limit of 65,536 characters", () => {
    it("GIVEN a plan of thousands of resources THEN the diff is cut, not the summary or the end", () => {
      const inputs = { text: "z".repeat(150) };
      const many = Array.from({ length: 3_000 }, (_, index) =>
        step("create", "x:y:Z", `thing-${index}`, { now: { inputs } }),
      );
      const text = body(plan(many));
      assert.ok(text.length <= longestComment && text.length > 60_000, String(text.length));
      assert.match(text, /^### Preview of dev: 3000 to create/);
      assert.match(
        text,
        /# … \d+ more lines; the run's summary has all of them\n```\n\n<\/details>/,
      );
      assert.ok(text.trimEnd().endsWith(marker("dev")));
      assert.ok(body(plan(many), {}, 900_000).includes("thing-2999"));
    });

    it("GIVEN any amount of anything THEN it fits, starts with the verdict and ends with the marker", () => {
      const long = fc.integer({ min: 0, max: 3_000 }).map((length) => "ä`<@".repeat(length));
      const anyPlan = fc.record({
        errors: fc.array(long, { maxLength: 60 }),
        warnings: fc.array(long, { maxLength: 60 }),
        messages: fc.array(long, { maxLength: 60 }),
        names: fc.array(long, { maxLength: 60 }),
      });
      fc.assert(
        fc.property(anyPlan, fc.boolean(), ({ errors, warnings, messages, names }, fails) => {
          const steps = names.flatMap((name) => [
            step("create", ingress, name, { now: rule(name, 22, { cidrIpv4: "0.0.0.0/0" }, name) }),
            step("replace", "aws:ec2/eip:Eip", name, { old: { inputs: {} }, now: { inputs: {} } }),
          ]);
          const violations = messages.map((message) => ({
            policy: "p",
            message,
            resource: message,
            isMandatory: true,
          }));
          const text = body(plan(steps, { errors: fails ? errors : [], warnings, violations }));
          assert.ok(text.length <= 65_536, String(text.length));
          assert.match(text, /^### Preview of dev: /);
          assert.ok(text.trimEnd().endsWith(marker("dev")));
        }),
        { numRuns: 60 },
      );
    });
  });
});
