import { textAt } from "./state";

/** The image of a launch configuration of Rancher's, which writes `docker:` before it; undefined without one. */
export function imageOf(launchConfig: unknown): string | undefined {
  return textAt(launchConfig, "imageUuid")?.replace(/^docker:/, "");
}

/** An image without the registry that it comes from, which says nothing of its version. */
export function shortImage(image: string): string {
  return image.replace(/^[^/]*[.:][^/]*\//, "").replace(/@sha256:.*$/, "");
}
