import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { defaults } from "../../config/settings";
import { blocks, blocksOf, isCommands, keyWords, root } from "./blocks";

const scripts = (
  JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    scripts?: Record<string, string>;
  }
).scripts;
const makefile = readFileSync(path.join(root, "Makefile"), "utf8");
const commands = blocks.filter(isCommands);

describe("commands in README.md and docs", () => {
  it("GIVEN a page THEN its blocks are found, with their marks", () => {
    const [one, two] = blocksOf(
      "x.md",
      "- a\n  ```sh run=lab\n  pulumi up # yes\n  ```\n```\nnpm ci\n```\n",
    );
    assert.deepEqual(
      [one?.where, one?.marks, one?.lines],
      ["x.md:2", { run: "lab" }, ["pulumi up # yes"]],
    );
    assert.ok(two !== undefined && isCommands(two));
    assert.deepEqual(keyWords("npx pulumi config set wordpressScale 4 --stack dev   # a"), [
      "config",
      "set",
      "wordpressScale",
      "--stack",
    ]);
    assert.ok(commands.length > 10);
  });

  for (const { where, language, marks, lines } of commands) {
    describe(where, () => {
      it("THEN says how it is known to work", () => {
        assert.equal(language, "sh", "begin the block with ```sh and a mark");
        const known = Object.entries(marks).map(([key, value]) =>
          key === "shown-by" ? key : `${key}=${value}`,
        );
        assert.equal(known.length, 1, "give the block one mark");
        assert.match(known[0] ?? "", /^(run=lab|run=unit|needs=aws|shown-by)$/);
      });

      it("THEN names scripts, targets and settings that exist", () => {
        for (const line of lines) {
          for (const [, script = ""] of line.matchAll(/npm run (?:-\S+ )*([\w-]+)/g)) {
            assert.ok(scripts?.[script] !== undefined, `npm run ${script}`);
          }
          for (const [, target = ""] of line.matchAll(/^make ([\w-]+)/g)) {
            assert.match(makefile, new RegExp(`^(.* )?${target}( .*)?:`, "m"), `make ${target}`);
          }
          const setting = /pulumi config (?:set|rm)(?: --?\w+)* '?([A-Za-z]\w+)/.exec(line)?.[1];
          const isOurs = !where.startsWith("docs/provider.md");
          if (setting !== undefined && isOurs) assert.ok(setting in defaults, setting);
        }
      });

      if (marks["shown-by"] !== undefined) {
        it(`THEN ${marks["shown-by"]} shows it`, () => {
          // Several files, when one test uses what another has.
          const files = (marks["shown-by"] ?? "").split(",").map((file) => path.join(root, file));
          for (const file of files) assert.ok(existsSync(file), file);
          const text = files.map((file) => readFileSync(file, "utf8")).join("\n");
          for (const word of lines.flatMap(keyWords)) assert.ok(text.includes(word), word);
        });
      }

      if (marks["run"] === "unit") {
        it("THEN it runs", () => {
          execFileSync("bash", ["-euo", "pipefail", "-c", lines.join("\n")], { cwd: root });
        });
      }
    });
  }
});
