/** Images built on this machine: a Debian base, the EC2 host, and the containers of the site. */
import * as esbuild from "esbuild";
import * as fs from "node:fs";
import * as path from "node:path";
import { cached, cachePath, hashOf, hashOfFolder } from "./cache";
import { docker, imagesOf } from "./engine";
import { clone, type Lab } from "./env";
import { debianMirrors } from "./machine";
import { run } from "./processes";
import { temporaryRegistry } from "./registry";
import { type Detail, step } from "./steps";

/** A container image of the lab's registry. */
interface ContainerImage {
  /** Folder under lab/images with the Dockerfile. */
  readonly folder: string;
  /** Names it is pushed under, without the registry. */
  readonly tags: readonly string[];
  /** TypeScript entry that is bundled into `bundle.js` of the build context. */
  readonly bundle?: string;
}

/**
 * The registry's content. Tags are those of the published images that these stand in for
 * (config/images.ts has the real pins).
 */
export const containerImages: readonly ContainerImage[] = [
  { folder: "mariadb", tags: ["mariadb:10.1.48", "mariadb:10.6.22-focal"] },
  { folder: "wordpress", tags: ["wordpress:6.4.1-php8.0-apache"] },
  {
    folder: "rancher-server",
    tags: ["rancher/server:v1.6.30"],
    bundle: "lab/rancher/server/main.ts",
  },
  { folder: "rancher-agent", tags: ["rancher/agent:v1.2.11"], bundle: "lab/rancher/agent/main.ts" },
  { folder: "lb-service-haproxy", tags: ["rancher/lb-service-haproxy:v0.9.14"] },
];

/** Node's version inside the images (Debian 12's). */
const bundleTarget = "node18";

/** Makes the base: Debian 12 without documentation, able to install more from this machine's mirrors. */
const baseScript = `
set -eu
target=$1 main=$2 security=$3
root=$target/root
mkdir "$target"
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$main"
cat > "$root/etc/apt/sources.list" <<LIST
deb $main bookworm main
deb $main bookworm-updates main
deb $security bookworm-security main
LIST
printf 'path-exclude /usr/share/%s/*\\n' doc man locale info > "$root/etc/dpkg/dpkg.cfg.d/lab"
echo force-unsafe-io >> "$root/etc/dpkg/dpkg.cfg.d/lab"
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \\
  "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/var/log/*.log
tar --numeric-owner --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -C "$root" -cf "$target/image.tar" .
rm -rf "$root"
`;

/** An image to build, with the hash of everything that goes into it. */
interface Build {
  readonly name: string;
  readonly context: string;
  readonly bundle: string | undefined;
  readonly hash: string;
}

/** Builds what the cache lacks. One instance per command. */
export class ImageBuilder {
  private readonly mirrors = debianMirrors();
  private readonly baseHash = hashOf(baseScript, ...Object.values(this.mirrors), process.arch);
  private base: Promise<string> | undefined;

  constructor(
    private readonly lab: Lab,
    private readonly dockerHost: string,
  ) {}

  /** The base image as a folder in the cache, with the file `image.tar`. */
  private async ensureBaseFolder(): Promise<string> {
    const hash = this.baseHash;
    if (fs.existsSync(cachePath("base", hash)))
      return cached("base", hash, () => Promise.resolve());
    return step("making a Debian base image", (detail) =>
      cached(
        "base",
        hash,
        async (target) => {
          const script = [
            "sh",
            "-c",
            baseScript,
            "base",
            target,
            this.mirrors.main,
            this.mirrors.security,
          ];
          const onLine = (line: string) => detail(line.trim().slice(0, 60));
          // In a mount namespace of its own: an interrupted debootstrap leaves no mount behind.
          await run("unshare", ["--mount", ...script], { onLine });
        },
        () => detail("another process is making it"),
      ),
    );
  }

  /** The base image in the engine, imported when something is to be built on it. */
  private async ensureBase(): Promise<string> {
    this.base ??= (async () => {
      const tag = `${this.lab.prefix}base:${this.baseHash}`;
      const folder = await this.ensureBaseFolder();
      await docker(this.dockerHost, ["import", path.join(folder, "image.tar"), tag]);
      return tag;
    })();
    return this.base;
  }

  /** The tag that the host image has in this lab's engine, known before it is built. */
  hostTag(): string {
    return `${this.lab.prefix}host:${this.hostBuild().hash}`;
  }

  private hostBuild(): Build {
    const context = path.join(clone, "lab", "host");
    return {
      name: "host",
      context,
      bundle: undefined,
      hash: hashOf(hashOfFolder(context), this.baseHash),
    };
  }

  /** Makes sure that the engine has the host image. */
  async ensureHost(): Promise<void> {
    const tag = this.hostTag();
    const isPresent = async () =>
      (await docker(this.dockerHost, ["image", "ls", "--quiet", tag])).trim() !== "";
    if (await isPresent()) return;
    const build = this.hostBuild();
    const file = cachePath("host", build.hash);
    if (!fs.existsSync(file)) {
      await step("building the image of the hosts", (detail) =>
        cached("host", build.hash, async (target) => {
          await this.build(build, tag, detail);
          detail("saving it to the cache");
          // By its id: a name in the file would be given to it by every engine that loads it.
          const id = await docker(this.dockerHost, [
            "image",
            "inspect",
            "--format",
            "{{.Id}}",
            tag,
          ]);
          await docker(this.dockerHost, ["save", "--output", target, id.trim()]);
        }),
      );
    }
    await cached("host", build.hash, () => Promise.resolve());
    if (await isPresent()) return;
    await step("loading the image of the hosts", async () => {
      const loaded = await docker(this.dockerHost, ["load", "--input", file]);
      const id = /^Loaded image(?: ID)?: (\S+)$/m.exec(loaded)?.[1] ?? "";
      await docker(this.dockerHost, ["tag", id, tag]);
    });
  }

  /** Makes sure that the cache has each container image, as a registry's storage; returns those folders. */
  async ensureContainers(): Promise<string[]> {
    const folders: string[] = [];
    // One after the other: images that begin with the same instructions share those layers.
    for (const image of containerImages) folders.push(await this.ensureContainer(image));
    return folders;
  }

  private async ensureContainer(image: ContainerImage): Promise<string> {
    const context = path.join(clone, "lab", "images", image.folder);
    const bundle = image.bundle === undefined ? undefined : await bundleOf(image.bundle);
    const hash = hashOf(hashOfFolder(context), bundle ?? "", this.baseHash, ...image.tags);
    const kind = `image-${image.folder}`;
    if (fs.existsSync(cachePath(kind, hash))) return cached(kind, hash, () => Promise.resolve());
    return step(`building the image ${image.folder}`, (detail) =>
      cached(
        kind,
        hash,
        async (target) => {
          const tag = `${this.lab.prefix}${image.folder}:${hash}`;
          await this.build({ name: image.folder, context, bundle, hash }, tag, detail);
          detail("pushing it");
          await temporaryRegistry(target, async (address) => {
            for (const name of image.tags) {
              const pushed = `${address}/${name}`;
              await docker(this.dockerHost, ["tag", tag, pushed]);
              try {
                await docker(this.dockerHost, ["push", pushed]);
              } finally {
                await docker(this.dockerHost, ["image", "rm", pushed]);
              }
            }
          });
        },
        () => detail("another process is building it"),
      ),
    );
  }

  private async build(build: Build, tag: string, detail: Detail): Promise<void> {
    const base = await this.ensureBase();
    let context = build.context;
    if (build.bundle !== undefined) {
      context = this.lab.path("contexts", build.name);
      fs.rmSync(context, { recursive: true, force: true });
      fs.cpSync(build.context, context, { recursive: true });
      fs.writeFileSync(path.join(context, "bundle.js"), build.bundle);
    }
    const onLine = (line: string) => {
      if (line.startsWith("Step ")) detail(line.slice(0, 70));
    };
    // The machine's own network: the lab's engine has none that is set up for names.
    const args = [
      "build",
      "--network",
      "host",
      "--force-rm",
      "--build-arg",
      `BASE=${base}`,
      "--tag",
      tag,
    ];
    await docker(this.dockerHost, [...args, context], { onLine });
  }

  /**
   * Removes what was only needed for building, also what a build that was killed left, and images of
   * hosts that are out of date. An image that a host still has stays.
   */
  async cleanUp(): Promise<void> {
    fs.rmSync(this.lab.path("contexts"), { recursive: true, force: true });
    const current = this.hostTag();
    for (const name of await imagesOf(this.lab, this.dockerHost)) {
      // Without force the engine refuses when a container uses it, running or not.
      if (name !== current) await docker(this.dockerHost, ["image", "rm", name]).catch(() => "");
    }
  }
}

/** One JavaScript file with everything that a TypeScript entry imports. */
async function bundleOf(entry: string): Promise<string> {
  const result = await esbuild.build({
    entryPoints: [path.join(clone, entry)],
    absWorkingDir: clone,
    bundle: true,
    write: false,
    platform: "node",
    target: bundleTarget,
    legalComments: "none",
    logLevel: "error",
    // Optional native parts of packages, which have a fallback in JavaScript.
    external: ["*.node", "cpu-features", "bufferutil", "utf-8-validate"],
  });
  return result.outputFiles[0]?.text ?? "";
}
