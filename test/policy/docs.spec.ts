import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { rules } from "../../policy/rules";
import { parseStacks, rulesOf } from "../../policy/stacks";

const root = path.resolve(__dirname, "../..");
const page = path.join(root, "docs/policy.md");

/** The policies, why they are and how strictly each stack is held to them, as Markdown. */
function generated(): string {
  const table = parseStacks(readFileSync(path.join(root, "policy/stacks.yaml"), "utf8"));
  assert.ok("stacks" in table);
  const names = Object.keys(table.stacks);
  // A name that no row begins with.
  const stacks = [...names.map((name) => name.replace("*", "x")), "\0"].map((name) =>
    rulesOf(table, name),
  );
  const head = [...names.map((name) => `\`${name}\``), "others"];
  const row = (cells: readonly unknown[]) => `| ${cells.map(String).join(" | ")} |`;
  const lines = [
    row(["policy", "what must be so", "otherwise", ...head]),
    row(["---", "---", "---", ...head.map(() => "---")]),
    ...rules.map(({ name, description, why }) =>
      row([`\`${name}\``, description, why, ...stacks.map(({ levels }) => levels[name])]),
    ),
    "",
    row(["budget", ...head]),
    row(["---", ...head.map(() => "---")]),
    ...Object.entries({ instances: "instances", vcpus: "vCPUs", addresses: "Elastic IPs" }).map(
      ([key, what]) => row([what, ...stacks.map(({ budget }) => budget[key] ?? "any")]),
    ),
  ];
  return `\n<!-- prettier-ignore-start -->\n\n${lines.join("\n")}\n\n<!-- prettier-ignore-end -->\n\n`;
}

describe("docs/policy.md", () => {
  it("has the policies as they are", () => {
    const kept = readFileSync(page, "utf8");
    const pattern = /(?<=<!-- generated: policies -->\n)[^]*?(?=<!-- end -->)/;
    assert.match(kept, pattern);
    const text = kept.replace(pattern, () => generated());
    if (process.env["UPDATE"] === "1") writeFileSync(page, text);
    else assert.equal(kept, text, "docs/policy.md is stale: run this suite with UPDATE=1");
  });
});
