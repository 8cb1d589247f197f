/** Holds every resource of the schema to every column of the matrix, through the real engine. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import type { Cell, Update } from "./matrix/cells";
import type { Placed } from "./matrix/columns/column";
import { blanks, filled, order, unasked } from "./matrix/matrix";
import { resourceTypes } from "./matrix/schema";
import { type Outcome, Stage } from "./matrix/stage";
import { tableFile, tableText } from "./matrix/table";

/** How a cell is called in what a test prints. */
function titleOf({ type, input, cell }: Placed<Cell | Update>): string {
  if (input === undefined) return type;
  const { to, because, effect } = cell as Update;
  const change = because === undefined ? (to === undefined ? "taken away" : "changed") : "replaced";
  return `${type}.${input} (${change}: ${effect})`;
}

describe("the Rancher provider, through the engine", function () {
  this.timeout(600_000);
  let stage: Stage;
  /** Until the site is up, and after a run that failed half-way, columns would wait in vain. */
  let isWhole = true;

  before(async () => {
    stage = await Stage.open();
  });
  after(async () => {
    await stage?.close();
  });

  it("has a cell for every resource and input of the schema in every column", () => {
    assert.deepEqual(blanks(), { missing: [], stray: [] });
  });

  it("has its table in docs/provider-matrix.md", () => {
    const text = tableText();
    if (process.env["UPDATE"] === "1") fs.writeFileSync(tableFile, text);
    const kept = fs.existsSync(tableFile) ? fs.readFileSync(tableFile, "utf8") : "";
    assert.ok(kept === text, "docs/provider-matrix.md is stale: run this suite with UPDATE=1");
  });

  for (const name of order) {
    const { column, tests } = filled(name);
    describe(column.title, () => {
      let run: Promise<Outcome> | undefined;

      /** What came of the column's run. */
      async function outcome(): Promise<Outcome> {
        run ??= column.run(stage, tests as never);
        try {
          return await run;
        } catch (error) {
          isWhole = false;
          const message = `the run of "${column.title}" failed: ${(error as Error).message}`;
          throw new Error(message, { cause: error });
        }
      }

      for (const test of tests) {
        it(`${titleOf(test)} × ${column.title}`, async function () {
          if (!isWhole) this.skip();
          const result = await outcome();
          column.verify(result, test as never);
          await test.cell.check?.(result, stage);
        });
      }

      it(`${column.title}: nothing else is planned`, async function () {
        if (!isWhole) this.skip();
        assert.deepEqual(unasked((await outcome()).plan, { column, tests }), []);
      });

      it(`${column.title}: nothing is on the server that the state does not know`, async function () {
        if (!isWhole) this.skip();
        const { after } = await outcome();
        const known = Object.values(after.known).map(({ type, id }) => `${type} ${id}`);
        const there = resourceTypes.flatMap((type) =>
          (after.all[type] ?? []).map((thing) => `${type} ${thing.id}`),
        );
        const strange = there.filter((each) => !known.includes(each));
        assert.deepEqual(strange, stage.foreign(after));
      });
    });
  }

  describe("in the end", () => {
    it("has kept all secrets", function () {
      if (!isWhole) this.skip();
      assert.ok(stage.secrets.length > 10);
      stage.assertKept(stage.secrets);
    });
  });
});
