/** What the containers of a service are started with: which fields there are, and what is wrong with them. */
import type { Props } from "../plugin/types";
import { type Place, textValues } from "./checks";

/**
 * Every field that can be given when a service is created. Source: the server's own schema,
 * `GET /v2-beta/projects/<id>/schemas/launchConfig`; it drops unknown fields without a word.
 */
const FIELDS = [
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
  "dataVolumeMounts",
  "dataVolumes",
  "dataVolumesFrom",
  "dataVolumesFromLaunchConfigs",
  "description",
  "devices",
  "disks",
  "diskQuota",
  "dns",
  "dnsOpt",
  "dnsSearch",
  "domainName",
  "drainTimeoutMs",
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
  "instanceLinks",
  "instanceTriggeredStop",
  "ioMaximumBandwidth",
  "ioMaximumIOps",
  "ip",
  "ip6",
  "ipcMode",
  "isolation",
  "kernelMemory",
  "kind",
  "labels",
  "logConfig",
  "lxcConf",
  "memory",
  "memoryMb",
  "memoryReservation",
  "memorySwap",
  "memorySwappiness",
  "milliCpuReservation",
  "netAlias",
  "networkContainerId",
  "networkIds",
  "networkLaunchConfig",
  "networkMode",
  "oomKillDisable",
  "oomScoreAdj",
  "pidMode",
  "pidsLimit",
  "ports",
  "privileged",
  "publishAllPorts",
  "readOnly",
  "registryCredentialId",
  "requestedHostId",
  "requestedIpAddress",
  "runInit",
  "secrets",
  "securityOpt",
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
  "userdata",
  "usernsMode",
  "uts",
  "vcpu",
  "volumeDriver",
  "workingDir",
] as const;

/** Fields of a health check. Source: schema `instanceHealthCheck`. */
const HEALTH_CHECK_FIELDS = [
  "healthyThreshold",
  "initializingTimeout",
  "interval",
  "port",
  "recreateOnQuorumStrategyConfig",
  "reinitializingTimeout",
  "requestLine",
  "responseTimeout",
  "strategy",
  "unhealthyThreshold",
];

/** What the server fills in by itself; left out of what an import shows. Source: recording of a bare service. */
export const LAUNCH_CONFIG_DEFAULTS: Props = {
  instanceTriggeredStop: "stop",
  kind: "container",
  networkMode: "managed",
  startOnCreate: true,
  vcpu: 1,
  drainTimeoutMs: 0,
  version: undefined,
};

/** On every host one container; the number of containers is then not a matter of `scale`. */
const GLOBAL_LABEL = "io.rancher.scheduler.global";
/** A container that runs once and stays stopped. */
const START_ONCE_LABEL = "io.rancher.container.start_once";

const PORT = /^(?:\d{1,3}(?:\.\d{1,3}){3}:)?(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/;

/**
 * A launch config in the one form in which two are compared: ports with their protocol, numbers in maps
 * of texts as text, and the default that the server puts into a health check.
 */
export function normalised(launchConfig: unknown): unknown {
  if (launchConfig === null || typeof launchConfig !== "object" || Array.isArray(launchConfig)) {
    return launchConfig;
  }
  const config = { ...(launchConfig as Props) };
  for (const field of ["environment", "labels"]) {
    if (field in config) config[field] = textValues(config[field]);
  }
  if (Array.isArray(config["ports"])) {
    config["ports"] = config["ports"].map((port: unknown) =>
      typeof port === "string" && PORT.test(port) && !port.includes("/") ? `${port}/tcp` : port,
    );
  }
  const check = config["healthCheck"];
  if (check !== null && typeof check === "object" && !Array.isArray(check)) {
    config["healthCheck"] = { strategy: "recreate", ...check };
  }
  return config;
}

/** Reports what the server would refuse or drop. */
export function checkLaunchConfig(config: Place): void {
  if (!config.isObject(true)) return;
  const policy = config.at("restartPolicy");
  if (policy.present()) {
    policy.reject("is not for services: Rancher itself keeps their containers running");
  }
  const known = [...FIELDS, "restartPolicy"];
  config.onlyKnown(known);
  checkImage(config.at("imageUuid"));
  for (const port of config.at("ports").elements()) checkPort(port);
  config.at("environment").textMap();
  config.at("labels").textMap();
  for (const field of ["command", "entryPoint", "dataVolumes", "capAdd", "capDrop", "dns"]) {
    for (const element of config.at(field).elements()) element.text();
  }
  for (const field of ["privileged", "readOnly", "tty", "stdinOpen", "startOnCreate"]) {
    config.at(field).flag();
  }
  for (const field of ["memory", "memorySwap", "milliCpuReservation", "cpuShares"]) {
    config.at(field).whole({ min: 0 });
  }
  checkHealthCheck(config.at("healthCheck"));
}

function checkImage(image: Place): void {
  if (!image.present(true)) return;
  if (typeof image.value !== "string" || !/^docker:\S+$/.test(image.value)) {
    image.reject(
      `must start with docker:, as in docker:nginx:1.27, got ${JSON.stringify(image.value)}`,
    );
  }
}

function checkPort(port: Place): void {
  if (!port.present()) return;
  const match = typeof port.value === "string" ? PORT.exec(port.value) : null;
  const numbers = [match?.[1], match?.[2]].filter((n) => n !== undefined).map(Number);
  if (match === null || numbers.some((n) => n < 1 || n > 65535)) {
    port.reject(
      `must be public:private/protocol, as in 80:8080/tcp, with ports from 1 to 65535 and protocol tcp or udp, got ${JSON.stringify(port.value)}`,
    );
  }
}

function checkHealthCheck(check: Place): void {
  if (!check.isObject()) return;
  check.onlyKnown(HEALTH_CHECK_FIELDS);
  check.at("port").whole({ required: true, min: 1, max: 65535 });
  for (const field of ["interval", "responseTimeout", "healthyThreshold", "unhealthyThreshold"]) {
    check.at(field).whole({ min: 1 });
  }
  for (const field of ["initializingTimeout", "reinitializingTimeout"]) {
    check.at(field).whole({ min: 0 });
  }
  check.at("requestLine").text();
  check.at("strategy").oneOf(["none", "recreate", "recreateOnQuorum"]);
}

function label(launchConfig: unknown, name: string): unknown {
  const labels = (launchConfig as { labels?: unknown } | undefined)?.labels;
  return (labels as Props | null | undefined)?.[name];
}

/** True for a service with one container on every host. */
export function isGlobal(launchConfig: unknown): boolean {
  return String(label(launchConfig, GLOBAL_LABEL)) === "true";
}

/** True for a service whose containers end by themselves and stay stopped. */
export function startsOnce(launchConfig: unknown): boolean {
  return String(label(launchConfig, START_ONCE_LABEL)) === "true";
}

/** True when containers publish ports of their host, so that two cannot stand on one host. */
export function publishesPorts(launchConfig: unknown): boolean {
  const ports = (launchConfig as { ports?: unknown } | undefined)?.ports;
  return Array.isArray(ports) && ports.some((port) => /\d:\d/.test(String(port)));
}
