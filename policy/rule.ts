import type { Policies, PolicyConfigSchema, Severity } from "@pulumi/policy";
import { type Resource, resourceOf } from "./resource";

/** What a rule can be told by `stacks.yaml` and `--policy-pack-config`. */
export type RuleConfig = Readonly<Record<string, unknown>>;

/** What every rule says of itself, and of a resource that breaks it. */
interface Explained {
  /** Its id, as in `stacks.yaml`. */
  readonly name: string;
  /** What must be so, as a sentence. */
  readonly description: string;
  /** What happens otherwise. */
  readonly why: string;
  /** What to do about it. */
  readonly fix: string;
  readonly severity: Severity;
  /** What can be configured. @default nothing but its level */
  readonly config?: PolicyConfigSchema;
}

/** A rule about each resource by itself, checked before the resource is made. */
export interface ResourceRule extends Explained {
  /** What is wrong with a resource, as the end of a sentence that begins with its name. */
  readonly problems: (resource: Resource, config: RuleConfig) => readonly string[];
}

/** A rule about all resources together, checked at the end of a preview and of an `up`. */
export interface StackRule extends Explained {
  /** What is wrong, as sentences. */
  readonly stackProblems: (resources: readonly Resource[], config: RuleConfig) => readonly string[];
}

export type Rule = ResourceRule | StackRule;

/** One message: what is wrong with what, why that matters, what to do. */
function message(subject: string, problem: string, { why, fix }: Explained): string {
  return `${subject} ${problem}.\nwhy: ${why}.\nfix: ${fix}.`;
}

/** Rules as `@pulumi/policy` takes them. */
export function policies(rules: readonly Rule[]): Policies {
  return rules.map((rule) => {
    const { name, description, severity, fix } = rule;
    const common = {
      name,
      description: `${description}.`,
      enforcementLevel: "mandatory" as const,
      severity,
      remediationSteps: fix,
      ...(rule.config === undefined ? {} : { configSchema: rule.config }),
    };
    if ("problems" in rule) {
      return {
        ...common,
        validateResource: (args, report) => {
          for (const problem of rule.problems(resourceOf(args), args.getConfig<RuleConfig>())) {
            report(message(args.name, problem, rule));
          }
        },
      };
    }
    return {
      ...common,
      validateStack: (args, report) => {
        const resources = args.resources.map(resourceOf);
        for (const problem of rule.stackProblems(resources, args.getConfig<RuleConfig>())) {
          report(message("the stack", problem, rule));
        }
      },
    };
  });
}
