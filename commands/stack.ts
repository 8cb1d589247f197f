/** A stack as the commands see it: what the Pulumi CLI says of it. */
import { spawn } from "node:child_process";
import * as path from "node:path";
import { Problem } from "./cli";
import { type StackExport, StackState } from "./state";

/** The project's folder. */
export const projectFolder = path.resolve(__dirname, "..");

/** The launcher of the pinned CLI. */
export const cli = path.join(projectFolder, "node_modules", ".bin", "pulumi");

/** The outputs of `index.ts`. */
export interface StackOutputs {
  readonly siteUrl: string;
  readonly siteUrls: readonly string[];
  readonly siteAdminUser: string;
  readonly siteAdminPassword: string;
  readonly serverAddress: string;
  /** A command line of ssh for a POSIX shell, by host: `server`, `agents-0`, … */
  readonly sshCommands: Readonly<Record<string, string>>;
  readonly rancherUiTunnel: string;
  readonly agentHosts: readonly {
    readonly name: string;
    readonly address: string;
    readonly rancherHostId: string;
  }[];
  readonly rancherAccessKey: string;
  readonly rancherSecretKey: string;
  readonly rancherAdminPassword: string;
}

/** A stack's name without its organization and project. */
export function ownName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** One stack of the project. */
export class Stack {
  /** @param given its name; undefined means the one that is selected */
  constructor(private readonly given: string | undefined) {}

  /** Runs the CLI on the stack and returns what it printed. @throws Problem with what it complained of */
  async pulumi(...args: string[]): Promise<string> {
    const stack = this.given === undefined ? [] : ["--stack", this.given];
    const words = ["--cwd", projectFolder, "--non-interactive", ...args, ...stack];
    const { code, stdout, stderr } = await output(cli, words);
    if (code === 0) return stdout;
    const complaint = stderr.replace(/^error: /m, "").trim() || errorsIn(stdout);
    throw new Problem(complaint === "" ? `pulumi ${args[0] ?? ""} ended with ${code}` : complaint);
  }

  /** Its name, without its organization and project: that of its file, of its tags and of its backups. @throws Problem when none is selected */
  async name(): Promise<string> {
    return ownName(this.given ?? (await this.pulumi("stack", "--show-name")).trim());
  }

  /**
   * A text whose commands, `npx pulumi …` and `npm run …` up to a semicolon or the end, work on this stack
   * although another one is selected.
   */
  inCommands(text: string): string {
    if (this.given === undefined) return text;
    const option = `--stack ${this.given}`;
    return text.replace(/(npx pulumi|npm run) [^;\n]+/g, (command, program) =>
      program === "npx pulumi" || command.includes(" -- ")
        ? `${command} ${option}`
        : `${command} -- ${option}`,
    );
  }

  /** Its outputs, secrets in clear. @throws Problem when it is not up */
  async outputs(): Promise<StackOutputs> {
    const text = await this.pulumi("stack", "output", "--json", "--show-secrets");
    const outputs = JSON.parse(text) as Partial<StackOutputs>;
    if (outputs.sshCommands === undefined) {
      throw new Problem(
        this.inCommands(`the stack ${await this.name()} is not up; run: npx pulumi up`),
      );
    }
    return outputs as StackOutputs;
  }

  /** Its state, secrets encrypted. */
  async state(): Promise<StackState> {
    return new StackState(JSON.parse(await this.pulumi("stack", "export")) as StackExport);
  }

  /** Its configuration by full key; secrets have no value. */
  async plainConfig(): Promise<Readonly<Record<string, { value?: string; secret: boolean }>>> {
    return JSON.parse(await this.pulumi("config", "--json")) as Record<
      string,
      { value?: string; secret: boolean }
    >;
  }

  /** Its configuration by full key, secrets in clear. */
  async config(): Promise<Readonly<Record<string, { value: string; secret: boolean }>>> {
    return JSON.parse(await this.pulumi("config", "--json", "--show-secrets")) as Record<
      string,
      { value: string; secret: boolean }
    >;
  }
}

/** The errors of a document that `--json` printed before the command failed; empty without any. */
function errorsIn(stdout: string): string {
  try {
    const { diagnostics = [] } = JSON.parse(stdout) as {
      diagnostics?: readonly { readonly severity: string; readonly message: string }[];
    };
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    return errors.map(({ message }) => message.replace(/^error: /, "").trim()).join("\n");
  } catch {
    return "";
  }
}

/** Runs a program to its end. */
function output(
  program: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const read = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (read.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (read.stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, ...read }));
  });
}
