/** The route to a server through SSH: each connection is one `ssh -W`, with the host's key pinned. */
import { sshStream } from "../plugin/sshStream";
import type { Dial } from "./transport";

/** How long `ssh` may take to connect. Seconds. */
const CONNECT_TIMEOUT_SECONDS = 15;

/** The machine through which the server is reached. */
export interface SshEndpoint {
  /** Name or address. */
  readonly host: string;
  /** @default 22 */
  readonly port?: number;
  readonly user: string;
  /** The host's public key, `ssh-ed25519 AAAA…`; a comment after it is ignored. */
  readonly hostKey: string;
  /** A name for this host that does not change with its address. */
  readonly hostKeyAlias: string;
  /** Value of ssh's option `ProxyCommand`. @default straight */
  readonly proxyCommand?: string;
}

/**
 * Arguments of the system's `ssh` that lead to `target` as seen from the endpoint. The private key is
 * whatever the user's agent or ssh configuration offers; nothing depends on files of one machine.
 */
export function sshArgs(endpoint: SshEndpoint, target: string): string[] {
  const { host, port = 22, user, hostKey, hostKeyAlias, proxyCommand } = endpoint;
  const key = hostKey.trim().split(/\s+/).slice(0, 2).join(" ");
  const options = [
    "StrictHostKeyChecking=yes",
    `HostKeyAlias=${hostKeyAlias}`,
    `KnownHostsCommand=/bin/echo ${hostKeyAlias} ${key}`,
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "BatchMode=yes",
    `ConnectTimeout=${CONNECT_TIMEOUT_SECONDS}`,
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    // A shared connection would outlive the process that opened it.
    "ControlMaster=no",
    "ControlPath=none",
    ...(proxyCommand === undefined ? [] : [`ProxyCommand=${proxyCommand}`]),
  ];
  return [
    ...options.flatMap((option) => ["-o", option]),
    ...["-T", "-p", String(port), "-l", user, "-W", target, "--", host],
  ];
}

/** Opens connections through the endpoint. */
export function sshDial(endpoint: SshEndpoint): Dial {
  return (host, port) => {
    const target =
      host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
    return sshStream(sshArgs(endpoint, target), { target: `${endpoint.user}@${endpoint.host}` });
  };
}
