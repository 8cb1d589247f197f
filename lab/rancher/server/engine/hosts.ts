import type { App } from "../app";
import type { HostDoc } from "../documents";

/** Follows the agent's connection and begins an evacuation that was asked for. */
export function advanceHost(app: App, h: HostDoc): void {
  const { db, agents, engine, timings } = app;
  if (h.state === "removing") return;
  if (h.evacuating) {
    if (h.state === "active") db.setState(db.hosts, h, "deactivating", "yes");
    for (const i of db.instances.live()) if (i.hostId === h.id) engine.removeInstance(i);
    db.hosts.update(h, { evacuating: false });
  }
  const silence = agents.silence(h.id);
  if (agents.isConnected(h.id)) {
    if (h.agentState !== null) {
      app.log(`host ${h.hostname}: the agent is back`);
      db.hosts.update(h, { agentState: null });
    }
    return;
  }
  // A server that has just started gives every agent time to find it.
  const grace = agents.heardOf(h.id) ? 0 : timings.startGrace;
  const lost = Math.max(timings.reconnecting, grace);
  const next =
    silence >= lost + timings.disconnected
      ? "disconnected"
      : silence >= lost
        ? "reconnecting"
        : h.agentState;
  if (next === "disconnected" && removalIsDue(app, h, silence - lost - timings.disconnected)) {
    app.log(`host ${h.hostname}: disconnected for too long, removed`);
    engine.removeHost(h);
    return;
  }
  // `disconnected` from before a restart of the server stays until the agent is heard of.
  if (next !== h.agentState && !(h.agentState === "disconnected" && next === "reconnecting")) {
    app.log(
      `host ${h.hostname}: nothing heard for ${String(Math.round(silence / 1000))} s, ${String(next)}`,
    );
    db.hosts.update(h, { agentState: next });
  }
}

/**
 * Whether a host that has been `disconnected` for so many milliseconds is to be removed: after its
 * environment's hostRemoveDelaySeconds, else the setting's, never when that is negative. Not recorded.
 */
function removalIsDue({ db, settings }: App, h: HostDoc, disconnectedMs: number): boolean {
  const own = db.accounts.get(h.accountId)?.hostRemoveDelaySeconds ?? null;
  const delay = own ?? Number(settings.value("host.remove.delay.seconds") ?? -1);
  return delay >= 0 && disconnectedMs >= delay * 1000;
}
