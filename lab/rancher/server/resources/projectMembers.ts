import { newDoc } from "../database";
import type { AccountDoc, ProjectMemberDoc } from "../documents";
import { ApiError, invalid } from "../errors";
import type { Context } from "../http/context";
import { commonFields, formatAny } from "../http/format";
import { isObject, optionalString, type Body } from "../http/validate";
import { formatId, parseId } from "../ids";
import type { ActionResult, ResourceType } from "./type";

/** Type of identity of the server's own accounts; the id is `1a1`. */
const ownAccounts = "rancher_id";

type Member = Pick<ProjectMemberDoc, "externalId" | "externalIdType" | "role">;

const wrong = (message: string): ApiError => new ApiError(400, "InvalidFormat", message);

function parseMember(value: unknown): Member {
  const text = (field: string): string => {
    const found = isObject(value) ? optionalString(value, field) : null;
    if (found === null) throw wrong("Member format invalid");
    return found;
  };
  return {
    externalId: text("externalId"),
    externalIdType: text("externalIdType"),
    role: text("role"),
  };
}

/** A list of members as a client sends it: not empty (422), each whole and one an owner (400). */
export function parseMembers(value: unknown): Member[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid("MissingRequired", "members");
  const members = value.map(parseMember);
  if (!members.some((m) => m.role === "owner")) throw wrong("Members list does not have an owner.");
  return members;
}

function insert(project: AccountDoc, member: Member, c: Context): void {
  const account =
    member.externalIdType === ownAccounts
      ? c.app.db.accounts.get(parseId(member.externalId))
      : undefined;
  c.app.db.projectMembers.insert({
    ...newDoc("projectMember", "active", project.id),
    transitioning: "no",
    transitioningMessage: null,
    name: account?.name ?? null,
    ...member,
  });
}

/** The members of an environment that is made without any: who makes it. Source: cattle's sources. */
export function firstMembers(c: Context): Member[] {
  const externalId = formatId("account", c.identity.account.id);
  return [{ externalId, externalIdType: ownAccounts, role: "owner" }];
}

/** Makes these the members and no others; who stays keeps the row. */
export function replaceMembers(project: AccountDoc, wanted: readonly Member[], c: Context): void {
  const { db } = c.app;
  const key = (m: Member): string => JSON.stringify([m.externalIdType, m.externalId, m.role]);
  const keys = new Set(wanted.map(key));
  const now = db.projectMembers.live().filter((m) => m.accountId === project.id);
  for (const m of now) {
    if (keys.has(key(m))) continue;
    db.setState(db.projectMembers, m, "removed", "no", null, { removed: Date.now() });
  }
  const there = new Set(now.map(key));
  for (const m of wanted) {
    if (there.has(key(m))) continue;
    there.add(key(m));
    insert(project, m, c);
  }
}

/**
 * Action `setmembers {members}`; the answer is their collection. Not recorded: what is refused is from
 * cattle's sources and test_projects.py.
 */
export function setMembers(project: AccountDoc, body: Body, c: Context): ActionResult {
  replaceMembers(project, parseMembers(body.members), c);
  const rows = c.app.db.projectMembers.live().filter((m) => m.accountId === project.id);
  return {
    status: 200,
    body: {
      type: "collection",
      resourceType: "projectMember",
      links: { self: `${c.base}/projects/${formatId("account", project.id)}/projectmembers` },
      createTypes: {},
      actions: {},
      data: rows.map((row) => formatAny({ type: projectMemberType as never, row }, c)),
      sortLinks: {},
      pagination: null,
      sort: null,
      filters: {},
      createDefaults: {},
    },
  };
}

/** Who may use an environment. Not recorded. Source: cattle's sources; ids and names of fields: go-rancher. */
export const projectMemberType: ResourceType<ProjectMemberDoc> = {
  type: "projectMember",
  baseType: "projectMember",
  plural: "projectmembers",
  where: "both",
  filters: [
    "created",
    "description",
    "externalId",
    "externalIdType",
    "id",
    "kind",
    "name",
    "projectId",
    "removed",
    "role",
    "state",
    "uuid",
  ],
  rows: (c) => c.app.db.projectMembers.all(),
  find: (id, c) => c.app.db.projectMembers.get(parseId(id)),
  idOf: (m) => formatId("projectMember", m.id),
  isRemoved: (m) => m.removed !== null,
  fields: (m) => ({
    ...commonFields(m),
    externalId: m.externalId,
    externalIdType: m.externalIdType,
    projectId: formatId("account", m.accountId),
    role: m.role,
  }),
  filterValue: (m, field) =>
    field === "projectId" ? m.accountId : (m as unknown as Record<string, unknown>)[field],
  links: () => ["project"],
  actions: () => [],
  allActions: [],
};
