import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { eventually, labFolder, onMachine, outputs, pulumi } from "./lab";
import { hits, page, replicas, serverMachine, siteSql } from "./site";
import { logIn, visit } from "./visit";
import type { Watch } from "./watcher";

/** Addresses of the load balancers. */
async function balancers(): Promise<string[]> {
  return (await outputs()).agentHosts.map(({ address }) => address);
}

/** Asks through every balancer until each replica has answered; every answer must be as expected. */
async function everywhere(
  pathOf: (marker: string) => string,
  expect: (answer: Awaited<ReturnType<typeof visit>>, balancer: string) => void,
  cookie?: string,
): Promise<void> {
  const marker = `seen-${Date.now().toString(36)}`;
  const count = (await replicas()).length;
  for (const balancer of await balancers()) {
    for (let i = 0; i < count * 2; i++) {
      const answer = await visit(balancer, pathOf(marker), cookie === undefined ? {} : { cookie });
      expect(answer, balancer);
    }
  }
  const logged = await hits(marker);
  assert.ok(logged.length > 1 && logged.every((n) => n > 0), `per replica: ${logged.join(", ")}`);
}

/** A text of a page without entities, and with the quotes that were typed. */
function plainText(html: string): string {
  return html
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"');
}

/** Runs a shell command in each replica. */
async function inReplicas(command: string): Promise<string[]> {
  return Promise.all(
    (await replicas()).map(({ machine, container }) =>
      onMachine(machine.id, `docker exec ${container} sh -c '${command}'`),
    ),
  );
}

/** The installer's container made once more, with another environment; its exit code and what it said. */
async function install(environment: Readonly<Record<string, string>>): Promise<string> {
  const { id } = await serverMachine();
  const { Config, HostConfig } = JSON.parse(
    await onMachine(id, "docker inspect -f '{{json .}}' site-installer"),
  ) as {
    Config: { Image: string; Env: string[]; Cmd: string[]; Entrypoint: string[]; User: string };
    HostConfig: { NetworkMode: string };
  };
  const { Image, Env, Cmd, Entrypoint, User } = Config;
  const own = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const others = Env.filter((line) => !(line.slice(0, line.indexOf("=")) in environment));
  const { NetworkMode } = HostConfig;
  const spec = {
    Image,
    Cmd,
    Entrypoint,
    User,
    Env: [...others, ...own],
    HostConfig: { NetworkMode },
  };
  const body = Buffer.from(JSON.stringify(spec)).toString("base64");
  return onMachine(
    id,
    `echo ${body} | base64 -d | curl -sf --unix-socket /var/run/docker.sock -o /dev/null \
       -H 'Content-Type: application/json' -d @- 'http://docker/containers/create?name=trial'
     said=$(docker start -a trial 2>&1)
     echo "$(docker inspect -f '{{.State.ExitCode}}' trial) $said"
     docker rm -v trial >/dev/null`,
  );
}

/** GIVEN a lab after its first up; leaves it as it was. */
describe("the site is closed from birth", function () {
  this.timeout("5m");

  describe("GIVEN somebody who probed every machine from before the first up", () => {
    let watch: Watch;
    before(function () {
      const file = path.join(labFolder, "outside.json");
      if (!existsSync(file)) return this.skip();
      watch = JSON.parse(readFileSync(file, "utf8")) as Watch;
      // A lab that was up before the watcher has no first up to watch.
      const early = watch.seen.some((s) => s.port === 80 && s.open > 0 && s.closedBefore === 0);
      if (early) this.skip();
    });

    it("THEN no port was open but those of the firewall table", () => {
      const opened = watch.seen.filter(({ open }) => open > 0);
      assert.deepEqual(
        opened
          .map(({ machine, port }) => `${machine.replace(/^.*-(?=server|agents)/, "")} ${port}`)
          .sort(),
        ["agents-0 80", "agents-1 80", "server 22"],
      );
    });

    it("THEN the site's first answer was the finished site, after a long wait", () => {
      const doors = watch.seen.filter(({ port, machine }) => port === 80 && /agents/.test(machine));
      assert.equal(doors.length, 2);
      for (const { closedBefore, answers } of doors) {
        assert.ok(closedBefore > 10, `probed ${closedBefore} times before it opened`);
        assert.deepEqual(
          answers.map(({ path: asked, status, kind }) => `${asked} ${status} ${kind}`).sort(),
          ["/ 200 site", "/wp-admin/install.php 403 closed"],
          JSON.stringify(answers),
        );
      }
    });
  });

  it("THEN it has the title and the address of the config, on every replica", async () => {
    const title = (await pulumi("config", "get", "siteTitle")).trim();
    const { siteUrl, siteUrls } = await outputs();
    assert.equal(siteUrl, siteUrls[0]);
    await everywhere(
      (marker) => `/?${marker}`,
      ({ status, body }) => {
        assert.equal(status, 200);
        assert.equal(plainText(/<title>([^<]*)<\/title>/.exec(body)?.[1] ?? ""), title);
        assert.ok(body.includes(`${siteUrl}/wp-includes/`));
      },
    );
  });

  it("THEN a login made through one balancer holds on every replica, through all balancers", async () => {
    const [first = ""] = await balancers();
    const cookie = await logIn(first);
    const { siteAdminUser } = await outputs();
    await everywhere(
      (marker) => `/wp-admin/profile.php?${marker}`,
      ({ status, body }) => {
        assert.equal(status, 200);
        assert.ok(body.includes(`value="${siteAdminUser}"`));
      },
      cookie,
    );
  });

  it("THEN a post has the same readable address on every replica", async () => {
    const permalink = await siteSql(
      "SELECT DATE_FORMAT(post_date, '/%Y/%m/%d/hello-world/') FROM wp_posts WHERE post_name = 'hello-world'",
    );
    await everywhere(
      (marker) => `${permalink}?${marker}`,
      ({ status, body }) => {
        assert.equal(status, 200);
        assert.match(body, /<title>Hello world!/);
      },
    );
  });

  it("THEN XML-RPC, the installer and the editor of files are closed", async () => {
    const call =
      "<?xml version='1.0'?><methodCall><methodName>system.listMethods</methodName></methodCall>";
    const [balancer = ""] = await balancers();
    assert.equal((await visit(balancer, "/xmlrpc.php", { body: call })).status, 403);
    assert.equal((await visit(balancer, "/wp-admin/install.php")).status, 403);
    assert.equal((await visit(balancer, "/wp-admin/install.php?step=2")).status, 403);
    assert.notEqual((await visit(balancer, "/wp-admin/setup-config.php")).status, 200);
    const cookie = await logIn(balancer);
    for (const editor of ["theme-editor.php", "plugin-editor.php"]) {
      assert.equal((await visit(balancer, `/wp-admin/${editor}`, { cookie })).status, 403, editor);
    }
  });

  it("THEN a directory shows its files to whoever knows their names, and no list", async () => {
    const name = `listed-${Date.now().toString(36)}.txt`;
    await inReplicas(`mkdir -p wp-content/uploads && echo here >wp-content/uploads/${name}`);
    try {
      await everywhere(
        (marker) => `/wp-content/uploads/${name}?${marker}`,
        ({ status, body }) => assert.deepEqual([status, body], [200, "here\n"]),
      );
      for (const folder of ["wp-content/uploads", "wp-includes", "wp-content/themes"]) {
        await everywhere(
          (marker) => `/${folder}/?${marker}`,
          ({ status, body }) => {
            assert.ok(status === 403 || body === "", `${folder}: ${status}`);
            assert.doesNotMatch(body, /Index of|listed-/);
          },
        );
      }
    } finally {
      await inReplicas(`rm -f wp-content/uploads/${name}`);
    }
  });

  it("THEN the site's user has its own database and no more, and root does not exist on the network", async () => {
    const grants = (await siteSql("SHOW GRANTS")).split("\n");
    assert.equal(grants.length, 2, grants.join("\n"));
    assert.match(grants[0] ?? "", /^GRANT USAGE ON \*\.\* TO `wordpress`@/);
    assert.match(grants[1] ?? "", /^GRANT ALL PRIVILEGES ON `wordpress`\.\* TO `wordpress`@/);
    const server = await serverMachine();
    const root = await onMachine(
      server.id,
      'docker exec site-db sh -c \'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql -h 127.0.0.1 -u root -e "SELECT 1" 2>&1 || true\'',
    );
    assert.match(root, /ERROR 1\d\d\d/);
  });

  it("THEN the installer ran once on the server's machine, and said no secret", async () => {
    const server = await serverMachine();
    const { siteAdminPassword } = await outputs();
    assert.equal(
      await onMachine(
        server.id,
        "docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' site-installer",
      ),
      "exited 0",
    );
    const log = await onMachine(server.id, "docker logs site-installer 2>&1");
    assert.match(log, /^(installed WordPress|WordPress \S+ is installed already)[^\n]*$/);
    assert.ok(!log.includes(siteAdminPassword));
  });

  describe("GIVEN the installer on tables of its own", () => {
    const prefix = "trial_";
    const sql = (statement: string) => siteSql(statement.replaceAll("$", prefix));
    const installed = /^0 installed WordPress \S+ with the administrator siteowner$/;

    after(async () => {
      const tables = await sql("SHOW TABLES LIKE '$%'");
      for (const table of tables.split("\n").filter((name) => name !== "")) {
        await sql(`DROP TABLE ${table}`);
      }
    });

    it("WHEN it runs a second time THEN it leaves the site alone", async () => {
      const environment = { WORDPRESS_TABLE_PREFIX: prefix };
      assert.match(await install(environment), installed);
      const posts = await sql("SELECT COUNT(*) FROM $posts");
      const other = { ...environment, SITE_TITLE: "Another", SITE_ADMIN_PASSWORD: "another" };
      assert.match(await install(other), /^0 WordPress \S+ is installed already$/);
      assert.equal(await sql("SELECT COUNT(*) FROM $posts"), posts);
      assert.doesNotMatch(await sql("SELECT option_value FROM $options"), /Another/);
    });

    for (const [moment, statements] of [
      ["after its tables", ["DELETE FROM $options", "DELETE FROM $users", "DELETE FROM $usermeta"]],
      ["before its administrator", ["DELETE FROM $users", "DELETE FROM $usermeta"]],
      ["before the administrator's rights", ["DELETE FROM $usermeta"]],
    ] as const) {
      it(`WHEN it was killed ${moment} THEN the next one finishes`, async () => {
        for (const statement of statements) await sql(statement);
        assert.match(await install({ WORDPRESS_TABLE_PREFIX: prefix }), installed);
        assert.equal(await sql("SELECT user_login FROM $users"), "siteowner");
        assert.match(
          await sql("SELECT meta_value FROM $usermeta WHERE meta_key = '$capabilities'"),
          /administrator/,
        );
      });
    }

    it("WHEN the tables are older or newer than the core THEN they are brought up, or left alone", async () => {
      const environment = { WORDPRESS_TABLE_PREFIX: prefix };
      const version = () => sql("SELECT option_value FROM $options WHERE option_name='db_version'");
      const set = (value: string) =>
        sql(`UPDATE $options SET option_value='${value}' WHERE option_name='db_version'`);
      const current = await version();
      await set("51917");
      const said = await install(environment);
      assert.ok(said.startsWith(`0 brought the tables from version 51917 to ${current}`), said);
      assert.equal(await version(), current);
      await set("999999");
      assert.match(await install(environment), /^0 the tables are of a newer WordPress/);
      assert.equal(await version(), "999999");
      await set(current);
    });

    it("WHEN the database refuses it THEN it fails, with the reason and no secret", async () => {
      const { siteAdminPassword } = await outputs();
      const said = await install({ WORDPRESS_DB_PASSWORD: "hunter2" });
      assert.match(said, /^1 WordPress stopped: .*database connection/i);
      assert.ok(!said.includes("hunter2") && !said.includes(siteAdminPassword));
      assert.equal(said.split("\n").length, 1, said);
    });
  });

  describe("WHEN the database is away for a minute", () => {
    it("THEN no replica is made anew, and the site is back with it", async () => {
      const server = await serverMachine();
      const { siteUrl } = await outputs();
      const health = () => page(`${siteUrl}/?rancher-cattle=health`);
      const running = async () => (await replicas()).map(({ container }) => container).sort();
      const before = await running();
      assert.deepEqual(await health(), { status: 200, body: "healthy\n" });
      await onMachine(server.id, "docker stop -t 30 site-db");
      try {
        const patient = { status: 200, body: "the database does not answer\n" };
        assert.deepEqual(await health(), patient);
        assert.equal((await page(siteUrl)).status, 500);
        await new Promise((resolve) => setTimeout(resolve, 60_000));
        assert.deepEqual(await health(), patient);
        assert.deepEqual(await running(), before);
        // Whoever has not reached it for long, or never, is not well.
        const reached = "/tmp/rancher-cattle-database-reached";
        await inReplicas(`touch -d "301 seconds ago" ${reached}`);
        assert.equal((await health()).status, 503);
        await inReplicas(`touch ${reached}`);
      } finally {
        await onMachine(server.id, "docker start site-db");
      }
      await eventually("the site is back", 30, async () =>
        (await page(siteUrl)).status === 200 ? true : undefined,
      );
      assert.deepEqual(await running(), before);
    });
  });
});
