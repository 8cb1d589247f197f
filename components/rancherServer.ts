import * as aws from "@pulumi/aws";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { MemoryPlan } from "../config/instanceTypes";
import { ports } from "../config/ports";
import * as rancher from "../rancher";
import { container } from "./container";
import type { DataVolume } from "./dataVolume";
import { hostGate } from "./hostGate";
import { MariaDb } from "./mariaDb";
import { token } from "./names";
import type { Network } from "./network";
import type { RemoteDocker } from "./remoteDocker";

/** Arguments of {@link RancherServer}. */
export interface RancherServerArgs {
  readonly engine: RemoteDocker;
  /** The volume that the database's directory is on. */
  readonly volume: DataVolume;
  /** Directory of the volume for the database. */
  readonly directory: string;
  readonly network: Network;
  /** Image of `rancher/server`. Changing it replaces the container and migrates the database. */
  readonly image: string;
  /** Image of its database. */
  readonly databaseImage: string;
  readonly memory: MemoryPlan;
  /** Git repository of the library catalog. @default Rancher's own */
  readonly catalogUrl?: string;
}

/** The first start makes every table, which has taken minutes; Java alone takes one or two. */
const limitSeconds = 900;

/** Branches and addresses of the catalogs that Rancher 1.6.30 ships with. */
const catalogs = {
  libraryBranch: "v1.6-release",
  community: { url: "https://git.rancher.io/community-catalog.git", branch: "master" },
} as const;

/** The value of Rancher's setting `catalog.url`. */
function catalogSetting(libraryUrl: string): string {
  return JSON.stringify({
    catalogs: {
      library: { url: libraryUrl, branch: catalogs.libraryBranch },
      community: catalogs.community,
    },
  });
}

/**
 * Rancher 1.6 on a database of its own, closed to anyone without a key. Its identity is a name in the
 * private zone, which follows the machine, so agents find a replaced server again.
 */
export class RancherServer extends pulumi.ComponentResource {
  /** The machine's name in the private zone, `rancher.<stack>.internal`. */
  public readonly hostName: string;
  /** The command that brings the UI to the same port of the machine it runs on. */
  public readonly uiTunnel: pulumi.Output<string>;
  /** Key of the administrator's account. */
  public readonly accessKey: pulumi.Output<string>;
  /** Its secret half. */
  public readonly secretKey: pulumi.Output<string>;
  /** Password of the user `admin`, a secret. */
  public readonly adminPassword: pulumi.Output<string>;
  /**
   * Options for each object in Rancher, to be completed with `parent`: objects live as long as
   * the database, not as long as the machine.
   */
  public readonly residency: pulumi.CustomResourceOptions;

  constructor(name: string, args: RancherServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("RancherServer"), name, {}, opts);
    const { engine, volume } = args;
    const { address: serverAddress } = engine;
    const { endpoint, host } = serverAddress;

    const hostName = `rancher.${args.network.zoneName}`;
    const record = new aws.route53.Record(
      `${name}-name`,
      {
        zoneId: args.network.zoneId,
        name: hostName,
        type: "A",
        ttl: 10,
        records: [host.privateIp],
      },
      { parent: this },
    );
    const inner = new docker.Network(
      `${name}-network`,
      { name: "rancher" },
      { ...engine.residency, parent: this },
    );
    const databaseName = `${name}-db`;
    const database = new MariaDb(
      databaseName,
      {
        engine,
        image: args.databaseImage,
        dataDirectory: volume.directory(args.directory),
        database: "cattle",
        charset: "utf8",
        bufferPoolMiB: args.memory.rancherPoolMiB,
        network: inner,
        isProtected: volume.isProtected,
      },
      { parent: this },
    );

    const optional =
      args.catalogUrl === undefined
        ? []
        : [`DEFAULT_CATTLE_CATALOG_URL=${catalogSetting(args.catalogUrl)}`];
    const server = container(
      name,
      engine,
      {
        imageReference: args.image,
        envs: [
          `CATTLE_DB_CATTLE_MYSQL_HOST=${databaseName}`,
          `CATTLE_DB_CATTLE_MYSQL_PORT=${ports.mysql.number}`,
          pulumi.interpolate`CATTLE_DB_CATTLE_MYSQL_NAME=${database.database}`,
          pulumi.interpolate`CATTLE_DB_CATTLE_USERNAME=${database.user}`,
          pulumi.interpolate`CATTLE_DB_CATTLE_PASSWORD=${database.password}`,
          `CATTLE_API_HOST=http://${hostName}:${ports.rancher.number}`,
          `JAVA_OPTS=-Xmx${args.memory.rancherHeapMiB}m`,
          ...optional,
        ],
        ports: [{ internal: ports.rancher.number, external: ports.rancher.number }],
        networksAdvanced: [{ name: inner.name, aliases: [name] }],
      },
      { parent: this, dependsOn: [database.healthy] },
    );
    const address = `127.0.0.1:${ports.rancher.number}`;
    const url = `http://${address}`;
    const ready = hostGate(
      `${name}-ready`,
      {
        address: serverAddress,
        waitFor: "Rancher",
        limitSeconds,
        script: "rancher-answers",
        args: [name, url],
        triggers: [server.id],
      },
      { parent: this, dependsOn: [record] },
    );

    const provider = (part: string, keys: Pick<rancher.ProviderArgs, "accessKey" | "secretKey">) =>
      new rancher.Provider(
        `${name}-${part}`,
        {
          url,
          ssh: {
            host: endpoint.host,
            port: endpoint.port,
            user: endpoint.user,
            hostKey: endpoint.hostKey,
            hostKeyAlias: endpoint.hostKeyAlias,
            ...(endpoint.proxyCommand === undefined ? {} : { proxyCommand: endpoint.proxyCommand }),
          },
          ...keys,
        },
        { parent: this, dependsOn: [ready] },
      );
    const password = new random.RandomPassword(
      `${name}-admin-password`,
      { length: 32, special: false },
      { parent: this, protect: volume.isProtected },
    ).result;
    const access = new rancher.AccessControl(
      `${name}-access`,
      { username: "admin", password },
      {
        ...volume.residency,
        provider: provider("bootstrap", {}),
        parent: this,
        additionalSecretOutputs: ["accessKey"],
      },
    );

    this.hostName = hostName;
    // Where the port is taken ssh would only warn, and a browser would find somebody else's page.
    this.uiTunnel = endpoint.command(
      ...["-o", "ExitOnForwardFailure=yes", "-N", "-L", `${ports.rancher.number}:${address}`],
    );
    this.accessKey = pulumi.secret(access.accessKey);
    this.secretKey = pulumi.secret(access.secretKey);
    this.adminPassword = password;
    this.residency = {
      ...volume.residency,
      provider: provider("admin", { accessKey: this.accessKey, secretKey: this.secretKey }),
    };
    this.registerOutputs({ hostName: this.hostName });
  }
}
