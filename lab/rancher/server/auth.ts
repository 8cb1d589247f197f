import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Database } from "./database";
import type { AccountDoc, CredentialDoc } from "./documents";
import type { Settings } from "./settings";

/** Id of the first admin account, `1a1`. */
export const adminAccountId = 1;
/** Id of the environment every installation starts with, `1a5`. */
export const defaultProjectId = 5;

/** Who asks, and how that is known. */
export interface Identity {
  readonly account: AccountDoc;
  /** `fallback`: nobody; allowed only while access control is off. */
  readonly by: "fallback" | "key" | "bearer" | "cookie";
  /** The session's token, for by bearer and cookie. */
  readonly token?: string;
}

/** `SHA256:<salt>:<hash>`, how secrets are stored (the recorded deactivate answer shows this form). */
export function hashSecret(secret: string, salt = randomBytes(10).toString("hex")): string {
  return `SHA256:${salt}:${createHash("sha256").update(`${salt}:${secret}`).digest("hex")}`;
}

/** Compares without leaking where they differ. */
export function checkSecret(secret: string, hashed: string | null): boolean {
  const salt = hashed?.split(":")[1];
  if (hashed === null || salt === undefined) return false;
  const a = Buffer.from(hashSecret(secret, salt));
  const b = Buffer.from(hashed);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A public key: 20 upper-case hex digits. */
export const newPublicValue = (): string => randomBytes(10).toString("hex").toUpperCase();
/** A secret of 40 letters and digits. */
export function newSecret(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return [...randomBytes(40)].map((b) => alphabet[b % alphabet.length] ?? "x").join("");
}

/** Decides who a request comes from. */
export class Authenticator {
  public constructor(
    private readonly db: Database,
    private readonly settings: Settings,
  ) {}

  /** Whether access control is on. */
  public get enabled(): boolean {
    return this.settings.value("api.security.enabled") === "true";
  }

  /** The caller, or undefined when the request must get 401. */
  public identify(request: IncomingMessage): Identity | undefined {
    const found = this.fromCredentials(request);
    if (found !== undefined) return found;
    // While access control is off everyone is admin, even with a wrong key; the header asks for the truth.
    if (this.enabled || request.headers["x-enforce-authentication"] === "true") return undefined;
    const admin = this.db.accounts.get(adminAccountId);
    return admin === undefined ? undefined : { account: admin, by: "fallback" };
  }

  /** The active credential of this kind that `user:secret` of a Basic header names. */
  public basic(request: IncomingMessage, kind: string): CredentialDoc | undefined {
    const pair = basicPair(request);
    if (pair === undefined) return undefined;
    const [user, secret] = pair;
    return this.db.credentials
      .live()
      .find(
        (c) =>
          c.kind === kind &&
          c.state === "active" &&
          c.publicValue === user &&
          checkSecret(secret, c.secretValue),
      );
  }

  /** Checks a user name and password; the account it belongs to. */
  public checkPassword(user: string, password: string): AccountDoc | undefined {
    const credential = this.db.credentials
      .live()
      .find((c) => c.kind === "password" && c.publicValue === user && c.state === "active");
    if (credential === undefined || !checkSecret(password, credential.secretValue))
      return undefined;
    return this.db.accounts.get(credential.accountId);
  }

  private fromCredentials(request: IncomingMessage): Identity | undefined {
    const key = this.basic(request, "apiKey");
    const keyAccount = this.db.accounts.get(key?.accountId);
    if (keyAccount !== undefined) return { account: keyAccount, by: "key" };
    const authorization = request.headers.authorization ?? "";
    const bearer = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1];
    const cookie = /(?:^|;\s*)token=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const token = bearer ?? cookie;
    if (token === undefined) return undefined;
    const session = this.db.tokens.live().find((t) => t.value === token && t.expires > Date.now());
    const account = this.db.accounts.get(session?.accountId);
    return account === undefined
      ? undefined
      : { account, by: bearer === undefined ? "cookie" : "bearer", token };
  }
}

/** `[user, password]` of a Basic header. */
export function basicPair(request: IncomingMessage): [string, string] | undefined {
  const encoded = /^Basic\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
}

/** A keyed, stable secret derived from the installation's own secret. */
export function derive(
  installSecret: string,
  purpose: string,
  encoding: "hex" | "base64" = "hex",
): string {
  return createHmac("sha256", installSecret).update(purpose).digest(encoding);
}
