import { createHmac } from "node:crypto";
import {
  adminAccountId,
  checkSecret,
  derive,
  hashSecret,
  newPublicValue,
  newSecret,
} from "../auth";
import { newDoc } from "../database";
import type { AccountDoc, CredentialDoc } from "../documents";
import { ApiError, invalid, methodNotAllowed } from "../errors";
import type { Context } from "../http/context";
import { commonFields } from "../http/format";
import { optionalString } from "../http/validate";
import { formatId, parseId } from "../ids";
import type { ActionResult, ResourceType } from "./type";

const filters = [
  "accountId",
  "created",
  "description",
  "id",
  "kind",
  "name",
  "publicValue",
  "registryId",
  "removeTime",
  "removed",
  "secretValue",
  "state",
  "uuid",
];

/** Actions by state. Source: recordings. */
const actionsByState: Readonly<Record<string, readonly string[]>> = {
  registering: ["activate", "remove", "deactivate"],
  active: ["update", "deactivate"],
  inactive: ["activate", "update", "remove"],
  removed: ["purge"],
};

/** A new credential. */
export function newCredential(kind: string, accountId: number | null): Omit<CredentialDoc, "id"> {
  return {
    ...newDoc(kind, "registering", accountId),
    publicValue: null,
    secretValue: null,
    registerKeyHash: null,
    hostId: null,
  };
}

/** Secrets of keys just made, by row: shown in the answer to create and nowhere else. */
const fresh = new WeakMap<CredentialDoc, string>();

function act(
  row: CredentialDoc,
  action: string,
  body: Record<string, unknown>,
  c: Context,
): ActionResult {
  const { db } = c.app;
  switch (action) {
    case "activate":
      db.setState(db.credentials, row, "activating", "yes");
      break;
    case "deactivate":
      db.setState(db.credentials, row, "deactivating", "yes");
      break;
    case "remove":
      db.setState(db.credentials, row, "removing", "yes");
      break;
    case "update":
      update(row, body, c);
      break;
    case "purge":
      db.setState(db.credentials, row, "purged");
      break;
    default:
      throw invalid("InvalidAction", "action");
  }
  return { status: 202 };
}

function update(row: CredentialDoc, body: Record<string, unknown>, c: Context): void {
  c.app.db.credentials.update(row, {
    ...("name" in body ? { name: optionalString(body, "name") } : {}),
    ...("description" in body ? { description: optionalString(body, "description") } : {}),
  });
}

function remove(row: CredentialDoc, c: Context): void {
  const { db } = c.app;
  if (row.removed !== null || row.state === "removing") return;
  // An active key must be deactivated first; so must one that is still registering or changing.
  if (row.state !== "inactive") throw methodNotAllowed();
  db.setState(db.credentials, row, "removing", "yes");
}

/** The account a new API key is for. */
function accountFor(body: Record<string, unknown>, c: Context): AccountDoc {
  const given = body.accountId;
  // An environment's key cannot say for whom: the field is not its to write. Source: schema 089.
  if (c.identity.account.kind === "project") return c.identity.account;
  if (given === undefined || given === null) {
    return c.project ?? c.identity.account;
  }
  const account = c.app.db.accounts.get(parseId(given));
  if (account === undefined || account.removed !== null)
    throw invalid("InvalidReference", "accountId");
  return account;
}

/** API keys, of accounts and of environments. */
export const apiKeyType: ResourceType<CredentialDoc> = {
  type: "apiKey",
  baseType: "credential",
  plural: "apikeys",
  where: "both",
  creatable: "both",
  filters,
  rows: (c) => c.app.db.credentials.all().filter((r) => r.kind === "apiKey"),
  find: (id, c) => {
    const r = c.app.db.credentials.get(parseId(id));
    return r?.kind === "apiKey" ? r : undefined;
  },
  idOf: (r) => formatId("credential", r.id),
  isRemoved: (r) => r.removed !== null,
  fields: (r, c) => ({
    ...commonFields(r),
    ...(c.scoped || c.identity.account.kind === "project" ? {} : { data: {}, removeTime: null }),
    accountId: formatId("account", r.accountId),
    publicValue: r.publicValue,
    // The answer to `deactivate` shows the hash: a leak of the real server that clients must cope with.
    secretValue: fresh.get(r) ?? (r.state === "deactivating" ? r.secretValue : null),
  }),
  links: () => ["account", "images", "instances", "certificate"],
  actions: (r) => actionsByState[r.state] ?? [],
  allActions: ["activate", "deactivate", "remove", "update", "purge"],
  create: (body, c) => {
    const account = accountFor(body, c);
    const publicValue = optionalString(body, "publicValue") ?? newPublicValue();
    const secret = optionalString(body, "secretValue") ?? newSecret();
    const { db } = c.app;
    if (db.credentials.live().some((r) => r.publicValue === publicValue))
      throw invalid("NotUnique", "publicValue");
    const row = db.credentials.insert({
      ...newCredential("apiKey", account.id),
      name: optionalString(body, "name"),
      description: optionalString(body, "description"),
      publicValue,
      secretValue: hashSecret(secret),
    });
    fresh.set(row, secret);
    // Long enough for this request's answer only.
    setImmediate(() => fresh.delete(row));
    return row;
  },
  update,
  remove,
  act,
};

/** The login of a local account; its secret is never shown. Not recorded but for its schema. */
export const passwordType: ResourceType<CredentialDoc> = {
  type: "password",
  baseType: "credential",
  plural: "passwords",
  where: "both",
  filters,
  rows: (c) => c.app.db.credentials.all().filter((r) => r.kind === "password"),
  find: (id, c) => {
    const r = c.app.db.credentials.get(parseId(id));
    return r?.kind === "password" ? r : undefined;
  },
  idOf: (r) => formatId("credential", r.id),
  isRemoved: (r) => r.removed !== null,
  fields: (r) => ({
    ...commonFields(r),
    accountId: formatId("account", r.accountId),
    publicValue: r.publicValue,
    secretValue: null,
  }),
  links: () => ["account", "images", "instances"],
  actions: (r) => [
    ...(actionsByState[r.state] ?? []),
    ...(r.state === "active" ? ["changesecret"] : []),
  ],
  allActions: ["activate", "deactivate", "remove", "update", "purge", "changesecret"],
  update,
  remove,
  act: (row, action, body, c) => {
    if (action !== "changesecret") return act(row, action, body, c);
    const oldSecret = optionalString(body, "oldSecret");
    const wanted = optionalString(body, "newSecret");
    if (wanted === null || wanted === "") throw invalid("MissingRequired", "newSecret");
    if (!checkSecret(oldSecret ?? "", row.secretValue)) {
      throw new ApiError(400, "InvalidPassword", "the old secret is not right");
    }
    c.app.db.credentials.update(row, { secretValue: hashSecret(wanted) });
    return { status: 202, body: { type: "changeSecretInput", oldSecret, newSecret: wanted } };
  },
};

/** Start of the year in milliseconds: the time part of real registration tokens changes once a year. */
const yearStart = (): number => Date.UTC(new Date().getUTCFullYear(), 0, 1);

/** `<access key>:<year start>:<signature>`. */
function makeToken(installSecret: string): string {
  const head = `${newPublicValue()}:${String(yearStart())}`;
  const signature = createHmac("sha1", derive(installSecret, "registration"))
    .update(head)
    .digest("base64")
    .replace(/[/+=]/g, "");
  return `${head}:${signature}`;
}

/** Base URL that hosts use: the setting api.host, else what the client used. */
function hostFacingUrl(c: Context): string {
  const host = c.app.settings.value("api.host");
  return host === null || host === "" ? c.origin : host.replace(/\/+$/, "");
}

/** The active registration token of this text. */
export function findRegistrationToken(
  token: string,
  c: { app: Context["app"] },
): CredentialDoc | undefined {
  return c.app.db.credentials
    .live()
    .find((r) => r.kind === "registrationToken" && r.state === "active" && r.secretValue === token);
}

/** Registration tokens. */
export const registrationTokenType: ResourceType<CredentialDoc> = {
  type: "registrationToken",
  baseType: "credential",
  plural: "registrationtokens",
  where: "both",
  creatable: "project",
  filters,
  rows: (c) => c.app.db.credentials.all().filter((r) => r.kind === "registrationToken"),
  find: (id, c) => {
    const r = c.app.db.credentials.get(parseId(id));
    return r?.kind === "registrationToken" ? r : undefined;
  },
  idOf: (r) => formatId("credential", r.id),
  isRemoved: (r) => r.removed !== null,
  fields: (r, c) => {
    const ready = r.state === "active" && r.secretValue !== null;
    const url = `${hostFacingUrl(c)}/v1/scripts/${r.secretValue ?? ""}`;
    const image = c.app.settings.value("bootstrap.required.image") ?? "";
    const command = `sudo docker run --rm --privileged -v /var/run/docker.sock:/var/run/docker.sock -v /var/lib/rancher:/var/lib/rancher ${image} ${url}`;
    return {
      ...commonFields(r),
      accountId: formatId("account", r.accountId),
      command: ready ? command : null,
      image: ready ? image : null,
      registrationUrl: ready ? url : null,
      token: ready ? r.secretValue : null,
      ...(ready
        ? {
            windowsCommand:
              'docker run --rm -v "C:\\Program Files\\rancher:C:\\Program Files\\rancher" rancher/agent-windows:v0.2.0',
          }
        : {}),
    };
  },
  links: () => ["account", "images", "instances"],
  extraLinks: (r, c): Record<string, string> =>
    r.state === "active"
      ? { registrationUrl: `${hostFacingUrl(c)}/v1/scripts/${r.secretValue ?? ""}` }
      : {},
  actions: (r) => actionsByState[r.state] ?? [],
  allActions: ["activate", "deactivate", "remove", "update", "purge"],
  create: (body, c) => {
    if (c.project === undefined) throw methodNotAllowed();
    return c.app.db.credentials.insert({
      ...newCredential("registrationToken", c.project.id),
      name: optionalString(body, "name"),
      description: optionalString(body, "description"),
      secretValue: makeToken(c.app.settings.installSecret),
    });
  },
  update,
  remove,
  act,
};

/** Accounts: people and the built-in ones. */
export const accountType: ResourceType<AccountDoc> = {
  type: "account",
  baseType: "account",
  plural: "accounts",
  where: "root",
  creatable: "root",
  filters: [
    "created",
    "defaultNetworkId",
    "description",
    "externalId",
    "externalIdType",
    "healthState",
    "id",
    "kind",
    "name",
    "projectTemplateId",
    "removeTime",
    "removed",
    "revision",
    "state",
    "uuid",
    "version",
  ],
  createTypes: { account: "accounts", project: "projects" },
  rows: (c) => c.app.db.accounts.all(),
  find: (id, c) => c.app.db.accounts.get(parseId(id)),
  idOf: (a) => formatId("account", a.id),
  isRemoved: (a) => a.removed !== null,
  typeOf: (a) => (a.kind === "project" ? "project" : "account"),
  fields: (a) => ({
    ...commonFields(a),
    ...(a.id <= 4 ? { created: null, createdTS: undefined } : {}),
    data: { fields: { hasLoggedIn: a.externalId !== null } },
    externalId: a.externalId,
    externalIdType: a.externalIdType,
    identity: `1i!rancher_id:${String(a.id)}`,
    removeTime: null,
    version: a.id === adminAccountId ? null : "2",
  }),
  links: () => ["hosts", "instances", "services", "stacks"],
  actions: (a) => {
    if (a.state === "active") return ["upgrade", "update", "deactivate"];
    return actionsByState[a.state] ?? [];
  },
  allActions: ["upgrade", "update", "activate", "deactivate", "remove", "purge"],
  create: (body, c) => {
    if (c.identity.account.kind !== "admin") throw methodNotAllowed();
    return c.app.db.accounts.insert({
      ...newDoc(optionalString(body, "kind") ?? "user", "registering", null),
      name: optionalString(body, "name"),
      externalId: null,
      externalIdType: null,
      healthState: "healthy",
      projectTemplateId: null,
      stacksCreated: false,
      hostRemoveDelaySeconds: null,
      servicesPortRange: null,
      virtualMachine: false,
      members: null,
    });
  },
};
