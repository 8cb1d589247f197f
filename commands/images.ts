/** An image without the registry that it comes from, which says nothing of its version. */
export function shortImage(image: string): string {
  return image.replace(/^[^/]*[.:][^/]*\//, "").replace(/@sha256:.*$/, "");
}
