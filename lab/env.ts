/** One lab instance: its folder, its name, and `env.json`, which all parts of the lab read. */
import * as crypto from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { Daemon } from "./processes";

/** The clone's folder. */
export const clone = path.resolve(__dirname, "..");

/** What a test run leaves to be looked at. */
export const testOutput = path.join(clone, ".lab", "test-output");

/** What `env.json` holds. Names of machine objects all carry `id`. */
export interface LabEnv {
  readonly id: string;
  readonly dir: string;
  /** The engine that runs the lab's hosts, as `unix://…`. */
  readonly dockerHost: string;
  /** True when that engine is the lab's own and goes with it. */
  readonly ownEngine: boolean;
  readonly label: string;
  /** The lab's "internet": public addresses, with the machine itself at its gateway. */
  readonly internetCidr: string;
  readonly internetGateway: string;
  readonly internetBridge: string;
  readonly vpcCidr: string;
  readonly cloudPort: number;
  readonly cloudUrl: string;
  /** The registry's name and port, and the address behind the name. */
  readonly registry: string;
  readonly registryAddress: string;
  /** The image of an EC2 host. */
  readonly hostImage: string;
  readonly region: string;
  readonly vcpuQuota: number;
  readonly addressQuota: number;
}

/** Paths and names of one lab instance of this clone. */
export class Lab {
  /** 8 hex digits from the clone's path and the instance's name: unique on this machine. */
  readonly id: string;
  /** Everything the lab keeps, `<clone>/.lab/<name>`. */
  readonly dir: string;
  /** Sockets and pid files: short, since a socket's path may have 107 characters. */
  readonly runDir: string;
  /** The Pulumi stack, whose configuration file is `Pulumi.<stack>.yaml`. */
  readonly stack: string;

  /** @param name `lab` unless several instances of one clone run side by side. */
  constructor(readonly name: string) {
    if (!/^[a-z][a-z0-9]{0,15}$/.test(name)) {
      throw new Error(`LAB_NAME is "${name}"; use at most 16 lower-case letters and digits`);
    }
    this.id = crypto.createHash("sha256").update(`${clone} ${name}`).digest("hex").slice(0, 8);
    this.dir = path.join(clone, ".lab", name);
    this.runDir = `/run/rancher-cattle/${this.id}`;
    this.stack = name === "lab" ? "lab" : `lab-${name}`;
  }

  /** The prefix of every docker object's name. */
  get prefix(): string {
    return `rc-${this.id}-`;
  }

  /** The label of every docker object, as `key=value`. */
  get label(): string {
    return `rancher-cattle.lab=${this.id}`;
  }

  get internetNetwork(): string {
    return `${this.prefix}internet`;
  }

  get stackFile(): string {
    return path.join(clone, `Pulumi.${this.stack}.yaml`);
  }

  get pulumiHome(): string {
    return this.path("pulumi-home");
  }

  /** A path in the lab's folder. */
  path(...parts: string[]): string {
    return path.join(this.dir, ...parts);
  }

  /** A background process of this lab. */
  daemon(name: string): Daemon {
    return new Daemon(name, this.runDir, this.path("logs"));
  }

  /** `env.json`, or undefined when this lab is not set up. */
  readEnv(): LabEnv | undefined {
    try {
      return JSON.parse(fs.readFileSync(this.path("env.json"), "utf8")) as LabEnv;
    } catch {
      return undefined;
    }
  }

  /** Writes `env.json` whole: a reader sees the old or the new one. */
  writeEnv(env: LabEnv): void {
    writeWhole(this.path("env.json"), `${JSON.stringify(env, undefined, 2)}\n`);
  }
}

/** The instance that the environment names by `LAB_NAME`. Default `lab`. */
export function currentLab(): Lab {
  const name = process.env["LAB_NAME"] ?? "";
  return new Lab(name === "" ? "lab" : name);
}

/** Writes a file under another name and renames it, so that it is never seen half-written. */
export function writeWhole(file: string, content: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const unfinished = `${file}.unfinished`;
  fs.writeFileSync(unfinished, content, { mode });
  fs.renameSync(unfinished, file);
}
