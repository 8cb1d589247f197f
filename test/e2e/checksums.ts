import { isDeepStrictEqual } from "node:util";
import { agentMachines, serverMachine } from "./site";
import { eventually, onMachine } from "./lab";

/**
 * Checksums of everything that must outlive machines, stacks and restores. Each function returns one
 * entry a table or file, so that a comparison by `deepEqual` names what differs.
 */

/** What of a table changes by itself, and so is left out of its checksum. */
interface Passing {
  /** Rows, as a condition of SQL. */
  readonly rows?: string;
  /** Columns: each left out when it is not there. */
  readonly columns?: readonly string[];
  /** Fields of the JSON document in the column `data`. */
  readonly fields?: readonly string[];
}

/** The containers of the databases, on the server's machine. */
const containers = { site: "site-db", rancher: "rancher-db" } as const;

/** Names of options, as patterns of SQL, that WordPress writes on anybody's visit. */
const passingOptions = [
  // What it keeps for a while.
  String.raw`\\_transient\\_%`,
  String.raw`\\_site\\_transient\\_%`,
  // Which timed tasks are due, their locks, and what the first of them leave behind.
  "cron",
  "%.lock",
  String.raw`https\\_detection\\_errors`,
  String.raw`recovery\\_keys`,
];

const sitePassing: Readonly<Record<string, Passing>> = {
  // Notes for the timed task that tells other sites of a new post, which takes them away.
  wp_postmeta: { rows: "meta_key IN ('_pingme', '_encloseme')" },
  wp_options: {
    rows: passingOptions.map((pattern) => `option_name LIKE '${pattern}'`).join(" OR "),
  },
};

/** How something is at the moment: an agent that reconnects, a container whose health is asked again. */
const condition: Passing = {
  columns: ["updated"],
  fields: [
    "state",
    "stateSince",
    "transitioning",
    "transitioningMessage",
    "transitioningProgress",
    "healthState",
  ],
};

/**
 * What Rancher writes without being asked, by table of the lab's stand-in: one a type, a JSON document
 * a row. All other tables count whole.
 */
const rancherPassing: Readonly<Record<string, Passing>> = {
  // An environment's health is that of its stacks.
  lab_account: condition,
  lab_host: {
    ...condition,
    // What the agent says of its machine, and whether it is connected.
    fields: [...(condition.fields ?? []), "agentState", "info", "memory"],
  },
  lab_stack: condition,
  lab_service: {
    ...condition,
    // When it next tries what failed.
    fields: [...(condition.fields ?? []), "failures", "retryAt", "batchPauseUntil"],
  },
  lab_instance: condition,
};

/** Runs SQL as root by the socket of a database's container and returns its lines of columns. */
export async function rootSql(
  database: keyof typeof containers,
  statements: string,
): Promise<string[][]> {
  const server = await serverMachine();
  const client = `MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mysql -N -B -uroot "$MYSQL_DATABASE"`;
  // As base64, so that no shell on the way reads a quote or a dollar of it.
  const text = Buffer.from(statements).toString("base64");
  const answer = await onMachine(
    server.id,
    `echo ${text} | base64 -d | docker exec -i ${containers[database]} sh -c '${client}'`,
  );
  return answer === "" ? [] : answer.split("\n").map((line) => line.split("\t"));
}

/** Statements that leave a copy of a table without what passes, under the name of the copy. */
function steadyCopy(table: string, copy: string, columns: readonly string[], passing: Passing) {
  const selected = columns
    .filter((column) => passing.columns?.includes(column) !== true)
    .map((column) =>
      column === "data" && passing.fields !== undefined
        ? `JSON_REMOVE(data, ${passing.fields.map((field) => `'$.${field}'`).join(", ")}) AS data`
        : `\`${column}\``,
    );
  const rows = passing.rows === undefined ? "" : ` WHERE NOT (${passing.rows})`;
  return `CREATE TEMPORARY TABLE \`${copy}\` AS SELECT ${selected.join(", ")} FROM \`${table}\`${rows};`;
}

async function rows(
  database: keyof typeof containers,
  passing: Readonly<Record<string, Passing>>,
): Promise<Record<string, string>> {
  const columns = new Map<string, string[]>();
  for (const [table = "", column = ""] of await rootSql(
    database,
    `SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`,
  )) {
    columns.set(table, [...(columns.get(table) ?? []), column]);
  }
  const tables = [...columns.keys()];
  if (tables.length === 0) throw new Error(`the database of ${database} has no tables`);
  const copyOf = (table: string) => (table in passing ? `steady_${table}` : table);
  const copies = Object.entries(passing)
    .filter(([table]) => columns.has(table))
    .map(([table, what]) => steadyCopy(table, copyOf(table), columns.get(table) ?? [], what));
  const counts = tables
    .map((table) => `SELECT '${table}', COUNT(*) FROM \`${copyOf(table)}\`;`)
    .join("\n");
  const sums = `CHECKSUM TABLE ${tables.map((table) => `\`${copyOf(table)}\``).join(", ")} EXTENDED;`;
  const found = await rootSql(database, [...copies, counts, sums].join("\n"));
  if (found.length !== 2 * tables.length) throw new Error(`unexpected answer: ${found.join("\n")}`);
  return Object.fromEntries(
    tables.map((table, i) => {
      const [count, sum] = [found[i]?.[1], found[tables.length + i]?.[1]];
      if (sum === undefined || sum === "NULL") throw new Error(`${table} has no checksum`);
      return [table, `${count ?? ""} rows, ${sum}`];
    }),
  );
}

/** Number of rows and checksum of each table of the site's database. */
export function siteRows(): Promise<Record<string, string>> {
  return rows("site", sitePassing);
}

/** Number of rows and checksum of each table of Rancher's database. */
export function rancherRows(): Promise<Record<string, string>> {
  return rows("rancher", rancherPassing);
}

/** SHA-256 of each file in `wp-content`, by its path there. */
export async function contentFiles(): Promise<Record<string, string>> {
  const [agent] = await agentMachines();
  if (agent === undefined) throw new Error("there is no agent host");
  const answer = await onMachine(
    agent.id,
    "cd /mnt/shared/wp-content && find . -type f -exec sha256sum {} +",
  );
  const entries = answer.split("\n").map((line): [string, string] => {
    // A name with a line break or a backslash would come escaped, and nothing of ours has one.
    const [, sum, file] = /^([0-9a-f]{64}) [ *]\.\/(.+)$/.exec(line) ?? [];
    if (sum === undefined || file === undefined) throw new Error(`not a checksum: ${line}`);
    return [file, sum];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** All of it. */
export async function everything(): Promise<
  Record<"site" | "rancher" | "files", Record<string, string>>
> {
  const [site, rancher, files] = await Promise.all([siteRows(), rancherRows(), contentFiles()]);
  return { site, rancher, files };
}

/** All of it, once two looks in a row have seen the same: what earlier tests have set off is done by then. */
export async function settled(): Promise<Awaited<ReturnType<typeof everything>>> {
  let last = await everything();
  return eventually("nothing changes any more", 120, async () => {
    const before = last;
    last = await everything();
    return isDeepStrictEqual(last, before) ? last : undefined;
  });
}
