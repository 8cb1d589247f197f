import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { everything, rootSql, settled } from "./checksums";
import { eventually, onMachine, outputs, pulumi, root as clone, tryInLab, up } from "./lab";
import { page, rancherHosts, replicas, serverMachine, siteSql } from "./site";

/** Runs PHP with WordPress loaded in a replica. */
async function inWordPress(code: string): Promise<string> {
  const [replica] = await replicas();
  assert.ok(replica !== undefined);
  const text = Buffer.from(`<?php require "/var/www/html/wp-load.php"; ${code}`).toString("base64");
  return onMachine(
    replica.machine.id,
    `echo ${text} | base64 -d | docker exec -i -u www-data ${replica.container} php`,
  );
}

const upload = "wp-content/uploads/kept.txt";

/** GIVEN a lab on which `up` has run; the stack is destroyed on the way, and made again from a backup. */
describe("backup and restore", function () {
  this.timeout("15m");
  this.bail(true);
  const root = fs.mkdtempSync(path.join(tmpdir(), "backups-"));
  let folder: string;
  let address: string;
  let kept: Awaited<ReturnType<typeof everything>>;

  after(() => fs.rmSync(root, { recursive: true }));

  const restore = (...args: string[]) =>
    tryInLab("npm", "run", "--silent", "restore", "--", ...args, "--output", root);

  it("GIVEN a post, an option, a file and tables that depend on each other WHEN a backup is taken THEN it is whole", async () => {
    address = (await outputs()).siteUrl;
    // What an earlier run of this test has brought back.
    await rootSql(
      "site",
      "DROP TABLE IF EXISTS wp_child, wp_parent; DELETE FROM wp_posts WHERE post_name = 'kept';",
    );
    await inWordPress(`
      $url = home_url();
      wp_insert_post(wp_slash(["post_title" => "Kept", "post_name" => "kept", "post_status" => "publish",
        "post_content" => "<img src=\\"$url/${upload}\\"> and \\"" . str_replace("/", "\\\\/", $url) . "\\""]));
      update_option("kept", ["deep" => ["url" => "$url/there", "number" => 7]]);
      wp_mkdir_p(WP_CONTENT_DIR . "/uploads");
      file_put_contents(WP_CONTENT_DIR . "/uploads/kept.txt", "kept for good");
    `);
    await rootSql(
      "site",
      `CREATE TABLE wp_parent (id INT PRIMARY KEY) ENGINE=InnoDB;
       CREATE TABLE wp_child (id INT PRIMARY KEY, parent INT, CONSTRAINT kept FOREIGN KEY (parent) REFERENCES wp_parent (id)) ENGINE=InnoDB;
       INSERT INTO wp_parent VALUES (1); INSERT INTO wp_child VALUES (1, 1);`,
    );
    kept = await settled();
    const ran = await tryInLab("npm", "run", "--silent", "backup", "--", "--output", root);
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await everything(), kept);
    const name = /^The backup: (.*)$/m.exec(ran.stdout)?.[1];
    assert.ok(name !== undefined, ran.stdout);
    folder = path.resolve(name);
    const manifest = fs.readFileSync(path.join(folder, "manifest.json"), "utf8");
    const { rancherAccessKey, rancherSecretKey, siteAdminPassword } = await outputs();
    for (const secret of [rancherAccessKey, rancherSecretKey, siteAdminPassword]) {
      assert.ok(!`${manifest}${ran.stdout}${ran.stderr}`.includes(secret));
    }
    assert.equal(fs.statSync(folder).mode & 0o077, 0, "nobody else may read it");
  });

  it("WHEN a file of it is damaged THEN restore refuses before it touches anything", async () => {
    const copy = path.join(root, "damaged");
    fs.cpSync(folder, copy, { recursive: true });
    fs.appendFileSync(path.join(copy, "site.sql.gz"), "x");
    const ran = await restore(copy, "--yes");
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, /damaged, and nothing was restored: site.sql.gz has \d+ bytes/);
    const unasked = await restore(folder);
    assert.notEqual(unasked.code, 0);
    assert.match(unasked.stderr, /Replace the site and Rancher of the stack .*Add --yes/);
    assert.deepEqual(await everything(), kept);
  });

  it("WHEN a dump cannot be read to its end THEN the tables stay as they are", async () => {
    const { id } = await serverMachine();
    const script = fs.readFileSync(path.join(clone, "commands/scripts/load-database.sh"), "utf8");
    const text = Buffer.from(script).toString("base64");
    const load = (dump: string) => {
      const sql = Buffer.from(`CREATE TABLE wp_posts (id INT);\n${dump};\n`).toString("base64");
      return onMachine(
        id,
        `echo ${text} | base64 -d >/tmp/load.sh; echo ${sql} | base64 -d | gzip | sh /tmp/load.sh site-db 2>&1 || echo "ended with $?"`,
      );
    };
    assert.match(await load("not SQL"), /ERROR 1064[^]*ended with 1/);
    assert.match(
      await load("CREATE PROCEDURE stays() SELECT 1"),
      /nothing was changed: routine stays\nended with 1/,
    );
    assert.deepEqual((await everything()).site, kept.site);
  });

  it("WHEN rows, tables, files and Rancher's services are lost THEN a restore brings all of them back", async () => {
    const [replica] = await replicas();
    assert.ok(replica !== undefined);
    await onMachine(replica.machine.id, "rm -r /mnt/shared/wp-content/uploads");
    await rootSql("site", "DROP TABLE wp_child; DROP TABLE wp_parent; DELETE FROM wp_posts;");
    await rootSql("rancher", "DELETE FROM lab_certificate; UPDATE lab_stack SET data = '{}';");
    const ran = await restore(folder, "--yes");
    assert.equal(ran.code, 0, ran.stderr);
    await eventually("all rows and files are the same", 60, async () => {
      assert.deepEqual(await everything(), kept);
      return true;
    });
    await eventually("Rancher knows its hosts", 120, async () =>
      (await rancherHosts()).every((host) => host.state === "active") ? true : undefined,
    );
    await pulumi("preview", "--refresh", "--expect-no-changes");
    // What was there before the restore was saved by it.
    assert.ok(fs.readdirSync(path.dirname(folder)).length >= 2);
    assert.equal((await page(`${address}/${upload}`)).body, "kept for good");
  });

  it("WHEN it is interrupted while Rancher stands still THEN Rancher runs again, and it says that it failed", async () => {
    const restoring = ["commands/restore.ts", folder, "--only", "rancher", "--yes", "--no-save"];
    const child = spawn(
      path.join(clone, "lab/run"),
      [process.execPath, "--import", "tsx", ...restoring],
      // A group of its own, as a terminal's has, all of which Ctrl-C reaches.
      { cwd: clone, detached: true, stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      const isAfter = said.includes("stopping Rancher: done");
      said += text;
      if (isAfter || !said.includes("stopping Rancher: done")) return;
      process.kill(-(child.pid ?? 0), "SIGINT");
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 1, said);
    assert.match(said, /starting Rancher: done[^]*restore: it was interrupted/);
    await eventually("Rancher knows its hosts", 120, async () =>
      (await rancherHosts()).every((host) => host.state === "active") ? true : undefined,
    );
    await eventually("its database is as it was", 60, async () => {
      assert.deepEqual((await everything()).rancher, kept.rancher);
      return true;
    });
  });

  describe("WHEN the stack is destroyed, made anew and given the backup", () => {
    it("THEN the site is the same at its new address, and Rancher keeps its own", async () => {
      await pulumi("destroy", "--yes", "--skip-preview", "--non-interactive");
      await up();
      const now = (await outputs()).siteUrl;
      const { rancher } = await everything();
      const ran = await restore(folder, "--yes");
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stderr, /Rancher's database stays: the backup is of another Rancher/);
      const refused = await restore(folder, "--only", "rancher", "--yes");
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /another Rancher than that of .*only the site can be restored/);
      const after = await everything();
      assert.deepEqual(after.files, kept.files);
      assert.deepEqual(after.rancher, rancher);
      // Where the site's own address stands, it is the new one.
      // The owner's own page is the site, as WordPress's installer has it.
      const moved = now === address ? [] : ["wp_options", "wp_posts", "wp_users"];
      const others = (site: Record<string, string>) =>
        Object.fromEntries(Object.entries(site).filter(([table]) => !moved.includes(table)));
      assert.deepEqual(others(after.site), others(kept.site));
      const count = (sum: string | undefined) => sum?.split(" ")[0];
      for (const table of moved) {
        assert.equal(count(after.site[table]), count(kept.site[table]), table);
      }
      const content = await siteSql("SELECT post_content FROM wp_posts WHERE post_name = 'kept'");
      assert.ok(content.includes(`${now}/${upload}`), content);
      assert.ok(!content.includes(address.replace("http://", "")) || now === address, content);
      assert.deepEqual(JSON.parse(await inWordPress('echo json_encode(get_option("kept"));')), {
        deep: { url: `${now}/there`, number: 7 },
      });
      const old = `SELECT COUNT(*) FROM wp_users WHERE user_url LIKE '${address}%'`;
      assert.ok(now === address || (await siteSql(old)) === "0");
      for (const url of (await outputs()).siteUrls) {
        assert.equal((await page(`${url}/${upload}`)).body, "kept for good");
      }
      await pulumi("preview", "--refresh", "--expect-no-changes");
    });
  });
});
