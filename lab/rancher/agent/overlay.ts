/**
 * The network that spans all hosts: a Docker bridge network on each, joined by a VXLAN device whose
 * flood list names every other host. Its packets travel as UDP 4500 between the hosts' own addresses,
 * the port that the published agents' IPsec uses, so the same security-group rule opens or closes it.
 *
 * Docker's own rules do the rest: traffic within the bridge is accepted and keeps its source address,
 * traffic out of it is masqueraded, published ports are translated.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { DesiredNetwork } from "../protocol";
import type { Docker, NetworkInspect } from "./docker";
import { log, text } from "./log";
import { MANAGED_NETWORK } from "./spec";

const run = promisify(execFile);

/** Name of the bridge that Docker makes for {@link MANAGED_NETWORK}. */
export const BRIDGE = "rancher0";
/** Name of the tunnel device on the bridge. */
export const TUNNEL = "rvx0";
/** VXLAN network id. */
export const TUNNEL_ID = 1042;
/** UDP port of the tunnel. */
export const TUNNEL_PORT = 4500;

const FLOOD = "00:00:00:00:00:00";
/** How often the devices are looked at although nothing was announced. Milliseconds. */
const VERIFY_MS = 30_000;
const RETRY_MS = 2_000;

/** An entry of `bridge -j fdb show`. */
export interface FdbEntry {
  readonly mac: string;
  /** Remote host; entries of the bridge itself have none. */
  readonly dst?: string;
}

/** What to change in the forwarding table. */
export interface FdbChange {
  /** Addresses to append to the flood list. */
  readonly append: readonly string[];
  /** Entries to delete: flood entries and learnt ones of hosts that are not peers. */
  readonly remove: readonly { readonly mac: string; readonly dst: string }[];
}

/** Difference between the table and the wanted peers. */
export function fdbChange(entries: readonly FdbEntry[], peers: readonly string[]): FdbChange {
  const wanted = new Set(peers);
  const flooded = new Set(entries.filter((entry) => entry.mac === FLOOD).map((entry) => entry.dst));
  return {
    append: [...wanted].filter((peer) => !flooded.has(peer)),
    remove: entries.flatMap(({ mac, dst }) =>
      dst === undefined || wanted.has(dst) ? [] : [{ mac, dst }],
    ),
  };
}

/** Whether Docker's network is what the server wants on this host. */
export function networkMatches(network: NetworkInspect, want: DesiredNetwork): boolean {
  const config = network.IPAM.Config?.[0];
  return (
    config?.Subnet === want.subnet &&
    config.Gateway === want.gateway &&
    network.Options?.["com.docker.network.bridge.name"] === BRIDGE &&
    network.Options["com.docker.network.driver.mtu"] === String(want.mtu)
  );
}

/** Whether `ip -j -d link show` describes the wanted tunnel. */
export function tunnelMatches(link: unknown, mtu: number): boolean {
  const device = link as {
    mtu?: number;
    master?: string;
    flags?: string[];
    linkinfo?: { info_kind?: string; info_data?: { id?: number; port?: number } };
  };
  const vxlan = device.linkinfo?.info_data;
  return (
    device.mtu === mtu &&
    device.master === BRIDGE &&
    device.flags?.includes("UP") === true &&
    device.linkinfo?.info_kind === "vxlan" &&
    vxlan?.id === TUNNEL_ID &&
    vxlan.port === TUNNEL_PORT
  );
}

/** Keeps this host's part of the network as the server wants it. */
export class Overlay {
  /** Whether the last look found, or made, everything as wanted. */
  ready = false;
  /** Why it is not ready. */
  message: string | undefined = "the server has not described the network yet";

  private want: DesiredNetwork | undefined;
  private working = false;
  private again = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param onChange called when `ready` or `message` changes */
  constructor(
    private readonly docker: Docker,
    private readonly onChange: () => void,
  ) {}

  /** Before the server is heard: a network that an earlier agent left in order counts as ready. */
  async adopt(): Promise<void> {
    const network = await this.docker.network(MANAGED_NETWORK);
    const mtu = Number(network?.Options?.["com.docker.network.driver.mtu"] ?? 0);
    if (network !== undefined && tunnelMatches(await tunnelLink(), mtu)) this.tell(true, undefined);
  }

  /** Takes over what the server wants; undefined leaves everything as it is and stops looking after it. */
  set(want: DesiredNetwork | undefined): void {
    this.want = want;
    this.check();
  }

  /** Looks again now. */
  check(): void {
    if (this.working) {
      this.again = true;
      return;
    }
    this.working = true;
    clearTimeout(this.timer);
    void this.work().finally(() => {
      this.working = false;
      if (this.again) {
        this.again = false;
        this.check();
      } else if (this.want !== undefined) {
        this.timer = setTimeout(() => this.check(), this.ready ? VERIFY_MS : RETRY_MS);
      }
    });
  }

  private async work(): Promise<void> {
    const want = this.want;
    if (want === undefined) return;
    try {
      await this.ensureNetwork(want);
      await this.ensureTunnel(want.mtu);
      await this.ensurePeers(want.peers.map((peer) => peer.ip));
      this.tell(true, undefined);
    } catch (error) {
      this.tell(false, text(error));
    }
  }

  private tell(ready: boolean, message: string | undefined): void {
    if (this.ready === ready && this.message === message) return;
    this.ready = ready;
    this.message = message;
    log(ready ? "managed network is ready" : `managed network: ${message ?? ""}`);
    this.onChange();
  }

  private async ensureNetwork(want: DesiredNetwork): Promise<void> {
    const present = await this.docker.network(MANAGED_NETWORK);
    if (present !== undefined && networkMatches(present, want)) return;
    if (present !== undefined) {
      // Of an earlier registration. Its containers are unknown to the server and are being removed.
      const users = Object.values(present.Containers ?? {}).map((user) => user.Name);
      if (users.length > 0) {
        throw new Error(`an older ${MANAGED_NETWORK} is still used by ${users.join(", ")}`);
      }
      await deleteTunnel();
      await this.docker.removeNetwork(MANAGED_NETWORK);
    }
    await this.docker.createNetwork({
      Name: MANAGED_NETWORK,
      Driver: "bridge",
      CheckDuplicate: true,
      IPAM: { Config: [{ Subnet: want.subnet, Gateway: want.gateway }] },
      Options: {
        "com.docker.network.bridge.name": BRIDGE,
        "com.docker.network.driver.mtu": String(want.mtu),
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
      },
    });
    log(`made the network ${MANAGED_NETWORK} with gateway ${want.gateway}`);
  }

  private async ensureTunnel(mtu: number): Promise<void> {
    if (tunnelMatches(await tunnelLink(), mtu)) return;
    await deleteTunnel();
    // Learnt places of containers are forgotten soon: an address may come up on another host.
    await run("ip", [
      ...["link", "add", TUNNEL, "mtu", String(mtu), "type", "vxlan", "id", String(TUNNEL_ID)],
      ...["dstport", String(TUNNEL_PORT), "ageing", "30"],
    ]);
    await run("ip", ["link", "set", TUNNEL, "master", BRIDGE]);
    await run("ip", ["link", "set", TUNNEL, "up"]);
    log(`made the tunnel device ${TUNNEL}`);
  }

  private async ensurePeers(peers: readonly string[]): Promise<void> {
    const { stdout } = await run("bridge", ["-j", "fdb", "show", "dev", TUNNEL]);
    const change = fdbChange(JSON.parse(stdout.trim() === "" ? "[]" : stdout) as FdbEntry[], peers);
    for (const { mac, dst } of change.remove) {
      // A learnt entry may have aged out meanwhile.
      await run("bridge", ["fdb", "del", mac, "dev", TUNNEL, "dst", dst]).catch(
        (error: unknown) => {
          if (mac === FLOOD) throw error;
        },
      );
    }
    for (const peer of change.append) {
      await run("bridge", ["fdb", "append", FLOOD, "dev", TUNNEL, "dst", peer]);
    }
    const gone = change.remove.filter((entry) => entry.mac === FLOOD).map((entry) => entry.dst);
    if (change.append.length > 0) log(`tunnel: new peers ${change.append.join(", ")}`);
    if (gone.length > 0) log(`tunnel: removed peers ${gone.join(", ")}`);
  }
}

async function tunnelLink(): Promise<unknown> {
  try {
    const { stdout } = await run("ip", ["-j", "-d", "link", "show", TUNNEL]);
    return (JSON.parse(stdout) as unknown[])[0] ?? {};
  } catch {
    return {};
  }
}

async function deleteTunnel(): Promise<void> {
  await run("ip", ["link", "del", TUNNEL]).catch(() => undefined);
}
