/** A small client of Rancher's v2-beta API: authentication, retries, paging, typed errors. */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, CanceledError, ConnectionError, hasCode, isGone, isPassing } from "./errors";
import { type Answer, type Dial, Transport } from "./transport";
import type { ApiResource, Collection, Project } from "./types";

/** How long requests that may be repeated are repeated before giving up. Milliseconds. */
const RETRY_MS = 30_000;
/** First and longest pause between two tries. Milliseconds. */
const RETRY_FIRST_MS = 200;
const RETRY_LONGEST_MS = 4_000;
/** Tries for an answer that hardly ever gets better: a plain 500. */
const MAX_SERVER_ERRORS = 5;
/** Page size. The server's own default; its maximum is 3000. */
const PAGE_SIZE = 100;

/** Who sends a request. */
export type Credentials =
  | { readonly kind: "anonymous" }
  | { readonly kind: "key"; readonly accessKey: string; readonly secretKey: string }
  | { readonly kind: "bearer"; readonly jwt: string };

/** What every request may be given. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** How long to repeat a request that may be repeated. Milliseconds. @default 30000 */
  readonly retryMs?: number;
  /**
   * Makes the server really check the credentials. While access control is off it otherwise lets
   * everybody in as the administrator, whatever key they show.
   */
  readonly enforce?: boolean;
  /** Query parameters. */
  readonly query?: Readonly<Record<string, string>>;
}

/** What a client is made of. Nothing connects before the first request. */
export interface ClientOptions {
  /** For instance `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly dial?: Dial;
  /** @default anonymous */
  readonly credentials?: Credentials;
  /** Environment used by resources that name none. @default the environment with uuid `adminProject` */
  readonly environmentId?: string;
}

/** Talks to one server with one set of credentials. */
export class Client {
  private constructor(
    private readonly transport: Transport,
    private readonly credentials: Credentials,
    private readonly defaultEnvironment: string | undefined,
    private readonly hidden: Set<string>,
    /**
     * Objects that this process made or took over: a replacement that took over the very object it
     * replaces must not be deleted with its predecessor.
     */
    readonly held: Set<string>,
  ) {}

  /** Makes a client; does not connect. */
  static create({ url, dial, credentials, environmentId }: ClientOptions): Client {
    const client = new Client(
      new Transport(url, dial),
      credentials ?? { kind: "anonymous" },
      environmentId,
      new Set(),
      new Set(),
    );
    client.hideCredentials();
    return client;
  }

  /** The same server and connections, other credentials. */
  as(credentials: Credentials): Client {
    const client = new Client(
      this.transport,
      credentials,
      this.defaultEnvironment,
      this.hidden,
      this.held,
    );
    client.hideCredentials();
    return client;
  }

  /** Closes all connections. */
  close(): void {
    this.transport.close();
  }

  /** Keeps these texts out of every error message. */
  hide(...secrets: readonly string[]): void {
    // Shorter ones occur in harmless text.
    for (const secret of secrets) if (secret.length >= 6) this.hidden.add(secret);
  }

  /** Reads one thing. Repeats while the server is unreachable or busy. */
  async get<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return parse<T>(await this.repeat("GET", path, undefined, options));
  }

  /** Like {@link get}, but undefined when the server says that there is no such thing. */
  async find<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
    try {
      return await this.get<T>(path, options);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Reads a whole collection, page by page. */
  async list<T>(path: string, options: RequestOptions = {}): Promise<T[]> {
    const found: T[] = [];
    let query: Record<string, string> = { limit: String(PAGE_SIZE), ...options.query };
    for (;;) {
      const page = await this.get<Collection<T>>(path, { ...options, query });
      found.push(...page.data);
      const next = page.pagination?.next;
      if (next === undefined || next === null || next === "") return found;
      // Only its parameters: its host is what the server believes to be called, not how it was reached.
      const parameters = Object.fromEntries(new URL(next, "http://server").searchParams);
      if (JSON.stringify(parameters) === JSON.stringify(query)) return found;
      query = parameters;
    }
  }

  /** Changes a thing. May be repeated, so `body` must say where to end, not how far to go. */
  async put<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
    return parse<T>(await this.repeat("PUT", path, body, options));
  }

  /** Removes a thing; undefined when it was gone already. */
  async delete<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
    try {
      const answer = await this.repeat("DELETE", path, undefined, options);
      return answer.text === "" ? undefined : parse<T>(answer);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Sends a POST once. The caller decides what a failure means, by looking. */
  async post<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
    return parse<T>(await this.once("POST", path, body, options));
  }

  /**
   * Performs an action on a thing. After an answer that leaves open whether it was performed, the
   * thing itself decides: the action is sent again only while the server offers it and `done` says
   * that it has not happened.
   */
  async act<T extends ApiResource>(
    path: string,
    action: string,
    body: unknown,
    done: (resource: T) => boolean,
    options: RequestOptions = {},
  ): Promise<void> {
    const until = Date.now() + (options.retryMs ?? RETRY_MS);
    for (let pause = RETRY_FIRST_MS; ; pause = longer(pause)) {
      try {
        await this.once("POST", `${path}/`, body, {
          ...options,
          query: { ...options.query, action },
        });
        return;
      } catch (error) {
        if (!isPassing(error) && !hasCode(error, "ActionNotAvailable")) throw error;
        const resource = await this.find<T>(path, options);
        if (resource === undefined || done(resource)) return;
        if (Date.now() + pause > until) throw error;
      }
      await this.pause(pause, options.signal);
    }
  }

  /** Sends a request with status and headers for the caller to judge. Nothing is repeated. */
  async raw(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.exchange(method, path, undefined, options);
  }

  /** The id of the environment to use: the given one, else the provider's, else the default one. */
  async environment(given: unknown, options: RequestOptions = {}): Promise<string> {
    if (typeof given === "string" && given !== "") return given;
    if (this.defaultEnvironment !== undefined) return this.defaultEnvironment;
    const [project] = await this.list<Project>("/v2-beta/projects", {
      ...options,
      query: { uuid: "adminProject" },
    });
    if (project === undefined) {
      throw new Error(
        "the server has no default environment (uuid adminProject) that this key may see: set environmentId on the provider",
      );
    }
    return project.id;
  }

  /** Waits; ends at once with an error when canceled. */
  async pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
    try {
      await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
    } catch {
      throw new CanceledError("canceled");
    }
  }

  /** A text without any of the hidden secrets. */
  scrub(text: string): string {
    const hidden = [...this.hidden].sort((a, b) => b.length - a.length);
    const clean = hidden.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
    // The hash that the server shows of a key it deactivates.
    return clean.replace(/SHA256:[0-9a-f]+:[0-9a-f]+/gi, "[secret]");
  }

  private hideCredentials(): void {
    if (this.credentials.kind === "key") this.hide(this.credentials.secretKey);
    if (this.credentials.kind === "bearer") this.hide(this.credentials.jwt);
  }

  /** For GET, PUT and DELETE only. */
  private async repeat(
    method: "GET" | "PUT" | "DELETE",
    path: string,
    body: unknown,
    options: RequestOptions,
  ): Promise<Answer> {
    const until = Date.now() + (options.retryMs ?? RETRY_MS);
    let serverErrors = 0;
    for (let pause = RETRY_FIRST_MS; ; pause = longer(pause)) {
      try {
        return await this.once(method, path, body, options);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (error instanceof ApiError && error.status === 500) {
          serverErrors += 1;
          // An unknown id makes PUT and DELETE fail with 500: a GET tells the truth.
          if (method !== "GET") await this.get(path, { ...options, retryMs: 0 });
          if (serverErrors >= MAX_SERVER_ERRORS) throw error;
        }
        if (Date.now() + pause > until) throw error;
      }
      await this.pause(pause, options.signal);
    }
  }

  /** One exchange; throws {@link ApiError} for a status of 400 and above. */
  private async once(
    method: string,
    path: string,
    body: unknown,
    options: RequestOptions,
  ): Promise<Answer> {
    const answer = await this.exchange(method, path, body, options);
    if (answer.status < 400) return answer;
    throw this.apiError(`${method} ${path}`, answer);
  }

  private async exchange(
    method: string,
    path: string,
    body: unknown,
    { query, signal, enforce }: RequestOptions,
  ): Promise<Answer> {
    const search = new URLSearchParams(query).toString();
    const text = body === undefined ? undefined : JSON.stringify(body);
    try {
      return await this.transport.send({
        method,
        path: search === "" ? path : `${path}?${search}`,
        headers: {
          accept: "application/json",
          // Anything with "mozilla" in it would be checked for a CSRF cookie.
          "user-agent": "pulumi-resource-rancher",
          ...authorization(this.credentials),
          ...(enforce === true ? { "x-enforce-authentication": "true" } : {}),
          ...(text === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(text === undefined ? {} : { body: text }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      throw new ConnectionError(this.scrub(error.request), this.scrub(error.reason));
    }
  }

  private apiError(request: string, answer: Answer): ApiError {
    const body = parseError(answer.text);
    return new ApiError(
      this.scrub(request),
      answer.status,
      this.scrub(body.code ?? "without a reason"),
      this.scrub(body.fieldName ?? ""),
      this.scrub([body.message, body.detail].filter((text) => text).join(": ")),
    );
  }
}

function authorization(credentials: Credentials): Record<string, string> {
  switch (credentials.kind) {
    case "anonymous":
      return {};
    case "bearer":
      return { authorization: `Bearer ${credentials.jwt}` };
    case "key": {
      const pair = `${credentials.accessKey}:${credentials.secretKey}`;
      return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
    }
  }
}

interface ErrorBody {
  readonly code?: string | null;
  readonly fieldName?: string | null;
  readonly message?: string | null;
  readonly detail?: string | null;
}

function parseError(text: string): ErrorBody {
  try {
    const body: unknown = JSON.parse(text);
    return body !== null && typeof body === "object" ? body : {};
  } catch {
    // Unknown paths are answered with a page of HTML.
    return {};
  }
}

function parse<T>(answer: Answer): T {
  try {
    return JSON.parse(answer.text) as T;
  } catch {
    throw new Error(
      "the server's answer is not JSON: check that the url is that of a Rancher 1.6 server",
    );
  }
}

/** The next pause: half as long again and a little chance, so that many requests spread out. */
function longer(pause: number): number {
  return Math.min(pause * 1.5, RETRY_LONGEST_MS) * (0.9 + Math.random() * 0.2);
}
