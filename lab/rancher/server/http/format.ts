import type { Doc } from "../documents";
import type { ResourceType } from "../resources/type";
import type { Context } from "./context";

/** `2026-11-23T06:00:26Z`: Rancher shows whole seconds. */
export function date(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** `{created, createdTS}`; the TS field is absent while there is no date, as in Rancher. */
export function dates(fields: Record<string, number | null>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, ms] of Object.entries(fields)) {
    out[key] = date(ms);
    if (ms !== null) out[`${key}TS`] = Math.floor(ms / 1000) * 1000;
  }
  return out;
}

/** Fields that everything with a life cycle shows. */
export function commonFields(row: Doc): Record<string, unknown> {
  return {
    name: row.name,
    state: row.state,
    description: row.description,
    kind: row.kind,
    ...dates({ created: row.created, removed: row.removed }),
    transitioning: row.transitioning,
    transitioningMessage: row.transitioningMessage,
    transitioningProgress: row.transitioningProgress,
    uuid: row.uuid,
  };
}

/** Puts `name` and `state` first and the rest in alphabetical order, as Rancher does. */
export function ordered(fields: Record<string, unknown>): Record<string, unknown> {
  const { name, state, ...rest } = fields;
  const out: Record<string, unknown> = {};
  if ("name" in fields) out.name = name;
  if ("state" in fields) out.state = state;
  for (const key of Object.keys(rest).sort()) out[key] = rest[key];
  return out;
}

/** The resource as its JSON body. */
export function formatResource<T extends { readonly id: number }>(
  type: ResourceType<T>,
  row: T,
  context: Context,
): Record<string, unknown> {
  const typeName = type.typeOf?.(row) ?? type.type;
  const id = type.idOf(row);
  const plural = type.pluralOf?.(row) ?? type.plural;
  const self = `${context.base}/${plural}/${id}`;
  const links: Record<string, string> = { self };
  for (const link of type.links(row, context)) links[link] = `${self}/${link.toLowerCase()}`;
  Object.assign(links, type.extraLinks?.(row, context));
  const actions: Record<string, string> = {};
  for (const action of type.actions(row, context)) {
    actions[action] = `${self}/?action=${action.toLowerCase()}`;
  }
  const fields = type.fields(row, context);
  const included = context.query.getAll("include").filter((n) => type.targets?.[n] !== undefined);
  for (const name of included) {
    fields[name] = type.targets?.[name]?.(row, context).map((x) => formatAny(x, context));
  }
  return { id, type: typeName, links, actions, baseType: type.baseType, ...ordered(fields) };
}

/** A row together with its type. */
export interface Typed {
  readonly type: ResourceType<never>;
  readonly row: { readonly id: number };
}

/** Formats a row found through a link, without following `include` again. */
export function formatAny(item: Typed, context: Context): Record<string, unknown> {
  return formatResource(item.type as unknown as ResourceType<{ id: number }>, item.row, {
    ...context,
    query: new URLSearchParams(),
  });
}
