import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { hostGate } from "./hostGate";
import { token } from "./names";
import type { RancherOsHost } from "./rancherOsHost";

/** Arguments of {@link RemoteDocker}. */
export interface RemoteDockerArgs {
  readonly host: RancherOsHost;
  /** What containers need on the machine, such as a mounted volume. @default nothing */
  readonly after?: readonly pulumi.Resource[];
}

/** Long enough for a machine to boot. */
const limitSeconds = 900;

/** The Docker engine of a machine, reached over SSH once it answers. */
export class RemoteDocker extends pulumi.ComponentResource {
  /** The machine whose engine this is. */
  public readonly host: RancherOsHost;
  /**
   * Options for each image, network and container on this engine, to be completed with `parent`.
   */
  public readonly residency: pulumi.CustomResourceOptions;

  constructor(name: string, args: RemoteDockerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("RemoteDocker"), name, {}, opts);
    const { host } = args;

    // The provider dials once and does not try again.
    const answers = hostGate(
      `${name}-answers`,
      { host, waitFor: "Docker on the server", limitSeconds, script: "docker-answers" },
      { parent: this, dependsOn: [...host.reachable, ...(args.after ?? [])] },
    );
    const provider = new docker.Provider(
      `${name}-provider`,
      { host: host.endpoint.dockerHost, sshOpts: host.endpoint.options },
      { parent: this, dependsOn: [answers] },
    );

    this.host = host;
    this.residency = { provider, ...host.residency };
    this.registerOutputs();
  }
}
