import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Agents } from "./agents";
import type { App } from "./app";
import { adminAccountId, Authenticator, defaultProjectId } from "./auth";
import { Database } from "./database";
import { Engine } from "./engine/engine";
import { Faults } from "./faults";
import { Api } from "./http/server";
import { newProject } from "./resources/projects";
import { Settings } from "./settings";
import type { Store } from "./store";
import { defaultTimings, type Timings } from "./timings";

/** What a server needs. */
export interface ServerOptions {
  readonly store: Store;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  /** @default all addresses */
  readonly host?: string;
  /** Where CATTLE_* settings come from. @default none */
  readonly env?: NodeJS.ProcessEnv;
  readonly timings?: Partial<Timings>;
  /** @default silent */
  readonly log?: (line: string) => void;
}

/** A running server. */
export interface RunningServer {
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** For tests. */
  readonly app: App;
  /** Writes what is left, closes every connection and the store. */
  close(): Promise<void>;
}

/** Accounts every installation has. Source: facts §3. */
const builtInAccounts = [
  [adminAccountId, "admin", "admin"],
  [2, "system", "system"],
  [3, "superadmin", "superadmin"],
  [4, "token", "token"],
] as const;

function firstRows(db: Database): void {
  for (const [id, kind, name] of builtInAccounts) {
    if (db.accounts.get(id) !== undefined) continue;
    db.accounts.insert(
      {
        ...newProject(name),
        kind,
        uuid: name,
        state: "active",
        transitioning: "no",
        transitioningMessage: null,
        servicesPortRange: null,
      },
      id,
    );
  }
  if (db.accounts.get(defaultProjectId) === undefined) {
    db.accounts.insert(
      {
        ...newProject("Default"),
        uuid: "adminProject",
        state: "active",
        transitioning: "no",
        transitioningMessage: null,
      },
      defaultProjectId,
    );
  }
}

/** Loads the store and begins to serve. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const log = options.log ?? (() => undefined);
  const db = new Database(options.store, log);
  await db.load();
  firstRows(db);
  const settings = new Settings(db, options.env ?? {});
  // The parts refer to each other, so each gets a way to look the others up.
  const getApp = (): App => app;
  const faults = new Faults();
  const app: App = {
    db,
    settings,
    auth: new Authenticator(db, settings),
    engine: new Engine(getApp),
    agents: new Agents(getApp),
    timings: { ...defaultTimings, ...options.timings },
    faults,
    requests: faults.requests,
    restart: (downMs) => restart(downMs),
    log,
  };
  // Made now, so that no later answer has to wait for it.
  if (settings.installSecret === "") throw new Error("the installation has no secret");
  await db.flush();
  const server = new Api(getApp).createServer();
  app.agents.attach(server);
  const listen = (port: number): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, options.host, () => {
        server.off("error", reject);
        resolve();
      });
    });
  await listen(options.port);
  app.engine.start();
  const { port } = server.address() as AddressInfo;
  let closed = false;
  const comeBack = async (): Promise<void> => {
    while (!closed) {
      try {
        await listen(port);
        if (closed) server.close();
        if (closed) return;
        app.agents.forget();
        app.engine.start();
        return;
      } catch {
        // For an instant a client's own end of a connection may sit on the port.
        await sleep(20);
      }
    }
  };
  const restart = async (downMs: number): Promise<void> => {
    if (!server.listening) return;
    log(`going down for ${String(downMs)} ms, as was asked`);
    app.engine.stop();
    server.close();
    server.closeAllConnections();
    app.agents.forget();
    await db.flush();
    setTimeout(() => void comeBack(), downMs);
  };
  return {
    port,
    url: `http://127.0.0.1:${String(port)}`,
    app,
    close: async () => {
      closed = true;
      app.engine.stop();
      app.agents.close();
      server.closeAllConnections();
      await new Promise((r) => server.close(r));
      await db.flush();
      await options.store.close();
    },
  };
}
