import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import {
  cached,
  cacheFolder,
  cachePath,
  hashOf,
  hashOfFolder,
  pruneCache,
  withLock,
} from "../cache";

describe("the cache of built artefacts", () => {
  const home = process.env["XDG_CACHE_HOME"];
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "cache-test-"));
    process.env["XDG_CACHE_HOME"] = folder;
  });
  afterEach(() => {
    if (home === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = home;
    fs.rmSync(folder, { recursive: true });
  });

  const write = (text: string) => (target: string) => fs.promises.writeFile(target, text);

  it("GIVEN nothing WHEN asked twice THEN it is built once", async () => {
    let builds = 0;
    const build = async (target: string) => {
      builds++;
      await write("made")(target);
    };
    const first = await cached("thing", "1", build);
    const second = await cached("thing", "1", build);
    assert.equal(first, second);
    assert.equal(fs.readFileSync(first, "utf8"), "made");
    assert.equal(builds, 1);
  });

  it("GIVEN a build that fails THEN nothing half-made is left, and the next one works", async () => {
    const fails = cached("thing", "1", async (target) => {
      await write("half")(target);
      throw new Error("no space");
    });
    await assert.rejects(fails, /no space/);
    assert.deepEqual(fs.readdirSync(cacheFolder()), ["locks"]);
    await cached("thing", "1", write("whole"));
    assert.equal(fs.readFileSync(cachePath("thing", "1"), "utf8"), "whole");
  });

  it("GIVEN what a killed build left WHEN building THEN it starts from nothing", async () => {
    const left = path.join(cacheFolder(), "unfinished-thing-1");
    fs.mkdirSync(left, { recursive: true });
    fs.writeFileSync(path.join(left, "old"), "");
    await cached("thing", "1", async (target) => {
      assert.ok(!fs.existsSync(target));
      await write("new")(target);
    });
    assert.ok(!fs.existsSync(left));
  });

  it("GIVEN two builds of the same thing at once THEN one waits and takes the other's", async () => {
    let running = 0;
    let builds = 0;
    const build = async (target: string) => {
      builds++;
      assert.equal(++running, 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await write("made")(target);
      running--;
    };
    await Promise.all([cached("thing", "1", build), cached("thing", "1", build)]);
    assert.equal(builds, 1);
  });

  it("GIVEN a lock that another process holds WHEN told to give up THEN it throws that error", async () => {
    const file = path.join(folder, "lock");
    const holder = spawn("flock", [file, "sleep", "60"], { detached: true });
    try {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const busy = () => {
        throw new Error("busy");
      };
      await assert.rejects(
        withLock(file, busy, () => Promise.resolve()),
        /busy/,
      );
    } finally {
      process.kill(-(holder.pid ?? 0));
    }
  });

  it("GIVEN a folder WHEN a name, a content or a mode changes THEN its hash changes", () => {
    const tree = path.join(folder, "tree");
    fs.mkdirSync(path.join(tree, "sub"), { recursive: true });
    const file = path.join(tree, "sub", "a");
    fs.writeFileSync(file, "1");
    const hashes = [hashOfFolder(tree)];
    fs.writeFileSync(file, "2");
    hashes.push(hashOfFolder(tree));
    fs.chmodSync(file, 0o755);
    hashes.push(hashOfFolder(tree));
    fs.renameSync(file, path.join(tree, "sub", "b"));
    hashes.push(hashOfFolder(tree));
    assert.equal(new Set(hashes).size, 4);
  });

  it("GIVEN texts WHEN the border between them moves THEN the hash changes", () => {
    assert.notEqual(hashOf("ab", "c"), hashOf("a", "bc"));
  });

  it("GIVEN an entry unused for 30 days WHEN pruning THEN it goes and the others stay", async () => {
    await cached("old", "1", write(""));
    await cached("new", "1", write(""));
    const longAgo = new Date(Date.now() - 31 * 86_400_000);
    fs.utimesSync(cachePath("old", "1"), longAgo, longAgo);
    pruneCache();
    assert.ok(!fs.existsSync(cachePath("old", "1")));
    assert.ok(fs.existsSync(cachePath("new", "1")));
  });
});
