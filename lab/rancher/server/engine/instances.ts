import type { App } from "../app";
import type { InstanceDoc } from "../documents";
import { mapOf } from "../resources/launchConfig";
import { drainMillis, isDraining } from "./drain";
import { nextAddress, place } from "./scheduler";

/** A container that runs once is not started again. */
export function startsOnce(i: InstanceDoc): boolean {
  return (
    mapOf(i.config, "labels")["io.rancher.container.start_once"] === "true" ||
    (i.serviceId === null &&
      (i.config.restartPolicy as { name?: string } | undefined)?.name === "no")
  );
}

/** Moves one container on, by what is wanted and what its host's agent last reported. */
export function advanceInstance(app: App, i: InstanceDoc): void {
  const { db, agents } = app;
  const host = db.hosts.get(i.hostId);
  const lost = host === undefined || host.removed !== null || host.agentState !== null;
  const seen = lost ? undefined : agents.observed(host.id, i.uuid);

  // A removed host's containers are still listed for a moment.
  if (host !== undefined && host.removed !== null) {
    if (Date.now() - host.removed >= 4 * app.timings.transition) {
      const gone = { desired: "removed" as const, removed: Date.now() };
      db.setState(db.instances, i, "removed", "no", null, gone);
    }
    return;
  }

  if (i.desired !== "running" && i.state === "stopping" && isDraining(app, i)) {
    if (Date.now() - i.stateSince >= drainMillis(app, i)) {
      db.instances.update(i, { drained: true });
    }
    return;
  }

  if (i.desired === "removed") {
    if (i.state === "stopping" && Date.now() - i.stateSince >= app.timings.transition) {
      db.setState(db.instances, i, "removing", "yes");
    }
    // A host whose agent is away removes the container when it is back: it is not in its list any more.
    const gone = lost || agents.gone(host.id, i.uuid);
    if (gone && i.state === "removing") {
      db.setState(db.instances, i, "removed", "no", null, { removed: Date.now() });
    }
    return;
  }

  if (i.restarting) {
    if (seen?.state === "stopped" || lost) {
      db.setState(db.instances, i, "starting", "yes", undefined, { restarting: false });
    }
    return;
  }

  if (i.desired === "stopped") {
    // Right after an agent reconnected nothing is known yet.
    const down =
      lost || seen?.state === "stopped" || (seen === undefined && agents.reported(host.id));
    if (i.state === "stopped" || i.state === "error") return;
    if (i.state === "creating" || (i.state === "stopping" && down)) {
      db.setState(db.instances, i, "stopped", "no", null, { healthState: null });
    } else if (i.state !== "stopping") {
      db.setState(db.instances, i, "stopping", "yes");
    }
    return;
  }

  switch (i.state) {
    case "creating":
      allocate(app, i);
      return;
    case "stopping":
    case "stopped":
      // Long enough to be seen, as on the real server.
      if (Date.now() - i.stateSince < app.timings.transition) return;
      db.setState(db.instances, i, i.hostId === null ? "creating" : "starting", "yes");
      return;
    case "starting":
      if (seen?.state === "running") {
        db.setState(db.instances, i, "running", "no", null, {
          drained: false,
          externalId: seen.dockerId ?? i.externalId,
          firstRunning: i.firstRunning ?? Date.now(),
          startCount: i.startCount + 1,
          transitioningProgress: null,
        });
        followHealth(app, i);
      } else if (seen?.state === "failed") {
        fail(app, i, seen.message ?? "the container could not be started", seen.dockerId);
      } else if (seen?.state === "stopped" && startsOnce(i) && seen.exitCode !== undefined) {
        finishOnce(app, i);
      } else if (seen?.message !== undefined) {
        db.instances.update(i, { transitioningMessage: seen.message });
      } else if (
        host !== undefined &&
        agents.isConnected(host.id) &&
        i.transitioningMessage !== "Starting"
      ) {
        db.instances.update(i, { transitioningMessage: "Starting", transitioningProgress: 84 });
      }
      return;
    case "running":
      if (seen?.state === "failed") {
        fail(app, i, seen.message ?? "the container could not be started", seen.dockerId);
      } else if (seen?.state === "stopped" || seen?.state === "creating") {
        if (seen.state === "stopped" && startsOnce(i)) finishOnce(app, i);
        // The agent starts it again by itself.
        else db.setState(db.instances, i, "starting", "yes", seen.message ?? "Starting");
      } else {
        followHealth(app, i, lost);
      }
      return;
    default:
  }
}

function finishOnce(app: App, i: InstanceDoc): void {
  const { db } = app;
  db.setState(db.instances, i, "stopped", "no", null, {
    desired: "stopped",
    healthState: "started-once",
    firstRunning: i.firstRunning ?? Date.now(),
    startCount: Math.max(1, i.startCount),
  });
}

/** One that could not be started gives its address back; a container that was made stays to be looked at. */
function fail(app: App, i: InstanceDoc, message: string, dockerId?: string): void {
  const { db } = app;
  db.setState(db.instances, i, "error", "error", message, {
    transitioningProgress: 32,
    primaryIpAddress: null,
    externalId: dockerId ?? i.externalId,
  });
}

function allocate(app: App, i: InstanceDoc): void {
  const { db } = app;
  if (typeof i.config.imageUuid !== "string") {
    fail(app, i, "Image is required to start a container");
    return;
  }
  const placement = place(db, i);
  if ("problem" in placement) {
    fail(app, i, placement.problem);
    return;
  }
  const managed = (i.config.networkMode ?? "managed") === "managed";
  db.setState(db.instances, i, "starting", "yes", "Networking", {
    hostId: placement.host.id,
    ports: placement.ports,
    primaryIpAddress: managed ? nextAddress(db, i.accountId) : null,
    transitioningProgress: 48,
  });
}

/** Takes over the health that the agent reports; a lost host's checked containers are unhealthy. */
function followHealth(app: App, i: InstanceDoc, lost = false): void {
  const { db, agents } = app;
  if (i.config.healthCheck === undefined) return;
  if (lost) {
    db.instances.update(i, { healthState: "unhealthy" });
    return;
  }
  const seen = i.hostId === null ? undefined : agents.observed(i.hostId, i.uuid);
  if (seen === undefined || seen.health === "none") {
    if (i.healthState === null) db.instances.update(i, { healthState: "initializing" });
    return;
  }
  const restarted = seen.health === "initializing" && i.startCount > 1;
  db.instances.update(i, { healthState: restarted ? "reinitializing" : seen.health });
}
