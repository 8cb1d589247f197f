/** The schema, the provider and the TypeScript classes say the same. */
import * as assert from "node:assert/strict";
import type * as pulumi from "@pulumi/pulumi";
import * as sdk from "../../rancher";
import { definition } from "../../rancher/definition";
import type { Client } from "../../rancher/client/client";
import type { Props, Resource } from "../../rancher/plugin/types";
import { isSecret, record, type Recording } from "../unit/recorder";
import { URN } from "./support";

interface Property {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly additionalProperties?: Property;
  readonly description?: string;
  readonly secret?: boolean;
  readonly default?: unknown;
  readonly replaceOnChanges?: boolean;
}
type Properties = Readonly<Record<string, Property>>;
interface ObjectType {
  readonly description?: string;
  readonly properties: Properties;
  readonly required?: readonly string[];
}
interface ResourceType extends ObjectType {
  readonly inputProperties: Properties;
  readonly requiredInputs?: readonly string[];
}
interface Schema {
  readonly config: { readonly variables: Properties };
  readonly provider: ResourceType;
  readonly types: Readonly<Record<string, ObjectType>>;
  readonly resources: Readonly<Record<string, ResourceType>>;
  readonly functions: Readonly<
    Record<string, { description?: string; inputs: ObjectType; outputs: ObjectType }>
  >;
}

const schema = JSON.parse(definition.schema) as Schema;
const resources = Object.entries(schema.resources);

function implementation(token: string): Resource<Client> {
  const found = definition.resources[token];
  assert.ok(found, `the provider has no ${token}`);
  return found;
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort();
}

/** The names of properties that pass. */
function having(properties: Properties, passes: (property: Property) => unknown): string[] {
  return sorted(Object.keys(properties).filter((name) => passes(properties[name] ?? {})));
}

/** Runs check of a resource; it must not throw, whatever it is given. */
function check(token: string, inputs: Props): ReturnType<Resource<Client>["check"]> {
  return implementation(token).check(inputs, undefined, { urn: URN });
}

/** The property names that a resource's check knows: the lists in which it looks for an odd one. */
function knownToCheck(token: string): string[] {
  const odd = "no such property";
  const lists: string[][] = [];
  const { includes } = Array.prototype;
  Array.prototype.includes = function (this: string[], ...args) {
    if (args[0] === odd) lists.push([...this]);
    return includes.apply(this, args);
  };
  try {
    check(token, { [odd]: 1 });
  } finally {
    Array.prototype.includes = includes;
  }
  const [known] = lists;
  assert.ok(known, `check of ${token} accepts any property`);
  return sorted(known);
}

/** A value of a property's type; another one for another `n`. */
function sample(property: Property, n: number): unknown {
  const { type, $ref = "", items, additionalProperties } = property;
  const referred = schema.types[$ref.replace("#/types/", "")];
  if (referred !== undefined) {
    const fields = Object.entries(referred.properties);
    return Object.fromEntries(fields.map(([name, field]) => [name, sample(field, n)]));
  }
  if (items !== undefined) return [sample(items, n)];
  if (additionalProperties !== undefined) return { key: sample(additionalProperties, n) };
  if (type === "integer" || type === "number") return n;
  if (type === "boolean") return n % 2 === 0;
  return `text ${n}`;
}

function samples(properties: Properties, n: number): Props {
  const fields = Object.entries(properties);
  return Object.fromEntries(fields.map(([name, property]) => [name, sample(property, n)]));
}

/** Outputs that a resource keeps secret even if its inputs are not. */
function secretOutputs(token: string): string[] {
  const { secretOutputs: names = [] } = implementation(token);
  return sorted(typeof names === "function" ? names([]) : names);
}

describe("the schema", () => {
  it("has exactly the provider's resources and functions, and each has its class or functions", () => {
    assert.deepEqual(
      sorted(Object.keys(schema.resources)),
      sorted(Object.keys(definition.resources)),
    );
    const functions = Object.keys(schema.functions);
    assert.deepEqual(sorted(functions), sorted(Object.keys(definition.functions ?? {})));
    const nameOf = (token: string): string => token.split(":")[2] ?? "";
    const expected = [
      ...Object.keys(schema.resources).map(nameOf),
      ...functions.map(nameOf).flatMap((name) => [name, `${name}Output`]),
      "Provider",
    ];
    assert.deepEqual(sorted(Object.keys(sdk)), sorted(expected));
  });

  it("describes everything", () => {
    const bags: [string, Properties][] = [
      ["config", schema.config.variables],
      ["provider", schema.provider.inputProperties],
      ...[...Object.entries(schema.types), ...resources].map(
        ([token, { properties }]): [string, Properties] => [token, properties],
      ),
      ...resources.map(([token, r]): [string, Properties] => [token, r.inputProperties]),
      ...Object.entries(schema.functions).flatMap(([token, f]): [string, Properties][] => [
        [token, f.inputs.properties],
        [token, f.outputs.properties],
      ]),
    ];
    for (const [token, bag] of bags) {
      assert.deepEqual([token, ...having(bag, (p) => (p.description ?? "") === "")], [token]);
    }
    const described = { ...schema.types, ...schema.resources, ...schema.functions };
    for (const [token, { description = "" }] of Object.entries(described)) {
      assert.notEqual(description, "", token);
    }
  });

  it("refers to types that it has", () => {
    const text = definition.schema.matchAll(/"#\/types\/([^"]+)"/g);
    for (const [, token = ""] of text) assert.ok(token in schema.types, token);
  });

  for (const [token, { properties, inputProperties, requiredInputs, required }] of resources) {
    describe(token, () => {
      it("has the inputs that check knows", () => {
        assert.deepEqual(sorted(Object.keys(inputProperties)), knownToCheck(token));
      });

      it("requires the inputs that check requires", () => {
        const missing = check(token, {}).problems.filter((p) => p.reason === "is required");
        assert.deepEqual(sorted(requiredInputs ?? []), sorted(missing.map((p) => p.path)));
      });

      it("has the defaults that check fills in, and giving one does not replace", () => {
        const { inputs: oldInputs } = check(token, {});
        for (const name of having(inputProperties, (p) => p.default !== undefined)) {
          const given = inputProperties[name]?.default;
          if (oldInputs[name] !== undefined)
            assert.deepEqual([name, oldInputs[name]], [name, given]);
          const { inputs } = check(token, { [name]: given });
          const args = { id: "1", oldInputs, old: oldInputs, inputs };
          const changes = Object.values(implementation(token).diff(args).changes);
          assert.ok(!changes.includes("replace"), name);
        }
      });

      it("repeats every input as an output of the same type, and requires only what there is", () => {
        for (const [name, { type, $ref, items }] of Object.entries(inputProperties)) {
          const { type: t, $ref: r, items: i } = properties[name] ?? {};
          assert.deepEqual([name, t, r, i], [name, type, $ref, items]);
        }
        for (const name of required ?? []) assert.ok(name in properties, name);
        for (const name of requiredInputs ?? []) assert.ok(required?.includes(name), name);
      });

      it("marks what is secret", () => {
        const secrets = having(properties, (p) => p.secret);
        assert.deepEqual(secrets, secretOutputs(token));
        assert.deepEqual(
          having(inputProperties, (p) => p.secret),
          secrets.filter((name) => name in inputProperties),
        );
      });

      it("marks as replacing only what replaces whatever else is declared", () => {
        for (const name of having(inputProperties, (p) => p.replaceOnChanges)) {
          const [before, after] = [1, 2].map((n) => ({
            ...samples(inputProperties, 1),
            [name]: sample(inputProperties[name] ?? {}, n),
          }));
          assert.ok(before !== undefined && after !== undefined);
          const old = samples(properties, 1);
          const args = { id: "1", oldInputs: before, old, inputs: after };
          const { changes } = implementation(token).diff(args);
          assert.ok(Object.values(changes).includes("replace"), name);
        }
      });
    });
  }
});

describe("the classes", () => {
  type Class = new (name: string, args: Props) => pulumi.CustomResource;
  const made = new Map<string, pulumi.CustomResource>();
  let recording: Recording;

  before(async () => {
    recording = await record(() => {
      for (const [token, { inputProperties }] of resources) {
        const Thing = (sdk as unknown as Record<string, Class>)[token.split(":")[2] ?? ""];
        assert.ok(Thing);
        made.set(token, new Thing("thing", samples(inputProperties, 1)));
      }
    });
  });

  for (const [token, { properties, inputProperties }] of resources) {
    it(`${token} passes exactly the schema's inputs, keeps its secrets, and has its outputs`, () => {
      const { inputs, additionalSecretOutputs } = recording.get(token, "thing");
      assert.deepEqual(sorted(Object.keys(inputs)), sorted(Object.keys(inputProperties)));
      assert.deepEqual(
        sorted(Object.keys(inputs).filter((name) => isSecret(inputs[name]))),
        having(inputProperties, (p) => p.secret),
      );
      assert.deepEqual(sorted(additionalSecretOutputs), secretOutputs(token));
      for (const name of Object.keys(properties)) {
        assert.ok(name in (made.get(token) ?? {}), `${name} is missing`);
      }
    });
  }

  for (const [token, { outputs }] of Object.entries(schema.functions)) {
    it(`${token} answers with what the provider answers`, async () => {
      const answer = samples(outputs.properties, 1);
      const name = `${token.split(":")[2] ?? ""}Output`;
      const call = (sdk as unknown as Record<string, (args: Props) => unknown>)[name];
      assert.ok(call);
      const { result } = await record(() => call({}), { calls: { [token]: answer } });
      assert.deepEqual(result, answer);
    });
  }
});
