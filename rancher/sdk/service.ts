import * as pulumi from "@pulumi/pulumi";
import type { LaunchConfigArgs } from "./launchConfig";

/** How an upgrade replaces containers. */
export interface UpgradeStrategyArgs {
  /** Containers replaced at a time. @default 1 */
  readonly batchSize?: pulumi.Input<number>;
  /** Pause between two batches, milliseconds, 100 or more. @default 2000 */
  readonly intervalMillis?: pulumi.Input<number>;
  /** Start the new container before the old one stops; not with published ports. @default false */
  readonly startFirst?: pulumi.Input<boolean>;
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
   * the label `io.rancher.scheduler.global`, which has one on every host.
   *
   * @default 1
   */
  readonly scale?: pulumi.Input<number>;
  /** What the containers are started with. A change is an upgrade. */
  readonly launchConfig: pulumi.Input<LaunchConfigArgs>;
  /** Free data that containers read from Rancher's metadata service. Changes in place. */
  readonly metadata?: pulumi.Input<Record<string, unknown>>;
  /** For the next upgrade; changing it alone does nothing to the containers. */
  readonly upgradeStrategy?: pulumi.Input<UpgradeStrategyArgs>;
  /**
   * Start it. Changing false to true starts it; changing true to false leaves it running.
   *
   * @default true
   */
  readonly startOnCreate?: pulumi.Input<boolean>;
  /** Changing it replaces. @default the provider's environment */
  readonly environmentId?: pulumi.Input<string>;
}

/**
 * A service: containers that Rancher keeps running.
 *
 * Creating waits (10 minutes unless `customTimeouts` say otherwise) until the environment's own stacks
 * are healthy and all containers run, and are healthy if there is a health check. An upgrade replaces
 * containers in batches, finishes by itself when the new ones are well, and is canceled and rolled back
 * when they are not within 70 % of the time; the update then fails with the server's reason.
 *
 * Only declared fields are compared with the server's; what it adds is no drift. Throws when the stack has a
 * service of this name that this program did not make.
 * Source: `services` of the server's v2-beta API.
 */
export class Service extends pulumi.CustomResource {
  declare readonly stackId: pulumi.Output<string>;
  declare readonly name: pulumi.Output<string>;
  declare readonly description: pulumi.Output<string | undefined>;
  declare readonly scale: pulumi.Output<number | undefined>;
  declare readonly launchConfig: pulumi.Output<Record<string, unknown>>;
  declare readonly metadata: pulumi.Output<Record<string, unknown> | undefined>;
  declare readonly environmentId: pulumi.Output<string>;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.CustomResourceOptions) {
    const inputs: pulumi.Inputs = {
      stackId: args.stackId,
      name: args.name,
      description: args.description,
      scale: args.scale,
      launchConfig: args.launchConfig,
      metadata: args.metadata,
      upgradeStrategy: args.upgradeStrategy,
      startOnCreate: args.startOnCreate,
      environmentId: args.environmentId,
    };
    super("rancher:index:Service", name, inputs, opts);
  }
}
