/** Where things stand on the machines, for the program that puts them there and the commands that look. */

/** Directories of the data volume. They are made once, when the volume is formatted. */
export const dataDirectories = {
  rancherDatabase: "mariadb-rancher",
  siteDatabase: "mariadb-site",
} as const satisfies Record<string, string>;

/** Where every agent host has the directory that replicas share: `<mountPoint>/<siteDirectory>`. */
export const sharedContent = {
  /** Below `/mnt`, which RancherOS shares with its Docker engine. */
  mountPoint: "/mnt/shared",
  /** The site's directory in the file system. */
  siteDirectory: "wp-content",
} as const;

/** Containers on the server's machine, by what they are for; a test holds the program to these names. */
export const serverContainers = {
  rancher: "rancher",
  rancherDatabase: "rancher-db",
  siteDatabase: "site-db",
  siteInstaller: "site-installer",
} as const satisfies Record<string, string>;
