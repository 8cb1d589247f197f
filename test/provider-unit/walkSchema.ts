/** The provider's schema as a tree of inputs, and values drawn for it from the tables of generators. */
import fc from "fast-check";
import type { Step } from "../../rancher/plugin/diff";
import type { Props } from "../../rancher/plugin/types";
import { equal } from "../../rancher/plugin/values";
import schema from "../../rancher/schema.json";
import { ALWAYS, type Bad, type Generators, type Table } from "./walkGenerators";

/** A property as the schema writes it. */
export interface Property {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly replaceOnChanges?: boolean;
  readonly default?: unknown;
}

/** The properties of a resource or of a type, and which of them must be there. */
export interface Shape {
  readonly properties: Readonly<Record<string, Property>>;
  readonly required: readonly string[];
}

/** One input, at any depth; elements of a list are at its first place. */
export interface Leaf {
  readonly path: readonly Step[];
  readonly property: Property;
  /** The table it is in, and its row. */
  readonly owner: string;
  readonly name: string;
}

const short = (token: string): string => token.replace(/^.*:/, "");

interface Declared {
  readonly inputProperties: Shape["properties"];
  readonly requiredInputs?: readonly string[];
}
interface DeclaredType {
  readonly properties: Shape["properties"];
  readonly required?: readonly string[];
}

/** Every resource by its name. */
export const resources: Readonly<Record<string, Shape>> = Object.fromEntries(
  Object.entries(schema.resources as unknown as Record<string, Declared>).map(([token, of]) => [
    short(token),
    { properties: of.inputProperties, required: of.requiredInputs ?? [] },
  ]),
);

const types: Readonly<Record<string, Shape>> = Object.fromEntries(
  Object.entries(schema.types as unknown as Record<string, DeclaredType>).map(([token, of]) => [
    short(token),
    { properties: of.properties, required: of.required ?? [] },
  ]),
);

/** The type that a property refers to, if it is one of the schema's own. */
function reference({ $ref }: Property): string | undefined {
  return $ref?.startsWith("#/types/") === true ? short($ref) : undefined;
}

function shapeOf(owner: string): Shape {
  const shape = resources[owner] ?? types[owner];
  if (shape === undefined) throw new Error(`the schema has no ${owner}`);
  return shape;
}

/** Every input of a resource, those inside others too. */
export function leavesOf(owner: string, at: readonly Step[] = []): Leaf[] {
  return Object.entries(shapeOf(owner).properties).flatMap(([name, property]): Leaf[] => {
    const path = [...at, name];
    const inner = reference(property);
    const element = property.items === undefined ? undefined : reference(property.items);
    return [
      { path, property, owner, name },
      ...(inner === undefined ? [] : leavesOf(inner, path)),
      ...(element === undefined ? [] : leavesOf(element, [...path, 0])),
    ];
  });
}

/** Whether values can be drawn from the table, or from those of the type it refers to. */
export function hasGenerators({ owner, name, property }: Leaf, of: Tables): boolean {
  const inner = reference(property) ?? reference(property.items ?? {});
  return of[owner]?.[name] !== undefined || (inner !== undefined && of[inner] !== undefined);
}

/** Tables by the name of the resource or type. */
export type Tables = Readonly<Record<string, Table>>;

function rowOf(of: Tables, owner: string, name: string): Generators | undefined {
  return of[owner]?.[name];
}

/** Legal values of one property. */
function legal(of: Tables, owner: string, name: string, property: Property): fc.Arbitrary<unknown> {
  const row = rowOf(of, owner, name);
  if (row !== undefined) return row.legal;
  const inner = reference(property);
  if (inner !== undefined) return anyOf(of, inner);
  const element = reference(property.items ?? {});
  if (element !== undefined) return fc.array(anyOf(of, element), { minLength: 1, maxLength: 2 });
  throw new Error(`${owner}.${name} has no generators`);
}

/** Objects of a shape with everything that must be there and some of the rest. */
export function anyOf(of: Tables, owner: string): fc.Arbitrary<Props> {
  const { properties, required } = shapeOf(owner);
  const each = Object.entries(properties).map(
    ([name, property]): [string, fc.Arbitrary<unknown>] => [name, legal(of, owner, name, property)],
  );
  return fc.record(Object.fromEntries(each), {
    requiredKeys: [...required] as never[],
  }) as fc.Arbitrary<Props>;
}

/** Two objects with everything in them, different in every property that may differ. */
export function pairOf(of: Tables, owner: string): fc.Arbitrary<readonly [Props, Props]> {
  const each = Object.entries(shapeOf(owner).properties).map(
    ([name, property]): [string, fc.Arbitrary<readonly [unknown, unknown]>] => {
      const inner = reference(property);
      const row = rowOf(of, owner, name);
      if (row === undefined && inner !== undefined) return [name, pairOf(of, inner)];
      const one = legal(of, owner, name, property);
      if (row?.fixed !== undefined) return [name, one.map((value) => [value, value] as const)];
      return [name, fc.tuple(one, one).filter(([a, b]) => !equal(a, b))];
    },
  );
  return fc.record(Object.fromEntries(each)).map((pairs) => {
    const side = (n: 0 | 1): Props =>
      Object.fromEntries(Object.entries(pairs).map(([name, pair]) => [name, pair[n]]));
    return [side(0), side(1)] as const;
  });
}

/** Only what must be there. */
export function required(owner: string, inputs: Props): Props {
  const { properties, required: names } = shapeOf(owner);
  return Object.fromEntries(
    [...names, ...(ALWAYS[owner] ?? [])].map((name) => {
      const inner = reference(properties[name] ?? {});
      const value = inputs[name];
      return [name, inner === undefined ? value : required(inner, value as Props)];
    }),
  );
}

/** Values of another kind than the schema says. A number or flag in a map of texts is turned into text. */
function wrongKinds({ type, $ref }: Property): Bad[] {
  if ($ref?.startsWith("pulumi.json") === true) return [];
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    string: [7, ["x"]],
    integer: ["7", true, 1.5],
    boolean: ["true", 1],
    array: ["x", { x: "x" }],
    object: ["x", ["x"]],
  };
  return (wrong[type ?? "object"] ?? []).map((value): Bad => [value]);
}

/** Everything that check must refuse at one input. */
export function badValues(leaf: Leaf, of: Tables): Bad[] {
  const { owner, name, property } = leaf;
  const inner = reference(property);
  const unknown: Bad[] = inner === undefined ? [] : [[{ colour: "red" }, ".colour"]];
  const element = reference(property.items ?? {});
  const elements: Bad[] =
    element === undefined
      ? []
      : [
          [["x"], "[0]"],
          [[{ colour: 1 }], "[0].colour"],
        ];
  return [...wrongKinds(property), ...unknown, ...elements, ...(rowOf(of, owner, name)?.bad ?? [])];
}

/** The inputs with another value at a path; what leads there and is missing is taken from `full`. */
export function withValue(
  inputs: unknown,
  path: readonly Step[],
  value: unknown,
  full: unknown,
): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const model = (full as Props | undefined)?.[step as string];
  const container = (inputs ?? (typeof step === "number" ? [] : {})) as Props;
  const inside = container[step as string] ?? (rest.length === 0 ? undefined : model);
  const changed = withValue(inside, rest, value, model);
  if (typeof step === "number") {
    return Object.assign([...(container as unknown as unknown[])], { [step]: changed });
  }
  return { ...container, [step]: changed };
}
