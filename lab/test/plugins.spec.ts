import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import * as fc from "fast-check";
import { PartialFailure } from "../../rancher/plugin/serve";
import type { Call, Props, ProviderDefinition, Resource } from "../../rancher/plugin/types";
import { aws } from "../plugins/aws/provider";
import { release, until } from "../plugins/aws/client";
import { command, run } from "../plugins/command";
import { Engine, sshArguments } from "../plugins/docker/client";
import {
  containerSpec,
  demultiplex,
  drift,
  goDuration,
  nanoseconds,
} from "../plugins/docker/container";
import { splitImage } from "../plugins/docker/image";
import { docker } from "../plugins/docker/provider";
import { random, randomText } from "../plugins/random";
import { generateEd25519, tls } from "../plugins/tls";

function call(signal: AbortSignal = new AbortController().signal, shown: string[] = []): Call {
  return {
    urn: "urn:pulumi:lab::site::type::name",
    signal,
    timeoutSeconds: undefined,
    status: (line) => {
      shown.push(line);
    },
  };
}

function resourceOf<C>(definition: ProviderDefinition<C>, type: string): Resource<C> {
  const found = definition.resources[type];
  assert.ok(found, `${definition.name} has no ${type}`);
  return found;
}

describe("stand-in inputs", () => {
  const urn = "urn:pulumi:lab::site::type::name";
  for (const [name, definition, type, inputs, path_, reason] of [
    [
      "an unknown input",
      random,
      "random:index/randomId:RandomId",
      { byteLength: 4, x: 1 },
      "x",
      /does not implement/,
    ],
    ["a missing input", random, "random:index/randomId:RandomId", {}, "byteLength", /missing/],
    [
      "a wrong type",
      random,
      "random:index/randomId:RandomId",
      { byteLength: "4" },
      "byteLength",
      /must be a number/,
    ],
    [
      "an unknown nested input",
      docker,
      "docker:index/container:Container",
      { image: "i", ports: [{ internal: 1, host: 2 }] },
      "ports[0].host",
      /does not implement/,
    ],
    [
      "a bad duration",
      docker,
      "docker:index/container:Container",
      { image: "i", healthcheck: { interval: "10" } },
      "healthcheck.interval",
      /not a duration/,
    ],
    [
      "another algorithm",
      tls,
      "tls:index/privateKey:PrivateKey",
      { algorithm: "RSA" },
      "algorithm",
      /ED25519 keys only/,
    ],
    [
      "an inline rule",
      aws,
      "aws:ec2/securityGroup:SecurityGroup",
      { vpcId: "v", ingress: [] },
      "ingress",
      /does not implement/,
    ],
  ] as const) {
    it(`GIVEN ${name} WHEN checked THEN the problem names its path`, () => {
      const resource = resourceOf(definition as ProviderDefinition<unknown>, type);
      const { problems } = resource.check(inputs as Props, undefined, { urn });
      assert.deepEqual(
        problems.map((p) => p.path),
        [path_],
      );
      assert.match(problems[0]?.reason ?? "", reason);
    });
  }

  it("GIVEN no name WHEN checked THEN one is made up, kept, and lets old and new exist side by side", () => {
    const container = resourceOf(docker, "docker:index/container:Container");
    const first = container.check({ image: "i" }, undefined, { urn }).inputs;
    assert.match(String(first["name"]), /^name-[0-9a-f]{7}$/);
    const second = container.check({ image: "j" }, first, { urn }).inputs;
    assert.equal(second["name"], first["name"]);
    const diff = { id: "1", oldInputs: first, old: first, inputs: second };
    assert.deepEqual(container.diff(diff), {
      changes: { image: "replace" },
      deleteBeforeReplace: false,
    });
    const named = {
      ...diff,
      oldInputs: { image: "i", name: "n" },
      inputs: { image: "j", name: "n" },
    };
    assert.equal(container.diff(named).deleteBeforeReplace, true);
  });

  it("GIVEN a changed waitTimeout or memory WHEN diffed THEN the container stays", () => {
    const container = resourceOf(docker, "docker:index/container:Container");
    const oldInputs = { image: "i", waitTimeout: 1, memory: 1 };
    const inputs = { image: "i", waitTimeout: 2, memory: 2 };
    assert.deepEqual(container.diff({ id: "1", oldInputs, old: {}, inputs }).changes, {
      memory: "update",
      waitTimeout: "update",
    });
  });

  it("GIVEN an instance WHEN its user data changes THEN userDataReplaceOnChange decides", () => {
    const instance = resourceOf(aws, "aws:ec2/instance:Instance");
    const change = (replace: boolean): unknown =>
      instance.diff({
        id: "i",
        old: {},
        oldInputs: { userData: "a", userDataReplaceOnChange: replace },
        inputs: { userData: "b", userDataReplaceOnChange: replace },
      }).changes["userData"];
    assert.equal(change(true), "replace");
    assert.equal(change(false), "update");
  });
});

describe("random and tls stand-ins", () => {
  it("GIVEN any allowed settings WHEN a text is made THEN it has the length and the classes asked for", () => {
    const settings = fc.record({
      length: fc.integer({ min: 8, max: 64 }),
      special: fc.boolean(),
      minUpper: fc.integer({ min: 0, max: 2 }),
      minNumeric: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(settings, (inputs) => {
        const { result } = randomText(inputs);
        assert.equal(result.length, inputs.length);
        assert.ok((result.match(/[A-Z]/g) ?? []).length >= inputs.minUpper);
        assert.ok((result.match(/[0-9]/g) ?? []).length >= inputs.minNumeric);
        if (!inputs.special) assert.match(result, /^[A-Za-z0-9]+$/);
      }),
      { numRuns: 50 },
    );
  });

  it("GIVEN a random resource WHEN anything changes THEN it is replaced", () => {
    const password = resourceOf(random, "random:index/randomPassword:RandomPassword");
    const { changes } = password.diff({
      id: "1",
      old: {},
      oldInputs: { length: 8 },
      inputs: { length: 9 },
    });
    assert.deepEqual(changes, { length: "replace" });
    assert.deepEqual(password.secretOutputs, ["result", "bcryptHash"]);
  });

  it("GIVEN a new key WHEN OpenSSH reads it THEN it finds the same public key and fingerprint", () => {
    const key = generateEd25519();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rc-key-"));
    try {
      const file = path.join(folder, "key");
      fs.writeFileSync(file, key.privateKeyOpenssh, { mode: 0o600 });
      assert.equal(execFileSync("ssh-keygen", ["-y", "-f", file]).toString(), key.publicKeyOpenssh);
      const listed = execFileSync("ssh-keygen", ["-lf", file]).toString();
      assert.equal(listed.split(" ")[1], key.publicKeyFingerprintSha256);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

describe("command stand-in", () => {
  const local = resourceOf(command, "command:local:Command");

  it("GIVEN a script WHEN created THEN it sees environment and stdin, and its lines are shown", async () => {
    const shown: string[] = [];
    const inputs = {
      create: 'read line; echo "$A $line"; echo warn >&2',
      environment: { A: "1" },
      stdin: "two\n",
    };
    const { outputs } = await local.create(null, inputs, call(undefined, shown));
    assert.equal(outputs["stdout"], "1 two");
    assert.equal(outputs["stderr"], "warn");
    assert.deepEqual(shown.sort(), ["1 two", "warn"]);
  });

  it("GIVEN an update and a delete WHEN run THEN they see the last output", async () => {
    const inputs = {
      create: "exit 1",
      update: 'echo "was $PULUMI_COMMAND_STDOUT"',
      delete: "exit 3",
    };
    const args = { id: "1", oldInputs: inputs, old: { stdout: "old" }, inputs };
    const updated = await local.update?.(null, args, call());
    assert.equal(updated?.["stdout"], "was old");
    await assert.rejects(
      local.delete(null, { id: "1", inputs, outputs: inputs }, call()),
      /exit status 3/,
    );
  });

  it("GIVEN a failing script WHEN run THEN the error carries its status and output", async () => {
    const script = "echo no database; exit 7";
    await assert.rejects(run(script, {}, {}, call()), /^Error: exit status 7: .*\nno database$/s);
  });

  it("GIVEN a hanging script WHEN cancelled THEN it and its children end", async () => {
    const controller = new AbortController();
    const running = run("sleep 60 & wait", {}, {}, call(controller.signal));
    setTimeout(() => {
      controller.abort(new Error("cancelled"));
    }, 100);
    await assert.rejects(running, /signal: SIGTERM/);
  });

  it("GIVEN a secret input WHEN outputs are named THEN what the script prints is secret", () => {
    const { secretOutputs } = local;
    assert.ok(typeof secretOutputs === "function");
    assert.deepEqual(secretOutputs(["environment"]), ["stdout", "stderr"]);
    assert.deepEqual(secretOutputs([]), []);
  });

  it("GIVEN changed triggers WHEN diffed THEN it is replaced, and updated otherwise", () => {
    const oldInputs = { create: "a", triggers: [1] };
    const inputs = { create: "b", triggers: [2] };
    assert.deepEqual(local.diff({ id: "1", old: {}, oldInputs, inputs }).changes, {
      create: "update",
      "triggers[0]": "replace",
    });
  });
});

describe("docker stand-in", () => {
  it("GIVEN an ssh host WHEN connected THEN ssh is called as the real plugin calls it", () => {
    const sshOpts = ["-o", "HostKeyAlias=x"];
    assert.deepEqual(sshArguments({ host: "ssh://rancher@203.0.113.7:2222", sshOpts }), [
      ...["-l", "rancher", "-p", "2222", "-o", "HostKeyAlias=x", "-o", "ConnectTimeout=30", "-T"],
      ...["--", "203.0.113.7", "docker", "system", "dial-stdio"],
    ]);
  });

  for (const [name, repository, tag] of [
    ["mariadb:10.6.22-focal", "mariadb", "10.6.22-focal"],
    ["registry.lab:5000/rancher/server", "registry.lab:5000/rancher/server", "latest"],
    ["registry.lab:5000/a:1", "registry.lab:5000/a", "1"],
    ["a@sha256:00", "a", "sha256:00"],
  ] as const) {
    it(`GIVEN the image ${name} WHEN split THEN repository and tag are right`, () => {
      assert.deepEqual(splitImage(name), { repository, tag });
    });
  }

  it("GIVEN Go's durations WHEN read THEN they are nanoseconds", () => {
    assert.equal(nanoseconds("1m30s"), 90e9);
    assert.equal(nanoseconds("250ms"), 250e6);
    assert.throws(() => nanoseconds("10"));
  });

  for (const [given, written] of [
    ["10s", "10s"],
    ["90s", "1m30s"],
    ["300s", "5m0s"],
    ["3600s", "1h0m0s"],
    ["1500ms", "1.5s"],
    ["250000us", "250ms"],
    ["0s", "0s"],
  ] as const) {
    it(`GIVEN ${given} WHEN read back THEN it is written as Go writes it`, () => {
      assert.equal(goDuration(nanoseconds(given)), written);
    });
  }

  it("GIVEN inputs WHEN the engine is asked THEN they stand where it expects them", () => {
    const spec = containerSpec({
      name: "db",
      image: "sha256:1",
      envs: ["A=1"],
      restart: "unless-stopped",
      memory: 64,
      ports: [{ internal: 3306, external: 3306 }],
      mounts: [{ type: "bind", source: "/data/db", target: "/var/lib/mysql" }],
      networksAdvanced: [{ name: "net", aliases: ["db"] }],
      healthcheck: { tests: ["CMD", "true"], interval: "5s", retries: 3 },
      labels: [{ label: "l", value: "v" }],
      logDriver: "json-file",
      logOpts: { "max-size": "10m" },
    });
    const host = spec["HostConfig"] as Props;
    assert.deepEqual(host["PortBindings"], {
      "3306/tcp": [{ HostIp: "0.0.0.0", HostPort: "3306" }],
    });
    assert.deepEqual(host["RestartPolicy"], { Name: "unless-stopped", MaximumRetryCount: 0 });
    assert.equal(host["Memory"], 64 * 1024 * 1024);
    assert.equal(host["NetworkMode"], "net");
    assert.deepEqual(host["LogConfig"], { Type: "json-file", Config: { "max-size": "10m" } });
    const [mount] = host["Mounts"] as Props[];
    assert.equal(mount?.["Source"], "/data/db");
    assert.deepEqual(spec["Labels"], { l: "v" });
    assert.equal((spec["Healthcheck"] as Props)["Interval"], 5e9);
  });

  it("GIVEN log frames WHEN read THEN the headers are gone", () => {
    const frame = (text: string): Buffer =>
      Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);
    assert.equal(demultiplex(Buffer.concat([frame("one\n"), frame("two\n")])), "one\ntwo\n");
  });

  const details = {
    Id: "c1",
    Name: "/db",
    Image: "sha256:1",
    Config: {
      Hostname: "h",
      Env: ["A=1", "PATH=/bin"],
      Cmd: ["run"],
      Entrypoint: null,
      Labels: { l: "v" },
    },
    State: { Running: true, Restarting: false, Status: "running", ExitCode: 0 },
    HostConfig: { RestartPolicy: { Name: "no" }, Memory: 0 },
    NetworkSettings: { Networks: {} },
  };
  for (const [name, inputs, found, expected] of [
    ["nothing", { image: "sha256:1", envs: ["A=1"] }, {}, {}],
    ["another image", { image: "sha256:2" }, {}, { image: "sha256:1" }],
    ["a missing variable", { envs: ["B=2"] }, {}, { envs: ["A=1", "PATH=/bin"] }],
    ["another command", { command: ["walk"] }, {}, { command: ["run"] }],
    ["a lost network", { networksAdvanced: [{ name: "n" }] }, {}, { networksAdvanced: [] }],
    [
      "a stopped container",
      {},
      { State: { ...details.State, Running: false } },
      { mustRun: false },
    ],
    [
      "a duration in another form than Go's",
      { healthcheck: { interval: "5s", startPeriod: "300s" } },
      {},
      { healthcheck: { interval: "5s", startPeriod: "5m0s" } },
    ],
    ["an ended one-shot", { attach: true }, { State: { ...details.State, Running: false } }, {}],
  ] as const) {
    it(`GIVEN ${name} WHEN compared with its inputs THEN the drift says so`, () => {
      assert.deepEqual(drift(inputs, { ...details, ...found }), expected);
    });
  }

  it("GIVEN no host WHEN used THEN it refuses to fall back to the local engine", async () => {
    const network = resourceOf(docker, "docker:index/network:Network");
    const engine = docker.configure({});
    await assert.rejects(network.create(engine, { name: "n" }, call()), /explicit docker.Provider/);
  });

  describe("on an engine", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rc-engine-"));
    const socket = path.join(folder, "docker.sock");
    const seen: string[] = [];
    let engine: Engine;
    let server: http.Server;
    let running = true;

    before((done) => {
      engine = new Engine({ host: `unix://${socket}`, sshOpts: [] });
      server = http.createServer((request, response) => {
        const asked = `${request.method ?? ""} ${(request.url ?? "").split("?")[0] ?? ""}`;
        seen.push(asked);
        const answers: Record<string, [number, unknown]> = {
          "POST /containers/create": [201, { Id: "c1" }],
          "POST /containers/c1/start": [204, undefined],
          "GET /containers/c1/json": [
            200,
            { ...details, State: { ...details.State, Running: running, ExitCode: 2 } },
          ],
          "GET /containers/c1/logs": [200, undefined],
          "GET /images/lost:1/json": [404, { message: "No such image: lost:1" }],
          "POST /images/create": [200, { error: "manifest for lost:1 not found" }],
        };
        const [status, body] = answers[asked] ?? [404, { message: "no such object" }];
        response.writeHead(status);
        response.end(body === undefined ? undefined : JSON.stringify(body));
      });
      server.listen(socket, done);
    });

    after(() => {
      engine.close();
      server.close();
      fs.rmSync(folder, { recursive: true });
    });

    it("GIVEN a container that runs WHEN created THEN its outputs are the inputs and what was found", async () => {
      const container = resourceOf(docker, "docker:index/container:Container");
      const inputs = { name: "db", image: "sha256:1", envs: ["A=1"] };
      const { id, outputs } = await container.create(engine, inputs, call());
      assert.equal(id, "c1");
      assert.deepEqual(outputs["envs"], ["A=1"]);
      assert.equal(outputs["hostname"], "h");
    });

    it("GIVEN a container that exits WHEN created THEN its state is kept with the failure", async () => {
      running = false;
      const container = resourceOf(docker, "docker:index/container:Container");
      const created = container.create(engine, { name: "db", image: "sha256:1" }, call());
      await assert.rejects(created, (error: unknown) => {
        assert.ok(error instanceof PartialFailure);
        assert.equal(error.state.id, "c1");
        assert.match(error.reason, /exited with code 2/);
        return true;
      });
    });

    it("GIVEN a container that is gone WHEN deleted and read THEN neither fails", async () => {
      const container = resourceOf(docker, "docker:index/container:Container");
      const args = { id: "gone", inputs: {}, outputs: { destroyGraceSeconds: 5 } };
      await container.delete(engine, args, call());
      assert.equal(await container.read(engine, args, call()), undefined);
      assert.ok(seen.includes("POST /containers/gone/stop"));
    });

    it("GIVEN an image that cannot be pulled WHEN created THEN the error names it", async () => {
      const image = resourceOf(docker, "docker:index/remoteImage:RemoteImage");
      const created = image.create(engine, { name: "lost:1" }, call());
      await assert.rejects(created, /cannot pull image lost:1: manifest for lost:1 not found/);
    });
  });
});

describe("aws stand-in", () => {
  it("GIVEN no emulator, or AWS itself WHEN used THEN it refuses", () => {
    const before = process.env["AWS_ENDPOINT_URL"];
    try {
      delete process.env["AWS_ENDPOINT_URL"];
      const client = aws.configure({ region: "eu-central-1" });
      assert.throws(() => client.ec2, /the lab's emulator only/);
      const endpoints = [{ ec2: "https://ec2.eu-central-1.amazonaws.com" }];
      const real = aws.configure({ region: "eu-central-1", endpoints });
      assert.throws(() => real.ec2, /the lab's emulator only/);
    } finally {
      if (before !== undefined) process.env["AWS_ENDPOINT_URL"] = before;
    }
  });

  it("GIVEN a setting it does not know WHEN checked THEN it is named", () => {
    const problems = aws.checkConfig?.({ region: "x", assumeRoles: [] }) ?? [];
    assert.deepEqual(
      problems.map((p) => p.path),
      ["assumeRoles"],
    );
  });

  const failing = (code: string): Error => Object.assign(new Error(code), { name: code });

  it("GIVEN something in use WHEN released THEN it is tried again until it succeeds", async () => {
    const answers = [failing("DependencyViolation"), undefined];
    let tries = 0;
    await release("deleting", call(), () => {
      const error = answers[tries++];
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    });
    assert.equal(tries, 2);
  });

  it("GIVEN something gone or forbidden WHEN released THEN one is fine and the other is not", async () => {
    await release("deleting", call(), () => Promise.reject(failing("InvalidGroup.NotFound")));
    const refused = release("deleting", call(), () =>
      Promise.reject(failing("UnauthorizedOperation")),
    );
    await assert.rejects(refused, /UnauthorizedOperation/);
  });

  it("GIVEN something that never comes WHEN waited for THEN the deadline says for what", async () => {
    const waiting = until("waiting for a volume", call(), () => Promise.resolve(undefined), 0);
    await assert.rejects(waiting, /waiting for a volume: still waiting after 0 seconds/);
  });
});
