/** What AWS asks for, as far as it is known here. Look a price up before you rely on it. */

/** Where a price was read. */
interface Source {
  readonly text: string;
  /** The day that the source, or whoever copied it, gives; `undated` when it gives none. */
  readonly date: string;
  /** False for what was written down from memory. None was read from an account's own bill. */
  readonly verified: boolean;
}

/** One price. */
export interface Price {
  readonly usd: number;
  readonly unit: "hour" | "GiB-month" | "month";
  readonly source: Source;
}

/** The region that the prices are for. How much others differ is not known here, so nothing is converted. */
export const priceRegion = "us-east-1";

/** Hours of a month, as AWS's own calculator has it. */
export const hoursAMonth = 730;

const agreeing: Source = {
  text: "price tables in several public repositories, which agree; one says April 2026",
  date: "2026-04",
  verified: true,
};
const memory: Source = { text: "from memory", date: "undated", verified: false };

const hourly = (usd: number, source: Source = agreeing): Price => ({ usd, unit: "hour", source });

/** Linux on demand, shared tenancy: every size of `config/instanceTypes.ts`. */
const instances: Readonly<Record<string, Price>> = {
  "t2.micro": hourly(0.0116),
  "t2.small": hourly(0.023),
  "t2.medium": hourly(0.0464),
  "t2.large": hourly(0.0928),
  "t2.xlarge": hourly(0.1856),
  "t2.2xlarge": hourly(0.3712),
  "t3.micro": hourly(0.0104),
  "t3.small": hourly(0.0208),
  "t3.medium": hourly(0.0416),
  "t3.large": hourly(0.0832),
  "t3.xlarge": hourly(0.1664),
  "t3.2xlarge": hourly(0.3328),
  "t3a.micro": hourly(0.0094),
  "t3a.small": hourly(0.0188),
  "t3a.medium": hourly(0.0376),
  "t3a.large": hourly(0.0752),
  "t3a.xlarge": hourly(0.1504),
  "t3a.2xlarge": hourly(0.3008),
  "m4.large": hourly(0.1, memory),
  "m4.xlarge": hourly(0.2, memory),
  "m4.2xlarge": hourly(0.4, memory),
  "m4.4xlarge": hourly(0.8, memory),
  "m5.large": hourly(0.096),
  "m5.xlarge": hourly(0.192),
  "m5.2xlarge": hourly(0.384),
  "m5.4xlarge": hourly(0.768),
  "m5a.large": hourly(0.086),
  "m5a.xlarge": hourly(0.172),
  "m5a.2xlarge": hourly(0.344),
  "m5a.4xlarge": hourly(0.688),
  "c5.large": hourly(0.085),
  "c5.xlarge": hourly(0.17),
  "c5.2xlarge": hourly(0.34),
  "c5.4xlarge": hourly(0.68),
  "r5.large": hourly(0.126),
  "r5.xlarge": hourly(0.252),
  "r5.2xlarge": hourly(0.504),
};

/** The price of an instance type by the hour; undefined when the table has none. */
export function instancePrice(type: string): Price | undefined {
  return Object.hasOwn(instances, type) ? instances[type] : undefined;
}

/** Everything else that a stack pays for by the month. */
export const prices = {
  /** A gp3 volume; 3000 IOPS and 125 MiB/s come with it. */
  disk: { usd: 0.08, unit: "GiB-month", source: agreeing },
  /** An EBS snapshot, standard tier, for the blocks that are not in the one before. */
  snapshot: { usd: 0.05, unit: "GiB-month", source: agreeing },
  /** EFS Standard. What is read and written is asked for on top. */
  files: {
    usd: 0.3,
    unit: "GiB-month",
    source: { text: "factualminds.com on EFS", date: "2026-06-13", verified: true },
  },
  /** A public IPv4 address, in use or not. */
  address: {
    usd: 0.005,
    unit: "hour",
    source: { text: "AWS news blog, from 1 February 2024", date: "2024-02-01", verified: true },
  },
  /** A network load balancer. What passes through it is asked for on top. */
  loadBalancer: {
    usd: 0.0225,
    unit: "hour",
    source: { text: "awsnegotiations.com", date: "2026-05", verified: true },
  },
  /** One of the first 25 hosted zones of an account. Questions are free inside the VPC. */
  zone: { usd: 0.5, unit: "month", source: memory },
} as const satisfies Record<string, Price>;

/** What a stack pays for and no estimate can know. */
export const notCounted: readonly string[] = [
  "traffic: $0.09 a GB to the internet, $0.01 a GB and direction between zones (leanopstech.com, 2026-04-27)",
  "what is read from the shared files ($0.03 a GB) and written to them ($0.06 a GB) (factualminds.com, 2026-06-13)",
  "CPU of t2, t3 and t3a hosts beyond what their size has credits for",
  "taxes, support, discounts and the free tier",
];
