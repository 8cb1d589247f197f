import type { IncomingMessage } from "node:http";
import type { App } from "../app";
import type { Identity } from "../auth";
import type { AccountDoc } from "../documents";

/** One API request, after authentication. */
export interface Context {
  readonly app: App;
  readonly identity: Identity;
  /** `v2-beta` or `v1`. */
  readonly version: string;
  /** The environment in the path, or the one an environment key is bound to. */
  readonly project: AccountDoc | undefined;
  /** Whether the environment is named in the path (decides fields shown and creatable types). */
  readonly scoped: boolean;
  /** `http://host:port`, from Host or X-Forwarded-*. */
  readonly origin: string;
  /** `<origin>/v2-beta` or `<origin>/v2-beta/projects/1a5`; links start with it. */
  readonly base: string;
  readonly query: URLSearchParams;
  /** Whether the request changes something: some types then show fewer actions in the answer. */
  readonly changing: boolean;
}

/** `http://host:port` as the client sees the server: X-Forwarded-Proto, -Host and -Port win over Host. */
export function originOf(request: IncomingMessage): string {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    const first = (Array.isArray(value) ? value[0] : value)?.split(",")[0]?.trim();
    return first === "" ? undefined : first;
  };
  const proto = header("x-forwarded-proto") ?? "http";
  let host = header("x-forwarded-host") ?? header("host") ?? "localhost:8080";
  const port = header("x-forwarded-port");
  const usual = proto === "https" ? "443" : "80";
  if (port !== undefined && port !== usual && !/:\d+$/.test(host)) host = `${host}:${port}`;
  return `${proto}://${host}`;
}

/** Address of the client: X-Forwarded-For or the socket's. */
export function clientAddress(request: IncomingMessage): string {
  const forwarded = request.headers["x-forwarded-for"];
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(",")[0]?.trim();
  const address = first ?? request.socket.remoteAddress ?? "127.0.0.1";
  return address.replace(/^::ffff:/, "");
}
