import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { HostAddress } from "./hostAddress";
import { hostGate } from "./hostGate";
import { token } from "./names";

/** Arguments of {@link RemoteDocker}. */
export interface RemoteDockerArgs {
  readonly address: HostAddress;
  /** What containers need on the machine, such as a mounted volume. @default nothing */
  readonly after?: readonly pulumi.Resource[];
}

/** Long enough for a machine to boot. */
const limitSeconds = 900;

/** The Docker engine of a machine, reached over SSH once it answers. */
export class RemoteDocker extends pulumi.ComponentResource {
  /** The machine whose engine this is, as SSH finds it. */
  public readonly address: HostAddress;
  /**
   * Options for each image, network and container on this engine, to be completed with `parent`.
   */
  public readonly residency: pulumi.CustomResourceOptions;

  constructor(name: string, args: RemoteDockerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("RemoteDocker"), name, {}, opts);
    const { address } = args;
    const { endpoint, host } = address;

    // The provider dials once and does not try again.
    const answers = hostGate(
      `${name}-answers`,
      { address, waitFor: "Docker on the server", limitSeconds, script: "docker-answers" },
      { parent: this, dependsOn: [...address.reachable, ...(args.after ?? [])] },
    );
    const provider = new docker.Provider(
      `${name}-provider`,
      {
        host: endpoint.dockerHost,
        sshOpts: endpoint.options,
        // The gate has looked already, and a preview must need no way to the host.
        disableDockerDaemonCheck: true,
      },
      { parent: this, dependsOn: [answers] },
    );

    this.address = address;
    this.residency = { provider, ...host.residency };
    this.registerOutputs();
  }
}
