import { strict as assert } from "node:assert";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { readPhp, readScript } from "../../components/script";

const folder = path.resolve(__dirname, "../../components/scripts");
const scripts = readdirSync(folder)
  .filter((file) => file.endsWith(".sh"))
  .map((file) => path.basename(file, ".sh"));

let bench: string;

/** Puts a program of this name before all others: a few lines of shell. */
function fake(name: string, body: string): void {
  const file = path.join(bench, "bin", name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}

/** Runs a script's text with the fakes on the path and sleep doing nothing. */
function run(script: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const done = spawnSync("sh", ["-s", "--", ...args], {
    input: script,
    encoding: "utf8",
    timeout: 15_000,
    env: { PATH: `${path.join(bench, "bin")}:${process.env["PATH"] ?? ""}`, BENCH: bench, ...env },
  });
  return { code: done.status, out: done.stdout.trim(), err: done.stderr.trim() };
}

/** What the fakes wrote down. */
function journal(): string {
  const file = path.join(bench, "journal");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

describe("scripts", () => {
  beforeEach(() => {
    bench = mkdtempSync(path.join(tmpdir(), "scripts-"));
    mkdirSync(path.join(bench, "bin"));
    // Waits are skipped; the watchdog's minute is cut to seconds, or it would bark at once.
    fake("sleep", '[ "$1" -lt 60 ] || exec /bin/sleep 3');
  });
  afterEach(() => {
    rmSync(bench, { recursive: true });
  });

  for (const name of scripts) {
    it(`GIVEN ${name}.sh THEN it is POSIX shell, plain ASCII, and each loop in it counts down or has a deadline`, () => {
      const text = readScript(name);
      const checked = spawnSync("sh", ["-n"], { input: text, encoding: "utf8" });
      assert.equal(checked.status, 0, checked.stderr);
      assert.match(text, /^[\n\x20-\x7e]*\n$/);
      assert.doesNotMatch(text, /(^|\s)\[\[\s|^\s*(local|function) |\$'|<<</m);
      const loops = text.split(/^\s*(?:until|while) /m).slice(1);
      for (const loop of loops) {
        const body = loop.slice(0, loop.search(/^\s*done/m));
        assert.match(body, /tries=\$\(\(tries - 1\)\)|"\$WAIT_SECONDS"/, body);
        assert.match(body, /exit 1|return 1/, body);
      }
    });
  }

  for (const name of ["install-site", "site-config"]) {
    it(`GIVEN ${name}.php THEN it has no tag when it is read, and no secret and no shell in it`, () => {
      const text = readPhp(name);
      assert.doesNotMatch(text, /<\?php|\?>/);
      assert.doesNotMatch(text, /\b(shell_exec|system|passthru|popen|proc_open)\(|`/);
      // Sent to people or logged, a variable with a password in it would be read by them.
      assert.doesNotMatch(text, /(fwrite|exit|echo|site_is_there)\([^\n]*PASSWORD/);
    });
  }

  describe("guard-metadata.sh", () => {
    it("GIVEN the rule is there THEN it is not added again", () => {
      fake("iptables", 'echo "$*" >>"$BENCH/journal"; exit 0');
      assert.equal(run(readScript("guard-metadata")).code, 0);
      assert.equal(journal(), "-w 5 -t raw -C PREROUTING ! -i lo -d 169.254.169.254/32 -j DROP\n");
    });

    it("GIVEN it cannot be added THEN the script gives up and says so", () => {
      fake("iptables", "exit 4");
      const { code, out } = run(readScript("guard-metadata"));
      assert.equal(code, 1);
      assert.match(out, /could not add the rule: PREROUTING/);
    });
  });

  describe("more-logins.sh", () => {
    it("GIVEN any boot THEN its one line comes first, and the rest of the file stays", () => {
      const file = path.join(bench, "sshd_config");
      writeFileSync(file, "UseDNS no\nMatch User x\n");
      const script = readScript("more-logins").replace("/etc/ssh/sshd_config", file);
      for (let boot = 0; boot < 2; boot++) assert.equal(run(script).code, 0);
      assert.equal(readFileSync(file, "utf8"), "MaxStartups 100:30:200\nUseDNS no\nMatch User x\n");
    });
  });

  describe("mount-data.sh", () => {
    const mebibyte = 1 << 20;

    /** The script on a machine that is a folder: the disk is a file, and mount copies nothing. */
    const mount = (disk: Buffer | undefined) => {
      const system = (name: string) => path.join(bench, name);
      for (const name of ["dev", "proc", "var/log", "var/run", "sys/block/nvme1n1/device"]) {
        mkdirSync(system(name), { recursive: true });
      }
      if (disk !== undefined) {
        writeFileSync(system("sys/block/nvme1n1/device/serial"), "vol0abc             \n");
        writeFileSync(system("dev/nvme1n1"), disk);
      }
      if (!existsSync(system("proc/mounts"))) writeFileSync(system("proc/mounts"), "");
      fake("mkfs.ext4", 'echo "mkfs $*" >>"$BENCH/journal"; echo LABELLED >"$BENCH/dev/nvme1n1"');
      fake(
        "blkid",
        'grep -q LABELLED "$1" && echo "$1: LABEL=\\"rancher-cattle\\" TYPE=\\"ext4\\""',
      );
      fake("mount", 'echo "mount $*" >>"$BENCH/journal"; echo "$5 $6 ext4" >>"$BENCH/proc/mounts"');
      fake("chattr", 'echo "chattr $*" >>"$BENCH/journal"; exit 1');
      fake(
        "docker",
        'case "$1" in ps) echo c1; echo c2;; start) echo "start $2" >>"$BENCH/journal";; esac',
      );
      const script = readScript("mount-data").replace(
        /\/(dev(?!\/null)|proc|sys|var)\//g,
        (_, name: string) => `${system(name)}/`,
      );
      const { code } = run(script, ["vol-0abc", system("data"), "one", "two"]);
      const log = system("var/log/rancher-cattle-mount-data.log");
      return { code, log: existsSync(log) ? readFileSync(log, "utf8") : "" };
    };
    const steps = () => journal().replaceAll(bench, "").trim().split("\n");
    const data = (name: string) => path.join(bench, "data", name);

    it("GIVEN a blank disk THEN it is formatted, mounted and given its directories, and containers start", () => {
      assert.equal(mount(Buffer.alloc(2 * mebibyte)).code, 0);
      assert.deepEqual(steps(), [
        "chattr +i /data",
        "mkfs -q -L rancher-cattle /dev/nvme1n1",
        "mount -t ext4 -o noatime /dev/nvme1n1 /data",
        "start c1",
        "start c2",
      ]);
      assert.ok(
        existsSync(data("one")) && existsSync(data("two")) && existsSync(data(".rancher-cattle")),
      );
      assert.ok(
        !existsSync(path.join(bench, "var/run/rancher-cattle-mount-data")),
        "the lock is gone",
      );
    });

    it("GIVEN a disk with our label THEN it is mounted and not formatted", () => {
      assert.equal(mount(Buffer.from("LABELLED".padEnd(2 * mebibyte, "x"))).code, 0);
      assert.ok(!steps().some((step) => step.startsWith("mkfs")));
    });

    for (const [what, disk] of [
      ["with something else on it", Buffer.alloc(2 * mebibyte, 7)],
      [
        "with one byte set in its first MiB",
        Buffer.concat([Buffer.alloc(mebibyte - 1), Buffer.from([1])]),
      ],
      ["that cannot be read whole", Buffer.alloc(100)],
    ] as const) {
      it(`GIVEN a disk ${what} THEN it is left alone`, () => {
        const { code, log } = mount(disk);
        assert.equal(code, 1);
        assert.deepEqual(steps(), ["chattr +i /data"]);
        assert.match(log, /refusing .*: it is not blank and is not labelled rancher-cattle/);
      });
    }

    it("GIVEN the disk never appears THEN the script gives up and says so", () => {
      const { code, log } = mount(undefined);
      assert.equal(code, 1);
      assert.match(log, /vol-0abc did not appear\n$/);
    });

    it("GIVEN a directory was lost THEN it is not made again: its database must not start empty", () => {
      mount(Buffer.alloc(2 * mebibyte));
      rmSync(data("one"), { recursive: true });
      assert.equal(mount(undefined).code, 0);
      assert.ok(!existsSync(data("one")));
    });

    it("GIVEN another run is at work THEN this one leaves; after a killed one it goes on", () => {
      const lock = path.join(bench, "var/run/rancher-cattle-mount-data");
      mkdirSync(lock, { recursive: true });
      writeFileSync(path.join(lock, "pid"), String(process.pid));
      assert.equal(mount(Buffer.alloc(2 * mebibyte)).code, 0);
      assert.equal(journal(), "");
      const gone = spawnSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).stdout;
      writeFileSync(path.join(lock, "pid"), gone);
      assert.equal(mount(Buffer.alloc(2 * mebibyte)).code, 0);
      assert.ok(steps().includes("mount -t ext4 -o noatime /dev/nvme1n1 /data"));
    });
  });

  describe("protect-mount-point.sh", () => {
    const protect = () => run(readScript("protect-mount-point"), [path.join(bench, "shared")]);

    it("GIVEN any boot THEN the directory is there and immutable", () => {
      fake("chattr", 'echo "$*" >>"$BENCH/journal"');
      for (let boot = 0; boot < 2; boot++) assert.equal(protect().code, 0);
      assert.equal(journal(), `+i ${bench}/shared\n`.repeat(2));
      assert.ok(existsSync(path.join(bench, "shared")));
    });

    it("GIVEN a disk that cannot do it THEN it fails and says so", () => {
      fake("chattr", "exit 1");
      const { code, out } = protect();
      assert.equal(code, 1);
      assert.match(out, /shared could not be made immutable$/);
    });
  });

  describe("mount-shared.sh", () => {
    /** The script on a machine that is a folder; mount succeeds from a given try on. */
    const mount = (fromTry: number, { owns = true } = {}) => {
      mkdirSync(path.join(bench, "shared"), { recursive: true });
      if (!existsSync(path.join(bench, "mounts"))) writeFileSync(path.join(bench, "mounts"), "");
      fake(
        "mount",
        `echo "mount $*" >>"$BENCH/journal"
         [ "$(grep -c ^mount "$BENCH/journal")" -ge ${fromTry} ] || exit 32
         echo "$5 $6 nfs4 rw 0 0" >>"$BENCH/mounts"`,
      );
      fake("chown", `echo "chown $*" >>"$BENCH/journal"; ${String(owns)}`);
      fake("sleep", 'echo "sleep $1" >>"$BENCH/journal"');
      const script = readScript("mount-shared")
        .replace("/proc/mounts", path.join(bench, "mounts"))
        .replace("tries=43200", "tries=40");
      return run(script, ["10.0.1.9", path.join(bench, "shared"), "wp-content"]);
    };
    const steps = () => journal().replaceAll(bench, "").trim().split("\n");
    const mounting =
      "mount -t nfs4 -o nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport 10.0.1.9:/ /shared";

    it("GIVEN a target that answers THEN it is mounted, and the site's user gets a directory with a marker", () => {
      const { code, out } = mount(1);
      assert.equal(code, 0);
      assert.deepEqual(steps(), [mounting, "chown 33:33 /shared/wp-content"]);
      assert.ok(existsSync(path.join(bench, "shared/wp-content/.rancher-cattle")));
      assert.match(out, /mounted 10\.0\.1\.9 on .*\/shared$/);
    });

    it("GIVEN it is mounted already THEN it is not mounted again", () => {
      mount(1);
      rmSync(path.join(bench, "journal"));
      assert.equal(mount(1).code, 0);
      assert.deepEqual(steps(), ["chown 33:33 /shared/wp-content"]);
    });

    it("GIVEN a target that answers late THEN tries come quickly at first and slowly after that", () => {
      assert.equal(mount(33).code, 0);
      const pauses = steps().filter((step) => step.startsWith("sleep"));
      assert.deepEqual(pauses, [
        ...Array.from({ length: 29 }, () => "sleep 10"),
        ...Array.from({ length: 3 }, () => "sleep 60"),
      ]);
    });

    it("GIVEN one that never answers, or lets nobody own anything THEN the script gives up in the end", () => {
      const { code, out } = mount(1000);
      assert.equal(code, 1);
      assert.equal(steps().filter((step) => step === mounting).length, 40);
      assert.match(out, /gave up on 10\.0\.1\.9$/);
      assert.equal(mount(1, { owns: false }).code, 1);
      assert.ok(!existsSync(path.join(bench, "shared/wp-content/.rancher-cattle")));
    });

    for (const [kind, timeout, limit] of [
      ["coreutils and today's busybox", '[ "$1" != -t ] || exit 1', "20"],
      ["busybox before 1.30", '[ "$1" = -t ] || exit 127; shift', "20"],
    ] as const) {
      it(`GIVEN the timeout of ${kind} THEN each try has its limit`, () => {
        fake("timeout", `${timeout}; echo "limit $1" >>"$BENCH/limits"; shift; exec "$@"`);
        assert.equal(mount(3).code, 0);
        const limits = readFileSync(path.join(bench, "limits"), "utf8").trim().split("\n");
        assert.deepEqual(
          limits.filter((line) => line !== "limit 1"),
          [limit, limit, limit].map((seconds) => `limit ${seconds}`),
        );
      });
    }
  });

  describe("start-wordpress.sh", () => {
    const file = (name: string) => path.join(bench, name);
    const put = (name: string, text = name) => {
      mkdirSync(path.dirname(file(name)), { recursive: true });
      writeFileSync(file(name), text);
    };
    const shown = (name: string) =>
      readdirSync(file(name))
        .filter((entry) => !entry.startsWith(".rancher"))
        .sort();

    /** The script for a container that is a folder. */
    const inContainer = (folder: string) =>
      readScript("start-wordpress")
        .replace(/^source=.*$/m, `source=${file("source")}`)
        .replace(/^site=.*$/m, `site=${file(folder)}`);
    const start = () => {
      fake("docker-entrypoint.sh", 'echo "entrypoint $*" >>"$BENCH/journal"');
      return run(inContainer("site"));
    };

    beforeEach(() => {
      for (const name of [
        "source/index.php",
        "source/.htaccess",
        "source/wp-config-docker.php",
        "source/wp-includes/version.php",
        "source/wp-content/index.php",
        "source/wp-content/plugins/index.php",
        "source/wp-content/plugins/akismet/akismet.php",
        "source/wp-content/themes/old/style.css",
      ]) {
        put(name);
      }
      put("site/wp-content/.rancher-cattle", "");
    });

    it("GIVEN an empty shared directory THEN all is put in place before the entrypoint runs", () => {
      const { code, err } = start();
      assert.equal(code, 0, err);
      assert.deepEqual(shown("site"), [
        ".htaccess",
        "index.php",
        "wp-config-docker.php",
        "wp-config.php",
        "wp-content",
        "wp-includes",
      ]);
      assert.deepEqual(shown("site/wp-content"), ["index.php", "plugins", "themes"]);
      assert.deepEqual(shown("site/wp-content/plugins"), ["akismet", "index.php"]);
      assert.equal(journal(), "entrypoint apache2-foreground\n");
    });

    it("GIVEN an entrypoint that writes no configuration THEN Apache has one all the same, from the first start on", () => {
      const saw = 'cat wp-config.php >>"$BENCH/journal"; echo >>"$BENCH/journal"';
      fake("docker-entrypoint.sh", saw);
      assert.equal(run(inContainer("site")).code, 0);
      // As a container was left that had none.
      rmSync(file("site/wp-config.php"));
      assert.equal(run(inContainer("site")).code, 0);
      assert.equal(journal(), "source/wp-config-docker.php\nsource/wp-config-docker.php\n");
    });

    it("GIVEN an image without one THEN nothing starts", () => {
      rmSync(file("source/wp-config-docker.php"));
      const { code, err } = start();
      assert.notEqual(code, 0);
      assert.match(err, /wp-config-docker\.php/);
      assert.equal(journal(), "");
    });

    it("GIVEN no marker THEN nothing is written and nothing starts", () => {
      rmSync(file("site/wp-content/.rancher-cattle"));
      const { code, err } = start();
      assert.equal(code, 1);
      assert.match(err, /not the shared directory/);
      assert.deepEqual(readdirSync(file("site/wp-content")), []);
      assert.equal(journal(), "");
    });

    it("GIVEN what others changed, added and deleted THEN it stays so, and what a new image adds comes", () => {
      start();
      put("site/wp-content/plugins/akismet/akismet.php", "updated");
      put("site/wp-content/uploads/photo.jpg");
      rmSync(file("site/wp-content/themes/old"), { recursive: true });
      // A container with a newer image: its own part is empty.
      for (const name of ["index.php", ".htaccess", "wp-includes"]) {
        rmSync(file(`site/${name}`), { recursive: true });
      }
      put("source/wp-content/themes/new/style.css");
      assert.equal(start().code, 0);
      assert.deepEqual(shown("site/wp-content/themes"), ["new"]);
      assert.equal(
        readFileSync(file("site/wp-content/plugins/akismet/akismet.php"), "utf8"),
        "updated",
      );
      assert.ok(existsSync(file("site/wp-content/uploads/photo.jpg")));
      assert.ok(existsSync(file("site/index.php")));
    });

    it("GIVEN a start that was killed half-way THEN the next one completes it", () => {
      put("site/wp-content/.rancher-cattle-draft/half", "");
      put("site/wp-includes/half", "");
      mkdirSync(file("site/wp-content/plugins"));
      assert.equal(start().code, 0);
      assert.deepEqual(shown("site/wp-content/plugins"), ["akismet", "index.php"]);
      assert.deepEqual(readdirSync(file("site/wp-content/plugins/akismet")), ["akismet.php"]);
      assert.ok(existsSync(file("site/wp-includes/version.php")));
    });

    it("GIVEN four at once THEN everything is there once, and none disturbs another", async () => {
      const items = Array.from({ length: 8 }, (_, i) => `themes/t${i}`);
      for (const item of items) put(`source/wp-content/${item}/style.css`);
      fake("docker-entrypoint.sh", "");
      // Slow enough for the others to come in between.
      fake("cp", '/bin/cp "$@" && /bin/sleep 0.02');
      const codes = await Promise.all(
        ["a", "b", "c", "d"].map((container) => {
          mkdirSync(file(container));
          symlinkSync(file("site/wp-content"), file(`${container}/wp-content`));
          const child = spawn("sh", ["-c", inContainer(container)], {
            env: { PATH: `${file("bin")}:${process.env["PATH"] ?? ""}`, BENCH: bench },
            stdio: "ignore",
          });
          return new Promise((resolve) => child.once("exit", resolve));
        }),
      );
      assert.deepEqual(codes, [0, 0, 0, 0]);
      const brought = readFileSync(file("site/wp-content/.rancher-cattle-brought"), "utf8");
      const lines = brought.trim().split("\n");
      assert.equal(new Set(lines).size, lines.length);
      for (const item of items) assert.deepEqual(shown(`site/wp-content/${item}`), ["style.css"]);
      assert.ok(existsSync(file("d/index.php")));
    });

    it("GIVEN another that is at work for too long THEN it touches nothing and gives up", () => {
      fake("flock", 'echo "flock $*" >>"$BENCH/journal"; exit 1');
      assert.equal(start().code, 1);
      assert.equal(journal(), "flock -w 300 9\n");
      assert.deepEqual(shown("site/wp-content"), []);
    });
  });

  describe("register-agent.sh", () => {
    const metadata = 'case "$*" in *instance-id) echo i-0abc;; *local-ipv4) echo 10.0.1.5;; esac';
    const register = () => {
      writeFileSync(path.join(bench, "url"), "http://rancher.test.internal:8080/v1/scripts/T\n");
      return run(readScript("register-agent"), ["example/agent:v1", path.join(bench, "url")]);
    };

    it("GIVEN an agent is there THEN nothing is started", () => {
      fake("docker", 'echo "$*" >>"$BENCH/journal"; exit 0');
      assert.equal(register().code, 0);
      assert.equal(journal(), "info\ninspect rancher-agent\n");
    });

    it("GIVEN Docker and metadata answer late THEN it registers with address and instance id", () => {
      fake("curl", metadata);
      fake(
        "docker",
        `echo x >>"$BENCH/calls"
         [ "$(wc -l <"$BENCH/calls")" -gt 3 ] || exit 1
         case "$1" in
           inspect) [ -e "$BENCH/agent" ];;
           run) echo "$*" >>"$BENCH/journal"; touch "$BENCH/agent";;
         esac`,
      );
      assert.equal(register().code, 0);
      assert.equal(
        journal(),
        "run --rm --privileged --name rancher-agent-bootstrap -e CATTLE_AGENT_IP=10.0.1.5" +
          " -e CATTLE_HOST_LABELS=io.rancher-cattle.instance-id=i-0abc" +
          " -v /var/run/docker.sock:/var/run/docker.sock -v /var/lib/rancher:/var/lib/rancher" +
          " example/agent:v1 http://rancher.test.internal:8080/v1/scripts/T\n",
      );
    });

    it("GIVEN registration never works THEN it stops after a limited number of tries", () => {
      fake("curl", metadata);
      fake("docker", '[ "$1" = run ] && echo x >>"$BENCH/journal"; [ "$1" = info ]');
      const { code, out } = register();
      assert.equal(code, 1);
      assert.equal(journal().length, 2 * 120);
      assert.match(out, /gave up registering$/);
    });
  });

  describe("wait.sh", () => {
    const wait = (env: Record<string, string> = {}) =>
      run(readScript("wait"), [], {
        WAIT_FOR: "the thing",
        WAIT_SECONDS: "2",
        WAIT_SSH: "ssh -o 'A=b c' rancher@h",
        WAIT_SCRIPT: 'echo "got $1"; exit 0',
        WAIT_ARGS: "'two words'",
        ...env,
      });

    it("GIVEN the script succeeds THEN its answer is the result, and arguments arrive whole", () => {
      fake(
        "ssh",
        'printf "%s|" "$@" >>"$BENCH/journal"; cat >"$BENCH/script"; echo; echo fine; echo',
      );
      const { code, out } = wait({ WAIT_SCRIPT: 'x="\\$y" `z` \\\\ $1' });
      assert.deepEqual([code, out], [0, "fine"]);
      assert.equal(journal(), "-o|A=b c|rancher@h|sh|-s|--|two words|");
      assert.equal(readFileSync(path.join(bench, "script"), "utf8"), 'x="\\$y" `z` \\\\ $1\n');
    });

    it("GIVEN it fails at first THEN it is tried again", () => {
      fake("ssh", 'echo x >>"$BENCH/journal"; [ "$(wc -l <"$BENCH/journal")" -gt 2 ]');
      assert.equal(wait({ WAIT_SECONDS: "10" }).code, 0);
      assert.equal(journal(), "x\nx\nx\n");
    });

    it("GIVEN it never succeeds THEN it ends at the limit with what was waited for and the last answer", () => {
      rmSync(path.join(bench, "bin", "sleep"));
      fake("ssh", 'echo "ssh: connect to host h port 22: Connection refused" >&2; exit 255');
      const { code, err } = wait();
      assert.equal(code, 1);
      assert.match(err, /^waiting for the thing, at most 2 s\n/);
      assert.match(
        err,
        /gave up waiting for the thing after \d s; the last answer was:\n.*Connection refused$/,
      );
    });

    for (const [answer, says] of [
      ["rancher@h: Permission denied (publickey).", /your key away.*private half of sshPublicKey/],
      [
        "Received disconnect: Too many authentication failures\nDisconnected from h",
        /IdentitiesOnly/,
      ],
      ["command-line: Bad configuration option: knownhostscommand", /OpenSSH 8\.5/],
    ] as const) {
      it(`GIVEN ssh says "${answer}" THEN it ends long before the limit and says what to do`, () => {
        fake("ssh", `printf '%s\\n' '${answer}' >&2; exit 255`);
        const script = readScript("wait").replace("refusal_seconds=60", "refusal_seconds=1");
        const env = { WAIT_FOR: "x", WAIT_SECONDS: "900", WAIT_SSH: "ssh h" };
        const { code, err } = run(script, [], { ...env, WAIT_SCRIPT: "", WAIT_ARGS: "" });
        assert.equal(code, 1);
        assert.match(err, says);
      });
    }

    it("GIVEN ssh hangs THEN the watchdog ends it", () => {
      fake("sleep", "exit 0");
      fake("ssh", "exec tail -f /dev/null");
      assert.equal(wait({ WAIT_SECONDS: "1" }).code, 1);
    });
  });

  describe("gates", () => {
    const gate = (name: string, ...args: string[]) =>
      run(readScript("expect-instance") + readScript(name), ["i-new", ...args]);

    it("GIVEN the old instance still answers THEN the gate stays shut and names both", () => {
      fake("curl", "echo i-old");
      const { code, out } = gate("docker-answers");
      assert.deepEqual([code, out], [1, "the address still leads to i-old, not to i-new"]);
    });

    it("GIVEN Docker answers on the expected instance THEN it opens", () => {
      fake("curl", "echo i-new");
      fake("docker", "echo 19.03.15");
      assert.deepEqual(gate("docker-answers").out, "Docker 19.03.15");
    });

    it("GIVEN the volume is not mounted THEN it asks for that and quotes the log", () => {
      fake("curl", "echo i-new");
      fake("sudo", 'echo "$*" >>"$BENCH/journal"');
      const { code } = gate("data-mounted", path.join(bench, "data"), "/opt/mount", "vol-1");
      assert.equal(code, 1);
      writeFileSync(path.join(bench, ".rancher-cattle"), "");
      assert.equal(gate("data-mounted", bench, "/opt/mount", "vol-1").code, 0);
    });

    const rancher = (answers: string, templates = "[]") => {
      fake(
        "curl",
        `case "$*" in
           *169.254*) echo i-new;;
           *http_code*) printf ${answers};;
           *projecttemplates*) echo '${templates}';;
           *ping*) [ ${answers} != none ] && echo pong;;
         esac`,
      );
      fake(
        "docker",
        'case "$1" in inspect) echo "its container is running";; logs) echo "ERROR no database" >&2;; esac',
      );
      return gate("rancher-answers", "rancher", "http://127.0.0.1:8080");
    };

    it("GIVEN Rancher is not there THEN the gate quotes the state of its container and its log", () => {
      const { code, out } = rancher("none");
      assert.equal(code, 1);
      assert.match(out, /does not answer .*\/ping\nits container is running\nERROR no database$/);
    });

    const installer = (state: string, log = "") => {
      fake("curl", "echo i-new");
      fake(
        "docker",
        `case "$1" in
           inspect) echo "${state}";;
           logs) printf '%s\\n' "${log}" >&2;;
           start) echo "start $2" >>"$BENCH/journal"; echo "$2";;
         esac`,
      );
      return gate("site-installed", "site-installer");
    };

    it("GIVEN the installer ended well THEN the gate opens with its one line", () => {
      const { code, out } = installer("exited 0", "installed WordPress 6.4.1");
      assert.deepEqual([code, out], [0, "installed WordPress 6.4.1"]);
      assert.equal(journal(), "");
    });

    it("GIVEN it is at work THEN the gate waits and starts nothing", () => {
      assert.deepEqual(installer("running 0").code, 1);
      assert.equal(journal(), "");
    });

    it("GIVEN it failed THEN the gate quotes its last line and starts it again", () => {
      const { code, out } = installer("exited 1", "WordPress stopped: no database");
      assert.deepEqual(
        [code, out],
        [1, "the installer ended with 1: WordPress stopped: no database"],
      );
      assert.equal(journal(), "start site-installer\n");
    });

    it("GIVEN it answers without its template THEN the gate stays shut", () => {
      const { code, out } = rancher("200");
      assert.equal(code, 1);
      assert.match(out, /template Cattle from the catalog/);
    });

    it("GIVEN it answers with its template, or asks for a key THEN the gate opens", () => {
      assert.equal(rancher("200", '{"data": [{"name" : "Cattle"}]}').code, 0);
      assert.equal(rancher("401").code, 0);
      assert.equal(rancher("503").code, 1);
    });
  });
});
