/** One size of an instance family. */
export interface InstanceSize {
  readonly vcpus: number;
  readonly memoryGiB: number;
}

/** The sizes of one instance family, by what stands behind the dot. */
type InstanceFamily = Readonly<Record<string, InstanceSize>>;

const burstable = {
  micro: { vcpus: 2, memoryGiB: 1 },
  small: { vcpus: 2, memoryGiB: 2 },
  medium: { vcpus: 2, memoryGiB: 4 },
  large: { vcpus: 2, memoryGiB: 8 },
  xlarge: { vcpus: 4, memoryGiB: 16 },
  "2xlarge": { vcpus: 8, memoryGiB: 32 },
} as const;

const general = {
  large: { vcpus: 2, memoryGiB: 8 },
  xlarge: { vcpus: 4, memoryGiB: 16 },
  "2xlarge": { vcpus: 8, memoryGiB: 32 },
  "4xlarge": { vcpus: 16, memoryGiB: 64 },
} as const;

/**
 * Families that RancherOS 1.5.8 is known to boot on, x86-64 all of them. It knows the name of an
 * NVMe root disk only for types that begin with c5, m5, r5, t3 and z1d (rancher/os at v1.5.8,
 * pkg/netconf and config/cloudinit), and its kernel's ENA driver is too old for the sixth
 * generation. Sizes are AWS's.
 */
const families = {
  t2: {
    ...burstable,
    micro: { vcpus: 1, memoryGiB: 1 },
    small: { vcpus: 1, memoryGiB: 2 },
  },
  t3: burstable,
  t3a: burstable,
  m4: general,
  m5: general,
  m5a: general,
  c5: {
    large: { vcpus: 2, memoryGiB: 4 },
    xlarge: { vcpus: 4, memoryGiB: 8 },
    "2xlarge": { vcpus: 8, memoryGiB: 16 },
    "4xlarge": { vcpus: 16, memoryGiB: 32 },
  },
  r5: {
    large: { vcpus: 2, memoryGiB: 16 },
    xlarge: { vcpus: 4, memoryGiB: 32 },
    "2xlarge": { vcpus: 8, memoryGiB: 64 },
  },
} as const satisfies Record<string, InstanceFamily>;

/** Names of the families in the table, sorted. */
export const instanceFamilies = Object.keys(families).sort() as readonly string[];

/** Graviton families carry a `g` after their generation; a1 is the exception. */
const armFamily = /^(a1|[a-z]+\d+[a-z]*g[a-z]*)$/;

/** Looks an instance type up; a text says why RancherOS cannot run on it. */
export function findInstanceType(name: string): InstanceSize | string {
  const [family = "", size = "", ...rest] = name.split(".");
  if (rest.length > 0 || !/^[a-z0-9-]+$/.test(family) || size === "") {
    return "is not the name of an instance type";
  }
  if (armFamily.test(family)) return "has an arm64 processor, and RancherOS is x86-64 only";
  const known: InstanceFamily | undefined = Object.hasOwn(families, family)
    ? families[family as keyof typeof families]
    : undefined;
  if (known === undefined)
    return "is of a family whose disks and network RancherOS 1.5.8 does not know";
  const found = known[size];
  return found ?? `is not one of the sizes ${Object.keys(known).join(", ")} of ${family}`;
}

/**
 * Families of the table that a region never had. Source: the pull request 106 of
 * aws-quickstart/quickstart-linux-bastion, whose authors met it. Single zones lack more.
 */
const absent: Readonly<Record<string, readonly string[]>> = { "eu-north-1": ["m4", "t2"] };

/** True when a region is known to have none of an instance type's family. */
export function isAbsent(instanceType: string, region: string): boolean {
  return absent[region]?.includes(instanceType.split(".")[0] ?? "") ?? false;
}

/** Families of the table with Xen's network card; all others need an image with the ENA driver. */
const withoutEna = ["t2", "m4"];

/** True when an instance type has no other network card than ENA (EC2 user guide, enhanced networking). */
export function needsEna(instanceType: string): boolean {
  return !withoutEna.includes(instanceType.split(".")[0] ?? "");
}

/** Least memory in GiB of an agent host: RancherOS needs 1, Rancher's infrastructure and a site the rest. */
export const leastAgentMemoryGiB = 2;

/** Least memory in GiB of the server host: two databases, a Java heap and RancherOS. */
export const leastServerMemoryGiB = 4;

/** How the memory of the server host is shared out. All figures in MiB. */
export interface MemoryPlan {
  /** `-Xmx` of Rancher's server. Rancher's own rule of thumb ends at 4 GiB. */
  readonly rancherHeapMiB: number;
  /** InnoDB buffer pool of Rancher's database. Rancher's documentation asks for 1 GiB where there is room. */
  readonly rancherPoolMiB: number;
  /** InnoDB buffer pool of the site's database. */
  readonly sitePoolMiB: number;
}

/** Smallest host first; a host uses the last row that it has the memory for. */
const memoryPlans = [
  { atLeastGiB: 4, rancherHeapMiB: 1024, rancherPoolMiB: 512, sitePoolMiB: 256 },
  { atLeastGiB: 8, rancherHeapMiB: 2048, rancherPoolMiB: 1024, sitePoolMiB: 1024 },
  { atLeastGiB: 16, rancherHeapMiB: 4096, rancherPoolMiB: 4096, sitePoolMiB: 2048 },
] as const;

/**
 * The memory plan of a server host.
 *
 * @throws Error when the type is unknown or has less than {@link leastServerMemoryGiB}
 */
export function memoryPlan(instanceType: string): MemoryPlan {
  const size = findInstanceType(instanceType);
  if (typeof size === "string") throw new Error(`${instanceType} ${size}`);
  const plan = memoryPlans.findLast((row) => row.atLeastGiB <= size.memoryGiB);
  if (plan === undefined) {
    throw new Error(
      `${instanceType} has ${size.memoryGiB} GiB of memory, a server needs ${leastServerMemoryGiB}`,
    );
  }
  const { rancherHeapMiB, rancherPoolMiB, sitePoolMiB } = plan;
  return { rancherHeapMiB, rancherPoolMiB, sitePoolMiB };
}
