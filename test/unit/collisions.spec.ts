import { strict as assert } from "node:assert";
import { recordProgram } from "./program";
import type { Recorded } from "./recorder";

/** Inputs by which AWS knows a thing, some of them once in an account. */
const naming = ["name", "namePrefix", "creationToken", "bucket", "keyName", "path"];

/** What a resource is called on AWS: names that are given, and the tag that people read. */
function namesOf({ type, inputs }: Recorded): readonly string[] {
  const tags = inputs["tags"] as Record<string, string> | undefined;
  return [...naming.map((key) => inputs[key]), tags?.["Name"]]
    .filter((name): name is string => typeof name === "string")
    .map((name) => `${type} ${name}`);
}

describe("two stacks in one account", () => {
  it("GIVEN the same configuration THEN nothing on AWS has the name of the other's", async () => {
    const onAws = async (stack: string) =>
      (await recordProgram({}, stack)).resources.filter(({ type }) => type.startsWith("aws:"));
    const [dev, staging] = [await onAws("dev"), await onAws("staging")];
    const taken = new Set(dev.flatMap(namesOf));
    assert.ok(taken.size > 15, String(taken.size));
    // Names of a private zone are known in its own VPC only, and records belong to their zone.
    const shared = staging
      .filter(({ type }) => type !== "aws:route53/record:Record")
      .flatMap(namesOf)
      .filter((name) => taken.has(name));
    assert.deepEqual(shared, []);
    for (const { inputs } of staging) {
      const tags = inputs["tags"] as Record<string, string> | undefined;
      if (tags !== undefined) assert.equal(tags["stack"], "staging");
      assert.doesNotMatch(JSON.stringify(inputs), /"dev[-.]|:"dev"/);
    }
  });
});
