/** Hosted zones and records. */
import {
  AssociateVPCWithHostedZoneCommand,
  type Change,
  ChangeResourceRecordSetsCommand,
  ChangeTagsForResourceCommand,
  CreateHostedZoneCommand,
  DeleteHostedZoneCommand,
  DisassociateVPCFromHostedZoneCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  type GetHostedZoneCommandOutput,
  ListResourceRecordSetsCommand,
  ListTagsForResourceCommand,
  type ResourceRecordSet,
  type RRType,
  UpdateHostedZoneCommentCommand,
  type VPC,
  type VPCRegion,
} from "@aws-sdk/client-route-53";
import { randomUUID } from "node:crypto";
import type { Props } from "../../../rancher/plugin/types";
import { flag, mustText, number, objects, text, texts } from "../standIn";
import {
  type Aws,
  errorCode,
  isGone,
  type Operation,
  sdkTags,
  tagMap,
  unlessGone,
  until,
} from "./client";
import { type Kind, resource } from "./kind";

const DEFAULT_COMMENT = "Managed by Pulumi";

/** A zone's id without the path in front that the API puts there. */
function bare(zoneId: string | undefined): string {
  return (zoneId ?? "").replace(/^\/hostedzone\//, "");
}

/** A name without the final dot, and with the `*` that the API writes as an escape. */
function plainName(name: string | undefined): string {
  return (name ?? "").replace(/\.$/, "").replace(/\\052/g, "*").toLowerCase();
}

function vpcs(aws: Aws, inputs: Props): VPC[] {
  return objects(inputs, "vpcs").map((vpc) => ({
    VPCId: mustText(vpc, "vpcId"),
    VPCRegion: (text(vpc, "vpcRegion") ?? aws.region) as VPCRegion,
  }));
}

interface FoundZone extends GetHostedZoneCommandOutput {
  readonly tags: Record<string, string>;
}

async function findZone(aws: Aws, zoneId: string, call: Operation): Promise<FoundZone | undefined> {
  const options = { abortSignal: call.signal };
  return unlessGone(async () => {
    const found = await aws.route53.send(new GetHostedZoneCommand({ Id: zoneId }), options);
    const { ResourceTagSet } = await aws.route53.send(
      new ListTagsForResourceCommand({ ResourceType: "hostedzone", ResourceId: zoneId }),
      options,
    );
    return { ...found, tags: tagMap(ResourceTagSet?.Tags) };
  });
}

async function retagZone(
  aws: Aws,
  zoneId: string,
  before: Record<string, string>,
  after: Record<string, string>,
  call: Operation,
): Promise<void> {
  const dropped = Object.keys(before).filter((key) => !(key in after));
  const added = sdkTags(after);
  if (dropped.length + added.length === 0) return;
  await aws.route53.send(
    new ChangeTagsForResourceCommand({
      ResourceType: "hostedzone",
      ResourceId: zoneId,
      AddTags: added.length === 0 ? undefined : added,
      RemoveTagKeys: dropped.length === 0 ? undefined : dropped,
    }),
    { abortSignal: call.signal },
  );
}

const zone: Kind<FoundZone> = {
  type: "aws:route53/zone:Zone",
  inputs: {
    shape: {
      name: "string",
      comment: "string",
      forceDestroy: "boolean",
      vpcs: [{ vpcId: "string", vpcRegion: "string" }],
    },
    required: ["name"],
  },
  replace: () => ["name"],
  tags: (found) => found.tags,
  create: async (aws, inputs, call) => {
    const options = { abortSignal: call.signal };
    const [first, ...others] = vpcs(aws, inputs);
    const { HostedZone } = await aws.route53.send(
      new CreateHostedZoneCommand({
        Name: mustText(inputs, "name"),
        CallerReference: randomUUID(),
        HostedZoneConfig: {
          Comment: text(inputs, "comment") ?? DEFAULT_COMMENT,
          PrivateZone: first !== undefined,
        },
        VPC: first,
      }),
      options,
    );
    const zoneId = bare(HostedZone?.Id);
    for (const VPC of others) {
      const command = new AssociateVPCWithHostedZoneCommand({ HostedZoneId: zoneId, VPC });
      await aws.route53.send(command, options);
    }
    await retagZone(aws, zoneId, {}, aws.tags(inputs), call);
    return zoneId;
  },
  retag: (aws, zoneId, before, after, call) =>
    retagZone(aws, zoneId, aws.tags(before), aws.tags(after), call),
  find: (aws, zoneId, _, call) => findZone(aws, zoneId, call),
  outputs: (aws, found, inputs) => ({
    arn: `arn:aws:route53:::hostedzone/${bare(found.HostedZone?.Id)}`,
    zoneId: bare(found.HostedZone?.Id),
    comment: text(inputs, "comment") ?? DEFAULT_COMMENT,
    nameServers: found.DelegationSet?.NameServers ?? [],
    primaryNameServer: found.DelegationSet?.NameServers?.[0] ?? "",
    ...(objects(inputs, "vpcs").length === 0
      ? {}
      : { vpcs: vpcs(aws, inputs).map((v) => ({ vpcId: v.VPCId, vpcRegion: v.VPCRegion })) }),
  }),
  actual: (found) => ({
    name: plainName(found.HostedZone?.Name),
    comment: found.HostedZone?.Config?.Comment,
  }),
  update: async (aws, { id: HostedZoneId, oldInputs, inputs, changed }, call) => {
    const options = { abortSignal: call.signal };
    if (changed.has("comment")) {
      const Comment = text(inputs, "comment") ?? DEFAULT_COMMENT;
      const command = new UpdateHostedZoneCommentCommand({ Id: HostedZoneId, Comment });
      await aws.route53.send(command, options);
    }
    if (!changed.has("vpcs")) return;
    const [before, after] = [vpcs(aws, oldInputs), vpcs(aws, inputs)];
    const absent = (list: VPC[], vpc: VPC): boolean => !list.some((v) => v.VPCId === vpc.VPCId);
    // New ones first: a private zone keeps at least one VPC.
    for (const VPC of after.filter((v) => absent(before, v))) {
      await aws.route53.send(new AssociateVPCWithHostedZoneCommand({ HostedZoneId, VPC }), options);
    }
    for (const VPC of before.filter((v) => absent(after, v))) {
      const command = new DisassociateVPCFromHostedZoneCommand({ HostedZoneId, VPC });
      await aws.route53.send(command, options);
    }
  },
  delete: async (aws, zoneId, state, call) => {
    if (flag(state, "forceDestroy") === true) {
      const left = await records(aws, zoneId, call);
      const own = left.filter((set) => set.Type !== "NS" && set.Type !== "SOA");
      for (const ResourceRecordSet of own) {
        await change(aws, zoneId, { Action: "DELETE", ResourceRecordSet }, call);
      }
    }
    const command = new DeleteHostedZoneCommand({ Id: zoneId });
    await unlessGone(() => aws.route53.send(command, { abortSignal: call.signal }));
  },
};

async function records(aws: Aws, zoneId: string, call: Operation): Promise<ResourceRecordSet[]> {
  const command = new ListResourceRecordSetsCommand({ HostedZoneId: zoneId });
  const found = await unlessGone(() => aws.route53.send(command, { abortSignal: call.signal }));
  return found?.ResourceRecordSets ?? [];
}

/** Applies one change and waits until every name server has it. */
async function change(
  aws: Aws,
  HostedZoneId: string,
  what: Change,
  call: Operation,
): Promise<void> {
  const options = { abortSignal: call.signal };
  const { ChangeInfo } = await aws.route53.send(
    new ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch: { Changes: [what] } }),
    options,
  );
  await until("waiting for the name servers", call, async () => {
    if (ChangeInfo?.Id === undefined || ChangeInfo.Status === "INSYNC") return true;
    const answer = await aws.route53.send(new GetChangeCommand({ Id: ChangeInfo.Id }), options);
    return answer.ChangeInfo?.Status === "INSYNC" ? true : undefined;
  });
}

/** A record's full name: what does not end with the zone's name is relative to it. */
async function fqdn(aws: Aws, inputs: Props, call: Operation): Promise<string> {
  const name = plainName(mustText(inputs, "name"));
  const command = new GetHostedZoneCommand({ Id: mustText(inputs, "zoneId") });
  const found = await aws.route53.send(command, { abortSignal: call.signal });
  const root = plainName(found.HostedZone?.Name);
  return name === root || name.endsWith(`.${root}`) ? name : `${name}.${root}`;
}

async function recordSet(aws: Aws, inputs: Props, call: Operation): Promise<ResourceRecordSet> {
  return {
    Name: await fqdn(aws, inputs, call),
    Type: mustText(inputs, "type") as RRType,
    TTL: number(inputs, "ttl"),
    ResourceRecords: texts(inputs, "records").map((Value) => ({ Value })),
  };
}

async function findRecord(
  aws: Aws,
  recordId: string,
  state: Props,
  call: Operation,
): Promise<ResourceRecordSet | undefined> {
  const zoneId = mustText(state, "zoneId");
  const type = mustText(state, "type");
  const name = recordId.slice(zoneId.length + 1, -(type.length + 1));
  const sets = await records(aws, zoneId, call);
  return sets.find((set) => plainName(set.Name) === name && set.Type === type);
}

const record: Kind<ResourceRecordSet> = {
  type: "aws:route53/record:Record",
  inputs: {
    shape: {
      zoneId: "string",
      name: "string",
      type: "string",
      ttl: "number",
      records: ["string"],
      allowOverwrite: "boolean",
    },
    required: ["zoneId", "name", "type", "ttl", "records"],
  },
  replace: () => ["zoneId", "name", "type"],
  create: async (aws, inputs, call) => {
    const set = await recordSet(aws, inputs, call);
    const Action = flag(inputs, "allowOverwrite") === true ? "UPSERT" : "CREATE";
    const zoneId = mustText(inputs, "zoneId");
    await change(aws, zoneId, { Action, ResourceRecordSet: set }, call);
    return `${zoneId}_${set.Name ?? ""}_${set.Type ?? ""}`;
  },
  find: findRecord,
  outputs: (_, found) => ({ fqdn: plainName(found.Name) }),
  actual: (found) => ({
    ttl: found.TTL,
    records: (found.ResourceRecords ?? []).map((r) => r.Value),
  }),
  update: async (aws, { inputs }, call) => {
    const set = await recordSet(aws, inputs, call);
    const zoneId = mustText(inputs, "zoneId");
    await change(aws, zoneId, { Action: "UPSERT", ResourceRecordSet: set }, call);
  },
  delete: async (aws, recordId, state, call) => {
    // AWS deletes a record only when told exactly what it holds now.
    const found = await findRecord(aws, recordId, state, call);
    if (found === undefined) return;
    const what: Change = { Action: "DELETE", ResourceRecordSet: found };
    try {
      await change(aws, mustText(state, "zoneId"), what, call);
    } catch (error) {
      const missing = errorCode(error) === "InvalidChangeBatch" && /not found/i.test(String(error));
      if (!missing && !isGone(error)) throw error;
    }
  },
};

/** Everything here, by type token. */
export const route53Resources = {
  [zone.type]: resource(zone),
  [record.type]: resource(record),
};
