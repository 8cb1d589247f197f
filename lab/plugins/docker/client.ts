/** A Docker engine's HTTP API, reached as the real plugin reaches it. */
import * as http from "node:http";
import * as net from "node:net";
import type { Duplex } from "node:stream";
import { sshStream } from "../../../rancher/plugin/sshStream";
import type { Props } from "../../../rancher/plugin/types";

/** Connections to one engine at a time; more `ssh` at once would meet sshd's MaxStartups. */
const MAX_CONNECTIONS = 6;

/** An answer of the engine that is not a success. */
export class EngineError extends Error {
  constructor(
    message: string,
    /** The HTTP status. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** Where an engine is. */
export interface EngineAddress {
  /** `ssh://user@host[:port]`, `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  /** Further arguments of `ssh`. */
  readonly sshOpts: readonly string[];
}

/** The arguments with which the real plugin calls `ssh`. */
export function sshArguments({ host, sshOpts }: EngineAddress): string[] {
  const url = new URL(host);
  return [
    ...(url.username === "" ? [] : ["-l", decodeURIComponent(url.username)]),
    ...(url.port === "" ? [] : ["-p", url.port]),
    ...sshOpts,
    ...["-o", "ConnectTimeout=30", "-T", "--", url.hostname, "docker", "system", "dial-stdio"],
  ];
}

function connect(address: EngineAddress): Duplex {
  const { host } = address;
  const url = new URL(host);
  switch (url.protocol) {
    case "ssh:":
      return sshStream(sshArguments(address), { target: host });
    case "unix:":
      return net.connect({ path: url.pathname });
    case "tcp:":
      return net.connect({ host: url.hostname, port: Number(url.port) });
    default:
      throw new Error(`docker host ${host} is neither ssh://, unix:// nor tcp://`);
  }
}

class EngineAgent extends http.Agent {
  constructor(private readonly address: EngineAddress) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  }

  override createConnection(): Duplex {
    return connect(this.address);
  }
}

/** What a request carries. */
export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A lazily connected engine. */
export class Engine {
  private agent: EngineAgent | undefined;

  constructor(private readonly address: EngineAddress | undefined) {}

  /** Ends every connection. */
  close(): void {
    this.agent?.destroy();
  }

  /** One request; the answer as parsed JSON, or undefined when there is none. */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const answer = await this.bytes(method, path, options);
    return (answer.length === 0 ? undefined : JSON.parse(answer.toString())) as T;
  }

  /** Like {@link json}, but undefined when the object does not exist. */
  async find<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
    try {
      return await this.json<T>("GET", path, options);
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** One request; the answer as it is. */
  async bytes(method: string, path: string, options: RequestOptions = {}): Promise<Buffer> {
    const chunks: Buffer[] = [];
    await this.stream(method, path, options, (chunk) => chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  /** One request whose answer is a line of JSON after the other. */
  async lines(
    method: string,
    path: string,
    options: RequestOptions,
    onLine: (line: Props) => void,
  ): Promise<void> {
    let rest = "";
    await this.stream(method, path, options, (chunk) => {
      const parts = (rest + chunk.toString()).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part.trim() !== "") onLine(JSON.parse(part) as Props);
    });
    if (rest.trim() !== "") onLine(JSON.parse(rest) as Props);
  }

  private async stream(
    method: string,
    path: string,
    options: RequestOptions,
    onChunk: (chunk: Buffer) => void,
  ): Promise<void> {
    const response = await this.send(method, path, options);
    const status = response.statusCode ?? 0;
    const refused: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (status < 400) onChunk(chunk);
      else refused.push(chunk);
    }
    if (status < 400) return;
    const said = Buffer.concat(refused).toString();
    let message = said;
    try {
      message = (JSON.parse(said) as { message?: string }).message ?? said;
    } catch {
      // Not JSON, so it is shown as it is.
    }
    throw new EngineError(`docker: ${message.trim()}`, status);
  }

  private send(
    method: string,
    path: string,
    options: RequestOptions,
    again = true,
  ): Promise<http.IncomingMessage> {
    if (this.address === undefined) {
      throw new Error(
        "docker has no host: pass an explicit docker.Provider with host; the lab never falls back to the local engine",
      );
    }
    this.agent ??= new EngineAgent(this.address);
    const { agent } = this;
    const query = new URLSearchParams(
      Object.entries(options.query ?? {}).flatMap(([key, value]): [string, string][] =>
        value === undefined ? [] : [[key, String(value)]],
      ),
    ).toString();
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    return new Promise((resolve, reject) => {
      const request = http.request({
        agent,
        method,
        path: query === "" ? path : `${path}?${query}`,
        headers: {
          Host: "docker",
          ...(body === undefined
            ? { "Content-Length": 0 }
            : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }),
        },
        signal: options.signal,
      });
      request.once("response", resolve);
      request.once("error", (error) => {
        // A kept connection may have ended unnoticed; reading again is harmless.
        if (again && request.reusedSocket && method === "GET" && options.signal?.aborted !== true) {
          this.send(method, path, options, false).then(resolve, reject);
        } else {
          reject(error);
        }
      });
      request.end(body);
    });
  }
}
