import { newDoc } from "../database";
import type { InstanceDoc, LaunchConfig } from "../documents";
import { invalid, methodNotAllowed } from "../errors";
import type { Context } from "../http/context";
import { commonFields, dates } from "../http/format";
import { isObject, optionalString } from "../http/validate";
import { formatId, parseId } from "../ids";
import { listOf, mapOf, parseLaunchConfig, referenceOf } from "./launchConfig";
import { hostType } from "./hosts";
import { serviceType } from "./services";
import type { ResourceType } from "./type";

/** Fields a container always shows, null unless its configuration has them. Source: recordings. */
const configFields = [
  "blkioDeviceOptions",
  "blkioWeight",
  "build",
  "capAdd",
  "capDrop",
  "cgroupParent",
  "command",
  "cpuCount",
  "cpuPercent",
  "cpuPeriod",
  "cpuQuota",
  "cpuRealtimePeriod",
  "cpuRealtimeRuntime",
  "cpuSet",
  "cpuSetMems",
  "cpuShares",
  "dataVolumesFrom",
  "devices",
  "diskQuota",
  "dnsOpt",
  "domainName",
  "entryPoint",
  "environment",
  "expose",
  "extraHosts",
  "groupAdd",
  "healthCheck",
  "healthCmd",
  "healthInterval",
  "healthRetries",
  "healthTimeout",
  "hostname",
  "imageUuid",
  "instanceTriggeredStop",
  "ioMaximumBandwidth",
  "ioMaximumIOps",
  "ip",
  "ip6",
  "ipcMode",
  "isolation",
  "kernelMemory",
  "logConfig",
  "lxcConf",
  "memory",
  "memoryReservation",
  "memorySwap",
  "memorySwappiness",
  "milliCpuReservation",
  "mounts",
  "netAlias",
  "networkContainerId",
  "networkMode",
  "oomKillDisable",
  "oomScoreAdj",
  "pidMode",
  "pidsLimit",
  "privileged",
  "publishAllPorts",
  "readOnly",
  "registryCredentialId",
  "restartPolicy",
  "runInit",
  "secrets",
  "securityOpt",
  "serviceId",
  "shmSize",
  "startOnCreate",
  "stdinOpen",
  "stopSignal",
  "stopTimeout",
  "storageOpt",
  "sysctls",
  "tmpfs",
  "tty",
  "ulimits",
  "user",
  "userPorts",
  "usernsMode",
  "uts",
  "volumeDriver",
  "workingDir",
] as const;

/** Actions by state. Source: recordings. */
const actionsByState: Readonly<Record<string, readonly string[]>> = {
  creating: ["start", "error", "remove", "stop"],
  starting: ["stop"],
  restarting: ["stop"],
  running: ["restart", "update", "stop", "migrate", "logs", "execute", "proxy"],
  stopping: ["logs"],
  stopped: ["start", "update", "error", "remove", "logs"],
  error: ["remove"],
  removed: ["purge"],
};

function fields(i: InstanceDoc, c: Context): Record<string, unknown> {
  const stack = c.app.db.stacks.get(i.stackId);
  const service = c.app.db.services.get(i.serviceId);
  const placed = i.hostId !== null || i.state === "error";
  const out: Record<string, unknown> = {};
  for (const f of configFields) out[f] = i.config[f] ?? null;
  return {
    ...out,
    ...commonFields(i),
    ...dates({ firstRunning: i.firstRunning }),
    accountId: formatId("account", i.accountId),
    createIndex: i.createIndex,
    dataVolumeMounts: placed ? {} : null,
    dataVolumes:
      listOf(i.config, "dataVolumes").length > 0 || placed ? listOf(i.config, "dataVolumes") : null,
    deploymentUnitUuid: i.deploymentUnitUuid,
    dns: placed ? ["169.254.169.250"] : null,
    dnsSearch: !placed
      ? null
      : stack === undefined || service === undefined
        ? ["rancher.internal"]
        : [
            `${stack.name ?? ""}.rancher.internal`,
            `${service.name ?? ""}.${stack.name ?? ""}.rancher.internal`,
            "rancher.internal",
          ],
    externalId: i.externalId,
    healthState: i.healthState,
    hostId: formatId("host", i.hostId),
    ...(i.serviceId === null ? {} : { internalVolumes: [] }),
    ...(i.config.healthCheck === undefined || i.hostId === null || i.healthState === null
      ? {}
      : {
          healthcheckStates: [{ hostId: formatId("host", i.hostId), healthState: i.healthState }],
        }),
    labels: Object.keys(i.labels).length === 0 ? null : i.labels,
    nativeContainer: false,
    ports:
      i.ports.length === 0
        ? null
        : i.ports.map(
            (p) =>
              `${p.bindAddress === null ? "" : `${p.bindAddress}:`}${String(p.publicPort)}:${String(p.privatePort)}/${p.protocol}`,
          ),
    primaryIpAddress: i.primaryIpAddress,
    primaryNetworkId: i.config.networkMode === "managed" && placed ? formatId("network", 5) : null,
    requestedHostId: formatId("host", i.requestedHostId),
    serviceIds: i.serviceId === null ? null : [formatId("service", i.serviceId)],
    stackId: formatId("stack", i.serviceId === null ? i.stackId : null),
    startCount: i.startCount,
    system: i.system,
    version: i.version,
  };
}

/** A container outside any service. */
export function newInstance(
  projectId: number,
  name: string,
  config: LaunchConfig,
): Omit<InstanceDoc, "id"> {
  return {
    ...newDoc("container", "creating", projectId),
    name,
    serviceId: null,
    stackId: null,
    config,
    launchConfigName: "io.rancher.service.primary.launch.config",
    version: String(config.version ?? "0"),
    deploymentUnitUuid: null,
    unitIndex: 0,
    createIndex: null,
    labels: mapOf(config, "labels"),
    hostId: null,
    requestedHostId: referenceOf(config, "requestedHostId"),
    primaryIpAddress: null,
    ports: [],
    externalId: null,
    healthState: null,
    firstRunning: null,
    startCount: 0,
    system: false,
    desired: config.startOnCreate === false ? "stopped" : "running",
    restarting: false,
  };
}

function makeType(type: string, plural: string): ResourceType<InstanceDoc> {
  return {
    type,
    baseType: "instance",
    plural,
    where: "both",
    creatable: "project",
    filters: [
      "accountId",
      "agentId",
      "allocationState",
      "compute",
      "createIndex",
      "created",
      "deploymentUnitUuid",
      "description",
      "dnsInternal",
      "dnsSearchInternal",
      "domain",
      "externalId",
      "firstRunning",
      "healthState",
      "healthUpdated",
      "hostname",
      "id",
      "imageId",
      "instanceTriggeredStop",
      "kind",
      "memoryMb",
      "memoryReservation",
      "milliCpuReservation",
      "name",
      "nativeContainer",
      "networkContainerId",
      "registryCredentialId",
      "removeTime",
      "removed",
      "serviceId",
      "serviceIndexId",
      "stackId",
      "startCount",
      "state",
      "system",
      "token",
      "userdata",
      "uuid",
      "version",
      "zoneId",
    ],
    createTypes:
      type === "container"
        ? {
            container: "containers",
            launchConfig: "launchconfigs",
            virtualMachine: "virtualmachines",
          }
        : { container: "containers" },
    rows: (c) => c.app.db.instances.all(),
    find: (id, c) => c.app.db.instances.get(parseId(id)),
    idOf: (i) => formatId("instance", i.id),
    isRemoved: (i) => i.removed !== null,
    typeOf: () => "container",
    pluralOf: () => "containers",
    fields,
    links: () => [
      "account",
      "credentials",
      "healthcheckInstanceHostMaps",
      "hosts",
      "instanceLabels",
      "instanceLinks",
      "instances",
      "mounts",
      "ports",
      "serviceEvents",
      "serviceExposeMaps",
      "serviceLogs",
      "services",
      "targetInstanceLinks",
      "volumes",
      "stats",
      "containerStats",
    ],
    actions: (i) => actionsByState[i.state] ?? [],
    allActions: [
      "start",
      "stop",
      "restart",
      "remove",
      "error",
      "update",
      "migrate",
      "logs",
      "execute",
      "proxy",
      "purge",
      "console",
    ],
    targets: {
      hosts: (i, c) => {
        const row = c.app.db.hosts.get(i.hostId);
        return row === undefined ? [] : [{ type: hostType as never, row }];
      },
      services: (i, c) => {
        const row = c.app.db.services.get(i.serviceId);
        return row === undefined ? [] : [{ type: serviceType as never, row }];
      },
    },
    targetTypes: { hosts: "host", services: "service" },
    create: (body, c) => {
      if (c.project === undefined) throw methodNotAllowed();
      const config = parseLaunchConfig(body, {
        type: "container",
        version: "0",
        imageRequired: false,
      });
      if (config.imageUuid === undefined) throw invalid("MissingRequired", "imageUuid");
      const i = c.app.db.instances.insert(
        newInstance(c.project.id, optionalString(body, "name") ?? "", {
          ...config,
          ...(isObject(body.restartPolicy) ? { restartPolicy: body.restartPolicy } : {}),
        }),
      );
      c.app.engine.kick();
      return i;
    },
    update: (i, body, c) => {
      const change: Partial<InstanceDoc> = {};
      if ("name" in body) change.name = optionalString(body, "name");
      if ("description" in body) change.description = optionalString(body, "description");
      c.app.db.instances.update(i, change);
    },
    remove: (i, c) => {
      if (i.removed !== null) return;
      c.app.engine.removeInstance(i);
    },
    act: (i, action, _body, c) => {
      const { engine } = c.app;
      switch (action) {
        case "stop":
          engine.stopInstance(i);
          return { status: 202 };
        case "start":
          engine.startInstance(i);
          return { status: 202 };
        case "restart":
          engine.restartInstance(i);
          return { status: 202 };
        case "remove":
          engine.removeInstance(i);
          return { status: 202 };
        case "update":
          return { status: 202 };
        default:
          throw invalid(
            "InvalidOption",
            `the lab's Rancher server has no container action '${action}'`,
          );
      }
    },
  };
}

/** `/instances`. */
export const instanceType = makeType("instance", "instances");
/** `/containers`. */
export const containerType = makeType("container", "containers");
