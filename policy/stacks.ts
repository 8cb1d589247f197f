import type { PolicyPackConfig } from "@pulumi/policy";
import { parseDocument } from "yaml";
import { nearest } from "../config/nearest";
import { rules } from "./rules";
import { amisApproved } from "./rules/amis";
import { budgetKeys, withinBudget } from "./rules/budget";

const levels = ["mandatory", "advisory", "disabled"] as const;

/** What a violation does: stop, warn, nothing. */
export type Level = (typeof levels)[number];

/** What a stack is held to. */
export interface StackRules {
  /** By rule. */
  readonly levels: Readonly<Record<string, Level>>;
  /** The most of each; what is not named is not limited. */
  readonly budget: Readonly<Record<string, number>>;
  /** Approved images beside those of the table. */
  readonly amis: readonly string[];
}

type Row = Partial<StackRules>;

/** The whole table. */
export interface StackTable {
  readonly default: Row;
  readonly stacks: Readonly<Record<string, Row>>;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Problems of the keys of something, each with its place. */
function keyProblems(place: string, fields: Fields, known: readonly string[]): readonly string[] {
  return Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => `${place}${key}: is not known here; did you mean ${nearest(key, known)}?`);
}

/** Checks the fields of one kind of entry. */
function entryProblems(
  place: string,
  value: unknown,
  known: readonly string[],
  problem: (entry: unknown) => string | undefined,
): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!isFields(value)) return [`${place}: is not a map; write one with ${known.join(", ")}`];
  const found = Object.entries(value)
    .filter(([key]) => known.includes(key))
    .map(([key, entry]) => [key, problem(entry)] as const)
    .filter(([, text]) => text !== undefined)
    .map(([key, text]) => `${place}.${key}: ${String(text)}`);
  return [...keyProblems(`${place}.`, value, known), ...found];
}

function rowProblems(place: string, row: unknown): readonly string[] {
  if (row === null || row === undefined) return [];
  if (!isFields(row)) return [`${place}: is not a map; write levels, budget and amis under it`];
  const names = rules.map(({ name }) => name);
  const { amis } = row;
  const shown = (value: unknown) => JSON.stringify(value) ?? "nothing";
  return [
    ...keyProblems(`${place}.`, row, ["levels", "budget", "amis"]),
    ...entryProblems(`${place}.levels`, row["levels"], names, (level) =>
      levels.includes(level as Level)
        ? undefined
        : `${shown(level)} is not a level; choose from ${levels.join(", ")}`,
    ),
    ...entryProblems(`${place}.budget`, row["budget"], budgetKeys, (most) =>
      Number.isSafeInteger(most) && (most as number) >= 0
        ? undefined
        : `${shown(most)} is not a whole number of 0 or more; set one such as 5`,
    ),
    ...(amis === undefined || amis === null || Array.isArray(amis)
      ? ((amis ?? []) as readonly unknown[])
          .filter((ami) => !/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(String(ami)))
          .map((ami) => `${place}.amis: ${shown(ami)} is not the id of an image; write ami-…`)
      : [`${place}.amis: is not a list; write one such as [ami-0123456789abcdef0]`]),
  ];
}

/** Reads the table, or returns all that is wrong with it, one line a place. */
export function parseStacks(text: string): StackTable | readonly string[] {
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    return document.errors.map(({ message }) => message.split("\n")[0] ?? message);
  }
  const table: unknown = document.toJS();
  if (!isFields(table)) return ["the table is empty; write default and stacks"];
  const { stacks } = table;
  const problems = [
    ...keyProblems("", table, ["default", "stacks"]),
    ...rowProblems("default", table["default"]),
    ...(isFields(stacks)
      ? Object.entries(stacks).flatMap(([name, row]) => [
          ...(/^[A-Za-z0-9_.-]+\*?$/.test(name)
            ? []
            : [`stacks.${name}: is neither the name of a stack nor a beginning such as prod-*`]),
          ...rowProblems(`stacks.${name}`, row),
        ])
      : [`stacks: ${stacks === undefined ? "is missing" : "is not a map"}; name a stack, as prod`]),
  ];
  if (problems.length > 0) return problems;
  return { default: (table["default"] ?? {}) as Row, stacks: stacks as StackTable["stacks"] };
}

/** The row of a stack: its name, or the longest beginning that fits. */
function rowOf(table: StackTable, stack: string): Row {
  if (Object.hasOwn(table.stacks, stack)) return table.stacks[stack] ?? {};
  const [longest] = Object.keys(table.stacks)
    .filter((key) => key.endsWith("*") && stack.startsWith(key.slice(0, -1)))
    .sort((a, b) => b.length - a.length);
  return longest === undefined ? {} : (table.stacks[longest] ?? {});
}

/**
 * What a stack is held to.
 *
 * @param stack undefined when nobody says which it is: then everything is mandatory
 */
export function rulesOf(table: StackTable, stack: string | undefined): StackRules {
  const row = stack === undefined ? {} : rowOf(table, stack);
  const chosen = stack === undefined ? {} : { ...table.default.levels, ...row.levels };
  return {
    levels: Object.fromEntries(rules.map(({ name }) => [name, chosen[name] ?? "mandatory"])),
    budget: { ...table.default.budget, ...row.budget },
    amis: [...(table.default.amis ?? []), ...(row.amis ?? [])],
  };
}

/** The same as `@pulumi/policy` takes it; `--policy-pack-config` goes over it. */
export function packConfig({ levels: chosen, budget, amis }: StackRules): PolicyPackConfig {
  const given: Readonly<Record<string, Fields>> = {
    [withinBudget.name]: budget,
    [amisApproved.name]: { allow: amis },
  };
  return Object.fromEntries(
    Object.entries(chosen).map(([name, enforcementLevel]) => [
      name,
      { ...given[name], enforcementLevel },
    ]),
  );
}
