import type { Agents } from "./agents";
import type { Authenticator } from "./auth";
import type { Database } from "./database";
import type { Engine } from "./engine/engine";
import type { Faults, SeenRequest } from "./faults";
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
  /** Faults on purpose; tests only. */
  readonly faults: Faults;
  /** The last 10000 requests, oldest first; tests only. */
  readonly requests: readonly SeenRequest[];
  /**
   * Closes every connection and refuses new ones for `downMs`, with the engine at rest; then serves on
   * the same port with the same state. Resolves when it is down.
   */
  readonly restart: (downMs: number) => Promise<void>;
  readonly log: (line: string) => void;
}
