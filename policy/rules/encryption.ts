import { asList, asMap, type Resource, type Value } from "../resource";
import type { ResourceRule } from "../rule";
import { launchTemplate, machineTypes } from "./machines";

/** A disk: what it is, and whether it is encrypted. */
type Disk = readonly [what: string, encrypted: Value];

function machineDisks(props: Resource["props"]): readonly Disk[] {
  const more = asList(props["ebsBlockDevices"]).map(
    (disk, i) => [`disk ebsBlockDevices[${i}]`, asMap(disk)["encrypted"]] as const,
  );
  const root = props["rootBlockDevice"];
  return [["root disk", typeof root === "symbol" ? root : asMap(root)["encrypted"]], ...more];
}

function templateDisks(props: Resource["props"]): readonly Disk[] {
  const disks = asList(props["blockDeviceMappings"]).map(
    (disk, i) =>
      [`disk blockDeviceMappings[${i}]`, asMap(asMap(disk)["ebs"])["encrypted"]] as const,
  );
  return disks.length > 0 || typeof props["blockDeviceMappings"] === "symbol"
    ? disks
    : [["root disk", undefined]];
}

const forms: Readonly<Record<string, (props: Resource["props"]) => readonly Disk[]>> = {
  "aws:ebs/volume:Volume": ({ encrypted }) => [["volume", encrypted]],
  "aws:efs/fileSystem:FileSystem": ({ encrypted }) => [["file system", encrypted]],
  ...Object.fromEntries(machineTypes.map((type) => [type, machineDisks])),
  [launchTemplate]: templateDisks,
};

export const disksEncrypted: ResourceRule = {
  name: "disks-encrypted",
  description: "Volumes, root disks and file systems are encrypted",
  why: "a snapshot that is shared by mistake, or a disk that AWS takes away, can be read by whoever gets it, and neither can be encrypted afterwards without a copy",
  fix: "set encrypted: true on it; for a machine in rootBlockDevice too. Encryption by default of the account is not seen here, and not everybody's",
  severity: "high",
  problems: ({ type, props }) =>
    (forms[type]?.(props) ?? [])
      .filter(([, encrypted]) => typeof encrypted !== "symbol" && String(encrypted) !== "true")
      .map(([what]) => `has a ${what} that is not encrypted`),
};
