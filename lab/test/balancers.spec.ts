/** The cloud's network load balancers, with real connections in network namespaces of their own: no engine is needed. */
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensurePython } from "../cloud";

interface Seen {
  readonly withoutListener: readonly string[];
  /** Private addresses. */
  readonly hosts: readonly [string, string];
  /** Four answers of each of the two addresses: the client as it was seen, and the host. */
  readonly both: readonly (readonly string[])[];
  readonly oneDied: readonly (readonly string[])[];
  readonly oneCameBack: readonly (readonly string[])[];
  readonly deregistered: readonly [readonly string[], readonly string[]];
  readonly drained: readonly string[];
  readonly refusals: Readonly<Record<string, string>>;
  readonly releasedAfter: string;
}

describe("the cloud's network load balancers", function () {
  this.timeout("3m");
  let seen: Seen;
  /** Answers to the laptop, at the internet's gateway. */
  const from = (...hosts: string[]) => hosts.map((host) => `192.0.2.1 ${host}`);

  before(async function () {
    // Only root may make network namespaces; `make test` is run by root.
    if (process.getuid?.() !== 0) this.skip();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "balancers-"));
    const python = path.join(await ensurePython(), "bin", "python");
    const script = path.join(__dirname, "balancers.py");
    execFileSync("unshare", ["-n", python, script, folder], { timeout: 120_000 });
    seen = JSON.parse(fs.readFileSync(path.join(folder, "seen.json"), "utf8")) as Seen;
    fs.rmSync(folder, { recursive: true });
  });

  it("GIVEN two targets WHEN they are well THEN both addresses lead to both, which see the client", () => {
    const [a, b] = seen.hosts;
    const each = from(a, a, b, b).sort();
    assert.deepEqual(seen.both, [each, each]);
  });

  it("GIVEN a target WHEN it dies and comes back THEN it gets nothing meanwhile", () => {
    const [a, b] = seen.hosts;
    const other = from(b, b, b, b);
    assert.deepEqual(seen.oneDied, [other, other]);
    const each = from(a, a, b, b).sort();
    assert.deepEqual(seen.oneCameBack, [each, each]);
  });

  it("GIVEN a target WHEN it is deregistered THEN it is drained, and then unknown", () => {
    const [, b] = seen.hosts;
    assert.deepEqual(seen.deregistered, [["draining"], from(b, b, b, b)]);
    assert.deepEqual(seen.drained, ["unused"]);
  });

  it("GIVEN a group without a listener THEN its targets are unused", () => {
    assert.deepEqual(seen.withoutListener, ["unused", "unused"]);
  });

  it("GIVEN a load balancer WHEN what it needs is taken away THEN that is refused until it is gone", () => {
    assert.deepEqual(seen.refusals, {
      address: "InvalidIPAddress.InUse",
      subnet: "DependencyViolation",
      gateway: "DependencyViolation",
      group: "ResourceInUse",
      another: "ResourceInUse",
    });
    assert.equal(seen.releasedAfter, "none");
  });
});
