import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Readable } from "node:stream";
import { newestBackup, readManifest, verify } from "../../commands/backups";
import { Problem } from "../../commands/cli";
import { formatBytes } from "../../commands/progress";
import { askScript, ScriptFailed } from "../../commands/hostScript";
import type { Site } from "../../commands/siteHosts";
import { takeBackup } from "../../commands/takeBackup";
import { serverContainers } from "../../config/storage";
import { recordProgram } from "../unit/program";

/** Stands in for ssh: runs the command line here, as a host's shell would. */
const here = `sh -c 'eval "$0"'`;
/** Stands in for ssh to a host that does not answer. */
const nowhere = `sh -c 'echo "connect to host: refused" >&2; exit 255'`;

/** A `docker` whose containers are files, and which notes how it was called. */
const docker = `#!/bin/sh
echo "$*" >>"$FAKE/calls"
case "$*" in
  *"$FAKE_FAILS"*) echo "the daemon is gone" >&2; exit 1 ;;
  "exec -i site-db "*) echo rows of the site ;;
  "exec -i rancher-db "*) echo rows of Rancher ;;
  "run "*) echo files ;;
esac
`;

function siteWith(sshCommands: Readonly<Record<string, string>>): Site {
  const agents = Object.keys(sshCommands).filter((name) => name !== "server");
  return {
    server: sshCommands["server"] ?? "false",
    wordpressImage: "wordpress:1",
    outputs: {
      sshCommands,
      siteUrl: "http://203.0.113.1",
      rancherAccessKey: "the-key",
      agentHosts: agents.map((name) => ({ name, address: "", rancherHostId: "" })),
    } as unknown as Site["outputs"],
  };
}

describe("backups", () => {
  let folder: string;
  const searched = process.env["PATH"] ?? "";

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), "backup-"));
    const bin = path.join(folder, "bin");
    fs.mkdirSync(bin);
    fs.writeFileSync(path.join(bin, "docker"), docker, { mode: 0o755 });
    Object.assign(process.env, {
      PATH: `${bin}:${searched}`,
      FAKE: folder,
      FAKE_FAILS: "nothing fails",
    });
  });
  afterEach(() => {
    process.env["PATH"] = searched;
    fs.rmSync(folder, { recursive: true });
  });

  const root = () => path.join(folder, "backups");
  const take = (site: Site) => takeBackup(site, "dev", root());

  it("GIVEN a script on a host THEN input, arguments and output go through unchanged", async () => {
    const script = { name: "run-in-site", args: ["image", "it's", 'a "b" $c'] };
    fs.writeFileSync(
      path.join(folder, "bin", "docker"),
      '#!/bin/sh\n[ "$1" = ps ] && echo id && exit\nshift 6\ncat; printf "%s|" "$@"\n',
    );
    const said = await askScript(here, "it failed", script, Readable.from(["in"]));
    assert.equal(said, `in--|it's|a "b" $c|`);
  });

  it("GIVEN a script that fails THEN its own words and its exit code are told", async () => {
    process.env["FAKE_FAILS"] = "exec";
    const failing = askScript(here, "saving failed", { name: "dump-database", args: ["site-db"] });
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof ScriptFailed && error.code === 1);
      assert.equal(error.message, "saving failed: the daemon is gone");
      return true;
    });
  });

  describe("WHEN one is taken", () => {
    it("THEN each agent host is asked for the content, and all that cannot give it say why", async () => {
      const site = siteWith({ server: here, "agents-0": nowhere, "agents-1": here });
      // No host of this machine has the directory, so that both are asked and say why.
      await assert.rejects(
        take(site),
        /no agent host can do it: agents-0: connect to host: refused; agents-1: .*wp-content is not mounted here/,
      );
      // The databases are asked for their root by socket, with the password only inside.
      const calls = fs.readFileSync(path.join(folder, "calls"), "utf8");
      assert.match(
        calls,
        /exec -i site-db bash -euo pipefail -c[^]*MYSQL_PWD=\$MYSQL_ROOT_PASSWORD/,
      );
    });

    it("THEN one that fails is no backup, and the next removes what it left", async () => {
      process.env["FAKE_FAILS"] = "exec -i rancher-db";
      await assert.rejects(
        take(siteWith({ server: here })),
        /Rancher's database failed: the daemon/,
      );
      assert.equal(newestBackup(root(), "dev"), undefined);
      const [left = "", ...others] = fs.readdirSync(path.join(root(), "dev"));
      assert.deepEqual(others, []);
      assert.ok(left.startsWith(`.unfinished-${process.pid}-`));
      // Nobody has the highest number; the first process is always there.
      for (const pid of [4194305, 1]) {
        fs.mkdirSync(path.join(root(), "dev", `.unfinished-${pid}-x`));
      }
      await assert.rejects(take(siteWith({ server: here })));
      const now = fs.readdirSync(path.join(root(), "dev"));
      assert.equal(now.length, 2);
      assert.ok(now.includes(".unfinished-1-x") && !now.includes(left));
    });
  });

  describe("GIVEN a folder", () => {
    const part = (file: string, text: string) => {
      fs.writeFileSync(path.join(folder, file), text);
      // printf hello | sha256sum
      const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
      return { file, bytes: 5, sha256 };
    };
    const manifest = () => ({
      format: 1 as const,
      stack: "dev",
      takenAt: "2026-11-27T10:00:00.000Z",
      siteUrl: "http://203.0.113.1",
      wordpressImage: "wordpress:1",
      rancher: "x",
      parts: {
        siteDatabase: part("site.sql.gz", "hello"),
        rancherDatabase: part("rancher.sql.gz", "hello"),
        content: part("wp-content.tar.gz", "hello"),
      },
    });

    it("THEN a whole one is accepted", async () => {
      await verify(folder, manifest());
    });

    it("THEN all that is damaged is told at once", async () => {
      const whole = manifest();
      part("site.sql.gz", "HELLO");
      part("rancher.sql.gz", "hell");
      fs.rmSync(path.join(folder, "wp-content.tar.gz"));
      await assert.rejects(
        verify(folder, whole),
        /damaged, and nothing was restored: site.sql.gz was changed: its checksum differs; rancher.sql.gz has 4 bytes instead of 5; wp-content.tar.gz is missing/,
      );
    });

    it("THEN one without a manifest, with a broken one or of another format is refused", () => {
      const file = path.join(folder, "manifest.json");
      assert.throws(() => readManifest(folder), /has no manifest.json; name a folder that npm run/);
      fs.writeFileSync(file, "{");
      assert.throws(() => readManifest(folder), /has a broken manifest.json/);
      fs.writeFileSync(file, '{"format": 2}');
      assert.throws(() => readManifest(folder), Problem);
    });

    it("THEN the newest is the one that was taken last, and what is unfinished does not count", () => {
      for (const [name, takenAt] of [
        ["b", "2026-11-25T10:00:00.000Z"],
        ["a", "2026-11-26T10:00:00.000Z"],
        [".unfinished-1", undefined],
      ] as const) {
        const one = path.join(root(), "dev", name);
        fs.mkdirSync(one, { recursive: true });
        if (takenAt === undefined) continue;
        const text = JSON.stringify({ ...manifest(), takenAt });
        fs.writeFileSync(path.join(one, "manifest.json"), text);
      }
      assert.equal(newestBackup(root(), "dev")?.folder, path.join(root(), "dev", "a"));
      assert.equal(newestBackup(root(), "prod"), undefined);
    });
  });

  it("GIVEN sizes THEN people can read them", () => {
    assert.deepEqual([0, 999, 1400, 2_000_000, 3e12].map(formatBytes), [
      "0 B",
      "999 B",
      "1.4 kB",
      "2.0 MB",
      "3.0 TB",
    ]);
  });

  it("GIVEN the program THEN its containers have the names that commands look for", async () => {
    const { resources } = await recordProgram();
    const names = resources
      .filter(({ type }) => type === "docker:index/container:Container")
      .map(({ inputs }) => inputs["name"]);
    assert.deepEqual(names.sort(), Object.values(serverContainers).sort());
  });
});
