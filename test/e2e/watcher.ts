import { DescribeInstancesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import type { LabEnv } from "../../lab/env";
import { accepts } from "./site";

/** Ports that something of ours, of Rancher's or of Docker's might answer on. */
const ports = [22, 42, 80, 443, 2375, 2376, 3306, 8080, 8081, 9345] as const;

/** Between two looks at a port. */
const everyMillis = 300;

/** What `GET` of a path said, shortened to what a test must know. */
export interface Answer {
  readonly path: string;
  readonly status: number;
  readonly kind: "site" | "closed" | "installer" | "rancher" | "error";
  readonly body: string;
}

/** Everything that was seen of one port of one machine. */
export interface Seen {
  /** The machine's name tag. */
  readonly machine: string;
  readonly port: number;
  /** Connections that were refused or ignored before the first that was accepted. */
  closedBefore: number;
  /** Connections that were accepted. */
  open: number;
  /** Different answers to HTTP, each with the first time it was seen, in milliseconds since the start. */
  readonly answers: (Answer & { readonly at: number })[];
}

/** The watcher's whole memory, as it is written down when it stops. */
export interface Watch {
  readonly rounds: number;
  readonly seen: readonly Seen[];
}

/**
 * What kind of page it is that a stranger got.
 *
 * @param location the header of a redirect, or an empty text
 * @param headers names of all headers
 */
export function kindOf(
  status: number,
  location: string,
  headers: string,
  body: string,
): Answer["kind"] {
  const isSetup = /install\.php|setup-config\.php/.test(location);
  if (isSetup || /<form[^>]*(id="setup"|step=)|wp-admin\/install\.php/.test(body)) {
    return "installer";
  }
  if (/x-api-schemas/.test(headers) || /"\/v\d(-beta)?"|rancher/i.test(body)) return "rancher";
  if (status === 403) return "closed";
  return status >= 200 && status < 400 ? "site" : "error";
}

function ask(host: string, port: number, path: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host, port, path, timeout: 10_000 }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
      response.on("error", () => resolve(undefined));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        const names = Object.keys(headers).join(" ");
        const kind = kindOf(status, headers.location ?? "", names, body);
        resolve({ path, status, kind, body: kind === "site" ? "" : body.slice(0, 200) });
      });
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve(undefined));
    asked.end();
  });
}

/** Public addresses of the account's machines with their name tags. */
async function machinesOf(ec2: EC2Client): Promise<Map<string, string>> {
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
  const pairs = Reservations.flatMap(({ Instances = [] }) => Instances).flatMap(
    ({ PublicIpAddress: address, Tags = [] }): [string, string][] =>
      address === undefined
        ? []
        : [[address, Tags.find(({ Key }) => Key === "Name")?.Value ?? address]],
  );
  return new Map(pairs);
}

/**
 * Looks at every machine of a lab from outside, several times a second, as a stranger would who knows
 * all addresses and waits for a door that is open too early. Start it before the first `up`.
 *
 * @returns the way to stop it, which writes its {@link Watch} to the file
 */
export function watchOutside(env: LabEnv, file: string): () => Promise<void> {
  const ec2 = new EC2Client({
    endpoint: env.cloudUrl,
    region: env.region,
    credentials: { accessKeyId: "watcher", secretAccessKey: "watcher" },
  });
  const start = Date.now();
  const seen = new Map<string, Seen>();
  let rounds = 0;
  let stopped = false;

  const note = ({ answers }: Seen, answer: Answer | undefined) => {
    if (answer === undefined) return;
    const known = answers.some(
      ({ path, status, kind }) =>
        path === answer.path && status === answer.status && kind === answer.kind,
    );
    if (!known) answers.push({ ...answer, at: Date.now() - start });
  };
  const look = async (address: string, machine: string, port: number) => {
    const key = `${machine} ${port}`;
    const entry = seen.get(key) ?? { machine, port, closedBefore: 0, open: 0, answers: [] };
    seen.set(key, entry);
    if (!(await accepts(address, port))) {
      if (entry.open === 0) entry.closedBefore++;
      return;
    }
    entry.open++;
    if (port === 22) return;
    note(entry, await ask(address, port, "/"));
    note(entry, await ask(address, port, "/wp-admin/install.php"));
  };
  let machines = new Map<string, string>();
  const pause = () => new Promise((resolve) => setTimeout(resolve, everyMillis));
  const listing = (async () => {
    while (!stopped) {
      // The emulator may be busy or not there yet; what it does not list has no address.
      machines = await machinesOf(ec2).catch(() => machines);
      await pause();
    }
  })();
  // A round does not wait for the one before: a packet that is dropped is waited for a second long.
  const looks = new Set<Promise<void>>();
  const watching = (async () => {
    while (!stopped) {
      for (const [address, machine] of machines) {
        for (const port of ports) {
          const one: Promise<void> = look(address, machine, port).finally(() => looks.delete(one));
          looks.add(one);
        }
      }
      rounds++;
      await pause();
    }
  })();

  return async () => {
    stopped = true;
    await Promise.all([listing, watching]);
    await Promise.all(looks);
    ec2.destroy();
    writeFileSync(file, JSON.stringify({ rounds, seen: [...seen.values()] } satisfies Watch));
  };
}
