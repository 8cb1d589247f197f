/** What a new environment is made of: the text of its file, and everything that is wrong with it. */
import { type Document, isMap, isScalar, isSeq, parseDocument, YAMLMap } from "yaml";
import { namespace, parseSettings } from "../config/settings";
import { stackNameProblem } from "../config/stackName";
import { ownName } from "./stack";

/** Lines that only hold for the stack they were written for: how its secrets are encrypted. */
const encryption = ["encryptionsalt", "secretsprovider", "encryptedkey"];

/** Settings of one place, site or person, which another environment does not take over. */
const personal = [
  "aws:region",
  "adminCidrs",
  "sshPublicKey",
  "siteDomain",
  "siteCertificate",
  "siteCertificateKey",
  "smtpHost",
  "smtpPort",
  "smtpUser",
  "smtpPassword",
  "smtpFrom",
].map((key) => (key.includes(":") ? key : `${namespace}:${key}`));

/** What the caller has said of the environment. */
export interface Wishes {
  /** `aws:region`. */
  readonly region: string | undefined;
  /** `adminCidrs`; none means that nothing was said. */
  readonly adminCidrs: readonly string[];
  /** `sshPublicKey`, as its file has it. */
  readonly sshPublicKey: string | undefined;
}

/** The file of an environment as it would be written. */
export interface Draft {
  readonly text: string;
  /** Everything that keeps it from being one, a line each. */
  readonly problems: readonly string[];
  /** Full keys of the file it is made from that were not taken over. */
  readonly leftOut: readonly string[];
}

/** Names that a stack may have: they become part of tags, host names and a private DNS zone. */
const stackName = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/**
 * Says what is wrong with the name of an environment, or undefined.
 *
 * @param name with or without the organisation of Pulumi Cloud before it: `prod`, `acme/prod`
 */
export function nameProblem(name: string): string | undefined {
  const [organisation, own] = name.includes("/") ? name.split(/\/(.*)/) : [undefined, name];
  if (stackName.test(own ?? "") && (organisation === undefined || /^[\w-]+$/.test(organisation))) {
    return stackNameProblem(own ?? "");
  }
  return `"${name}" is no name for an environment; use lower-case letters, digits and hyphens, beginning with a letter, 40 at most, such as prod`;
}

/** The file that the CLI keeps an environment's configuration in. */
export function fileOf(name: string): string {
  return `Pulumi.${ownName(name)}.yaml`;
}

/** A value of the file as the CLI hands it to the program: lists are JSON. */
function asGiven(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}

/** The map of settings in a file, made when there is none. */
function configOf(document: Document): YAMLMap {
  const found = document.get("config");
  if (isMap(found)) return found;
  const made = new YAMLMap();
  document.set("config", made);
  return made;
}

/** The key of a pair as text. */
function keyOf(pair: { key: unknown }): string {
  return String(isScalar(pair.key) ? pair.key.value : pair.key);
}

/**
 * Fills wishes into the file of an environment, never over a value that it has, and checks the whole as the
 * program itself will.
 *
 * @param file what there is: the environment's own file, or that of another one to begin with
 * @param origin name of that other one, whose secrets, key and people stay behind; undefined means its own
 */
export function draft(file: string, wishes: Wishes, origin: string | undefined): Draft {
  const document = parseDocument(file);
  const [broken] = document.errors;
  if (broken !== undefined) {
    return { text: file, problems: [`is not YAML: ${broken.message}`], leftOut: [] };
  }
  const config = configOf(document);
  if (origin !== undefined) {
    const first = isMap(document.contents) ? document.contents.items[0]?.key : undefined;
    if (isScalar(first)) first.commentBefore = undefined;
    document.commentBefore = ` Made from ${fileOf(origin)} by: npm run new-environment`;
  }
  const leftOut = origin === undefined ? [] : strip(document, config);
  const conflicts: string[] = [];
  for (const { key, option, value, comment } of settingsOf(wishes)) {
    const present = config.get(key);
    if (present === undefined) {
      const pair = document.createPair(key, value);
      if (isScalar(pair.key)) pair.key.commentBefore = ` ${comment}`;
      config.add(pair);
    } else {
      const has = asGiven(isMap(present) || isSeq(present) ? present.toJSON() : present);
      if (has === asGiven(value)) continue;
      conflicts.push(
        `${key}: is ${has} in the file already; leave ${option} out, or change it there`,
      );
    }
  }
  const text = document.toString({ lineWidth: 0 });
  return { text, problems: [...conflicts, ...check(config)], leftOut };
}

/** The settings that wishes are about. */
function settingsOf({ region, adminCidrs, sshPublicKey }: Wishes) {
  return [
    {
      key: "aws:region",
      option: "--region",
      value: region,
      comment: "Picks the image of RancherOS as well.",
    },
    {
      key: `${namespace}:adminCidrs`,
      option: "--admin-cidr",
      value: adminCidrs.length > 0 ? adminCidrs : undefined,
      comment: "Who may reach SSH of the server.",
    },
    {
      key: `${namespace}:sshPublicKey`,
      option: "--ssh-public-key",
      value: sshPublicKey,
      comment: "Who may log in; the private half stays in the ssh-agent.",
    },
  ].filter(({ value }) => value !== undefined);
}

/** Takes out of another environment's file what is not for this one; returns the keys of settings among it. */
function strip(document: Document, config: YAMLMap): readonly string[] {
  for (const key of encryption) document.delete(key);
  const gone = config.items
    .map((pair) => keyOf(pair))
    .filter(
      (key) =>
        personal.includes(key) || isEncrypted((config.toJSON() as Record<string, unknown>)[key]),
    );
  for (const key of gone) config.delete(key);
  return gone;
}

/** Every problem of a file that the program would refuse. */
function check(config: YAMLMap): readonly string[] {
  const values = Object.entries(config.toJSON() as Record<string, unknown>);
  const encrypted = values.filter(([, value]) => isEncrypted(value)).map(([key]) => key);
  const outcome = parseSettings({
    values: Object.fromEntries(
      values
        .filter(([key]) => !encrypted.includes(key))
        .map(([key, value]) => [key, asGiven(value)]),
    ),
    secretKeys: new Set(encrypted),
    environmentRegion: undefined,
    now: new Date(),
  });
  if ("region" in outcome) return [];
  // What is encrypted cannot be judged here; the program does it in the first preview.
  return outcome.filter((line) => !encrypted.some((key) => line.startsWith(`${key}: `)));
}
