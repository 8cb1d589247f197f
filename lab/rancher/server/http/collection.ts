import { parseId } from "../ids";
import type { ResourceType } from "../resources/type";
import type { Context } from "./context";
import { formatResource } from "./format";

type Modifier =
  "eq" | "ne" | "like" | "notlike" | "prefix" | "null" | "notnull" | "lt" | "lte" | "gt" | "gte";
const modifiers = [
  "ne",
  "notlike",
  "like",
  "prefix",
  "notnull",
  "null",
  "lte",
  "lt",
  "gte",
  "gt",
] as const;
const defaultLimit = 100;
const maxLimit = 3000;

/** `name_like` -> field and modifier, or undefined when the type has no such field. */
function parseFilter(key: string, filters: readonly string[]): [string, Modifier] | undefined {
  if (filters.includes(key)) return [key, "eq"];
  for (const m of modifiers) {
    const field = key.slice(0, -m.length - 1);
    if (key === `${field}_${m}` && filters.includes(field)) return [field, m];
  }
  return undefined;
}

/** References are compared, and echoed, as numbers. */
function normalise(field: string, value: string): string {
  if (field !== "id" && !field.endsWith("Id")) return value;
  const id = parseId(value);
  return id === undefined ? value : String(id);
}

/** `%` and `_` as in SQL, without regard to case as in MySQL's collation. */
function like(value: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/%/g, ".*")
    .replace(/_/g, ".");
  return new RegExp(`^${source}$`, "is").test(value);
}

function matches(raw: unknown, modifier: Modifier, wanted: string): boolean {
  if (modifier === "null") return raw === null || raw === undefined;
  if (modifier === "notnull") return raw !== null && raw !== undefined;
  if (raw === null || raw === undefined) return modifier === "ne" || modifier === "notlike";
  const value =
    typeof raw === "object" ? JSON.stringify(raw) : String(raw as string | number | boolean);
  const a = value.toLowerCase();
  const b = wanted.toLowerCase();
  const order =
    typeof raw === "number" && !Number.isNaN(Number(wanted))
      ? raw - Number(wanted)
      : a < b
        ? -1
        : a > b
          ? 1
          : 0;
  switch (modifier) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "like":
      return like(value, wanted);
    case "notlike":
      return !like(value, wanted);
    case "prefix":
      return a.startsWith(b);
    case "lt":
      return order < 0;
    case "lte":
      return order <= 0;
    case "gt":
      return order > 0;
    case "gte":
      return order >= 0;
  }
}

/** Filters, sorts, pages and formats rows the way Rancher's collections do. */
export function formatCollection<T extends { readonly id: number }>(
  type: ResourceType<T>,
  rows: readonly T[],
  context: Context,
  options: {
    /** The collection's own URL. */
    readonly self: string;
    readonly resourceType?: string;
    /** @default none */
    readonly createDefaults?: Record<string, unknown>;
  },
): Record<string, unknown> {
  const filterNames = type.filters;
  const echoed: Record<string, { value: string; modifier: Modifier }[] | null> = {};
  for (const name of [...filterNames].sort()) echoed[name] = null;
  const value = (row: T, field: string): unknown =>
    field === "id"
      ? row.id
      : type.filterValue !== undefined
        ? type.filterValue(row, field)
        : (row as Record<string, unknown>)[field];

  let found = [...rows];
  if (context.query.get("_removed") !== "true") found = found.filter((r) => !type.isRemoved(r));
  for (const [key, given] of context.query) {
    const parsed = parseFilter(key, filterNames);
    if (parsed === undefined) continue;
    const [field, modifier] = parsed;
    const wanted = normalise(field, given);
    echoed[field] = [...(echoed[field] ?? []), { value: wanted, modifier }];
    found = found.filter((r) => matches(value(r, field), modifier, wanted));
  }

  const { self } = options;
  const sortField = context.query.get("sort") ?? "";
  const sorted = filterNames.includes(sortField);
  const descending = context.query.get("order") === "desc";
  if (sorted) {
    const key = (r: T): string | number => {
      const v = value(r, sortField);
      return typeof v === "number"
        ? v
        : v === null || v === undefined
          ? ""
          : String(v as string).toLowerCase();
    };
    found.sort((a, b) => {
      const x = key(a);
      const y = key(b);
      const order = x < y ? -1 : x > y ? 1 : a.id - b.id;
      return descending ? -order : order;
    });
  }

  const givenLimit = context.query.get("limit");
  let limit = defaultLimit;
  if (givenLimit !== null && /^-?\d+$/.test(givenLimit)) {
    limit = Number(givenLimit);
    if (limit <= 0 || limit > maxLimit) limit = maxLimit;
  }
  const offset = Number(/^m(\d+)$/.exec(context.query.get("marker") ?? "")?.[1] ?? 0);
  const page = type.unpaged === true ? found : found.slice(offset, offset + limit);
  const partial = type.unpaged !== true && found.length > offset + limit;

  // Links of the collection repeat what narrows it, in this order.
  const parts = (extra: readonly [string, string][]): string => {
    const list: [string, string][] = givenLimit === null ? [] : [["limit", String(limit)]];
    return `${self}?${new URLSearchParams([...list, ...extra]).toString()}`;
  };
  const sortPart: [string, string][] = sorted ? [["sort", sortField]] : [];
  if (sorted && descending) sortPart.push(["order", "desc"]);
  const sortLinks: Record<string, string> = {};
  if (type.unpaged !== true) {
    for (const name of [...filterNames].sort()) sortLinks[name] = parts([["sort", name]]);
  }
  const createTypes: Record<string, string> = {};
  if (context.project !== undefined || type.where === "root") {
    for (const [name, plural] of Object.entries(type.createTypes ?? {})) {
      createTypes[name] = `${context.base}/${plural}`;
    }
  }
  return {
    type: "collection",
    resourceType: options.resourceType ?? type.type,
    links: { self },
    createTypes,
    actions: {},
    data: page.map((row) => formatResource(type, row, context)),
    sortLinks,
    pagination:
      type.unpaged === true
        ? null
        : {
            first: null,
            previous: null,
            next: partial ? parts([...sortPart, ["marker", `m${String(offset + limit)}`]]) : null,
            limit,
            total: null,
            partial,
          },
    sort: sorted
      ? {
          name: sortField,
          reverse: parts([
            ["sort", sortField],
            ["order", descending ? "asc" : "desc"],
          ]),
          order: descending ? "desc" : "asc",
        }
      : null,
    filters: type.unpaged === true ? {} : echoed,
    createDefaults: options.createDefaults ?? {},
  };
}
