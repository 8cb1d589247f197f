import { strict as assert } from "node:assert";
import { eventually, outputs, pulumi, up } from "./lab";
import { agentMachines, killMachine, machines, page, spreadReplicas } from "./site";

/** Requests that all have to be answered before an address counts as well. */
const askedInARow = 8;

async function answersWell(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    await eventually(`${url} answers ${askedInARow} times in a row`, 90, async () => {
      for (let i = 0; i < askedInARow; i++) {
        const { status, body } = await page(`${url}/?entry`);
        if (status !== 200 || !/wordpress/i.test(body)) return undefined;
      }
      return true;
    });
  }
}

/** GIVEN a lab on which `up` has run; the stack is left as it was. */
describe("the ways to the site", function () {
  this.timeout("15m");
  this.bail(true);
  let own: readonly string[];

  after("the entry is the default", async () => {
    const config = JSON.parse(await pulumi("config", "--json")) as Record<string, unknown>;
    const changed = ["siteEntry", "loadBalancerScale"].filter(
      (key) => `rancher-cattle:${key}` in config,
    );
    for (const key of changed) await pulumi("config", "rm", key);
    if (changed.length > 0) await up();
  });

  it("WHEN it is a network load balancer THEN the site answers at one address a zone, and links have the first", async () => {
    own = (await outputs()).siteUrls;
    await pulumi("config", "set", "siteEntry", "networkLoadBalancer");
    await up();
    const { siteUrl, siteUrls } = await outputs();
    assert.equal(siteUrls.length, 2);
    assert.equal(siteUrl, siteUrls[0]);
    assert.ok(siteUrls.every((url) => !own.includes(url)));
    await answersWell(siteUrls);
    assert.match((await page(`${siteUrls[1] ?? ""}/`)).body, new RegExp(siteUrl));
  });

  it("WHEN a host dies THEN it gets no visitors any more, and its successor does", async () => {
    const { siteUrls } = await outputs();
    const [dying] = await agentMachines();
    assert.ok(dying !== undefined);
    await killMachine(dying.id);
    await answersWell(siteUrls);
    await pulumi("up", "--yes", "--skip-preview", "--replace", "**::agents-0-instance");
    await pulumi("preview", "--refresh", "--expect-no-changes");
    assert.ok(!(await machines()).some(({ id }) => id === dying.id));
    await answersWell(siteUrls);
  });

  it("WHEN it is addresses again, and one load balancer is enough THEN the site answers at that host's alone", async () => {
    await pulumi("config", "set", "siteEntry", "addresses");
    await pulumi("config", "set", "loadBalancerScale", "1");
    await up();
    const { siteUrls } = await outputs();
    assert.equal(siteUrls.length, 1);
    await answersWell(siteUrls);
  });

  it("WHEN nothing is said of it THEN every host answers", async () => {
    await pulumi("config", "rm", "siteEntry");
    await pulumi("config", "rm", "loadBalancerScale");
    await up();
    const { siteUrls } = await outputs();
    assert.equal(siteUrls.length, own.length);
    await answersWell(siteUrls);
    await spreadReplicas();
  });
});
