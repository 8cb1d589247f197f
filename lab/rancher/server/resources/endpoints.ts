import type { App } from "../app";
import type { InstanceDoc } from "../documents";
import { formatId } from "../ids";

/** Published ports of running containers, by host; null when there are none. */
export function publicEndpoints(
  instances: readonly InstanceDoc[],
  app: App,
): Record<string, unknown>[] | null {
  const list = instances
    .filter((i) => i.state === "running" && i.hostId !== null)
    .sort((a, b) => (a.hostId ?? 0) - (b.hostId ?? 0) || a.id - b.id)
    .flatMap((i) =>
      i.ports.map((p) => ({
        type: "publicEndpoint",
        hostId: formatId("host", i.hostId),
        instanceId: formatId("instance", i.id),
        ipAddress: p.bindAddress ?? app.db.hosts.get(i.hostId)?.agentIpAddress ?? null,
        port: p.publicPort,
        serviceId: formatId("service", i.serviceId),
      })),
    );
  return list.length === 0 ? null : list;
}
