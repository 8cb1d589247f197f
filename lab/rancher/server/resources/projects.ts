import { defaultProjectId } from "../auth";
import { newDoc } from "../database";
import type { AccountDoc, ProjectTemplateDoc } from "../documents";
import { methodNotAllowed } from "../errors";
import { commonFields, dates } from "../http/format";
import { isObject, optionalInt, optionalString } from "../http/validate";
import { formatId, parseId } from "../ids";
import { hostType } from "./hosts";
import { instanceType } from "./instances";
import { projectLinks } from "./projectLinks";
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
    instances: (a, c) =>
      c.app.db.instances
        .live()
        .filter(belongs(a))
        .map((row) => ({ type: instanceType as never, row })),
  },
  create: (body, c) => {
    if (c.identity.account.kind === "project") throw methodNotAllowed();
    return c.app.db.accounts.insert({
      ...newProject(optionalString(body, "name")),
      description: optionalString(body, "description"),
      hostRemoveDelaySeconds: optionalInt(body, "hostRemoveDelaySeconds"),
      members: Array.isArray(body.members) ? body.members : null,
    });
  },
  update: (a, body, c) => {
    const change: Partial<AccountDoc> = {};
    if ("name" in body) change.name = optionalString(body, "name");
    if ("description" in body) change.description = optionalString(body, "description");
    if ("hostRemoveDelaySeconds" in body)
      change.hostRemoveDelaySeconds = optionalInt(body, "hostRemoveDelaySeconds");
    if (isObject(body.servicesPortRange)) {
      change.servicesPortRange = {
        startPort: optionalInt(body.servicesPortRange, "startPort") ?? defaultPortRange.startPort,
        endPort: optionalInt(body.servicesPortRange, "endPort") ?? defaultPortRange.endPort,
      };
    }
    c.app.db.accounts.update(a, change);
  },
  remove: (a, c) => {
    const { db, engine } = c.app;
    if (a.removed !== null || a.state === "removing") return;
    for (const s of db.stacks.live().filter(belongs(a))) engine.removeStack(s);
    for (const h of db.hosts.live().filter(belongs(a))) engine.removeHost(h);
    db.setState(db.accounts, a, "removing", "yes");
  },
  act: (a, action, _body, c) => {
    const { db } = c.app;
    if (action === "deactivate") db.setState(db.accounts, a, "deactivating", "yes");
    if (action === "activate") db.setState(db.accounts, a, "activating", "yes");
    if (action === "remove" || action === "delete") projectType.remove?.(a, c);
    return { status: 202 };
  },
};

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
