/**
 * A Rancher server in a few lines, in memory, for unit tests of the provider. Shapes, statuses and codes
 * are those of the recorded server; transitions pass one step with every look, so that tests are quick
 * and deterministic. Any request can be made to fail, or its answer to get lost.
 */
import { X509Certificate } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";

/** One request as it arrived. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Record<string, unknown>;
  readonly headers: http.IncomingHttpHeaders;
  /** `anonymous`, `key`, `bearer` or `wrong`. */
  readonly caller: string;
}

/** An answer instead of the usual one; `drop` closes the connection before, `lose` after doing the work. */
export type Fault = { status: number; body?: unknown } | "drop" | "lose" | undefined;

/** A stored resource. */
export interface Doc extends Record<string, unknown> {
  id: string;
  type: string;
  state: string;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const PREFIX: Record<string, string> = {
  projects: "1a",
  projecttemplates: "1pt",
  projectmembers: "1pm",
  certificates: "1c",
  apikeys: "1c",
  registrationtokens: "1c",
  hosts: "1h",
  stacks: "1st",
  services: "1s",
  loadbalancerservices: "1s",
  instances: "1i",
};

/** A setting: what is stored, what the server came with, and what its environment fixes. */
export interface FakeSetting {
  stored?: string;
  packaged?: string;
  preset?: string;
}

/** Collections that are listed by environment; the others of this server are small enough. */
const SCOPED = ["apikeys", "certificates", "projectmembers"];

/** See the file's comment. */
export class FakeRancher {
  readonly requests: Request[] = [];
  /** Everything there is, by id. */
  readonly docs = new Map<string, Doc>();
  /** States that a resource passes through, one with each look. */
  readonly coming = new Map<string, string[]>();
  /** Decides about faults; called for each request. */
  fault: (request: Request) => Fault = () => undefined;
  /** False once local authentication is on. */
  open = true;
  password: string | undefined;
  /** Whether new containers of an upgrade become well. */
  upgradesWork = true;
  /** Settings by name; every other name is answered with nulls. */
  readonly settings = new Map<string, FakeSetting>();
  /** Names of the load balancers that use a certificate, by its id. */
  readonly users = new Map<string, string>();
  /** What the last change of a setting has not reached yet. */
  private lagging: string | undefined;
  private readonly numbers = new Map<string, number>();
  private readonly server = http.createServer((request, response) => {
    void this.serve(request, response);
  });

  /** Starts on a free port; returns the URL. */
  async start(): Promise<string> {
    this.add("projects", { uuid: "adminProject", name: "Default", projectTemplateId: null });
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Stops at once. */
  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Stores a resource, active unless told otherwise. */
  add(collection: string, fields: Record<string, unknown>): Doc {
    const n = (this.numbers.get(PREFIX[collection] ?? "1x") ?? 0) + 1;
    this.numbers.set(PREFIX[collection] ?? "1x", n);
    const doc: Doc = {
      id: `${PREFIX[collection] ?? "1x"}${n}`,
      state: "active",
      transitioning: "no",
      name: null,
      description: null,
      removed: null,
      createdTS: n,
      ...fields,
      type: collection,
    };
    this.docs.set(doc.id, doc);
    return doc;
  }

  /** Stored resources of a collection that are not removed. */
  all(collection: string): Doc[] {
    return [...this.docs.values()].filter((d) => d.type === collection && d.state !== "removed");
  }

  /** Requests that change something, as `METHOD path` or `METHOD path action`. */
  get writes(): string[] {
    return this.requests
      .filter((r) => r.method !== "GET")
      .map((r) =>
        [r.method, r.path.replace("/v2-beta/", ""), r.query["action"]].filter(Boolean).join(" "),
      );
  }

  /** Lets a resource pass through states, one with each look. */
  pass(doc: Doc, ...states: string[]): void {
    const [first, ...rest] = states;
    if (first !== undefined) doc.state = first;
    this.coming.set(doc.id, rest);
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "http://fake");
    const text = Buffer.concat(chunks).toString();
    const seen: Request = {
      method: request.method ?? "",
      path: url.pathname.replace(/\/$/, ""),
      query: Object.fromEntries(url.searchParams),
      body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
      headers: request.headers,
      caller: this.callerOf(request.headers),
    };
    this.requests.push(seen);
    const fault = this.fault(seen);
    if (fault === "drop") {
      response.destroy();
      return;
    }
    const answer = typeof fault === "object" ? fault : this.answer(seen);
    if (fault === "lose") {
      response.destroy();
      return;
    }
    const headers = "headers" in answer ? answer.headers : {};
    response.writeHead(answer.status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(answer.body ?? {}));
  }

  private callerOf({ authorization }: http.IncomingHttpHeaders): string {
    if (authorization === undefined) return "anonymous";
    const [scheme, value = ""] = authorization.split(" ");
    if (scheme === "Bearer") return value === "jwt" ? "bearer" : "wrong";
    const pair = Buffer.from(value, "base64").toString();
    const key = this.all("apikeys").find(
      (k) => `${String(k["publicValue"])}:${String(k["secret"])}` === pair,
    );
    // Like the recorded server, a key works only once it is active.
    if (key !== undefined && this.coming.get(key.id)?.length) this.look(key);
    return key?.state === "active" ? "key" : "wrong";
  }

  private answer(request: Request): Answer {
    const parts = request.path.split("/").slice(2);
    if (parts[0] === "token") return this.logIn(request);
    const enforced = !this.open || request.headers["x-enforce-authentication"] === "true";
    if (enforced && (request.caller === "anonymous" || request.caller === "wrong")) {
      return refusal(401, "Unauthorized");
    }
    if (parts[0] === "localauthconfigs") return this.localAuth(request);
    if (parts[0] === "settings" && parts[1] !== undefined) return this.setting(request, parts[1]);
    let scope: string | undefined;
    if (parts[0] === "projects" && parts.length > 2) {
      scope = parts[1];
      parts.splice(0, 2);
      const project = this.docs.get(scope ?? "");
      if (project === undefined || project.state === "removed") return refusal(403, "Forbidden");
    }
    const [collection = "", id, link] = parts;
    if (link !== undefined) return this.linked(id ?? "", link);
    if (id === undefined) return this.collection(request, collection, scope);
    return this.one(request, collection, id);
  }

  private logIn(request: Request): Answer {
    if (request.method !== "POST")
      return { status: 200, body: { data: [{ security: !this.open }] } };
    if (this.open || request.body["code"] !== `admin:${this.password ?? ""}`) {
      return refusal(401, "Unauthorized");
    }
    return {
      status: 201,
      body: { type: "token", jwt: "jwt", userType: "admin", accountId: "1a1" },
    };
  }

  private localAuth({ body }: Request): Answer {
    if (this.password !== undefined && this.password !== body["password"]) {
      return refusal(401, "IncorrectPassword");
    }
    this.password = String(body["password"]);
    this.open = body["enabled"] !== true;
    return { status: 201, body };
  }

  private collection({ method, query, body }: Request, collection: string, scope?: string): Answer {
    if (method === "GET") {
      const filters = ["name", "stackId", "uuid"].filter((f) => query[f] !== undefined);
      const found = this.all(collection).filter(
        (d) =>
          filters.every((f) => String(d[f]).toLowerCase() === String(query[f]).toLowerCase()) &&
          (scope === undefined || !SCOPED.includes(collection) || d["accountId"] === scope),
      );
      const headers = { "x-api-account-kind": "admin" };
      return {
        status: 200,
        headers,
        body: { type: "collection", data: found.map((d) => this.view(d)) },
      };
    }
    const taken = this.all(collection).some(
      (d) =>
        d["name"] === body["name"] &&
        d["stackId"] === body["stackId"] &&
        body["name"] !== undefined,
    );
    if (taken && (PREFIX[collection]?.startsWith("1s") === true || collection === "certificates"))
      return refusal(422, "NotUnique", "name");
    return { status: 201, body: this.view(this.make(collection, body, scope), true) };
  }

  private make(collection: string, body: Record<string, unknown>, scope?: string): Doc {
    const doc = this.add(collection, {
      ...body,
      accountId: scope ?? body["accountId"] ?? "1a1",
    });
    if (collection === "projects") {
      Object.assign(doc, { uuid: `uuid-${doc.id}`, orchestration: "cattle", members: null });
      Object.assign(doc, { virtualMachine: body["virtualMachine"] ?? false });
      doc["servicesPortRange"] ??= { startPort: 49153, endPort: 65535 };
      const owner = { externalId: "1a1", externalIdType: "rancher_id", role: "owner" };
      this.setMembers(doc.id, (body["members"] as object[] | undefined) ?? [owner]);
      this.pass(doc, "registering", "active");
    } else if (collection === "certificates") {
      Object.assign(doc, readOut(body));
      this.pass(doc, "activating", "active");
    } else if (collection === "apikeys") {
      Object.assign(doc, { publicValue: `ACCESS${doc.id}`, secret: `SECRET${doc.id}SECRET` });
      this.pass(doc, "registering", "active");
      return { ...doc, secretValue: doc["secret"] };
    }
    if (collection === "registrationtokens") {
      this.pass(doc, "registering", "active");
      this.sign(doc, "1");
    } else if (collection === "stacks") this.pass(doc, "activating", "active");
    else if (PREFIX[collection] === "1s") {
      doc["launchConfig"] = {
        type: "launchConfig",
        version: "0",
        ...(body["launchConfig"] as object),
      };
      if (body["startOnCreate"] === true) {
        this.pass(doc, "registering", "activating", "active");
        this.run(doc);
      } else this.pass(doc, "registering", "inactive");
    }
    return doc;
  }

  private setMembers(project: string, members: readonly object[]): void {
    for (const old of this.all("projectmembers")) {
      if (old["accountId"] === project) old.state = "removed";
    }
    for (const member of members) {
      this.add("projectmembers", { ...member, accountId: project, name: "somebody" });
    }
  }

  /** Settings are answered by name, also unknown ones; a change is in effect one look later. */
  private setting({ method, body }: Request, name: string): Answer {
    const setting = this.settings.get(name) ?? {};
    if (method === "PUT") {
      this.lagging = setting.stored ?? setting.packaged;
      this.settings.set(name, { ...setting, stored: String(body["value"]) });
    } else if (method === "DELETE") {
      if (setting.stored === undefined) return refusal(404, "Not Found");
      const { stored: _, ...rest } = setting;
      this.settings.set(name, rest);
    } else this.lagging = undefined;
    const { stored, packaged, preset } = this.settings.get(name) ?? {};
    const inForce = preset ?? (method === "PUT" ? this.lagging : stored) ?? packaged ?? null;
    const sources = [
      [preset, "Environment Variables"],
      [stored, "Database"],
      [packaged, "Code Packaged Defaults"],
    ];
    const source = sources.find(([value]) => value !== undefined)?.[1] ?? null;
    const inDb = stored !== undefined;
    const value = stored ?? inForce;
    return { status: 200, body: { id: name, name, value, activeValue: inForce, inDb, source } };
  }

  /** Gives a registration token its outputs; the server signs them anew every year. */
  sign(doc: Doc, year: string): void {
    const token = `KEY${doc.id}:${year}:hash${year}`;
    const registrationUrl = `http://rancher.test:8080/v1/scripts/${token}`;
    Object.assign(doc, {
      token,
      registrationUrl,
      command: `docker run ${registrationUrl}`,
      image: "agent",
    });
  }

  /** Makes as many running containers as a service's scale says. */
  private run(service: Doc): void {
    const mine = this.all("instances").filter((i) => i["serviceId"] === service.id);
    const config = service["launchConfig"] as Record<string, unknown>;
    const wanted = Number(service["scale"] ?? 1);
    for (const extra of mine.slice(wanted)) extra.state = "removed";
    for (let n = mine.length; n < wanted; n++) {
      this.add("instances", {
        serviceId: service.id,
        state: "running",
        healthState: "healthy",
        version: config["version"],
      });
    }
  }

  private linked(id: string, link: string): Answer {
    const field = this.docs.get(id)?.type === "hosts" ? "hostId" : "serviceId";
    const found = this.all(link).filter((d) => d[field] === id);
    return { status: 200, body: { type: "collection", data: found.map((d) => this.view(d)) } };
  }

  private one(request: Request, collection: string, id: string): Answer {
    const doc = this.docs.get(id);
    const { method, query, body } = request;
    if (doc === undefined)
      return method === "GET" ? refusal(404, "Not Found") : refusal(500, "Internal Server Error");
    if (method === "POST") return this.act(doc, query["action"] ?? "", body);
    if (method === "DELETE") {
      const forbidden = ["apikeys", "hosts", "registrationtokens"].includes(collection);
      if (forbidden && doc.state !== "inactive") return refusal(405, "Method not allowed");
      const user = this.users.get(id);
      if (user !== undefined) {
        const message = `Certificate is in use by load balancer services: ${user}`;
        return {
          status: 405,
          body: { type: "error", status: 405, code: "InvalidAction", message },
        };
      }
      if (doc.state !== "removed") this.pass(doc, "removing", "removed");
    } else if (method === "PUT") {
      // Like the real server, a launch config is dropped without a word.
      Object.assign(doc, { ...body, launchConfig: doc["launchConfig"] });
      if (collection === "certificates") {
        Object.assign(doc, readOut(body));
        this.pass(doc, "updating-active", "active");
      }
      if (PREFIX[collection] === "1s") {
        this.pass(doc, "updating-active", "active");
        this.run(doc);
      }
    } else this.look(doc);
    return { status: 200, body: this.view(doc) };
  }

  private act(doc: Doc, action: string, body: Record<string, unknown>): Answer {
    const service = PREFIX[doc.type] === "1s";
    if (action === "setmembers") {
      this.setMembers(doc.id, body["members"] as object[]);
      return { status: 202, body };
    }
    const from: Record<string, string[]> = {
      activate: ["inactive"],
      deactivate: ["active", "registering", "reconnecting", "disconnected"],
      evacuate: ["active"],
      upgrade: ["active", "inactive", "activating", "updating-active"],
      cancelupgrade: ["upgrading"],
      rollback: ["upgraded", "upgrading", "canceled-upgrade"],
      finishupgrade: ["upgraded"],
    };
    if (!(from[action] ?? []).includes(doc.state))
      return refusal(422, "ActionNotAvailable", "action");
    const upgrade = doc["upgrade"] as { inServiceStrategy: Record<string, unknown> } | undefined;
    const mine = this.all("instances").filter((i) => i["serviceId"] === doc.id);
    if (action === "activate") {
      this.pass(doc, "activating", "active");
      if (service) this.run(doc);
    } else if (action === "deactivate") this.pass(doc, "deactivating", "inactive");
    else if (action === "upgrade") {
      const strategy = body["inServiceStrategy"] as Record<string, unknown>;
      const version = String(this.requests.length);
      const previousLaunchConfig = doc["launchConfig"];
      doc["launchConfig"] = {
        type: "launchConfig",
        version,
        ...(strategy["launchConfig"] as object),
      };
      doc["upgrade"] = { inServiceStrategy: { ...strategy, previousLaunchConfig } };
      if (this.upgradesWork) {
        for (const old of mine) {
          old.state = "stopped";
          this.add("instances", { ...old, id: `1i9${old.id.slice(2)}`, state: "running", version });
        }
        this.pass(doc, "upgrading", "upgrading", "upgraded");
      } else this.pass(doc, "upgrading");
    } else if (action === "cancelupgrade") this.pass(doc, "canceling-upgrade", "canceled-upgrade");
    else if (action === "rollback") {
      doc["launchConfig"] = upgrade?.inServiceStrategy["previousLaunchConfig"];
      for (const i of mine) i.state = i["version"] === "0" ? "running" : "removed";
      this.pass(doc, "rolling-back", "active");
    } else if (action === "finishupgrade") {
      for (const i of mine) if (i.state === "stopped") i.state = "removed";
      this.pass(doc, "finishing-upgrade", "active");
    } else if (action === "evacuate") {
      for (const i of this.all("instances")) if (i["hostId"] === doc.id) i.state = "removed";
    }
    return { status: 202, body: this.view(doc) };
  }

  private look(doc: Doc): void {
    const next = this.coming.get(doc.id)?.shift();
    if (next !== undefined) doc.state = next;
  }

  private view(doc: Doc, fresh = false): Record<string, unknown> {
    return {
      ...doc,
      ...(doc.type === "certificates" && !fresh ? { key: null } : {}),
      secret: undefined,
      transitioning: /ing$|^updating/.test(doc.state) && doc.state !== "running" ? "yes" : "no",
    };
  }
}

/** What the server reads out of a certificate. */
function readOut({ cert }: Record<string, unknown>): Record<string, unknown> {
  if (typeof cert !== "string") return {};
  const { subject, issuer, serialNumber, fingerprint } = new X509Certificate(cert);
  const CN = /CN=(.*)/.exec(subject)?.[1];
  return { CN, issuer, serialNumber, certFingerprint: fingerprint, algorithm: "SHA256withRSA" };
}

function refusal(status: number, code: string, fieldName: string | null = null): Answer {
  return { status, body: { type: "error", status, code, message: code, detail: null, fieldName } };
}
