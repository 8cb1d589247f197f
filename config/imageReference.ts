/** The parts of an image reference as Docker reads them. */
export interface ImageReference {
  /** Registry host, undefined for Docker Hub. */
  readonly registry: string | undefined;
  /** Repository without its registry; `library/` is left out. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const shape =
  /^(?<path>[a-z0-9]+([._-]+[a-z0-9]+)*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*)(:(?<tag>\w[\w.-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?$/;

/** Splits an image reference; undefined when Docker would not accept it. */
export function parseImage(text: string): ImageReference | undefined {
  const groups = shape.exec(text)?.groups;
  if (groups === undefined) return undefined;
  let path = groups["path"] ?? "";
  let tag = groups["tag"];
  // `name:123` without a slash is a tag, not a registry's port.
  const portLike = /^([^/]+):(\d+)$/.exec(path);
  if (portLike !== null && tag === undefined) [, path = "", tag] = portLike;
  const [first = "", ...rest] = path.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const registry = isHost && first !== "docker.io" ? first : undefined;
  const repository = (isHost ? rest.join("/") : path).replace(/^library\//, "");
  return { registry, repository, tag, digest: groups["digest"] };
}

/** The leading numbers of a tag: `v1.6.30` is [1, 6, 30], `focal` is []. */
function version(tag: string): number[] {
  const found = /^v?(\d+(\.\d+)*)/.exec(tag);
  return found === null ? [] : (found[1] ?? "").split(".").map(Number);
}

/** True when version `a` is at least `b`; missing parts count as zero. */
function atLeast(a: readonly number[], b: readonly number[]): boolean {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Repositories whose tags are versions: a pin names all three numbers. */
const versioned = /^(mariadb|mysql|wordpress|rancher\/(server|agent|lb-service-haproxy))$/;

/** Says why a reference may mean another image tomorrow, or undefined when it is pinned. */
export function floating(image: ImageReference): string | undefined {
  if (image.digest !== undefined) return undefined;
  if (image.tag === undefined) return "has no tag, which means `latest`";
  if (!/\d/.test(image.tag)) return `has the floating tag \`${image.tag}\``;
  if (image.registry === undefined && versioned.test(image.repository)) {
    if (version(image.tag).length < 3) return `has the floating tag \`${image.tag}\``;
  }
  return undefined;
}

const tooNewBase =
  /(?:^|[-.])(?:bookworm|trixie|forky|jammy|noble|plucky|ubi\d*|alpine(?!3\.(?:\d|1[0-3])(?!\d))[\d.]*)(?=$|[-.])/;

/**
 * Says why an image of a public repository is known not to run on Docker 19.03.15 (whose seccomp
 * profile answers EPERM to `clone3` and `faccessat2`); undefined when nothing is known against it.
 * Sources: MariaDB/mariadb-docker issue 434, docker-library/php issue 1130 and the histories of the
 * repositories in docker-library/official-images.
 */
export function cannotRun(image: ImageReference): string | undefined {
  if (image.registry !== undefined || image.tag === undefined) return undefined;
  const numbers = version(image.tag);
  const base = tooNewBase.exec(image.tag)?.[0].replace(/^[-.]/, "");
  if (base !== undefined) return `is built on ${base}, which Docker 19.03 of RancherOS cannot run`;
  if (image.repository === "mariadb" && atLeast(numbers, [10, 9])) {
    return "is built on Ubuntu 22.04 or newer, which Docker 19.03 of RancherOS cannot run";
  }
  if (image.repository === "mysql" && atLeast(numbers, [8, 1])) {
    return "is built on Oracle Linux 9, which Docker 19.03 of RancherOS cannot run";
  }
  if (image.repository === "wordpress") {
    const php = /php(\d+)\.(\d+)/.exec(image.tag);
    const phpVersion = php === null ? [8, 2] : [Number(php[1]), Number(php[2])];
    if (atLeast(phpVersion, [8, 1]) && atLeast(numbers, [6, 2, 2])) {
      return "is built on Debian 12 or newer, which Docker 19.03 of RancherOS cannot run";
    }
  }
  if (image.repository === "rancher/server" && !atLeast(numbers, [1, 6, 29])) {
    return "does not accept hosts with Docker 19.03; v1.6.29 is the first that does";
  }
  return undefined;
}

/** Says why Rancher 1.6 cannot keep its tables in this database; undefined when nothing is known against it. */
export function cannotHoldRancher(image: ImageReference): string | undefined {
  if (image.registry !== undefined || image.tag === undefined) return undefined;
  const numbers = version(image.tag);
  const tooNew =
    (image.repository === "mariadb" && atLeast(numbers, [10, 3])) ||
    (image.repository === "mysql" && atLeast(numbers, [8]));
  return tooNew
    ? "is newer than Rancher 1.6 can migrate; MariaDB 10.1 and 10.2 and MySQL 5.7 work"
    : undefined;
}
