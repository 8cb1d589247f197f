import type { App } from "../app";
import { newDoc } from "../database";
import type { HostDoc, InstanceDoc, LaunchConfig, ServiceDoc } from "../documents";
import { formatId } from "../ids";
import { mapOf, referenceOf } from "../resources/launchConfig";
import { linksOfBalancer } from "../resources/lbConfig";
import { serviceHealth, serving } from "./health";
import { startsOnce } from "./instances";
import { place, refusal, usableHosts } from "./scheduler";

const primary = "io.rancher.service.primary.launch.config";

/** A service's containers that are not removed. */
function all(app: App, s: ServiceDoc): InstanceDoc[] {
  return app.db.instances.live().filter((i) => i.serviceId === s.id);
}

/** Those that are meant to stay. */
const kept = (app: App, s: ServiceDoc): InstanceDoc[] =>
  all(app, s).filter((i) => i.desired !== "removed");

/** Launch configuration by name: the primary one and each sidekick's. */
function configsOf(s: ServiceDoc): Map<string, LaunchConfig> {
  const configs = new Map<string, LaunchConfig>();
  if (s.launchConfig !== null) configs.set(primary, s.launchConfig);
  for (const c of s.secondaryLaunchConfigs ?? []) configs.set(String(c.name), c);
  return configs;
}

/** Kinds and configurations without containers of their own. */
function hasContainers(s: ServiceDoc): boolean {
  if (s.kind !== "service" && s.kind !== "loadBalancerService") return false;
  const image = s.launchConfig?.imageUuid;
  if (s.launchConfig === null) return false;
  return !(s.selectorContainer !== null && typeof image !== "string");
}

const isGlobal = (s: ServiceDoc): boolean =>
  mapOf(s.launchConfig ?? {}, "labels")["io.rancher.scheduler.global"] === "true";

/** Hosts a global service runs on. */
function globalHosts(app: App, s: ServiceDoc): HostDoc[] {
  const labels = mapOf(s.launchConfig ?? {}, "labels");
  return usableHosts(app.db, s.accountId).filter((h) => refusal(app.db, labels, h) === undefined);
}

/** One replica: its number, and for global services its host. */
interface Unit {
  readonly index: number;
  readonly hostId: number | null;
}

/**
 * How many units a service that is not global should have. A scale policy begins at its minimum and does
 * not heed `scale`. Source: Rancher's DeploymentManagerImpl; not recorded.
 */
function wantedScale(s: ServiceDoc): number {
  const { policyScale, scalePolicy } = s;
  if (scalePolicy === null) return s.scale;
  const desired = policyScale?.desired ?? scalePolicy.min;
  return Math.min(Math.max(desired, scalePolicy.min), scalePolicy.max);
}

/**
 * Lets a service with a scale policy grow by one increment, when all it has is there; false when it is
 * not to grow. After it has found no place it grows again only when the number of usable hosts is
 * another one: that the real server would try at every reconciliation is not visible from outside.
 */
function grow(app: App, s: ServiceDoc): boolean {
  const policy = s.scalePolicy;
  if (policy === null || isGlobal(s) || !hasContainers(s)) return false;
  const reached = wantedScale(s);
  const full = s.policyScale?.full ?? null;
  const isFull = full === usableHosts(app.db, s.accountId).length;
  const desired =
    reached >= policy.max || isFull ? reached : Math.min(reached + policy.increment, policy.max);
  app.db.services.update(s, {
    policyScale: { desired, reached, full: isFull ? full : null },
  });
  return desired > reached;
}

/**
 * Takes a scale policy back to what had found a place, and the containers away that found none; false
 * when they are not there because of the policy.
 */
function shrink(app: App, s: ServiceDoc, failed: readonly InstanceDoc[]): boolean {
  const policy = s.scalePolicy;
  if (policy === null || failed.length === 0 || isGlobal(s)) return false;
  if (!failed.every((i) => i.hostId === null)) return false;
  const reached = Math.max(policy.min, Math.min(s.policyScale?.reached ?? 0, policy.max));
  if (wantedScale(s) <= reached) return false;
  const full = usableHosts(app.db, s.accountId).length;
  app.db.services.update(s, { policyScale: { desired: reached, reached, full } });
  for (const i of failed) app.engine.removeInstance(i);
  return true;
}

/** The units that should be there. */
function wantedUnits(app: App, s: ServiceDoc): Unit[] {
  if (!hasContainers(s)) return [];
  if (!isGlobal(s))
    return Array.from({ length: wantedScale(s) }, (_, n) => ({ index: n + 1, hostId: null }));
  const mine = kept(app, s);
  const units: Unit[] = [];
  const taken = new Set(mine.map((i) => i.unitIndex));
  const usable = globalHosts(app, s);
  // A host that is only out of touch keeps its unit; one that was deactivated too.
  for (const i of mine) {
    const host = app.db.hosts.get(i.requestedHostId);
    if (host === undefined || host.removed !== null || host.state === "removing") continue;
    if (units.some((u) => u.index === i.unitIndex)) continue;
    if (refusal(app.db, mapOf(s.launchConfig ?? {}, "labels"), host) !== undefined) continue;
    units.push({ index: i.unitIndex, hostId: host.id });
  }
  for (const host of usable) {
    if (units.some((u) => u.hostId === host.id)) continue;
    let index = 1;
    while (taken.has(index)) index++;
    taken.add(index);
    units.push({ index, hostId: host.id });
  }
  return units;
}

/** Brings a service's recorded health up to date. */
export function updateServiceHealth(app: App, s: ServiceDoc): void {
  if (!hasContainers(s)) {
    if (s.state === "active" || s.state === "inactive") {
      app.db.services.update(s, { healthState: s.state === "active" ? "healthy" : "unhealthy" });
    }
    return;
  }
  // Old containers kept beside new ones (upgraded, not finished) say nothing about the service.
  const mine = kept(app, s).filter(
    (i) => !(i.state === "stopped" && i.desired === "stopped" && i.healthState !== "started-once"),
  );
  // A scale that was changed since the upgrade is heeded only when the upgrade is finished: recorded.
  const wanted = wantedUnits(app, s).length;
  const units = s.state === "upgraded" ? Math.min(wanted, s.currentScale ?? wanted) : wanted;
  const expected = units * configsOf(s).size;
  app.db.services.update(s, { healthState: serviceHealth(s, mine, expected) });
}

/** Makes one container. */
function create(
  app: App,
  s: ServiceDoc,
  unit: Unit,
  name: string,
  config: LaunchConfig,
  unitUuid: string,
): InstanceDoc {
  const { db } = app;
  const stack = db.stacks.get(s.stackId);
  const project = db.accounts.get(s.accountId);
  const stackName = stack?.name ?? "";
  const serviceName = s.name ?? "";
  const full =
    name === primary ? `${stackName}/${serviceName}` : `${stackName}/${serviceName}/${name}`;
  const side = name === primary ? "" : `-${name}`;
  const createIndex = (s.createIndex ?? 0) + 1;
  db.services.update(s, { createIndex });
  return db.instances.insert({
    ...newDoc("container", "creating", s.accountId),
    name: `${stackName}-${serviceName}${side}-${String(unit.index)}`,
    serviceId: s.id,
    stackId: s.stackId,
    config,
    launchConfigName: name,
    version: String(config.version ?? "0"),
    deploymentUnitUuid: unitUuid,
    unitIndex: unit.index,
    createIndex,
    labels: {
      ...mapOf(config, "labels"),
      "io.rancher.service.deployment.unit": unitUuid,
      ...(unit.hostId === null
        ? {}
        : { "io.rancher.service.requested.host.id": String(unit.hostId) }),
      "io.rancher.stack_service.name": full,
      "io.rancher.service.launch.config": name,
      "io.rancher.project.name": stackName,
      "io.rancher.project_service.name": full,
      "io.rancher.stack.name": stackName,
      "io.rancher.environment.uuid": project?.uuid ?? "",
    },
    hostId: null,
    requestedHostId: unit.hostId ?? referenceOf(config, "requestedHostId"),
    primaryIpAddress: null,
    ports: [],
    externalId: null,
    healthState: null,
    firstRunning: null,
    startCount: 0,
    system: s.system,
    desired: "running",
    restarting: false,
  });
}

/** Containers of a unit. */
const inUnit = (list: readonly InstanceDoc[], unit: Unit): InstanceDoc[] =>
  list.filter((i) => i.unitIndex === unit.index);

/**
 * Deals with failed containers: shows the failure, waits with a growing pause, then removes them so
 * that new ones are made. True while waiting.
 */
function backOff(app: App, s: ServiceDoc, failed: readonly InstanceDoc[]): boolean {
  const { db, engine, timings } = app;
  if (failed.length === 0) return false;
  const now = Date.now();
  const fresh = failed.filter((i) => !engine.countedFailures.has(i.id));
  const first = fresh[0];
  if (first !== undefined) {
    for (const i of fresh) engine.countedFailures.add(i.id);
    const pause = Math.min(timings.retryMax, timings.retryMin * 5 ** Math.min(s.failures, 6));
    const id = `[container:${formatId("instance", first.id)}]`;
    db.services.update(s, {
      failures: s.failures + 1,
      retryAt: now + pause,
      transitioning: "error",
      transitioningMessage: `Failed to allocate instance ${id}: Bad instance ${id} in state [error]: ${first.transitioningMessage ?? ""}`,
    });
    if (s.state === "active")
      db.setState(db.services, s, "updating-active", "error", s.transitioningMessage);
    return true;
  }
  if (now < s.retryAt) return true;
  for (const i of failed) {
    engine.countedFailures.delete(i.id);
    engine.removeInstance(i);
  }
  db.services.update(s, { transitioning: "yes", transitioningMessage: "In Progress" });
  return false;
}

/** Whether an unhealthy container should make way, and something better is possible. */
function mustReplace(app: App, i: InstanceDoc): boolean {
  if (i.state !== "running" || i.healthState !== "unhealthy") return false;
  const check = i.config.healthCheck as { strategy?: string | null } | undefined;
  if (check?.strategy === "none") return false;
  const host = app.db.hosts.get(i.hostId);
  const lost = host === undefined || host.agentState !== null;
  // On a lost host it is only given up when another host can take its place.
  return !lost || !("problem" in place(app.db, { ...i, ports: [] }));
}

/** Whether a container is as far as it should be. */
const settled = (i: InstanceDoc): boolean =>
  i.state === "running"
    ? !i.restarting
    : i.state === "stopped" && i.healthState === "started-once" && startsOnce(i);

/** Makes, starts and removes containers until the wanted units are there. True when nothing is left to do. */
function converge(app: App, s: ServiceDoc): boolean {
  const { db, engine } = app;
  const units = wantedUnits(app, s);
  const configs = configsOf(s);
  for (const i of kept(app, s)) {
    const wanted = units.some((u) => u.index === i.unitIndex) && configs.has(i.launchConfigName);
    if (!wanted) engine.removeInstance(i);
  }
  for (const i of kept(app, s)) if (mustReplace(app, i)) engine.removeInstance(i);
  const failed = kept(app, s).filter((i) => i.state === "error");
  if (shrink(app, s, failed) || backOff(app, s, failed)) return false;

  let done = all(app, s).length === kept(app, s).length;
  const mine = kept(app, s);
  for (const unit of units) {
    const there = inUnit(mine, unit);
    const uuid = there[0]?.deploymentUnitUuid ?? engine.newUnit();
    for (const [name, config] of configs) {
      const container = there.find((i) => i.launchConfigName === name);
      if (container === undefined) {
        create(app, s, unit, name, config, uuid);
        done = false;
      } else if (container.desired === "stopped" && container.healthState !== "started-once") {
        // One that was just told to stop is let stop first.
        if (container.state === "stopped") db.instances.update(container, { desired: "running" });
        done = false;
      } else if (!settled(container)) {
        done = false;
      }
    }
  }
  return done && !grow(app, s);
}

/** Replaces (upgrade) or puts back (rollback) containers batch by batch. True when all units are done. */
function roll(app: App, s: ServiceDoc): boolean {
  const { db, engine } = app;
  const u = s.upgrade;
  if (u === null) return true;
  const now = Date.now();
  const configs = configsOf(s);
  const current = (i: InstanceDoc): boolean =>
    String(configs.get(i.launchConfigName)?.version ?? "") === i.version;
  if (
    backOff(
      app,
      s,
      kept(app, s).filter((i) => i.state === "error"),
    )
  )
    return false;
  for (const i of kept(app, s)) if (current(i) && mustReplace(app, i)) engine.removeInstance(i);

  const mine = kept(app, s);
  const units = wantedUnits(app, s);
  const isDone = (unit: Unit): boolean => {
    const there = inUnit(mine, unit);
    const fresh = there.filter(current);
    return (
      [...configs.keys()].every((name) =>
        fresh.some(
          (i) =>
            i.launchConfigName === name &&
            i.desired === "running" &&
            (serving(i) || (settled(i) && i.healthState === "started-once")),
        ),
      ) && there.every((i) => current(i) || i.state === "stopped")
    );
  };
  if (s.batch.length > 0) {
    const working = units.filter((unit) => s.batch.includes(unit.index) && !isDone(unit));
    for (const unit of working) step(unit);
    if (working.length === 0)
      db.services.update(s, { batch: [], batchPauseUntil: now + u.intervalMillis });
    return false;
  }
  const todo = units.filter((unit) => !isDone(unit));
  if (todo.length === 0) {
    // Units beyond the scale: what is left of the other version stops serving too.
    for (const i of mine) {
      if (!current(i) && i.desired === "running") db.instances.update(i, { desired: "stopped" });
    }
    return mine.every((i) => current(i) || i.state === "stopped");
  }
  // Pauses lie between batches; there is none after the last.
  if (now < s.batchPauseUntil) return false;
  db.services.update(s, { batch: todo.slice(0, u.batchSize).map((unit) => unit.index) });
  return false;

  function step(unit: Unit): void {
    const there = inUnit(mine, unit);
    const old = there.filter((i) => !current(i));
    const bringUp = (): boolean => {
      let up = true;
      for (const [name, config] of configs) {
        const fresh = there.find((i) => current(i) && i.launchConfigName === name);
        if (fresh === undefined) {
          create(app, s, unit, name, config, there[0]?.deploymentUnitUuid ?? engine.newUnit());
        } else if (fresh.desired === "stopped" && fresh.healthState !== "started-once") {
          db.instances.update(fresh, { desired: "running" });
        }
        if (fresh === undefined || !(serving(fresh) || fresh.healthState === "started-once"))
          up = false;
      }
      return up;
    };
    const takeDown = (): boolean => {
      for (const i of old)
        if (i.desired === "running") db.instances.update(i, { desired: "stopped" });
      return old.every((i) => i.state === "stopped" || i.state === "error");
    };
    if (u?.startFirst === true && s.state === "upgrading") {
      if (bringUp()) takeDown();
    } else if (takeDown()) {
      bringUp();
    }
  }
}

/** Removes containers of versions that are not wanted any more. */
function removeOtherVersions(app: App, s: ServiceDoc): void {
  const configs = configsOf(s);
  for (const i of kept(app, s)) {
    if (String(configs.get(i.launchConfigName)?.version ?? "") !== i.version)
      app.engine.removeInstance(i);
  }
}

function restartBatch(app: App, s: ServiceDoc): boolean {
  const { db, engine } = app;
  const r = s.restart;
  if (r === null) return true;
  const now = Date.now();
  if (s.batch.length > 0) {
    const busy = s.batch
      .map((id) => db.instances.get(id))
      .some(
        (i) =>
          i?.removed === null && i.desired === "running" && (i.restarting || i.state !== "running"),
      );
    if (!busy) db.services.update(s, { batch: [], batchPauseUntil: now + r.intervalMillis });
    return false;
  }
  if (r.pending.length === 0) return true;
  if (now < s.batchPauseUntil) return false;
  const batch = r.pending.slice(0, r.batchSize);
  db.services.update(s, { batch, restart: { ...r, pending: r.pending.slice(r.batchSize) } });
  for (const id of batch) {
    const i = db.instances.get(id);
    if (i?.removed === null && i.state === "running") engine.restartInstance(i);
  }
  return false;
}

/** Moves one service on. */
export function reconcileService(app: App, s: ServiceDoc): void {
  const { db, engine } = app;
  const old = Date.now() - s.stateSince >= app.timings.transition;
  const toActive = (more: Partial<ServiceDoc> = {}): void => {
    // A balancer's links follow its rules only once the update is through.
    const links =
      s.kind === "loadBalancerService" ? { linkedServices: linksOfBalancer(s.lbConfig, db) } : {};
    const change = { failures: 0, retryAt: 0, ...links, ...more };
    db.setState(db.services, s, "active", "no", null, change);
  };
  const scaleNow = (): Partial<ServiceDoc> => ({
    currentScale: hasContainers(s) ? wantedUnits(app, s).length : s.currentScale,
  });
  switch (s.state) {
    case "activating":
    case "updating-active":
      if (converge(app, s) && old) toActive(scaleNow());
      return;
    case "active":
      if (!converge(app, s) && s.state === "active") {
        db.setState(db.services, s, "updating-active", "yes");
      }
      return;
    case "upgrading":
      if (roll(app, s) && old)
        db.setState(db.services, s, "upgraded", "no", null, { failures: 0, retryAt: 0 });
      return;
    case "finishing-upgrade":
      removeOtherVersions(app, s);
      // currentScale stays as it was: the real server is stale here too.
      if (converge(app, s) && old) toActive();
      return;
    case "rolling-back":
      if (!roll(app, s)) return;
      removeOtherVersions(app, s);
      if (converge(app, s) && old) toActive();
      return;
    case "canceling-upgrade":
      if (Date.now() - s.stateSince >= 4 * app.timings.transition) {
        db.setState(db.services, s, "canceled-upgrade", "no", null, { batch: [] });
      }
      return;
    case "restarting":
      if (restartBatch(app, s)) toActive({ restart: null });
      return;
    case "deactivating": {
      db.services.update(s, { running: false });
      for (const i of kept(app, s)) {
        if (i.state === "error") engine.removeInstance(i);
        else if (i.desired === "running") db.instances.update(i, { desired: "stopped" });
      }
      if (old && kept(app, s).every((i) => i.state === "stopped")) {
        db.setState(db.services, s, "inactive", "no", null);
      }
      return;
    }
    case "removing":
      for (const i of kept(app, s)) engine.removeInstance(i);
      // A stack goes first: its services are still there for a moment after it.
      if (db.stacks.get(s.stackId)?.state === "removing") return;
      if (old && all(app, s).length === 0) {
        db.setState(db.services, s, "removed", "no", null, { removed: Date.now() });
      }
      return;
    default:
  }
}
