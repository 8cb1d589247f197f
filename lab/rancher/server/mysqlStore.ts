import mysql from "mysql2/promise";
import type { Store, StoredDocument } from "./store";

/** How to reach the database; names follow Rancher's CATTLE_DB_CATTLE_* variables. */
export interface MysqlOptions {
  readonly host: string;
  /** @default 3306 */
  readonly port?: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Called with what is being waited for while the database does not answer. Never gets a secret. */
  readonly log: (line: string) => void;
  /** Gives up waiting for the database after this long. Milliseconds. @default 15 minutes */
  readonly startTimeoutMs?: number;
}

/** Answers that more waiting rarely cures. */
const refusals = new Set(["ER_ACCESS_DENIED_ERROR", "ER_DBACCESS_DENIED_ERROR", "ER_BAD_DB_ERROR"]);
const refusalPatienceMs = 60_000;

const tableName = (type: string): string => `lab_${type.toLowerCase()}`;

/** Documents in MariaDB, one table a type: `lab_service (id, data, created, updated)`. */
export class MysqlStore implements Store {
  private readonly pool: mysql.Pool;

  public constructor(private readonly options: MysqlOptions) {
    this.pool = mysql.createPool({
      host: options.host,
      port: options.port ?? 3306,
      database: options.database,
      user: options.user,
      password: options.password,
      connectionLimit: 2,
      connectTimeout: 5_000,
      charset: "utf8_general_ci",
      enableKeepAlive: true,
    });
  }

  public async load(types: readonly string[]): Promise<StoredDocument[]> {
    await this.waitForDatabase();
    const documents: StoredDocument[] = [];
    for (const type of types) {
      await this.pool.query(
        `CREATE TABLE IF NOT EXISTS ${tableName(type)} (
           id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
           data LONGTEXT NOT NULL,
           created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
           updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
         ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8`,
      );
      const [rows] = await this.pool.query<mysql.RowDataPacket[]>(
        `SELECT id, data FROM ${tableName(type)} ORDER BY id`,
      );
      for (const row of rows) {
        documents.push({ type, id: Number(row.id), json: String(row.data) });
      }
    }
    return documents;
  }

  public async write(documents: readonly StoredDocument[]): Promise<void> {
    const byType = new Map<string, StoredDocument[]>();
    for (const d of documents) byType.set(d.type, [...(byType.get(d.type) ?? []), d]);
    const connection = await this.pool.getConnection();
    try {
      await connection.beginTransaction();
      for (const [type, list] of byType) {
        await connection.query(
          `INSERT INTO ${tableName(type)} (id, data) VALUES ? ON DUPLICATE KEY UPDATE data = VALUES(data)`,
          [list.map((d) => [d.id, d.json])],
        );
      }
      await connection.commit();
      connection.release();
    } catch (e) {
      // The connection may be half dead; a fresh one is cheap.
      connection.destroy();
      throw e;
    }
  }

  public async close(): Promise<void> {
    await this.pool.end();
  }

  private async waitForDatabase(): Promise<void> {
    const { host, port = 3306, database, user, log } = this.options;
    const deadline = Date.now() + (this.options.startTimeoutMs ?? 15 * 60_000);
    let last = "";
    let refusedSince: number | undefined;
    for (;;) {
      try {
        await this.pool.query("SELECT 1");
        return;
      } catch (e) {
        const message =
          e instanceof Error
            ? e.message || ((e as NodeJS.ErrnoException).code ?? "no answer")
            : String(e);
        // A database that answers "no" may still be making its users; after a while it means it.
        const refused = refusals.has((e as NodeJS.ErrnoException).code ?? "");
        refusedSince = refused ? (refusedSince ?? Date.now()) : undefined;
        const final = refusedSince !== undefined && Date.now() - refusedSince > refusalPatienceMs;
        if (final) {
          throw new Error(
            `the database ${user}@${host}:${String(port)}/${database} refuses: ${message}`,
          );
        }
        if (Date.now() > deadline) {
          throw new Error(
            `the database ${user}@${host}:${String(port)}/${database} did not answer in time: ${message}`,
          );
        }
        if (message !== last) {
          log(`waiting for the database ${user}@${host}:${String(port)}/${database}: ${message}`);
          last = message;
        }
        await new Promise((r) => setTimeout(r, 1_000));
      }
    }
  }
}
