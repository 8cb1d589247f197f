/** Plans as `pulumi preview --json` prints them, made by hand where none was recorded. */
import type { Plan, State, Step } from "../../pipeline/plan";

const urn = (type: string, name: string) =>
  `urn:pulumi:dev::rancher-cattle::rancher-cattle:index:Parent$${type}::${name}`;

/** A group of the program. */
export const groupUrn = (name: string) => urn("aws:ec2/securityGroup:SecurityGroup", name);

/** One step. */
export function step(
  op: string,
  type: string,
  name: string,
  states: { readonly old?: State; readonly now?: State } & Pick<
    Step,
    "detailedDiff" | "replaceReasons"
  > = {},
): Step {
  const { old, now, ...rest } = states;
  return {
    op,
    urn: urn(type, name),
    ...(old === undefined ? {} : { oldState: old }),
    ...(now === undefined ? {} : { newState: now }),
    ...rest,
  };
}

/** The type of the program's rules. */
export const ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";

/** A rule's state as the program makes it. */
export function rule(
  group: string,
  port: number | undefined,
  source: Readonly<Record<string, unknown>>,
  description = "",
): State {
  return {
    inputs: {
      securityGroupId: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
      ipProtocol: port === undefined ? "-1" : "tcp",
      ...(port === undefined ? {} : { fromPort: port, toPort: port }),
      ...source,
      description,
    },
    propertyDependencies: { securityGroupId: [groupUrn(group)] },
  };
}

/** A plan of these steps. */
export function plan(steps: readonly Step[], more: Partial<Plan> = {}): Plan {
  return { steps, errors: [], warnings: [], violations: [], counts: { same: 80 }, ...more };
}
