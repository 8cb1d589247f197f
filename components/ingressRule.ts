import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Port } from "../config/ports";
import { tags } from "./names";

/** Who a rule lets in. */
export type Source =
  | { readonly cidrIpv4: pulumi.Input<string> }
  | { readonly referencedSecurityGroupId: pulumi.Input<string> };

/** Arguments of {@link ingressRule}. */
export interface IngressRuleArgs {
  readonly groupId: pulumi.Input<string>;
  readonly port: Port;
  readonly source: Source;
  /** A sentence for whoever reads the console. */
  readonly description: string;
  /** Class of the component that owns the rule. */
  readonly component: string;
}

/** A range as the end of a resource's name. */
export function suffix(cidr: string): string {
  return cidr.replace("/", "_");
}

/** One rule of a security group that opens one port. */
export function ingressRule(
  name: string,
  { groupId, port, source, description, component }: IngressRuleArgs,
  opts: pulumi.CustomResourceOptions,
): aws.vpc.SecurityGroupIngressRule {
  return new aws.vpc.SecurityGroupIngressRule(
    name,
    {
      securityGroupId: groupId,
      description,
      ipProtocol: port.protocol,
      fromPort: port.number,
      toPort: port.number,
      ...source,
      tags: tags(name, component),
    },
    opts,
  );
}
