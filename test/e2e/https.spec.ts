import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import * as path from "node:path";
import type { TLSSocket } from "node:tls";
import { makeCertificate, type SelfMade } from "../certificate";
import { eventually, onMachine, outputs, plannedSteps, pulumi, root, up } from "./lab";
import { MailSink } from "./mailSink";
import { accepts, agentMachines, replicas } from "./site";

const siteDomain = "blog.example.com";

/** What one request got. */
interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
  /** As the headers have them. */
  readonly cookies: readonly string[];
  /** SHA-256 of the certificate that was shown. */
  readonly fingerprint: string | undefined;
}

/** What a request carries. */
interface AskOptions {
  /** Asks by HTTPS and trusts this certificate alone. */
  readonly trust?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form, by POST. */
  readonly form?: Readonly<Record<string, string>>;
}

/** One request for the site's domain on a connection of its own, to one host. Follows nothing. */
async function ask(host: string, asked: string, options: AskOptions = {}): Promise<Answer> {
  const { trust, form } = options;
  const body = form && new URLSearchParams({ ...form }).toString();
  const headers = {
    host: siteDomain,
    ...options.headers,
    ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
  };
  const method = body === undefined ? "GET" : "POST";
  const common: RequestOptions = {
    host,
    path: asked,
    method,
    headers,
    agent: false,
    timeout: 10_000,
  };
  return new Promise((resolve, reject) => {
    const sent =
      trust === undefined
        ? httpRequest(common)
        : httpsRequest({ ...common, servername: siteDomain, ca: trust });
    sent.once("timeout", () => sent.destroy(new Error(`${host}${asked} took too long`)));
    sent.once("error", reject);
    sent.once("response", (answer) => {
      const chunks: Buffer[] = [];
      const { socket } = answer;
      const shown = trust && (socket as TLSSocket).getPeerCertificate().fingerprint256;
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          location: answer.headers.location,
          body: Buffer.concat(chunks).toString(),
          cookies: answer.headers["set-cookie"] ?? [],
          fingerprint: shown,
        }),
      );
    });
    sent.end(body);
  });
}

/** `config set` with the value from standard input, as from a file. */
async function configure(key: string, value: string, ...flags: string[]): Promise<void> {
  const args = ["config", "set", key, ...flags];
  const cli = spawn(path.join(root, "lab/pulumi"), args, { stdio: ["pipe", "ignore", "inherit"] });
  cli.stdin.end(value);
  const code = await new Promise((resolve) => cli.once("exit", resolve));
  assert.equal(code, 0, key);
}

async function configureCertificate({ certificate, key }: SelfMade): Promise<void> {
  await configure("siteCertificate", certificate);
  await configure("siteCertificateKey", key, "--secret");
}

/** Public addresses of the load balancers. */
async function balancers(): Promise<string[]> {
  return (await outputs()).agentHosts.map(({ address }) => address);
}

/** The load balancers' containers, by host. */
async function balancerContainers(): Promise<string[]> {
  const list = "docker ps --format '{{.ID}} {{.Image}}' | grep lb-service-haproxy";
  return Promise.all((await agentMachines()).map(({ id }) => onMachine(id, list)));
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Runs PHP in a replica as the web server's user. */
async function php(code: string, ...flags: string[]): Promise<string> {
  const [replica] = await replicas();
  assert.ok(replica !== undefined);
  const command = `docker exec -i -u www-data ${flags.join(" ")} ${replica.container} php`;
  return onMachine(replica.machine.id, `echo ${base64(`<?php ${code}`)} | base64 -d | ${command}`);
}

/** What a visitor may say of itself, all of it untrue. */
const lies = {
  forwarded: "for=198.51.100.9;proto=https",
  "x-forwarded-for": "198.51.100.9",
  "x-forwarded-host": "evil.example.com",
  "x-forwarded-port": "444",
};

/** GIVEN a lab on which `up` has run; leaves it as it found it. */
describe("the site with a certificate", function () {
  this.timeout("10m");
  this.bail(true);

  const uploads = "/var/www/html/wp-content/uploads";
  const probe = `probe-${Date.now().toString(36)}.php`;

  /** What PHP hears of a visitor. */
  const heard = async (host: string, options: AskOptions) => {
    const { status, body } = await ask(host, `/wp-content/uploads/${probe}`, options);
    assert.equal(status, 200);
    return JSON.parse(body) as Record<string, string | undefined>;
  };

  let own: SelfMade;
  let sink: MailSink;
  let urlBefore: string;

  before(async () => {
    urlBefore = (await outputs()).siteUrl;
    const code = "<?php echo json_encode($_SERVER);";
    await php(`@mkdir('${uploads}'); file_put_contents('${uploads}/${probe}', '${code}');`);
    own = makeCertificate([`DNS:${siteDomain}`]);
  });

  after(async () => {
    sink?.stop();
    await php(`unlink('${uploads}/${probe}');`);
  });

  it("GIVEN none yet WHEN a visitor lies about itself THEN WordPress does not hear it", async () => {
    for (const host of await balancers()) {
      for (const proto of ["x-forwarded-proto", "x_forwarded_proto"]) {
        const server = await heard(host, { headers: { ...lies, [proto]: "https" } });
        assert.equal(server["HTTP_X_FORWARDED_PROTO"], undefined, proto);
        assert.equal(server["HTTPS"], undefined);
        assert.equal(server["HTTP_FORWARDED"], undefined);
        assert.equal(server["HTTP_X_FORWARDED_HOST"], undefined);
        assert.equal(server["HTTP_X_FORWARDED_PORT"], "80");
        assert.notEqual(server["REMOTE_ADDR"], lies["x-forwarded-for"]);
      }
      assert.equal(await accepts(host, 443), false);
    }
  });

  it("WHEN one is set, and a mail server THEN both come with the same up", async () => {
    const gateway = (await pulumi("config", "get", "--path", "adminCidrs[0]")).split("/")[0] ?? "";
    const mailCertificate = makeCertificate([`IP:${gateway}`]);
    sink = await MailSink.start(mailCertificate);
    await pulumi("config", "set", "siteDomain", siteDomain);
    await configureCertificate(own);
    await pulumi("config", "set", "smtpHost", gateway);
    await pulumi("config", "set", "smtpPort", String(sink.port));
    await pulumi("config", "set", "smtpUser", "site");
    await configure("smtpPassword", "sesame and more", "--secret");
    await pulumi("config", "set", "smtpFrom", `site@${siteDomain}`);
    await up();
    assert.equal((await outputs()).siteUrl, `https://${siteDomain}`);
    const state = await pulumi("stack", "export");
    assert.ok(!state.includes("sesame and more") && !state.includes(own.key.slice(40, 80)));

    const trusted = "/tmp/mail.pem";
    await php(`file_put_contents('${trusted}', '${mailCertificate.certificate}');`);
    const { siteAdminUser } = await outputs();
    // As a plugin does that has its own idea of the sender.
    const code = `require '/var/www/html/wp-load.php';
      add_filter('wp_mail_from', fn () => 'somebody@example.org');
      $sent = retrieve_password('${siteAdminUser}');
      echo $sent === true ? 'sent' : $sent->get_error_code();`;
    // A server that nobody vouches for gets neither the mail nor the password.
    assert.equal(await php(code), "retrieve_password_email_failure");
    assert.equal(sink.received.length, 0);
    assert.equal(await php(code, "-e", `SSL_CERT_FILE=${trusted}`), "sent");
    assert.deepEqual(
      sink.received.map(({ login, sender }) => [login, sender]),
      [["site:sesame and more", `site@${siteDomain}`]],
    );
    const [mail] = sink.received;
    assert.match(mail?.text ?? "", new RegExp(`^From: .*<site@${siteDomain}>`, "m"));
    const words = /^(EHLO .*|STARTTLS)$/;
    assert.ok(sink.clear.length > 0 && sink.clear.every((line) => words.test(line)));
  });

  it("THEN every agent host answers by HTTPS, with it", async () => {
    const { fingerprint256 } = new X509Certificate(own.certificate);
    for (const host of await balancers()) {
      const { status, body, fingerprint } = await ask(host, "/", { trust: own.certificate });
      assert.deepEqual([status, fingerprint], [200, fingerprint256]);
      assert.ok(body.includes(`https://${siteDomain}/wp-includes/`));
      assert.ok(!body.includes(`http://${siteDomain}`));
    }
  });

  it("THEN whoever comes by HTTP is sent to the same page there, whatever they say", async () => {
    for (const host of await balancers()) {
      const others: Record<string, string>[] = [
        {},
        { "x-forwarded-proto": "https" },
        { host: "evil.example.com" },
      ];
      for (const headers of others) {
        const { status, location } = await ask(host, "/some/page/?a=1&b=2", { headers });
        assert.deepEqual([status, location], [301, `https://${siteDomain}/some/page/?a=1&b=2`]);
      }
    }
  });

  it("WHEN a visitor by HTTPS lies about itself THEN WordPress does not hear it", async () => {
    for (const host of await balancers()) {
      const headers = { ...lies, "x-forwarded-proto": "http" };
      const server = await heard(host, { trust: own.certificate, headers });
      assert.equal(server["HTTP_X_FORWARDED_PROTO"], "https");
      assert.equal(server["HTTP_X_FORWARDED_PORT"], "443");
      assert.equal(server["HTTP_FORWARDED"], undefined);
      assert.equal(server["HTTP_X_FORWARDED_HOST"], undefined);
      assert.notEqual(server["REMOTE_ADDR"], lies["x-forwarded-for"]);
    }
  });

  it("THEN a login has cookies for HTTPS alone, and holds on every host", async () => {
    const [first = "", ...others] = await balancers();
    const { siteAdminUser: log, siteAdminPassword: pwd } = await outputs();
    const { status, cookies, location } = await ask(first, "/wp-login.php", {
      trust: own.certificate,
      headers: { cookie: "wordpress_test_cookie=WP%20Cookie%20check" },
      form: { log, pwd, testcookie: "1" },
    });
    assert.equal(status, 302);
    assert.match(location ?? "", new RegExp(`^https://${siteDomain}/wp-admin/`));
    const sessions = cookies.filter((line) => /^wordpress_(sec|logged_in)_/.test(line));
    assert.ok(
      sessions.some((line) => line.startsWith("wordpress_logged_in_")),
      cookies.join("\n"),
    );
    for (const line of sessions) {
      assert.match(line, /; secure/i);
      assert.match(line, /; HttpOnly/i);
    }
    const cookie = cookies.map((line) => line.split(";")[0]).join("; ");
    for (const host of [first, ...others]) {
      const profile = "/wp-admin/profile.php";
      const answer = await ask(host, profile, { trust: own.certificate, headers: { cookie } });
      assert.equal(answer.status, 200);
      assert.ok(answer.body.includes(`value="${log}"`));
    }
  });

  it("WHEN it is renewed THEN visitors get the new one, without a new container or a lost request", async () => {
    const renewed = makeCertificate([`DNS:${siteDomain}`]);
    const before = await balancerContainers();
    await configureCertificate(renewed);
    assert.deepEqual((await plannedSteps()).map(({ op, name }) => `${op} ${name}`).sort(), [
      "update wordpress-balancer",
      "update wordpress-certificate",
    ]);

    const hosts = await balancers();
    const trust = own.certificate + renewed.certificate;
    const failures: string[] = [];
    let [isDone, sent] = [false, 0];
    const visitors = hosts.map(async (host) => {
      while (!isDone) {
        sent++;
        try {
          const { status } = await ask(host, "/", { trust });
          if (status !== 200) failures.push(`${host}: status ${status}`);
        } catch (error) {
          failures.push(`${host}: ${(error as Error).message}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });
    await pulumi("up", "--yes", "--skip-preview").finally(() => (isDone = true));
    await Promise.all(visitors);
    console.log(`      ${sent} requests, ${failures.length} failed`);
    assert.ok(sent > 10);
    assert.deepEqual(failures, []);

    const { fingerprint256 } = new X509Certificate(renewed.certificate);
    for (const host of hosts) {
      await eventually(`${host} shows the new one`, 20, async () => {
        const { fingerprint } = await ask(host, "/", { trust });
        return fingerprint === fingerprint256 ? true : undefined;
      });
    }
    assert.deepEqual(await balancerContainers(), before);
    await pulumi("preview", "--refresh", "--expect-no-changes");
  });

  it("WHEN it is taken away THEN the site is back to HTTP, in the same containers", async () => {
    const before = await balancerContainers();
    for (const key of [
      ...["siteDomain", "siteCertificate", "siteCertificateKey"],
      ...["smtpHost", "smtpPort", "smtpUser", "smtpPassword", "smtpFrom"],
    ]) {
      await pulumi("config", "rm", key);
    }
    await up();
    assert.equal((await outputs()).siteUrl, urlBefore);
    for (const host of await balancers()) {
      const { status, body } = await ask(host, "/", { headers: { host: new URL(urlBefore).host } });
      assert.equal(status, 200);
      assert.ok(!body.includes("https://" + siteDomain));
      assert.equal(await accepts(host, 443), false);
    }
    assert.deepEqual(await balancerContainers(), before);
  });
});
