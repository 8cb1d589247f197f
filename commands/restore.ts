/** `npm run restore` */
import * as fs from "node:fs";
import * as path from "node:path";
import { createInterface } from "node:readline/promises";
import { Readable } from "node:stream";
import { ports } from "../config/ports";
import { serverContainers } from "../config/storage";
import {
  defaultRoot,
  digest,
  type Manifest,
  type PartName,
  parts,
  readManifest,
  verify,
} from "./backups";
import { Problem, runCommand, stackOption } from "./cli";
import { formatBytes, Meter, step } from "./progress";
import { askScript, readText } from "./hostScript";
import { contentScript, findSite, onAgent, type Site } from "./siteHosts";
import { Stack } from "./stack";
import { takeBackup } from "./takeBackup";

/** What `--only` takes. */
const scopes = ["site", "rancher"] as const;

/** A backup on its way back. */
class Restoration {
  constructor(
    private readonly site: Site,
    private readonly folder: string,
    private readonly manifest: Manifest,
  ) {}

  /** Whether the Rancher of the backup is the one that is there. */
  get hasSameRancher(): boolean {
    return this.manifest.rancher === digest(this.site.outputs.rancherAccessKey);
  }

  /** Rows, then files, then what both say of the site's address. */
  async restoreSite(): Promise<void> {
    await this.loadDatabase("siteDatabase", serverContainers.siteDatabase);
    await this.send("content", (input) =>
      onAgent(this.site, (ssh) =>
        askScript(
          ssh,
          "restoring the files failed",
          contentScript(this.site, "load-content"),
          input(),
        ),
      ),
    );
    const said = await step("bringing the tables up to WordPress's version", () =>
      askScript(this.site.server, "WordPress's installer failed", {
        name: "update-tables",
        args: [serverContainers.siteInstaller],
      }),
    );
    console.error(said);
    if (!this.moves) return;
    const { siteUrl } = this.manifest;
    const now = this.site.outputs.siteUrl;
    const code = readText("php", "move-site.php");
    const moved = await step(`writing ${now} over ${siteUrl}`, () =>
      this.inReplica(code, siteUrl, now),
    );
    console.error(moved);
  }

  /** Whether the backup is of a site at another address. */
  get moves(): boolean {
    return this.manifest.siteUrl !== this.site.outputs.siteUrl;
  }

  /** @throws Problem when the site's address has to be changed, and nothing runs that could */
  async checkCanMove(): Promise<void> {
    if (!this.moves) return;
    await step("looking for a replica, which changes the site's address", () => this.inReplica(""));
  }

  /** Runs PHP in a replica of the site. @throws Problem */
  private inReplica(code: string, ...args: readonly string[]): Promise<string> {
    const script = { name: "run-in-site", args: [this.site.wordpressImage, ...args] };
    return onAgent(this.site, (ssh) =>
      askScript(ssh, "the site's address could not be changed", script, Readable.from([code])),
    );
  }

  /** Rancher stands still meanwhile; the site does not. Whatever happens, Rancher is started again. */
  async restoreRancher(): Promise<void> {
    const { server } = this.site;
    const rancher = serverContainers.rancher;
    const failures: unknown[] = [];
    const stay = () => {
      console.error("this ends when Rancher runs again");
      failures.push(new Problem("it was interrupted"));
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, stay);
    const noted = (work: Promise<unknown>) => work.catch((error: unknown) => failures.push(error));
    await noted(
      step("stopping Rancher", () =>
        askScript(server, "Rancher could not be stopped", {
          name: "rancher-stop",
          args: [rancher],
        }),
      ).then(() => this.loadDatabase("rancherDatabase", serverContainers.rancherDatabase)),
    );
    await noted(
      step("starting Rancher", () =>
        askScript(server, "Rancher did not start", {
          name: "rancher-start",
          args: [rancher, String(ports.rancher.number)],
        }),
      ),
    );
    for (const signal of signals) process.off(signal, stay);
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) {
      throw new Problem([...new Set(failures.map((error) => (error as Error).message))].join("; "));
    }
  }

  private async loadDatabase(part: PartName, container: string): Promise<void> {
    const script = { name: "load-database", args: [container] };
    const failure = `restoring ${parts[part].what} failed`;
    const tables = await this.send(part, (input) =>
      askScript(this.site.server, failure, script, input()),
    );
    console.error(`${tables} tables`);
  }

  /** Hands a part to `work`, which may ask for it again for another host. */
  private send<T>(part: PartName, work: (input: () => Readable) => Promise<T>): Promise<T> {
    const { file, bytes } = this.manifest.parts[part];
    let meter = new Meter();
    const input = () => {
      meter = new Meter();
      return fs.createReadStream(path.join(this.folder, file)).pipe(meter);
    };
    const how = () => `${formatBytes(meter.bytes)} of ${formatBytes(bytes)}`;
    return step(`restoring ${parts[part].what}`, () => work(input), how);
  }
}

/** Asks on a terminal. @throws Problem when the answer is no, or nobody is there to give one */
async function confirm(question: string): Promise<void> {
  if (process.stdin.isTTY !== true) throw new Problem(`${question} Add --yes if so`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} (yes/no) `);
  terminal.close();
  if (answer.trim().toLowerCase() !== "yes") throw new Problem("nothing was changed");
}

void runCommand(
  {
    name: "restore",
    summary:
      "Brings a backup back into a stack that is up: the site's rows and files, and Rancher's database when it is of the\n" +
      "same Rancher. What is there now is saved first. The site's users and passwords are then those of the backup.",
    usage: "FOLDER [--only site|rancher] [--yes] [--stack NAME]",
    details: [
      "FOLDER           what npm run backup made",
      "--only PART      site or rancher; default: both, where Rancher is the same",
      "--output FOLDER  where what is there now is saved; default: backups",
      "--no-save        do not save what is there; for a stack of which it cannot be saved any more",
      "--yes            do not ask",
    ],
    options: {
      ...stackOption,
      only: { type: "string" },
      output: { type: "string" },
      "no-save": { type: "boolean" },
      yes: { type: "boolean" },
    },
    positionals: [1, 1],
  },
  async ({ values, positionals }) => {
    const folder = path.resolve(positionals[0] ?? "");
    const only = values["only"] as string | undefined;
    if (only !== undefined && !scopes.some((scope) => scope === only)) {
      throw new Problem(`--only takes ${scopes.join(" or ")}, not "${only}"`);
    }
    const manifest = readManifest(folder);
    await step("comparing checksums", () => verify(folder, manifest));
    const stack = new Stack(values["stack"] as string | undefined);
    const [site, name] = await Promise.all([findSite(stack), stack.name()]);
    const restoration = new Restoration(site, folder, manifest);
    if (only === "rancher" && !restoration.hasSameRancher) {
      throw new Problem(
        `the backup is of another Rancher than that of ${name}; its hosts, keys and ids are not this one's, so only the site can be restored`,
      );
    }
    const withSite = only !== "rancher";
    const withRancher = only !== "site" && restoration.hasSameRancher;
    const what = [withSite ? "the site" : "", withRancher ? "Rancher" : ""].filter((w) => w !== "");
    if (values["yes"] !== true) {
      await confirm(
        `Replace ${what.join(" and ")} of the stack ${name} by the state of ${manifest.takenAt}?`,
      );
    }
    if (withSite) await restoration.checkCanMove();
    if (values["no-save"] !== true) {
      const root = path.resolve((values["output"] as string | undefined) ?? defaultRoot);
      const before = await takeBackup(site, name, root).catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error;
        const more =
          "nothing was changed; to restore although what is there cannot be saved: --no-save";
        throw new Problem(`${error.message}; ${more}`);
      });
      console.error(`What was there is in ${path.relative(process.cwd(), before)}`);
    }
    if (withSite) await restoration.restoreSite();
    if (withRancher) await restoration.restoreRancher();
    else if (only === undefined) {
      console.error("Rancher's database stays: the backup is of another Rancher");
    }
    console.log(`\nRestored ${what.join(" and ")}: ${site.outputs.siteUrl}`);
    return 0;
  },
);
