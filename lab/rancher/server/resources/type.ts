import type { Context } from "../http/context";
import type { Typed } from "../http/format";
import type { AccountDoc } from "../documents";

/** What an action answers: a status and the body, or the resource itself when `body` is undefined. */
export interface ActionResult {
  readonly status: 200 | 202;
  readonly body?: unknown;
}

/** One type of the API: how its rows look, what may be done to them. */
export interface ResourceType<T extends { readonly id: number }> {
  /** `loadBalancerService` */
  readonly type: string;
  readonly baseType: string;
  /** Path segment, lower case: `loadbalancerservices`. */
  readonly plural: string;
  /** Where its collection can be reached: at the root, inside an environment, or both. */
  readonly where: "root" | "project" | "both";
  /** Where POST to the collection works; elsewhere it is 405. */
  readonly creatable?: "root" | "project" | "both";
  /** Fields that can be filtered and sorted by. */
  readonly filters: readonly string[];
  /** true for types that Rancher serves without paging: `pagination` is null, filters are not echoed. */
  readonly unpaged?: boolean;
  /** Types that can be created, type -> plural; shown in project collections. */
  readonly createTypes?: Readonly<Record<string, string>>;

  /** All rows, removed ones included. */
  rows(context: Context): T[];
  /** One row by the id in a path, removed ones included. */
  find(id: string, context: Context): T | undefined;
  idOf(row: T): string;
  /** Whether the row belongs to the environment. @default `accountId` is the project's */
  inProject?(row: T, project: AccountDoc): boolean;
  isRemoved(row: T): boolean;
  typeOf?(row: T): string;
  pluralOf?(row: T): string;

  /** All fields but id, type, links, actions, baseType. */
  fields(row: T, context: Context): Record<string, unknown>;
  /** Value to filter and sort by, when it is not the field itself. */
  filterValue?(row: T, field: string): unknown;
  links(row: T, context: Context): readonly string[];
  extraLinks?(row: T, context: Context): Record<string, string>;
  /** Actions offered now. */
  actions(row: T, context: Context): readonly string[];
  /** Every action the type has in some state. */
  readonly allActions: readonly string[];
  /** What is behind a link, by the link's name. */
  readonly targets?: Readonly<Record<string, (row: T, context: Context) => Typed[]>>;
  /** What a link's collection says that new members of it begin with, by the link's name. @default nothing */
  readonly targetDefaults?: Readonly<Record<string, (row: T) => Record<string, unknown>>>;
  /** Type shown as resourceType of a link's collection. @default that of the link's first row */
  readonly targetTypes?: Readonly<Record<string, string>>;

  create?(body: Record<string, unknown>, context: Context): T;
  update?(row: T, body: Record<string, unknown>, context: Context): void;
  /** DELETE. Throws 405 when the state forbids it. */
  remove?(row: T, context: Context): void;
  act?(row: T, action: string, body: Record<string, unknown>, context: Context): ActionResult;
  /** Adds what only the answer to create shows (an API key's secret). */
  createdExtra?(row: T): Record<string, unknown>;
  /** PUT and DELETE of an unknown id give 500 instead of 404, as for real services and stacks. */
  readonly unknownIs500?: boolean;
  /** DELETE answers with a collection holding the row, as for projects. */
  readonly removeAnswersCollection?: boolean;
}
