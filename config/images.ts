/** One pinned image and the reason for the pin. */
export interface ImagePin {
  /** What Docker is given. */
  readonly reference: string;
  /** Distribution the image is built on, which decides whether it runs. */
  readonly base: string;
  /** Why this tag and not another. */
  readonly why: string;
  /** Where that is known from. */
  readonly source: string;
}

/**
 * Images by role. RancherOS 1.5.8 runs Docker 19.03.15, whose seccomp profile answers EPERM to
 * `clone3` and `faccessat2`: an image with glibc 2.34 or newer (Debian 12, Ubuntu 22.04, UBI 9) or
 * Alpine 3.14 or newer does not run there.
 */
export const images = {
  rancherDatabase: {
    reference: "mariadb:10.1.48",
    base: "Ubuntu 18.04, glibc 2.27",
    why: "newest MariaDB whose tables Rancher 1.6 can migrate: `system` is a reserved word since 10.3",
    source: "rancher/rancher issues 12087 and 31161; docker-library/official-images at 9f65b5fa",
  },
  siteDatabase: {
    reference: "mariadb:10.6.22-focal",
    base: "Ubuntu 20.04, glibc 2.31",
    why: "newest release of a long-term line that was published on a base Docker 19.03 can run",
    source: "docker-library/official-images at e9750f78; MariaDB/mariadb-docker issue 434",
  },
  wordpress: {
    reference: "wordpress:6.4.1-php8.0-apache",
    base: "Debian 11, glibc 2.31",
    why: "newest WordPress on Debian 11: the PHP 8.1 and 8.2 tags had moved to Debian 12 by then",
    source: "docker-library/wordpress at 4b496624, latest/php8.0/apache",
  },
  rancherServer: {
    reference: "rancher/server:v1.6.30",
    base: "Ubuntu, glibc before 2.34",
    why: "last release of 1.6; hosts with Docker 19.03 are accepted since v1.6.29",
    source: "rancher/rancher at e780d341, server/Dockerfile; rancher/rancher issue 21808",
  },
  rancherAgent: {
    reference: "rancher/agent:v1.2.11",
    base: "Ubuntu 16.04, glibc 2.23",
    why: "the agent that rancher/server:v1.6.30 itself names",
    source: "rancher/cattle at v0.183.83, cattle-global.properties",
  },
  loadBalancer: {
    reference: "rancher/lb-service-haproxy:v0.9.14",
    base: "Ubuntu 18.04, glibc 2.27",
    why: "the load balancer that rancher/server:v1.6.30 itself names",
    source: "rancher/cattle at v0.183.83, cattle-global.properties",
  },
} as const satisfies Record<string, ImagePin>;

/** What an image is used for. */
export type ImageRole = keyof typeof images;

/** Every role, in the order of the table. */
export const imageRoles = Object.keys(images) as readonly ImageRole[];
