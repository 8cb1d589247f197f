import * as pulumi from "@pulumi/pulumi";
import { strict as assert } from "node:assert";
import { rules } from "../../policy/rules";
import { isTaggable } from "../../policy/rules/tags";
import { recordProgram } from "../unit/program";
import type { Recorded } from "../unit/recorder";
import { type Given, judge } from "./judge";

/** Secrets in clear, as policies get them. */
function bare(value: unknown): unknown {
  const inner = pulumi.runtime.unwrapRpcSecret(value) as unknown;
  if (Array.isArray(inner)) return inner.map(bare);
  if (typeof inner !== "object" || inner === null) return inner;
  return Object.fromEntries(Object.entries(inner).map(([key, each]) => [key, bare(each)]));
}

const given = ({ type, name, inputs, protect }: Recorded): Given => ({
  type,
  name,
  protect,
  props: bare(inputs) as Given["props"],
});

const budget = { instances: 3, vcpus: 4, addresses: 3 };

/** What the whole program breaks with a configuration: first lines of messages, by policy. */
async function broken(config: Readonly<Record<string, string>> = {}) {
  const { resources } = await recordProgram(config);
  const found: Record<string, readonly string[]> = {};
  for (const { name } of rules) {
    const messages = await judge(name, resources.map(given), budget);
    if (messages.length > 0) found[name] = messages.map((message) => message.split("\n")[0] ?? "");
  }
  return found;
}

/** The program as it is, against the policies. */
describe("the policies and the program", () => {
  it("GIVEN least settings and protected data THEN nothing is broken", async () => {
    assert.deepEqual(await broken({ protectData: "true" }), {});
  });

  it("GIVEN SSH through AWS THEN nothing is broken either", async () => {
    const config = { protectData: "true", sshVia: "instance-connect-endpoint" };
    assert.deepEqual(await broken(config), {});
  });

  it("GIVEN data that is not protected THEN the disk and the shared files are told", async () => {
    const { "data-protected": told, ...rest } = await broken();
    assert.deepEqual([told?.length, rest], [2, {}]);
  });

  it("GIVEN an administrator anywhere THEN the rule of SSH is told", async () => {
    const { "admin-ports-closed": told } = await broken({
      adminCidrs: '["0.0.0.0/0"]',
      allowWorldAdmin: "true",
    });
    assert.deepEqual(told, ["security-server-ssh-0.0.0.0_0 opens port 22 (SSH) to 0.0.0.0/0."]);
  });

  it("GIVEN an image of one's own and more hosts THEN each machine and the budget are told", async () => {
    const { "amis-approved": images, "within-budget": counts } = await broken({
      amiId: "ami-0123456789abcdef0",
      agentCount: "3",
    });
    assert.deepEqual([images?.length, counts?.length], [4, 3]);
  });

  it("GIVEN the program THEN resources of it are under each policy", async () => {
    const { resources } = await recordProgram();
    const types = new Set(resources.map(({ type }) => type));
    const needed = [
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
      "pulumi:providers:docker",
      "pulumi:providers:rancher",
      "command:local:Command",
      "aws:ebs/volume:Volume",
      "aws:efs/fileSystem:FileSystem",
      "aws:ec2/instance:Instance",
      "aws:ec2/eip:Eip",
      "docker:index/remoteImage:RemoteImage",
      "rancher:index:Service",
      "rancher:index:LoadBalancer",
    ];
    assert.deepEqual(
      needed.filter((type) => !types.has(type)),
      [],
    );
    // What the program tags and what the policy wants tagged is the same.
    const aws = resources.filter(({ type }) => type.startsWith("aws:"));
    assert.deepEqual(
      aws.filter(({ type, inputs }) => isTaggable(type) !== "tags" in inputs).map((r) => r.name),
      [],
    );
  });

  it("GIVEN ssh commands of the program WHEN one stops checking keys THEN it is told", async () => {
    const { resources } = await recordProgram();
    const gates = resources.filter(({ type }) => type === "command:local:Command").map(given);
    assert.ok(gates.length > 0);
    const loosened = gates.map((gate) => ({
      ...gate,
      props: JSON.parse(
        JSON.stringify(gate.props).replaceAll(
          "StrictHostKeyChecking=yes",
          "StrictHostKeyChecking=no",
        ),
      ) as Given["props"],
    }));
    assert.equal((await judge("host-keys-verified", loosened)).length, gates.length);
  });
});
