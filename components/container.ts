import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { RemoteDocker } from "./remoteDocker";

/** Arguments of {@link container}, beyond those of every container of ours. */
export type ContainerArgs = Omit<
  docker.ContainerArgs,
  "name" | "image" | "restart" | "mustRun" | "logDriver" | "logOpts" | "destroyGraceSeconds"
> & {
  /** Image reference to pull. */
  readonly imageReference: string;
  /** It ends by itself, and stays as it ended. @default false: it runs until it is removed */
  readonly oneShot?: boolean;
};

/**
 * An image and a container of it, both with the name `name`. The container has an explicit name, so a
 * changed argument removes the old one first: two of them would want the same port and the same data.
 */
export function container(
  name: string,
  engine: RemoteDocker,
  { imageReference, oneShot = false, ...args }: ContainerArgs,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  const image = new docker.RemoteImage(
    name,
    { name: imageReference, keepLocally: true },
    { ...engine.residency, parent: opts.parent },
  );
  return new docker.Container(
    name,
    {
      ...args,
      name,
      image: image.imageId,
      restart: oneShot ? "no" : "unless-stopped",
      mustRun: !oneShot,
      destroyGraceSeconds: 60,
      logDriver: "json-file",
      logOpts: { "max-size": "10m", "max-file": "3" },
    },
    { ...engine.residency, ...opts },
  );
}
