import { strict as assert } from "node:assert";
import { rules } from "../../policy/rules";
import { isTaggable } from "../../policy/rules/tags";
import { cases } from "./cases";
import { judge, type Given } from "./judge";

/** A stack of so many machines and addresses. */
const fleet = (machines: number, instanceType: string, addresses = machines): readonly Given[] => [
  ...Array.from({ length: machines }, () => ({
    type: "aws:ec2/instance:Instance",
    props: { instanceType },
  })),
  ...Array.from({ length: addresses }, () => ({ type: "aws:ec2/eip:Eip", props: {} })),
];

describe("the policies", () => {
  it("GIVEN the pack THEN every policy has cases here", () => {
    const ofResources = rules.filter((rule) => "problems" in rule).map(({ name }) => name);
    assert.deepEqual(Object.keys(cases).sort(), [...ofResources].sort());
    const ofStack = rules.filter((rule) => "stackProblems" in rule).map(({ name }) => name);
    assert.deepEqual(ofStack, ["within-budget"]);
  });

  for (const [name, { passing, failing }] of Object.entries(cases)) {
    describe(name, () => {
      for (const [what, given] of Object.entries(passing)) {
        it(`GIVEN ${what} THEN it passes`, async () => {
          assert.deepEqual(await judge(name, [given]), []);
        });
      }
      for (const [what, given, says] of failing) {
        it(`GIVEN ${what} THEN it fails, once, and says what, why and what to do`, async () => {
          const messages = await judge(name, [given]);
          assert.equal(messages.length, 1, messages.join("\n"));
          assert.match(messages[0] ?? "", says);
          assert.match(messages[0] ?? "", /\.\nwhy: [^\n]{40,}\.\nfix: [^\n]{20,}\.$/);
        });
      }
    });
  }

  it("GIVEN two things wrong with one resource THEN both are told", async () => {
    const props = { ami: "ami-0fc1a9332c246bc56", metadataOptions: { httpEndpoint: "enabled" } };
    const machine = { type: "aws:ec2/instance:Instance", props };
    assert.equal((await judge("metadata-as-intended", [machine])).length, 2);
  });

  it("GIVEN an image that the stack allows THEN it passes, in any region", async () => {
    const ami = "ami-0123456789abcdef0";
    const machine = { type: "aws:ec2/instance:Instance", props: { ami } };
    assert.deepEqual(await judge("amis-approved", [machine], { allow: [ami] }), []);
    assert.equal((await judge("amis-approved", [machine], { allow: ["ami-12345678"] })).length, 1);
  });

  it("GIVEN types of AWS THEN the SDK says which can have tags", () => {
    const tagged = [
      "ec2/instance:Instance",
      "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    ];
    const not = ["ec2/route:Route", "ec2/eipAssociation:EipAssociation", "nowhere/thing:Thing"];
    for (const type of tagged) assert.ok(isTaggable(`aws:${type}`), type);
    for (const type of not) assert.ok(!isTaggable(`aws:${type}`), type);
  });

  describe("within-budget", () => {
    const budget = { instances: 3, vcpus: 6, addresses: 3 };

    it("GIVEN a stack on its budget THEN it passes", async () => {
      assert.deepEqual(await judge("within-budget", fleet(3, "t3.medium"), budget), []);
    });

    it("GIVEN one machine more THEN machines, vCPUs and addresses are told", async () => {
      const messages = await judge("within-budget", fleet(4, "t3.medium"), budget);
      assert.deepEqual(
        messages.map((message) => message.split("\n")[0]),
        [
          "the stack has 4 instances, and its budget is 3.",
          "the stack has 8 vCPUs, and its budget is 6.",
          "the stack has 4 Elastic IPs, and its budget is 3.",
        ],
      );
      assert.match(messages[0] ?? "", /\nwhy: .*\nfix: lower agentCount/);
    });

    it("GIVEN larger machines THEN vCPUs alone are told", async () => {
      const messages = await judge("within-budget", fleet(2, "m5.xlarge"), budget);
      assert.equal(messages.length, 1);
      assert.match(messages[0] ?? "", /has 8 vCPUs/);
    });

    it("GIVEN no budget THEN nothing is limited", async () => {
      assert.deepEqual(await judge("within-budget", fleet(40, "m5.4xlarge")), []);
    });
  });
});
