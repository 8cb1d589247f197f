/** Stand-in for the tls plugin: ED25519 private keys. */
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { version } from "@pulumi/tls/package.json";
import { diffInputs } from "../../rancher/plugin/diff";
import { checkInputs, standIn } from "./standIn";

/** SSH's wire form of a string: its length in four bytes, then the bytes (RFC 4251, section 5). */
function field(content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function pem(label: string, content: Buffer, width: number): string {
  const lines = content.toString("base64").match(new RegExp(`.{1,${width}}`, "g")) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** A new ED25519 key pair in every form in which the real plugin gives it. */
export function generateEd25519() {
  const pair = generateKeyPairSync("ed25519");
  const jwk = pair.privateKey.export({ format: "jwk" });
  const publicPart = Buffer.from(jwk.x ?? "", "base64url");
  const seed = Buffer.from(jwk.d ?? "", "base64url");
  const type = "ssh-ed25519";
  const publicBlob = Buffer.concat([field(type), field(publicPart)]);
  // OpenSSH's own format, `PROTOCOL.key` in its sources: two equal check numbers, the key, a comment.
  const check = randomBytes(4);
  const body = [check, check, publicBlob, field(Buffer.concat([seed, publicPart])), field("")];
  const unpadded = Buffer.concat(body);
  const padding = Buffer.from(
    Array.from({ length: (8 - (unpadded.length % 8)) % 8 }, (_, i) => i + 1),
  );
  const count = Buffer.from([0, 0, 0, 1]);
  const openssh = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...[field("none"), field("none"), field(""), count, field(publicBlob)],
    field(Buffer.concat([unpadded, padding])),
  ]);
  const pkcs8 = pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const md5 = createHash("md5").update(publicBlob).digest("hex");
  const sha256 = createHash("sha256").update(publicBlob).digest("base64").replace(/=+$/, "");
  return {
    privateKeyOpenssh: pem("OPENSSH PRIVATE KEY", openssh, 70),
    privateKeyPem: pkcs8,
    privateKeyPemPkcs8: pkcs8,
    publicKeyPem: pair.publicKey.export({ format: "pem", type: "spki" }).toString(),
    publicKeyOpenssh: `${type} ${publicBlob.toString("base64")}\n`,
    publicKeyFingerprintMd5: md5.replace(/..(?!$)/g, "$&:"),
    publicKeyFingerprintSha256: `SHA256:${sha256}`,
  };
}

const privateKey = "tls:index/privateKey:PrivateKey";
const check = checkInputs(privateKey, { shape: { algorithm: "string" }, required: ["algorithm"] });

/** The tls plugin. */
export const tls = standIn<null>("tls", version, {
  configure: () => null,
  resources: {
    [privateKey]: {
      secretOutputs: ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"],
      check: (inputs, old, call) => {
        const { problems } = check(inputs, old, call);
        const algorithm = inputs["algorithm"];
        if (typeof algorithm === "string" && algorithm !== "ED25519") {
          const reason = `the lab's stand-in makes ED25519 keys only, got ${algorithm}`;
          problems.push({ path: "algorithm", reason });
        }
        return { inputs, problems };
      },
      diff: ({ oldInputs, inputs }) => diffInputs(oldInputs, inputs, { replace: true }),
      create: (_, inputs) => {
        const pair = generateEd25519();
        const id = createHash("sha1").update(pair.publicKeyPem).digest("hex");
        const outputs = { ...inputs, ecdsaCurve: "P224", rsaBits: 2048, ...pair };
        return Promise.resolve({ id, outputs });
      },
      read: (_, { id, inputs, outputs }) => Promise.resolve({ state: { id, outputs }, inputs }),
      delete: () => Promise.resolve(),
    },
  },
});
