import { randomUUID } from "node:crypto";
import type { App } from "../app";
import type { Table } from "../database";
import type {
  Doc,
  HostDoc,
  InServiceStrategy,
  InstanceDoc,
  ServiceDoc,
  StackDoc,
  StackUpgrade,
} from "../documents";
import { linksOfBalancer } from "../resources/lbConfig";
import { servicesOf } from "../resources/stacks";
import { advanceComposed } from "./composeStacks";
import { ensureTemplate, ensureSystemStacks, reconcileSystemService } from "./systemStacks";
import { stackHealth } from "./health";
import { advanceHost } from "./hosts";
import { advanceInstance } from "./instances";
import { reconcileService, updateServiceHealth } from "./services";

/**
 * Moves everything towards what is wanted. Its whole memory is in the documents, so it goes on after
 * a restart where it was; one pass looks at everything that is not removed and never waits.
 */
export class Engine {
  private timer: NodeJS.Timeout | undefined;
  private kicked = false;
  /** Failed containers that were already counted, by id; counting one again after a restart does no harm. */
  public readonly countedFailures = new Set<number>();
  public readonly startedAt = Date.now();

  public constructor(private readonly getApp: () => App) {}

  private get app(): App {
    return this.getApp();
  }

  /** Begins to work. */
  public start(): void {
    this.timer = setInterval(() => {
      this.pass();
    }, this.app.timings.tick);
  }

  /** Stops working. */
  public stop(): void {
    clearInterval(this.timer);
  }

  /** Asks for a pass soon. */
  public kick(): void {
    if (this.kicked) return;
    this.kicked = true;
    setImmediate(() => {
      this.kicked = false;
      this.pass();
    });
  }

  /** Looks at everything once. One broken document must not stop the others. */
  public pass(): void {
    const { db, log, faults } = this.app;
    const each = <T extends Doc>(table: Table<T>, work: (row: T) => void): void => {
      for (const row of table.live()) {
        try {
          if (!faults.holds(db, table, row)) work(row);
        } catch (e) {
          log(
            `engine: ${table.type} ${String(row.id)}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`,
          );
        }
      }
    };
    ensureTemplate(this.app);
    each(db.accounts, (a) => {
      this.simple(db.accounts, a);
      if (a.kind === "project") ensureSystemStacks(this.app, a);
    });
    each(db.credentials, (c) => {
      this.simple(db.credentials, c);
    });
    each(db.certificates, (c) => {
      this.simple(db.certificates, c);
    });
    each(db.hosts, (h) => {
      advanceHost(this.app, h);
      this.simple(db.hosts, h);
    });
    each(db.instances, (i) => {
      advanceInstance(this.app, i);
    });
    each(db.services, (s) => {
      this.advanceService(s);
    });
    each(db.stacks, (s) => {
      this.advanceStack(s);
    });
    each(db.accounts, (a) => {
      if (a.kind !== "project" || a.state !== "active") return;
      const stacks = db.stacks.live().filter((s) => s.accountId === a.id);
      db.accounts.update(a, { healthState: stackHealth(stacks.map((s) => s.healthState)) });
    });
  }

  /** Whether the state was entered long enough ago for a simple transition to be over. */
  private elapsed(row: Doc, ms = this.app.timings.transition): boolean {
    return Date.now() - row.stateSince >= ms;
  }

  /** Transitions that only take time. */
  private simple<T extends Doc>(table: Table<T>, row: T): void {
    const { db } = this.app;
    const next: Record<string, string> = {
      registering: "active",
      activating: "active",
      deactivating: "inactive",
      "updating-active": "active",
      "updating-inactive": "inactive",
      removing: "removed",
    };
    const to = next[row.state];
    if (to === undefined || !this.elapsed(row)) return;
    db.setState(
      table,
      row,
      to,
      "no",
      null,
      (to === "removed" ? { removed: Date.now() } : {}) as Partial<T>,
    );
  }

  private advanceStack(s: StackDoc): void {
    const { db } = this.app;
    const services = servicesOf(s, { app: this.app });
    if (services.length > 0 && s.state !== "removing") {
      db.stacks.update(s, { healthState: stackHealth(services.map((x) => x.healthState)) });
    }
    if (!advanceComposed(this.app, s)) this.simple(db.stacks, s);
  }

  private advanceService(s: ServiceDoc): void {
    const { db } = this.app;
    if (s.state === "registering") {
      if (!this.elapsed(s)) return;
      const more: Partial<ServiceDoc> = {
        secondaryLaunchConfigs: s.secondaryLaunchConfigs ?? [],
        ...(s.kind === "loadBalancerService"
          ? { linkedServices: linksOfBalancer(s.lbConfig, db) }
          : {}),
      };
      if (s.startOnCreate)
        db.setState(db.services, s, "activating", "yes", undefined, { ...more, running: true });
      else db.setState(db.services, s, "inactive", "no", null, more);
      updateServiceHealth(this.app, s);
      return;
    }
    if (s.system && s.state !== "removing") {
      reconcileSystemService(this.app, s);
      return;
    }
    if (s.state === "updating-inactive") {
      this.simple(db.services, s);
      return;
    }
    reconcileService(this.app, s);
    if (s.removed === null) updateServiceHealth(this.app, s);
  }

  /** Starts a service. */
  public activate(s: ServiceDoc): void {
    const { db } = this.app;
    db.setState(db.services, s, "activating", "yes", undefined, {
      running: true,
      failures: 0,
      retryAt: 0,
    });
    this.kick();
  }

  /** Stops a service's containers. */
  public deactivate(s: ServiceDoc): void {
    const { db } = this.app;
    if (["inactive", "removing", "registering"].includes(s.state)) return;
    db.setState(db.services, s, "deactivating", "yes", undefined, { restart: null, batch: [] });
    this.kick();
  }

  /** Begins an in-service upgrade. */
  public upgrade(s: ServiceDoc, strategy: InServiceStrategy): void {
    const { db } = this.app;
    db.setState(db.services, s, "upgrading", "yes", undefined, {
      upgrade: strategy,
      launchConfig: strategy.launchConfig ?? s.launchConfig,
      secondaryLaunchConfigs: strategy.secondaryLaunchConfigs,
      running: true,
      batch: [],
      batchPauseUntil: 0,
      failures: 0,
      retryAt: 0,
    });
    this.kick();
  }

  /** Goes on with a cancelled upgrade. */
  public continueUpgrade(s: ServiceDoc): void {
    const { db } = this.app;
    db.setState(db.services, s, "upgrading", "yes", undefined, {
      batch: [],
      failures: 0,
      retryAt: 0,
    });
  }

  /** Removes the old containers of an upgraded service. */
  public finishUpgrade(s: ServiceDoc): void {
    const { db } = this.app;
    db.setState(db.services, s, "finishing-upgrade", "yes", undefined, { failures: 0, retryAt: 0 });
    this.kick();
  }

  /** Stops an upgrade where it is. */
  public cancelUpgrade(s: ServiceDoc): void {
    const { db } = this.app;
    db.setState(db.services, s, "canceling-upgrade", "yes");
  }

  /** Goes back to the launch configuration from before the upgrade. */
  public rollback(s: ServiceDoc): void {
    const { db } = this.app;
    const u = s.upgrade;
    if (u === null) return;
    db.setState(db.services, s, "rolling-back", "yes", undefined, {
      launchConfig: u.previousLaunchConfig,
      secondaryLaunchConfigs: u.previousSecondaryLaunchConfigs,
      batch: [],
      batchPauseUntil: 0,
      failures: 0,
      retryAt: 0,
    });
    this.kick();
  }

  /** Restarts a service's containers batch by batch. */
  public restart(s: ServiceDoc, batchSize: number, intervalMillis: number): void {
    const { db } = this.app;
    const pending = db.instances
      .live()
      .filter((i) => i.serviceId === s.id && i.state === "running")
      .map((i) => i.id);
    db.setState(db.services, s, "restarting", "yes", undefined, {
      restart: { batchSize, intervalMillis, pending },
      batch: [],
      batchPauseUntil: 0,
    });
    this.kick();
  }

  /** Removes a service and its containers. */
  public removeService(s: ServiceDoc): void {
    const { db } = this.app;
    if (s.removed !== null) return;
    db.setState(db.services, s, "removing", "yes");
    this.kick();
  }

  /** Begins an upgrade of a stack, its end or its undoing, which its services follow. */
  public advanceUpgrade(
    s: StackDoc,
    to: "upgrading" | "finishing-upgrade" | "rolling-back" | "canceling-upgrade",
    upgradeTo?: StackUpgrade,
  ): void {
    const { db } = this.app;
    const more = upgradeTo === undefined ? {} : { upgradeTo };
    db.setState(db.stacks, s, to, "yes", undefined, more);
    this.kick();
  }

  /** Removes a stack; its services go on being removed after it. */
  public removeStack(s: StackDoc): void {
    const { db } = this.app;
    db.setState(db.stacks, s, "removing", "yes");
    for (const x of servicesOf(s, { app: this.app })) this.removeService(x);
  }

  /** Stops a container; a service starts it again. */
  public stopInstance(i: InstanceDoc): void {
    const { db } = this.app;
    db.setState(db.instances, i, "stopping", "yes", undefined, {
      desired: "stopped",
      transitioningProgress: 100,
    });
    this.kick();
  }

  /** Starts a container. */
  public startInstance(i: InstanceDoc): void {
    const { db } = this.app;
    // One that failed has given its place back.
    const isPlaced = i.hostId !== null && i.state !== "error";
    db.setState(db.instances, i, isPlaced ? "starting" : "creating", "yes", undefined, {
      desired: "running",
    });
    this.kick();
  }

  /** Stops and starts a container. */
  public restartInstance(i: InstanceDoc): void {
    const { db } = this.app;
    db.setState(db.instances, i, "restarting", "yes", undefined, {
      restarting: true,
      transitioningProgress: 100,
    });
    this.kick();
  }

  /** Removes a container. */
  public removeInstance(i: InstanceDoc): void {
    const { db } = this.app;
    if (i.removed !== null || i.desired === "removed") return;
    const alive = ["running", "starting", "restarting"].includes(i.state);
    db.setState(db.instances, i, alive ? "stopping" : "removing", "yes", undefined, {
      desired: "removed",
      transitioningProgress: alive ? 100 : i.transitioningProgress,
    });
    this.kick();
  }

  /** Takes a host out of service and its containers away; services make new ones elsewhere. */
  public evacuate(h: HostDoc): void {
    this.app.db.hosts.update(h, { evacuating: true });
    this.kick();
  }

  /** Forgets a host, its containers and its agent's key; the machine keeps running what it runs. */
  public removeHost(h: HostDoc): void {
    const { db, agents } = this.app;
    db.setState(db.hosts, h, "removing", "yes");
    for (const c of db.credentials.live()) {
      if (c.kind === "agentKey" && c.hostId === h.id) {
        db.setState(db.credentials, c, "removed", "no", null, { removed: Date.now() });
      }
    }
    agents.dropHost(h.id);
    this.kick();
  }

  /** A new deployment unit's id. */
  public newUnit(): string {
    return randomUUID();
  }
}
