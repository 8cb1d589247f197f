import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { RemoteDocker } from "./remoteDocker";

/** Arguments of {@link container}, beyond those of every container of ours. */
export type ContainerArgs = Omit<
  docker.ContainerArgs,
  "name" | "image" | "restart" | "logDriver" | "logOpts" | "destroyGraceSeconds"
> & {
  /** Image reference to pull. */
  readonly imageReference: string;
};

/**
 * An image and a long-running container of it, both with the name `name`. The container has an
 * explicit name, so a changed argument removes the old one first: two of them would want the same
 * port and the same data.
 */
export function container(
  name: string,
  engine: RemoteDocker,
  { imageReference, ...args }: ContainerArgs,
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
      restart: "unless-stopped",
      destroyGraceSeconds: 60,
      logDriver: "json-file",
      logOpts: { "max-size": "10m", "max-file": "3" },
    },
    { ...engine.residency, ...opts },
  );
}
