/** The agent's end of the WebSocket: stays connected for ever, says everything again each time. */
import WebSocket from "ws";
import {
  AGENT_PATH,
  CLOSE_REMOVED,
  CLOSE_REPLACED,
  type AgentMessage,
  type Desired,
  type Hello,
  type Observed,
  OBSERVED_INTERVAL_MS,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
  RECONNECT_MAX_MS,
  RECONNECT_MIN_MS,
  type ServerMessage,
} from "../protocol";
import { log, text } from "./log";
import { webSocketUrl } from "./settings";
import type { Credentials } from "./state";

/** Changes closer together than this are told at once. Milliseconds. */
const TELL_DELAY_MS = 50;
/** A server that does not even accept is tried again, with its name looked up again, after this. Milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** What the connection needs of the agent. */
export interface ConnectionOptions {
  /** CATTLE_URL, `http://server:8080/v1`. */
  readonly url: string;
  readonly credentials: Credentials;
  readonly hello: () => Promise<Hello>;
  readonly onDesired: (desired: Desired) => void;
  /** The server does not know this host any more. */
  readonly onRemoved: () => void;
  readonly observe: (generation: number) => Observed;
}

/** Why a connection ended. */
interface End {
  readonly reason: string;
  /** Whether it was up, so that the next try comes soon. */
  readonly welcomed: boolean;
  /** Whether hurry is pointless. */
  readonly patient: boolean;
}

/** Keeps one connection to the server. */
export class Connection {
  private socket: WebSocket | undefined;
  private generation = 0;
  private welcomed = false;
  private telling: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ConnectionOptions) {}

  /** Connects, and again whenever the connection ends; resolves after `close`. */
  async run(): Promise<void> {
    let pause = RECONNECT_MIN_MS;
    let last = "";
    while (!this.closed) {
      const end = await this.once();
      if (this.closed) return;
      if (end.welcomed) pause = RECONNECT_MIN_MS;
      if (end.patient) pause = RECONNECT_MAX_MS;
      // The same trouble every few seconds is one line.
      if (end.reason !== last) log(`not connected to the server: ${end.reason}`);
      last = end.welcomed ? "" : end.reason;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(RECONNECT_MAX_MS, pause * 2);
    }
  }

  /** Something changed: the server will be told in a moment. */
  tell(): void {
    if (!this.welcomed || this.telling !== undefined) return;
    this.telling = setTimeout(() => {
      this.telling = undefined;
      this.report();
    }, TELL_DELAY_MS);
  }

  close(): void {
    this.closed = true;
    this.socket?.close(1001);
  }

  private report(): void {
    if (this.welcomed) this.send(this.options.observe(this.generation));
  }

  private send(message: AgentMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** One connection from start to end. Never rejects. */
  private once(): Promise<End> {
    const { accessKey, secretKey } = this.options.credentials;
    const basic = Buffer.from(`${accessKey}:${secretKey}`).toString("base64");
    // The name is looked up for each connection: a replaced server has another address.
    const socket = new WebSocket(webSocketUrl(this.options.url, AGENT_PATH), {
      headers: { Authorization: `Basic ${basic}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.socket = socket;
    this.generation = 0;
    let reason = "the connection was closed";
    let patient = false;
    let heard = Date.now();
    const timers: NodeJS.Timeout[] = [];

    return new Promise((resolve) => {
      socket.on("open", () => {
        timers.push(
          setInterval(() => {
            if (Date.now() - heard > PING_TIMEOUT_MS) {
              reason = "the server has been silent for too long";
              socket.terminate();
            } else {
              this.send({ type: "ping" });
            }
          }, PING_INTERVAL_MS),
        );
        this.options.hello().then(
          (hello) => this.send(hello),
          (error: unknown) => {
            reason = `cannot describe this host: ${text(error)}`;
            socket.terminate();
          },
        );
      });
      socket.on("message", (data: Buffer) => {
        heard = Date.now();
        const message = JSON.parse(data.toString()) as ServerMessage;
        switch (message.type) {
          case "welcome":
            log(`connected to the server as host ${message.hostId}`);
            this.welcomed = true;
            this.report();
            timers.push(setInterval(() => this.report(), OBSERVED_INTERVAL_MS));
            break;
          case "desired":
            this.generation = message.generation;
            this.options.onDesired(message);
            this.tell();
            break;
          case "ping":
            this.send({ type: "pong" });
            break;
          case "pong":
            break;
        }
      });
      socket.on("unexpected-response", (request, response) => {
        reason = `the server answers ${response.statusCode ?? 0}`;
        if (response.statusCode === 401) {
          patient = true;
          this.options.onRemoved();
        }
        request.destroy();
        socket.terminate();
        done();
      });
      socket.on("error", (error) => {
        if (reason === "the connection was closed") reason = text(error);
      });
      socket.on("close", (code, why) => {
        if (code === CLOSE_REMOVED) {
          patient = true;
          this.options.onRemoved();
        }
        if (code === CLOSE_REPLACED) patient = true;
        if (why.length > 0) reason = why.toString();
        done();
      });
      const done = (): void => {
        for (const timer of timers) clearInterval(timer);
        clearTimeout(this.telling);
        this.telling = undefined;
        const welcomed = this.welcomed;
        this.welcomed = false;
        resolve({ reason, welcomed, patient });
      };
    });
  }
}
