import type { App } from "../app";
import type { InstanceDoc } from "../documents";

/**
 * Whether a container that is to stop still runs for the last requests of load balancers, which send it
 * no new ones any more. The real server asks its load balancers when the last connection ends; here a fixed
 * time stands for it. Source: rancher/cattle pull request 2894 (off unless drainTimeoutMs is set).
 */
export function isDraining(app: App, i: InstanceDoc): boolean {
  if (i.desired === "running" || i.drained === true || drainMillis(app, i) === 0) return false;
  if (i.state !== "running" && i.state !== "stopping") return false;
  return app.db.services
    .live()
    .some(
      (s) =>
        s.kind === "loadBalancerService" &&
        i.serviceId !== null &&
        Object.values(s.linkedServices).includes(i.serviceId),
    );
}

/** How long it drains, in milliseconds from the moment that it is stopping. */
export function drainMillis(app: App, i: InstanceDoc): number {
  const { drainTimeoutMs } = i.config;
  return typeof drainTimeoutMs === "number" ? Math.min(drainTimeoutMs, app.timings.drain) : 0;
}
