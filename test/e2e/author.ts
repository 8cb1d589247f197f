/** What the site's administrator does in WordPress's own pages, as far as a core with the block editor has them. */
import { basename } from "node:path";
import type { Page } from "playwright-core";
import { screenshot } from "./browser";
import { outputs } from "./lab";

/** Logs in from the page that an administrator is sent to. */
export async function logInAsPerson(page: Page): Promise<void> {
  const { siteAdminUser, siteAdminPassword } = await outputs();
  await page.goto("/wp-admin/");
  await page.getByLabel("Username or Email Address").fill(siteAdminUser);
  await page.getByLabel("Password", { exact: true }).fill(siteAdminPassword);
  await screenshot(page, "1-login");
  await page.getByRole("button", { name: "Log In" }).click();
  await page.waitForURL("/wp-admin/");
}

/** Opens the editor with an empty post or page of this title, the cursor in its first paragraph. */
export async function startWriting(
  page: Page,
  type: "post" | "page",
  title: string,
): Promise<void> {
  const guide = page.getByRole("dialog", { name: "Welcome to the block editor" });
  await page.removeLocatorHandler(guide);
  await page.addLocatorHandler(guide, () =>
    guide.getByRole("button", { name: "Close dialog" }).click(),
  );
  await page.goto(`/wp-admin/post-new.php?post_type=${type}`);
  await page.getByRole("textbox", { name: "Add title" }).click();
  await page.keyboard.type(title);
  await page.keyboard.press("Enter");
}

/** Makes the first empty paragraph a block of another kind, by its name. */
export async function insertBlock(page: Page, name: string): Promise<void> {
  await page
    .getByRole("document", { name: /^Empty block/ })
    .first()
    .click();
  await page.keyboard.type(`/${name.toLowerCase()}`);
  await page.getByRole("option", { name, exact: true }).click();
  await page.getByRole("document", { name: `Block: ${name}` }).waitFor();
}

/** Chooses a picture that the site has, by its title, for the image block. */
export async function chooseImage(page: Page, title: string): Promise<void> {
  await page
    .getByRole("document", { name: "Block: Image" })
    .getByRole("button", { name: "Media Library" })
    .click();
  const library = page.getByRole("dialog", { name: "Select or Upload Media" });
  await library.getByRole("checkbox", { name: title }).click();
  await library.getByRole("button", { name: "Select", exact: true }).click();
  await library.waitFor({ state: "hidden" });
}

/** Publishes what the editor holds; its address. */
export async function publish(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  const panel = page.getByRole("region", { name: "Editor publish" });
  await panel.getByRole("button", { name: "Publish", exact: true }).click();
  const address = await panel.getByRole("link", { name: /^View P/ }).getAttribute("href");
  if (address === null) throw new Error("what was published has no address");
  return address;
}

/** Uploads a picture on the page for it; its address. */
export async function uploadImage(page: Page, name: string, png: Buffer): Promise<string> {
  await page.goto("/wp-admin/media-new.php");
  // The button opens a window of the system's; what it is about is this input.
  await page
    .locator("input[type=file][multiple]")
    .setInputFiles({ name, mimeType: "image/png", buffer: png });
  const copy = page.locator(".media-item", { hasText: basename(name, ".png") });
  const address = await copy
    .locator("button.copy-attachment-url")
    .getAttribute("data-clipboard-text");
  if (address === null) throw new Error(`the uploaded ${name} has no address`);
  return address;
}

/** Deletes for good what has this text in its title: posts, pages and pictures. */
export async function deleteAll(page: Page, text: string): Promise<void> {
  await page.goto("/wp-admin/");
  await page.evaluate(
    `(async () => {
      const nonce = await fetch("/wp-admin/admin-ajax.php?action=rest-nonce");
      const headers = { "X-WP-Nonce": await nonce.text() };
      for (const type of ["posts", "pages", "media"]) {
        const folder = "/wp-json/wp/v2/" + type;
        const found = await fetch(folder + "?search=" + ${JSON.stringify(encodeURIComponent(text))}, { headers });
        for (const { id } of await found.json()) {
          const gone = await fetch(folder + "/" + id + "?force=true", { method: "DELETE", headers });
          if (!gone.ok) throw new Error("deleting one of " + type + ": " + gone.status);
        }
      }
    })()`,
  );
}
