/** What every case starts from. */
import type { Declaration, ServiceDeclaration } from "./declaration";

/** The administrator's password. */
export const PASSWORD = "a long enough password";
/** A value that containers get. */
export const DATABASE_PASSWORD = "nobody may read this";

/** Two replicas that keep a secret, behind a load balancer, on two hosts of which one is declared. */
export function wholeSite(url: string): Declaration {
  return {
    url,
    password: PASSWORD,
    tokenDescription: "the site's hosts",
    hosts: { host: { matchLabels: { "sim.host": "1" }, labels: { tier: "web" } } },
    stacks: { site: { name: "site", description: "a site" }, other: { name: "other" } },
    services: {
      web: {
        stack: "site",
        args: {
          name: "web",
          scale: 2,
          launchConfig: {
            imageUuid: "docker:nginx:1.26",
            environment: { PORT: 8080, DEBUG: "yes" },
            healthCheck: {
              port: 80,
              requestLine: "GET / HTTP/1.0",
              interval: 2000,
              responseTimeout: 2000,
              healthyThreshold: 2,
              unhealthyThreshold: 3,
            },
          },
          upgradeStrategy: { intervalMillis: 100 },
        },
        secretEnvironment: { DATABASE_PASSWORD },
        timeouts: { create: "4m", update: "4m" },
      },
    },
    loadBalancers: {
      lb: {
        stack: "site",
        args: {
          name: "lb",
          launchConfig: {
            imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14",
            ports: ["80:80"],
          },
        },
        portRules: [{ service: "web", sourcePort: 80, targetPort: 80, path: "/" }],
        timeouts: { create: "4m", update: "4m" },
      },
    },
  };
}

/** A service with nothing but a name and an image. */
export function plainService(name: string, image: string): ServiceDeclaration {
  return {
    stack: "site",
    args: { name, launchConfig: { imageUuid: `docker:${image}` } },
    timeouts: { create: "4m", update: "4m" },
  };
}
