/**
 * RancherOS 1.5.8 (HVM, x86-64) by region, published by account 605812595337.
 *
 * Source: the table in the README of rancher/os on its master branch; the README at tag v1.5.8 still
 * lists 1.5.7. None was ever published for GovCloud or China. The images are deprecated, which only
 * hides them from listings: they still launch by id for as long as their owner keeps them public.
 */
export const amis = {
  "ap-northeast-1": "ami-052c75c3e8757bcd9",
  "ap-northeast-2": "ami-0fdb6555f88256d12",
  "ap-south-1": "ami-0086964cb1ffc4fdb",
  "ap-southeast-1": "ami-03b14c67c74644c2b",
  "ap-southeast-2": "ami-07059c8f12411bfcb",
  "ca-central-1": "ami-006a1ff3bf21003b3",
  "eu-central-1": "ami-0fc1a9332c246bc56",
  "eu-north-1": "ami-08b189555c5d2d8c3",
  "eu-west-1": "ami-0cea454c576ececbd",
  "eu-west-2": "ami-0fdf07cfd187af004",
  "eu-west-3": "ami-088930cafc1ad9f20",
  "sa-east-1": "ami-04e51c9d1edad1bfd",
  "us-east-1": "ami-02fe87f853d560d52",
  "us-east-2": "ami-004259f4c48585992",
  "us-west-1": "ami-0b382b76fadc95544",
  "us-west-2": "ami-0cdefa6a0646eb511",
} as const satisfies Record<string, `ami-${string}`>;

/** A region that RancherOS 1.5.8 was published in. */
export type Region = keyof typeof amis;

/** Every region of the table, sorted. */
export const regions = Object.keys(amis).sort() as readonly Region[];

/** True when the table has an image for the region. */
export function hasAmi(region: string): region is Region {
  return Object.hasOwn(amis, region);
}

/**
 * The RancherOS image of a region.
 *
 * @throws Error naming every region there is, when the table has none for this one
 */
export function amiFor(region: string): string {
  if (hasAmi(region)) return amis[region];
  throw new Error(
    `no RancherOS image is known for ${region}; there is one for ${regions.join(", ")}`,
  );
}
