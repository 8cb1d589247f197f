import type { InstancePort, LaunchConfig } from "../documents";
import { invalid } from "../errors";
import { parseId } from "../ids";
import {
  isObject,
  optionalBoolean,
  optionalInt,
  optionalString,
  optionalStringList,
  optionalStringMap,
  type Body,
} from "../http/validate";

/** Fields of a launch configuration by kind of value; anything else is dropped. Source: recorded schema 080. */
const fields = {
  int: [
    "blkioWeight",
    "count",
    "cpuCount",
    "cpuPercent",
    "cpuPeriod",
    "cpuQuota",
    "cpuRealtimePeriod",
    "cpuRealtimeRuntime",
    "cpuShares",
    "diskQuota",
    "healthInterval",
    "healthRetries",
    "healthTimeout",
    "ioMaximumBandwidth",
    "ioMaximumIOps",
    "kernelMemory",
    "memory",
    "memoryMb",
    "memoryReservation",
    "memorySwap",
    "memorySwappiness",
    "milliCpuReservation",
    "oomScoreAdj",
    "pidsLimit",
    "shmSize",
    "stopTimeout",
    "vcpu",
    "drainTimeoutMs",
  ],
  string: [
    "cgroupParent",
    "cpuSet",
    "cpuSetMems",
    "description",
    "domainName",
    "hostname",
    "imageUuid",
    "instanceTriggeredStop",
    "ip",
    "ip6",
    "ipcMode",
    "isolation",
    "kind",
    "name",
    "networkMode",
    "pidMode",
    "requestedIpAddress",
    "stopSignal",
    "user",
    "userdata",
    "usernsMode",
    "uts",
    "volumeDriver",
    "workingDir",
    "networkLaunchConfig",
    "requestedHostId",
    "networkContainerId",
    "registryCredentialId",
    "stackId",
  ],
  boolean: [
    "oomKillDisable",
    "privileged",
    "publishAllPorts",
    "readOnly",
    "runInit",
    "startOnCreate",
    "stdinOpen",
    "tty",
  ],
  list: [
    "capAdd",
    "capDrop",
    "command",
    "dataVolumes",
    "dataVolumesFrom",
    "dataVolumesFromLaunchConfigs",
    "devices",
    "dns",
    "dnsOpt",
    "dnsSearch",
    "entryPoint",
    "expose",
    "extraHosts",
    "groupAdd",
    "healthCmd",
    "netAlias",
    "networkIds",
    "ports",
    "securityOpt",
  ],
  map: [
    "environment",
    "labels",
    "lxcConf",
    "storageOpt",
    "sysctls",
    "tmpfs",
    "dataVolumeMounts",
    "instanceLinks",
  ],
  any: ["blkioDeviceOptions", "build", "disks", "logConfig", "secrets", "ulimits"],
} as const;

/** What Rancher fills in. */
const defaults: LaunchConfig = {
  instanceTriggeredStop: "stop",
  kind: "container",
  networkMode: "managed",
  privileged: false,
  publishAllPorts: false,
  readOnly: false,
  runInit: false,
  startOnCreate: true,
  stdinOpen: false,
  system: false,
  tty: false,
  vcpu: 1,
  drainTimeoutMs: 0,
};

/** A health check as stored; only given fields plus strategy. Requires `port`. */
export function parseHealthCheck(value: unknown): Body {
  if (!isObject(value)) throw invalid("InvalidFormat", "healthCheck");
  const out: Body = { type: "instanceHealthCheck" };
  const port = optionalInt(value, "port", 1, 65535);
  for (const field of [
    "healthyThreshold",
    "initializingTimeout",
    "interval",
    "reinitializingTimeout",
    "responseTimeout",
    "unhealthyThreshold",
  ]) {
    const n = optionalInt(value, field);
    if (n !== null) out[field] = n;
  }
  if (port === null) throw invalid("MissingRequired", "port");
  out.port = port;
  for (const field of ["name", "requestLine"]) {
    const s = optionalString(value, field);
    if (s !== null) out[field] = s;
  }
  const strategy = optionalString(value, "strategy") ?? "recreate";
  if (!["none", "recreate", "recreateOnQuorum"].includes(strategy))
    throw invalid("InvalidOption", "strategy");
  out.strategy = strategy;
  if (isObject(value.recreateOnQuorumStrategyConfig)) {
    out.recreateOnQuorumStrategyConfig = value.recreateOnQuorumStrategyConfig;
  }
  return out;
}

/** Checks and completes a launch configuration. `type` is `launchConfig` or `secondaryLaunchConfig`. */
export function parseLaunchConfig(
  value: unknown,
  options: { readonly type: string; readonly version: string; readonly imageRequired: boolean },
): LaunchConfig {
  if (!isObject(value)) throw invalid("InvalidFormat", "launchConfig");
  const out: LaunchConfig = { type: options.type, ...defaults, version: options.version };
  if (options.type === "secondaryLaunchConfig") delete out.drainTimeoutMs;
  const keep = (field: string, v: unknown): void => {
    if (v !== null) out[field] = v;
  };
  for (const f of fields.int) keep(f, optionalInt(value, f));
  for (const f of fields.string) keep(f, optionalString(value, f, 65535));
  for (const f of fields.boolean) keep(f, optionalBoolean(value, f));
  for (const f of fields.list) keep(f, optionalStringList(value, f));
  for (const f of fields.map) keep(f, optionalStringMap(value, f));
  for (const f of fields.any) if (value[f] !== undefined) keep(f, value[f]);
  if (value.healthCheck !== undefined && value.healthCheck !== null) {
    out.healthCheck = parseHealthCheck(value.healthCheck);
  }
  const image = out.imageUuid;
  if (image === undefined || image === "") {
    if (options.imageRequired) {
      throw invalid("InvalidOption", "Image is required when selectorContainer is not passed in");
    }
  } else if (!/^(docker|sim):.+/.test(image as string)) {
    throw invalid("InvalidReference", "imageUuid");
  }
  for (const port of (out.ports as string[] | undefined) ?? []) parsePort(port);
  return out;
}

/** `[bind:][public:]private[/protocol]`; 422 PortWrongFormat else. `publicPort` is undefined when left out. */
export function parsePort(
  text: string,
): Omit<InstancePort, "publicPort"> & { publicPort?: number } {
  const match = /^(?:(?:([0-9.]+):)?(\d+)?:)?(\d+)(?:\/(tcp|udp))?$/i.exec(text);
  const wrong = invalid("PortWrongFormat", undefined, "the specified port spec format is wrong");
  if (match === null) throw wrong;
  const [, bind, pub, priv, protocol] = match;
  const inRange = (n: number): boolean => n >= 1 && n <= 65535;
  const privatePort = Number(priv);
  if (!inRange(privatePort)) throw wrong;
  if (pub !== undefined && !inRange(Number(pub))) throw wrong;
  return {
    privatePort,
    protocol: protocol?.toLowerCase() === "udp" ? "udp" : "tcp",
    bindAddress: bind ?? null,
    ...(pub === undefined ? {} : { publicPort: Number(pub) }),
  };
}

/** A list of strings in a launch configuration; empty when absent. */
export function listOf(config: LaunchConfig, field: string): string[] {
  const value = config[field];
  return Array.isArray(value) ? (value as string[]) : [];
}

/** A map of strings in a launch configuration; empty when absent. */
export function mapOf(config: LaunchConfig, field: string): Record<string, string> {
  const value = config[field];
  return isObject(value) ? (value as Record<string, string>) : {};
}

/** The id in a reference field, for example requestedHostId. */
export function referenceOf(config: LaunchConfig, field: string): number | null {
  return parseId(config[field]) ?? null;
}

/** A load balancer's health check as Rancher injects it: its own listener on port 42. */
export const loadBalancerHealthCheck: Body = {
  type: "instanceHealthCheck",
  healthyThreshold: 2,
  initializingTimeout: 60000,
  interval: 2000,
  name: null,
  port: 42,
  recreateOnQuorumStrategyConfig: null,
  reinitializingTimeout: 60000,
  requestLine: null,
  responseTimeout: 2000,
  strategy: null,
  unhealthyThreshold: 3,
};

/** Labels that Rancher injects into a load balancer's launch configuration. */
export function loadBalancerLabels(image: unknown): Record<string, string> {
  return typeof image === "string"
    ? {
        "io.rancher.container.agent.role": "environmentAdmin,agent",
        "io.rancher.container.agent_service.drain_provider": "true",
        "io.rancher.container.create_agent": "true",
      }
    : {
        "io.rancher.container.agent.role": "environmentAdmin",
        "io.rancher.container.create_agent": "true",
      };
}
