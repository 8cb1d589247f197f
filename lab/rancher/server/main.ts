/**
 * A stand-in for Rancher server v1.6.30: TEST EQUIPMENT of the lab, not Rancher. It answers what this
 * project's provider asks, in Rancher's shapes, and keeps its state in the MariaDB it is given.
 *
 * Environment, as for rancher/server: CATTLE_DB_CATTLE_MYSQL_HOST, _PORT (3306), _NAME (cattle),
 * CATTLE_DB_CATTLE_USERNAME (cattle), CATTLE_DB_CATTLE_PASSWORD (cattle); any setting as CATTLE_<NAME>
 * (CATTLE_API_HOST, CATTLE_BOOTSTRAP_REQUIRED_IMAGE, …) or DEFAULT_CATTLE_<NAME>. Port 8080.
 */
import { MysqlStore } from "./mysqlStore";
import { startServer } from "./server";

const log = (line: string): void => {
  console.log(`${new Date().toISOString()} ${line}`);
};

async function main(): Promise<void> {
  const { env } = process;
  log("rancher-cattle lab: stand-in for Rancher server v1.6.30 (test equipment, not Rancher)");
  const host = env.CATTLE_DB_CATTLE_MYSQL_HOST;
  if (host === undefined || host === "") {
    throw new Error(
      "CATTLE_DB_CATTLE_MYSQL_HOST is not set: the lab's server needs an external database",
    );
  }
  const server = await startServer({
    store: new MysqlStore({
      host,
      port: Number(env.CATTLE_DB_CATTLE_MYSQL_PORT ?? 3306),
      database: env.CATTLE_DB_CATTLE_MYSQL_NAME ?? "cattle",
      user: env.CATTLE_DB_CATTLE_USERNAME ?? "cattle",
      password: env.CATTLE_DB_CATTLE_PASSWORD ?? "cattle",
      log,
    }),
    port: Number(env.LAB_HTTP_PORT ?? 8080),
    env,
    log,
  });
  log(`Startup Succeeded, Listening on port ${String(server.port)}`);
  const stop = (signal: string): void => {
    log(`${signal}: stopping`);
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

process.on("unhandledRejection", (e) => {
  log(`unhandled: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`);
});

main().catch((e: unknown) => {
  log(`STARTUP FAILED: ${e instanceof Error ? e.message : String(e)}`);
  process.exit(1);
});
