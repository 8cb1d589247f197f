/** Stand-in for the docker plugin: images, containers, networks and volumes on an engine reached by SSH. */
import { version } from "@pulumi/docker/package.json";
import type { Problem } from "../../../rancher/plugin/types";
import { standIn, text, texts } from "../standIn";
import { Engine } from "./client";
import { container, containerType } from "./container";
import { remoteImage, remoteImageType } from "./image";
import { network, networkType, volume, volumeType } from "./network";

const settings = ["host", "sshOpts", "disableDockerDaemonCheck"];

/** The docker plugin. */
export const docker = standIn<Engine>("docker", version, {
  checkConfig: (config) =>
    Object.keys(config)
      .filter((key) => !settings.includes(key))
      .map((path): Problem => ({
        path,
        reason: "the lab's stand-in for docker does not implement this setting",
      })),
  configure: (config) => {
    const host = text(config, "host");
    return new Engine(host === undefined ? undefined : { host, sshOpts: texts(config, "sshOpts") });
  },
  close: (engine) => {
    engine.close();
  },
  resources: {
    [containerType]: container,
    [networkType]: network,
    [remoteImageType]: remoteImage,
    [volumeType]: volume,
  },
});
