/** One reachable port: what listens there and why it exists. */
export interface Port {
  readonly protocol: "tcp" | "udp";
  readonly number: number;
}

/** Every port that the site uses between machines. */
export const ports = {
  /** OpenSSH of RancherOS. */
  ssh: { protocol: "tcp", number: 22 },
  /** The site, answered by Rancher's load balancer on every agent host. */
  site: { protocol: "tcp", number: 80 },
  /** The site by HTTPS, answered by the same load balancer when the site has a certificate. */
  siteEncrypted: { protocol: "tcp", number: 443 },
  /** Rancher's API, UI and the agents' WebSockets. */
  rancher: { protocol: "tcp", number: 8080 },
  /** The site's database. */
  mysql: { protocol: "tcp", number: 3306 },
  /** NFS 4.1, as EFS speaks it: the content that replicas share. */
  nfs: { protocol: "tcp", number: 2049 },
  /** Key exchange of Rancher's managed network (infrastructure stack `ipsec`). */
  ipsecIke: { protocol: "udp", number: 500 },
  /** Traffic of Rancher's managed network, IPsec wrapped in UDP (infrastructure stack `ipsec`). */
  ipsecNat: { protocol: "udp", number: 4500 },
} as const satisfies Record<string, Port>;
