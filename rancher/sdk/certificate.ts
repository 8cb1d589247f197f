import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link Certificate}. */
export interface CertificateArgs {
  /** 1 to 255 characters, unique in the environment. Changes in place. */
  readonly name: pulumi.Input<string>;
  /** At most 982 characters; a mark is added, by which a broken-off run finds its certificate again. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /** The certificate as PEM text, at most 65535 characters. Changes in place. */
  readonly cert: pulumi.Input<string>;
  /** Its private key as PEM text without a passphrase, at most 65535 characters. A secret. Changes in place. */
  readonly key: pulumi.Input<string>;
  /**
   * The certificates of the authorities that stand behind it, as one PEM text of at most 65535
   * characters, beginning with the one that issued `cert`. Changes in place. @default none
   */
  readonly certChain?: pulumi.Input<string>;
  /** Another one replaces; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A certificate with its private key, for the `https` and `tls` rules of load balancers
 * (`lbConfig.certificateIds`, `lbConfig.defaultCertificateId`).
 *
 * Everything but the environment changes in place, and load balancers take the new one up by themselves.
 * The server never shows the key again: a key that was changed behind our back is not noticed, and after
 * an import the declared key is taken to be the server's. A preview already says when `cert`, `key` and
 * `certChain` cannot be read or do not belong together. Deleting waits while a load balancer still uses
 * it. Import it by its id, `environment/id` or `environment/name`.
 *
 * Throws when the environment has a certificate of this name that this program did not make, and when a
 * load balancer goes on using a certificate that is to be deleted, with its name.
 * Source: `certificates` of the server's v2-beta API, by its schema; only its refusal of a bad one is
 * recorded, the rest is unverified.
 */
export class Certificate extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly cert: pulumi.Output<string>;
  /** A secret. */
  declare readonly key: pulumi.Output<string>;
  declare readonly certChain: pulumi.Output<string | undefined>;
  declare readonly environmentId: pulumi.Output<string>;
  /** The common name it is for, for instance `www.example.com`. */
  declare readonly cn: pulumi.Output<string | undefined>;
  /** The algorithm of its signature. */
  declare readonly algorithm: pulumi.Output<string | undefined>;
  /** Who issued it. */
  declare readonly issuer: pulumi.Output<string | undefined>;
  /** Its fingerprint, as the server writes it. */
  declare readonly certFingerprint: pulumi.Output<string | undefined>;
  declare readonly serialNumber: pulumi.Output<string | undefined>;
  /** Version of the X.509 format. */
  declare readonly version: pulumi.Output<string | undefined>;
  /** Bits. */
  declare readonly keySize: pulumi.Output<number | undefined>;
  /** When it stops being valid, as the server writes it. */
  declare readonly expiresAt: pulumi.Output<string | undefined>;
  /** From when it is valid, as the server writes it. */
  declare readonly issuedAt: pulumi.Output<string | undefined>;
  /** The further names it is for. */
  declare readonly subjectAlternativeNames: pulumi.Output<string[] | undefined>;

  constructor(name: string, args: CertificateArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      name: args.name,
      description: args.description,
      cert: args.cert,
      key: pulumi.secret(args.key),
      certChain: args.certChain,
      environmentId: args.environmentId,
      cn: undefined,
      algorithm: undefined,
      issuer: undefined,
      certFingerprint: undefined,
      serialNumber: undefined,
      version: undefined,
      keySize: undefined,
      expiresAt: undefined,
      issuedAt: undefined,
      subjectAlternativeNames: undefined,
    };
    const secrets = { additionalSecretOutputs: ["key"] };
    super("rancher:index:Certificate", name, inputs, pulumi.mergeOptions(secrets, opts));
  }
}
