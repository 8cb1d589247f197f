import { invalid, methodNotAllowed, notFound } from "../errors";
import type { Context } from "../http/context";
import { optionalString, type Body } from "../http/validate";
import type { Setting } from "../settings";

function format(s: Setting, c: Context): Body {
  const limited = c.identity.account.kind === "project";
  return {
    id: s.name,
    type: "activeSetting",
    links: { self: `${c.base}/settings/${s.name}` },
    actions: {},
    baseType: "setting",
    name: s.name,
    activeValue: s.activeValue,
    ...(limited ? {} : { inDb: s.inDb, source: s.source }),
    value: s.value,
  };
}

/** `GET /settings`: everything; a name filter is ignored, as on the real server. */
export function listSettings(c: Context): Body {
  const self = `${c.base}/settings`;
  return {
    type: "collection",
    resourceType: "setting",
    links: { self },
    createTypes: {},
    actions: {},
    data: c.app.settings.list().map((s) => format(s, c)),
    sortLinks: { id: `${self}?sort=id`, name: `${self}?sort=name`, value: `${self}?sort=value` },
    pagination: {
      first: null,
      previous: null,
      next: null,
      limit: 100,
      total: null,
      partial: false,
    },
    sort: null,
    filters: { id: null, name: null, value: null },
    createDefaults: {},
  };
}

/** `GET /settings/<name>`: 200 with nulls for an unknown one. */
export const getSetting = (name: string, c: Context): Body => format(c.app.settings.get(name), c);

/** `PUT /settings/<name>`: the answer still shows the old value in effect. */
export function putSetting(name: string, body: Body, c: Context): Body {
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  const before = c.app.settings.get(name);
  const value = optionalString(body, "value", 65535);
  c.app.settings.set(name, value);
  return format({ ...before, value, inDb: true }, c);
}

/** `POST /settings {name, value}`: makes or changes one. */
export function postSetting(body: Body, c: Context): Body {
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  const name = optionalString(body, "name");
  if (name === null || name === "") throw invalid("MissingRequired", "name");
  const before = c.app.settings.get(name);
  const value = optionalString(body, "value", 65535);
  c.app.settings.set(name, value);
  return format({ ...before, value }, c);
}

/**
 * `DELETE /settings/<name>`: back to the server's own value; the answer still shows the old one in effect.
 * Not recorded but for the schema's methods (142). Source: cattle's settings manager and test_settings.py.
 */
export function deleteSetting(name: string, c: Context): Body {
  if (c.identity.account.kind === "project") throw methodNotAllowed();
  const before = c.app.settings.get(name);
  if (!c.app.settings.remove(name)) throw notFound();
  return format({ ...before, value: before.activeValue, inDb: false }, c);
}
