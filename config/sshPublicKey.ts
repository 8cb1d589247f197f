/** Key types that the OpenSSH of RancherOS 1.5.8 accepts and that are safe to use. */
const types = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
];

/** Bytes of the shortest RSA key worth having: 2048 bits of modulus and its wrapping. */
const leastRsaBytes = 270;

/** Says what is wrong with an OpenSSH public key, never showing it; undefined when it is well-formed. */
export function sshKeyProblem(text: string): string | undefined {
  const example = 'paste the one line of a .pub file, such as "ssh-ed25519 AAAA... name"';
  if (text === "") return `is missing; ${example}`;
  if (/PRIVATE KEY/.test(text)) {
    return `looks like a private key, which must stay with you; ${example} and make a new key pair`;
  }
  if (/[\r\n]/.test(text)) return `has more than one line; ${example}`;
  const [type = "", body = ""] = text.split(/\s+/);
  if (!types.includes(type)) return `does not begin with one of ${types.join(", ")}; ${example}`;
  const bytes = Buffer.from(body, "base64");
  const roundTrip = bytes.toString("base64").replace(/=+$/, "") === body.replace(/=+$/, "");
  const named =
    bytes.length > 4 ? bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString("latin1") : "";
  if (!roundTrip || named !== type)
    return `is damaged: its second word is not a key of type ${type}; ${example}`;
  if (type === "ssh-ed25519" && bytes.length !== 51) return `is cut off; ${example}`;
  if (type === "ssh-rsa" && bytes.length < leastRsaBytes) {
    return "is an RSA key of less than 2048 bits; use a longer one, or ed25519";
  }
  return undefined;
}
