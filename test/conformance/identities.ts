/** Who sent a recorded request. The recordings hide the Authorization header. */
import type { Recording } from "./recordings";

/** `key` is the environment's API key, `account key` the administrator's. */
export type Identity =
  "anonymous" | "login" | "account key" | "key" | "other key" | "bad key" | "password";

/** Where neither the headers nor the neighbours tell it. */
const byNumber: Readonly<Record<number, Identity>> = {
  48: "bad key",
  49: "password",
  62: "account key",
  77: "other key",
  310: "account key",
  351: "account key",
  354: "account key",
  396: "bad key",
};

/** From here on the recorder asked through the proxy in front of the server and kept no headers. */
const throughProxy = 411;

/** Undefined for a poll, which has no headers: whoever sent the request before it. */
export function identityOf({ number, request, response }: Recording): Identity | undefined {
  const known = byNumber[number];
  if (known !== undefined) return known;
  if (number >= throughProxy) return "key";
  if (response === undefined) return undefined;
  const authorization = request.headers?.["Authorization"] ?? "";
  if (authorization.startsWith("Bearer")) return "login";
  if (!authorization.startsWith("Basic")) return "anonymous";
  return response.headers?.["X-API-ACCOUNT-KIND"] === "admin" ||
    response.headers?.["X-API-USER-ID"] === "1a1"
    ? "account key"
    : "key";
}
