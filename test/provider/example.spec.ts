/** The example of docs/provider.md, run as its reader would run it. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { clone } from "../../lab/env";
import { Engine } from "./engine";
import { changesTable } from "./matrix/guide";
import { Server } from "./rancher";

const guide = path.join(clone, "docs", "provider.md");
const PASSWORD = "a password for the example";

/** What a preview printed, without what differs from run to run. */
function steady(output: string, url: string): string {
  const lines = output
    .replaceAll(url, "http://rancher.example.com:8080")
    .replaceAll(/\[id=[^\]]+\]/g, "[id=…]")
    .replaceAll(/::closed::[0-9a-f-]+/g, "::closed::…")
    .replaceAll(/^@.*\n/gm, "")
    .split("\n")
    .map((line) => line.trimEnd());
  const isStep = (line: string): boolean => /^ [+~-] /.test(line);
  // Steps that do not wait for each other come in any order.
  const steps = lines.filter(isStep).sort();
  return lines
    .map((line) => (isStep(line) ? (steps.shift() ?? "") : line))
    .join("\n")
    .trim();
}

describe("the provider's example, through the engine", function () {
  this.timeout(300_000);
  let server: Server;
  let engine: Engine;
  /** What the guide shows, by the name of the place. */
  const shown: Record<string, string> = {};

  before(async () => {
    server = await Server.start();
    server.logins.push(["admin", PASSWORD]);
    engine = new Engine(path.join(clone, "rancher", "examples", "site"));
    await engine.run("stack", "init", "test");
    await engine.run("config", "set", "url", server.url);
    await engine.run("config", "set", "--secret", "adminPassword", PASSWORD);
  });
  after(async () => {
    engine?.remove();
    await server?.close();
  });

  it("GIVEN a fresh server WHEN there is no site yet THEN it is closed and tells how machines join", async () => {
    await engine.up();
    assert.equal(await server.anonymously("/v2-beta/projects"), 401);
    const { registrationCommand } = await engine.outputs();
    assert.match(String(registrationCommand), /^sudo docker run .*\/v1\/scripts\//);
  });

  it("GIVEN hosts WHEN the site has a scale THEN preview shows what is made, and up makes it", async () => {
    server.bootMachines();
    await engine.run("config", "set", "scale", "2");
    shown["create"] = steady(await engine.run("preview"), server.url);
    await engine.up();
    const [web] = await server.all("Service");
    assert.ok(web !== undefined);
    assert.equal((await server.containers("Service", web)).length, 2);
  });

  it("GIVEN the site WHEN its scale is 4 THEN preview shows that alone, and no container is replaced", async () => {
    const [before] = await server.all("Service");
    assert.ok(before !== undefined);
    const old = await server.containers("Service", before);
    await engine.run("config", "set", "scale", "4");
    shown["scale"] = steady(await engine.run("preview", "--diff"), server.url);
    await engine.up();
    const now = await server.containers("Service", before);
    assert.deepEqual([now.length, old.filter((id) => !now.includes(id))], [4, []]);
  });

  it("GIVEN all of this WHEN destroyed THEN only the closed server is left", async () => {
    await engine.run("destroy", "--yes", "--skip-preview");
    for (const type of ["Service", "LoadBalancer", "Stack", "RegistrationToken", "AccessControl"]) {
      assert.deepEqual(await server.all(type), [], `a ${type} is left`);
    }
    assert.equal(await server.anonymously("/v2-beta/projects"), 401);
    const places = [["what Pulumi printed", engine.said] as const, ...engine.files()];
    for (const [place, text] of places) assert.ok(!text.includes(PASSWORD), place);
  });

  it("has its previews and the table of changes in docs/provider.md", () => {
    const kept = fs.readFileSync(guide, "utf8");
    const fence = (text: string): string => `\n\`\`\`\n${text}\n\`\`\`\n\n`;
    const places: Record<string, string> = {
      create: fence(shown["create"] ?? ""),
      scale: fence(shown["scale"] ?? ""),
      // Aligned columns would be too wide to read.
      changes: `\n<!-- prettier-ignore -->\n${changesTable()}\n\n`,
    };
    let text = kept;
    for (const [name, content] of Object.entries(places)) {
      const pattern = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end -->)`);
      assert.match(text, pattern);
      text = text.replace(pattern, (_, start: string, end: string) => start + content + end);
    }
    if (process.env["UPDATE"] === "1") fs.writeFileSync(guide, text);
    assert.ok(text === kept || process.env["UPDATE"] === "1", STALE);
  });
});

const STALE = "docs/provider.md is stale: run this suite with UPDATE=1";
