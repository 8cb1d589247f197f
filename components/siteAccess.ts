import * as pulumi from "@pulumi/pulumi";
import { isNarrow } from "../config/inboundRules";
import { type Port, ports } from "../config/ports";
import type { BalancerHost } from "./agentHosts";
import { ingressRule, suffix } from "./ingressRule";
import { token } from "./names";

/** Arguments of {@link SiteAccess}. */
export interface SiteAccessArgs {
  /** Group of the hosts that the load balancer runs on. */
  readonly groupId: pulumi.Input<string>;
  /** Ranges that may visit the site. Changing one replaces its rule alone. */
  readonly cidrs: readonly string[];
  /**
   * The site's own hosts, which visit it where they have an Elastic IP: WordPress starts its timed tasks by a
   * request to the site's address.
   */
  readonly hosts: readonly Pick<BalancerHost, "name" | "publicIp">[];
  /** Whether the site answers by HTTPS, too. */
  readonly isEncrypted: boolean;
  /** What must work before the first visitor comes: the installed site and its load balancer. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The rules that open the site's ports. They are the last to be made and the first to go, so that
 * nobody from outside ever meets a half-built site.
 */
export class SiteAccess extends pulumi.ComponentResource {
  constructor(name: string, args: SiteAccessArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SiteAccess"), name, {}, opts);

    const visitors = args.cidrs.map((cidrIpv4) => ({
      part: suffix(cidrIpv4),
      cidrIpv4,
      who: "visitors of the site",
    }));
    const hosts = args.hosts.flatMap(({ name: part, publicIp }) =>
      publicIp === undefined
        ? []
        : { part, cidrIpv4: pulumi.interpolate`${publicIp}/32`, who: "timed tasks of the site" },
    );
    const open = (prefix: string, port: Port, how: string) => {
      for (const { part, cidrIpv4, who } of [...visitors, ...(isNarrow(args.cidrs) ? hosts : [])]) {
        ingressRule(
          `${prefix}-${part}`,
          {
            groupId: args.groupId,
            port,
            source: { cidrIpv4 },
            description: `${who}, ${how}`,
            component: "SiteAccess",
          },
          { parent: this, dependsOn: [...args.after] },
        );
      }
    };

    open(name, ports.site, "once it is installed");
    if (args.isEncrypted) {
      open(`${name}-https`, ports.siteEncrypted, "by HTTPS");
    }
    this.registerOutputs();
  }
}
