import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import {
  demandOf,
  type Finding,
  imageFindings,
  offeringFindings,
  quotaFinding,
  type QuotaName,
  quotas,
  typesWanted,
} from "../config/account";
import type { Settings } from "../config/settings";
import { zonesFor, zonesProblem } from "../config/zones";

/** What AWS answered: what it means, and undefined where it could not be asked. */
type Judged = { readonly findings: readonly Finding[] } | { readonly unasked: string };

/** How the aws provider says that no image has the id. */
const noImage = /returned no results|InvalidAMIID/i;

/** What the provider said, without the lines that say where. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (
    text.replace(/^(Invoke|invocation) of [^ ]+ returned an error: /i, "").split("\n", 1)[0] ?? ""
  );
}

/** Judges an answer; what AWS does not let us ask is no reason to stop. */
async function judge(what: string, ask: () => Promise<readonly Finding[]>): Promise<Judged> {
  try {
    return { findings: await ask() };
  } catch (error) {
    return { unasked: `${what}: ${reason(error)}` };
  }
}

async function image(settings: Settings): Promise<readonly Finding[]> {
  try {
    const found = await aws.ec2.getAmi({
      filters: [{ name: "image-id", values: [settings.amiId] }],
      // The images of the table are, which keeps nobody from launching them by id.
      includeDeprecated: true,
    });
    return imageFindings(settings, found);
  } catch (error) {
    if (noImage.test(reason(error))) return imageFindings(settings, undefined);
    throw error;
  }
}

/** The distinct instance types of a stack. */
function typeNames(settings: Settings): string[] {
  return [...new Set([settings.serverInstanceType, settings.agentInstanceType])];
}

async function offerings(
  settings: Settings,
  zones: Promise<readonly string[]>,
): Promise<readonly Finding[]> {
  const asked = aws.ec2.getInstanceTypeOfferings({
    locationType: "availability-zone",
    filters: [{ name: "instance-type", values: typeNames(settings) }],
  });
  const [{ instanceTypes, locations }, names] = await Promise.all([asked, zones]);
  const offered = instanceTypes.map((type, index) => ({ type, zone: locations[index] ?? "" }));
  return offeringFindings(typesWanted(settings, names), offered);
}

async function quota(settings: Settings, name: QuotaName): Promise<readonly Finding[]> {
  const { value } = await aws.servicequotas.getServiceQuota({
    serviceCode: "ec2",
    quotaCode: quotas[name].code,
  });
  return [quotaFinding(name, demandOf(settings)[name], value) ?? []].flat();
}

/** The region's zones. Without an answer to this one AWS answers nothing, and no stack can be planned. */
async function zoneNames(): Promise<readonly string[]> {
  const { names } = await aws
    .getAvailabilityZones({ state: "available" })
    .catch((error: unknown) => {
      throw new pulumi.RunError(
        `AWS does not answer: ${reason(error)}; for more: npm run preflight`,
      );
    });
  const problem = zonesProblem(names);
  if (problem !== undefined) throw new pulumi.RunError(problem);
  return zonesFor(names);
}

/** True when all machines that the settings ask for are there already, of this image and these types. */
async function stands(settings: Settings): Promise<boolean> {
  const { ids } = await aws.ec2
    .getInstances({
      instanceTags: { project: pulumi.getProject(), stack: pulumi.getStack() },
      instanceStateNames: ["pending", "running", "stopping", "stopped"],
      filters: [
        { name: "image-id", values: [settings.amiId] },
        { name: "instance-type", values: typeNames(settings) },
      ],
    })
    .catch(() => ({ ids: [] }));
  return ids.length >= demandOf(settings).machines;
}

/**
 * Asks AWS, all at once, what it would refuse later: the image, the instance types in their zones and
 * the quotas. Resolves when nothing stands in the way. What it could not ask is a warning, and so is
 * everything it finds once all the machines stand: a stack that is up can still be changed.
 *
 * @throws pulumi.RunError with every problem, one line a setting
 */
export async function accountGate(settings: Settings): Promise<void> {
  const zones = zoneNames();
  const judged = await Promise.all([
    judge("image", () => image(settings)),
    judge("instance types", () => offerings(settings, zones)),
    judge(`quota of ${quotas.vcpus.unit}`, () => quota(settings, "vcpus")),
    judge(`quota of ${quotas.addresses.unit}`, () => quota(settings, "addresses")),
  ]);
  await zones;
  const unasked = judged.flatMap((answer) => ("unasked" in answer ? answer.unasked : []));
  if (unasked.length > 0) {
    void pulumi.log.warn(
      `AWS could not be asked beforehand about\n${unasked.map((line) => `  ${line}`).join("\n")}`,
    );
  }
  const problems = judged.flatMap((answer) => ("findings" in answer ? answer.findings : []));
  if (problems.length === 0) return;
  const lines = problems.map(({ key, reason, fix }) => `  ${key}: ${reason}; ${fix}`).join("\n");
  if (await stands(settings)) {
    void pulumi.log.warn(
      `nothing that runs is affected, but no machine could be made or replaced now\n${lines}`,
    );
    return;
  }
  throw new pulumi.RunError(`the AWS account cannot hold this stack\n${lines}`);
}
