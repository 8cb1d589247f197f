import type { PolicyResource, ResourceValidationArgs } from "@pulumi/policy";
import * as proxy from "@pulumi/policy/proxy";
import { strict as assert } from "node:assert";
import { policies, type RuleConfig } from "../../policy/rule";
import { rules } from "../../policy/rules";

/** The SDK's own, which its types leave out. */
const { unknownCheckingProxy, unknownStringValue } = proxy as unknown as {
  readonly unknownCheckingProxy: (properties: unknown) => unknown;
  readonly unknownStringValue: string;
};

/** A resource as a test writes it down. */
export interface Given {
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
  /** @default "thing" */
  readonly name?: string;
  readonly protect?: boolean;
  /** Properties of its provider. @default none */
  readonly provider?: Readonly<Record<string, unknown>>;
}

/** What the engine puts where a preview knows no value. */
export const notYet = unknownStringValue;

/** The arguments that `@pulumi/policy` makes of a resource: with the proxy that throws on what is not known. */
function handedOver({ type, props, name = "thing", protect = false, provider }: Given) {
  const urn = (of: string, called: string) => `urn:pulumi:test::rancher-cattle::${of}::${called}`;
  return {
    type,
    name,
    urn: urn(`rancher-cattle:index:Network$${type}`, name),
    props: unknownCheckingProxy(props) as Record<string, unknown>,
    opts: { protect },
    ...(provider === undefined
      ? {}
      : {
          provider: {
            type: "pulumi:providers:aws",
            props: unknownCheckingProxy(provider) as Record<string, unknown>,
            urn: urn("pulumi:providers:aws", "default"),
            name: "default",
          },
        }),
  };
}

function policyNamed(name: string) {
  const policy = policies(rules).find((each) => each.name === name);
  assert.ok(policy !== undefined, `there is a policy ${name}`);
  return policy;
}

/** The messages of a policy about these resources. */
export async function judge(
  name: string,
  resources: readonly Given[],
  config: RuleConfig = {},
): Promise<readonly string[]> {
  const messages: string[] = [];
  const report = (message: string) => void messages.push(message);
  const policy = policyNamed(name);
  const common = { getConfig: () => config, stackTags: new Map() };
  if ("validateStack" in policy) {
    const all = resources.map((each) => handedOver(each) as unknown as PolicyResource);
    const args = { ...common, resources: all, notApplicable: () => assert.fail() };
    await policy.validateStack(args as Parameters<typeof policy.validateStack>[0], report);
    return messages;
  }
  const validate = policy.validateResource;
  assert.ok(typeof validate === "function");
  for (const each of resources) {
    const args = { ...common, ...handedOver(each) } as unknown as ResourceValidationArgs;
    await validate(args, report);
  }
  return messages;
}
