import { zoneCount } from "./zones";

/** The ways by which visitors reach the site. */
export const siteEntries = ["addresses", "networkLoadBalancer"] as const;

/**
 * How visitors reach the site: by an Elastic IP of each host that runs a load balancer, or by a network
 * load balancer of AWS in front of them, which has one in each zone.
 */
export type SiteEntry = (typeof siteEntries)[number];

/** Elastic IPs of a stack: the server's, and those that visitors come by. */
export function elasticIps(entry: SiteEntry, balancers: number): number {
  return 1 + (entry === "networkLoadBalancer" ? zoneCount : balancers);
}
