import { request } from "node:http";
import { outputs } from "./lab";

let siteHost: Promise<string> | undefined;

/** The host of the site's own address, which stays for the life of a stack. */
function hostOfSite(): Promise<string> {
  siteHost ??= outputs().then(({ siteUrl }) => new URL(siteUrl).host);
  return siteHost;
}

/** What one request got. */
export interface Visited {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
  /** Cookies to send next time, as the header has them. */
  readonly cookie: string;
}

/** What a request carries. */
export interface VisitOptions {
  readonly cookie?: string;
  /** Sent as a form, by POST. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as it is, by POST. */
  readonly body?: string;
}

/**
 * One request for the site's own address, sent to the load balancer of one agent host as if the name
 * led there. Follows nothing.
 */
export async function visit(
  balancer: string,
  path: string,
  options: VisitOptions = {},
): Promise<Visited> {
  const host = await hostOfSite();
  const form = options.form && new URLSearchParams({ ...options.form }).toString();
  const body = form ?? options.body;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: balancer,
        path,
        method: body === undefined ? "GET" : "POST",
        timeout: 20_000,
        headers: {
          host,
          ...(options.cookie === undefined ? {} : { cookie: options.cookie }),
          ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            location: answer.headers.location,
            body: Buffer.concat(chunks).toString(),
            cookie: (answer.headers["set-cookie"] ?? [])
              .map((line) => line.split(";")[0])
              .join("; "),
          }),
        );
      },
    );
    asked.once("timeout", () => asked.destroy(new Error(`${balancer}${path} took too long`)));
    asked.once("error", reject);
    asked.end(body);
  });
}

/** Logs the administrator in through one load balancer; the cookies. */
export async function logIn(balancer: string): Promise<string> {
  const { siteAdminUser: log, siteAdminPassword: pwd } = await outputs();
  const { status, cookie, body } = await visit(balancer, "/wp-login.php", {
    cookie: "wordpress_test_cookie=WP%20Cookie%20check",
    form: { log, pwd, testcookie: "1" },
  });
  if (status !== 302 || !cookie.includes("wordpress_logged_in_")) {
    const complaint = /id="login_error">([^]*?)<\/div>/.exec(body)?.[1] ?? "";
    throw new Error(`the login was answered with ${status}: ${complaint.trim()}`);
  }
  return cookie;
}
