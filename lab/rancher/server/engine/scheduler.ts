import type { Database } from "../database";
import type { HostDoc, InstanceDoc, InstancePort } from "../documents";
import { listOf, parsePort } from "../resources/launchConfig";

/** Where a container goes, or why it cannot go anywhere. */
export type Placement =
  { readonly host: HostDoc; readonly ports: InstancePort[] } | { readonly problem: string };

/** First port given out when a port rule names none. */
const firstFreePort = 49153;

const affinity = "io.rancher.scheduler.affinity:";

/** Hosts that new containers may be put on: active, agent connected. */
export function usableHosts(db: Database, projectId: number | null): HostDoc[] {
  return db.hosts
    .live()
    .filter(
      (h) =>
        h.accountId === projectId &&
        (h.state === "active" || h.state === "updating-active") &&
        h.agentState === null,
    );
}

/** `k=v,k2=v2` as pairs. */
function pairs(text: string): [string, string][] {
  return text
    .split(",")
    .map((p) => p.trim())
    .filter((p) => p !== "")
    .map((p) => {
      const at = p.indexOf("=");
      return at < 0 ? [p, ""] : [p.slice(0, at).trim(), p.slice(at + 1).trim()];
    });
}

/** Containers on a host that hold their resources. */
function occupants(db: Database, host: HostDoc): InstanceDoc[] {
  return db.instances
    .live()
    .filter((i) => i.hostId === host.id && i.desired === "running" && i.state !== "error");
}

/** Whether the labels' hard rules allow the host; the message says which one does not. */
export function refusal(
  db: Database,
  labels: Record<string, string>,
  host: HostDoc,
): string | undefined {
  const hostHas = ([k, v]: [string, string]): boolean => host.labels[k] === v;
  const containerHas = ([k, v]: [string, string]): boolean =>
    occupants(db, host).some((i) => i.labels[k] === v);
  const containerNamed = (name: string): boolean =>
    occupants(db, host).some((i) => i.name === name);
  for (const [key, value] of Object.entries(labels)) {
    if (!key.startsWith(affinity)) continue;
    switch (key.slice(affinity.length)) {
      case "host_label":
        for (const p of pairs(value))
          if (!hostHas(p)) return `needs host with label ${p[0]}: ${p[1]}`;
        break;
      case "host_label_ne":
        for (const p of pairs(value))
          if (hostHas(p)) return `needs host without label ${p[0]}: ${p[1]}`;
        break;
      case "container_label":
        for (const p of pairs(value))
          if (!containerHas(p)) return `needs host with container with label ${p[0]}: ${p[1]}`;
        break;
      case "container_label_ne":
        for (const p of pairs(value))
          if (containerHas(p)) return `needs host without container with label ${p[0]}: ${p[1]}`;
        break;
      case "container":
        for (const n of value.split(","))
          if (!containerNamed(n.trim())) return `needs host with container ${n.trim()}`;
        break;
      case "container_ne":
        for (const n of value.split(","))
          if (containerNamed(n.trim())) return `needs host without container ${n.trim()}`;
        break;
      default:
    }
  }
  return undefined;
}

/** How many soft rules speak against the host. */
function softViolations(db: Database, labels: Record<string, string>, host: HostDoc): number {
  let count = 0;
  for (const [key, value] of Object.entries(labels)) {
    if (!key.startsWith(affinity) || !/_soft(_ne)?$/.test(key)) continue;
    const hard = key.replace(/_soft_ne$/, "_ne").replace(/_soft$/, "");
    if (refusal(db, { [hard]: value }, host) !== undefined) count++;
  }
  return count;
}

/** Host ports wanted by the container, or undefined when one is taken. */
function portsOn(db: Database, i: InstanceDoc, host: HostDoc): InstancePort[] | { taken: string } {
  const used = occupants(db, host)
    .filter((o) => o.id !== i.id)
    .flatMap((o) => o.ports);
  const clash = (p: InstancePort): boolean =>
    used.some(
      (u) =>
        u.publicPort === p.publicPort &&
        u.protocol === p.protocol &&
        (u.bindAddress === p.bindAddress || u.bindAddress === null || p.bindAddress === null),
    );
  const chosen: InstancePort[] = [];
  for (const text of listOf(i.config, "ports")) {
    const port = parsePort(text);
    if (port.publicPort !== undefined) {
      const fixed = { ...port, publicPort: port.publicPort };
      if (clash(fixed)) return { taken: `${String(fixed.publicPort)}/${fixed.protocol}` };
      chosen.push(fixed);
      continue;
    }
    let publicPort = firstFreePort;
    while (
      clash({ ...port, publicPort }) ||
      chosen.some((c) => c.publicPort === publicPort && c.protocol === port.protocol)
    ) {
      publicPort++;
    }
    chosen.push({ ...port, publicPort });
  }
  return chosen;
}

/** Picks the allowed host with the fewest containers of the same service, then the fewest in all. */
export function place(db: Database, i: InstanceDoc): Placement {
  // Containers of one deployment unit (sidekicks) stay together.
  const mate = db.instances
    .live()
    .find(
      (o) =>
        o.id !== i.id &&
        i.deploymentUnitUuid !== null &&
        o.deploymentUnitUuid === i.deploymentUnitUuid &&
        o.launchConfigName !== i.launchConfigName &&
        o.desired === "running" &&
        o.hostId !== null,
    );
  const bound = i.requestedHostId ?? mate?.hostId ?? null;
  let problem = "No healthy hosts with sufficient resources available";
  const fits: { host: HostDoc; ports: InstancePort[]; rank: number[] }[] = [];
  for (const host of usableHosts(db, i.accountId)) {
    if (bound !== null && host.id !== bound) continue;
    const no = refusal(db, i.labels, host);
    if (no !== undefined) {
      problem = no;
      continue;
    }
    const ports = portsOn(db, i, host);
    if ("taken" in ports) {
      problem = `host needs ports ${ports.taken} available`;
      continue;
    }
    const there = occupants(db, host);
    fits.push({
      host,
      ports,
      rank: [
        softViolations(db, i.labels, host),
        there.filter((o) => o.serviceId !== null && o.serviceId === i.serviceId).length,
        there.length,
        host.id,
      ],
    });
  }
  fits.sort((a, b) => {
    for (let n = 0; n < a.rank.length; n++) {
      const d = (a.rank[n] ?? 0) - (b.rank[n] ?? 0);
      if (d !== 0) return d;
    }
    return 0;
  });
  const best = fits[0];
  return best ?? { problem: `Allocation failed: ${problem}` };
}

/** The next managed address: 10.42.1.1 upward, last bytes 1 to 254, reused only after a full round. */
export function nextAddress(db: Database, projectId: number | null): string {
  const number = (ip: string): number => {
    const [, , c = 0, d = 0] = ip.split(".").map(Number);
    return (c - 1) * 254 + (d - 1);
  };
  const text = (n: number): string =>
    `10.42.${String(1 + Math.floor(n / 254))}.${String(1 + (n % 254))}`;
  const size = 254 * 254;
  const all = db.instances
    .all()
    .filter((i) => i.accountId === projectId && i.primaryIpAddress !== null);
  const inUse = new Set(all.filter((i) => i.removed === null).map((i) => i.primaryIpAddress));
  // The newest container's address, not the highest: so the round goes on after a wrap.
  const last = all.reduce<InstanceDoc | undefined>(
    (a, b) => (a === undefined || b.id > a.id ? b : a),
    undefined,
  );
  const lastIp = last?.primaryIpAddress ?? null;
  let n = lastIp === null ? 0 : number(lastIp) + 1;
  for (let tries = 0; tries < size; tries++, n++) {
    const ip = text(((n % size) + size) % size);
    if (!inUse.has(ip)) return ip;
  }
  throw new Error("no managed address is free");
}
