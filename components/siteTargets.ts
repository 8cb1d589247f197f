import * as aws from "@pulumi/aws";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { AgentHosts, BalancerHost } from "./agentHosts";
import { token } from "./names";
import { deregistrationSeconds } from "./networkLoadBalancer";
import type { SiteAddress } from "./siteAddress";

/** Arguments of {@link SiteTargets}. */
export interface SiteTargetsArgs {
  readonly address: SiteAddress;
  /** The hosts that answer for the site. */
  readonly agents: AgentHosts;
  /** What must work before a host can be well: the site's load balancers. */
  readonly after: readonly pulumi.Resource[];
}

/** How long a new host may take until the network load balancer sends it visitors, in seconds. On AWS that is one to three minutes. */
const healthyLimitSeconds = 600;

/** Where Pulumi runs this: the project's folder. */
const waitProgram = "exec node --import tsx components/scripts/wait-targets.ts";

/**
 * The agent hosts as targets of the network load balancer; nothing at all without one.
 *
 * A host that is replaced stays registered until its successor gets visitors, and its machine and its
 * place in Rancher stay until the network load balancer has let go of it. The real provider waits for
 * neither (hashicorp/terraform-provider-aws, issue 5603), so resources that ask AWS do.
 */
export class SiteTargets extends pulumi.ComponentResource {
  /** Exist once every host gets visitors: to depend on. */
  public readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: SiteTargetsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("SiteTargets"), name, {}, opts);
    const { targetGroupArns } = args.address;

    const register = ({ name: hostName, instanceId, joined }: BalancerHost) => {
      const part = `${name}-${hostName}`;
      const triggers = [instanceId, ...targetGroupArns];
      const environment = (wanted: "healthy" | "gone", seconds: number) => ({
        WAIT_GROUPS: pulumi.all([...targetGroupArns]).apply((arns) => arns.join(" ")),
        WAIT_TARGET: instanceId,
        WAIT_STATE: wanted,
        WAIT_SECONDS: String(seconds),
        // Where the aws provider was told by the config, it is told what that was.
        ...(aws.config.region === undefined ? {} : { AWS_REGION: aws.config.region }),
        ...(aws.config.profile === undefined ? {} : { AWS_PROFILE: aws.config.profile }),
      });

      // Deleted after the registration and before the host.
      const released = new command.local.Command(
        `${part}-released`,
        {
          create: "true",
          delete: waitProgram,
          environment: environment("gone", 2 * deregistrationSeconds),
          triggers,
        },
        { parent: this, dependsOn: [joined, ...args.after] },
      );
      const registered = targetGroupArns.map(
        (targetGroupArn, index) =>
          new aws.lb.TargetGroupAttachment(
            `${part}-${index}`,
            { targetGroupArn, targetId: instanceId },
            { parent: this, dependsOn: [released] },
          ),
      );
      return new command.local.Command(
        `${part}-healthy`,
        { create: waitProgram, environment: environment("healthy", healthyLimitSeconds), triggers },
        { parent: this, dependsOn: registered },
      );
    };

    this.ready = targetGroupArns.length === 0 ? [] : args.agents.balancers.map(register);
    this.registerOutputs();
  }
}
