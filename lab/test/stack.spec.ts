import * as assert from "node:assert/strict";
import { fillTemplate, mergeConfig } from "../stack";

describe("the lab's stack configuration", () => {
  it("GIVEN a template THEN values are filled in, and not in comments", () => {
    const template =
      "# ${nothing}\nconfig:\n  a:x: ${one}/mariadb\n  a:list: [${two}/32]\n  a:n: 2\n";
    assert.deepEqual(fillTemplate(template, { one: "r:5000", two: "10.0.0.1" }), {
      "a:x": "r:5000/mariadb",
      "a:list": ["10.0.0.1/32"],
      "a:n": 2,
    });
    assert.throws(() => fillTemplate("config: ${what}", {}), /unknown value \$\{what\}/);
  });

  const rows = [
    { given: "nothing yet", current: {}, before: undefined, wanted: { a: 1 }, then: { a: 1 } },
    {
      given: "an unchanged value",
      current: { a: 1 },
      before: { a: 1 },
      wanted: { a: 2 },
      then: { a: 2 },
    },
    {
      given: "a value the user set",
      current: { a: 4 },
      before: { a: 1 },
      wanted: { a: 2 },
      then: { a: 4 },
    },
    {
      given: "a value the user removed",
      current: {},
      before: { a: 1 },
      wanted: { a: 2 },
      then: {},
    },
    {
      given: "a key of the user's",
      current: { b: 1 },
      before: {},
      wanted: { a: 2 },
      then: { a: 2, b: 1 },
    },
    {
      given: "a file of an older lab",
      current: { a: 1 },
      before: undefined,
      wanted: { a: 2 },
      then: { a: 2 },
    },
    {
      given: "a user's list",
      current: { a: ["x"] },
      before: { a: ["x"] },
      wanted: { a: ["y"] },
      then: { a: ["y"] },
    },
  ];
  for (const { given, current, before, wanted, then } of rows) {
    it(`GIVEN ${given} WHEN make lab runs THEN the file says ${JSON.stringify(then)}`, () => {
      assert.deepEqual(mergeConfig(current, before, wanted), then);
    });
  }
});
