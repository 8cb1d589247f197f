import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app";
import { basicPair, checkSecret, derive, hashSecret, type Identity } from "../auth";
import type { RegisterAnswer } from "../../protocol";
import type { AccountDoc } from "../documents";
import {
  ApiError,
  actionNotAvailable,
  forbidden,
  internal,
  invalidAction,
  methodNotAllowed,
  notFound,
  unauthorized,
} from "../errors";
import { formatId, parseId } from "../ids";
import { findRegistrationToken, newCredential } from "../resources/credentials";
import { allTypes, typesByPath } from "../resources/index";
import {
  getLocalAuth,
  getToken,
  identities,
  login,
  logout,
  setLocalAuth,
} from "../resources/localAuth";
import {
  deleteSetting,
  getSetting,
  listSettings,
  postSetting,
  putSetting,
} from "../resources/settings";
import type { ResourceType } from "../resources/type";
import { formatCollection } from "./collection";
import { clientAddress, originOf, type Context } from "./context";
import { formatAny, formatResource } from "./format";
import { isObject, type Body } from "./validate";

/** Largest request body taken. */
const maxBody = 4 * 1024 * 1024;
const apiVersions = new Set(["v1", "v2-beta"]);

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: { readonly type: string; readonly content: string };
}

/** Rancher escapes slashes in JSON. */
const toJson = (body: unknown): string => JSON.stringify(body).replace(/\//g, "\\/");

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > maxBody) throw new ApiError(413, "RequestTooLarge");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** JSON, or form fields as the real server accepts them; nothing is an empty object. */
function parseBody(text: string, contentType: string): Body {
  if (text.trim() === "") return {};
  if (contentType.includes("application/x-www-form-urlencoded"))
    return Object.fromEntries(new URLSearchParams(text));
  const bad = new ApiError(400, "InvalidBodyContent", "InvalidBodyContent");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad;
  }
  if (!isObject(value)) throw bad;
  return value;
}

/** What paths outside the API get: an HTML page, as from Jetty. */
const htmlNotFound: Answer = {
  status: 404,
  text: {
    type: "text/html; charset=ISO-8859-1",
    content:
      "<html>\n<head><title>Error 404 Not Found</title></head>\n<body><h2>HTTP ERROR 404</h2>\n" +
      "<p>Problem accessing /index.html. Reason:\n<pre>    Not Found</pre></p></body>\n</html>\n",
  },
};

/** `/ping` needs no login and is no part of the API. */
const pong = {
  answer: { status: 200, text: { type: "text/plain", content: "pong\n" } },
  headers: { "Cache-Control": "must-revalidate,no-cache,no-store" },
};

/** The HTTP side of the server. */
export class Api {
  public constructor(private readonly getApp: () => App) {}

  private get app(): App {
    return this.getApp();
  }

  /** An HTTP server that is not listening yet. */
  public createServer(): Server {
    const server = createServer((request, response) => {
      this.serve(request, response).catch((e: unknown) => {
        // Only what happens outside the API's own error handling, such as a malformed path.
        this.app.log(`request failed: ${e instanceof Error ? e.message : String(e)}`);
        if (!response.headersSent) response.writeHead(400, { "Content-Type": "text/plain" });
        response.end("bad request\n");
      });
    });
    server.keepAliveTimeout = 60_000;
    return server;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://any");
    const fault = this.app.faults.take(request.method ?? "GET", url);
    if (fault?.kind === "drop") {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === "status") {
      request.resume();
      const { status } = fault;
      const body = fault.body ?? new ApiError(status, STATUS_CODES[status] ?? "Error").body();
      this.send(request, response, { status, body }, {});
      return;
    }
    const { answer, headers } = await this.work(request, url);
    // What a client was told must survive the server.
    if (request.method !== "GET") await this.app.db.flush();
    switch (fault?.kind) {
      case "slow":
        await sleep(fault.ms);
        break;
      case "hang":
        return;
      case "lose":
        request.socket.destroy();
        return;
      case "restart":
        await this.app.restart(fault.downMs);
        return;
      default:
    }
    this.send(request, response, answer, headers);
  }

  /** Does what is asked; errors of the API are answers too. */
  private async work(
    request: IncomingMessage,
    url: URL,
  ): Promise<{ answer: Answer; headers: Record<string, string> }> {
    if (url.pathname === "/ping") return pong;
    const origin = originOf(request);
    const segments = url.pathname
      .split("/")
      .filter((s) => s !== "")
      .map((s) => decodeURIComponent(s));
    // `/` is the oldest API version, as on the real server.
    const version = segments[0] ?? "v1";
    const headers: Record<string, string> = {
      "Set-Cookie": "PL=rancher;Path=/",
      Expires: "Thu, 01 Jan 1970 00:00:00 GMT",
      "X-Rancher-Version": "v1.6.30",
      "X-Lab-Stand-In": "test equipment of the rancher-cattle lab; not Rancher",
      Vary: "Accept-Encoding, User-Agent",
    };
    let answer: Answer;
    if (apiVersions.has(version)) {
      const scopedTo =
        segments[1] === "projects" && segments.length > 3 ? `/projects/${segments[2] ?? ""}` : "";
      headers["X-API-Schemas"] = `${origin}/${version}${scopedTo}/schemas`;
      try {
        answer = await this.route(request, url, version, segments.slice(1), origin, headers);
      } catch (e) {
        if (!(e instanceof ApiError)) {
          this.app.log(
            `${request.method ?? ""} ${url.pathname}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`,
          );
        }
        const error = e instanceof ApiError ? e : internal();
        answer = { status: error.status, body: error.body() };
        if (
          error.status === 401 &&
          error.code === "Unauthorized" &&
          headers["X-API-ACCOUNT-ID"] === undefined
        ) {
          headers["WWW-Authenticate"] =
            'Basic realm="Enter API access key and secret key as username and password"';
        }
      }
    } else {
      answer = htmlNotFound;
    }
    return { answer, headers };
  }

  private send(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    headers: Record<string, string>,
  ): void {
    if (answer.text !== undefined) {
      response.writeHead(answer.status, { ...headers, "Content-Type": answer.text.type });
      response.end(request.method === "HEAD" ? undefined : answer.text.content);
      return;
    }
    if (answer.body === undefined) {
      response.writeHead(answer.status, headers);
      response.end();
      return;
    }
    const content = Buffer.from(toJson(answer.body));
    response.writeHead(answer.status, {
      ...headers,
      "Content-Type": "application/json; charset=utf-8",
      "Content-Length": String(content.length),
    });
    response.end(request.method === "HEAD" ? undefined : content);
  }

  private async route(
    request: IncomingMessage,
    url: URL,
    version: string,
    path: string[],
    origin: string,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const method = request.method ?? "GET";
    const first = path[0]?.toLowerCase();
    if (version === "v1" && first === "register" && method === "POST")
      return this.register(request);
    if (version === "v1" && first === "scripts" && method === "GET") {
      return this.script(path[1] ?? "", origin, clientAddress(request));
    }
    const openPath = first === "token";
    const identity = this.app.auth.identify(request) ?? (openPath ? this.nobody() : undefined);
    if (identity === undefined) throw unauthorized();
    this.accountHeaders(headers, identity, request);
    this.checkCsrf(request, identity);
    if (!["GET", "POST", "PUT", "DELETE"].includes(method)) throw methodNotAllowed();

    let project: AccountDoc | undefined;
    let scoped = false;
    let rest = path;
    let base = `${origin}/${version}`;
    if (first === "projects" && path.length > 2) {
      project = this.projectFor(path[1] ?? "", identity);
      scoped = true;
      rest = path.slice(2);
      base = `${base}/projects/${formatId("account", project.id)}`;
    } else if (identity.account.kind === "project") {
      project = identity.account;
    }
    const context: Context = {
      app: this.app,
      identity,
      version,
      project,
      scoped,
      origin,
      base,
      query: url.searchParams,
      changing: method !== "GET",
    };
    const body =
      method === "POST" || method === "PUT"
        ? parseBody(await readBody(request), request.headers["content-type"] ?? "")
        : {};
    return this.special(method, rest, body, context) ?? this.resource(method, rest, body, context);
  }

  /** Stands for an anonymous caller of `/token` while access control is on. */
  private nobody(): Identity | undefined {
    const account = this.app.db.accounts.get(4);
    return account === undefined ? undefined : { account, by: "fallback" };
  }

  private accountHeaders(
    headers: Record<string, string>,
    identity: Identity,
    request: IncomingMessage,
  ): void {
    const id = formatId("account", identity.account.id);
    headers["X-API-ACCOUNT-ID"] = id;
    headers["X-API-USER-ID"] = id;
    headers["X-API-ACCOUNT-KIND"] = identity.account.kind;
    // Header values must be Latin-1 without control characters.
    headers["X-API-ACCOUNT-NAME"] = (identity.account.name ?? "").replace(/[^\x20-\x7e]/g, "?");
    headers["X-API-Client-IP"] = clientAddress(request);
  }

  /** A session cookie together with a CSRF cookie or header needs both to be the same. */
  private checkCsrf(request: IncomingMessage, identity: Identity): void {
    if (identity.by !== "cookie" || request.method === "GET") return;
    const cookie = /(?:^|;\s*)CSRF=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const header = request.headers["x-api-csrf"];
    if (cookie === undefined && header === undefined) return;
    if (cookie !== header) {
      throw new ApiError(403, "InvalidCSRFToken", "CSRF header and cookie do not match");
    }
  }

  private projectFor(text: string, identity: Identity): AccountDoc {
    const account = this.app.db.accounts.get(parseId(text));
    if (account?.kind !== "project" || account.removed !== null) throw forbidden();
    if (identity.account.kind === "project" && identity.account.id !== account.id)
      throw forbidden();
    return account;
  }

  /** Paths that are not plain resources. */
  private special(method: string, path: string[], body: Body, c: Context): Answer | undefined {
    const [type, id, more] = path;
    if (type === undefined) {
      if (method !== "GET") throw methodNotAllowed();
      const links: Record<string, string> = { self: c.base };
      for (const t of allTypes) links[`${t.type}s`] = `${c.base}/${t.plural}`;
      links.settings = `${c.base}/settings`;
      return {
        status: 200,
        body: { id: c.version, type: "apiVersion", links, actions: {}, baseType: "apiVersion" },
      };
    }
    switch (type.toLowerCase()) {
      case "localauthconfig":
      case "localauthconfigs":
        if (c.identity.account.kind !== "admin") throw notFound();
        if (method === "GET") return { status: 200, body: getLocalAuth(c) };
        if (method === "POST") return { status: 201, body: setLocalAuth(body, c) };
        throw methodNotAllowed();
      case "token":
      case "tokens":
        if (method === "GET") return { status: 200, body: getToken(c, c.identity.token) };
        if (method === "POST") return { status: 201, body: login(body, c) };
        if (method === "DELETE" && id === "current") {
          logout(c);
          return { status: 204 };
        }
        throw methodNotAllowed();
      case "identity":
      case "identities":
        if (method !== "GET") throw methodNotAllowed();
        return { status: 200, body: identities(c) };
      case "setting":
      case "settings":
        if (id === undefined) {
          if (method === "GET") return { status: 200, body: listSettings(c) };
          if (method === "POST") return { status: 201, body: postSetting(body, c) };
          throw methodNotAllowed();
        }
        if (method === "GET" && more === undefined) return { status: 200, body: getSetting(id, c) };
        if (method === "PUT") return { status: 200, body: putSetting(id, body, c) };
        if (method === "DELETE") return { status: 200, body: deleteSetting(id, c) };
        throw methodNotAllowed();
      case "schema":
      case "schemas":
        return this.schemas(method, id, c);
      case "processinstance":
      case "processinstances":
        if (method !== "GET") throw methodNotAllowed();
        return {
          status: 200,
          body: {
            type: "collection",
            resourceType: "processInstance",
            links: { self: `${c.base}/processinstances` },
            createTypes: {},
            actions: {},
            data: [],
            sortLinks: {},
            pagination: {
              first: null,
              previous: null,
              next: null,
              limit: 100,
              total: null,
              partial: false,
            },
            sort: null,
            filters: {},
            createDefaults: {},
          },
        };
      default:
        return undefined;
    }
  }

  private schemas(method: string, id: string | undefined, c: Context): Answer {
    if (method !== "GET") throw methodNotAllowed();
    const format = (t: ResourceType<{ id: number }>): Body => ({
      id: t.type,
      type: "schema",
      links: { self: `${c.base}/schemas/${t.type}`, collection: `${c.base}/${t.plural}` },
      actions: {},
      pluralName: t.plural,
      resourceMethods: [
        "GET",
        ...(t.update === undefined ? [] : ["PUT"]),
        ...(t.remove === undefined ? [] : ["DELETE"]),
      ],
      collectionMethods: ["GET", ...(t.create === undefined ? [] : ["POST"])],
    });
    if (id === undefined) {
      return {
        status: 200,
        body: {
          type: "collection",
          resourceType: "schema",
          links: { self: `${c.base}/schemas` },
          createTypes: {},
          actions: {},
          data: allTypes.map(format),
          sortLinks: {},
          pagination: null,
          sort: null,
          filters: {},
          createDefaults: {},
        },
      };
    }
    const type = typesByPath.get(id.toLowerCase());
    if (type === undefined) throw notFound();
    return { status: 200, body: format(type) };
  }

  private resource(method: string, path: string[], body: Body, c: Context): Answer {
    const [segment = "", id, link, more] = path;
    const type = typesByPath.get(segment.toLowerCase());
    if (type === undefined || more !== undefined) throw notFound();
    if (type.where === "root" && c.project !== undefined) throw notFound();
    if (id === undefined) return this.collection(method, type, body, c);

    const row = type.find(id, c);
    const visible = row !== undefined && this.visible(type, row, c);
    if (!visible) {
      // The real server trips over unknown services and stacks here.
      if ((method === "PUT" || method === "DELETE") && type.unknownIs500 === true) throw internal();
      throw notFound();
    }
    if (link !== undefined) return this.link(method, type, row, link, c);
    switch (method) {
      case "GET":
        return { status: 200, body: formatResource(type, row, c) };
      case "PUT":
        if (type.update === undefined) throw methodNotAllowed();
        type.update(row, body, c);
        return { status: 200, body: formatResource(type, row, c) };
      case "DELETE": {
        if (type.remove === undefined) throw methodNotAllowed();
        type.remove(row, c);
        if (type.removeAnswersCollection !== true)
          return { status: 200, body: formatResource(type, row, c) };
        const self = `${c.base}/${type.plural}/${type.idOf(row)}`;
        return {
          status: 200,
          body: formatCollection(type, [row], { ...c, query: new URLSearchParams() }, { self }),
        };
      }
      default:
        return this.action(type, row, body, c);
    }
  }

  private visible(type: ResourceType<{ id: number }>, row: { id: number }, c: Context): boolean {
    if (c.project === undefined) return true;
    const inProject =
      type.inProject ??
      ((r: { id: number }, p: AccountDoc) =>
        (r as { accountId?: number | null }).accountId === p.id);
    return inProject(row, c.project);
  }

  private collection(
    method: string,
    type: ResourceType<{ id: number }>,
    body: Body,
    c: Context,
  ): Answer {
    if (method === "GET") {
      const rows = type.rows(c).filter((r) => this.visible(type, r, c));
      return {
        status: 200,
        body: formatCollection(type, rows, c, { self: `${c.base}/${type.plural}` }),
      };
    }
    const where = type.creatable;
    const here = c.project === undefined ? "root" : "project";
    if (method !== "POST" || type.create === undefined || (where !== "both" && where !== here))
      throw methodNotAllowed();
    const row = type.create(body, c);
    this.app.engine.kick();
    return { status: 201, body: formatResource(type, row, c) };
  }

  private link(
    method: string,
    type: ResourceType<{ id: number }>,
    row: { id: number },
    link: string,
    c: Context,
  ): Answer {
    if (method !== "GET") throw methodNotAllowed();
    const name = Object.keys(type.targets ?? {}).find(
      (n) => n.toLowerCase() === link.toLowerCase(),
    );
    const target = name === undefined ? undefined : type.targets?.[name];
    if (name === undefined || target === undefined) {
      // A link that is offered but that the lab has nothing behind is an empty collection.
      if (!type.links(row, c).some((l) => l.toLowerCase() === link.toLowerCase())) throw notFound();
    }
    const items = target?.(row, c) ?? [];
    const single = name === "stack";
    if (single) {
      const item = items[0];
      if (item === undefined) throw notFound();
      return { status: 200, body: formatAny(item, c) };
    }
    const self = `${c.base}/${type.pluralOf?.(row) ?? type.plural}/${type.idOf(row)}/${link.toLowerCase()}`;
    const declared = name === undefined ? undefined : type.targetTypes?.[name];
    const itemType =
      (items[0]?.type as unknown as ResourceType<{ id: number }> | undefined) ??
      typesByPath.get((declared ?? link).toLowerCase()) ??
      type;
    return {
      status: 200,
      body: formatCollection(
        itemType,
        items.map((i) => i.row),
        c,
        {
          self,
          ...(declared === undefined ? {} : { resourceType: declared }),
          createDefaults: type.targetDefaults?.[name ?? ""]?.(row) ?? {},
        },
      ),
    };
  }

  private action(
    type: ResourceType<{ id: number }>,
    row: { id: number },
    body: Body,
    c: Context,
  ): Answer {
    const given = c.query.get("action");
    if (given === null) throw methodNotAllowed();
    const known = type.allActions.find((a) => a.toLowerCase() === given.toLowerCase());
    if (known === undefined || type.act === undefined) throw invalidAction();
    if (!type.actions(row, { ...c, changing: false }).includes(known)) throw actionNotAvailable();
    const { status, body: result } = type.act(row, known, body, c);
    return { status, body: result ?? formatResource(type, row, c) };
  }

  /** The shell script that a new host's agent downloads. */
  private script(token: string, origin: string, client: string): Answer {
    if (findRegistrationToken(token, { app: this.app }) === undefined) throw notFound();
    const host = this.app.settings.value("api.host");
    const server = host === null || host === "" ? origin : host.replace(/\/+$/, "");
    return {
      status: 200,
      text: {
        type: "text/plain",
        content: [
          "#!/bin/sh",
          "",
          'export CATTLE_REGISTRATION_ACCESS_KEY="registrationToken"',
          `export CATTLE_REGISTRATION_SECRET_KEY="${token}"`,
          `export CATTLE_URL="${server}/v1"`,
          `export DETECTED_CATTLE_AGENT_IP="${client}"`,
          "",
        ].join("\n"),
      },
    };
  }

  /** Gives a machine its agent's key; the same machine gets the same key again. */
  private async register(request: IncomingMessage): Promise<Answer> {
    const pair = basicPair(request);
    const token =
      pair?.[0] === "registrationToken"
        ? findRegistrationToken(pair[1], { app: this.app })
        : undefined;
    if (token === undefined) throw unauthorized();
    const body = parseBody(await readBody(request), "application/json");
    const key = body.key;
    if (typeof key !== "string" || key.length < 32)
      throw new ApiError(422, "MissingRequired", null, "key");
    const { db, settings } = this.app;
    const keyId = derive(settings.installSecret, `register:${String(token.accountId)}:${key}`);
    // A removed host's credential is removed with it: the machine then becomes a new host.
    const known = db.credentials
      .live()
      .find(
        (r) =>
          r.kind === "agentKey" &&
          r.registerKeyHash !== null &&
          checkSecret(keyId, r.registerKeyHash),
      );
    const accessKey =
      known?.publicValue ??
      derive(settings.installSecret, `access:${keyId}:${String(Date.now())}`)
        .slice(0, 20)
        .toUpperCase();
    const secretKey = derive(settings.installSecret, `secret:${keyId}:${accessKey}`).slice(0, 40);
    if (known === undefined) {
      db.credentials.insert({
        ...newCredential("agentKey", token.accountId),
        state: "active",
        transitioning: "no",
        transitioningMessage: null,
        publicValue: accessKey,
        secretValue: hashSecret(secretKey),
        registerKeyHash: hashSecret(keyId),
      });
    }
    const answer: RegisterAnswer = { type: "register", state: "active", accessKey, secretKey };
    return { status: 201, body: answer };
  }
}
