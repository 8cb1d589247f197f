/**
 * Address ranges that nothing else on this machine uses. One number N is picked per lab, and gives it
 * 10.N.0.0/16 for its VPC, 10.231.N.0/24 for public addresses, and two /24 for its own engine.
 */
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { run } from "./processes";

/** N goes from 100 to 199: clear of 10.42/16 (Rancher) and of the low ranges people use at home. */
const FIRST = 100;
const COUNT = 100;

const RESERVATIONS = "/run/rancher-cattle/ranges";

/** An IPv4 range as first and last address. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Reads `a.b.c.d/len` or a plain address. */
export function parseRange(cidr: string): Range {
  const [address = "", length = "32"] = cidr.split("/");
  if (!net.isIPv4(address)) throw new Error(`"${cidr}" is not an IPv4 range`);
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}

/** True when two ranges share an address. */
export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The ranges that number N stands for. */
export function rangesOf(n: number) {
  return {
    vpcCidr: `10.${n}.0.0/16`,
    internetCidr: `10.231.${n}.0/24`,
    internetGateway: `10.231.${n}.1`,
    /** The default bridge of the lab's own engine, as its address. */
    engineBridge: `10.232.${n}.1/24`,
    /** Networks that are made without a range on the lab's own engine. */
    enginePool: `10.233.${n}.0/24`,
  };
}

/** Picks N: the first from `start` on whose ranges overlap none of `used` and that `reserve` accepts. */
export function pickNumber(
  start: number,
  used: readonly Range[],
  reserve: (n: number) => boolean,
): number {
  for (let i = 0; i < COUNT; i++) {
    const n = FIRST + ((start + i) % COUNT);
    const ours = [...Object.values(rangesOf(n))].map(parseRange);
    if (!ours.some((range) => used.some((other) => overlap(range, other))) && reserve(n)) return n;
  }
  throw new Error("no free address range between 10.100.0.0/16 and 10.199.0.0/16 on this machine");
}

/** Ranges that this machine has routes to, read from `ip -4 route`. The default route is no range. */
export function routedRanges(routes: string): Range[] {
  return routes
    .split("\n")
    .map((line) => line.trim().split(" ")[0] ?? "")
    .filter((target) => /^[0-9.]+(\/[0-9]+)?$/.test(target))
    .map(parseRange);
}

/** Picks and reserves a number for the lab `id` in folder `dir`. A reservation of a lab that is gone is taken over. */
export async function reserveRanges(id: string, dir: string): Promise<ReturnType<typeof rangesOf>> {
  const used = routedRanges(await run("ip", ["-4", "route"]));
  const start = Number.parseInt(id.slice(0, 4), 16) % COUNT;
  return rangesOf(pickNumber(start, used, (n) => reserve(n, dir)));
}

/**
 * Reserves again what `env.json` says, since reservations do not outlive a reboot.
 * @throws when another lab has taken it since.
 */
export function keepReservation(internetGateway: string, dir: string): void {
  const n = Number(internetGateway.split(".")[2]);
  if (reserve(n, dir)) return;
  const owner = fs.readFileSync(path.join(RESERVATIONS, String(n)), "utf8");
  throw new Error(
    `the lab in ${owner} has taken this lab's address ranges since it last ran; run make lab-down, then make lab`,
  );
}

/** Gives back every reservation of a lab. */
export function releaseRanges(dir: string): void {
  if (!fs.existsSync(RESERVATIONS)) return;
  for (const name of fs.readdirSync(RESERVATIONS)) {
    const file = path.join(RESERVATIONS, name);
    if (fs.readFileSync(file, "utf8") === dir) fs.rmSync(file);
  }
  // The last lab of the machine takes the empty folders along.
  for (const folder of [RESERVATIONS, path.dirname(RESERVATIONS)]) {
    if (fs.existsSync(folder) && fs.readdirSync(folder).length === 0) fs.rmdirSync(folder);
  }
}

function reserve(n: number, dir: string): boolean {
  fs.mkdirSync(RESERVATIONS, { recursive: true });
  const file = path.join(RESERVATIONS, String(n));
  try {
    fs.writeFileSync(file, dir, { flag: "wx" });
    return true;
  } catch {
    const owner = fs.readFileSync(file, "utf8");
    if (owner !== dir && fs.existsSync(owner)) return false;
    fs.writeFileSync(file, dir);
    return true;
  }
}

/**
 * A TCP port on 127.0.0.1 that nobody listens on right now.
 * @param wanted returned if it is such a one. Default: any.
 */
export async function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", (error) => (wanted === 0 ? reject(error) : resolve(freePort())));
    server.listen(wanted, "127.0.0.1", () => {
      const port = (server.address() as net.AddressInfo).port;
      server.close(() => resolve(port));
    });
  });
}
