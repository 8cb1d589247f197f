/** What the AWS checks want to know, and the AWS SDK as who answers. */
import {
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  EC2Client,
  GetAllowedImagesSettingsCommand,
  GetInstanceMetadataDefaultsCommand,
  type Instance,
  type Tag,
  type _InstanceType,
} from "@aws-sdk/client-ec2";
import { GetServiceQuotaCommand, ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type ImageFacts, type Offering, type QuotaName, quotas } from "../../config/account";
import { findInstanceType } from "../../config/instanceTypes";
import { Unknown } from "./engine";

/** Whose credentials these are. */
export interface Identity {
  readonly account: string;
  readonly arn: string;
}

/** An image as the account sees it. */
export interface SeenImage extends ImageFacts {
  readonly ownerId: string | undefined;
  /** When listings began to leave it out; undefined when they do not. */
  readonly deprecated: string | undefined;
}

/** Which publishers' images the account may launch. */
export interface AllowedImages {
  readonly state: "disabled" | "audit-mode" | "enabled";
  readonly providers: readonly string[];
}

/** How much of something is taken in the region. */
export interface Taken {
  readonly byStack: number;
  readonly byOthers: number;
}

/** Answers about one account and region. Each rejects with {@link Unknown} when it may not be asked. */
export interface AwsAnswers {
  identity(signal: AbortSignal): Promise<Identity>;
  zones(signal: AbortSignal): Promise<readonly string[]>;
  /** @returns undefined when there is none that the account can launch */
  image(id: string, signal: AbortSignal): Promise<SeenImage | undefined>;
  /** Whether instances that answer metadata requests without a token cannot be launched. */
  enforcesTokens(signal: AbortSignal): Promise<boolean>;
  allowedImages(signal: AbortSignal): Promise<AllowedImages>;
  offerings(types: readonly string[], signal: AbortSignal): Promise<readonly Offering[]>;
  granted(quota: QuotaName, signal: AbortSignal): Promise<number>;
  taken(quota: QuotaName, signal: AbortSignal): Promise<Taken>;
}

/** Codes by which AWS says that the credentials are nobody's, or nobody's any more. */
const noIdentity =
  /^(CredentialsProviderError|ExpiredToken.*|InvalidClientTokenId|AuthFailure|UnrecognizedClientException|SignatureDoesNotMatch|RequestExpired|OptInRequired)$/;

/** Codes by which AWS says that somebody may not do something. */
const notPermitted = /^(UnauthorizedOperation|AccessDenied|AccessDeniedException)$/;

/** AWS's code of an error. */
function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** True when an error is about who asks, not about what. */
export function isAboutCredentials(error: unknown): boolean {
  return noIdentity.test(codeOf(error));
}

/** Asks, and says which permission is missing where one is. */
async function permitted<T>(permission: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!notPermitted.test(codeOf(error))) throw error;
    throw new Unknown(
      "these credentials may not ask AWS that",
      `allow them the action ${permission}, or have somebody else look`,
    );
  }
}

/** Families whose vCPUs count towards the quota of the standard ones. */
const standardFamily = /^[acdhimrtz]\d/;

function vcpusOf({ CpuOptions, InstanceType = "t3.micro" }: Instance): number {
  const { CoreCount, ThreadsPerCore } = CpuOptions ?? {};
  if (CoreCount !== undefined && ThreadsPerCore !== undefined) return CoreCount * ThreadsPerCore;
  const size = findInstanceType(InstanceType);
  // Two is what most of the smallest have.
  return typeof size === "string" ? 2 : size.vcpus;
}

/** Where and as whom to ask. */
export interface AwsAccess {
  readonly region: string;
  readonly project: string;
  readonly stack: string;
  /** Credentials of the stack's configuration. @default what the SDK finds, as the aws provider does */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** Asks AWS itself. */
export function awsAnswers({ region, project, stack, credentials }: AwsAccess): AwsAnswers {
  // It warns on Node 20, for which these versions are chosen.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const options = { region, maxAttempts: 2, ...(credentials === undefined ? {} : { credentials }) };
  const ec2 = new EC2Client(options);
  const isOurs = (tags: readonly Tag[] | undefined) => {
    const value = (key: string) => tags?.find(({ Key }) => Key === key)?.Value;
    return value("project") === project && value("stack") === stack;
  };

  async function machines(abortSignal: AbortSignal): Promise<Taken> {
    const found: Instance[] = [];
    for (let NextToken: string | undefined; ;) {
      const states = { Name: "instance-state-name", Values: ["pending", "running"] };
      const page = await ec2.send(
        new DescribeInstancesCommand({
          Filters: [states],
          MaxResults: 1000,
          ...(NextToken === undefined ? {} : { NextToken }),
        }),
        { abortSignal },
      );
      found.push(...(page.Reservations ?? []).flatMap(({ Instances = [] }) => Instances));
      NextToken = page.NextToken;
      if (NextToken === undefined || NextToken === "") break;
    }
    const counted = found.filter(
      ({ InstanceLifecycle, InstanceType = "" }) =>
        InstanceLifecycle === undefined && standardFamily.test(InstanceType),
    );
    const sum = (ours: boolean) =>
      counted
        .filter(({ Tags }) => isOurs(Tags) === ours)
        .reduce((total, instance) => total + vcpusOf(instance), 0);
    return { byStack: sum(true), byOthers: sum(false) };
  }

  async function addresses(abortSignal: AbortSignal): Promise<Taken> {
    const { Addresses = [] } = await ec2.send(new DescribeAddressesCommand({}), { abortSignal });
    const byStack = Addresses.filter(({ Tags }) => isOurs(Tags)).length;
    return { byStack, byOthers: Addresses.length - byStack };
  }

  return {
    async identity(abortSignal) {
      const found = await new STSClient(options).send(new GetCallerIdentityCommand({}), {
        abortSignal,
      });
      return { account: found.Account ?? "", arn: found.Arn ?? "" };
    },
    zones: (abortSignal) =>
      permitted("ec2:DescribeAvailabilityZones", async () => {
        const { AvailabilityZones = [] } = await ec2.send(
          new DescribeAvailabilityZonesCommand({}),
          { abortSignal },
        );
        return AvailabilityZones.filter(({ State }) => State === "available").map(
          ({ ZoneName }) => ZoneName ?? "",
        );
      }),
    image: (id, abortSignal) =>
      permitted("ec2:DescribeImages", async () => {
        const { Images = [] } = await ec2
          .send(new DescribeImagesCommand({ ImageIds: [id], IncludeDeprecated: true }), {
            abortSignal,
          })
          .catch((error: unknown) => {
            if (codeOf(error).startsWith("InvalidAMIID")) return { Images: [] };
            throw error;
          });
        const [image] = Images;
        if (image === undefined || image.ImageAllowed === false) return undefined;
        return {
          state: image.State,
          architecture: image.Architecture,
          virtualizationType: image.VirtualizationType,
          rootDeviceType: image.RootDeviceType,
          enaSupport: image.EnaSupport,
          ownerId: image.OwnerId,
          deprecated: image.DeprecationTime,
        };
      }),
    enforcesTokens: (abortSignal) =>
      permitted("ec2:GetInstanceMetadataDefaults", async () => {
        const { AccountLevel } = await ec2.send(new GetInstanceMetadataDefaultsCommand({}), {
          abortSignal,
        });
        return AccountLevel?.HttpTokensEnforced === "enabled";
      }),
    allowedImages: (abortSignal) =>
      permitted("ec2:GetAllowedImagesSettings", async () => {
        const { State, ImageCriteria = [] } = await ec2.send(
          new GetAllowedImagesSettingsCommand({}),
          { abortSignal },
        );
        const state = State === "enabled" || State === "audit-mode" ? State : "disabled";
        return { state, providers: ImageCriteria.flatMap((one) => one.ImageProviders ?? []) };
      }),
    offerings: (types, abortSignal) =>
      permitted("ec2:DescribeInstanceTypeOfferings", async () => {
        const { InstanceTypeOfferings = [] } = await ec2.send(
          new DescribeInstanceTypeOfferingsCommand({
            LocationType: "availability-zone",
            Filters: [{ Name: "instance-type", Values: types as _InstanceType[] }],
          }),
          { abortSignal },
        );
        return InstanceTypeOfferings.map(({ InstanceType: type = "", Location: zone = "" }) => ({
          type,
          zone,
        }));
      }),
    granted: (quota, abortSignal) =>
      permitted("servicequotas:GetServiceQuota", async () => {
        const { Quota } = await new ServiceQuotasClient(options).send(
          new GetServiceQuotaCommand({ ServiceCode: "ec2", QuotaCode: quotas[quota].code }),
          { abortSignal },
        );
        if (Quota?.Value === undefined) throw new Error("Service Quotas named no value");
        return Quota.Value;
      }),
    taken: (quota, abortSignal) =>
      quota === "vcpus"
        ? permitted("ec2:DescribeInstances", () => machines(abortSignal))
        : permitted("ec2:DescribeAddresses", () => addresses(abortSignal)),
  };
}
