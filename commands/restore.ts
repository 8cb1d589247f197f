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
    const { wordpressImage, outputs } = this.site;
    const said = await step("bringing the tables up to WordPress's version", () =>
      askScript(this.site.server, "WordPress's installer failed", {
        name: "update-tables",
        args: [serverContainers.siteInstaller],
      }),
    );
    console.error(said);
    const { siteUrl } = this.manifest;
    if (siteUrl === outputs.siteUrl) return;
    const code = readText("php", "move-site.php");
    const moved = await step(`writing ${outputs.siteUrl} over ${siteUrl}`, () =>
      onAgent(this.site, (ssh) =>
        askScript(
          ssh,
          "the site's address could not be changed",
          { name: "run-in-site", args: [wordpressImage, siteUrl, outputs.siteUrl] },
          Readable.from([code]),
        ),
      ),
    );
    console.error(moved);
  }

  /** Rancher stands still meanwhile; the site does not. */
  async restoreRancher(): Promise<void> {
    const { server } = this.site;
    const rancher = serverContainers.rancher;
    await step("stopping Rancher", () =>
      askScript(server, "Rancher could not be stopped", { name: "rancher-stop", args: [rancher] }),
    );
    try {
      await this.loadDatabase("rancherDatabase", serverContainers.rancherDatabase);
    } finally {
      await step("starting Rancher", () =>
        askScript(server, "Rancher did not start", {
          name: "rancher-start",
          args: [rancher, String(ports.rancher.number)],
        }),
      );
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
      "--yes            do not ask",
    ],
    options: {
      ...stackOption,
      only: { type: "string" },
      output: { type: "string" },
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
    const root = path.resolve((values["output"] as string | undefined) ?? defaultRoot);
    const before = await takeBackup(site, name, root);
    console.error(`What was there is in ${path.relative(process.cwd(), before)}`);
    if (withSite) await restoration.restoreSite();
    if (withRancher) await restoration.restoreRancher();
    else if (only === undefined) {
      console.error("Rancher's database stays: the backup is of another Rancher");
    }
    console.log(`\nRestored ${what.join(" and ")}: ${site.outputs.siteUrl}`);
    return 0;
  },
);
