import * as pulumi from "@pulumi/pulumi";
import { shellQuote } from "../config/shell";

/** What {@link SshEndpoint} is made of. */
export interface SshEndpointArgs {
  /** Address or name to connect to. */
  readonly host: pulumi.Input<string>;
  /** User to log in as. */
  readonly user: string;
  /** @default 22 */
  readonly port?: number;
  /** The host's public key, one line such as `ssh-ed25519 AAAA…`. */
  readonly hostKey: pulumi.Input<string>;
  /** Name that the key is pinned to, so that a moved address changes nothing. */
  readonly hostKeyAlias: string;
  /** A host to go through, which only passes on what is encrypted for this one. @default straight */
  readonly via?: SshEndpoint;
  /**
   * A command line, quoted for a shell, whose input and output lead to the host, with which `via` means nothing.
   *
   * @default straight
   */
  readonly tunnel?: pulumi.Input<string> | undefined;
}

/** A text as it stands in an option in which ssh replaces `%h` and the like (ssh_config, TOKENS). */
function withoutTokens(text: string): string {
  return text.replaceAll("%", "%%");
}

/**
 * One host as the system's `ssh` reaches it, and the only place that says how: the host key is
 * pinned without a known_hosts file (OpenSSH 8.5 or newer), and the private key is whatever the
 * user's agent or ssh configuration offers, so that nothing of one laptop is in the state.
 */
export class SshEndpoint {
  readonly host: pulumi.Output<string>;
  readonly user: string;
  readonly port: number;
  readonly hostKey: pulumi.Output<string>;
  readonly hostKeyAlias: string;
  /** Value of ssh's option `ProxyCommand`; undefined when connections go straight. */
  readonly proxyCommand: pulumi.Output<string> | undefined;

  constructor(args: SshEndpointArgs) {
    this.host = pulumi.output(args.host);
    this.user = args.user;
    this.port = args.port ?? 22;
    this.hostKey = pulumi.output(args.hostKey);
    this.hostKeyAlias = args.hostKeyAlias;
    this.proxyCommand =
      args.tunnel === undefined ? args.via?.jump : pulumi.output(args.tunnel).apply(withoutTokens);
  }

  /** Options of `ssh`, one argument an element. */
  get options(): pulumi.Output<string[]> {
    return pulumi.all([this.hostKey, this.proxyCommand]).apply(([hostKey, proxyCommand]) =>
      [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        `HostKeyAlias=${this.hostKeyAlias}`,
        "HostKeyAlgorithms=ssh-ed25519",
        `KnownHostsCommand=/bin/echo ${this.hostKeyAlias} ${hostKey}`,
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        // A shared connection could still lead to the host that had this address before.
        "ControlPath=none",
        "ConnectTimeout=10",
        "ServerAliveInterval=10",
        "ServerAliveCountMax=3",
        ...(proxyCommand === undefined ? [] : [`ProxyCommand=${proxyCommand}`]),
      ].flatMap((option) => ["-o", option]),
    );
  }

  /**
   * The command line that logs in, quoted for a shell.
   *
   * @param extra further options, before the destination
   */
  command(...extra: string[]): pulumi.Output<string> {
    return this.line((words) => [...words, ...extra]);
  }

  /** The `ProxyCommand` of whatever host is reached through this one. */
  private get jump(): pulumi.Output<string> {
    return this.line((words) => [...words.map(withoutTokens), "-W", "%h:%p"]);
  }

  /** The command line, its words before the destination changed. */
  private line(change: (words: readonly string[]) => readonly string[]): pulumi.Output<string> {
    return pulumi
      .all([this.host, this.options])
      .apply(([host, options]) =>
        [...change(["ssh", ...options, "-p", String(this.port)]), `${this.user}@${host}`]
          .map(shellQuote)
          .join(" "),
      );
  }

  /** The command line that logs in to each of several hosts. */
  static commands(
    endpoints: Readonly<Record<string, SshEndpoint>>,
  ): pulumi.Output<Record<string, string>> {
    return pulumi.all(
      Object.fromEntries(Object.entries(endpoints).map(([name, host]) => [name, host.command()])),
    );
  }

  /** The address of the host's Docker engine. */
  get dockerHost(): pulumi.Output<string> {
    return pulumi.interpolate`ssh://${this.user}@${this.host}:${this.port}`;
  }
}
