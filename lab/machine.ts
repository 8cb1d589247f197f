/** What the machine must have: checked first, installed where that is known to work, else explained. */
import * as fs from "node:fs";
import { engineAnswers, usersEngine } from "./engine";
import { run, succeeds } from "./processes";
import { step } from "./steps";

/** Commands the lab calls, with the Debian package that brings each. */
const commands: Readonly<Record<string, string>> = {
  conntrack: "conntrack",
  debootstrap: "debootstrap",
  docker: "docker.io",
  "docker-registry": "docker-registry",
  flock: "util-linux",
  ip: "iproute2",
  iptables: "iptables",
  losetup: "mount",
  nice: "coreutils",
  python3: "python3",
  ssh: "openssh-client",
  "ssh-agent": "openssh-client",
  tar: "tar",
  unshare: "util-linux",
};

/** Go builds the CLI: the first version that can. */
const goVersion = "1.26";

/** A daemon looks for its programs in these too; a user's PATH may lack them. */
export const sbin = "/usr/local/sbin:/usr/sbin:/sbin";

/** The browser of the tests, and the Debian package that brings it. */
const browser = "chromium";

function find(command: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => `${folder}/${command}`)
    .find((file) => fs.existsSync(file));
}

/** Whether a command is there. */
export function isOnPath(command: string): boolean {
  return find(command) !== undefined;
}

async function missingPackages(): Promise<string[]> {
  const missing = Object.entries(commands)
    .filter(([command]) => !isOnPath(command))
    .map(([, name]) => name);
  if (!isOnPath("dockerd") && !(await engineAnswers(usersEngine()))) missing.push("docker.io");
  if (isOnPath("python3") && !(await succeeds("python3", ["-c", "import venv, ensurepip"]))) {
    missing.push("python3-venv");
  }
  return [...new Set(missing)].sort();
}

function isDebian12(): boolean {
  try {
    const release = fs.readFileSync("/etc/os-release", "utf8");
    return /^ID=debian$/m.test(release) && /^VERSION_ID="?12"?$/m.test(release);
  } catch {
    return false;
  }
}

/** Adds the system's own program folders to PATH, which a plain user's shell leaves out. */
export function completePath(): void {
  process.env["PATH"] = `${process.env["PATH"] ?? ""}:${sbin}`;
}

/**
 * Checks the machine and, as root on Debian 12, installs what is missing.
 * @throws with everything that is missing and how to get it.
 */
export async function checkMachine(): Promise<void> {
  const problems: string[] = [];
  if (process.platform !== "linux") {
    throw new Error(
      `the lab needs Linux, and this is ${process.platform}; use a Linux machine or a virtual one`,
    );
  }
  if (process.getuid?.() !== 0) {
    problems.push(
      "the lab makes networks, firewall rules and disks; run it as root (sudo make lab)",
    );
  }
  const missing = await installMissing(missingPackages, "");
  if (missing !== undefined) problems.push(missing);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/**
 * Checks for the browser, which only the tests use, and installs it as {@link checkMachine} does the rest.
 * @throws saying how to get it.
 */
export async function checkBrowser(): Promise<void> {
  const list = () => Promise.resolve(isOnPath(browser) ? [] : [browser]);
  const missing = await installMissing(list, " for the tests");
  if (missing !== undefined) throw new Error(missing);
}

/** The file of the browser. @throws when there is none. */
export function browserPath(): string {
  const file = find(browser);
  if (file === undefined) throw new Error(`${browser} is not installed, which the tests need`);
  return file;
}

/** Installs what is listed, as root on Debian 12; what is missing after that, as a sentence. */
async function installMissing(
  list: () => Promise<string[]>,
  purpose: string,
): Promise<string | undefined> {
  let missing = await list();
  if (missing.length > 0 && process.getuid?.() === 0 && isDebian12()) {
    await step(`installing Debian packages${purpose}: ${missing.join(" ")}`, (detail) =>
      installPackages(missing, detail),
    );
    missing = await list();
  }
  if (missing.length === 0) return undefined;
  return `missing${purpose}: ${missing.join(", ")} (names of Debian packages; only on Debian 12 they are installed by this command)`;
}

async function installPackages(
  packages: readonly string[],
  detail: (text: string) => void,
): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const onLine = (line: string) => {
    if (/^(Get|Unpacking|Setting up)/.test(line)) detail(line.split(" ").slice(0, 4).join(" "));
  };
  await run("apt-get", ["update"], { env, onLine });
  await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env, onLine });
  // Debian starts what it installs; this one would sit on port 5000 of all addresses.
  if (packages.includes("docker-registry")) {
    await succeeds("service", ["docker-registry", "stop"]);
    await succeeds("update-rc.d", ["docker-registry", "disable"]);
  }
}

/** Checks for a Go that can build the CLI. @throws saying how to get one. */
export async function checkGo(): Promise<void> {
  const how = `install Go ${goVersion} or newer (https://go.dev/dl), which builds the Pulumi CLI`;
  if (!isOnPath("go")) throw new Error(`go is not installed: ${how}`);
  const found = /go(\d+)\.(\d+)/.exec(await run("go", ["env", "GOVERSION"]));
  const [major = 0, minor = 0] = (found ?? []).slice(1).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = goVersion.split(".").map(Number);
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    throw new Error(`go is version ${major}.${minor}: ${how}`);
  }
}

/**
 * The Debian mirrors that this machine itself uses, for suite `bookworm` and for its security updates.
 *
 * @throws when apt has no source for one of them
 */
export function debianMirrors(): { main: string; security: string } {
  const sources = aptSources();
  const mirror = (suite: string): string => {
    const found = sources.find((source) => source.suites.includes(suite));
    if (found === undefined) {
      throw new Error(
        `apt has no source for the suite ${suite}, of which the lab's images are made: add one for Debian 12 to /etc/apt/sources.list`,
      );
    }
    return found.uri;
  };
  return { main: mirror("bookworm"), security: mirror("bookworm-security") };
}

/** Reads both forms of apt's sources: one-line (`.list`) and paragraphs (`.sources`). */
function aptSources(): { uri: string; suites: string[] }[] {
  const folder = "/etc/apt/sources.list.d";
  const files = fs.existsSync(folder)
    ? fs.readdirSync(folder).map((name) => `${folder}/${name}`)
    : [];
  return ["/etc/apt/sources.list", ...files]
    .filter((file) => fs.existsSync(file))
    .flatMap(readSources);
}

function readSources(file: string): { uri: string; suites: string[] }[] {
  const text = fs.readFileSync(file, "utf8");
  if (file.endsWith(".sources")) {
    return text.split(/\n\s*\n/).flatMap((paragraph) => {
      const field = (name: string) =>
        new RegExp(`^${name}:\\s*(.+)$`, "m").exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
      const uri = field("URIs")[0];
      return uri === undefined ? [] : [{ uri, suites: field("Suites") }];
    });
  }
  return [...text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm)].map((match) => ({
    uri: match[1] ?? "",
    suites: [match[2] ?? ""],
  }));
}
