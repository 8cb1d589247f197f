import { parse } from "yaml";
import { cannotRun, floating, parseImage } from "../../config/imageReference";
import { asList, asMap, type Resource, type Value } from "../resource";
import type { ResourceRule } from "../rule";

/** Rancher writes `docker:` before an image's name. */
function ofLaunchConfig(config: Value): Value {
  const image = asMap(config)["imageUuid"];
  return typeof image === "string" ? image.replace(/^docker:/, "") : image;
}

/** The images of a compose file, version 1 or 2. What is no YAML the provider's own check tells. */
function ofCompose(text: Value): readonly Value[] {
  if (typeof text !== "string") return [];
  let file: Value;
  try {
    file = parse(text) as Value;
  } catch {
    return [];
  }
  const services = asMap(file)["services"] ?? file;
  return Object.values(asMap(services)).map((service) => asMap(service)["image"]);
}

const forms: Readonly<Record<string, (props: Resource["props"]) => readonly Value[]>> = {
  "docker:index/remoteImage:RemoteImage": ({ name }) => [name],
  "docker:index/container:Container": ({ image }) => [image],
  "rancher:index:Service": ({ launchConfig, secondaryLaunchConfigs }) => [
    ofLaunchConfig(launchConfig),
    ...asList(secondaryLaunchConfigs).map(ofLaunchConfig),
  ],
  "rancher:index:LoadBalancer": ({ launchConfig }) => [ofLaunchConfig(launchConfig)],
  "rancher:index:Stack": ({ dockerCompose }) => ofCompose(dockerCompose),
};

/** What Docker calls an image that is there already, and Rancher a service without containers. */
const noReference = /^(sha256:)?[0-9a-f]{64}$|^sha256:|^rancher\/none$|\$/;

function problem(text: Value): readonly string[] {
  if (typeof text !== "string" || noReference.test(text)) return [];
  const image = parseImage(text);
  const found =
    image === undefined ? "is not an image reference" : (floating(image) ?? cannotRun(image));
  return found === undefined ? [] : [`runs ${text}, which ${found}`];
}

export const imagesPinned: ResourceRule = {
  name: "images-pinned",
  description: "Containers run exact versions, of images that RancherOS's Docker 19.03 can run",
  why: "a floating tag is another image on the next machine, and an image on glibc 2.34 or newer does not start on Docker 19.03 at all",
  fix: "name an exact version on an older base; config/images.ts has one for each role and says why, docs/images.md which one when",
  severity: "medium",
  problems: ({ type, props }) => (forms[type]?.(props) ?? []).flatMap(problem),
};
