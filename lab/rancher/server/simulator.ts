/**
 * An agent without Docker, in-process: registers and connects like a real one and pretends that its
 * containers do what is asked. For the server's own tests and for developing against the server.
 */
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import {
  AGENT_PATH,
  PROTOCOL_VERSION,
  type AgentMessage,
  type Desired,
  type DesiredContainer,
  type ObservedContainer,
  type RegisterAnswer,
  type ServerMessage,
} from "../protocol";

/** How the pretended host is. */
export interface SimulatorOptions {
  /** `http://127.0.0.1:18080` */
  readonly server: string;
  /** Registration token, or registrationUrl. */
  readonly token: string;
  readonly hostname: string;
  readonly agentIp: string;
  readonly labels?: Record<string, string>;
  /** Kept by real agents on disk; give the same one to come back as the same host. @default random */
  readonly key?: string;
  /** From wanted to running. Milliseconds. @default 150 */
  readonly startDelayMs?: number;
  /** From running to healthy. Milliseconds. @default 300 */
  readonly healthDelayMs?: number;
}

interface Simulated {
  wanted: DesiredContainer;
  state: ObservedContainer["state"];
  since: number;
  message?: string;
  exitCode?: number;
  startedAt?: number;
  /** Set by {@link SimulatedAgent.setHealth}. */
  forcedHealth?: "healthy" | "unhealthy" | "initializing";
}

/** A pretended host with its agent. Images named `doesnotexist…` fail; all others run. */
export class SimulatedAgent {
  public readonly key: string;
  public desired: Desired | undefined;
  public hostId: string | undefined;
  public networkReady = true;
  /** Containers by uuid: they outlive the connection, as on a real host. */
  public readonly containers = new Map<string, Simulated>();
  private credentials: RegisterAnswer | undefined;
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private lastReport = "";

  public constructor(private readonly options: SimulatorOptions) {
    this.key = options.key ?? randomBytes(64).toString("hex");
  }

  /** Registers and connects; resolves when the server has welcomed the host. */
  public async start(): Promise<void> {
    this.stopped = false;
    if (this.credentials === undefined) {
      const token = this.options.token.replace(/^.*\/v1\/scripts\//, "");
      const answer = await fetch(`${this.options.server}/v1/register`, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          Authorization: `Basic ${Buffer.from(`registrationToken:${token}`).toString("base64")}`,
        },
        body: JSON.stringify({ key: this.key }),
      });
      if (answer.status !== 201)
        throw new Error(`registration was refused with ${String(answer.status)}`);
      this.credentials = (await answer.json()) as RegisterAnswer;
    }
    await new Promise<void>((resolve) => {
      this.connect(resolve);
    });
    this.timer ??= setInterval(() => {
      this.advance();
    }, 25);
  }

  /** Goes silent: the host is dead until {@link start}. */
  public stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    this.timer = undefined;
    this.socket?.terminate();
  }

  /** A container by its Rancher name, for example `wp-web-1`. */
  public find(name: string): Simulated | undefined {
    return [...this.containers.values()].find(
      (c) => c.wanted.labels["io.rancher.container.name"] === name,
    );
  }

  /** Makes a container's check say this from now on. */
  public setHealth(name: string, health: "healthy" | "unhealthy" | "initializing"): void {
    const c = this.find(name);
    if (c !== undefined) c.forcedHealth = health;
  }

  /** Makes a container's process exit; the agent starts it again as a real one does. */
  public crash(name: string): void {
    const c = this.find(name);
    if (c === undefined) return;
    Object.assign(c, { state: "stopped", since: Date.now(), exitCode: 1 });
    // Told at once: on a busy machine it would be running again before the next report.
    this.advance();
  }

  private connect(welcomed: () => void): void {
    const { accessKey = "", secretKey = "" } = this.credentials ?? {};
    const socket = new WebSocket(this.options.server.replace(/^http/, "ws") + AGENT_PATH, {
      headers: {
        Authorization: `Basic ${Buffer.from(`${accessKey}:${secretKey}`).toString("base64")}`,
      },
    });
    this.socket = socket;
    socket.on("open", () => {
      this.say({
        type: "hello",
        version: PROTOCOL_VERSION,
        hostname: this.options.hostname,
        agentIp: this.options.agentIp,
        labels: this.options.labels ?? {},
        dockerVersion: "20.10.24",
        kernelVersion: "4.14.138-rancher",
        operatingSystem: "simulated",
        memoryMiB: 4096,
        cpuCount: 2,
      });
    });
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString("utf8")) as ServerMessage;
      if (message.type === "ping") this.say({ type: "pong" });
      if (message.type === "welcome") {
        this.hostId = message.hostId;
        this.desired = undefined;
        this.lastReport = "";
        welcomed();
      }
      if (message.type === "desired") {
        this.desired = message;
        this.advance();
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.stopped) return;
      setTimeout(() => {
        if (!this.stopped) this.connect(welcomed);
      }, 300).unref();
    });
  }

  private say(message: AgentMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Lets the pretended containers change, and reports when something did. */
  private advance(): void {
    const { desired } = this;
    if (desired === undefined) return;
    const now = Date.now();
    const delay = this.options.startDelayMs ?? 150;
    for (const uuid of [...this.containers.keys()]) {
      if (!desired.containers.some((c) => c.uuid === uuid)) this.containers.delete(uuid);
    }
    for (const wanted of desired.containers) {
      let c = this.containers.get(wanted.uuid);
      if (c === undefined) {
        if (wanted.desired === "stopped") continue;
        c = { wanted, state: "creating", since: now };
        this.containers.set(wanted.uuid, c);
      }
      c.wanted = wanted;
      if (wanted.desired === "stopped") {
        if (c.state !== "stopped") Object.assign(c, { state: "stopped", since: now, exitCode: 0 });
      } else if (c.state !== "running" && c.state !== "failed" && now - c.since >= delay) {
        if (wanted.image.startsWith("doesnotexist")) {
          Object.assign(c, {
            state: "failed",
            since: now,
            message: `no such image: ${wanted.image}`,
          });
        } else if (!(wanted.restart === "once" && c.startedAt !== undefined)) {
          Object.assign(c, { state: "running", since: now, startedAt: now });
        }
      }
    }
    const report = this.report(desired.generation, now);
    const text = JSON.stringify(report);
    if (text === this.lastReport) return;
    this.lastReport = text;
    this.say(report);
  }

  private report(generation: number, now: number): AgentMessage {
    const healthDelay = this.options.healthDelayMs ?? 300;
    return {
      type: "observed",
      generation,
      networkReady: this.networkReady,
      containers: [...this.containers.values()].map((c): ObservedContainer => {
        const checked = c.wanted.healthCheck !== undefined && c.state === "running";
        const health = !checked
          ? "none"
          : (c.forcedHealth ?? (now - c.since >= healthDelay ? "healthy" : "initializing"));
        return {
          uuid: c.wanted.uuid,
          state: c.state,
          health,
          dockerId: c.wanted.uuid.replace(/-/g, "").padEnd(64, "0"),
          ...(c.wanted.ip === undefined ? {} : { ip: c.wanted.ip }),
          ...(c.message === undefined ? {} : { message: c.message }),
          ...(c.exitCode === undefined ? {} : { exitCode: c.exitCode }),
          ...(c.startedAt === undefined ? {} : { startedAt: c.startedAt }),
        };
      }),
    };
  }
}
