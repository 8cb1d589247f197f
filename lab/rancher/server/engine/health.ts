import type { InstanceDoc, ServiceDoc } from "../documents";

/** Aggregates services' health into a stack's, and stacks' into an environment's. */
export function stackHealth(states: readonly string[]): string {
  if (states.every((s) => s === "healthy" || s === "started-once")) return "healthy";
  if (states.includes("initializing")) return "initializing";
  if (states.some((s) => s === "healthy" || s === "degraded")) return "degraded";
  return "unhealthy";
}

/** Whether a container counts as serving: running, and healthy when it has a check. */
export function serving(i: InstanceDoc): boolean {
  return i.state === "running" && (i.healthState === null || i.healthState === "healthy");
}

/** A service's health from its containers; `expected` is how many there should be. */
export function serviceHealth(
  s: ServiceDoc,
  instances: readonly InstanceDoc[],
  expected: number,
): string {
  if (s.state === "registering" || s.state === "removing") return s.healthState;
  if (!s.running) return "unhealthy";
  // Until the first containers have started or failed the old value stays, as on the real server.
  const pending = instances.some((i) => i.state === "creating" || i.state === "starting");
  if (s.state === "activating" && (instances.length === 0 || pending)) return s.healthState;
  const healthy = instances.filter(serving).length;
  const initializing = instances.filter(
    (i) =>
      i.state === "running" &&
      (i.healthState === "initializing" || i.healthState === "reinitializing"),
  ).length;
  const once = instances.filter((i) => i.healthState === "started-once").length;
  if (once > 0 && once >= expected) return "started-once";
  if (healthy >= expected) return "healthy";
  if (initializing > 0) return "initializing";
  return healthy > 0 ? "degraded" : "unhealthy";
}
