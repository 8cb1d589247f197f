/** What the containers of a service are started with: which fields there are, and what is wrong with them. */
import type { Props } from "../plugin/types";
import { type Place, textValues } from "./checks";
import { LAUNCH_CONFIG_FIELDS, type FieldRule } from "./launchConfigFields";

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

const TEXT_MAPS = Object.entries<FieldRule>(LAUNCH_CONFIG_FIELDS)
  .filter(([, rule]) => rule.kind === "textMap")
  .map(([field]) => field);

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
  for (const field of TEXT_MAPS) {
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

/** What differs between the launch config of a service and the one of a sidekick. */
export interface LaunchConfigRules {
  /** False for a service that only selects containers of others. @default true */
  readonly imageRequired?: boolean;
  /** A sidekick has a name, and does not drain connections. @default false */
  readonly sidekick?: boolean;
}

/** Reports what the server would refuse or drop. */
export function checkLaunchConfig(config: Place, rules: LaunchConfigRules = {}): void {
  if (!config.isObject(true)) return;
  const { imageRequired = true, sidekick = false } = rules;
  const policy = config.at("restartPolicy");
  if (policy.present()) {
    policy.reject("is not for services: Rancher itself keeps their containers running");
  }
  const known = Object.keys(LAUNCH_CONFIG_FIELDS).filter(
    (field) => !sidekick || field !== "drainTimeoutMs",
  );
  config.onlyKnown([...known, "restartPolicy", ...(sidekick ? ["name"] : [])]);
  for (const [field, rule] of Object.entries<FieldRule>(LAUNCH_CONFIG_FIELDS)) {
    if (known.includes(field)) checkField(config.at(field), rule);
  }
  checkImage(config.at("imageUuid"), imageRequired);
  for (const port of config.at("ports").elements()) checkPort(port);
  checkHealthCheck(config.at("healthCheck"));
  checkLog(config.at("logConfig"));
}

function checkField(place: Place, rule: FieldRule): void {
  switch (rule.kind) {
    case "text":
      place.text(rule);
      break;
    case "whole":
      place.whole(rule);
      break;
    case "flag":
      place.flag();
      break;
    case "word":
      place.oneOf(rule.words);
      break;
    case "texts":
      for (const element of place.elements()) element.text();
      break;
    case "words":
      for (const element of place.elements()) element.oneOf(rule.words);
      break;
    case "textMap":
      place.textMap();
      break;
    case "list":
      for (const element of place.elements()) element.isObject();
      break;
    case "object":
      place.isObject();
      break;
    case "own":
      break;
  }
}

function checkLog(log: Place): void {
  if (log.value === null || typeof log.value !== "object" || Array.isArray(log.value)) return;
  log.onlyKnown(["driver", "config"]);
  log.at("driver").text();
  log.at("config").textMap();
}

function checkImage(image: Place, required: boolean): void {
  if (!image.present(required)) return;
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
  checkQuorum(check);
}

function checkQuorum(check: Place): void {
  const config = check.at("recreateOnQuorumStrategyConfig");
  config.isObject(check.at("strategy").value === "recreateOnQuorum");
  if (config.value === null || typeof config.value !== "object" || Array.isArray(config.value)) {
    return;
  }
  config.onlyKnown(["quorum"]);
  config.at("quorum").whole({ required: true, min: 1 });
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
