import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ports } from "../config/ports";
import { container } from "./container";
import { token } from "./names";
import type { RemoteDocker } from "./remoteDocker";

/** Arguments of {@link MariaDb}. */
export interface MariaDbArgs {
  readonly engine: RemoteDocker;
  /** Image reference. Changing it replaces the container, not the data. */
  readonly image: string;
  /** Directory of the host that holds the data; it must exist. */
  readonly dataDirectory: string;
  /** Name of the database and of its user. Only a new data directory takes it. */
  readonly database: string;
  /** `utf8` for Rancher, whose tables have keys too long for four bytes a character. */
  readonly charset: "utf8" | "utf8mb4";
  /** Size of the InnoDB buffer pool. */
  readonly bufferPoolMiB: number;
  /** Docker network to join under the component's name. @default Docker's own bridge */
  readonly network?: docker.Network;
  /** Whether the host answers on the database's port. @default false */
  readonly published?: boolean;
  /**
   * Refuse to delete the passwords, without which a data directory that was kept is of no use.
   *
   * @default false
   */
  readonly isProtected?: boolean;
}

const collations = { utf8: "utf8_general_ci", utf8mb4: "utf8mb4_unicode_ci" } as const;

/** Minutes that a new database may take to set itself up. */
const startMinutes = 5;

/**
 * Asks over TCP, which the server that only sets up a new data directory does not open, and as the
 * application's user, who must be there.
 */
const healthCommand =
  'MYSQL_PWD="$MYSQL_PASSWORD" mysql -h 127.0.0.1 -u "$MYSQL_USER" -e "SELECT 1" "$MYSQL_DATABASE"';

/**
 * MariaDB in a container, with generated passwords. Limits are those that Rancher's documentation
 * asks for: more than 150 connections, packets of 32 MiB, a log of 256 MiB. The passwords only reach
 * a new data directory and stay for its life.
 */
export class MariaDb extends pulumi.ComponentResource {
  /** Name of the database. */
  public readonly database: pulumi.Output<string>;
  /** User with all rights on it. */
  public readonly user: pulumi.Output<string>;
  /** Password of the user, a secret. */
  public readonly password: pulumi.Output<string>;
  /** Id of the container. */
  public readonly containerId: pulumi.Output<string>;
  /** The container, healthy once it exists: to depend on. */
  public readonly healthy: pulumi.Resource;

  constructor(name: string, args: MariaDbArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("MariaDb"), name, {}, opts);

    // The image of 10.1 puts passwords into SQL unescaped.
    const password = (part: string) =>
      new random.RandomPassword(
        `${name}-${part}`,
        { length: 32, special: false },
        { parent: this, protect: args.isProtected ?? false },
      ).result;
    const rootPassword = password("root-password");
    const userPassword = password("password");

    const server = container(
      name,
      args.engine,
      {
        imageReference: args.image,
        command: [
          `--character-set-server=${args.charset}`,
          `--collation-server=${collations[args.charset]}`,
          "--max-connections=500",
          "--max-allowed-packet=32M",
          "--wait-timeout=28800",
          "--innodb-log-file-size=256M",
          `--innodb-buffer-pool-size=${args.bufferPoolMiB}M`,
        ],
        envs: [
          pulumi.interpolate`MYSQL_ROOT_PASSWORD=${rootPassword}`,
          // Root logs in inside the container, by its socket; over the network it does not exist.
          "MYSQL_ROOT_HOST=localhost",
          `MYSQL_DATABASE=${args.database}`,
          `MYSQL_USER=${args.database}`,
          pulumi.interpolate`MYSQL_PASSWORD=${userPassword}`,
        ],
        // Unlike a volume, a mount of type bind fails when its source is not there.
        mounts: [{ type: "bind", source: args.dataDirectory, target: "/var/lib/mysql" }],
        labels: [{ label: "rancher-cattle.needs", value: "data" }],
        networksAdvanced:
          args.network === undefined ? [] : [{ name: args.network.name, aliases: [name] }],
        ports:
          args.published === true
            ? [{ internal: ports.mysql.number, external: ports.mysql.number }]
            : [],
        healthcheck: {
          tests: ["CMD-SHELL", healthCommand],
          interval: "5s",
          timeout: "5s",
          retries: 6,
          // As Docker says it back: the provider compares texts, and "300s" would never be the same.
          startPeriod: `${startMinutes}m0s`,
        },
        wait: true,
        waitTimeout: startMinutes * 60,
      },
      { parent: this },
    );

    this.healthy = server;
    this.containerId = server.id;
    this.database = pulumi.output(args.database);
    this.user = pulumi.output(args.database);
    this.password = userPassword;
    this.registerOutputs({ database: this.database, user: this.user, password: this.password });
  }
}
