import type { Agents } from "./agents";
import type { Authenticator } from "./auth";
import type { Database } from "./database";
import type { Engine } from "./engine/engine";
import type { Settings } from "./settings";
import type { Timings } from "./timings";

/** The parts of a running server. */
export interface App {
  readonly db: Database;
  readonly settings: Settings;
  readonly auth: Authenticator;
  readonly engine: Engine;
  readonly agents: Agents;
  readonly timings: Timings;
  readonly log: (line: string) => void;
}
