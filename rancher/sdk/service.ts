import * as pulumi from "@pulumi/pulumi";
import type { LaunchConfigArgs, SecondaryLaunchConfigArgs } from "./launchConfig";

/** How an upgrade replaces containers. */
export interface UpgradeStrategyArgs {
  /** Containers replaced at a time. @default 1 */
  readonly batchSize?: pulumi.Input<number>;
  /** Pause between two batches, milliseconds, 100 or more. @default 2000 */
  readonly intervalMillis?: pulumi.Input<number>;
  /**
   * Start the new container before the old one stops; not with published ports, and not with `retainIp`.
   *
   * @default false
   */
  readonly startFirst?: pulumi.Input<boolean>;
}

/** Bounds within which the server chooses the number of containers. */
export interface ScalePolicyArgs {
  /** Fewest containers, 1 or more. */
  readonly min: pulumi.Input<number>;
  /** Most containers, no less than `min`. @default 1 */
  readonly max?: pulumi.Input<number>;
  /** Containers added at a time, 1 or more. @default 1 */
  readonly increment?: pulumi.Input<number>;
}

/** Another service, and the name under which this one's containers find it. */
export interface ServiceLinkArgs {
  /** Id of the other service. */
  readonly serviceId: pulumi.Input<string>;
  /** Letters, digits, hyphens, dots and underscores. @default the other service's name */
  readonly name?: pulumi.Input<string>;
}

/** Arguments of {@link Service}. */
export interface ServiceArgs {
  /** The stack it lives in. Changing it replaces. */
  readonly stackId: pulumi.Input<string>;
  /** 1 to 63 letters, digits and hyphens, no hyphen at either end, unique in the stack. Changes in place. */
  readonly name: pulumi.Input<string>;
  /** At most 1024 characters. Changes in place. */
  readonly description?: pulumi.Input<string>;
  /**
   * Number of containers, 0 or more. Changes in place, without an upgrade. Left out for a service with
   * the label `io.rancher.scheduler.global`, which has one on every host, and with `scalePolicy`.
   *
   * @default 1
   */
  readonly scale?: pulumi.Input<number>;
  /**
   * As many containers as there is room for, within bounds. Changes in place, without an upgrade. Not with
   * the label `io.rancher.scheduler.global`.
   */
  readonly scalePolicy?: pulumi.Input<ScalePolicyArgs>;
  /**
   * What the containers are started with. A change is an upgrade; only adding or taking away the label
   * `io.rancher.scheduler.global` replaces, because the server refuses it.
   */
  readonly launchConfig: pulumi.Input<LaunchConfigArgs>;
  /**
   * Sidekicks. A change is an upgrade of those that changed; one that is left out is removed by an upgrade.
   * Their order does not matter.
   */
  readonly secondaryLaunchConfigs?: pulumi.Input<pulumi.Input<SecondaryLaunchConfigArgs>[]>;
  /** Free data that containers read from Rancher's metadata service. Changes in place. */
  readonly metadata?: pulumi.Input<Record<string, unknown>>;
  /**
   * Services that this one's containers find by a name; all of them: a link that is not here is removed.
   * Changes in place, without an upgrade. Left out, links are left alone.
   */
  readonly serviceLinks?: pulumi.Input<pulumi.Input<ServiceLinkArgs>[]>;
  /** A container that replaces another keeps its address. Changes in place. @default false */
  readonly retainIp?: pulumi.Input<boolean>;
  /** Give the service a virtual address of its own. Changing it replaces. @default false */
  readonly assignServiceIpAddress?: pulumi.Input<boolean>;
  /** The virtual address. Changing it replaces. @default one that the server chooses */
  readonly vip?: pulumi.Input<string>;
  /** Links to every service with these labels, for instance `role=db`. At most 4096 characters. Changes in place. */
  readonly selectorLink?: pulumi.Input<string>;
  /**
   * Counts containers with these labels as the service's own; `launchConfig.imageUuid` may then be left out,
   * and the service has no containers but those. At most 4096 characters. Changes in place.
   */
  readonly selectorContainer?: pulumi.Input<string>;
  /** For the next upgrade; changing it alone does nothing to the containers. */
  readonly upgradeStrategy?: pulumi.Input<UpgradeStrategyArgs>;
  /**
   * Start it. Changing false to true starts it; changing true to false leaves it running.
   *
   * @default true
   */
  readonly startOnCreate?: pulumi.Input<boolean>;
  /** Another one replaces; leaving it out changes nothing. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A service: containers that Rancher keeps running.
 *
 * Creating waits (10 minutes unless `customTimeouts` say otherwise) until the environment's own stacks
 * are healthy and all containers run, and are healthy if there is a health check. An upgrade replaces
 * containers in batches, and finishes by itself when the new ones are well. It is canceled and rolled back
 * when two minutes pass without another new container that is well or another old one that is stopped, or
 * 70 % of the time are over; the update then fails with what the new containers do, and links are what they
 * were before. To the two minutes come `healthCheck.initializingTimeout` (the longest, with sidekicks), the
 * earlier `drainTimeoutMs` and `upgradeStrategy.intervalMillis`. For an image that takes longer to pull,
 * give a health check such a time, or pull it to the hosts before.
 *
 * Only declared fields are compared with the server's; what it adds is no drift. Throws when the stack has a
 * service of this name that this program did not make.
 *
 * Import by id, `environment/id`, `environment/name` or `environment/stack/name`; an environment and a stack
 * by id or name.
 *
 * Source: `services` of the server's v2-beta API.
 */
export class Service extends pulumi.CustomResource {
  declare readonly stackId: pulumi.Output<string>;
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly scale: pulumi.Output<number | undefined>;
  declare readonly scalePolicy: pulumi.Output<Record<string, number> | undefined>;
  declare readonly launchConfig: pulumi.Output<Record<string, unknown>>;
  declare readonly secondaryLaunchConfigs: pulumi.Output<Record<string, unknown>[] | undefined>;
  declare readonly metadata: pulumi.Output<Record<string, unknown> | undefined>;
  declare readonly serviceLinks: pulumi.Output<{ serviceId: string; name?: string }[] | undefined>;
  declare readonly environmentId: pulumi.Output<string>;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      stackId: args.stackId,
      name: args.name,
      description: args.description,
      scale: args.scale,
      scalePolicy: args.scalePolicy,
      launchConfig: args.launchConfig,
      secondaryLaunchConfigs: args.secondaryLaunchConfigs,
      metadata: args.metadata,
      serviceLinks: args.serviceLinks,
      retainIp: args.retainIp,
      assignServiceIpAddress: args.assignServiceIpAddress,
      vip: args.vip,
      selectorLink: args.selectorLink,
      selectorContainer: args.selectorContainer,
      upgradeStrategy: args.upgradeStrategy,
      startOnCreate: args.startOnCreate,
      environmentId: args.environmentId,
    };
    super("rancher:index:Service", name, inputs, opts);
  }
}
