/** What the server itself puts into the launch config of a load balancer when it is made. */
import type { Props } from "../plugin/types";
import { plain } from "./declared";

/** The load balancer answers health checks here. */
export const HEALTH_PORT = 42;

/** The health check of one that declares none. Source: recording of its creation. */
const HEALTH_CHECK: Props = {
  port: HEALTH_PORT,
  interval: 2_000,
  responseTimeout: 2_000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
  initializingTimeout: 60_000,
  reinitializingTimeout: 60_000,
};

const LABELS = /^io\.rancher\.container\.(agent\.role|agent_service\.|create_agent)/;

function labelsOf(launchConfig: Props): [string, unknown][] {
  return Object.entries((launchConfig["labels"] as Props | null | undefined) ?? {});
}

function isInjected(check: unknown): boolean {
  return (check as Props | null | undefined)?.["port"] === HEALTH_PORT;
}

/** A launch config without it. */
export function withoutInjected(launchConfig: Props): Props {
  const { healthCheck, labels: _, ...rest } = launchConfig;
  const own = labelsOf(launchConfig).filter(([name]) => !LABELS.test(name));
  return {
    ...rest,
    ...(healthCheck === undefined || isInjected(healthCheck) ? {} : { healthCheck }),
    ...(own.length === 0 ? {} : { labels: Object.fromEntries(own) }),
  };
}

/** A declared launch config with it: an upgrade replaces the whole, and the server may not put it in again. */
export function withInjected(declared: Props, before: Props, actual: Props): Props {
  const injected = labelsOf(actual).filter(([name]) => LABELS.test(name));
  // A check that is declared no more, or is not the server's, does not stay.
  const check = before["healthCheck"] === undefined ? actual["healthCheck"] : undefined;
  return {
    healthCheck: isInjected(check) ? plain(check) : HEALTH_CHECK,
    ...declared,
    labels: Object.fromEntries([...injected, ...labelsOf(declared)]),
  };
}
