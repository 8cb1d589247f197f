import { strict as assert } from "node:assert";
import { cpSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { eventually, labEnv, onMachine, outputs, plannedSteps, pulumi, tryPulumi, up } from "./lab";
import {
  agentMachines,
  killMachine,
  machines,
  rancherApi,
  rancherHosts,
  replicas,
  serverMachine,
} from "./site";
import { visiting, type Visits } from "./visitors";

/** Needs Apache, PHP, WordPress's core and the database. */
const page = "/?rancher-cattle=health";

async function pages(): Promise<string[]> {
  return (await outputs()).siteUrls.map((url) => url + page);
}

function tell(visits: readonly Visits[]): void {
  for (const { url, sent, failures, longestGapMillis } of visits) {
    console.log(
      `      ${url}: ${sent} requests, ${failures.length} failed, longest pause ${longestGapMillis} ms`,
    );
  }
}

function assertNoneFailed(visits: readonly Visits[]): void {
  tell(visits);
  for (const { url, sent, failures } of visits) {
    assert.ok(sent > 20, `${url}: only ${sent} requests`);
    assert.deepEqual(failures, [], url);
  }
}

/** Sets a value and runs `up`, with visitors at every address. */
async function whileVisited(key: string, value: string): Promise<Visits[]> {
  await pulumi("config", "set", key, value);
  return visiting(await pages(), async () => {
    await pulumi("up", "--yes", "--skip-preview", "--non-interactive");
  });
}

/** The image as `registry/name` and tag. */
async function wordPressImage(): Promise<{ name: string; tag: string }> {
  const [, name = "", tag = ""] =
    /^(.*):(.*)$/.exec((await pulumi("config", "get", "wordpressImage")).trim()) ?? [];
  return { name, tag };
}

/** Gives an image of the lab's registry a second tag; the registry reads its files at each request. */
function retag(repository: string, from: string, to: string): void {
  const registry = path.join(labEnv().dir, "registry");
  for (const storage of readdirSync(registry).filter((name) => !name.includes("."))) {
    const tags = path.join(registry, storage, "docker/registry/v2/repositories", repository);
    cpSync(path.join(tags, "_manifests/tags", from), path.join(tags, "_manifests/tags", to), {
      recursive: true,
    });
  }
}

/** Versions of WordPress's image that run, by replica. */
async function runningImages(): Promise<string[]> {
  return Promise.all(
    (await replicas()).map(({ machine, container }) =>
      onMachine(machine.id, `docker inspect -f '{{.Config.Image}}' ${container}`),
    ),
  );
}

/** GIVEN a lab on which `up` has run, and visitors; each test leaves the stack as it found it. */
describe("the site while it changes", function () {
  this.timeout("20m");
  this.bail(true);

  it("WHEN wordpressScale goes from 2 to 6 and back THEN no request fails", async () => {
    assertNoneFailed(await whileVisited("wordpressScale", "6"));
    assert.equal((await replicas()).length, 6);
    assertNoneFailed(await whileVisited("wordpressScale", "2"));
    assert.equal((await replicas()).length, 2);
  });

  it("WHEN the image is another THEN all replicas get it and no request fails", async () => {
    const { name, tag } = await wordPressImage();
    const other = `${name}:${tag}-2`;
    retag(name.replace(/^[^/]*\//, ""), tag, `${tag}-2`);
    assertNoneFailed(await whileVisited("wordpressImage", other));
    assert.deepEqual(await runningImages(), [other, other]);
    await pulumi("config", "set", "wordpressImage", `${name}:${tag}`);
    await up();
  });

  it("WHEN the image is broken THEN up fails with the reason, all is rolled back, and no request fails", async () => {
    const { name, tag } = await wordPressImage();
    const [good, broken] = [`${name}:${tag}`, `${name}:${tag}-broken`];
    const before = (await replicas()).map(({ container }) => container).sort();
    // The installer, which needs no Apache, is content with it.
    const recipe = `FROM ${good}\\nRUN printf "#!/bin/sh\\\\nexit 7\\\\n" > /usr/local/bin/apache2-foreground`;
    for (const { id } of [await serverMachine(), ...(await agentMachines())]) {
      await onMachine(id, `printf '${recipe}' | docker build -q -t ${broken} -`);
    }
    await pulumi("config", "set", "wordpressImage", broken);
    let said = "";
    const visits = await visiting(await pages(), async () => {
      const ran = await tryPulumi("up", "--yes", "--skip-preview", "--non-interactive");
      said = ran.stdout + ran.stderr;
      assert.notEqual(ran.code, 0, said);
    });
    assertNoneFailed(visits);
    assert.match(said, /upgrade of service web[^]*rolled back/);
    assert.deepEqual((await replicas()).map(({ container }) => container).sort(), before);
    const plan = await plannedSteps();
    assert.deepEqual(
      plan.filter((step) => step.type === "rancher:index:Service").map((step) => step.op),
      ["update"],
    );
    await pulumi("config", "set", "wordpressImage", good);
    await up();
  });

  it("WHEN every agent host is replaced THEN each address stays with its old machine until the new one answers", async () => {
    const before = await agentMachines();
    await pulumi("config", "set", "vcpuQuota", "8");
    const visits = await whileVisited("agentInstanceType", "t3.small");
    tell(visits);
    for (const { url, failures } of visits) {
      // A connection that is open while the address moves is lost, here as on AWS.
      assert.ok(failures.length <= 2, failures.join("\n"));
      for (const failure of failures)
        assert.match(failure, /reset|closed|terminated|timeout/i, url);
    }
    assert.deepEqual(
      (await agentMachines()).map((m) => [m.type, m.publicAddress]),
      before.map((m) => ["t3.small", m.publicAddress]),
    );
    await pulumi("config", "set", "agentInstanceType", "t2.small");
    await pulumi("config", "rm", "vcpuQuota");
    await up();
    assert.equal((await rancherHosts()).length, 2);
  });

  it("WHEN an agent host dies THEN its replicas come back elsewhere and visitors of the other address wait at most", async () => {
    const { agentHosts } = await outputs();
    const [dying, surviving] = await agentMachines();
    assert.ok(dying !== undefined && surviving !== undefined);
    const survivor = agentHosts[1]?.rancherHostId;
    const count = (await machines()).length;
    const visits = await visiting([`http://${surviving.publicAddress}${page}`], async () => {
      const start = Date.now();
      await killMachine(dying.id);
      await eventually("two replicas on the surviving host", 240, async () => {
        type Listed<T> = { data: T[] };
        const { data } = await rancherApi<Listed<{ id: string }>>("projects/1a5/services?name=web");
        const instances = await rancherApi<
          Listed<{ hostId: string; state: string; healthState: string }>
        >(`projects/1a5/services/${data[0]?.id ?? ""}/instances`);
        const well = instances.data.filter(
          (i) => i.hostId === survivor && i.state === "running" && i.healthState === "healthy",
        );
        return well.length === 2 ? true : undefined;
      });
      const seconds = Math.round((Date.now() - start) / 1_000);
      console.log(`      all replicas run again after ${seconds} s`);
    });
    tell(visits);
    // Only what a dead replica had already begun to answer cannot be asked elsewhere.
    for (const { failures } of visits) assert.ok(failures.length <= 2, failures.join("\n"));
    await pulumi("up", "--yes", "--skip-preview", "--replace", "**::agents-0-instance");
    await pulumi("preview", "--refresh", "--expect-no-changes");
    assert.equal((await machines()).length, count);
    assert.ok(!(await machines()).some(({ id }) => id === dying.id));
  });
});
