import { randomUUID } from "node:crypto";
import { newDoc } from "../database";
import type {
  InServiceStrategy,
  InstanceDoc,
  LaunchConfig,
  LbConfig,
  ScalePolicy,
  ServiceDoc,
} from "../documents";
import { internal, invalid, methodNotAllowed } from "../errors";
import type { Context } from "../http/context";
import { commonFields, formatResource } from "../http/format";
import {
  isObject,
  optionalBoolean,
  optionalInt,
  optionalString,
  optionalStringList,
  requiredName,
  type Body,
} from "../http/validate";
import { formatId, parseId } from "../ids";
import { publicEndpoints } from "./endpoints";
import { instanceType } from "./instances";
import {
  listOf,
  loadBalancerHealthCheck,
  loadBalancerLabels,
  mapOf,
  parseLaunchConfig,
} from "./launchConfig";
import { formatLbConfig, parseLbConfig } from "./lbConfig";
import { stackType } from "./stacks";
import type { ActionResult, ResourceType } from "./type";

/** What the making of a service needs to know of the request: the compose executor has it without one. */
export type Within = Pick<Context, "app" | "project">;

const links = ["removeservicelink", "addservicelink", "setservicelinks"];

/** Actions by state. Source: recordings. */
const actionsByState: Readonly<Record<string, readonly string[]>> = {
  registering: ["remove", ...links],
  activating: ["upgrade", "update", "remove", "deactivate", ...links],
  active: ["upgrade", "restart", "update", "remove", "deactivate", ...links],
  "updating-active": ["upgrade", "update", "remove", "deactivate", ...links],
  "updating-inactive": ["remove", "deactivate", ...links],
  inactive: ["upgrade", "update", "remove", "activate", ...links],
  deactivating: ["remove", ...links],
  upgrading: ["rollback", "update", "remove", "cancelupgrade", ...links],
  upgraded: ["rollback", "remove", "finishupgrade", ...links],
  "finishing-upgrade": ["update", "remove", "cancelupgrade", ...links],
  "rolling-back": ["update", "remove", ...links],
  "canceling-upgrade": ["update", "remove", ...links],
  "canceled-upgrade": ["rollback", "continueupgrade", "remove", ...links],
  restarting: ["remove", "deactivate", "activate", ...links],
};

const kinds: Readonly<Record<string, string>> = {
  service: "services",
  loadBalancerService: "loadbalancerservices",
  externalService: "externalservices",
  dnsService: "dnsservices",
  networkDriverService: "networkdriverservices",
  storageDriverService: "storagedriverservices",
};

/** A service's containers that are not removed, by id. */
export function instancesOf(s: ServiceDoc, app: Context["app"]): InstanceDoc[] {
  return app.db.instances.live().filter((i) => i.serviceId === s.id);
}

function formatUpgrade(u: InServiceStrategy | null): unknown {
  return u === null
    ? null
    : {
        type: "serviceUpgrade",
        inServiceStrategy: {
          type: "inServiceUpgradeStrategy",
          batchSize: u.batchSize,
          intervalMillis: u.intervalMillis,
          launchConfig: u.launchConfig,
          previousLaunchConfig: u.previousLaunchConfig,
          previousSecondaryLaunchConfigs: u.previousSecondaryLaunchConfigs,
          secondaryLaunchConfigs: u.secondaryLaunchConfigs,
          startFirst: u.startFirst,
        },
        toServiceStrategy: null,
      };
}

/** `linkedServices` as shown: links to removed services vanish; null when none is left. */
function formatLinks(s: ServiceDoc, c: Context): Record<string, string> | null {
  const out: Record<string, string> = {};
  for (const [name, id] of Object.entries(s.linkedServices)) {
    if (c.app.db.services.get(id)?.removed === null) out[name] = formatId("service", id);
  }
  return Object.keys(out).length === 0 ? null : out;
}

function serviceFields(s: ServiceDoc, c: Context): Record<string, unknown> {
  const instances = instancesOf(s, c.app);
  const common: Record<string, unknown> = {
    ...commonFields(s),
    accountId: formatId("account", s.accountId),
    externalId: s.externalId,
    fqdn: null,
    healthState: s.healthState,
    instanceIds: instances.length === 0 ? null : instances.map((i) => formatId("instance", i.id)),
    launchConfig: s.launchConfig ?? (s.state === "registering" ? null : { type: "launchConfig" }),
    linkedServices: formatLinks(s, c),
    metadata: s.metadata,
    stackId: formatId("stack", s.stackId),
    startOnCreate: s.startOnCreate,
    system: s.system,
    upgrade: formatUpgrade(s.upgrade),
    ...(c.scoped || c.identity.account.kind === "project"
      ? {}
      : { data: {}, removeTime: null, skip: false }),
  };
  if (s.kind !== "service" && s.secondaryLaunchConfigs !== null)
    common.secondaryLaunchConfigs = s.secondaryLaunchConfigs;
  if (s.kind === "externalService") {
    return {
      ...common,
      externalIpAddresses: s.externalIpAddresses,
      hostname: s.hostname,
      healthCheck: s.healthCheck,
    };
  }
  common.assignServiceIpAddress = s.assignServiceIpAddress;
  common.retainIp = s.retainIp;
  common.selectorLink = s.selectorLink;
  if (s.kind === "dnsService") return common;
  const full = {
    ...common,
    currentScale: s.currentScale,
    lbConfig: formatLbConfig(s.lbConfig),
    publicEndpoints: publicEndpoints(instances, c.app),
    scale: s.scale,
    scalePolicy: s.scalePolicy,
    vip: s.vip,
  };
  if (s.kind === "loadBalancerService") return full;
  return {
    ...full,
    createIndex: s.createIndex,
    secondaryLaunchConfigs: s.secondaryLaunchConfigs,
    selectorContainer: s.selectorContainer,
  };
}

function checkUnique(name: string, stackId: number, c: Within, except?: number): void {
  const taken = c.app.db.services
    .live()
    .some(
      (s) =>
        s.stackId === stackId && s.id !== except && s.name?.toLowerCase() === name.toLowerCase(),
    );
  if (taken) throw invalid("NotUnique", "name");
}

/** The stack a new service goes into. */
function stackFor(body: Body, c: Within): number {
  const project = c.project;
  if (project === undefined) throw methodNotAllowed();
  if (body.stackId === undefined || body.stackId === null || body.stackId === "") {
    throw invalid("InvalidState", "stackId", "stack is not in a valid state");
  }
  const stack = c.app.db.stacks.get(parseId(body.stackId));
  if (stack === undefined || stack.accountId !== project.id)
    throw invalid("InvalidReference", "stackId");
  if (stack.removed !== null || stack.state === "removing") {
    throw invalid("InvalidState", "stackId", "stack is not in a valid state");
  }
  return stack.id;
}

/** What the several kinds of service have in common when made. */
export function newService(
  kind: string,
  name: string,
  stackId: number,
  projectId: number,
  more: Partial<ServiceDoc> = {},
): Omit<ServiceDoc, "id"> {
  return {
    ...newDoc(kind, "registering", projectId),
    name,
    stackId,
    healthState: "healthy",
    scale: 1,
    currentScale: null,
    createIndex: null,
    launchConfig: null,
    secondaryLaunchConfigs: null,
    lbConfig: null,
    linkedServices: {},
    metadata: null,
    scalePolicy: null,
    selectorLink: null,
    selectorContainer: null,
    externalId: null,
    externalIpAddresses: null,
    hostname: null,
    healthCheck: null,
    retainIp: null,
    assignServiceIpAddress: false,
    startOnCreate: false,
    vip: null,
    system: false,
    upgrade: null,
    running: false,
    failures: 0,
    retryAt: 0,
    batchPauseUntil: 0,
    batch: [],
    restart: null,
    ...more,
  };
}

/** Completes a load balancer's launch configuration the way Rancher does. */
function balancerConfig(config: LaunchConfig): LaunchConfig {
  return {
    ...config,
    healthCheck: config.healthCheck ?? loadBalancerHealthCheck,
    labels: { ...loadBalancerLabels(config.imageUuid), ...mapOf(config, "labels") },
  };
}

/** Makes a service of a kind from what was POSTed to the kind's path. */
export function createService(kind: string, body: Body, c: Within): ServiceDoc {
  const balancer = kind === "loadBalancerService";
  // In Rancher the schema's checks come before the lookup of the stack.
  const name = requiredName(body);
  const scale = optionalInt(body, "scale", 0) ?? 1;
  if (balancer) {
    for (const field of ["launchConfig", "lbConfig"]) {
      if (body[field] === undefined || body[field] === null)
        throw invalid("MissingRequired", field);
    }
  }
  const stackId = stackFor(body, c);
  const selectorContainer = optionalString(body, "selectorContainer", 4096);
  const { db } = c.app;
  let launchConfig: LaunchConfig | null = null;
  if (body.launchConfig !== undefined && body.launchConfig !== null) {
    launchConfig = parseLaunchConfig(body.launchConfig, {
      type: "launchConfig",
      version: "0",
      imageRequired: !balancer && selectorContainer === null && kind === "service",
    });
    if (balancer) launchConfig = balancerConfig(launchConfig);
  }
  const lbConfig: LbConfig | null =
    body.lbConfig === undefined || body.lbConfig === null
      ? null
      : parseLbConfig(body.lbConfig, db, balancer);
  checkUnique(name, stackId, c);
  return db.services.insert(
    newService(kind, name, stackId, c.project?.id ?? 0, {
      description: optionalString(body, "description", 1024),
      scale,
      launchConfig,
      secondaryLaunchConfigs: parseSecondary(body.secondaryLaunchConfigs, "0"),
      lbConfig,
      metadata: isObject(body.metadata) ? body.metadata : null,
      scalePolicy: parseScalePolicy(body.scalePolicy),
      selectorLink: optionalString(body, "selectorLink", 4096),
      selectorContainer,
      externalId: optionalString(body, "externalId"),
      externalIpAddresses: optionalStringList(body, "externalIpAddresses"),
      hostname: optionalString(body, "hostname"),
      retainIp: optionalBoolean(body, "retainIp"),
      assignServiceIpAddress: optionalBoolean(body, "assignServiceIpAddress") ?? false,
      startOnCreate: optionalBoolean(body, "startOnCreate") ?? false,
      vip: optionalString(body, "vip"),
    }),
  );
}

/** Limits and defaults: recorded schema 112; that min may not exceed max: Rancher's source. */
function parseScalePolicy(value: unknown): ScalePolicy | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw invalid("InvalidFormat", "scalePolicy");
  const policy = {
    type: "scalePolicy",
    increment: optionalInt(value, "increment", 1) ?? 1,
    max: optionalInt(value, "max", 1) ?? 1,
    min: optionalInt(value, "min", 1) ?? 1,
  };
  if (policy.min > policy.max) throw invalid("MaxLimitExceeded", "Min scale can't exceed scale");
  return policy;
}

function parseSecondary(value: unknown, version: string): LaunchConfig[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw invalid("InvalidFormat", "secondaryLaunchConfigs");
  return value.map((v: unknown) => {
    const config = parseLaunchConfig(v, {
      type: "secondaryLaunchConfig",
      version,
      imageRequired: true,
    });
    if (config.name === undefined) throw invalid("MissingRequired", "name");
    return config;
  });
}

/** States in which a PUT changes only the stored values. */
const busy = new Set([
  "upgrading",
  "upgraded",
  "finishing-upgrade",
  "rolling-back",
  "canceling-upgrade",
  "canceled-upgrade",
  "restarting",
  "removing",
  "registering",
  "deactivating",
  "activating",
]);
/** Fields whose change makes the server look at the service's containers again. Source: facts §6. */
const scheduling = [
  "scale",
  "scalePolicy",
  "name",
  "metadata",
  "retainIp",
  "selectorLink",
  "selectorContainer",
  "lbConfig",
];

/** Changes a service as PUT does. */
export function updateService(s: ServiceDoc, body: Body, c: Within): void {
  const { db } = c.app;
  const balancer = s.kind === "loadBalancerService";
  const change: Partial<ServiceDoc> = {};
  if ("name" in body) {
    const name = requiredName(body);
    checkUnique(name, s.stackId, c, s.id);
    change.name = name;
  }
  if ("description" in body) change.description = optionalString(body, "description", 1024);
  const scale = optionalInt(body, "scale", 0);
  if (scale !== null) change.scale = scale;
  if ("metadata" in body) change.metadata = isObject(body.metadata) ? body.metadata : null;
  if ("scalePolicy" in body) {
    change.scalePolicy = parseScalePolicy(body.scalePolicy);
    // What did not fit before is tried again.
    change.policyScale = undefined;
  }
  if ("retainIp" in body) change.retainIp = optionalBoolean(body, "retainIp");
  if ("selectorLink" in body) change.selectorLink = optionalString(body, "selectorLink", 4096);
  if ("selectorContainer" in body)
    change.selectorContainer = optionalString(body, "selectorContainer", 4096);
  if (isObject(body.lbConfig)) change.lbConfig = parseLbConfig(body.lbConfig, db, balancer);
  // A plain service's launchConfig is ignored here: only an upgrade changes it.
  if (balancer && isObject(body.launchConfig)) {
    change.launchConfig = balancerConfig(
      parseLaunchConfig(body.launchConfig, {
        type: "launchConfig",
        version: String(s.launchConfig?.version ?? "0"),
        imageRequired: false,
      }),
    );
  }
  const touched = scheduling.some((f) => f in body);
  db.services.update(s, change);
  if (!touched || busy.has(s.state) || s.removed !== null) return;
  const next =
    s.state === "inactive" || s.state === "updating-inactive"
      ? "updating-inactive"
      : "updating-active";
  db.setState(db.services, s, next, "yes", undefined, { failures: 0, retryAt: 0 });
  c.app.engine.kick();
}

/** Image that a sidekick is upgraded to in order to remove it. Source: Rancher's ServiceConstants. */
const noImage = "rancher/none";

/** Begins an in-service upgrade; `strategy` is what an upgrade's `inServiceStrategy` may hold. */
export function beginUpgrade(s: ServiceDoc, strategy: Body, app: Context["app"]): void {
  const version = randomUUID();
  const previousLaunchConfig = s.launchConfig ?? {};
  const previousSecondary = s.secondaryLaunchConfigs ?? [];
  const given = Array.isArray(strategy.secondaryLaunchConfigs)
    ? (strategy.secondaryLaunchConfigs as unknown[])
    : [];
  const isRemoval = (config: unknown): boolean =>
    isObject(config) && String(config.imageUuid).toLowerCase() === noImage;
  const removed = new Set(given.filter(isRemoval).map((config) => (config as Body).name));
  const secondary = parseSecondary(
    given.filter((config) => !isRemoval(config)),
    version,
  );
  let launchConfig: LaunchConfig | undefined;
  if (isObject(strategy.launchConfig)) {
    launchConfig = parseLaunchConfig(strategy.launchConfig, {
      type: "launchConfig",
      version,
      imageRequired: s.kind === "service" && s.selectorContainer === null,
    });
    if (s.kind === "loadBalancerService") launchConfig = balancerConfig(launchConfig);
  }
  const upgraded = new Set<unknown>(secondary?.map((config) => config.name));
  if (launchConfig !== undefined) upgraded.add(s.name);
  // What shares network or volumes with an upgraded container is made anew with it.
  const olds = [{ ...previousLaunchConfig, name: s.name }, ...previousSecondary];
  const joins = (old: LaunchConfig): boolean =>
    !upgraded.has(old.name) &&
    [...listOf(old, "dataVolumesFromLaunchConfigs"), old.networkLaunchConfig].some((name) =>
      upgraded.has(name),
    );
  for (let next = olds.find(joins); next !== undefined; next = olds.find(joins))
    upgraded.add(next.name);
  const kept = (old: LaunchConfig): LaunchConfig =>
    upgraded.has(old.name ?? s.name) ? { ...old, version } : old;
  const rest = previousSecondary.filter(
    (old) => !removed.has(old.name) && !secondary?.some((config) => config.name === old.name),
  );
  app.engine.upgrade(s, {
    batchSize: optionalInt(strategy, "batchSize", 1) ?? 1,
    intervalMillis: optionalInt(strategy, "intervalMillis", 100) ?? 2000,
    startFirst: optionalBoolean(strategy, "startFirst") ?? false,
    launchConfig: launchConfig ?? (s.launchConfig === null ? null : kept(s.launchConfig)),
    secondaryLaunchConfigs: [...(secondary ?? []), ...rest.map(kept)],
    previousLaunchConfig,
    previousSecondaryLaunchConfigs: previousSecondary,
  });
}

function upgradeService(s: ServiceDoc, body: Body, c: Context): ActionResult {
  const strategy = body.inServiceStrategy;
  if (!isObject(strategy)) {
    throw invalid("MissingRequired", "Upgrade strategy needs to be set");
  }
  const secondaryGiven =
    Array.isArray(strategy.secondaryLaunchConfigs) && strategy.secondaryLaunchConfigs.length > 0;
  if (!isObject(strategy.launchConfig) && !secondaryGiven) {
    throw invalid(
      "InvalidOption",
      "LaunchConfig/secondaryLaunchConfigs need to be specified for inService strategy",
    );
  }
  if (s.retainIp === true && strategy.startFirst === true) {
    throw invalid(
      "InvalidOption",
      "StartFirst option can't be used for service with retainIp field set",
    );
  }
  // The answer still shows the strategy of the upgrade before, if there was one.
  const before = formatUpgrade(s.upgrade);
  beginUpgrade(s, strategy, c.app);
  return { status: 202, body: { ...formatResource(serviceType, s, c), upgrade: before } };
}

/** Puts links in place of those that were there. */
export function setLinks(s: ServiceDoc, given: readonly unknown[], app: Context["app"]): void {
  app.db.services.update(s, {
    linkedServices: Object.fromEntries(given.map((link) => linkTarget(link, app))),
  });
}

function linkTarget(value: unknown, app: Context["app"]): [string, number] {
  if (!isObject(value)) throw invalid("InvalidFormat", "serviceLinks");
  const target = app.db.services.get(parseId(value.serviceId));
  if (target === undefined || target.removed !== null)
    throw invalid("InvalidReference", "serviceId");
  const name = optionalString(value, "name");
  return [name === null || name === "" ? (target.name ?? "") : name, target.id];
}

function act(s: ServiceDoc, action: string, body: Body, c: Context): ActionResult {
  const { engine, db } = c.app;
  switch (action) {
    case "activate":
      engine.activate(s);
      return { status: 202 };
    case "deactivate":
      engine.deactivate(s);
      return { status: 202 };
    case "remove":
      engine.removeService(s);
      return { status: 202 };
    case "update":
      updateService(s, body, c);
      return { status: 202 };
    case "upgrade":
      return upgradeService(s, body, c);
    case "continueupgrade":
      engine.continueUpgrade(s);
      return { status: 202 };
    case "finishupgrade":
      engine.finishUpgrade(s);
      return { status: 202 };
    case "cancelupgrade":
      engine.cancelUpgrade(s);
      return { status: 202 };
    case "rollback":
      engine.rollback(s);
      return { status: 202 };
    case "restart": {
      const strategy = isObject(body.rollingRestartStrategy) ? body.rollingRestartStrategy : {};
      engine.restart(
        s,
        optionalInt(strategy, "batchSize", 1) ?? 1,
        optionalInt(strategy, "intervalMillis", 100) ?? 2000,
      );
      return { status: 202 };
    }
    case "setservicelinks":
      setLinks(s, Array.isArray(body.serviceLinks) ? body.serviceLinks : [], c.app);
      return { status: 200 };
    case "addservicelink": {
      const [name, id] = linkTarget(body.serviceLink, c.app);
      db.services.update(s, { linkedServices: { ...s.linkedServices, [name]: id } });
      return { status: 200 };
    }
    case "removeservicelink": {
      const [name, id] = linkTarget(body.serviceLink, c.app);
      const isNamed = isObject(body.serviceLink) && typeof body.serviceLink.name === "string";
      // Without a name every link to the service goes.
      const rest = Object.entries(s.linkedServices).filter(
        ([n, i]) => i !== id || (isNamed && n !== name),
      );
      db.services.update(s, { linkedServices: Object.fromEntries(rest) });
      return { status: 200 };
    }
    default:
      throw internal();
  }
}

/** The type for one path: `services` (every kind is found there) or one kind's own path. */
function makeType(kind: string, plural: string): ResourceType<ServiceDoc> {
  const every = kind === "service";
  return {
    type: kind,
    baseType: "service",
    plural,
    where: "both",
    creatable: "project",
    filters: [
      "accountId",
      "createIndex",
      "created",
      "description",
      "externalId",
      "healthState",
      "id",
      "kind",
      "name",
      "removeTime",
      "removed",
      "selectorContainer",
      "selectorLink",
      "skip",
      "stackId",
      "state",
      "system",
      "uuid",
      "vip",
    ],
    createTypes: kinds,
    unknownIs500: true,
    rows: (c) => c.app.db.services.all().filter((s) => every || s.kind === kind),
    find: (id, c) => {
      const s = c.app.db.services.get(parseId(id));
      return s !== undefined && (every || s.kind === kind) ? s : undefined;
    },
    idOf: (s) => formatId("service", s.id),
    isRemoved: (s) => s.removed !== null,
    typeOf: (s) => s.kind,
    pluralOf: (s) => kinds[s.kind] ?? "services",
    fields: serviceFields,
    links: (s) => [
      "account",
      "consumedbyservices",
      "consumedservices",
      "instances",
      "networkDrivers",
      "serviceExposeMaps",
      "serviceLogs",
      "stack",
      "storageDrivers",
      ...(s.kind === "service" || s.kind === "loadBalancerService" ? ["containerStats"] : []),
    ],
    actions: (s) => {
      const offered =
        actionsByState[s.state] ??
        (s.state === "removed" || s.state === "removing" ? links : ["remove", ...links]);
      return s.kind === "externalService" ? offered.filter((a) => !links.includes(a)) : offered;
    },
    allActions: [
      "activate",
      "deactivate",
      "remove",
      "update",
      "upgrade",
      "continueupgrade",
      "finishupgrade",
      "cancelupgrade",
      "rollback",
      "restart",
      ...links,
    ],
    targets: {
      instances: (s, c) =>
        instancesOf(s, c.app).map((row) => ({ type: instanceType as never, row })),
      stack: (s, c) => {
        const row = c.app.db.stacks.get(s.stackId);
        return row === undefined ? [] : [{ type: stackType as never, row }];
      },
      consumedservices: (s, c) =>
        Object.values(s.linkedServices)
          .map((id) => c.app.db.services.get(id))
          .filter((x): x is ServiceDoc => x?.removed === null)
          .map((row) => ({ type: serviceType as never, row })),
      consumedbyservices: (s, c) =>
        c.app.db.services
          .live()
          .filter((x) => Object.values(x.linkedServices).includes(s.id))
          .map((row) => ({ type: serviceType as never, row })),
    },
    targetTypes: {
      instances: "instance",
      consumedservices: "service",
      consumedbyservices: "service",
    },
    create: (body, c) => createService(kind, body, c),
    update: updateService,
    remove: (s, c) => {
      if (s.removed !== null || s.state === "removing") return;
      c.app.engine.removeService(s);
    },
    act,
  };
}

/** `/services`: every kind. */
export const serviceType = makeType("service", "services");
/** The other kinds' own paths. */
export const otherServiceTypes = Object.entries(kinds)
  .filter(([kind]) => kind !== "service")
  .map(([kind, plural]) => makeType(kind, plural));
