/** What a stack costs in a month, by what it is made of. */
import type { Settings } from "../../config/settings";
import { hoursAMonth, instancePrice, type Price, priceRegion, prices } from "./prices";

/** Sizes that the program gives; a test holds them to it. */
export const sizes = {
  /** Root disk of every host. */
  rootDiskGiB: 16,
  /** The databases' disk. */
  dataDiskGiB: 20,
} as const;

/** What is not in a stack's configuration and has to be guessed. */
export interface Assumptions {
  /** What is in the shared files. */
  readonly filesGiB: number;
  /** Share of the databases' disk that changes in a day, for snapshots. */
  readonly changedADay: number;
}

/** A young site. */
export const ordinary: Assumptions = { filesGiB: 5, changedADay: 0.05 };

/** One kind of thing that is paid for. */
export interface Item {
  /** Stays the same for the same thing, so that two estimates can be compared. */
  readonly id: string;
  readonly label: string;
  /** How many, and of what. */
  readonly quantity: string;
  /** A month's price, rounded to the cent; undefined when the table has none. */
  readonly usd: number | undefined;
  /** Whether the price was read somewhere, and not written down from memory. */
  readonly verified: boolean;
}

/** A stack's month. */
export interface Estimate {
  readonly region: string;
  /** Whose prices these are. */
  readonly priceRegion: string;
  readonly items: readonly Item[];
  /** The sum of what is known. */
  readonly totalUsd: number;
  /** Labels of what has no price in the table, so that the total is too low. */
  readonly unpriced: readonly string[];
  /** What was guessed, in words. */
  readonly assumed: readonly string[];
}

/** A sum of dollars, to the cent. */
export function cents(usd: number): number {
  return Math.round(usd * 100) / 100;
}

function item(
  id: string,
  label: string,
  quantity: string,
  count: number,
  price: Price | undefined,
): Item {
  const months = price?.unit === "hour" ? hoursAMonth : 1;
  const usd = price === undefined ? undefined : cents(count * months * price.usd);
  return { id, label, quantity, usd, verified: price?.source.verified ?? false };
}

/** How many GiB the snapshots of a disk hold: the first one all of it, every later one what has changed. */
function snapshotGiB(days: number, changedADay: number): number {
  return sizes.dataDiskGiB * (1 + changedADay * Math.max(0, days - 1));
}

/** Estimates a month of a stack with these settings. */
export function estimate(settings: Settings, assumptions: Assumptions = ordinary): Estimate {
  const { agentCount: agents, serverInstanceType, agentInstanceType, region } = settings;
  const { siteEntry, snapshotDays: days } = settings;
  const hosts = agents + 1;
  const { rootDiskGiB, dataDiskGiB } = sizes;
  const { filesGiB, changedADay } = assumptions;
  const kept = snapshotGiB(days, changedADay);

  const items = [
    item(
      "server",
      "server host",
      `1 × ${serverInstanceType}`,
      1,
      instancePrice(serverInstanceType),
    ),
    item(
      "agents",
      "agent hosts",
      `${agents} × ${agentInstanceType}`,
      agents,
      instancePrice(agentInstanceType),
    ),
    item("roots", "root disks", `${hosts} × ${rootDiskGiB} GiB`, hosts * rootDiskGiB, prices.disk),
    item("data", "databases' disk", `${dataDiskGiB} GiB`, dataDiskGiB, prices.disk),
    item("addresses", "public addresses", `${hosts} × IPv4`, hosts, prices.address),
    item("files", "shared files", `${filesGiB} GiB, assumed`, filesGiB, prices.files),
    item("zone", "hosted zone", "1", 1, prices.zone),
    ...(days > 0
      ? [
          item("snapshots", "snapshots", `${cents(kept)} GiB, assumed`, kept, prices.snapshot),
          // AWS Backup has a price of its own for them, which is not in the table.
          item("file-backups", "backups of the shared files", `${days} days`, 0, undefined),
        ]
      : []),
    ...(siteEntry === "networkLoadBalancer"
      ? [
          item("entry", "network load balancer", "1", 1, prices.loadBalancer),
          // One in each of the network's two zones.
          item("entry-addresses", "its public addresses", "2 × IPv4", 2, prices.address),
        ]
      : []),
  ];
  return {
    region,
    priceRegion,
    items,
    totalUsd: cents(items.reduce((sum, { usd }) => sum + (usd ?? 0), 0)),
    unpriced: items.flatMap(({ usd, label, quantity }) =>
      usd === undefined ? [`${label} (${quantity})`] : [],
    ),
    assumed: [
      `${filesGiB} GiB of shared files`,
      ...(days > 0
        ? [`${days} daily snapshots, of which each holds ${changedADay * 100} % of the disk anew`]
        : []),
    ],
  };
}

/** One line of a comparison; undefined where only one side has it. */
export interface Change {
  readonly id: string;
  readonly label: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/** What differs between two estimates, in the order of the later one. */
export function changes(before: Estimate, after: Estimate): readonly Change[] {
  const find = (from: Estimate, id: string) => from.items.find((one) => one.id === id);
  const gone = before.items.filter(({ id }) => find(after, id) === undefined);
  return [...after.items, ...gone].flatMap(({ id, label }) => {
    const [old, now] = [find(before, id), find(after, id)];
    const same = old?.usd === now?.usd && old?.quantity === now?.quantity;
    return same ? [] : [{ id, label, before: old, after: now }];
  });
}
