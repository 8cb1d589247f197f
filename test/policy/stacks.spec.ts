import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { packConfig, parseStacks, rulesOf, type StackTable } from "../../policy/stacks";

const file = path.join(__dirname, "../../policy/stacks.yaml");

function table(text: string): StackTable {
  const parsed = parseStacks(text);
  assert.ok("stacks" in parsed, JSON.stringify(parsed));
  return parsed;
}

const example = table(`
default: { levels: { tagged: advisory }, budget: { instances: 5, vcpus: 10 }, amis: [ami-00000001] }
stacks:
  dev: { levels: { data-protected: disabled } }
  prod-*: { budget: { instances: 9 }, amis: [ami-00000002] }
  prod-eu-*: { levels: { tagged: mandatory } }
  prod-test: { levels: { images-pinned: advisory } }
  empty:
`);

describe("the table of stacks", () => {
  it("GIVEN the pack's own table THEN it is well-formed and prod is held to everything", () => {
    const own = table(readFileSync(file, "utf8"));
    for (const stack of ["prod", "prod-eu"]) {
      assert.deepEqual([...new Set(Object.values(rulesOf(own, stack).levels))], ["mandatory"]);
    }
    assert.equal(rulesOf(own, "dev").levels["data-protected"], "disabled");
    assert.equal(rulesOf(own, "anything").levels["admin-ports-closed"], "mandatory");
    assert.equal(rulesOf(own, "anything").levels["data-protected"], "advisory");
  });

  it("GIVEN a stack with a row THEN it lies over the default", () => {
    const { levels, budget, amis } = rulesOf(example, "dev");
    assert.deepEqual([levels["tagged"], levels["data-protected"]], ["advisory", "disabled"]);
    assert.equal(levels["images-pinned"], "mandatory");
    assert.deepEqual([budget, amis], [{ instances: 5, vcpus: 10 }, ["ami-00000001"]]);
  });

  it("GIVEN beginnings THEN the longest counts, and a whole name before them", () => {
    assert.deepEqual(rulesOf(example, "prod-us").budget, { instances: 9, vcpus: 10 });
    assert.deepEqual(rulesOf(example, "prod-us").amis, ["ami-00000001", "ami-00000002"]);
    assert.equal(rulesOf(example, "prod-eu-1").levels["tagged"], "mandatory");
    assert.equal(rulesOf(example, "prod-eu-1").budget["instances"], 5);
    assert.equal(rulesOf(example, "prod-test").levels["images-pinned"], "advisory");
    assert.equal(rulesOf(example, "empty").levels["tagged"], "advisory");
  });

  it("GIVEN no stack's name THEN everything is mandatory", () => {
    assert.deepEqual(
      [...new Set(Object.values(rulesOf(example, undefined).levels))],
      ["mandatory"],
    );
  });

  it("GIVEN what a stack is held to THEN the pack's configuration says it", () => {
    const config = packConfig(rulesOf(example, "prod-us"));
    assert.deepEqual(config["within-budget"], {
      enforcementLevel: "mandatory",
      instances: 9,
      vcpus: 10,
    });
    assert.deepEqual(config["amis-approved"], {
      enforcementLevel: "mandatory",
      allow: ["ami-00000001", "ami-00000002"],
    });
    assert.deepEqual(config["tagged"], { enforcementLevel: "advisory" });
  });

  const wrong: Readonly<Record<string, readonly [text: string, ...says: RegExp[]]>> = {
    nothing: ["", /the table is empty/],
    "no stacks": ["default: {}", /^stacks: is missing/],
    "a key with a slip": ["defaults: {}\nstacks: {}", /^defaults: .*did you mean default\?/],
    "a row with a slip": ["stacks: { dev: { level: {} } }", /^stacks\.dev\.level: .*levels\?/],
    "an unknown policy": [
      "stacks: { dev: { levels: { tagd: advisory } } }",
      /levels\.tagd: .*tagged\?/,
    ],
    "an unknown level": [
      "stacks: { dev: { levels: { tagged: warn } } }",
      /tagged: "warn" is not a level; choose from mandatory, advisory, disabled/,
    ],
    "no level": ["stacks: { dev: { levels: { tagged: } } }", /tagged: null is not a level/],
    "levels that are a list": ["stacks: { dev: { levels: [tagged] } }", /levels: is not a map/],
    "a row that is a word": ["stacks: { dev: strict }", /^stacks\.dev: is not a map/],
    "half a machine": [
      "stacks: { dev: { budget: { instances: 1.5 } } }",
      /instances: 1\.5 is not a whole/,
    ],
    "a budget in words": [
      "stacks: { dev: { budget: { vcpus: four } } }",
      /vcpus: "four" is not a whole/,
    ],
    "an unknown count": [
      "stacks: { dev: { budget: { adresses: 3 } } }",
      /did you mean addresses\?/,
    ],
    "an image that is none": [
      "default: { amis: [rancheros] }\nstacks: {}",
      /^default\.amis: "rancheros" is not/,
    ],
    "images that are a word": [
      "default: { amis: ami-00000001 }\nstacks: {}",
      /amis: is not a list/,
    ],
    "a name that is none": ["stacks: { 'a b': {} }", /^stacks\.a b: is neither/],
    "no YAML": ["stacks: [", /./],
    "several at once": [
      "defaults: {}\nstacks: { dev: { levels: { tagged: warn }, budget: { vcpus: -1 } } }",
      /defaults/,
      /warn/,
      /-1/,
    ],
  };
  for (const [what, [text, ...says]] of Object.entries(wrong)) {
    it(`GIVEN ${what} THEN it is told, with its place`, () => {
      const problems = parseStacks(text);
      assert.ok(!("stacks" in problems));
      assert.equal(problems.length, says.length, problems.join("\n"));
      says.forEach((pattern, i) => assert.match(problems[i] ?? "", pattern));
    });
  }
});
