import type * as pulumi from "@pulumi/pulumi";

/** When a container counts as healthy. Rancher's own field names; times in milliseconds. */
export interface HealthCheckArgs {
  /** Port in the container, 1 to 65535. */
  readonly port: pulumi.Input<number>;
  /** An HTTP request's first line, for instance `GET / HTTP/1.0`; 2xx and 3xx are healthy. @default only a TCP connection */
  readonly requestLine?: pulumi.Input<string>;
  /** Between two checks. */
  readonly interval?: pulumi.Input<number>;
  readonly responseTimeout?: pulumi.Input<number>;
  /** Good answers in a row that make it healthy. */
  readonly healthyThreshold?: pulumi.Input<number>;
  /** Bad answers in a row that make it unhealthy. */
  readonly unhealthyThreshold?: pulumi.Input<number>;
  /** How long a new container may take to become healthy. */
  readonly initializingTimeout?: pulumi.Input<number>;
  /** How long a container that was unhealthy may take. */
  readonly reinitializingTimeout?: pulumi.Input<number>;
  /** What happens to an unhealthy container. @default "recreate" */
  readonly strategy?: pulumi.Input<"none" | "recreate" | "recreateOnQuorum">;
  /** For `recreateOnQuorum`: recreate only while this many containers are healthy. */
  readonly recreateOnQuorumStrategyConfig?: pulumi.Input<{ quorum: pulumi.Input<number> }>;
}

/**
 * What containers are started with, in Rancher's own field names. These are the usual ones; any other
 * field of the server's `launchConfig` schema may be given too, and one that it does not have is refused.
 */
export interface LaunchConfigArgs {
  /**
   * `docker:` and an image reference, for instance `docker:wordpress:6.4.1-php8.0-apache`. Required, except
   * with the service's `selectorContainer`.
   */
  readonly imageUuid?: pulumi.Input<string>;
  readonly environment?: pulumi.Input<Record<string, pulumi.Input<string | number | boolean>>>;
  /**
   * Ports published on the container's host, `public:private/protocol`; the protocol is tcp if left out.
   * One host can have only one container with the same public port.
   */
  readonly ports?: pulumi.Input<pulumi.Input<string>[]>;
  /** Also what Rancher's scheduler reads (`io.rancher.scheduler.…`, `io.rancher.container.…`). */
  readonly labels?: pulumi.Input<Record<string, pulumi.Input<string | number | boolean>>>;
  readonly command?: pulumi.Input<pulumi.Input<string>[]>;
  readonly entryPoint?: pulumi.Input<pulumi.Input<string>[]>;
  /** `name:/path` or `/path/on/host:/path`. */
  readonly dataVolumes?: pulumi.Input<pulumi.Input<string>[]>;
  readonly volumeDriver?: pulumi.Input<string>;
  /** @default "managed", the network that spans all hosts */
  readonly networkMode?: pulumi.Input<string>;
  readonly healthCheck?: pulumi.Input<HealthCheckArgs>;
  readonly hostname?: pulumi.Input<string>;
  readonly user?: pulumi.Input<string>;
  readonly workingDir?: pulumi.Input<string>;
  /** @default false */
  readonly privileged?: pulumi.Input<boolean>;
  /** @default false */
  readonly readOnly?: pulumi.Input<boolean>;
  /** Names without `CAP_`, for instance `NET_ADMIN`. */
  readonly capAdd?: pulumi.Input<pulumi.Input<string>[]>;
  /** Names without `CAP_`. */
  readonly capDrop?: pulumi.Input<pulumi.Input<string>[]>;
  /** Bytes. @default no limit */
  readonly memory?: pulumi.Input<number>;
  /** Bytes of memory and swap; -1 is unlimited. @default no limit */
  readonly memorySwap?: pulumi.Input<number>;
  /** Bytes kept for each container by the scheduler. @default 0 */
  readonly memoryReservation?: pulumi.Input<number>;
  /** Thousandths of a CPU kept for each container by the scheduler. @default 0 */
  readonly milliCpuReservation?: pulumi.Input<number>;
  /** `host` shares the host's processes. */
  readonly pidMode?: pulumi.Input<"host">;
  /** What happens to a container that stops by itself: it is started again, or made anew. @default "stop" */
  readonly instanceTriggeredStop?: pulumi.Input<"stop" | "remove">;
  /** Name of a sidekick, or of the service, whose network is shared. */
  readonly networkLaunchConfig?: pulumi.Input<string>;
  /** Names of sidekicks, or of the service, whose volumes are shared. */
  readonly dataVolumesFromLaunchConfigs?: pulumi.Input<pulumi.Input<string>[]>;
  readonly logConfig?: pulumi.Input<{
    driver?: pulumi.Input<string>;
    config?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  }>;
  /** How long a stopping container goes on answering the load balancer's open connections. Milliseconds. @default 0 */
  readonly drainTimeoutMs?: pulumi.Input<number>;
  readonly [field: string]: unknown;
}

/**
 * A sidekick: a further container beside each container of the service, on the same host. Its fields are
 * those of a launch config, without `drainTimeoutMs`, and a name.
 */
export interface SecondaryLaunchConfigArgs extends LaunchConfigArgs {
  /**
   * 1 to 63 letters, digits and hyphens, no hyphen at either end, unlike the service's name and the other
   * sidekicks'. A sidekick with another name is another one.
   */
  readonly name: pulumi.Input<string>;
}
