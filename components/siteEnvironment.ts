import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { SiteCertificate, SiteMail } from "../config/settings";
import type { MariaDb } from "./mariaDb";
import { token } from "./names";
import { readPhp } from "./script";

/** Arguments of {@link SiteEnvironment}. */
export interface SiteEnvironmentArgs {
  readonly database: MariaDb;
  /** Name by which the agents' hosts find the machine of the database. */
  readonly databaseHost: string;
  /** The site's own domain name. @default the site's own address is `address` */
  readonly domain?: string;
  /** A public address that stays. */
  readonly address: pulumi.Input<string>;
  /** For `domain`. With one, links are https. @default links are http */
  readonly certificate?: SiteCertificate;
  /** The server that takes the site's mail. @default WordPress sends as its image does */
  readonly mail?: SiteMail;
}

/** The variables that `php/site-config.php` reads the mail server from. */
function mailVariables(mail: SiteMail | undefined): Record<string, pulumi.Input<string>> {
  if (mail === undefined) return {};
  const { host, port, login, from } = mail;
  const server = { SMTP_HOST: host, SMTP_PORT: String(port), SMTP_FROM: from };
  if (login === undefined) return server;
  return { ...server, SMTP_USER: login.user, SMTP_PASSWORD: login.password };
}

/** What WordPress signs cookies with. Replicas with different ones log each other's users out. */
const saltNames = [
  "AUTH_KEY",
  "SECURE_AUTH_KEY",
  "LOGGED_IN_KEY",
  "NONCE_KEY",
  "AUTH_SALT",
  "SECURE_AUTH_SALT",
  "LOGGED_IN_SALT",
  "NONCE_SALT",
] as const;

/**
 * What every container of the site has in common, be it a replica or the installer: one database, one
 * set of salts, one address, one configuration. The names are those of the official WordPress image
 * (docker-library/wordpress, wp-config-docker.php), and SITE_URL and SMTP_*, which the configuration reads.
 */
export class SiteEnvironment extends pulumi.ComponentResource {
  /** The address that WordPress puts into links, without a slash at its end. */
  public readonly url: pulumi.Output<string>;
  /** Environment of a container. Some values are secrets. */
  public readonly variables: Readonly<Record<string, pulumi.Input<string>>>;

  constructor(name: string, args: SiteEnvironmentArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SiteEnvironment"), name, {}, opts);
    const { database } = args;

    const salt = (saltName: string) =>
      new random.RandomPassword(
        `${name}-${saltName.toLowerCase().replaceAll("_", "-")}`,
        { length: 64, special: false },
        { parent: this },
      ).result;

    const scheme = args.certificate === undefined ? "http" : "https";
    this.url = pulumi.interpolate`${scheme}://${args.domain ?? args.address}`;
    this.variables = {
      // Without a port: newer images append one, and the database has the one that is assumed.
      WORDPRESS_DB_HOST: args.databaseHost,
      WORDPRESS_DB_NAME: database.database,
      WORDPRESS_DB_USER: database.user,
      WORDPRESS_DB_PASSWORD: database.password,
      WORDPRESS_DB_CHARSET: "utf8mb4",
      WORDPRESS_CONFIG_EXTRA: readPhp("site-config"),
      SITE_URL: this.url,
      ...mailVariables(args.mail),
      ...Object.fromEntries(saltNames.map((part) => [`WORDPRESS_${part}`, salt(part)])),
    };
    this.registerOutputs({ url: this.url });
  }
}
