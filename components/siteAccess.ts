import * as pulumi from "@pulumi/pulumi";
import { type Port, ports } from "../config/ports";
import { ingressRule, suffix } from "./ingressRule";
import { token } from "./names";

/** Arguments of {@link SiteAccess}. */
export interface SiteAccessArgs {
  /** Group of the hosts that the load balancer runs on. */
  readonly groupId: pulumi.Input<string>;
  /** Ranges that may visit the site. Changing one replaces its rule alone. */
  readonly cidrs: readonly string[];
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

    const open = (prefix: string, port: Port, description: string) => {
      for (const cidrIpv4 of args.cidrs) {
        ingressRule(
          `${prefix}-${suffix(cidrIpv4)}`,
          {
            groupId: args.groupId,
            port,
            source: { cidrIpv4 },
            description,
            component: "SiteAccess",
          },
          { parent: this, dependsOn: [...args.after] },
        );
      }
    };

    open(name, ports.site, "visitors of the site, once it is installed");
    if (args.isEncrypted) {
      open(`${name}-https`, ports.siteEncrypted, "visitors of the site, by HTTPS");
    }
    this.registerOutputs();
  }
}
