/** `npm run new-environment` with the real CLI, on a folder for a backend. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { root } from "./lab";

describe("a new environment", function () {
  this.timeout(120_000);
  const name = `t${randomBytes(4).toString("hex")}`;
  const file = path.join(root, `Pulumi.${name}.yaml`);
  const folder = fs.mkdtempSync(path.join(tmpdir(), "environments-"));
  const key = path.join(folder, "key.pub");

  /** Runs a command with the CLI of the lab, but a home and a backend of its own. */
  function run(command: readonly string[], more: Readonly<Record<string, string>> = {}) {
    const settings = {
      PULUMI_HOME: path.join(folder, "home"),
      PULUMI_BACKEND_URL: `file://${folder}`,
      ...more,
    };
    const words = Object.entries(settings).map(([variable, value]) => `${variable}=${value}`);
    return spawnSync(path.join(root, "lab/run"), ["env", ...words, ...command], {
      cwd: root,
      encoding: "utf8",
      timeout: 60_000,
    });
  }
  const newEnvironment = (...args: string[]) =>
    run(["npm", "run", "--silent", "new-environment", "--", ...args]);
  const stacks = () => {
    const { stdout } = run(["pulumi", "stack", "ls", "--json"]);
    return (JSON.parse(stdout) as { name: string }[]).map((stack) => stack.name);
  };

  before(() => {
    // Where the launcher of the npm package looks for the CLI.
    fs.mkdirSync(path.join(folder, "home"));
    const link = 'ln -s "$PULUMI_HOME/versions" "$0"';
    spawnSync(path.join(root, "lab/run"), [
      "sh",
      "-c",
      link,
      path.join(folder, "home", "versions"),
    ]);
    const body = Buffer.concat([
      Buffer.from([0, 0, 0, 11]),
      Buffer.from("ssh-ed25519"),
      Buffer.from([0, 0, 0, 32]),
      randomBytes(32),
    ]);
    fs.writeFileSync(key, `ssh-ed25519 ${body.toString("base64")} somebody\n`);
  });
  after(() => {
    fs.rmSync(file, { force: true });
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it("GIVEN mistakes THEN all are said, and neither file nor stack is made", () => {
    const { status, stderr } = newEnvironment(
      name,
      "--region",
      "mars",
      "--ssh-public-key",
      "/none",
    );
    assert.equal(status, 1);
    assert.match(stderr, /nothing was made\n.*\/none cannot be read \(ENOENT\)/);
    assert.match(stderr, /aws:region: "mars" is not the name.*\n.*adminCidrs: is missing: who/);
    assert.ok(!fs.existsSync(file));
    assert.deepEqual(stacks(), []);
  });

  it("GIVEN a backend that cannot be reached THEN no file is left", () => {
    const given = ["--region", "eu-west-1", "--admin-cidr", "203.0.113.7/32"];
    const made = run(
      ["npm", "run", "--silent", "new-environment", name, "--", ...given, "--ssh-public-key", key],
      { PULUMI_BACKEND_URL: "file:///nonexistent/folder" },
    );
    assert.notEqual(made.status, 0);
    assert.match(made.stderr, /new-environment: pulumi stack init failed/);
    assert.ok(!fs.existsSync(file));
  });

  it("GIVEN what it needs THEN the file has it all, the stack is there, and the next command is told", () => {
    const given = ["--region", "eu-west-1", "--admin-cidr", "203.0.113.7/32", "--from", "staging"];
    const secrets = ["--secrets-provider", "passphrase"];
    const made = newEnvironment(name, ...given, "--ssh-public-key", key, ...secrets);
    assert.equal(made.status, 0, made.stdout + made.stderr);
    assert.match(
      made.stdout,
      new RegExp(`wrote Pulumi\\.${name}\\.yaml\\n[^]*next: npx pulumi preview\\n$`),
    );
    const text = fs.readFileSync(file, "utf8");
    const { config, encryptionsalt } = parse(text) as {
      config: Record<string, unknown>;
      encryptionsalt?: string;
    };
    assert.deepEqual(
      [
        config["aws:region"],
        config["rancher-cattle:adminCidrs"],
        String(config["rancher-cattle:agentCount"]),
      ],
      ["eu-west-1", ["203.0.113.7/32"], "2"],
    );
    assert.match(text, /# Who may reach SSH of the server\./);
    assert.ok(encryptionsalt !== undefined);
    assert.deepEqual(stacks(), [name]);
  });

  it("WHEN it is there already THEN nothing is overwritten", () => {
    const before = fs.readFileSync(file, "utf8");
    const other = newEnvironment(name, "--region", "us-east-1", "--from", "prod");
    assert.equal(other.status, 1);
    assert.match(other.stderr, /--from: Pulumi\..*\.yaml is there already; leave --from out/);
    assert.match(other.stderr, /aws:region: is eu-west-1 in the file already/);
    const again = newEnvironment(name);
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /already exists/);
    assert.equal(fs.readFileSync(file, "utf8"), before);
    const removed = run(["pulumi", "stack", "rm", "--yes", name]);
    assert.equal(removed.status, 0, removed.stderr);
    assert.deepEqual(stacks(), []);
  });
});
