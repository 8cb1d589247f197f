import * as pulumi from "@pulumi/pulumi";

/** A machine through which the server is reached: each connection is one `ssh -W`. */
export interface SshArgs {
  /** Name or address. */
  readonly host: pulumi.Input<string>;
  /** @default 22 */
  readonly port?: pulumi.Input<number>;
  readonly user: pulumi.Input<string>;
  /**
   * The host's public key, `ssh-ed25519 AAAA…`. Connections to a host with another key are refused;
   * no known_hosts file is read or written.
   */
  readonly hostKey: pulumi.Input<string>;
  /** A name for the host that stays when its address changes. */
  readonly hostKeyAlias: pulumi.Input<string>;
  /**
   * A command whose input and output lead to its SSH server, as ssh's option `ProxyCommand` has it.
   *
   * @default straight
   */
  readonly proxyCommand?: pulumi.Input<string>;
}

/** Arguments of {@link Provider}. */
export interface ProviderArgs {
  /**
   * URL of the Rancher server; with `ssh`, as seen from that machine (`http://127.0.0.1:8080`).
   */
  readonly url: pulumi.Input<string>;
  /** Reach the server through SSH. The private key is what the user's agent or ssh configuration offers. */
  readonly ssh?: pulumi.Input<SshArgs>;
  /** An API key's public half. @default no key: enough for {@link AccessControl} only */
  readonly accessKey?: pulumi.Input<string>;
  /** An API key's secret half. Always kept as a secret. */
  readonly secretKey?: pulumi.Input<string>;
  /**
   * Id of the environment of resources that name none, for instance `1a5`.
   *
   * @default the environment that every server has from the start (uuid `adminProject`)
   */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A Rancher 1.6 server. Connects when the first resource needs it, so values may be unknown in a
 * preview. Changing an argument never replaces resources.
 */
export class Provider extends pulumi.ProviderResource {
  constructor(name: string, args: ProviderArgs, opts?: pulumi.ResourceOptions) {
    const { url, ssh, accessKey, secretKey, environmentId } = args;
    const inputs: pulumi.Inputs = {
      url,
      ssh,
      accessKey,
      secretKey: secretKey === undefined ? undefined : pulumi.secret(secretKey),
      environmentId,
    };
    super("rancher", name, inputs, opts);
  }
}
