/** The few calls of the Docker Engine API that the agent needs, over the engine's unix socket. */
import * as http from "node:http";
import { readTarFile, tarFile } from "./tar";

/** An answer of the engine that is not a success; `message` is the engine's own text. */
export class DockerError extends Error {
  constructor(
    public readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What the agent reads of `GET /containers/{id}/json`. */
export interface ContainerInspect {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Config: {
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly HostConfig: { readonly Privileged: boolean };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> | null;
  };
}

/** What the agent reads of `GET /networks/{id}`. */
export interface NetworkInspect {
  readonly Id: string;
  readonly IPAM: { readonly Config: readonly { Subnet?: string; Gateway?: string }[] | null };
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Containers: Readonly<Record<string, { readonly Name: string }>> | null;
}

/** What the agent reads of `GET /info`. */
export interface EngineInfo {
  readonly Name: string;
  readonly ServerVersion: string;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly MemTotal: number;
  readonly NCPU: number;
}

/** What the agent reads of a container event. */
export interface ContainerEvent {
  readonly Action: string;
  readonly Actor: {
    readonly ID: string;
    readonly Attributes: Readonly<Record<string, string>>;
  };
}

/** Body of `POST /containers/create`, the part that the agent sets. */
export interface ContainerCreate {
  readonly Image: string;
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Hostname?: string;
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly HostConfig: {
    readonly Binds?: readonly string[];
    readonly PortBindings?: Readonly<
      Record<string, readonly { HostIp?: string; HostPort: string }[]>
    >;
    readonly NetworkMode?: string;
    readonly PidMode?: string;
    readonly Privileged?: boolean;
    readonly CapAdd?: readonly string[];
    readonly CapDrop?: readonly string[];
    readonly SecurityOpt?: readonly string[];
    readonly MaskedPaths?: readonly string[];
    readonly ReadonlyPaths?: readonly string[];
    readonly Memory?: number;
    readonly RestartPolicy?: { readonly Name: "no" | "always" };
  };
  readonly NetworkingConfig?: {
    readonly EndpointsConfig: Readonly<
      Record<string, { readonly IPAMConfig: { readonly IPv4Address: string } }>
    >;
  };
}

interface RequestOptions {
  readonly body?: unknown;
  readonly raw?: Buffer;
  /** Give up when the engine says nothing for this long. Milliseconds, default 60 s; 0 means never. */
  readonly idleTimeoutMs?: number;
}

/** A client of the Docker engine on a unix socket. */
export class Docker {
  /** @param socketPath default `/var/run/docker.sock` */
  constructor(private readonly socketPath = "/var/run/docker.sock") {}

  info(): Promise<EngineInfo> {
    return this.json("GET", "/info");
  }

  inspect(id: string): Promise<ContainerInspect> {
    return this.json("GET", `/containers/${encodeURIComponent(id)}/json`);
  }

  /** Ids of all containers, running or not, that carry the label. */
  async idsWithLabel(label: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const list = await this.json<{ Id: string }[]>(
      "GET",
      `/containers/json?all=1&filters=${filters}`,
    );
    return list.map((container) => container.Id);
  }

  /** Makes a container, returns its id. */
  async create(name: string, body: ContainerCreate): Promise<string> {
    const answer = await this.json<{ Id: string }>(
      "POST",
      `/containers/create?name=${encodeURIComponent(name)}`,
      { body },
    );
    return answer.Id;
  }

  /** Starts a container; one that runs already is fine. */
  async start(id: string): Promise<void> {
    await this.json("POST", `/containers/${id}/start`);
  }

  /** Stops a container by its own stop signal and kills it after `seconds`; a stopped one is fine. */
  async stop(id: string, seconds: number): Promise<void> {
    await this.json("POST", `/containers/${id}/stop?t=${seconds}`, {
      idleTimeoutMs: (seconds + 60) * 1000,
    });
  }

  /** Sends a signal to the container's first process. */
  async kill(id: string, signal: string): Promise<void> {
    await this.json("POST", `/containers/${id}/kill?signal=${encodeURIComponent(signal)}`);
  }

  /** Removes a container, running or not, and its anonymous volumes; a missing one is fine. */
  async remove(id: string): Promise<void> {
    try {
      await this.json("DELETE", `/containers/${id}?force=1&v=1`);
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }

  async hasImage(image: string): Promise<boolean> {
    try {
      await this.json("GET", `/images/${image}/json`);
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  /** Pulls an image and waits for its end. Fails when nothing is heard for 2 minutes. */
  async pull(image: string): Promise<void> {
    const { name, tag } = splitImage(image);
    const query = `fromImage=${encodeURIComponent(name)}&tag=${encodeURIComponent(tag)}`;
    const response = await this.request("POST", `/images/create?${query}`, {
      idleTimeoutMs: 120_000,
    });
    for await (const line of lines(response)) {
      const progress = JSON.parse(line) as { error?: string };
      if (progress.error !== undefined) throw new DockerError(500, progress.error);
    }
  }

  /** Writes one file into a container, running or not. */
  async putFile(id: string, path: string, content: string, mode: number): Promise<void> {
    const cut = path.lastIndexOf("/");
    const folder = cut === 0 ? "/" : path.slice(0, cut);
    await this.json("PUT", `/containers/${id}/archive?path=${encodeURIComponent(folder)}`, {
      raw: tarFile(path.slice(cut + 1), content, mode),
    });
  }

  /** Reads one file of a container; undefined when there is none. */
  async getFile(id: string, path: string): Promise<string | undefined> {
    try {
      const response = await this.request(
        "GET",
        `/containers/${id}/archive?path=${encodeURIComponent(path)}`,
      );
      return readTarFile(await collect(response));
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Runs a command in a running container; output is both streams as they came. */
  async exec(
    id: string,
    command: readonly string[],
  ): Promise<{ readonly code: number; readonly output: string }> {
    const { Id } = await this.json<{ Id: string }>("POST", `/containers/${id}/exec`, {
      body: { AttachStdout: true, AttachStderr: true, Cmd: command },
    });
    const response = await this.request("POST", `/exec/${Id}/start`, {
      body: { Detach: false, Tty: false },
    });
    const output = demultiplex(await collect(response));
    const { ExitCode } = await this.json<{ ExitCode: number | null }>("GET", `/exec/${Id}/json`);
    return { code: ExitCode ?? -1, output };
  }

  /** The network of that name; undefined when there is none. */
  async network(name: string): Promise<NetworkInspect | undefined> {
    try {
      return await this.json<NetworkInspect>("GET", `/networks/${name}`);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async createNetwork(body: object): Promise<void> {
    await this.json("POST", "/networks/create", { body });
  }

  async removeNetwork(name: string): Promise<void> {
    await this.json("DELETE", `/networks/${name}`);
  }

  /**
   * Events of containers that carry the label, until the engine closes the stream.
   * @param opened called once the engine listens: what happens from then on is not missed
   */
  async containerEvents(
    label: string,
    opened: () => void,
    onEvent: (event: ContainerEvent) => void,
  ): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ type: ["container"], label: [label] }));
    const response = await this.request("GET", `/events?filters=${filters}`, { idleTimeoutMs: 0 });
    opened();
    for await (const line of lines(response)) onEvent(JSON.parse(line) as ContainerEvent);
  }

  private async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const text = (await collect(await this.request(method, path, options))).toString();
    return (text.trim() === "" ? undefined : JSON.parse(text)) as T;
  }

  private request(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<http.IncomingMessage> {
    const body =
      options.raw ??
      (options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body)));
    const headers: http.OutgoingHttpHeaders = { Host: "docker" };
    if (body !== undefined) {
      headers["Content-Type"] =
        options.raw === undefined ? "application/json" : "application/x-tar";
      headers["Content-Length"] = body.length;
    }
    return new Promise((resolve, reject) => {
      const request = http.request({
        socketPath: this.socketPath,
        method,
        path,
        headers,
        // One connection a call: an idle one that the engine closes would fail the next call.
        agent: false,
        timeout: options.idleTimeoutMs ?? 60_000,
      });
      request.on("timeout", () => {
        request.destroy(new Error(`docker did not answer ${method} ${path.split("?")[0]} in time`));
      });
      request.on("error", reject);
      request.on("response", (response) => {
        const status = response.statusCode ?? 0;
        // 304: it is already in the wanted state.
        if (status < 400) {
          resolve(response);
          return;
        }
        collect(response).then((text) => reject(new DockerError(status, message(text))), reject);
      });
      request.end(body);
    });
  }
}

/** Whether the error is an answer of the engine with that HTTP status. */
export function isStatus(error: unknown, status: number): boolean {
  return error instanceof DockerError && error.status === status;
}

/** `registry:5000/name:tag` -> name and tag; a digest counts as tag, none is `latest`. */
export function splitImage(image: string): { readonly name: string; readonly tag: string } {
  const at = image.indexOf("@");
  if (at >= 0) return { name: image.slice(0, at), tag: image.slice(at + 1) };
  const colon = image.lastIndexOf(":");
  if (colon > image.lastIndexOf("/")) {
    return { name: image.slice(0, colon), tag: image.slice(colon + 1) };
  }
  return { name: image, tag: "latest" };
}

/** Joins the frames of an exec's output: 8 bytes of header (stream, length) before each. */
export function demultiplex(data: Buffer): string {
  const parts: Buffer[] = [];
  let offset = 0;
  while (offset + 8 <= data.length) {
    const length = data.readUInt32BE(offset + 4);
    parts.push(data.subarray(offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return Buffer.concat(parts).toString();
}

function message(body: Buffer): string {
  const text = body.toString().trim();
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

async function collect(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function* lines(response: http.IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield part;
  }
  if (rest.trim() !== "") yield rest;
}
