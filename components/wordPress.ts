import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ports } from "../config/ports";
import * as rancher from "../rancher";
import type { AgentHosts } from "./agentHosts";
import type { MariaDb } from "./mariaDb";
import { token } from "./names";
import type { RancherServer } from "./rancherServer";

/** Arguments of {@link WordPress}. */
export interface WordPressArgs {
  readonly server: RancherServer;
  /** Number of containers. Changing it changes the service and nothing else. */
  readonly scale: number;
  /** Image of WordPress. Changing it upgrades the service, a container at a time. */
  readonly image: string;
  /** Image of Rancher's load balancer. */
  readonly loadBalancerImage: string;
  /** The site's database, on the server's machine. */
  readonly database: MariaDb;
  /** The hosts it runs on, which must have joined first. */
  readonly agents: AgentHosts;
}

/** What WordPress signs cookies with. Replicas with different ones log each other's users out. */
const saltNames = [
  "AUTH_KEY",
  "SECURE_AUTH_KEY",
  "LOGGED_IN_KEY",
  "NONCE_KEY",
  "AUTH_SALT",
  "SECURE_AUTH_SALT",
  "LOGGED_IN_SALT",
  "NONCE_SALT",
] as const;

/** Port of Apache in the container. */
const apachePort = 80;

/** Code in a container changes with its image; an edit made inside one would be on that one alone. */
const configExtra = "define('DISALLOW_FILE_EDIT', true); define('WP_AUTO_UPDATE_CORE', false);";

/**
 * WordPress as a service of Rancher, spread over the agent hosts, behind a load balancer on each of
 * them. Replicas share one database and one set of salts.
 */
export class WordPress extends pulumi.ComponentResource {
  /** Where the site answers, one address an agent host. */
  public readonly urls: pulumi.Output<string[]>;

  constructor(name: string, args: WordPressArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("WordPress"), name, {}, opts);
    const { server, database } = args;
    const inRancher = { ...server.residency, parent: this };

    const salt = (saltName: string) =>
      new random.RandomPassword(
        `${name}-${saltName.toLowerCase().replaceAll("_", "-")}`,
        { length: 64, special: false },
        { parent: this },
      ).result;
    const salts = Object.fromEntries(
      saltNames.map((saltName) => [`WORDPRESS_${saltName}`, salt(saltName)]),
    );

    const stack = new rancher.Stack(`${name}-stack`, { name, description: "the site" }, inRancher);
    const serviceName = "web";
    const service = new rancher.Service(
      `${name}-service`,
      {
        stackId: stack.id,
        name: serviceName,
        description: "WordPress",
        scale: args.scale,
        launchConfig: {
          imageUuid: `docker:${args.image}`,
          environment: {
            WORDPRESS_DB_HOST: `${server.hostName}:${ports.mysql.number}`,
            WORDPRESS_DB_NAME: database.database,
            WORDPRESS_DB_USER: database.user,
            WORDPRESS_DB_PASSWORD: database.password,
            WORDPRESS_DB_CHARSET: "utf8mb4",
            WORDPRESS_CONFIG_EXTRA: configExtra,
            ...salts,
          },
          labels: {
            "io.rancher.scheduler.affinity:container_label_soft_ne": `io.rancher.stack_service.name=${name}/${serviceName}`,
          },
          // A file that needs PHP and no database: recreating containers does not bring back a
          // database that is moving to another machine.
          healthCheck: {
            port: apachePort,
            requestLine: "GET /wp-includes/version.php HTTP/1.0",
            interval: 5000,
            responseTimeout: 5000,
            healthyThreshold: 2,
            unhealthyThreshold: 3,
            initializingTimeout: 120_000,
            reinitializingTimeout: 120_000,
            strategy: "recreate",
          },
        },
        upgradeStrategy: { batchSize: 1, intervalMillis: 2000, startFirst: true },
      },
      {
        ...inRancher,
        dependsOn: [database.healthy, ...args.agents.active],
        customTimeouts: { create: "20m", update: "20m" },
      },
    );
    new rancher.LoadBalancer(
      `${name}-balancer`,
      {
        stackId: stack.id,
        name: "balancer",
        description: "answers for the site on every host",
        launchConfig: {
          imageUuid: `docker:${args.loadBalancerImage}`,
          ports: [`${ports.site.number}:${ports.site.number}/tcp`],
          // One on each host, so that the number of hosts is nobody else's concern.
          labels: { "io.rancher.scheduler.global": "true" },
        },
        lbConfig: {
          portRules: [
            {
              sourcePort: ports.site.number,
              protocol: "http",
              serviceId: service.id,
              targetPort: apachePort,
            },
          ],
        },
      },
      {
        ...inRancher,
        dependsOn: [...args.agents.active],
        customTimeouts: { create: "20m", update: "20m" },
      },
    );

    this.urls = args.agents.hosts.apply((hosts) => hosts.map((host) => `http://${host.address}`));
    this.registerOutputs({ urls: this.urls });
  }
}
