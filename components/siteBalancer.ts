import * as pulumi from "@pulumi/pulumi";
import { ports } from "../config/ports";
import type * as rancher from "../rancher";

/** Arguments of {@link balancerConfig}. */
export interface BalancerConfigArgs {
  /** The service that requests go to. */
  readonly service: rancher.Service;
  /** Port of its containers. */
  readonly port: number;
  /** The site's own address, where whoever comes by HTTP is sent when there is HTTPS. */
  readonly url: pulumi.Input<string>;
  /** @default plain HTTP */
  readonly encryption?:
    | {
        readonly certificate: rancher.Certificate;
        /** Of the certificate. */
        readonly fingerprint: string;
      }
    | undefined;
}

/**
 * Published by every load balancer, with a certificate or without, so that one comes and goes without a
 * new container: it is the firewall that says which port visitors reach.
 */
export const balancerPorts = [ports.site, ports.siteEncrypted].map(
  ({ number, protocol }) => `${number}:${number}/${protocol}`,
);

/**
 * What only the load balancer may say of a visitor. It adds `X-Forwarded-Proto` and `-Port` where
 * they are missing only, and its own `X-Forwarded-For` beside the visitor's; so theirs go first.
 * Source: rancher/lb-controller, provider/haproxy: haproxy_config_util.go and haproxy_template.cfg,
 * where lines for a frontend stand in it, and the additions in the backends behind it.
 */
const dropHeaders = [
  "Forwarded",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Proto",
].map((header) => `http-request del-header ${header}`);

/** A section of haproxy.cfg; the lines are added to what Rancher writes there itself. */
function section(head: string, lines: readonly string[]): string {
  return [head, ...lines.map((line) => `    ${line}`)].join("\n");
}

/**
 * The load balancer's rules, in Rancher's form. A change of any of it is live, without a new container.
 *
 * The fingerprint stands in it as a comment: Rancher's load balancer reads certificates when its own
 * configuration changes (lb-controller, certificate_fetcher.go), so that a renewal must change it, too.
 */
export function balancerConfig(args: BalancerConfigArgs): rancher.LbConfigArgs {
  const { service, encryption } = args;
  const rule = (sourcePort: number, protocol: "http" | "https") => ({
    sourcePort,
    protocol,
    serviceId: service.id,
    targetPort: args.port,
  });
  const plain = rule(ports.site.number, "http");
  const frontend = `frontend ${ports.site.number}`;
  if (encryption === undefined) {
    return { portRules: [plain], config: section(frontend, dropHeaders) };
  }
  const { certificate, fingerprint } = encryption;
  const config = pulumi.output(args.url).apply((url) =>
    [
      // Rancher's own still allow TLS 1.1 and 3DES.
      section("global", [
        "ssl-default-bind-options ssl-min-ver TLSv1.2",
        "ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
      ]),
      section(frontend, [`http-request redirect prefix ${url} code 301`]),
      section(`frontend ${ports.siteEncrypted.number}`, [
        `# certificate ${fingerprint}`,
        ...dropHeaders,
      ]),
    ].join("\n"),
  );
  return {
    portRules: [plain, rule(ports.siteEncrypted.number, "https")],
    // As the default one it also answers visitors that name no host.
    defaultCertificateId: certificate.id,
    config,
  };
}
