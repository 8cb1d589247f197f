import { asMap, type Resource, type Value } from "../resource";

/** Types that make a machine at once. */
export const machineTypes = [
  "aws:ec2/instance:Instance",
  "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
] as const;

/** What machines are made from. */
export const launchTemplate = "aws:ec2/launchTemplate:LaunchTemplate";

/** What a rule about machines looks at; a value that nothing says is undefined. */
export interface Machine {
  readonly image: Value;
  readonly instanceType: Value;
  readonly metadata: Readonly<Record<string, Value>>;
}

/** A resource as a machine; undefined when it is none. */
export function machineOf({ type, props }: Resource): Machine | undefined {
  if (![...machineTypes, launchTemplate].includes(type)) return undefined;
  return {
    image: props[type === launchTemplate ? "imageId" : "ami"],
    instanceType: props["instanceType"],
    metadata: asMap(props["metadataOptions"]),
  };
}
