import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { container } from "./container";
import { hostGate } from "./hostGate";
import type { MariaDb } from "./mariaDb";
import { token } from "./names";
import type { RemoteDocker } from "./remoteDocker";
import { readPhp } from "./script";
import type { SiteEnvironment } from "./siteEnvironment";

/** Arguments of {@link SiteInstaller}. What is said of the site only reaches one that is not installed. */
export interface SiteInstallerArgs {
  /** The engine of the database's machine, which no visitor reaches. */
  readonly engine: RemoteDocker;
  /**
   * Image of WordPress, laid out like the official one: the core in `/usr/src/wordpress`. Changing it
   * brings the site's tables up to the image's core, before any replica has that image; one that
   * cannot run it fails here, and the site goes on with the old one.
   */
  readonly image: string;
  readonly site: SiteEnvironment;
  readonly database: MariaDb;
  readonly title: string;
  /** Name of the administrator. */
  readonly adminUser: string;
  readonly adminEmail: string;
}

/** A large site's tables may take minutes; installing takes seconds. */
const limitSeconds = 600;

/**
 * Runs WordPress's own installer once, in a container on the machine of the database, so that the
 * site has its owner before there is a port that anyone could reach it by. Runs again, and leaves
 * what is there alone, on a new machine, image or setting.
 *
 * It asks the database inside that one's own network namespace: no port, name or rule is needed.
 */
export class SiteInstaller extends pulumi.ComponentResource {
  /** The administrator's first password, a secret. Changing it in WordPress does not change it here. */
  public readonly adminPassword: pulumi.Output<string>;
  /** Exists once the site is installed: to depend on. Fails with the last line that WordPress said. */
  public readonly installed: pulumi.Resource;

  constructor(name: string, args: SiteInstallerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SiteInstaller"), name, {}, opts);
    const { engine, database } = args;

    this.adminPassword = new random.RandomPassword(
      `${name}-admin-password`,
      { length: 24, special: false },
      { parent: this },
    ).result;
    const variables = {
      ...args.site.variables,
      WORDPRESS_DB_HOST: "127.0.0.1",
      SITE_TITLE: args.title,
      SITE_ADMIN_USER: args.adminUser,
      SITE_ADMIN_EMAIL: args.adminEmail,
      SITE_ADMIN_PASSWORD: this.adminPassword,
    };
    const installer = container(
      name,
      engine,
      {
        imageReference: args.image,
        oneShot: true,
        // The image's own entrypoint copies the core for web servers only; this needs no copy.
        entrypoints: ["php"],
        command: ["-r", readPhp("install-site")],
        user: "www-data",
        envs: Object.entries(variables).map(
          ([variable, value]) => pulumi.interpolate`${variable}=${value}`,
        ),
        networkMode: pulumi.interpolate`container:${database.containerId}`,
      },
      { parent: this, dependsOn: [database.healthy] },
    );

    this.installed = hostGate(
      `${name}-done`,
      {
        address: engine.address,
        waitFor: "WordPress's installer",
        limitSeconds,
        script: "site-installed",
        args: [name],
        triggers: [installer.id],
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
