/**
 * Waits until a host gets visitors from a network load balancer, or until that has let go of it. Runs where
 * Pulumi runs, with the credentials that AWS's own tools find there.
 *
 * WAIT_GROUPS   ARNs of the target groups, with spaces between them
 * WAIT_TARGET   id of the host's instance
 * WAIT_STATE    `healthy` in all groups, or `gone` from all
 * WAIT_SECONDS  the limit. A host that is not healthy by then is an error; one that is not gone is let go all
 *               the same, because its connections are lost already
 */
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  type TargetHealth,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds between two looks. */
const lookMillis = 2000;

const {
  WAIT_GROUPS: groups = "",
  WAIT_TARGET: target = "",
  WAIT_STATE: wanted = "",
  WAIT_SECONDS: limit = "",
} = process.env;

/** What a group says of the host; undefined when it knows nothing of it, or is gone itself. */
async function health(
  client: ElasticLoadBalancingV2Client,
  TargetGroupArn: string,
): Promise<TargetHealth | undefined> {
  const command = new DescribeTargetHealthCommand({ TargetGroupArn, Targets: [{ Id: target }] });
  try {
    const { TargetHealthDescriptions } = await client.send(command);
    return TargetHealthDescriptions?.[0]?.TargetHealth;
  } catch (error) {
    if (/NotFound|InvalidTarget/.test((error as Error).name)) return undefined;
    throw error;
  }
}

/** Whether it is so in a group. Without a listener a group calls every target `unused`. */
function holds(found: TargetHealth | undefined): boolean {
  if (wanted === "healthy") return found?.State === "healthy";
  return found === undefined || found.State === "unused";
}

function words(found: TargetHealth | undefined): string {
  return [found?.State ?? "unknown", found?.Description].filter(Boolean).join(": ");
}

async function main(): Promise<void> {
  const client = new ElasticLoadBalancingV2Client({});
  const deadline = Date.now() + Number(limit) * 1000;
  let told = "";
  for (;;) {
    const found = await Promise.all(groups.split(" ").map((group) => health(client, group)));
    const open = found.filter((one) => !holds(one));
    if (open.length === 0) return;
    const says = `${target} is not ${wanted}: ${[...new Set(open.map(words))].join("; ")}`;
    if (says !== told) console.error(says);
    told = says;
    if (Date.now() > deadline) {
      if (wanted === "healthy") throw new Error(`gave up after ${limit} s: ${says}`);
      return;
    }
    await pause(lookMillis);
  }
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
