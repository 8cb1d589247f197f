import * as pulumi from "@pulumi/pulumi";
import type { LaunchConfigArgs } from "./launchConfig";
import type { UpgradeStrategyArgs } from "./service";

/** One rule: what arrives at a port goes to a service. Rancher's own field names. */
export interface PortRuleArgs {
  /** Port on which the load balancer listens, 1 to 65535, not 42; publish it in `launchConfig.ports`. */
  readonly sourcePort: pulumi.Input<number>;
  /** `https` and `tls` need a certificate in {@link LbConfigArgs}. @default "http" */
  readonly protocol?: pulumi.Input<"http" | "https" | "tcp" | "tls" | "sni">;
  /** The service it leads to; either this or `selector`. */
  readonly serviceId?: pulumi.Input<string>;
  /** Leads to every service with these labels, for instance `role=web`. */
  readonly selector?: pulumi.Input<string>;
  /** The service's port; required with `serviceId`. With `selector`, without it the services' own say. */
  readonly targetPort?: pulumi.Input<number>;
  /** Only requests for this host, for instance `blog.example.com` or `*.example.com`. */
  readonly hostname?: pulumi.Input<string>;
  /** Only requests below this path. */
  readonly path?: pulumi.Input<string>;
  /** Rules with a smaller number come first, 1 or more. */
  readonly priority?: pulumi.Input<number>;
  /** Name of the backend in `haproxy.cfg`, to which `config` may add lines. */
  readonly backendName?: pulumi.Input<string>;
  /** Share of requests among rules for the same host and path, 0 to 256. */
  readonly weight?: pulumi.Input<number>;
}

/**
 * A load balancer's configuration, in Rancher's own field names. All of it is live: a change needs no new
 * container.
 */
export interface LbConfigArgs {
  readonly portRules: pulumi.Input<pulumi.Input<PortRuleArgs>[]>;
  /** Certificates for `https` and `tls` rules. */
  readonly certificateIds?: pulumi.Input<pulumi.Input<string>[]>;
  /** Certificate for requests that match no other. */
  readonly defaultCertificateId?: pulumi.Input<string>;
  /** Further lines for `haproxy.cfg`. */
  readonly config?: pulumi.Input<string>;
  /** Keeps a visitor with one container by a cookie. */
  readonly stickinessPolicy?: pulumi.Input<{
    name?: pulumi.Input<string>;
    cookie?: pulumi.Input<string>;
    domain?: pulumi.Input<string>;
    mode?: pulumi.Input<"insert" | "rewrite" | "prefix">;
    indirect?: pulumi.Input<boolean>;
    nocache?: pulumi.Input<boolean>;
    postonly?: pulumi.Input<boolean>;
  }>;
}

/** Arguments of {@link LoadBalancer}. */
export interface LoadBalancerArgs {
  /** The stack it lives in. Changing it replaces. */
  readonly stackId: pulumi.Input<string>;
  /** 1 to 63 letters, digits and hyphens, no hyphen at either end, unique in the stack. Changes in place. */
  readonly name: pulumi.Input<string>;
  /** At most 1024 characters. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /**
   * Number of containers, at most one a host, because they publish ports. Left out with the label
   * `io.rancher.scheduler.global`, which puts one on every host. Changes in place.
   *
   * @default 1
   */
  readonly scale?: pulumi.Input<number>;
  /** What its containers are started with. A change is an upgrade. */
  readonly launchConfig: pulumi.Input<LaunchConfigArgs>;
  /** Its rules. A change is live, without a new container. */
  readonly lbConfig: pulumi.Input<LbConfigArgs>;
  /** For the next upgrade; changing it alone does nothing to the containers. */
  readonly upgradeStrategy?: pulumi.Input<UpgradeStrategyArgs>;
  /** Start it. Changing false to true starts it. @default true */
  readonly startOnCreate?: pulumi.Input<boolean>;
  /** Another one replaces; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A load balancer: HAProxy containers that lead from ports of hosts to services. Waits, upgrades and
 * comparison are those of a service; the health check and the labels that the server adds are no drift.
 *
 * Throws when the stack has a service of this name that this program did not make. Import as
 * a service, by id, `environment/id`, `environment/name` or `environment/stack/name`.
 *
 * Source: `loadbalancerservices` of the server's v2-beta API.
 */
export class LoadBalancer extends pulumi.CustomResource {
  declare readonly stackId: pulumi.Output<string>;
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly scale: pulumi.Output<number | undefined>;
  declare readonly launchConfig: pulumi.Output<Record<string, unknown>>;
  declare readonly lbConfig: pulumi.Output<Record<string, unknown>>;
  declare readonly environmentId: pulumi.Output<string>;

  constructor(name: string, args: LoadBalancerArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      stackId: args.stackId,
      name: args.name,
      description: args.description,
      scale: args.scale,
      launchConfig: args.launchConfig,
      lbConfig: args.lbConfig,
      upgradeStrategy: args.upgradeStrategy,
      startOnCreate: args.startOnCreate,
      environmentId: args.environmentId,
    };
    super("rancher:index:LoadBalancer", name, inputs, opts);
  }
}
