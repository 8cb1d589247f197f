/** One HTTP exchange with a Rancher server, directly or through SSH. Knows nothing of Rancher's API. */
import * as http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import { CanceledError, ConnectionError } from "./errors";

/** Longest time for one exchange. Milliseconds. The slowest known answer (a large list) takes seconds. */
const EXCHANGE_TIMEOUT_MS = 60_000;
/** Connections kept open at once. Each one through SSH is a process here and a session there. */
const MAX_SOCKETS = 4;
/** An idle connection is closed before the server does it (Jetty: 30 s). Milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

/** Opens a stream to `host:port` as seen from the far end of the route. */
export type Dial = (host: string, port: number) => Duplex;

/** An answer, whatever its status. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** What is sent. */
export interface Message {
  readonly method: string;
  /** Path and query, below the base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/** Connections that go through `dial` instead of TCP from here. */
class DialAgent extends http.Agent {
  constructor(
    private readonly dial: () => Duplex,
    options: http.AgentOptions,
  ) {
    super(options);
  }

  override createConnection(): Duplex {
    return this.dial();
  }

  // The default implementations call methods that only TCP sockets have. The timer stands in for
  // their idle timeout.
  private readonly idle = new WeakMap<Duplex, NodeJS.Timeout>();

  override keepSocketAlive(socket: Duplex): boolean {
    const timer = setTimeout(() => socket.destroy(), IDLE_TIMEOUT_MS);
    timer.unref();
    this.idle.set(socket, timer);
    return true;
  }

  override reuseSocket(socket: Duplex): void {
    clearTimeout(this.idle.get(socket));
  }
}

/** Sends messages to one server over kept-alive connections. */
export class Transport {
  private readonly url: URL;
  private readonly agent: http.Agent;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /**
   * @param url base URL of the server, for instance `http://127.0.0.1:8080`; a trailing `/v2-beta` is dropped.
   * @param dial opens each connection; without it connections are direct.
   */
  constructor(url: string, dial?: Dial) {
    this.url = new URL(url);
    const secure = this.url.protocol === "https:";
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_TIMEOUT_MS };
    if (dial === undefined) {
      this.agent = secure ? new https.Agent(options) : new http.Agent(options);
    } else {
      const port = Number(this.url.port === "" ? (secure ? 443 : 80) : this.url.port);
      const host = this.url.hostname;
      this.agent = new DialAgent(() => dial(host, port), {
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
      });
    }
  }

  /** Closes every connection; messages under way fail. */
  close(): void {
    this.agent.destroy();
  }

  /** Sends one message. Throws {@link ConnectionError} or {@link CanceledError}; any status is an answer. */
  async send(message: Message): Promise<Answer> {
    await this.turn(message.signal);
    try {
      return await this.exchange(message);
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  /** Waits until one of the connections is free. */
  private async turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.running >= MAX_SOCKETS) {
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal?.removeEventListener("abort", stop);
          resolve();
        };
        const stop = (): void => {
          this.waiting.splice(this.waiting.indexOf(go), 1);
          reject(new CanceledError("canceled"));
        };
        if (signal?.aborted === true) {
          reject(new CanceledError("canceled"));
          return;
        }
        signal?.addEventListener("abort", stop, { once: true });
        this.waiting.push(go);
      });
    }
    this.running += 1;
  }

  private exchange({ method, path, headers, body, signal }: Message): Promise<Answer> {
    const name = `${method} ${path}`;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        if (signal?.aborted === true) reject(new CanceledError("canceled"));
        else reject(new ConnectionError(name, error.message));
      };
      if (signal?.aborted === true) {
        fail(new Error("canceled"));
        return;
      }
      const send = this.url.protocol === "https:" ? https.request : http.request;
      const request = send(this.url, {
        method,
        path: `${this.url.pathname.replace(/\/(v2-beta\/?)?$/, "")}${path}`,
        agent: this.agent,
        signal,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
      });
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer within ${EXCHANGE_TIMEOUT_MS / 1000} s`));
      }, EXCHANGE_TIMEOUT_MS);
      request.on("close", () => clearTimeout(timer));
      request.on("error", fail);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("aborted", () => fail(new Error("the connection broke within the answer")));
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          });
        });
      });
      request.end(body);
    });
  }
}
