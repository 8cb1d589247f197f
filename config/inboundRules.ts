/** How many inbound rules the security groups have, against how many AWS allows. */
import type { Settings } from "./settings";
import { zoneCount } from "./zones";

/**
 * Inbound rules that a security group may have unless AWS raises it (VPC user guide, "Amazon VPC quotas"; the figure
 * is unverified, see the facts on AWS).
 */
const mostRules = 60;

/** Whether some visitors are left out. Then the site's own hosts need rules to visit it. */
export function isNarrow(siteCidrs: readonly string[]): boolean {
  return !siteCidrs.includes("0.0.0.0/0");
}

/** Inbound rules of each group; a unit test counts those of the program beside it. */
export function inboundRules(
  settings: Pick<
    Settings,
    "adminCidrs" | "siteCidrs" | "siteCertificate" | "siteEntry" | "sshVia" | "loadBalancerScale"
  >,
): { readonly server: number; readonly agents: number } {
  const { adminCidrs, siteCidrs, siteCertificate, siteEntry, sshVia } = settings;
  const perVisitor = siteCertificate === undefined ? 1 : 2;
  const hosts = isNarrow(siteCidrs) && siteEntry === "addresses" ? settings.loadBalancerScale : 0;
  return {
    // Rancher and MySQL from the agents, and the endpoint.
    server: 2 + (sshVia === "direct" ? 0 : 1) + adminCidrs.length,
    // SSH by the server, two of the containers' network, and the health checks of each zone.
    agents:
      3 + (siteEntry === "addresses" ? 0 : zoneCount) + (siteCidrs.length + hosts) * perVisitor,
  };
}

/** Warns of lists that are too long for what AWS allows by default: their last rules would fail, at the end of `up`. */
export function ruleWarnings(settings: Parameters<typeof inboundRules>[0]): readonly string[] {
  const { server, agents } = inboundRules(settings);
  const warn = (key: "adminCidrs" | "siteCidrs", rules: number) =>
    rules <= mostRules
      ? []
      : `${key}: its ${settings[key].length} ranges make ${rules} inbound rules of one security group, and AWS allows ${mostRules} unless it has raised that quota; name fewer and wider ranges`;
  return [warn("adminCidrs", server), warn("siteCidrs", agents)].flat();
}
