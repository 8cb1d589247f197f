/** Keeps secrets out of what everyone who reads a pull request can read. */

/** What stands where a secret was. */
export const hidden = "[secret]";

/** Where Pulumi has a value only after `up` (sdk/nodejs/runtime/rpc.ts, unknownValue and its kin). */
const unknown = /^04da6b54-80e4-46f7-96ec-b56ff0331ba9$|^1c4a061d-8072-4f0a-a4cb-0ff528b18fe7$/;

/** Variables of this process whose values never belong in a text. */
const secretVariable = /(PASSPHRASE|PASSWORD|SECRET|TOKEN|ACCESS_KEY|PRIVATE_KEY)/;

/** Texts that are secrets wherever they stand. */
const shapes: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|pul-[0-9a-f]{40})\b/g,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  // A password in an address.
  /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g,
  /(?<=\b(password|passphrase|secret|token)["']?\s?[:=]\s?["']?)[^\s"'[\],;]{4,}/gi,
];

/** Names of properties whose values are not shown, whether they are marked as secrets or not. */
const secretProperty =
  /(password|passphrase|secret|token|private|userdata|kubeconfig|credential|accesskey|hostkey)/i;

/** Whether the value of a property may be shown at all. */
export function isShown(property: string): boolean {
  return !secretProperty.test(property.replaceAll(/[^a-z]/gi, ""));
}

/** Replaces all that looks like a secret, and what this process has as one, in a text. */
export function redact(text: string, environment: NodeJS.ProcessEnv = process.env): string {
  const known = Object.entries(environment)
    .flatMap(([name, value]) =>
      secretVariable.test(name) && !name.endsWith("_FILE") && (value ?? "").length >= 6
        ? [value ?? ""]
        : [],
    )
    // The longest first, because one may contain another.
    .sort((a, b) => b.length - a.length);
  const without = known.reduce((rest, value) => rest.replaceAll(value, hidden), text);
  return shapes.reduce((rest, shape) => rest.replace(shape, hidden), without);
}

/** Whether Pulumi does not know a value yet. */
export function isUnknown(value: unknown): boolean {
  return typeof value === "string" && unknown.test(value);
}
