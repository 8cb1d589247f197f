/**
 * Closes a Rancher server: local authentication on, one administrator, one API key for programs.
 *
 * A fresh server lets everybody in as the administrator. The steps are in an order that never locks
 * anybody out and that can be broken off anywhere: the key is made and proven before authentication
 * is turned on, and the password is known to the engine before the first step.
 */
import type { Client, RequestOptions } from "../client/client";
import { ApiError, CanceledError, ConnectionError, hasCode, isPassing } from "../client/errors";
import {
  type ApiKey,
  type ApiResource,
  type Collection,
  isLeaving,
  type Token,
} from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import type { Call, Props, Resource } from "../plugin/types";
import { inspect, onlyProperties } from "./checks";
import { type MadeKey, makeKey, PROBE, provenKey, removeCredential } from "./credentials";
import { ownerMark } from "./ownership";

const KEYS = "/v2-beta/apikeys";
const LOCAL_AUTH = "/v2-beta/localauthconfigs";
const KEY_NAME = "pulumi-access-control";
/** What deleting means when the program does not say. */
const LEFT_ON = { turnOffOnDelete: false } as const;

const RECOVERY =
  "if the password is lost, open the server's database, run " +
  "`UPDATE setting SET value='false' WHERE name='api.security.enabled'` and " +
  "`DELETE FROM credential WHERE kind='password'`, wait a minute and run this again";

interface Login {
  readonly username: string;
  readonly password: string;
}

/** What one operation works with. */
interface Work {
  readonly client: Client;
  readonly call: Call;
  readonly login: Login;
  readonly until: number;
  readonly options: RequestOptions;
}

/** See `rancher.AccessControl`. */
export const accessControl: Resource<Client> = {
  secretOutputs: ["password", "secretKey"],

  check(given) {
    const inputs = { username: "admin", ...LEFT_ON, ...given };
    const { place, problems } = inspect(inputs);
    onlyProperties(place, ["username", "password", "turnOffOnDelete"]);
    place.at("turnOffOnDelete").flag();
    place.at("username").text({ required: true, maxLength: 255 });
    place.at("password").text({ required: true });
    if (typeof inputs.username === "string" && inputs.username.includes(":")) {
      place
        .at("username")
        .reject("must not contain a colon: the server takes what follows for the password");
    }
    return { inputs, problems };
  },

  // States from before there was this input have no value for it.
  diff: ({ oldInputs, inputs }) => diffInputs({ ...LEFT_ON, ...oldInputs }, inputs),

  async create(client, inputs, call) {
    const work = workOf(client, inputs, call);
    const open = await isOpen(work);
    const admin = open ? work.client : await logIn(work);
    const { id, publicValue: accessKey, secretValue: secretKey } = await adminKey(work, admin);
    const holder = client.as({ kind: "key", accessKey, secretKey });
    if (open) await close(work, holder);
    await removeOrphans(work, holder, id);
    return { id, outputs: { ...inputs, accessKey, secretKey } };
  },

  async read(client, { id, inputs, outputs }, call) {
    const accessKey = outputs["accessKey"];
    const secretKey = outputs["secretKey"];
    if (typeof accessKey !== "string" || typeof secretKey !== "string") {
      throw new Error(
        "access control cannot be imported, because the server never shows a secret key again: declare it and let it log in",
      );
    }
    const options = { signal: call.signal };
    const nobody = await statusOf(anonymous(client), PROBE, options);
    const holder = client.as({ kind: "key", accessKey, secretKey });
    const key = await statusOf(holder, `${KEYS}/${id}`, { ...options, enforce: true });
    // Open to everybody, or a key that opens nothing: what was made here is gone.
    if (nobody !== 401 || key === 401 || key === 404) return undefined;
    return { state: { id, outputs }, inputs };
  },

  async update(client, { oldInputs, old, inputs }, call) {
    const work = workOf(client, inputs, call);
    const before = workOf(client, oldInputs, call).login;
    if (work.login.username !== before.username) await rename(work, old);
    else if (work.login.password !== before.password) await changePassword(work, before);
    return { ...inputs, accessKey: old["accessKey"], secretKey: old["secretKey"] };
  },

  /** Removes the key; access control stays on unless the program said otherwise. */
  async delete(client, { id, inputs, outputs }, call) {
    const work = workOf(client, { ...outputs, ...inputs }, call);
    const turnOff = inputs["turnOffOnDelete"] === true;
    const quick = { ...work, options: { ...work.options, retryMs: 5_000 } };
    try {
      const open = (await statusOf(work.client, PROBE, quick.options)) === 200;
      // A key cannot remove itself: it no longer opens the server once it is deactivated.
      const admin = open ? work.client : await logIn(quick);
      await removeCredential(admin, call, {
        path: `${KEYS}/${id}`,
        what: `API key ${id}`,
        until: Math.min(work.until, Date.now() + 30_000),
      });
      if (turnOff && !open) await reopen(work, admin);
    } catch (error) {
      if (error instanceof CanceledError && call.signal.aborted) throw error;
      // The server usually goes together with this resource; a key that is left opens nothing then.
      if (turnOff && !(error instanceof ConnectionError)) throw error;
      call.status(`API key ${id} was left on the server: ${(error as Error).message}`);
    }
  },
};

function workOf(client: Client, inputs: Props, call: Call): Work {
  const login = { username: String(inputs["username"]), password: String(inputs["password"]) };
  client.hide(login.password);
  return {
    client: anonymous(client),
    call,
    login,
    until: deadline(call),
    options: { signal: call.signal },
  };
}

/** Without the key that the provider may have been given. */
function anonymous(client: Client): Client {
  return client.as({ kind: "anonymous" });
}

/** The status of a plain GET; repeated while the server is busy or restarting. */
async function statusOf(client: Client, path: string, options: RequestOptions): Promise<number> {
  try {
    await client.get(path, options);
    return 200;
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

/** True while the server lets everybody in. Waits until it answers at all. */
async function isOpen({ client, call, until }: Work): Promise<boolean> {
  return waitFor(client, call, {
    what: "the Rancher server to answer",
    forServer: true,
    until,
    advice: "check the provider's url and that the server has started",
    look: async (options): Promise<Seen<boolean>> => {
      const status = await statusOf(client, PROBE, options);
      if (status === 200) return { done: true };
      if (status === 401) return { done: false };
      return { waiting: `it answers ${status}` };
    },
  });
}

/** A client that is logged in as the administrator. */
async function logIn({ client, login, options }: Work): Promise<Client> {
  const { username, password } = login;
  const token = await retried(client, options, () =>
    client.post<Token>(
      "/v2-beta/token",
      { code: `${username}:${password}`, authProvider: "localauthconfig" },
      options,
    ),
  ).catch((error: unknown) => {
    if (!(error instanceof ApiError) || (error.status !== 401 && error.status !== 403)) throw error;
    throw new Error(
      `access control is on already, and the server does not let ${JSON.stringify(username)} in with the given password: give the password it was turned on with; ${RECOVERY}`,
    );
  });
  if (typeof token.jwt !== "string") throw new Error("the server's login answer carries no token");
  if (token.userType !== undefined && token.userType !== null && token.userType !== "admin") {
    throw new Error(`${JSON.stringify(username)} is not an administrator of this server`);
  }
  return client.as({ kind: "bearer", jwt: token.jwt.replace(/^Bearer /, "") });
}

/** For a POST that does no harm when it is done twice. */
async function retried<T>(
  client: Client,
  { signal, retryMs = 30_000 }: RequestOptions,
  send: () => Promise<T>,
): Promise<T> {
  const until = Date.now() + retryMs;
  for (let pause = 250; ; pause *= 2) {
    try {
      return await send();
    } catch (error) {
      if (!isPassing(error) || Date.now() + pause > until) throw error;
    }
    await client.pause(pause, signal);
  }
}

/** Makes an administrator's key and proves that it works by itself. */
async function adminKey(work: Work, admin: Client): Promise<MadeKey> {
  const { client, call, until } = work;
  const key = await makeKey(admin, call, {
    path: KEYS,
    body: { name: KEY_NAME, description: ownerMark(call) },
    until,
    removeOrphans: () => removeOrphans(work, admin, ""),
  });
  const { id, publicValue: accessKey, secretValue: secretKey } = key;
  const answer = await provenKey(client, call, { id, accessKey, secretKey, until });
  if (answer.headers["x-api-account-kind"] === "admin") return key;
  throw new Error(`API key ${id} is not an administrator's`);
}

/** Turns local authentication on and sees that it is. */
async function close({ client, call, login, until, options }: Work, holder: Client): Promise<void> {
  try {
    await holder.post(LOCAL_AUTH, localAuth(login, true), options);
  } catch (error) {
    if (hasCode(error, "IncorrectPassword")) {
      throw new Error(
        `the server knows ${JSON.stringify(login.username)} from an earlier time with another password: give that one; ${RECOVERY}`,
      );
    }
    // Whether it took effect is seen below; if not, the next run finds the server open and goes on.
    if (!isPassing(error)) throw error;
  }
  await waitFor(client, call, {
    what: "the server to refuse anonymous requests",
    until: Math.min(until, Date.now() + 60_000),
    advice: "run it again: nobody is locked out, the server is still open",
    look: async (look) => {
      const nobody = await client.raw("GET", PROBE, look);
      if (nobody.status !== 401) return { waiting: `it answers ${nobody.status}` };
      const ours = await holder.raw("GET", PROBE, look);
      return ours.status === 200
        ? { done: undefined }
        : { waiting: `it refuses our key too (${ours.status})` };
    },
  });
}

/** Turns local authentication off and sees that everybody is let in. */
async function reopen(work: Work, admin: Client): Promise<void> {
  const { client, call, login, until, options } = work;
  try {
    // The answer repeats the password in the clear: it is not read.
    await admin.post(LOCAL_AUTH, localAuth(login, false), options);
  } catch (error) {
    if (!isPassing(error)) throw error;
  }
  await waitFor(client, call, {
    what: "the server to let anonymous requests in",
    until: Math.min(until, Date.now() + 60_000),
    advice: "run it again, or set turnOffOnDelete to false to leave access control on",
    look: async (look): Promise<Seen<void>> => {
      const { status } = await client.raw("GET", PROBE, look);
      return status === 200 ? { done: undefined } : { waiting: `it answers ${status}` };
    },
  });
}

function localAuth(login: Login, enabled: boolean) {
  return {
    type: "localAuthConfig",
    accessMode: "unrestricted",
    // Left out, it would mean false.
    enabled,
    name: login.username,
    ...login,
  };
}

/** Removes keys that a broken-off run of this very resource made and could not note. */
async function removeOrphans(work: Work, holder: Client, keep: string): Promise<void> {
  const { call, until, options } = work;
  const keys = await holder.list<ApiKey>(KEYS, { ...options, query: { name: KEY_NAME } });
  const orphans = keys.filter(
    (key) =>
      key.name === KEY_NAME &&
      key.description === ownerMark(call) &&
      key.id !== keep &&
      !isLeaving(key),
  );
  for (const { id } of orphans) {
    await removeCredential(holder, call, {
      path: `${KEYS}/${id}`,
      what: `old API key ${id}`,
      until,
    });
  }
}

/** Another login name for the administrator; the server drops the earlier one. */
async function rename({ client, login, options }: Work, old: Props): Promise<void> {
  const holder = client.as({
    kind: "key",
    accessKey: String(old["accessKey"]),
    secretKey: String(old["secretKey"]),
  });
  await holder.post(LOCAL_AUTH, localAuth(login, true), options);
}

/** Turning authentication on again does not change a password: it has an action of its own. */
async function changePassword(work: Work, before: Login): Promise<void> {
  const { client, login, options } = work;
  const renewed = await logIn(work).catch(() => undefined);
  if (renewed !== undefined) return;
  const admin = await logIn({ ...work, login: before });
  const { data } = await admin.get<Collection<ApiResource>>("/v2-beta/passwords", {
    ...options,
    query: { publicValue: login.username },
  });
  const [password] = data;
  if (password === undefined) {
    throw new Error(`the server has no password credential for ${JSON.stringify(login.username)}`);
  }
  await admin.post(
    `/v2-beta/passwords/${password.id}/`,
    { oldSecret: before.password, newSecret: login.password },
    { ...options, query: { action: "changesecret" } },
  );
  await logIn({ ...work, client });
}
