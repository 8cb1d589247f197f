/** How long things take, in milliseconds. Defaults are what the recordings show, see facts. */
export interface Timings {
  /** Simple transitions such as registering -> active. */
  readonly transition: number;
  /** Pause of the engine between two passes. */
  readonly tick: number;
  /** First pause before a failed container is replaced; grows fivefold up to `retryMax`. */
  readonly retryMin: number;
  readonly retryMax: number;
  /** Silence after which a host's agent is `reconnecting`. Real: 46 s. */
  readonly reconnecting: number;
  /** Further silence after which it is `disconnected`. Real: 180 s. */
  readonly disconnected: number;
  /** After a start of the server, how long hosts not yet heard of keep their state. */
  readonly startGrace: number;
  /** How long a load balancer's target lets its last requests end; its own drainTimeoutMs, if that is shorter. */
  readonly drain: number;
  /** From the start of the first server on a database until the catalog's templates are there. */
  readonly catalog: number;
}

/** As the real server. */
export const defaultTimings: Timings = {
  transition: 65,
  tick: 50,
  retryMin: 2_000,
  retryMax: 60_000,
  reconnecting: 46_000,
  disconnected: 180_000,
  startGrace: 120_000,
  drain: 2_000,
  catalog: 3_000,
};
