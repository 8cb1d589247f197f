/** The real Pulumi CLI on a stack of its own: temporary project folder, backend and home. */
import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { clone, currentLab } from "../../lab/env";
import { cliFolder } from "../../lab/toolchain";
import { DECLARATION_FILE } from "./matrix/declaration";

/** Result of one CLI run; `code` is null when it was killed. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  /** stdout and stderr. */
  readonly output: string;
}

/** What a preview plans for one resource. */
export interface Step {
  /** `create`, `update`, `replace`, `delete`, … */
  readonly op: string;
  /** Changed property path -> `add`, `update`, `delete` or one of these with `-replace`. */
  readonly paths: Readonly<Record<string, string>>;
}

/** What is imported: Pulumi name -> type token and id. */
export type Imports = Readonly<Record<string, readonly [type: string, id: string]>>;

/** What is read of a stack's state. */
export interface State {
  readonly resources: readonly {
    readonly urn: string;
    readonly id?: string;
    readonly inputs?: Record<string, unknown>;
    readonly outputs?: Record<string, unknown>;
  }[];
  readonly pending_operations?: readonly unknown[];
}

/** Everything that is not about what changes. */
const COMMON = ["--non-interactive", "--color", "never"];

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The CLI that the lab of the tests has; building one takes minutes and is not for a test to do. */
function findCli(): string {
  const cli = path.join(cliFolder(currentLab()), "pulumi");
  if (fs.existsSync(cli)) return cli;
  throw new Error(
    `there is no Pulumi CLI at ${path.relative(clone, cli)}: run make test, which builds it, or name a lab that is up by LAB_NAME`,
  );
}

/** What was printed as JSON; nothing when it is none. */
function readJson(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}

/** One stack, from nothing. */
export class Engine {
  /** Everything any run printed: no secret may ever be in it. */
  said = "";
  /** Holds the project, the backend and Pulumi's home. */
  readonly folder: string;
  private readonly cli = findCli();
  /** Declarations of single runs. */
  private ownFiles = 0;
  private readonly running = new Set<ChildProcess>();
  /** The tests were told to end, and their hooks do not run. */
  private readonly onSignal = (): void => {
    this.remove();
    process.exit(1);
  };

  /**
   * @param program folder with `Pulumi.yaml` and `index.ts`.
   */
  constructor(program: string) {
    // In the clone, so that the program finds its packages.
    fs.mkdirSync(path.join(clone, ".lab"), { recursive: true });
    this.folder = fs.mkdtempSync(path.join(clone, ".lab", "provider-test-"));
    // Its configuration file would be written beside Pulumi.yaml.
    fs.mkdirSync(this.project);
    fs.mkdirSync(path.join(this.folder, "backend"));
    const settings = fs.readFileSync(path.join(program, "Pulumi.yaml"), "utf8");
    // The provider's path is relative to the program's own folder.
    const found = settings.replace(/(?<=^ +path: ).*/gm, (to) => path.resolve(program, to));
    fs.writeFileSync(path.join(this.project, "Pulumi.yaml"), found);
    fs.symlinkSync(path.join(program, "index.ts"), path.join(this.project, "index.ts"));
    for (const signal of SIGNALS) process.once(signal, this.onSignal);
  }

  /** Where the CLI runs. */
  private get project(): string {
    return path.join(this.folder, "project");
  }

  private get declarationFile(): string {
    return path.join(this.folder, "declaration.json");
  }

  private ownFile(): string {
    return path.join(this.folder, `declaration-${this.ownFiles++}.json`);
  }

  /** What the program declares from now on. */
  declare(declaration: object): void {
    fs.writeFileSync(this.declarationFile, JSON.stringify(declaration, undefined, 2));
  }

  /**
   * Starts the CLI in a process group of its own.
   *
   * @param declaration what the program declares in this run only. @default what {@link declare} said
   */
  start(
    args: readonly string[],
    declaration?: object,
  ): { readonly pid: number; readonly ended: Promise<Ran> } {
    const declarationFile = declaration === undefined ? this.declarationFile : this.ownFile();
    if (declaration !== undefined) fs.writeFileSync(declarationFile, JSON.stringify(declaration));
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("PULUMI_"));
    const child = spawn(this.cli, [...args, ...COMMON], {
      cwd: this.project,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...Object.fromEntries(inherited),
        PULUMI_HOME: path.join(this.folder, "home"),
        PULUMI_BACKEND_URL: `file://${path.join(this.folder, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        [DECLARATION_FILE]: declarationFile,
      },
    });
    this.running.add(child);
    let stdout = "";
    let output = "";
    const collect = (text: string) => {
      output += text;
      // An answer that was asked to show secrets is not held against it.
      if (!args.includes("--show-secrets")) this.said += text;
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      collect(text);
    });
    child.stderr.setEncoding("utf8").on("data", collect);
    const ended = new Promise<Ran>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        this.running.delete(child);
        resolve({ code, stdout, output });
      });
    });
    return { pid: child.pid ?? 0, ended };
  }

  /** Runs the CLI and returns what happened, success or not. */
  tryRun(...args: string[]): Promise<Ran> {
    return this.start(args).ended;
  }

  /** Runs the CLI and fails with its whole output when it fails. */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, output } = await this.tryRun(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} exited ${code}\n${output}`);
    return stdout;
  }

  /** `up` as every case does it: it succeeds, and a preview after it, plain and with refresh, is empty. */
  async up(...args: string[]): Promise<string> {
    const output = await this.run("up", "--yes", "--skip-preview", ...args);
    await Promise.all([
      this.run("preview", "--diff", "--expect-no-changes"),
      this.run("preview", "--diff", "--expect-no-changes", "--refresh"),
    ]);
    return output;
  }

  /** An `up` that has to fail; returns what it said. */
  async failingUp(...args: string[]): Promise<string> {
    const { code, output } = await this.tryRun("up", "--yes", "--skip-preview", ...args);
    assert.notEqual(code, 0, `up did not fail:\n${output}`);
    return output;
  }

  /** What a preview plans, by Pulumi name, without what stays the same. */
  async steps(...args: string[]): Promise<Record<string, Step>> {
    const { code, stdout, output } = await this.tryRun("preview", "--json", ...args);
    const preview = readJson(stdout) as {
      steps?: {
        op: string;
        urn: string;
        detailedDiff?: Record<string, { kind: string }> | null;
      }[];
      diagnostics?: { urn?: string; message: string; severity: string }[];
    };
    if (code !== 0) {
      const errors = (preview.diagnostics ?? []).filter(({ severity }) => severity === "error");
      const said = errors.map(({ urn = "", message }) => `${urn}: ${message}`).join("\n");
      throw new Error(`pulumi preview ${args.join(" ")} exited ${code}\n${said || output}`);
    }
    const planned: Record<string, Step> = {};
    for (const { op, urn, detailedDiff } of preview.steps ?? []) {
      if (["same", "read", "refresh"].includes(op)) continue;
      const name = urn.split("::").pop() ?? "";
      const before = planned[name];
      const paths = Object.entries(detailedDiff ?? {}).map(([key, { kind }]) => [key, kind]);
      // A replacement is three steps, of which not all name what causes it.
      planned[name] = {
        op: before === undefined ? op : "replace",
        paths: { ...before?.paths, ...(Object.fromEntries(paths) as Record<string, string>) },
      };
    }
    return planned;
  }

  /** Imports things, by their Pulumi names, with the provider named `closed`. */
  async import(things: Imports): Promise<void> {
    await this.run(...(await this.importing(things)));
  }

  /** An import that has to fail; returns what it said. */
  async failingImport(things: Imports): Promise<string> {
    const { code, output } = await this.tryRun(...(await this.importing(things)));
    assert.notEqual(code, 0, `import did not fail:\n${output}`);
    return output;
  }

  private async importing(things: Imports): Promise<string[]> {
    const { resources } = await this.state();
    const closed = resources.find(({ urn }) => urn.endsWith("::closed"));
    const list = Object.entries(things).map(([name, [type, id]]) => ({
      name,
      type,
      id,
      provider: "closed",
    }));
    const file = path.join(this.folder, "import.json");
    fs.writeFileSync(file, JSON.stringify({ nameTable: { closed: closed?.urn }, resources: list }));
    const quiet = ["--yes", "--skip-preview", "--protect=false", "--generate-code=false"];
    return ["import", "--file", file, ...quiet];
  }

  /** The stack's state. */
  async state(): Promise<State> {
    const exported = JSON.parse(await this.run("stack", "export")) as { deployment: State };
    return exported.deployment;
  }

  /** The stack's outputs, secrets in clear. */
  async outputs(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.run("stack", "output", "--json", "--show-secrets")) as Record<
      string,
      unknown
    >;
  }

  /** The processes that the CLI started, itself included, and that still run. */
  processes(): number[] {
    return fs.readdirSync("/proc").flatMap((name) => {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
      try {
        const environment = fs.readFileSync(`/proc/${name}/environ`, "utf8");
        return environment.includes(this.folder) ? [Number(name)] : [];
      } catch {
        return []; // It has ended meanwhile, or is not ours to look at.
      }
    });
  }

  /** Every file that Pulumi keeps, by its path. */
  files(): [string, string][] {
    const all = fs.readdirSync(this.folder, { recursive: true, withFileTypes: true });
    return all
      .map((entry) => path.join(entry.parentPath, entry.name))
      .filter((file) => !/declaration(-\d+)?\.json$/.test(file) && fs.statSync(file).isFile())
      .map((file): [string, string] => [file, fs.readFileSync(file, "utf8")]);
  }

  /** Ends what still runs and removes everything. */
  remove(): void {
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
    for (const { pid } of this.running) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    for (const pid of this.processes()) process.kill(pid, "SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
