import type { HostDoc } from "../documents";
import { methodNotAllowed } from "../errors";
import { commonFields } from "../http/format";
import { optionalInt, optionalString, optionalStringMap } from "../http/validate";
import { formatId, parseId } from "../ids";
import { publicEndpoints } from "./endpoints";
import { instanceType } from "./instances";
import type { ResourceType } from "./type";

/** Actions by state. Source: recordings. */
const actionsByState: Readonly<Record<string, readonly string[]>> = {
  active: ["upgrade", "evacuate", "dockersocket", "update", "delete", "deactivate"],
  activating: ["upgrade", "dockersocket", "remove", "delete", "deactivate"],
  "updating-active": ["upgrade", "remove", "delete", "deactivate"],
  deactivating: ["upgrade", "dockersocket", "remove", "delete"],
  inactive: [
    "activate",
    "upgrade",
    "evacuate",
    "dockersocket",
    "update",
    "provision",
    "remove",
    "delete",
  ],
  removing: ["upgrade", "delete"],
  removed: ["upgrade", "delete", "purge"],
};

/** What Rancher shows as a host's state: the agent's while the host itself is active. */
export function shownState(h: HostDoc): string {
  return h.state === "active" && h.agentState !== null ? h.agentState : h.state;
}

/** Hosts. */
export const hostType: ResourceType<HostDoc> = {
  type: "host",
  baseType: "host",
  plural: "hosts",
  where: "both",
  filters: [
    "accountId",
    "agentState",
    "computeFree",
    "computeTotal",
    "created",
    "description",
    "hostTemplateId",
    "id",
    "isPublic",
    "kind",
    "localStorageMb",
    "memory",
    "milliCpu",
    "name",
    "physicalHostId",
    "removeAfter",
    "removeTime",
    "removed",
    "stackId",
    "state",
    "uri",
    "uuid",
  ],
  rows: (c) => c.app.db.hosts.all(),
  find: (id, c) => c.app.db.hosts.get(parseId(id)),
  idOf: (h) => formatId("host", h.id),
  isRemoved: (h) => h.removed !== null,
  fields: (h, c) => {
    const instances = c.app.db.instances.live().filter((i) => i.hostId === h.id);
    return {
      ...commonFields(h),
      state: shownState(h),
      accountId: formatId("account", h.accountId),
      agentIpAddress: h.agentIpAddress,
      agentState: h.agentState,
      computeTotal: 1000000,
      hostTemplateId: null,
      hostname: h.hostname,
      info: h.info,
      instanceIds: instances.length === 0 ? null : instances.map((i) => formatId("instance", i.id)),
      labels: h.labels,
      localStorageMb: h.localStorageMb,
      memory: h.memory,
      milliCpu: h.milliCpu,
      physicalHostId: formatId("physicalHost", h.id),
      publicEndpoints: publicEndpoints(instances, c.app),
      stackId: null,
      ...(c.scoped || c.identity.account.kind === "project" ? {} : { data: {}, removeTime: null }),
    };
  },
  links: () => [
    "account",
    "clusters",
    "containerEvents",
    "healthcheckInstanceHostMaps",
    "hostLabels",
    "hosts",
    "instances",
    "ipAddresses",
    "physicalHost",
    "serviceEvents",
    "storagePools",
    "volumes",
    "stats",
    "hostStats",
    "containerStats",
  ],
  actions: (h, c) => (c.changing ? [] : (actionsByState[h.state] ?? ["upgrade", "delete"])),
  allActions: [
    "activate",
    "deactivate",
    "evacuate",
    "dockersocket",
    "update",
    "provision",
    "remove",
    "delete",
    "upgrade",
    "purge",
  ],
  targets: {
    instances: (h, c) =>
      c.app.db.instances
        .live()
        .filter((i) => i.hostId === h.id)
        .map((row) => ({ type: instanceType as never, row })),
  },
  targetTypes: { instances: "instance" },
  update: (h, body, c) => {
    const change: Partial<HostDoc> = {};
    if ("name" in body) change.name = optionalString(body, "name");
    if ("description" in body) change.description = optionalString(body, "description", 1024);
    // The given map replaces the old one, as in Rancher: clients merge.
    if ("labels" in body) change.labels = optionalStringMap(body, "labels") ?? {};
    for (const f of ["memory", "milliCpu", "localStorageMb"] as const) {
      if (f in body) change[f] = optionalInt(body, f);
    }
    if (Object.keys(change).length === 0) return;
    const { db } = c.app;
    if (h.state === "active" || h.state === "inactive") {
      db.setState(db.hosts, h, `updating-${h.state}`, "yes", undefined, change);
    } else {
      db.hosts.update(h, change);
    }
  },
  remove: (h, c) => {
    if (h.removed !== null || h.state === "removing") return;
    if (h.state === "active" || h.state === "updating-active" || h.state === "activating")
      throw methodNotAllowed();
    c.app.engine.removeHost(h);
  },
  act: (h, action, _body, c) => {
    const { db, engine } = c.app;
    switch (action) {
      case "deactivate":
        db.setState(db.hosts, h, "deactivating", "yes");
        return { status: 202 };
      case "activate":
        db.setState(db.hosts, h, "activating", "yes");
        return { status: 202 };
      case "evacuate":
        engine.evacuate(h);
        return { status: 202 };
      case "remove":
      case "delete":
        if (h.state === "active") throw methodNotAllowed();
        engine.removeHost(h);
        return { status: 202 };
      case "dockersocket":
        return {
          status: 200,
          body: {
            id: null,
            type: "hostAccess",
            links: {},
            actions: {},
            baseType: "hostAccess",
            token: "not-in-the-lab",
            url: `${c.origin.replace(/^http/, "ws")}/v1/dockersocket/`,
          },
        };
      default:
        return { status: 202 };
    }
  },
};
