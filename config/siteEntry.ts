/** The ways by which visitors reach the site. */
export const siteEntries = ["addresses", "networkLoadBalancer"] as const;

/**
 * How visitors reach the site: by an Elastic IP of each host that runs a load balancer, or by a network
 * load balancer of AWS in front of them, which has one in each zone.
 */
export type SiteEntry = (typeof siteEntries)[number];

/** How many zones get a subnet, and so does a network load balancer. */
export const zoneCount = 2;
