/** The Pulumi CLI, its Node language host and the stand-ins for its provider plugins. */
import * as esbuild from "esbuild";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { cached, cachePath, hashOf, hashOfFolder } from "./cache";
import { clone, type Lab, writeWhole } from "./env";
import { checkGo } from "./machine";
import { run } from "./processes";
import { step } from "./steps";

const goModule = path.join(clone, "lab", "toolchain");
const goPackage = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";

/** Providers that the program uses; their plugins have the versions of their npm SDKs. */
export const pluginNames = ["aws", "docker", "command", "random", "tls"] as const;

/** The version of an installed npm package. */
function packageVersion(name: string): string {
  const file = path.join(clone, "node_modules", name, "package.json");
  return (JSON.parse(fs.readFileSync(file, "utf8")) as { version: string }).version;
}

/** The pinned version of the CLI, which is that of its npm launcher. */
export function cliVersion(): string {
  return packageVersion("pulumi");
}

/** The bin folder of an official download of exactly this version, if the user has one. */
function officialCli(version: string): string | undefined {
  const home = process.env["PULUMI_HOME"] ?? path.join(os.homedir(), ".pulumi");
  const bin = path.join(home, "versions", version, "bin");
  const whole = ["pulumi", "pulumi-language-nodejs"].every((name) =>
    fs.existsSync(path.join(bin, name)),
  );
  return whole ? bin : undefined;
}

/** Returns a folder with an executable `pulumi`: the official one, or one built from its Go modules. */
export async function ensureCli(): Promise<string> {
  const version = cliVersion();
  const official = officialCli(version);
  if (official !== undefined) return official;
  const flags = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;
  const modules = ["go.mod", "go.sum"].map((name) =>
    fs.readFileSync(path.join(goModule, name), "utf8"),
  );
  const hash = hashOf(...modules, flags, process.arch);
  if (fs.existsSync(cachePath("pulumi", hash)))
    return cached("pulumi", hash, () => Promise.resolve());
  return step("building the Pulumi CLI from its Go modules", async (detail) => {
    await checkGo();
    return cached(
      "pulumi",
      hash,
      (target) => buildCli(target, flags, detail),
      () => detail("another process is building it"),
    );
  });
}

async function buildCli(
  target: string,
  flags: string,
  detail: (text: string) => void,
): Promise<void> {
  // In the target, so that a build that was killed is swept away with it.
  const scratch = path.join(target, "scratch");
  fs.mkdirSync(scratch, { recursive: true });
  let compiled = 0;
  const onLine = (line: string) => {
    if (line.startsWith("go: downloading")) detail("downloading modules");
    else detail(`${++compiled} packages compiled`);
  };
  const env = {
    GOMODCACHE: path.join(scratch, "modules"),
    GOCACHE: path.join(scratch, "build"),
    GOTMPDIR: scratch,
    // Without it the module cache is read-only and cannot simply be deleted.
    GOFLAGS: "-modcacherw -buildvcs=false",
    GOWORK: "off",
    CGO_ENABLED: "0",
  };
  const output = path.join(target, "pulumi");
  const build = ["build", "-v", "-trimpath", "-ldflags", flags, "-o", output, goPackage];
  await run("nice", ["-n", "5", "go", ...build], { cwd: goModule, env, onLine });
  fs.rmSync(scratch, { recursive: true, force: true });
}

/** The folder in the lab's Pulumi home where the launcher looks for the CLI, and the CLI for its language host. */
export function cliFolder(lab: Lab): string {
  return path.join(lab.pulumiHome, "versions", cliVersion(), "bin");
}

/** Fills the lab's Pulumi home: CLI, language host and plugins. */
export async function installHome(lab: Lab, cli: string): Promise<void> {
  const bin = cliFolder(lab);
  fs.mkdirSync(bin, { recursive: true });
  for (const name of fs.readdirSync(cli)) linkOrCopy(path.join(cli, name), path.join(bin, name));
  if (officialCli(cliVersion()) === undefined)
    await bundleLanguageHost(path.join(bin, "pulumi-language-nodejs"));
  await installPlugins(lab);
}

/**
 * A link, since the CLI has 110 MB. Not a symbolic one: the CLI would look for the language host beside
 * the file that the link points to.
 */
function linkOrCopy(from: string, to: string): void {
  const source = fs.statSync(from);
  const existing = fs.statSync(to, { throwIfNoEntry: false });
  if (existing !== undefined && existing.size === source.size && existing.mtimeMs >= source.mtimeMs)
    return;
  fs.rmSync(to, { force: true });
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to); // Another file system.
  }
}

async function bundleLanguageHost(file: string): Promise<void> {
  const { text } = await bundle(path.join("lab", "toolchain", "language-host", "main.ts"), {
    banner: { js: `#!${process.execPath}` },
    define: { "process.env.PULUMI_LANGUAGE_HOST_VERSION": JSON.stringify(cliVersion()) },
  });
  writeWhole(file, text, 0o755);
}

/** One JavaScript file with everything that a TypeScript entry imports, and the project's files in it. */
async function bundle(entry: string, options: esbuild.BuildOptions = {}) {
  const result = await esbuild.build({
    entryPoints: [path.join(clone, entry)],
    absWorkingDir: clone,
    bundle: true,
    metafile: true,
    write: false,
    platform: "node",
    target: "node20",
    legalComments: "none",
    logLevel: "error",
    ...options,
  });
  const sources = Object.keys(result.metafile?.inputs ?? {}).filter(
    (file) => !file.startsWith("node_modules/"),
  );
  return { text: result.outputFiles?.[0]?.text ?? "", sources };
}

/** Folders with the sources of the stand-ins. */
const standInSources = ["lab/plugins", "rancher/plugin"];

/** Installs all stand-ins as one bundle, which starts in half of the time that their sources take. */
async function installPlugins(lab: Lab): Promise<void> {
  const packages = fs.readFileSync(path.join(clone, "package-lock.json"), "utf8");
  const folders = standInSources.map((folder) => hashOfFolder(path.join(clone, folder)));
  const hash = hashOf(packages, ...folders);
  const built = await cached("stand-ins", hash, async (target) => {
    const { text, sources } = await bundle("lab/plugins/main.ts");
    const other = sources.find((file) => !standInSources.some((dir) => file.startsWith(`${dir}/`)));
    if (other !== undefined)
      throw new Error(`a stand-in imports ${other}; add its folder to standInSources`);
    fs.writeFileSync(target, text);
  });
  const name = `stand-ins-${hash}.js`;
  linkOrCopy(built, path.join(lab.pulumiHome, name));
  for (const plugin of pluginNames) installPlugin(lab, plugin, path.join(lab.pulumiHome, name));
  for (const file of fs.readdirSync(lab.pulumiHome)) {
    if (file.startsWith("stand-ins-") && file !== name) fs.rmSync(path.join(lab.pulumiHome, file));
  }
}

/** A plugin is an executable in a folder that carries its name and version. */
function installPlugin(lab: Lab, name: string, main: string): void {
  const folder = `resource-${name}-v${packageVersion(`@pulumi/${name}`)}`;
  const script = `#!/bin/sh\nexec "${process.execPath}" "${main}" ${name} "$@"\n`;
  const file = path.join(lab.pulumiHome, "plugins", folder, `pulumi-resource-${name}`);
  if (fs.existsSync(file) && fs.readFileSync(file, "utf8") === script) return;
  writeWhole(file, script, 0o755);
}
