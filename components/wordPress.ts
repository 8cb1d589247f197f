import * as pulumi from "@pulumi/pulumi";
import type { SiteCertificate } from "../config/settings";
import { healthPath } from "../config/siteHealth";
import * as rancher from "../rancher";
import type { AgentHosts } from "./agentHosts";
import { token } from "./names";
import type { RancherServer } from "./rancherServer";
import { readScript } from "./script";
import type { SharedContent } from "./sharedContent";
import { balancerConfig, balancerPorts } from "./siteBalancer";
import type { SiteEnvironment } from "./siteEnvironment";

/** Arguments of {@link WordPress}. */
export interface WordPressArgs {
  readonly server: RancherServer;
  /** Number of containers. Changing it changes the service and nothing else. */
  readonly scale: number;
  /** Image of WordPress. Changing it upgrades the service, a container at a time. */
  readonly image: string;
  /** Image of Rancher's load balancer. */
  readonly loadBalancerImage: string;
  readonly site: SiteEnvironment;
  /**
   * With one the load balancers answer by HTTPS and send whoever comes by HTTP there. Another one is
   * taken up live, without a new container. @default plain HTTP
   */
  readonly certificate?: SiteCertificate;
  /** Exists once the site is installed: no replica runs before. */
  readonly installed: pulumi.Resource;
  /** Where plugins, themes and uploads are. */
  readonly content: SharedContent;
  /** The hosts it runs on, which must have joined first. */
  readonly agents: AgentHosts;
}

/** Port of Apache in the container. */
const apachePort = 80;

const healthRequest = `GET ${healthPath} HTTP/1.0`;

/**
 * WordPress as a service of Rancher, spread over the agent hosts, behind a load balancer on each of
 * those that run one. Replicas have all of the site's environment and one `wp-content` in common; WordPress itself is
 * each one's own and changes with the image.
 */
export class WordPress extends pulumi.ComponentResource {
  /** The load balancer, working once it exists: to depend on. */
  public readonly answers: pulumi.Resource;

  constructor(name: string, args: WordPressArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("WordPress"), name, {}, opts);
    const { server } = args;
    const inRancher = { ...server.residency, parent: this };

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
          command: ["sh", "-c", readScript("start-wordpress")],
          dataVolumes: [`${args.content.directory}:/var/www/html/wp-content`],
          environment: { ...args.site.variables },
          labels: {
            "io.rancher.scheduler.affinity:container_label_soft_ne": `io.rancher.stack_service.name=${name}/${serviceName}`,
          },
          // A replica that is to go answers what it was asked before.
          drainTimeoutMs: 10_000,
          healthCheck: {
            port: apachePort,
            requestLine: healthRequest,
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
        dependsOn: [args.installed, ...args.agents.active],
        customTimeouts: { create: "20m", update: "20m" },
      },
    );
    const encrypted = ({ certificate, chain, key, fingerprint }: SiteCertificate) => ({
      fingerprint,
      certificate: new rancher.Certificate(
        `${name}-certificate`,
        {
          name,
          description: "the site's",
          cert: certificate,
          key,
          ...(chain === undefined ? {} : { certChain: chain }),
        },
        inRancher,
      ),
    });
    this.answers = new rancher.LoadBalancer(
      `${name}-balancer`,
      {
        stackId: stack.id,
        name: "balancer",
        description: "answers for the site",
        launchConfig: {
          imageUuid: `docker:${args.loadBalancerImage}`,
          ports: balancerPorts,
          // One on each host that is to have one, so that their number is nobody else's concern.
          labels: { ...args.agents.balancerLabels },
        },
        lbConfig: balancerConfig({
          service,
          port: apachePort,
          url: args.site.url,
          encryption: args.certificate && encrypted(args.certificate),
        }),
      },
      {
        ...inRancher,
        dependsOn: [args.installed, ...args.agents.active],
        customTimeouts: { create: "20m", update: "20m" },
      },
    );

    this.registerOutputs();
  }
}
