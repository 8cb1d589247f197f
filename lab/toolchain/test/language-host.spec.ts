import * as grpc from "@grpc/grpc-js";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import { type AnalyzerInfo, AnalyzerStackConfigureRequest } from "@pulumi/pulumi/proto/analyzer_pb";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/language_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const clone = path.resolve(__dirname, "..", "..", "..");
const main = path.join(clone, "lab", "toolchain", "language-host", "main.ts");

describe("the Node language host", () => {
  let engine: ChildProcess;
  let client: LanguageRuntimeClient;
  let folder: string;

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "language-host-"));
    // A shell stands for the engine: the host's parent, which can be killed.
    const command = `"${process.execPath}" --import tsx "${main}" 127.0.0.1:1 & wait`;
    engine = spawn("sh", ["-c", command], { cwd: clone, stdio: ["ignore", "pipe", "inherit"] });
    const port = await new Promise((resolve) => engine.stdout?.once("data", resolve));
    const credentials = grpc.credentials.createInsecure();
    client = new LanguageRuntimeClient(`127.0.0.1:${String(port).trim()}`, credentials);
  });
  afterEach(() => {
    client.close();
    engine.kill("SIGKILL");
    fs.rmSync(folder, { recursive: true });
  });

  /** A Node package in the test's folder. */
  function writePackage(script: string) {
    const manifest = '{ "version": "1.2.3", "main": "index.js" }';
    fs.writeFileSync(path.join(folder, "package.json"), manifest);
    fs.writeFileSync(path.join(folder, "index.js"), script);
    fs.symlinkSync(path.join(clone, "node_modules"), path.join(folder, "node_modules"));
    return new pb.ProgramInfo()
      .setProgramDirectory(folder)
      .setRootDirectory(folder)
      .setEntryPoint(".");
  }

  /** Runs a Node package as a policy pack; resolves with what it says of itself, and how it ended. */
  async function runPack(script: string, stack?: AnalyzerStackConfigureRequest) {
    const request = new pb.RunPluginRequest().setPwd(folder).setInfo(writePackage(script));
    const call = client.runPlugin(request.setKind("analyzer").setArgsList(["127.0.0.1:1"]));
    let errors = "";
    let code: number | undefined;
    const port = new Promise<string>((resolve) => {
      call.on("data", (response: pb.RunPluginResponse) => {
        if (response.hasExitcode()) code = response.getExitcode();
        errors += Buffer.from(response.getStderr_asU8()).toString();
        const line = Buffer.from(response.getStdout_asU8()).toString();
        if (line !== "") resolve(line.trim());
      });
    });
    const ended = new Promise((resolve) => call.once("close", resolve).once("error", resolve));
    const pack = new AnalyzerClient(`127.0.0.1:${await port}`, grpc.credentials.createInsecure());
    try {
      if (stack !== undefined) {
        await new Promise((resolve) => pack.configureStack(stack, resolve));
      }
      const answer = await new Promise<AnalyzerInfo | Error>((resolve) => {
        pack.getAnalyzerInfo(new Empty(), (error, info) => resolve(error ?? info));
      });
      if (answer instanceof Error) await ended;
      return { answer, errors, code };
    } finally {
      pack.close();
      call.cancel();
      await ended;
    }
  }

  const namesItsStack = `const { PULUMI_NODEJS_PROJECT, PULUMI_NODEJS_STACK, PULUMI_CONFIG } = process.env;
    const name = [PULUMI_NODEJS_PROJECT, PULUMI_NODEJS_STACK, PULUMI_CONFIG].join(" ");
    const { PolicyPack } = require("@pulumi/policy");
    new PolicyPack("pack", { policies: [], displayName: name });`;

  /** Runs a Node package as a plugin; resolves with what it printed and its exit code. */
  function runPlugin(script: string, onOutput: (text: string) => void = () => undefined) {
    const request = new pb.RunPluginRequest().setPwd(folder).setInfo(writePackage(script));
    const call = client.runPlugin(request.setEnvList(["GREETING=hello=there"]));
    return new Promise<{ text: string; code: number | undefined }>((resolve) => {
      let text = "";
      let code: number | undefined;
      call.on("data", (response: pb.RunPluginResponse) => {
        if (response.hasExitcode()) code = response.getExitcode();
        const chunk = Buffer.from(response.getStdout_asU8()).toString();
        text += chunk;
        if (chunk !== "") onOutput(text);
      });
      call.on("error", () => undefined);
      call.on("close", () => resolve({ text, code }));
      call.on("end", () => resolve({ text, code }));
    });
  }

  // A zombie, which has ended and awaits its parent's notice, has no executable.
  const isAlive = (pid: number) => fs.existsSync(`/proc/${pid}/exe`);
  const waitUntilGone = async (pid: number) => {
    for (let i = 0; i < 100 && isAlive(pid); i++) await new Promise((r) => setTimeout(r, 100));
    assert.ok(!isAlive(pid), `process ${pid} still runs`);
  };

  it("GIVEN a program WHEN asked for its packages THEN their installed versions are listed", async () => {
    const request = new pb.GetProgramDependenciesRequest().setPwd(clone);
    const response = await new Promise<pb.GetProgramDependenciesResponse>((resolve, reject) => {
      client.getProgramDependencies(request, (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      });
    });
    const names = response.getDependenciesList().map((each) => each.getName());
    assert.ok(names.includes("@pulumi/pulumi") && names.includes("typescript"));
  });

  it("GIVEN a plugin WHEN it runs THEN its environment, output and exit code are passed on", async () => {
    const { text, code } = await runPlugin("console.log(process.env.GREETING); process.exit(3)");
    assert.equal(text.trim(), "hello=there");
    assert.equal(code, 3);
  });

  it("GIVEN a policy pack WHEN the engine names the stack THEN the pack starts with its name and configuration", async () => {
    const stack = new AnalyzerStackConfigureRequest().setProject("site").setStack("prod");
    stack.getConfigMap().set("site:size", "2");
    const { answer } = await runPack(namesItsStack, stack);
    assert.ok(!(answer instanceof Error), String(answer));
    assert.deepEqual(
      [answer.getName(), answer.getVersion(), answer.getDisplayname()],
      ["pack", "1.2.3", 'site prod {"site:size":"2"}'],
    );
  });

  it("GIVEN a policy pack WHEN the engine names no stack THEN it starts without one", async () => {
    const { answer } = await runPack(namesItsStack);
    assert.ok(!(answer instanceof Error), String(answer));
    assert.equal(answer.getDisplayname().trim(), "");
  });

  it("GIVEN a policy pack that cannot start THEN its words and exit code are passed on", async () => {
    const { answer, errors, code } = await runPack("console.error('no table'); process.exit(3)");
    assert.ok(answer instanceof Error);
    assert.match(errors, /no table/);
    assert.equal(code, 3);
  });

  it("GIVEN a plugin that runs WHEN the engine cancels THEN it ends, with its children", async () => {
    const script = `const child = require("child_process").spawn("sleep", ["600"]);
      console.log(child.pid + " end"); setInterval(() => {}, 1000);`;
    let sleeper = 0;
    await runPlugin(script, (text) => {
      if (!text.includes("end")) return;
      sleeper = Number.parseInt(text, 10);
      client.cancel(new Empty(), () => undefined);
    });
    assert.notEqual(sleeper, 0);
    await waitUntilGone(sleeper);
  });

  it("GIVEN a plugin that runs WHEN the engine is killed THEN host and plugin end", async () => {
    const script = "console.log(process.ppid, process.pid, 'end'); setInterval(() => {}, 1000);";
    let pids: number[] = [];
    await runPlugin(script, (text) => {
      if (!text.includes("end")) return;
      pids = text.split(" ").slice(0, 2).map(Number);
      engine.kill("SIGKILL");
    });
    assert.equal(pids.length, 2);
    for (const pid of pids) await waitUntilGone(pid);
  });
});
