import { findInstanceType } from "../../config/instanceTypes";
import type { Resource } from "../resource";
import type { StackRule } from "../rule";
import { machineTypes } from "./machines";

const machines = (resources: readonly Resource[]) =>
  resources.filter(({ type }) => (machineTypes as readonly string[]).includes(type));

/** vCPUs of a type; a type that is not in the table is the affair of another rule. */
function vcpus({ props }: Resource): number {
  const found = findInstanceType(String(props["instanceType"]));
  return typeof found === "string" ? 0 : found.vcpus;
}

/** What is counted: its name, and how many of it a stack has. */
const counts: Readonly<
  Record<string, { readonly what: string; readonly of: (all: readonly Resource[]) => number }>
> = {
  instances: { what: "instances", of: (all) => machines(all).length },
  vcpus: {
    what: "vCPUs",
    of: (all) => machines(all).reduce((sum, machine) => sum + vcpus(machine), 0),
  },
  addresses: {
    what: "Elastic IPs",
    of: (all) => all.filter(({ type }) => type === "aws:ec2/eip:Eip").length,
  },
};

/** The keys of a budget. */
export const budgetKeys = Object.keys(counts);

export const withinBudget: StackRule = {
  name: "within-budget",
  description: "The stack has no more instances, vCPUs and Elastic IPs than its budget",
  why: "a zero too many in agentCount is a bill at the end of the month; a budget makes it a line in a review",
  fix: "lower agentCount or choose smaller types; where it is meant, raise the stack's budget in policy/stacks.yaml in the same change",
  severity: "medium",
  config: {
    properties: Object.fromEntries(
      Object.entries(counts).map(([key, { what }]) => [
        key,
        { type: "number", minimum: 0, description: `The most ${what} that the stack may have.` },
      ]),
    ),
  },
  stackProblems: (resources, config) =>
    Object.entries(counts).flatMap(([key, { what, of }]) => {
      const most = config[key];
      const has = of(resources);
      return typeof most === "number" && has > most
        ? [`has ${has} ${what}, and its budget is ${most}`]
        : [];
    }),
};
