/** Health checks: a pure state machine, one probe, and a loop per container. */
import * as net from "node:net";
import type { DesiredHealthCheck, ObservedContainer } from "../protocol";

/** A container's health as the server is told. */
export type Health = Exclude<ObservedContainer["health"], "none">;

/** The state machine's memory. */
export interface HealthState {
  readonly health: Health;
  /** Passed probes in a row. */
  readonly passes: number;
  /** Failed probes in a row. */
  readonly failures: number;
}

/**
 * Longest pause between two probes while a container is `initializing`. Milliseconds. Shorter than the real
 * one's interval: a lab need not wait for a container that is up.
 */
export const INITIALIZING_INTERVAL_MS = 500;

/** Where every container starts. */
export const INITIAL_HEALTH: HealthState = { health: "initializing", passes: 0, failures: 0 };

/**
 * The state after one more probe. `initializing` ends with enough passes, or, after its time, with
 * enough failures; from then on thresholds alone decide.
 * @param ageMs time since the container's start
 */
export function nextHealth(
  state: HealthState,
  passed: boolean,
  ageMs: number,
  check: DesiredHealthCheck,
): HealthState {
  const passes = passed ? state.passes + 1 : 0;
  const failures = passed ? 0 : state.failures + 1;
  const mayFail = state.health !== "initializing" || ageMs > check.initializingTimeoutMs;
  const health: Health =
    passes >= check.healthyThreshold
      ? "healthy"
      : mayFail && failures >= check.unhealthyThreshold
        ? "unhealthy"
        : state.health;
  return { health, passes, failures };
}

/** Whether a status line such as `HTTP/1.1 302 Found` passes: 2xx and 3xx do. */
export function statusPasses(line: string): boolean {
  return /^HTTP\/\d(\.\d)? [23]\d\d(\s|$)/.test(line);
}

/** The bytes of the request for a request line. HTTP/1.1 demands a Host header. */
export function requestText(requestLine: string, host: string): string {
  const hasHost = /\bhost:/i.test(requestLine);
  const needsHost = requestLine.includes("HTTP/1.1") && !hasHost;
  return `${requestLine.trim()}\r\n${needsHost ? `Host: ${host}\r\n` : ""}Connection: close\r\n\r\n`;
}

/** One probe: connects and, with a request line, asks. Never throws. */
export function probe(address: string, check: DesiredHealthCheck): Promise<boolean> {
  const requestLine = check.requestLine?.trim() ?? "";
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port: check.port });
    let answer = "";
    const finish = (passed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(passed);
    };
    // A timer, not the socket's idle time: a server that sends byte by byte is too slow as well.
    const timer = setTimeout(() => finish(false), check.responseTimeoutMs);
    socket.on("error", () => finish(false));
    socket.on("close", () => finish(false));
    socket.on("connect", () => {
      if (requestLine === "") finish(true);
      else socket.write(requestText(requestLine, address));
    });
    socket.on("data", (data) => {
      answer += data.toString("latin1");
      const end = answer.indexOf("\r\n");
      if (end >= 0) finish(statusPasses(answer.slice(0, end)));
    });
  });
}

/** Probes one running container for ever, until `stop`. */
export class HealthMonitor {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  /**
   * @param startedAt milliseconds since the epoch of the container's start
   * @param state what is known from before; {@link INITIAL_HEALTH} for a fresh container
   * @param onChange called when `health` changes
   */
  constructor(
    private readonly address: string,
    readonly check: DesiredHealthCheck,
    readonly startedAt: number,
    private state: HealthState,
    private readonly onChange: () => void,
  ) {
    void this.run();
  }

  get health(): Health {
    return this.state.health;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    const passed = await probe(this.address, this.check);
    if (this.stopped) return;
    const before = this.state.health;
    this.state = nextHealth(this.state, passed, Date.now() - this.startedAt, this.check);
    const { intervalMs } = this.check;
    const pause =
      this.state.health === "initializing"
        ? Math.min(intervalMs, INITIALIZING_INTERVAL_MS)
        : intervalMs;
    this.timer = setTimeout(() => void this.run(), pause);
    if (this.state.health !== before) this.onChange();
  }
}
