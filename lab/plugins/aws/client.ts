/** The AWS API as the stand-in uses it: clients of the AWS SDK pointed at the lab's emulator. */
import { BackupClient } from "@aws-sdk/client-backup";
import {
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeVpcsCommand,
  EC2Client,
  type ResourceType,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import { EFSClient } from "@aws-sdk/client-efs";
import { IAMClient } from "@aws-sdk/client-iam";
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { Route53Client } from "@aws-sdk/client-route-53";
import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import type { Call, Props } from "../../../rancher/plugin/types";
import { map, object, objects, pause, text } from "../standIn";

/** Milliseconds between looks at something that changes by itself. */
const POLL_MS = 500;

/** Seconds for a new id to become known everywhere. */
const CONSISTENCY_SECONDS = 60;

/** Seconds for whatever uses a resource to let go of it. */
const RELEASE_SECONDS = 300;

/** What operations need of a call; functions have no URN. */
export type Operation = Pick<Call, "signal" | "status" | "timeoutSeconds">;

interface Clients {
  readonly backup: BackupClient;
  readonly ec2: EC2Client;
  readonly efs: EFSClient;
  readonly iam: IAMClient;
  readonly elb: ElasticLoadBalancingV2Client;
  readonly route53: Route53Client;
  readonly quotas: ServiceQuotasClient;
}

/** The clients, made when first used. */
export class Aws {
  private clients: Clients | undefined;
  private account: string | undefined;

  constructor(private readonly config: Props) {}

  get backup(): BackupClient {
    return this.connected().backup;
  }

  get ec2(): EC2Client {
    return this.connected().ec2;
  }

  get efs(): EFSClient {
    return this.connected().efs;
  }

  get iam(): IAMClient {
    return this.connected().iam;
  }

  get elb(): ElasticLoadBalancingV2Client {
    return this.connected().elb;
  }

  get route53(): Route53Client {
    return this.connected().route53;
  }

  get quotas(): ServiceQuotasClient {
    return this.connected().quotas;
  }

  /** The region everything is made in. */
  get region(): string {
    const region =
      text(this.config, "region") ?? process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"];
    if (region === undefined) throw new Error("aws has no region: set the config key aws:region");
    return region;
  }

  /** The provider's `defaultTags`. */
  get defaultTags(): Record<string, string> {
    return map(object(this.config, "defaultTags") ?? {}, "tags");
  }

  /** All tags a resource gets. */
  tags(inputs: Props): Record<string, string> {
    return { ...this.defaultTags, ...map(inputs, "tags") };
  }

  /** The tags as a create call takes them. */
  tagSpecification(kind: ResourceType, inputs: Props): TagSpecification[] {
    const tags = sdkTags(this.tags(inputs));
    return tags.length === 0 ? [] : [{ ResourceType: kind, Tags: tags }];
  }

  /** The account's number, taken from the owner of any VPC; empty while there is none. */
  async accountId(call: Operation): Promise<string> {
    if (this.account === undefined) {
      const { Vpcs } = await this.ec2.send(new DescribeVpcsCommand({}), {
        abortSignal: call.signal,
      });
      this.account = Vpcs?.find((vpc) => vpc.OwnerId !== undefined)?.OwnerId;
    }
    return this.account ?? "";
  }

  /** An ARN of an EC2 resource. */
  async arn(resource: string, call: Operation, owner?: string): Promise<string> {
    return `arn:aws:ec2:${this.region}:${owner ?? (await this.accountId(call))}:${resource}`;
  }

  /** Makes the tags of an EC2 resource what the inputs say. */
  async retag(id: string, before: Props, after: Props, call: Operation): Promise<void> {
    const [old, wanted] = [this.tags(before), this.tags(after)];
    const dropped = Object.keys(old).filter((key) => !(key in wanted));
    const options = { abortSignal: call.signal };
    if (dropped.length > 0) {
      const Tags = dropped.map((Key) => ({ Key }));
      await this.ec2.send(new DeleteTagsCommand({ Resources: [id], Tags }), options);
    }
    const Tags = sdkTags(wanted);
    if (Tags.length > 0) {
      await this.ec2.send(new CreateTagsCommand({ Resources: [id], Tags }), options);
    }
  }

  close(): void {
    this.clients?.backup.destroy();
    this.clients?.ec2.destroy();
    this.clients?.efs.destroy();
    this.clients?.iam.destroy();
    this.clients?.elb.destroy();
    this.clients?.route53.destroy();
    this.clients?.quotas.destroy();
  }

  private connected(): Clients {
    this.clients ??= {
      backup: new BackupClient(this.options("backup")),
      ec2: new EC2Client(this.options("ec2")),
      efs: new EFSClient(this.options("efs")),
      iam: new IAMClient(this.options("iam")),
      elb: new ElasticLoadBalancingV2Client(this.options("elbv2")),
      route53: new Route53Client(this.options("route53")),
      quotas: new ServiceQuotasClient(this.options("servicequotas")),
    };
    return this.clients;
  }

  private options(service: string): {
    region: string;
    endpoint: string;
    maxAttempts: number;
    credentials?: { accessKeyId: string; secretAccessKey: string };
  } {
    const given = objects(this.config, "endpoints").map((e) => text(e, service));
    const endpoint = given.find((e) => e !== undefined) ?? process.env["AWS_ENDPOINT_URL"];
    if (endpoint === undefined || new URL(endpoint).hostname.endsWith("amazonaws.com")) {
      // Nothing here is good enough for an account that costs money.
      throw new Error(
        "the lab's stand-in for aws talks to the lab's emulator only: set AWS_ENDPOINT_URL to it",
      );
    }
    const accessKeyId = text(this.config, "accessKey");
    const secretAccessKey = text(this.config, "secretKey");
    return {
      region: this.region,
      endpoint,
      maxAttempts: 5,
      ...(accessKeyId !== undefined && secretAccessKey !== undefined
        ? { credentials: { accessKeyId, secretAccessKey } }
        : {}),
    };
  }
}

/** Tags as the SDK takes them. */
export function sdkTags(tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Tags as the SDK gives them. */
export function tagMap(
  tags: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""]));
}

/** AWS's own code of an error, e.g. `DependencyViolation`. */
export function errorCode(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** True when an error says that the thing does not exist. */
export function isGone(error: unknown): boolean {
  return /NotFound|^NoSuch|^InvalidVolumeID\.|^InvalidAssociationID\./.test(errorCode(error));
}

/** The answer, or undefined when the thing does not exist. */
export async function unlessGone<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Asks until there is an answer. Throws `what` is still not so after the deadline. */
export async function until<T>(
  what: string,
  call: Operation,
  ask: () => Promise<T | undefined>,
  seconds = call.timeoutSeconds ?? CONSISTENCY_SECONDS,
): Promise<T> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: still waiting after ${seconds} seconds`);
    await pause(POLL_MS, call.signal);
  }
}

/** Runs a delete until it succeeds: gone is fine, still in use is retried under a deadline. */
export async function release(
  what: string,
  call: Operation,
  attempt: () => Promise<unknown>,
): Promise<void> {
  await until(
    what,
    call,
    async () => {
      try {
        await attempt();
        return true;
      } catch (error) {
        if (isGone(error)) return true;
        if (
          !/DependencyViolation|InUse|IncorrectState|PriorRequestNotComplete/.test(errorCode(error))
        ) {
          throw error;
        }
        call.status(`${what}: ${(error as Error).message}`);
        return undefined;
      }
    },
    call.timeoutSeconds ?? RELEASE_SECONDS,
  );
}
