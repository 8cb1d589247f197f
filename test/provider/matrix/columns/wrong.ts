/** Inputs that are wrong. */
import * as assert from "node:assert/strict";
import type { Cell } from "../cells";
import type { Column } from "./column";

/** It is declared all wrong. */
export const wrong: Column<Cell> = {
  title: "wrong all over",
  about: "every problem of its inputs is told by one preview, each with the property's path",
  async run(stage, cells) {
    const before = await stage.snapshot();
    const { access } = stage.declared.resources;
    const said: string[] = [];
    // One each, because the engine stops at the first resource that is wrong; two at a time.
    const waiting = [...cells];
    const preview = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { type, cell } = next;
        const wrong = { type, provider: "open", args: cell.args };
        const resources = { ...(access === undefined ? {} : { access }), [type]: wrong };
        const program = { ...stage.declared, resources, outputs: {} };
        const { code, output } = await stage.engine.start(["preview"], program).ended;
        assert.notEqual(code, 0, `the preview of a wrong ${type} did not fail`);
        said.push(output);
      }
    };
    await Promise.all([preview(), preview()]);
    return { before, after: before, plan: {}, said: said.join("\n") };
  },
  verify: (outcome, { type, cell }) => {
    const lines = outcome.said.split("\n").filter((each) => each.includes(`resource '${type}'`));
    for (const [property, reason] of Object.entries(cell.problems ?? {})) {
      const line = lines.find((each) => each.includes(`property ${property} `));
      assert.ok(line?.includes(reason), `${property} is not told:\n${lines.join("\n")}`);
    }
  },
};
