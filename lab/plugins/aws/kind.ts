/** One way to make, find, change and delete any AWS resource; each kind only fills in its calls. */
import { diffInputs, parsePath } from "../../../rancher/plugin/diff";
import { PartialFailure } from "../../../rancher/plugin/serve";
import type { Call, Props, Resource } from "../../../rancher/plugin/types";
import { equal } from "../../../rancher/plugin/values";
import { checkInputs, type Inputs, map } from "../standIn";
import { type Aws, until } from "./client";

/** What a kind of resource is. `F` is what the API says about one. */
export interface Kind<F> {
  readonly type: string;
  readonly inputs: Inputs;
  /** Inputs whose change needs a new resource. */
  replace(inputs: Props): readonly string[];
  /** The tags that a found resource has; absent when the kind has none. */
  tags?(found: F): Record<string, string>;
  /** @default the tags of an EC2 resource */
  retag?(aws: Aws, id: string, before: Props, after: Props, call: Call): Promise<void>;
  /** Makes it and returns its id. */
  create(aws: Aws, inputs: Props, call: Call): Promise<string>;
  /** Finishes what `create` began; when this fails, the resource is kept. @default nothing */
  settle?(aws: Aws, id: string, inputs: Props, call: Call): Promise<void>;
  find(aws: Aws, id: string, state: Props, call: Call): Promise<F | undefined>;
  /** Outputs beside the inputs. */
  outputs(aws: Aws, found: F, inputs: Props, call: Call): Props | Promise<Props>;
  /** What the inputs would have to be for the found resource; the order of lists is ignored. @default none */
  actual?(found: F): Props;
  /** Applies changed inputs, given as top-level names. */
  update?(
    aws: Aws,
    args: { id: string; oldInputs: Props; old: Props; inputs: Props; changed: ReadonlySet<string> },
    call: Call,
  ): Promise<void>;
  delete(aws: Aws, id: string, state: Props, call: Call): Promise<void>;
}

function sameSet(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return equal(a, b);
  const sorted = (list: unknown[]): string[] => list.map((item) => JSON.stringify(item)).sort();
  return equal(sorted(a), sorted(b));
}

/** The inputs with what was found in place of what differs. */
function drifted<F>(aws: Aws, kind: Kind<F>, inputs: Props, found: F): Props {
  const actual = kind.actual?.(found) ?? {};
  // Without inputs this is an import, and everything found is news.
  const imported = Object.keys(inputs).length === 0;
  const changed = Object.entries(actual).filter(
    ([name, value]) => (imported || name in inputs) && !sameSet(inputs[name], value),
  );
  const result: Props = { ...inputs, ...Object.fromEntries(changed) };
  if (kind.tags === undefined) return result;
  const tags = Object.fromEntries(
    Object.entries(kind.tags(found)).filter(([key, value]) => aws.defaultTags[key] !== value),
  );
  const expected = Object.fromEntries(
    Object.entries(map(inputs, "tags")).filter(([key, value]) => aws.defaultTags[key] !== value),
  );
  return equal(tags, expected) ? result : { ...result, tags };
}

/** The resource that a kind describes. */
export function resource<F>(kind: Kind<F>): Resource<Aws> {
  const taggable = kind.tags !== undefined;
  const inputsSpec = taggable
    ? { ...kind.inputs, shape: { ...kind.inputs.shape, tags: "map" as const } }
    : kind.inputs;

  async function state(aws: Aws, found: F, inputs: Props, call: Call): Promise<Props> {
    const tagsAll = taggable ? { tagsAll: aws.tags(inputs) } : {};
    const outputs = await kind.outputs(aws, found, inputs, call);
    return { ...inputs, ...tagsAll, region: aws.region, ...outputs };
  }

  async function settled(aws: Aws, id: string, inputs: Props, call: Call): Promise<Props> {
    try {
      await kind.settle?.(aws, id, inputs, call);
      const found = await until(`waiting for ${id} to exist`, call, () =>
        kind.find(aws, id, inputs, call),
      );
      return await state(aws, found, inputs, call);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new PartialFailure({ id, outputs: { ...inputs } }, reason);
    }
  }

  return {
    check: checkInputs(kind.type, inputsSpec),
    diff: ({ oldInputs, inputs }) =>
      diffInputs(oldInputs, inputs, { replace: kind.replace(inputs), ignore: ["__defaults"] }),
    create: async (aws, inputs, call) => {
      const id = await kind.create(aws, inputs, call);
      return { id, outputs: await settled(aws, id, inputs, call) };
    },
    read: async (aws, { id, inputs, outputs }, call) => {
      const found = await kind.find(aws, id, outputs, call);
      if (found === undefined) return undefined;
      const known = drifted(aws, kind, inputs, found);
      return { state: { id, outputs: await state(aws, found, known, call) }, inputs: known };
    },
    update: async (aws, { id, oldInputs, old, inputs }, call) => {
      const changes = Object.keys(diffInputs(oldInputs, inputs).changes);
      const changed = new Set(changes.map((path) => String(parsePath(path)[0])));
      // The default tags may be what changed, which no diff of inputs shows.
      if (taggable) {
        if (kind.retag !== undefined) await kind.retag(aws, id, oldInputs, inputs, call);
        else await aws.retag(id, oldInputs, inputs, call);
      }
      await kind.update?.(aws, { id, oldInputs, old, inputs, changed }, call);
      return settled(aws, id, inputs, call);
    },
    delete: (aws, { id, outputs }, call) => kind.delete(aws, id, outputs, call),
  };
}
