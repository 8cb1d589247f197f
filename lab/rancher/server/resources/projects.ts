import { defaultProjectId } from "../auth";
import { differs, newDoc } from "../database";
import type { AccountDoc, Doc, ProjectTemplateDoc } from "../documents";
import { invalid, methodNotAllowed } from "../errors";
import type { Context } from "../http/context";
import { commonFields, dates } from "../http/format";
import {
  isObject,
  optionalBoolean,
  optionalInt,
  optionalString,
  type Body,
} from "../http/validate";
import { formatId, parseId } from "../ids";
import { hostType } from "./hosts";
import { instanceType } from "./instances";
import { projectLinks } from "./projectLinks";
import {
  firstMembers,
  parseMembers,
  projectMemberType,
  replaceMembers,
  setMembers,
} from "./projectMembers";
import { serviceType } from "./services";
import { stackType } from "./stacks";
import type { ResourceType } from "./type";

const belongs = (p: AccountDoc) => (row: { accountId: number | null }) => row.accountId === p.id;

/** Ports that services may be given when they name none. Source: recordings. */
const defaultPortRange = { startPort: 49153, endPort: 65535 };

/** From removed to purged, in milliseconds, as shown; nothing is purged here. Source: recordings. */
const purgeDelayMs = 7 * 60_000;

/** Environments. */
export const projectType: ResourceType<AccountDoc> = {
  type: "project",
  baseType: "account",
  plural: "projects",
  where: "both",
  creatable: "root",
  filters: [
    "id",
    "name",
    "uuid",
    "state",
    "description",
    "kind",
    "created",
    "removed",
    "healthState",
  ],
  unpaged: true,
  removeAnswersCollection: true,
  rows: (c) =>
    c.app.db.accounts
      .all()
      .filter(
        (a) =>
          a.kind === "project" &&
          (c.identity.account.kind !== "project" || a.id === c.identity.account.id),
      ),
  find: (id, c) => {
    const a = c.app.db.accounts.get(parseId(id));
    return a?.kind === "project" ? a : undefined;
  },
  idOf: (a) => formatId("account", a.id),
  isRemoved: (a) => a.removed !== null,
  inProject: (a, p) => a.id === p.id,
  fields: (a, c) => {
    const range = a.state === "registering" ? null : a.servicesPortRange;
    const stored = {
      orchestration: "cattle",
      // The first environment comes with the database, the others through the API with its defaults.
      ...(a.id === defaultProjectId
        ? {}
        : { allowSystemRole: false, virtualMachine: a.virtualMachine }),
      ...(range === null ? {} : { servicesPortRange: range }),
    };
    return {
      ...commonFields(a),
      ...(c.identity.account.kind === "project"
        ? {}
        : {
            allowSystemRole: false,
            data: { fields: stored },
            projectLinks: null,
            ...dates({ removeTime: a.removed === null ? null : a.removed + purgeDelayMs }),
          }),
      defaultNetworkId: c.app.db.hosts.all().some(belongs(a)) ? formatId("network", 5) : null,
      healthState: a.healthState,
      hostRemoveDelaySeconds: a.hostRemoveDelaySeconds,
      members: a.members,
      orchestration: "cattle",
      projectTemplateId: formatId("projectTemplate", a.projectTemplateId),
      servicesPortRange: range === null ? null : { type: "servicesPortRange", ...range },
      version: "2",
      virtualMachine: a.virtualMachine,
    };
  },
  links: (_a, c) => projectLinks(c),
  // Its own path occurs twice, as on the real server.
  extraLinks: (a, c) => {
    const id = formatId("account", a.id) ?? "";
    return { hostStats: `${c.base}/projects/${id}/projects/${id}/hoststats` };
  },
  actions: (a, c) => {
    if (c.identity.account.kind === "project" || c.changing) return ["defaultNetworkId"];
    switch (a.state) {
      case "active":
        return ["upgrade", "update", "deactivate", "setmembers", "delete", "defaultNetworkId"];
      case "inactive":
        return ["activate", "update", "remove", "setmembers", "delete", "defaultNetworkId"];
      case "registering":
        return ["activate", "remove", "deactivate", "setmembers", "delete", "defaultNetworkId"];
      case "removed":
        return ["purge", "setmembers", "delete", "defaultNetworkId"];
      default:
        return ["defaultNetworkId"];
    }
  },
  allActions: [
    "upgrade",
    "update",
    "activate",
    "deactivate",
    "remove",
    "setmembers",
    "delete",
    "defaultNetworkId",
    "purge",
  ],
  targets: {
    hosts: (a, c) =>
      c.app.db.hosts
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: hostType as never, row })),
    stacks: (a, c) =>
      c.app.db.stacks
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: stackType as never, row })),
    services: (a, c) =>
      c.app.db.services
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: serviceType as never, row })),
    projectMembers: (a, c) =>
      c.app.db.projectMembers
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: projectMemberType as never, row })),
    instances: (a, c) =>
      c.app.db.instances
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: instanceType as never, row })),
  },
  create: createProject,
  update: updateProject,
  remove: removeProject,
  act: (a, action, body, c) => {
    const { db } = c.app;
    if (action === "setmembers") return setMembers(a, body, c);
    if (action === "deactivate") db.setState(db.accounts, a, "deactivating", "yes");
    if (action === "activate") db.setState(db.accounts, a, "activating", "yes");
    if (action === "update") updateProject(a, body, c);
    if (action === "remove" || action === "delete") removeProject(a, c);
    if (action === "purge") db.setState(db.accounts, a, "purged");
    return { status: 202 };
  },
};

function portRange(value: unknown): AccountDoc["servicesPortRange"] {
  if (value === null || value === undefined) return defaultPortRange;
  if (!isObject(value)) throw invalid("InvalidFormat", "servicesPortRange");
  return {
    startPort: optionalInt(value, "startPort", 1, 65535) ?? defaultPortRange.startPort,
    endPort: optionalInt(value, "endPort", 1, 65535) ?? defaultPortRange.endPort,
  };
}

/**
 * Only an account makes environments. Recorded with a name alone; the other fields follow the schema (143).
 * A UUID is unique among removed environments too, as the table's index has it in cattle.
 */
function createProject(body: Body, c: Context): AccountDoc {
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  const { db } = c.app;
  const uuid = optionalString(body, "uuid", 128);
  if (uuid !== null && db.accounts.all().some((a) => a.uuid === uuid))
    throw invalid("NotUnique", "uuid");
  const templateId = optionalString(body, "projectTemplateId");
  const template = templateId === null ? undefined : db.projectTemplates.get(parseId(templateId));
  if (templateId !== null && (template === undefined || template.removed !== null))
    throw invalid("InvalidReference", "projectTemplateId");
  const given = Array.isArray(body.members) && body.members.length > 0 ? body.members : null;
  const members = given === null ? firstMembers(c) : parseMembers(given);
  const project = db.accounts.insert({
    ...newProject(optionalString(body, "name")),
    ...(uuid === null ? {} : { uuid }),
    description: optionalString(body, "description", 1024),
    projectTemplateId: template?.id ?? null,
    hostRemoveDelaySeconds: optionalInt(body, "hostRemoveDelaySeconds"),
    servicesPortRange: portRange(body.servicesPortRange),
    virtualMachine: optionalBoolean(body, "virtualMachine") ?? false,
    members: given,
  });
  replaceMembers(project, members, c);
  return project;
}

/** Not recorded. Source: schema 143; that equal values change nothing is the server's general rule. */
function updateProject(a: AccountDoc, body: Body, c: Context): void {
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  const { db } = c.app;
  const change: Partial<AccountDoc> = {};
  if ("name" in body) change.name = optionalString(body, "name");
  if ("description" in body) change.description = optionalString(body, "description", 1024);
  if ("hostRemoveDelaySeconds" in body)
    change.hostRemoveDelaySeconds = optionalInt(body, "hostRemoveDelaySeconds");
  if ("servicesPortRange" in body) change.servicesPortRange = portRange(body.servicesPortRange);
  if ("virtualMachine" in body)
    change.virtualMachine = optionalBoolean(body, "virtualMachine") ?? false;
  if (!differs(a, change)) return;
  if (a.state !== "active" && a.state !== "inactive") db.accounts.update(a, change);
  else db.setState(db.accounts, a, `updating-${a.state}`, "yes", undefined, change);
}

/** An active one too: the server deactivates it by itself. What it held goes on being removed after it. */
function removeProject(a: AccountDoc, c: Context): void {
  const { db, engine } = c.app;
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  if (a.removed !== null || a.state === "removing") return;
  for (const s of db.stacks.live().filter(belongs(a))) engine.removeStack(s);
  for (const h of db.hosts.live().filter(belongs(a))) engine.removeHost(h);
  for (const table of [db.certificates, db.credentials, db.projectMembers]) {
    for (const row of table.live().filter(belongs(a)))
      db.setState<Doc>(table as never, row, "removed", "no", null, { removed: Date.now() });
  }
  db.setState(db.accounts, a, "removing", "yes");
}

/** A new environment. */
export function newProject(name: string | null): Omit<AccountDoc, "id"> {
  return {
    ...newDoc("project", "registering", null),
    name,
    externalId: null,
    externalIdType: null,
    healthState: "healthy",
    projectTemplateId: null,
    stacksCreated: false,
    hostRemoveDelaySeconds: null,
    servicesPortRange: defaultPortRange,
    virtualMachine: false,
    members: null,
  };
}

/** Templates of environments. */
export const projectTemplateType: ResourceType<ProjectTemplateDoc> = {
  type: "projectTemplate",
  baseType: "projectTemplate",
  plural: "projecttemplates",
  where: "both",
  filters: [
    "accountId",
    "created",
    "description",
    "externalId",
    "id",
    "isPublic",
    "kind",
    "name",
    "removed",
    "state",
    "uuid",
  ],
  rows: (c) => c.app.db.projectTemplates.all(),
  find: (id, c) => c.app.db.projectTemplates.get(parseId(id)),
  idOf: (t) => formatId("projectTemplate", t.id),
  isRemoved: (t) => t.removed !== null,
  inProject: () => true,
  fields: (t) => ({
    ...commonFields(t),
    accountId: formatId("account", t.accountId),
    externalId: "catalog://library:project*cattle:0",
    isPublic: t.isPublic,
    stacks: t.stacks.map((s) => ({ type: "catalogTemplate", ...s })),
  }),
  links: () => ["account"],
  actions: () => ["update", "remove"],
  allActions: ["update", "remove"],
};
