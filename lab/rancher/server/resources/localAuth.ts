import { adminAccountId, hashSecret, newSecret } from "../auth";
import { ApiError, invalid, unauthorized } from "../errors";
import type { Context } from "../http/context";
import { optionalBoolean, optionalString, type Body } from "../http/validate";
import { newCredential } from "./credentials";

const provider = "localAuthConfig";

/** A collection of one thing without id or links, as Rancher serves access control and tokens. */
function single(type: string, row: Body, c: Context): Body {
  return {
    type: "collection",
    resourceType: type,
    links: { self: `${c.base}/${type.toLowerCase()}${type === "localAuthConfig" ? "s" : ""}` },
    createTypes: {},
    actions: {},
    data: [row],
    sortLinks: {},
    pagination: null,
    sort: null,
    filters: {},
    createDefaults: {},
  };
}

function config(fields: Body): Body {
  return { id: null, type: provider, links: {}, actions: {}, baseType: provider, ...fields };
}

/** `GET /localauthconfigs`: whether access control is on, without names or passwords. */
export function getLocalAuth(c: Context): Body {
  return single(
    provider,
    config({
      accessMode: c.app.settings.value("api.auth.local.access.mode"),
      enabled: c.app.auth.enabled,
      name: "",
      password: null,
      username: "",
    }),
    c,
  );
}

/**
 * `POST /localauthconfigs`: turns access control on or off. The password becomes the first admin's; a
 * name that is taken needs its present password (401 IncorrectPassword), so this does not change one.
 */
export function setLocalAuth(body: Body, c: Context): Body {
  const { db, settings, auth } = c.app;
  const username = optionalString(body, "username");
  const password = optionalString(body, "password");
  if (username === null || username === "") throw invalid("MissingRequired", "username");
  if (password === null || password === "") throw invalid("MissingRequired", "password");
  const name = optionalString(body, "name");
  const accessMode = optionalString(body, "accessMode");
  // Left out means off, as on the real server.
  const enabled = optionalBoolean(body, "enabled") ?? false;

  const existing = db.credentials
    .live()
    .find((r) => r.kind === "password" && r.publicValue === username);
  if (existing !== undefined && auth.checkPassword(username, password) === undefined) {
    throw new ApiError(
      401,
      "IncorrectPassword",
      `Username: ${username} is taken and provided password is incorrect.`,
    );
  }
  if (existing === undefined) {
    // The first admin has one password credential: an earlier one of another name goes.
    for (const old of db.credentials.live()) {
      if (old.kind === "password" && old.accountId === adminAccountId) {
        db.setState(db.credentials, old, "removed", "no", null, { removed: Date.now() });
      }
    }
    db.credentials.insert({
      ...newCredential("password", adminAccountId),
      state: "active",
      transitioning: "no",
      transitioningMessage: null,
      publicValue: username,
      secretValue: hashSecret(password),
    });
  }
  const admin = db.accounts.get(adminAccountId);
  if (admin !== undefined) {
    db.accounts.update(admin, {
      name: name ?? admin.name,
      externalId: String(adminAccountId),
      externalIdType: "rancher_id",
    });
  }
  settings.set("api.auth.local.access.mode", accessMode);
  settings.set("api.auth.provider.configured", provider);
  settings.set("api.security.enabled", String(enabled));
  return config({ accessMode, enabled, name, password, username });
}

function token(fields: Body, c: Context): Body {
  const enabled = c.app.auth.enabled;
  return {
    id: null,
    type: "token",
    links: {},
    actions: {},
    baseType: "token",
    accountId: null,
    authProvider: enabled ? provider : null,
    code: null,
    enabled,
    jwt: null,
    originalLogin: null,
    redirectUrl: null,
    security: enabled,
    user: null,
    userIdentity: null,
    userType: null,
    ...fields,
  };
}

function identityOf(accountId: number, externalId: string, c: Context): Body {
  const account = c.app.db.accounts.get(accountId);
  const login = c.app.db.credentials
    .live()
    .find((r) => r.kind === "password" && r.accountId === accountId);
  return {
    externalId,
    profilePicture: null,
    name: account?.name ?? null,
    externalIdType: "rancher_id",
    profileUrl: null,
    login: login?.publicValue ?? null,
    role: null,
    projectId: null,
    user: false,
    id: `rancher_id:${externalId}`,
    all: null,
  };
}

/** `GET /token`: open to everyone; shows the session's token when there is one. */
export function getToken(c: Context, session: string | undefined): Body {
  const account = c.identity.account;
  return single(
    "token",
    session === undefined
      ? token({}, c)
      : token(
          {
            jwt: `Bearer ${session}`,
            userIdentity: {
              ...identityOf(account.id, String(account.id), c),
              profilePicture: "",
              profileUrl: "",
            },
            userType: account.kind,
          },
          c,
        ),
    c,
  );
}

/** `POST /token {code: "user:password"}`: logs in. */
export function login(body: Body, c: Context): Body {
  const { db, auth, settings } = c.app;
  const code = optionalString(body, "code", 65535) ?? "";
  const colon = code.indexOf(":");
  const account =
    colon < 0 ? undefined : auth.checkPassword(code.slice(0, colon), code.slice(colon + 1));
  if (account === undefined) throw unauthorized();
  const value = newSecret();
  const lifetime = Number(settings.value("api.auth.jwt.token.expiry") ?? 57_600_000);
  db.tokens.insert({ value, accountId: account.id, expires: Date.now() + lifetime, removed: null });
  return token(
    {
      accountId: `1a${String(account.id)}`,
      authProvider: provider,
      jwt: value,
      user: code.slice(0, colon),
      userIdentity: identityOf(account.id, `1a${String(account.id)}`, c),
      userType: account.kind,
    },
    c,
  );
}

/** `DELETE /token/current`: ends the session. */
export function logout(c: Context): void {
  const { db } = c.app;
  const session = db.tokens.live().find((t) => t.value === c.identity.token);
  if (session !== undefined) db.tokens.update(session, { removed: Date.now() });
}

/** `GET /identities`. */
export function identities(c: Context): Body {
  const account = c.identity.account;
  const id = `1i!rancher_id:1a${String(account.id)}`;
  const { login: user } = identityOf(account.id, "", c);
  const self = `${c.base}/identities`;
  return {
    type: "collection",
    resourceType: "identity",
    links: { self },
    createTypes: {},
    actions: {},
    data: [
      {
        id,
        type: "identity",
        links: { self: `${self}/${id}` },
        actions: {},
        baseType: "identity",
        all: null,
        externalId: `1a${String(account.id)}`,
        externalIdType: "rancher_id",
        login: user,
        name: account.name,
        profilePicture: null,
        profileUrl: null,
        projectId: null,
        role: null,
        user: true,
      },
    ],
    sortLinks: { all: `${self}?sort=all`, name: `${self}?sort=name` },
    pagination: null,
    sort: null,
    filters: { all: null, name: null },
    createDefaults: {},
  };
}
