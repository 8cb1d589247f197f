import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import {
  AGENT_PATH,
  CLOSE_PROTOCOL,
  CLOSE_REMOVED,
  CLOSE_REPLACED,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
  PROTOCOL_VERSION,
  type AgentMessage,
  type Desired,
  type Hello,
  type Observed,
  type ObservedContainer,
  type ServerMessage,
} from "../protocol";
import type { App } from "./app";
import { newDoc } from "./database";
import { desiredFor } from "./desired";
import type { CredentialDoc, HostDoc } from "./documents";
import { formatId } from "./ids";

/** One connected agent. */
interface Connection {
  readonly socket: WebSocket;
  readonly containers: Map<string, ObservedContainer>;
  /** Last generation that listed a container's uuid. */
  readonly listed: Map<string, number>;
  generation: number;
  observedGeneration: number;
  networkReady: boolean;
  /** The last desired state sent, without its generation. */
  sent: string;
}

/** Keeps the agents' connections: takes their reports, sends them what their hosts should look like. */
export class Agents {
  private readonly connections = new Map<number, Connection>();
  private readonly lastHeard = new Map<number, number>();
  private startedAt = Date.now();
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 });
  private timer: NodeJS.Timeout | undefined;
  private pushing = false;

  public constructor(private readonly getApp: () => App) {}

  private get app(): App {
    return this.getApp();
  }

  /** Serves the agents' path of an HTTP server. */
  public attach(server: Server): void {
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Without a listener of its own, one refused agent that hangs up would end the whole server.
      socket.on("error", () => undefined);
      const path = (request.url ?? "").split("?")[0];
      if (path !== AGENT_PATH) {
        socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
        return;
      }
      const credential = this.app.auth.basic(request, "agentKey");
      if (credential === undefined) {
        socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
        return;
      }
      this.sockets.handleUpgrade(request, socket, head, (ws) => {
        this.accept(ws, credential);
      });
    });
    this.timer = setInterval(() => {
      for (const c of this.connections.values()) this.send(c.socket, { type: "ping" });
    }, PING_INTERVAL_MS);
    const interesting = new Set(["certificate", "instance", "service", "host"]);
    this.app.db.onChange((type) => {
      if (interesting.has(type)) this.schedulePush();
    });
  }

  /** Closes every connection. */
  public close(): void {
    clearInterval(this.timer);
    for (const c of this.connections.values()) c.socket.terminate();
    this.connections.clear();
    this.sockets.close();
  }

  /** As after a start of the server: no agent is connected, none was heard of yet. */
  public forget(): void {
    for (const c of this.connections.values()) c.socket.terminate();
    this.connections.clear();
    this.lastHeard.clear();
    this.startedAt = Date.now();
  }

  public isConnected(hostId: number): boolean {
    return this.connections.has(hostId);
  }

  /** Whether this server process has heard of the host's agent. */
  public heardOf(hostId: number): boolean {
    return this.lastHeard.has(hostId);
  }

  /** Milliseconds since the host's agent was last heard of, or since the server started. */
  public silence(hostId: number): number {
    return Date.now() - (this.lastHeard.get(hostId) ?? this.startedAt);
  }

  /** What the agent last reported of a container. */
  public observed(hostId: number, uuid: string): ObservedContainer | undefined {
    return this.connections.get(hostId)?.containers.get(uuid);
  }

  /** Whether the agent has reported on the state that was sent to it. */
  public reported(hostId: number): boolean {
    return (this.connections.get(hostId)?.observedGeneration ?? 0) > 0;
  }

  /** Whether the agent has confirmed that a container that is not wanted any more does not exist. */
  public gone(hostId: number, uuid: string): boolean {
    const c = this.connections.get(hostId);
    if (c === undefined || c.observedGeneration < 1) return false;
    return c.observedGeneration > (c.listed.get(uuid) ?? 0) && !c.containers.has(uuid);
  }

  /** Whether the host's managed network stands. */
  public networkReady(hostId: number): boolean {
    return this.connections.get(hostId)?.networkReady ?? false;
  }

  /** Ends the connection of a removed host. */
  public dropHost(hostId: number): void {
    this.connections.get(hostId)?.socket.close(CLOSE_REMOVED, "this host was removed");
    this.connections.delete(hostId);
  }

  private send(socket: WebSocket, message: ServerMessage): void {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  private accept(socket: WebSocket, credential: CredentialDoc): void {
    let host: HostDoc | undefined;
    let watchdog = setTimeout(() => undefined, 0);
    const alive = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        socket.terminate();
      }, PING_TIMEOUT_MS);
      if (host !== undefined) this.lastHeard.set(host.id, Date.now());
    };
    alive();
    socket.on("message", (data: Buffer) => {
      alive();
      let message: AgentMessage;
      try {
        message = JSON.parse(data.toString("utf8")) as AgentMessage;
      } catch {
        socket.close(CLOSE_PROTOCOL, "not JSON");
        return;
      }
      switch (message.type) {
        case "ping":
          this.send(socket, { type: "pong" });
          return;
        case "pong":
          return;
        case "hello":
          if ((message.version as number) !== PROTOCOL_VERSION) {
            socket.close(CLOSE_PROTOCOL, `this server speaks version ${String(PROTOCOL_VERSION)}`);
            return;
          }
          host = this.hello(socket, credential, message);
          alive();
          return;
        case "observed":
          if (host !== undefined) this.takeReport(host, socket, message);
          return;
        default:
          socket.close(CLOSE_PROTOCOL, "unknown message");
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(watchdog);
      if (host !== undefined && this.connections.get(host.id)?.socket === socket) {
        this.connections.delete(host.id);
        this.app.log(`host ${host.hostname}: the agent's connection is closed`);
      }
    });
  }

  private hello(socket: WebSocket, credential: CredentialDoc, hello: Hello): HostDoc {
    const { db, log } = this.app;
    const automatic = {
      "io.rancher.host.docker_version": hello.dockerVersion.split(".").slice(0, 2).join("."),
      "io.rancher.host.linux_kernel_version": hello.kernelVersion.split(".").slice(0, 2).join("."),
      "io.rancher.host.os": "linux",
    };
    const facts = {
      hostname: hello.hostname,
      agentIpAddress: hello.agentIp,
      memory: hello.memoryMiB * 1024 * 1024,
      milliCpu: hello.cpuCount * 1000,
      info: {
        osInfo: {
          dockerVersion: `Docker version ${hello.dockerVersion}`,
          kernelVersion: hello.kernelVersion,
          operatingSystem: hello.operatingSystem,
        },
        memoryInfo: { memTotal: hello.memoryMiB },
        cpuInfo: { count: hello.cpuCount },
      },
    };
    let host = db.hosts.get(credential.hostId);
    if (host === undefined) {
      const used = db.hosts.all().filter((h) => h.accountId === credential.accountId);
      host = db.hosts.insert({
        ...newDoc("docker", "activating", credential.accountId),
        ...facts,
        labels: { ...hello.labels, ...automatic },
        agentState: null,
        localStorageMb: null,
        hostIndex: Math.max(0, ...used.map((h) => h.hostIndex)) + 1,
        evacuating: false,
      });
      db.credentials.update(credential, { hostId: host.id });
      log(
        `host ${host.hostname}: registered as ${formatId("host", host.id)}, agent at ${host.agentIpAddress}`,
      );
    } else {
      // Labels given at registration are the API's from then on; only the automatic ones follow the machine.
      db.hosts.update(host, { ...facts, labels: { ...host.labels, ...automatic } });
      log(`host ${host.hostname}: the agent is connected`);
    }
    const before = this.connections.get(host.id);
    this.connections.set(host.id, {
      socket,
      containers: new Map(),
      listed: new Map(),
      generation: 0,
      observedGeneration: 0,
      networkReady: false,
      sent: "",
    });
    before?.socket.close(CLOSE_REPLACED, "another connection of this host took over");
    this.lastHeard.set(host.id, Date.now());
    const connected = host;
    // The host must be stored before its agent relies on its address and index.
    void db.flush().then(() => {
      this.send(socket, {
        type: "welcome",
        hostId: formatId("host", connected.id),
        hostUuid: connected.uuid,
      });
      this.push(connected);
    });
    return host;
  }

  private takeReport(host: HostDoc, socket: WebSocket, report: Observed): void {
    const c = this.connections.get(host.id);
    if (c?.socket !== socket) return;
    c.containers.clear();
    for (const o of report.containers) c.containers.set(o.uuid, o);
    c.observedGeneration = report.generation;
    c.networkReady = report.networkReady;
    this.app.engine.kick();
  }

  private schedulePush(): void {
    if (this.pushing) return;
    this.pushing = true;
    setTimeout(() => {
      this.pushing = false;
      // Only what is stored may take effect on a host, or a killed server would find strangers there.
      void this.app.db.flush().then(() => {
        for (const id of this.connections.keys()) {
          const host = this.app.db.hosts.get(id);
          if (host !== undefined) this.push(host);
        }
      });
    }, 10);
  }

  private push(host: HostDoc): void {
    const c = this.connections.get(host.id);
    if (c === undefined) return;
    const state = desiredFor(this.app, host);
    const text = JSON.stringify(state);
    if (text === c.sent) return;
    c.sent = text;
    c.generation++;
    for (const container of state.containers) c.listed.set(container.uuid, c.generation);
    const message: Desired = { type: "desired", generation: c.generation, ...state };
    this.send(c.socket, message);
  }
}
