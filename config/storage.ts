/** Directories of the data volume. They are made once, when the volume is formatted. */
export const dataDirectories = {
  rancherDatabase: "mariadb-rancher",
  siteDatabase: "mariadb-site",
} as const satisfies Record<string, string>;
