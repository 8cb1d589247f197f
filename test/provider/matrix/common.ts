/** Cells that most resources have in the same form. */
import type { Cell } from "./cells";
import { type Snapshot, thingOf } from "./stage";

/** Somebody removes these. */
export function removedBySomebody(type: string, ...names: string[]): Cell {
  return {
    of: names,
    happens: async ({ server }, now) => {
      for (const name of names) await server.remove(type, thingOf(now, name));
    },
  };
}

/** Somebody changes fields of one; `plan` are the paths that the preview names. */
export function changedBySomebody(
  type: string,
  name: string,
  fields: (now: Readonly<Record<string, unknown>>) => object,
  plan: readonly string[],
): Cell {
  return {
    of: [name],
    happens: async ({ server }, now) => {
      const thing = thingOf(now, name);
      await server.put(type, thing, fields(thing));
    },
    plan,
    check: ({ before, after }) => {
      for (const path of plan) {
        const field = path.split(/[.[]/)[0] ?? path;
        assertSame(thingOf(after, name)[field], thingOf(before, name)[field], `${name}.${field}`);
      }
    },
  };
}

/** Declared with arguments that are wrong all over; `problems` is what is said of each property. */
export function wrong(
  args: Record<string, unknown>,
  problems: Readonly<Record<string, string>>,
): Cell {
  return { of: [], args, problems };
}

/**
 * Declared anew, to be made by a run that is killed; `args` has its name.
 *
 * @param provider one of several, because a provider sends four requests at a time, and these hang.
 */
export function late(
  type: string,
  args: Record<string, unknown>,
  provider: "open" | "closed" | "second" | "third",
): Cell {
  const name = `late-${type}`;
  return {
    of: [name],
    happens: ({ declared }) => {
      declared.resources[name] = { type, args, provider };
    },
  };
}

/** How things are imported: by the server's id, or as one of its names. */
const ways = ["id", "name"] as const;

/**
 * Two that somebody else makes are imported and declared: one by its id, one as `Default/NAME`.
 *
 * @param body what a client of the API sends, for a name.
 * @param args what a program declares.
 * @param path between the environment's name and its own. @default nothing
 */
export function importedTwice(
  type: string,
  body: (name: string, now: Snapshot) => object,
  args: (name: string) => Record<string, unknown>,
  path = "Default/",
): Cell {
  return {
    of: ways.map((way) => `${type}-by-${way}`),
    happens: async (stage, now) => {
      for (const way of ways) {
        const name = `their-${type}-by-${way}`;
        const { id } = await stage.server.make(type, body(name, now));
        const as = `${type}-by-${way}`;
        stage.imports[as] = [`rancher:index:${type}`, way === "id" ? id : `${path}${name}`];
        stage.declared.resources[as] = { type, args: args(name) };
      }
    },
  };
}

function assertSame(actual: unknown, expected: unknown, what: string): void {
  const [now, before] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (now !== before) throw new Error(`${what} is ${now}, was ${before}`);
}
