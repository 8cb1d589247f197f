/** The policy pack: `pulumi preview --policy-pack policy`. */
import { PolicyPack } from "@pulumi/policy";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { policies } from "./rule";
import { rules } from "./rules";
import { packConfig, parseStacks, rulesOf } from "./stacks";

const table = parseStacks(readFileSync(path.join(__dirname, "stacks.yaml"), "utf8"));
if ("stacks" in table) {
  new PolicyPack(
    "rancher-cattle",
    { policies: policies(rules) },
    // Node's language host names the stack here, before it starts a pack.
    packConfig(rulesOf(table, process.env["PULUMI_NODEJS_STACK"])),
  );
} else {
  console.error(`policy/stacks.yaml has problems\n${table.map((line) => `  ${line}`).join("\n")}`);
  process.exit(1);
}
