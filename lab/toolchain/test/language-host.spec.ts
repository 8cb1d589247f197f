import * as grpc from "@grpc/grpc-js";
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

  /** Runs a Node package as a plugin; resolves with what it printed and its exit code. */
  function runPlugin(script: string, onOutput: (text: string) => void = () => undefined) {
    fs.writeFileSync(path.join(folder, "package.json"), '{ "main": "index.js" }');
    fs.writeFileSync(path.join(folder, "index.js"), script);
    fs.symlinkSync(path.join(clone, "node_modules"), path.join(folder, "node_modules"));
    const info = new pb.ProgramInfo().setProgramDirectory(folder).setRootDirectory(folder);
    const request = new pb.RunPluginRequest().setPwd(folder).setInfo(info.setEntryPoint("."));
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
