import * as pulumi from "@pulumi/pulumi";
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { SshEndpoint } from "../../components";
import { shellQuote } from "../../config/shell";

describe("SshEndpoint", () => {
  // What ssh would take for the name of the host, and what a shell would cut in two.
  const name = "100%h of it";
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "tunnel-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const known = { user: "rancher", hostKey: "ssh-ed25519 AAAA", hostKeyAlias: "alias" };
  /** A host whose tunnel leaves a file with that name and leads nowhere. */
  const server = () =>
    new SshEndpoint({
      ...known,
      host: "server.invalid",
      tunnel: `touch ${shellQuote(path.join(folder, name))}`,
    });

  const hosts: Readonly<Record<string, () => SshEndpoint>> = {
    "a host behind a tunnel": server,
    "a host behind a host behind a tunnel": () =>
      new SshEndpoint({ ...known, host: "agent.invalid", via: server() }),
  };
  for (const [what, host] of Object.entries(hosts)) {
    it(`GIVEN ${what} WHEN ssh runs THEN the tunnel's command arrives as it was given`, async function () {
      const line = await new Promise<string>((resolve) => {
        pulumi.output(host().command()).apply(resolve);
      });
      const ran = spawnSync("sh", ["-c", line], { encoding: "utf8", timeout: 20_000 });
      if (ran.status === 127) this.skip();
      assert.equal(ran.status, 255, ran.stderr);
      assert.deepEqual(readdirSync(folder), [name], ran.stderr);
    });
  }
});
