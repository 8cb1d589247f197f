import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { readScript } from "../../components/script";

const folder = path.resolve(__dirname, "../../components/scripts");
const scripts = readdirSync(folder).map((file) => path.basename(file, ".sh"));

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
