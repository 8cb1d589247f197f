import { newDoc } from "../database";
import type { ServiceDoc, StackDoc } from "../documents";
import { internal, invalid, methodNotAllowed } from "../errors";
import { commonFields } from "../http/format";
import type { Context } from "../http/context";
import { optionalBoolean, optionalString, optionalStringMap, requiredName } from "../http/validate";
import { formatId, parseId } from "../ids";
import { stackHealth } from "../engine/health";
import { instanceType } from "./instances";
import { exportConfig } from "./composeExport";
import { serviceType } from "./services";
import type { ResourceType } from "./type";

const always = ["deactivateservices", "activateservices"];
const tail = ["addoutputs", "exportconfig"];

/**
 * Actions by state; states not listed offer only the ones that are always there. Source: recordings, but
 * for canceling-upgrade, canceled-upgrade and rolling-back, which are not recorded: facts §5.
 */
const actionsByState: Readonly<Record<string, readonly string[]>> = {
  activating: [...always, ...tail, "error", "remove"],
  active: [...always, "upgrade", "addoutputs", "update", "exportconfig", "remove"],
  "updating-active": [...always, ...tail, "remove"],
  error: [...always, ...tail, "remove"],
  upgrading: ["rollback", ...always, ...tail, "cancelupgrade", "remove"],
  upgraded: ["rollback", ...always, ...tail, "remove", "finishupgrade"],
  "finishing-upgrade": [...always, ...tail, "cancelupgrade", "remove"],
  "canceling-upgrade": [...always, ...tail, "remove"],
  "canceled-upgrade": ["rollback", ...always, "upgrade", ...tail, "remove"],
  "rolling-back": [...always, ...tail, "remove"],
};

function checkUnique(name: string, projectId: number, context: Context, except?: number): void {
  const taken = context.app.db.stacks
    .live()
    .some(
      (s) =>
        s.accountId === projectId &&
        s.id !== except &&
        s.name?.toLowerCase() === name.toLowerCase(),
    );
  if (taken) throw invalid("NotUnique", "name");
}

/** Services of a stack that are not removed. */
export function servicesOf(stack: StackDoc, context: { app: Context["app"] }): ServiceDoc[] {
  return context.app.db.services.live().filter((s) => s.stackId === stack.id);
}

/** Stacks. */
export const stackType: ResourceType<StackDoc> = {
  type: "stack",
  baseType: "stack",
  plural: "stacks",
  where: "both",
  creatable: "project",
  filters: [
    "accountId",
    "created",
    "description",
    "externalId",
    "group",
    "healthState",
    "id",
    "kind",
    "name",
    "removeTime",
    "removed",
    "state",
    "system",
    "uuid",
  ],
  createTypes: {
    composeProject: "composeprojects",
    kubernetesStack: "kubernetesstacks",
    stack: "stacks",
  },
  unknownIs500: true,
  rows: (c) => c.app.db.stacks.all(),
  find: (id, c) => c.app.db.stacks.get(parseId(id)),
  idOf: (s) => formatId("stack", s.id),
  isRemoved: (s) => s.removed !== null,
  fields: (s, c) => {
    const services = servicesOf(s, c);
    return {
      ...commonFields(s),
      ...(c.scoped || c.identity.account.kind === "project" ? {} : { data: {}, removeTime: null }),
      accountId: formatId("account", s.accountId),
      answers: s.answers,
      binding: s.binding,
      dockerCompose: s.dockerCompose,
      environment: s.environment,
      externalId: s.externalId,
      group: s.group,
      healthState: s.healthState,
      outputs: s.outputs,
      previousEnvironment: s.previousEnvironment,
      previousExternalId: s.previousExternalId,
      rancherCompose: s.rancherCompose,
      serviceIds: services.length === 0 ? null : services.map((x) => formatId("service", x.id)),
      startOnCreate: s.startOnCreate,
      system: s.system,
      templates: s.templates,
    };
  },
  links: (_s, c) => [
    "account",
    ...(c.scoped || c.identity.account.kind === "project" ? [] : ["configItemStatuses"]),
    "hosts",
    "instances",
    "scheduledUpgrades",
    "secrets",
    "services",
    "volumeTemplates",
    "volumes",
    "composeConfig",
  ],
  actions: (s) => actionsByState[s.state] ?? [...always, ...tail],
  allActions: [
    ...always,
    ...tail,
    "error",
    "remove",
    "update",
    "upgrade",
    "finishupgrade",
    "rollback",
    "cancelupgrade",
  ],
  targets: {
    services: (s, c) => servicesOf(s, c).map((row) => ({ type: serviceType as never, row })),
    instances: (s, c) =>
      c.app.db.instances
        .live()
        .filter((i) => i.stackId === s.id)
        .map((row) => ({ type: instanceType as never, row })),
  },
  targetDefaults: { services: (s) => ({ stackId: formatId("stack", s.id) }) },
  targetTypes: {
    services: "service",
    instances: "instance",
    hosts: "host",
  },
  create: (body, c) => {
    const project = c.project;
    if (project === undefined) throw methodNotAllowed();
    const name = requiredName(body);
    checkUnique(name, project.id, c);
    const dockerCompose = optionalString(body, "dockerCompose", 1_000_000);
    return c.app.db.stacks.insert({
      ...newDoc("stack", "activating", project.id),
      name,
      description: optionalString(body, "description", 1024),
      healthState: "healthy",
      system: optionalBoolean(body, "system") ?? false,
      externalId: optionalString(body, "externalId", 128),
      group: optionalString(body, "group"),
      environment: optionalStringMap(body, "environment"),
      outputs: optionalStringMap(body, "outputs"),
      binding: body.binding ?? null,
      answers: body.answers ?? null,
      templates: body.templates ?? null,
      dockerCompose,
      rancherCompose: optionalString(body, "rancherCompose", 1_000_000),
      previousExternalId: null,
      previousEnvironment: null,
      startOnCreate: optionalBoolean(body, "startOnCreate"),
    });
  },
  update: (s, body, c) => {
    const change: Partial<StackDoc> = {};
    if ("name" in body) {
      const name = requiredName(body);
      checkUnique(name, s.accountId ?? 0, c, s.id);
      change.name = name;
    }
    if ("description" in body) change.description = optionalString(body, "description", 1024);
    if ("externalId" in body) change.externalId = optionalString(body, "externalId", 128);
    if ("group" in body) change.group = optionalString(body, "group");
    if ("outputs" in body) change.outputs = optionalStringMap(body, "outputs");
    if ("binding" in body) change.binding = body.binding;
    if (Object.keys(change).length === 0) return;
    const { db } = c.app;
    if (s.state === "active")
      db.setState(db.stacks, s, "updating-active", "yes", undefined, change);
    else db.stacks.update(s, change);
  },
  remove: (s, c) => {
    if (s.state === "removing" || s.removed !== null) return;
    c.app.engine.removeStack(s);
  },
  act: (s, action, body, c) => {
    const { engine } = c.app;
    switch (action) {
      case "activateservices":
        for (const x of servicesOf(s, c)) if (x.state === "inactive") engine.activate(x);
        return { status: 200 };
      case "deactivateservices":
        for (const x of servicesOf(s, c)) engine.deactivate(x);
        return { status: 200 };
      case "exportconfig":
        return { status: 200, body: exportConfig(servicesOf(s, c), body) };
      case "remove":
        engine.removeStack(s);
        return { status: 202 };
      case "update":
        stackType.update?.(s, body, c);
        return { status: 202 };
      case "addoutputs":
        c.app.db.stacks.update(s, {
          outputs: { ...(s.outputs as object | null), ...optionalStringMap(body, "outputs") },
        });
        return { status: 200 };
      case "upgrade":
        engine.advanceUpgrade(s, "upgrading", {
          dockerCompose: optionalString(body, "dockerCompose", 1_000_000),
          rancherCompose: optionalString(body, "rancherCompose", 1_000_000),
          environment: optionalStringMap(body, "environment"),
          externalId: optionalString(body, "externalId", 128),
        });
        return { status: 202 };
      case "finishupgrade":
        engine.advanceUpgrade(s, "finishing-upgrade");
        return { status: 202 };
      case "rollback":
        engine.advanceUpgrade(s, "rolling-back");
        return { status: 202 };
      case "cancelupgrade":
        engine.advanceUpgrade(s, "canceling-upgrade");
        return { status: 202 };
      case "error":
        c.app.db.setState(c.app.db.stacks, s, "error", "error", "Stack was put into error state");
        return { status: 202 };
      default:
        throw internal();
    }
  },
};

/** Recomputes a stack's health from its services. */
export const healthOfStack = (s: StackDoc, c: { app: Context["app"] }): string =>
  stackHealth(servicesOf(s, c).map((x) => x.healthState));
