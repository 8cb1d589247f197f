import {
  LABEL_CONTAINER_UUID,
  type Desired,
  type DesiredContainer,
  type DesiredHealthCheck,
} from "../protocol";
import type { App } from "./app";
import type { HostDoc, InstanceDoc } from "./documents";
import { isDraining } from "./engine/drain";
import { startsOnce } from "./engine/instances";
import { haproxyFiles } from "./haproxy";
import { formatId } from "./ids";
import { listOf, mapOf } from "./resources/launchConfig";

/** The overlay that all managed containers of an environment share. */
const managedSubnet = "10.42.0.0/16";
const managedMtu = 1400;

/** A host's whole wanted state. */
export function desiredFor(app: App, host: HostDoc): Omit<Desired, "type" | "generation"> {
  const { db } = app;
  const peers = db.hosts
    .live()
    .filter((h) => h.accountId === host.accountId && h.id !== host.id)
    .map((h) => ({ hostIndex: h.hostIndex, ip: h.agentIpAddress }));
  return {
    network: {
      hostIndex: host.hostIndex,
      subnet: managedSubnet,
      gateway: `10.42.0.${String(host.hostIndex)}`,
      mtu: managedMtu,
      peers,
    },
    containers: db.instances
      .live()
      // A failed container is cleared away at once; its row stays until the service tries again.
      .filter(
        (i) =>
          i.hostId === host.id &&
          (i.desired !== "removed" || isDraining(app, i)) &&
          i.state !== "error",
      )
      .map((i) => desiredContainer(app, i)),
  };
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

function healthCheck(i: InstanceDoc): DesiredHealthCheck | undefined {
  const check = i.config.healthCheck as Record<string, unknown> | undefined;
  if (check === undefined) return undefined;
  const number = (field: string, otherwise: number): number => {
    const v = check[field];
    return typeof v === "number" && v > 0 ? v : otherwise;
  };
  const requestLine = text(check.requestLine);
  return {
    port: number("port", 80),
    ...(requestLine === undefined ? {} : { requestLine }),
    intervalMs: number("interval", 2000),
    responseTimeoutMs: number("responseTimeout", 2000),
    healthyThreshold: number("healthyThreshold", 2),
    unhealthyThreshold: number("unhealthyThreshold", 3),
    initializingTimeoutMs: number("initializingTimeout", 60000),
  };
}

function desiredContainer(app: App, i: InstanceDoc): DesiredContainer {
  const { db } = app;
  const service = db.services.get(i.serviceId);
  const c = i.config;
  const labels = i.labels;
  const mode = String(c.networkMode ?? "managed");
  const networkMode =
    mode === "host" || mode === "none" || mode === "bridge" || mode === "container"
      ? mode
      : "managed";
  const check = healthCheck(i);
  const hostname =
    text(c.hostname) ??
    (labels["io.rancher.container.hostname_override"] === "container_name"
      ? (i.name ?? undefined)
      : undefined);
  const shared = text(c.networkLaunchConfig);
  const mate =
    shared === undefined
      ? undefined
      : db.instances
          .live()
          .find(
            (o) =>
              o.deploymentUnitUuid === i.deploymentUnitUuid &&
              o.version === i.version &&
              o.launchConfigName === shared,
          );
  const optional = <K extends string>(key: K, value: unknown): object =>
    value === undefined ? {} : { [key]: value };
  return {
    uuid: i.uuid,
    id: formatId("instance", i.id),
    name: `r-${(i.name ?? "").replace(/[^a-zA-Z0-9_.-]/g, "-")}-${i.uuid.slice(0, 8)}`.replace(
      "r--",
      "r-",
    ),
    image: String(c.imageUuid).replace(/^(docker|sim):/, ""),
    pull: labels["io.rancher.container.pull_image"] === "always" ? "always" : "missing",
    environment: mapOf(c, "environment"),
    command: listOf(c, "command"),
    entryPoint: listOf(c, "entryPoint"),
    labels: {
      ...labels,
      [LABEL_CONTAINER_UUID]: i.uuid,
      "io.rancher.container.name": i.name ?? "",
      ...(i.primaryIpAddress === null
        ? {}
        : { "io.rancher.container.ip": `${i.primaryIpAddress}/16` }),
    },
    volumes: listOf(c, "dataVolumes"),
    ports: i.ports.map(({ bindAddress, ...p }) =>
      bindAddress === null ? p : { ...p, bindAddress },
    ),
    networkMode,
    ...optional("ip", i.primaryIpAddress ?? undefined),
    ...optional("networkContainerUuid", mate?.uuid),
    ...optional("hostname", hostname),
    ...optional("workingDir", text(c.workingDir)),
    ...optional("user", text(c.user)),
    privileged: c.privileged === true,
    ...(c.pidMode === "host" ? { pidMode: "host" as const } : {}),
    capAdd: listOf(c, "capAdd"),
    capDrop: listOf(c, "capDrop"),
    tty: c.tty === true,
    stdinOpen: c.stdinOpen === true,
    ...optional("memory", typeof c.memory === "number" && c.memory > 0 ? c.memory : undefined),
    ...optional("healthCheck", check),
    files: service?.kind === "loadBalancerService" ? haproxyFiles(service, db) : [],
    ...(service?.kind === "loadBalancerService" ? { reloadSignal: "SIGUSR2" } : {}),
    desired:
      !i.restarting && (i.desired === "running" || isDraining(app, i)) ? "running" : "stopped",
    restart: startsOnce(i) ? "once" : "always",
  };
}
