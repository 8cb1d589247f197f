import * as pulumi from "@pulumi/pulumi";
import { strict as assert } from "node:assert";
import { amis } from "../../config/amis";
import { recordProgram, recordStart } from "./program";
import { type Calls, ordinaryCalls } from "./recorder";

const token = {
  image: "aws:ec2/getAmi:getAmi",
  offerings: "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings",
  quota: "aws:servicequotas/getServiceQuota:getServiceQuota",
  instances: "aws:ec2/getInstances:getInstances",
  zones: "aws:index/getAvailabilityZones:getAvailabilityZones",
} as const;

const region = "eu-central-1";

/** RancherOS's own image, as AWS describes it. */
const image = {
  id: amis[region],
  state: "available",
  architecture: "x86_64",
  virtualizationType: "hvm",
  rootDeviceType: "ebs",
  enaSupport: true,
};

/** Every type in three zones, but for these. */
function offered(...absent: readonly (readonly [type: string, zone: string])[]) {
  const all = ["t3.medium", "t2.small"].flatMap((type) =>
    ["a", "b", "c"].map((zone) => [type, `${region}${zone}`] as const),
  );
  const left = all.filter(([type, zone]) => !absent.some(([t, z]) => t === type && z === zone));
  return { instanceTypes: left.map(([type]) => type), locations: left.map(([, zone]) => zone) };
}

function quotas(vcpus: number, addresses: number) {
  return ({ quotaCode }: Record<string, unknown>) => ({
    value: quotaCode === "L-1216C47A" ? vcpus : addresses,
  });
}

/** An account that can hold the stack. */
const good: Calls = {
  ...ordinaryCalls,
  [token.image]: image,
  [token.offerings]: offered(),
  [token.quota]: quotas(5, 5),
  [token.instances]: { ids: [] },
};

function throwing(message: string) {
  return (): never => {
    // The SDK tells what an engine's answer says in `details`.
    throw Object.assign(new Error(message), { details: message });
  };
}

/** How the aws provider says that nothing has the id. */
const nothingFound = throwing("Your query returned no results. Change it and try again.");

/** What a run warned of. */
async function warningsOf(work: () => Promise<unknown>): Promise<string> {
  const heard: string[] = [];
  const warn = pulumi.log.warn;
  (pulumi.log as { warn: typeof warn }).warn = (message) => {
    heard.push(message);
    return Promise.resolve();
  };
  try {
    await work();
  } finally {
    (pulumi.log as { warn: typeof warn }).warn = warn;
  }
  return heard.join("\n");
}

describe("the gate before the first resource", () => {
  it("GIVEN an account that can hold the stack, THEN start.ts makes what index.ts makes", async () => {
    const [started, direct] = [await recordStart(good), await recordProgram()];
    assert.equal(started.result, undefined);
    assert.ok(started.resources.length > 90);
    assert.deepEqual(
      started.resources.map(({ urn }) => urn).sort(),
      direct.resources.map(({ urn }) => urn).sort(),
    );
  });

  for (const [problem, calls, config, expected] of [
    [
      "an image that its publisher has withdrawn",
      { [token.image]: nothingFound },
      {},
      [/aws:region: .*ami-0fc1a9332c246bc56.* cannot be launched.*; choose.*docs\/own-image\.md/],
    ],
    [
      "an image of one's own that is not there",
      { [token.image]: nothingFound },
      { amiId: "ami-00000001" },
      [/rancher-cattle:amiId: "ami-00000001" is no image.*; check the id/],
    ],
    [
      "an image of another architecture that has failed",
      { [token.image]: { ...image, state: "failed", architecture: "arm64" } },
      { amiId: "ami-00000001" },
      [/rancher-cattle:amiId: .*state is failed, not available; architecture is arm64, not x86_64/],
    ],
    [
      "an image without the driver that a type needs",
      { [token.image]: { ...image, enaSupport: false } },
      { amiId: "ami-00000001" },
      [/rancher-cattle:amiId: .*ENA driver, which t3\.medium need; set amiId/],
    ],
    [
      "a type that the second zone lacks",
      { [token.offerings]: offered(["t2.small", `${region}b`]) },
      {},
      [/rancher-cattle:agentInstanceType: "t2\.small" is not offered in eu-central-1b; choose/],
    ],
    [
      "types that no zone has",
      { [token.offerings]: { instanceTypes: [], locations: [] } },
      {},
      [
        /rancher-cattle:serverInstanceType: "t3\.medium" is not offered in eu-central-1a; choose/,
        /rancher-cattle:agentInstanceType: .* eu-central-1a and eu-central-1b; choose/,
      ],
    ],
    [
      "too few vCPUs",
      { [token.quota]: quotas(3, 5) },
      {},
      [/rancher-cattle:agentCount: .*needs 4 vCPUs.*may have 3.*; have AWS raise.*L-1216C47A/],
    ],
    [
      "too few addresses",
      { [token.quota]: quotas(5, 2) },
      {},
      [/rancher-cattle:agentCount: .*needs 3 Elastic IPs.*may have 2.*; have AWS.*L-0263D0A3/],
    ],
    [
      "all of it at once",
      {
        [token.image]: nothingFound,
        [token.offerings]: offered(["t3.medium", `${region}a`]),
        [token.quota]: quotas(1, 1),
      },
      {},
      [/aws:region: /, /serverInstanceType: /, /vCPUs/, /Elastic IPs/],
    ],
  ] as const satisfies readonly (readonly [
    string,
    Calls,
    Readonly<Record<string, string>>,
    readonly RegExp[],
  ])[]) {
    it(`GIVEN ${problem}, THEN it says so and nothing is made`, async () => {
      const { result = "", resources } = await recordStart({ ...good, ...calls }, config);
      const [head, ...lines] = result.split("\n");
      assert.equal(head, "the AWS account cannot hold this stack");
      assert.equal(lines.length, expected.length, result);
      for (const [index, line] of expected.entries()) assert.match(lines[index] ?? "", line);
      assert.deepEqual(resources, []);
    });
  }

  it("GIVEN a zone that lacks a type and gets no machine, THEN it is no problem", async () => {
    const calls = { ...good, [token.offerings]: offered(["t3.medium", `${region}b`]) };
    assert.equal((await recordStart(calls)).result, undefined);
  });

  it("GIVEN permissions that are missing, THEN it warns and goes on", async () => {
    const denied = throwing("UnauthorizedOperation: not you");
    const calls = { ...good, [token.offerings]: denied, [token.quota]: denied };
    const said = await warningsOf(async () => {
      const { result, resources } = await recordStart(calls);
      assert.equal(result, undefined);
      assert.ok(resources.length > 90);
    });
    assert.match(said, /instance types: .*not you/);
    assert.match(said, /quota of vCPUs: .*not you/);
    assert.match(said, /quota of Elastic IPs: .*not you/);
  });

  it("GIVEN a stack whose machines all stand, THEN a withdrawn image is a warning", async () => {
    const asked: Record<string, unknown>[] = [];
    const standing = (count: number): Calls => ({
      ...good,
      [token.image]: nothingFound,
      [token.instances]: (inputs) => {
        asked.push(inputs);
        return { ids: Array.from({ length: count }, (_, index) => `i-${index}`) };
      },
    });
    const said = await warningsOf(async () => {
      assert.equal((await recordStart(standing(3))).result, undefined);
    });
    assert.match(said, /nothing that runs is affected.*\n.*ami-0fc1a9332c246bc56/);
    assert.deepEqual(asked[0]?.["instanceTags"], { project: "rancher-cattle", stack: "test" });
    const fewer = await recordStart(standing(2));
    assert.match(fewer.result ?? "", /cannot hold this stack/);
    assert.deepEqual(fewer.resources, []);
  });

  it("GIVEN nobody who answers for AWS, THEN it ends with one message", async () => {
    const calls = { ...good, [token.zones]: throwing("no credentials found") };
    const { result = "", resources } = await recordStart(calls);
    assert.match(result, /^AWS does not answer: .*no credentials found; .*npm run preflight$/);
    assert.deepEqual(resources, []);
  });

  it("THEN the image is looked for by id, among deprecated ones too", async () => {
    const asked: Record<string, unknown>[] = [];
    await recordStart({
      ...good,
      [token.image]: (inputs) => {
        asked.push(inputs);
        return image;
      },
    });
    assert.deepEqual(asked, [
      { includeDeprecated: true, filters: [{ name: "image-id", values: [amis[region]] }] },
    ]);
  });
});
