/** `npm run new-environment`: one more environment, from its file to its stack. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { homedir } from "node:os";
import * as path from "node:path";
import { type CommandDescription, type Given, Problem, runCommand } from "./cli";
import { draft, type Draft, fileOf, nameProblem } from "./environment";
import { cli, projectFolder } from "./stack";

const command: CommandDescription = {
  name: "new-environment",
  summary:
    "Makes an environment: checks what it is given, writes Pulumi.NAME.yaml and makes the stack NAME on the backend that is logged in.\nA file that is there is completed, never overwritten.",
  usage:
    "NAME --region REGION --admin-cidr RANGE … [--ssh-public-key FILE] [--from NAME] [--secrets-provider URL]",
  details: [
    "NAME                     such as prod; ORGANISATION/NAME on Pulumi Cloud",
    "--region REGION          AWS region; not needed when the file has it, like the next two",
    "--admin-cidr RANGE       who may reach SSH, such as 203.0.113.7/32; once for each range",
    "--ssh-public-key FILE    who may log in; default: the key that ssh uses by default",
    "--from NAME              environment whose settings to begin with; default: dev",
    "--secrets-provider URL   what encrypts secrets, for pulumi stack init; default: the backend's own way",
  ],
  options: {
    region: { type: "string" },
    "admin-cidr": { type: "string", multiple: true },
    "ssh-public-key": { type: "string" },
    from: { type: "string" },
    "secrets-provider": { type: "string" },
  },
  positionals: [1, 1],
};

/** Public halves of the keys that ssh offers by itself, in its order of preference. */
const defaultKeys = ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) =>
  path.join(homedir(), ".ssh", `${name}.pub`),
);

/** The text of a file of the project, undefined when there is none. */
function projectFile(name: string): string | undefined {
  const file = path.join(projectFolder, name);
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined;
}

/** A line about an option's value. */
type Complain = (line: string) => void;

/** The key to let in: of the file that was named, or one of ssh's own unless the environment has its key. */
function publicKey(
  file: string | undefined,
  hasKey: boolean,
  complain: Complain,
): string | undefined {
  if (file === undefined) {
    const found = hasKey ? undefined : defaultKeys.find((each) => fs.existsSync(each));
    if (found !== undefined) console.log(`the key of ${found} may log in`);
    return found === undefined ? undefined : fs.readFileSync(found, "utf8").trim();
  }
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    complain(`--ssh-public-key: ${file} cannot be read (${code}); name the .pub file of your key`);
    return undefined;
  }
}

/** The environment's file as it is to be, with everything that is wrong with what was given. */
function prepare(name: string, { values }: Given): Draft & { before: string | undefined } {
  const texts = values as Readonly<Record<string, string | undefined>>;
  const complaints: string[] = [];
  const complain: Complain = (line) => complaints.push(line);
  const wrongName = nameProblem(name);
  if (wrongName !== undefined) complain(wrongName);
  const before = wrongName === undefined ? projectFile(fileOf(name)) : undefined;
  const from = texts["from"] ?? "dev";
  if (before !== undefined && texts["from"] !== undefined) {
    complain(`--from: ${fileOf(name)} is there already; leave --from out to complete it`);
  }
  const template = before ?? (nameProblem(from) === undefined ? projectFile(fileOf(from)) : "");
  if (template === undefined) {
    complain(`--from: there is no ${fileOf(from)}; name an environment that has a file`);
  }
  const wishes = {
    region: texts["region"],
    adminCidrs: (values["admin-cidr"] ?? []) as readonly string[],
    sshPublicKey: publicKey(
      texts["ssh-public-key"],
      before?.includes("rancher-cattle:sshPublicKey:") ?? false,
      complain,
    ),
  };
  const made = draft(template ?? "", wishes, before === undefined ? from : undefined);
  return { ...made, before, problems: [...complaints, ...made.problems] };
}

/** Runs the CLI at this terminal, so that it can ask for a passphrase; returns its exit code. */
function runCli(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(cli, args, { cwd: projectFolder, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) => {
      resolve(code ?? 1);
    });
  });
}

void runCommand(command, async (given) => {
  const [name = ""] = given.positionals;
  const { text, before, problems, leftOut } = prepare(name, given);
  if (problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem}`);
    throw new Problem(`nothing was made\n${lines.join("\n")}`);
  }
  const file = path.join(projectFolder, fileOf(name));
  // `wx`: not even a file that came to be since then is overwritten.
  fs.writeFileSync(file, text, { flag: before === undefined ? "wx" : "w" });
  const secrets = given.values["secrets-provider"];
  const options = typeof secrets === "string" ? ["--secrets-provider", secrets] : [];
  const code = await runCli(["stack", "init", name, ...options]);
  if (code !== 0) {
    if (before === undefined) fs.rmSync(file);
    else fs.writeFileSync(file, before);
    throw new Problem(
      `pulumi stack init failed, and ${fileOf(name)} is as it was; its message is above`,
      code,
    );
  }
  console.log(`${before === undefined ? "wrote" : "completed"} ${fileOf(name)}`);
  if (leftOut.length > 0) console.log(`not taken over: ${leftOut.join(", ")}`);
  console.log("next: npx pulumi preview");
  return 0;
});
