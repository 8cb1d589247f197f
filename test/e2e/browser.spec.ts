import { strict as assert } from "node:assert";
import type { StackOutputs } from "../../commands/stack";
import type { Page } from "playwright-core";
import {
  chooseImage,
  deleteAll,
  insertBlock,
  logInAsPerson,
  publish,
  startWriting,
  uploadImage,
} from "./author";
import {
  type Browsing,
  fetchInPage,
  openBrowser,
  paint,
  screenshot,
  type Session,
} from "./browser";
import { outputs, pulumi } from "./lab";
import { logged, replicas } from "./site";

/** Opens a browser whose way to the site leads through each agent host in turn. */
async function throughEach(
  { siteUrl, agentHosts }: StackOutputs,
  session: Session | undefined,
  work: (page: Page, host: string) => Promise<void>,
): Promise<void> {
  for (const { name, address } of agentHosts) {
    const browsing = await openBrowser(siteUrl, address, session);
    try {
      await work(browsing.page, name);
      assert.deepEqual(browsing.complaints, [], name);
    } finally {
      await browsing.close();
    }
  }
}

/**
 * Asks for addresses through every balancer until each replica must have answered, and checks in their
 * logs that each has.
 *
 * @returns the different answers for each address, of which there should be one
 */
async function fromEveryReplica(
  stack: StackOutputs,
  session: Session | undefined,
  urls: readonly string[],
): Promise<Buffer[][]> {
  const count = (await replicas()).length;
  // As referrer: in the address it would come back in links of the page.
  const marker = `browser-${Date.now().toString(36)}`;
  const answers = urls.map((): Buffer[] => []);
  const wanted: string[] = [];
  await throughEach(stack, session, async (page, host) => {
    await page.goto("/wp-includes/images/blank.gif");
    for (const [i, url] of urls.entries()) {
      wanted.push(`"GET ${new URL(url).pathname} HTTP/1.1" 200 .*${marker}-${host}"`);
      for (let n = 0; n < count * 2; n++) {
        const { status, body } = await fetchInPage(page, url, `/?${marker}-${host}`);
        assert.equal(status, 200);
        if (answers[i]?.some((other) => other.equals(body)) === false) answers[i].push(body);
      }
    }
  });
  const logs = await logged(marker);
  assert.equal(logs.length, count);
  for (const lines of logs) {
    const missing = wanted.filter((want) => !lines.some((line) => new RegExp(want).test(line)));
    assert.deepEqual(missing, [], "a replica was not asked for it");
  }
  return answers;
}

/** GIVEN a lab on which `up` has run; leaves it as it was. Its screenshots are kept after the run. */
describe("the site in a browser", function () {
  this.timeout("5m");
  this.bail(true);

  const title = `Cow ${Date.now().toString(36)}`;
  const text = "Written in a browser, served by every replica.";
  let stack: StackOutputs;
  /** The administrator's, through the first agent host, from login to logout. */
  let admin: Browsing;
  const addresses = { post: "", image: "", page: "" };
  let png: Buffer;

  before("the browser opens", async () => {
    stack = await outputs();
    admin = await openBrowser(stack.siteUrl, stack.agentHosts[0]?.address ?? "");
  });

  afterEach("what a failed test saw is kept", async function () {
    if (this.currentTest?.isFailed() === true) await screenshot(admin.page, "failed");
  });

  after("the posts go, and the browser", async () => {
    try {
      if (addresses.post !== "") await deleteAll(admin.page, title);
    } finally {
      await admin.close();
    }
  });

  /** What strangers get, through every balancer and from every replica. */
  async function everybodySeesTheSame(): Promise<void> {
    const urls = [addresses.post, addresses.image, addresses.page];
    const answers = await fromEveryReplica(stack, undefined, urls);
    assert.deepEqual(
      answers.map((different) => different.length),
      [1, 1, 1],
    );
    const [[post], [image]] = answers as [Buffer[], Buffer[]];
    assert.ok(post?.includes(text));
    assert.ok(image?.equals(png));
  }

  /** The administrator's profile, through every balancer and from every replica, without another login. */
  async function loginHolds(): Promise<void> {
    const profile = `${stack.siteUrl}/wp-admin/profile.php`;
    const [answers = []] = await fromEveryReplica(stack, await admin.session(), [profile]);
    assert.ok(answers.every((answer) => answer.includes(`value="${stack.siteAdminUser}"`)));
  }

  it("WHEN the administrator logs in THEN the dashboard is there", async () => {
    await logInAsPerson(admin.page);
    await admin.page.getByRole("heading", { name: "Dashboard" }).waitFor();
    await screenshot(admin.page, "2-dashboard");
  });

  it("WHEN they write and publish a post THEN it is on the site", async () => {
    const { page } = admin;
    await startWriting(page, "post", title);
    await page.keyboard.type(text);
    await screenshot(page, "3-editor");
    addresses.post = await publish(page);
    await page.goto(addresses.post);
    await page.getByRole("heading", { name: title }).waitFor();
    await page.getByText(text).waitFor();
    await screenshot(page, "4-post");
  });

  it("WHEN they upload an image THEN WordPress has made smaller ones of it", async () => {
    const { page } = admin;
    png = await paint(admin, title);
    addresses.image = await uploadImage(page, `${title}.png`, png);
    assert.match(addresses.image, /\/wp-content\/uploads\/\d{4}\/\d\d\/[^/]+\.png$/);
    await screenshot(page, "5-uploaded");
    const smaller = addresses.image.replace(/\.png$/, "-300x200.png");
    assert.equal((await fetchInPage(page, smaller)).status, 200);
  });

  it("WHEN they put both on a page THEN it shows them through every host", async () => {
    const { page } = admin;
    await startWriting(page, "page", `${title}: both`);
    await page.keyboard.press("Enter");
    await insertBlock(page, "Latest Posts");
    await insertBlock(page, "Image");
    await chooseImage(page, title);
    await screenshot(page, "6-page-editor");
    addresses.page = await publish(page);
    await throughEach(stack, undefined, async (page, host) => {
      await page.goto(addresses.page);
      await page.getByRole("link", { name: title, exact: true }).waitFor();
      await page.locator("figure img").scrollIntoViewIfNeeded();
      await page.waitForFunction("document.querySelector('figure img').naturalWidth > 0");
      await screenshot(page, `7-page-through-${host}`);
    });
  });

  it("THEN post, image and page are the same bytes from every replica", everybodySeesTheSame);

  it("THEN the login holds on every replica", loginHolds);

  it("WHEN the site scales to four and back THEN login, post and image are still there", async () => {
    for (const scale of ["4", "2"]) {
      await pulumi("config", "set", "wordpressScale", scale);
      await pulumi("up", "--yes", "--skip-preview");
      await loginHolds();
      await everybodySeesTheSame();
    }
  });

  it("THEN no page had an error or lacked a part", () => {
    assert.deepEqual(admin.complaints, []);
  });
});
