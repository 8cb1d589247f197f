/** Checks of the AWS account and region that a stack is to be built in. */
import {
  demandOf,
  type Finding,
  imageFindings,
  imagePublisher,
  offeringFindings,
  ownImageGuide,
  quotaFinding,
  type QuotaName,
  quotas,
  typesWanted,
} from "../../config/account";
import type { Settings } from "../../config/settings";
import { zonesFor, zonesProblem } from "../../config/zones";
import { type AwsAnswers, type Identity, isAboutCredentials } from "./awsAnswers";
import { type Check, fail, type Found, type Group, once, pass, waitsFor } from "./engine";

/** What {@link accountChecks} look at. */
export interface AccountChecksArgs {
  /** The settings; rejects with `Unknown` while they are wrong. */
  readonly settings: () => Promise<Settings>;
  /** Who answers for AWS; rejects when nobody can be asked. */
  readonly aws: () => Promise<AwsAnswers>;
}

/** How the fields of findings read in a check. */
function failed(findings: readonly Finding[]): Found | undefined {
  if (findings.length === 0) return undefined;
  const unique = (texts: readonly string[]) => [...new Set(texts)].join("\n");
  return fail(
    unique(findings.map(({ key, reason }) => `${key}: ${reason}`)),
    unique(findings.map(({ fix }) => fix)),
  );
}

/** What AWS says of the account, the image, the instance types and the quotas. */
export function accountChecks({ settings, aws }: AccountChecksArgs): Group {
  // Not the checks' own signals: several of them wait for the same answer.
  const identity = once(async (): Promise<Identity> => {
    return (await aws()).identity(AbortSignal.timeout(20_000));
  });
  const zones = once(async () => (await aws()).zones(AbortSignal.timeout(20_000)));
  const image = once(async () => {
    const { amiId } = await settings();
    return (await aws()).image(amiId, AbortSignal.timeout(20_000));
  });

  /** A check that waits for right settings and good credentials. */
  const check = (
    id: string,
    title: string,
    find: (wanted: Settings, answers: AwsAnswers, signal: AbortSignal) => Promise<Found>,
  ): Check => ({
    id,
    title,
    run: async (signal) => {
      const wanted = await settings();
      const answers = await aws();
      const who = await identity().catch(() => undefined);
      if (who === undefined) throw waitsFor("aws.credentials");
      return find(wanted, answers, signal);
    },
  });

  const quota = (id: string, name: QuotaName) =>
    check(id, `the quota of ${quotas[name].unit} is enough`, async (wanted, answers, signal) => {
      const demand = demandOf(wanted);
      const [granted, taken] = await Promise.all([
        answers.granted(name, signal),
        answers.taken(name, signal),
      ]);
      const finding = quotaFinding(name, demand[name], granted, taken.byOthers);
      if (finding !== undefined) return fail(finding.reason, finding.fix);
      const left = granted - taken.byOthers - demand[name];
      const spare =
        name === "vcpus" && left < demand.vcpusToReplace
          ? `; a machine that is replaced takes ${demand.vcpusToReplace} more for a while, and ${left} would be left`
          : "";
      return pass(`${demand[name]} of ${granted}, ${taken.byOthers} are others'${spare}`);
    });

  return {
    title: "AWS account",
    checks: [
      {
        id: "aws.credentials",
        title: "AWS knows the credentials",
        run: async () => {
          try {
            const { account, arn } = await identity();
            return pass(`${arn} of the account ${account}`);
          } catch (error) {
            if (!isAboutCredentials(error)) throw error;
            return fail(
              (error as Error).message,
              "put credentials that work into the environment; try: aws sts get-caller-identity",
            );
          }
        },
      },
      check("aws.region", "the region can be used", async () => {
        try {
          const problem = zonesProblem(await zones());
          if (problem !== undefined) return fail(problem, "choose another for aws:region");
          return pass(`in ${zonesFor(await zones()).join(" and ")}`);
        } catch (error) {
          if (!isAboutCredentials(error)) throw error;
          return fail(
            "the account's credentials do not work there",
            "enable the region in the account's settings, or choose another for aws:region",
          );
        }
      }),
      check("aws.ami.launchable", "the image can be launched", async (wanted) => {
        const found = await image();
        const finding = failed(imageFindings(wanted, found));
        if (finding !== undefined) return finding;
        const deprecated =
          found?.deprecated === undefined ? "" : ", deprecated, which hides it only";
        return pass(`${wanted.amiId} of ${found?.ownerId ?? "somebody"}${deprecated}`);
      }),
      check(
        "aws.account.metadata",
        "machines may answer metadata requests without a token",
        async (_, answers, signal) => {
          if (!(await answers.enforcesTokens(signal))) {
            return pass("the account does not enforce tokens");
          }
          return fail(
            "the account enforces IMDSv2, and RancherOS speaks IMDSv1 only",
            "have HttpTokensEnforced disabled for the region, or use another account",
          );
        },
      ),
      check(
        "aws.account.allowed-images",
        "the account allows the image's publisher",
        async (_, answers, signal) => {
          const [{ state, providers }, found, who] = await Promise.all([
            answers.allowedImages(signal),
            image(),
            identity(),
          ]);
          if (state !== "enabled") return pass(`Allowed AMIs is ${state}`);
          const owner = found?.ownerId ?? imagePublisher;
          if (owner === who.account) return pass("the image is the account's own");
          if (found !== undefined) return pass(`images of ${owner} are allowed`);
          return fail(
            `Allowed AMIs lets the account launch images of ${providers.join(", ") || "nobody else"} only`,
            `have ${owner} added to the criteria, or set amiId to an image of the account's own (${ownImageGuide})`,
          );
        },
      ),
      check(
        "aws.types.offered",
        "the zones have the instance types",
        async (wanted, answers, signal) => {
          const types = [...new Set([wanted.serverInstanceType, wanted.agentInstanceType])];
          const [offered, names] = await Promise.all([answers.offerings(types, signal), zones()]);
          const places = zonesFor(names);
          return (
            failed(offeringFindings(typesWanted(wanted, places), offered)) ??
            pass(`${types.join(" and ")} in ${places.join(" and ")}`)
          );
        },
      ),
      quota("aws.quota.vcpus", "vcpus"),
      quota("aws.quota.addresses", "addresses"),
    ],
  };
}
