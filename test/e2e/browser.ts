import * as path from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { testOutput } from "../../lab/env";
import { browserPath } from "../../lab/machine";

/** Pixels of a window, and of its screenshots. */
const viewport = { width: 1200, height: 900 };

/** Longest wait for one thing in a page: the machine has other things to do. */
const PATIENCE_MILLIS = 30_000;

/** Cookies and local storage of somebody. */
export type Session = Awaited<ReturnType<BrowserContext["storageState"]>>;

/** One browser with one window, in which one person is. */
export interface Browsing {
  readonly page: Page;
  /** What went wrong in its pages: errors of scripts, parts that the site did not serve. */
  readonly complaints: readonly string[];
  /** What another browser needs to go on as the same person. */
  session(): Promise<Session>;
  /** Ends the browser, with its profile. */
  close(): Promise<void>;
}

/**
 * Opens Debian's browser, without a screen and with a new profile, for a site whose name leads to the
 * load balancer given; paths are the site's. It reaches no other host: WordPress asks for avatars and pictures elsewhere.
 *
 * @param session logged in where this one was; default a stranger
 */
export async function openBrowser(
  siteUrl: string,
  balancer: string,
  session?: Session,
): Promise<Browsing> {
  const site = new URL(siteUrl);
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: [
      `--host-resolver-rules=MAP ${site.hostname} ${balancer}, MAP * ~NOTFOUND`,
      // The tests run as root, for which the sandbox does not start; they open their own site only.
      "--no-sandbox",
    ],
  });
  try {
    const context = await browser.newContext({
      baseURL: siteUrl,
      viewport,
      ...(session === undefined ? {} : { storageState: session }),
    });
    context.setDefaultTimeout(PATIENCE_MILLIS);
    return {
      complaints: complaintsOf(context, site.host),
      page: await context.newPage(),
      session: () => context.storageState(),
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

/** A list that grows while the pages are used. */
function complaintsOf(context: BrowserContext, host: string): string[] {
  const complaints: string[] = [];
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("response", (response) => {
    if (new URL(response.url()).host === host && response.status() >= 400) {
      complaints.push(`${response.status()} ${response.url()}`);
    }
  });
  return complaints;
}

/** Puts what the window shows into the tests' output. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(testOutput, `${name}.png`), animations: "disabled" });
}

/** A picture of 600 by 400 pixels with a text on it, as PNG, which the browser paints. */
export async function paint(browsing: Browsing, text: string): Promise<Buffer> {
  const page = await browsing.page.context().newPage();
  try {
    await page.setViewportSize({ width: 600, height: 400 });
    const style = "background: linear-gradient(45deg, teal, gold); color: white; margin: 2em";
    await page.setContent(`<body style="${style}"><h1>${text}</h1></body>`);
    return await page.screenshot();
  } finally {
    await page.close();
  }
}

/**
 * What the page's own scripts get for an address of the site, with the cookies of whoever is there and
 * past the browser's cache.
 *
 * @param from where the request says that it comes from, which is in the site's log
 */
export async function fetchInPage(
  page: Page,
  url: string,
  from = "/",
): Promise<{ status: number; body: Buffer }> {
  const { status, content } = await page.evaluate<{ status: number; content: string }>(
    `fetch(${JSON.stringify(url)}, ${JSON.stringify({ cache: "no-store", referrer: from })}).then(async (answer) => {
      const reader = new FileReader();
      reader.readAsDataURL(await answer.blob());
      await new Promise((resolve) => (reader.onload = resolve));
      return { status: answer.status, content: reader.result };
    })`,
  );
  return { status, body: Buffer.from(content.slice(content.indexOf(",") + 1), "base64") };
}
