import { X509Certificate } from "node:crypto";

/** What Rancher shows of a certificate, in the text forms of its Java classes. Source: schema 104, cattle. */
export interface CertificateFacts {
  /** Common name of the subject; null when it has none. */
  readonly CN: string | null;
  /** `SHA256withRSA`; the object identifier when it is not a common one. */
  readonly algorithm: string;
  /** SHA-1, `ab:cd:…` in lower case. */
  readonly certFingerprint: string;
  /** `Wed Jun 28 01:13:32 UTC 2026` */
  readonly expiresAt: string;
  readonly issuedAt: string;
  /** RFC 2253, most specific part first: `CN=ca,O=example`. */
  readonly issuer: string;
  /** Bits of an RSA key; null for other keys. */
  readonly keySize: number | null;
  /** Decimal. */
  readonly serialNumber: string;
  /** Names and addresses without their kind; null when there are none. */
  readonly subjectAlternativeNames: string[] | null;
  /** `3` */
  readonly version: string;
}

/** Signature algorithms by DER-encoded object identifier, in Java's names. Source: RFC 8017, 5758, 8410. */
const algorithms: Readonly<Record<string, string>> = {
  "2a864886f70d010104": "MD5withRSA",
  "2a864886f70d010105": "SHA1withRSA",
  "2a864886f70d01010b": "SHA256withRSA",
  "2a864886f70d01010c": "SHA384withRSA",
  "2a864886f70d01010d": "SHA512withRSA",
  "2a864886f70d01010a": "RSASSA-PSS",
  "2a8648ce3d040302": "SHA256withECDSA",
  "2a8648ce3d040303": "SHA384withECDSA",
  "2a8648ce3d040304": "SHA512withECDSA",
  "2b6570": "Ed25519",
};

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** What follows it. */
  readonly rest: Buffer;
}

/** One DER element; enough of DER to read the outline of a certificate. */
function element(der: Buffer): Element {
  const tag = der[0] ?? 0;
  const first = der[1] ?? 0;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  return {
    tag,
    content: der.subarray(start, start + length),
    rest: der.subarray(start + length),
  };
}

/** Version and signature algorithm, which node:crypto does not tell. */
function outline(der: Buffer): { version: string; algorithm: string } {
  const signed = element(element(der).content);
  const oid = element(element(signed.rest).content).content.toString("hex");
  const first = element(signed.content);
  // [0] holds the version less one; without it the version is 1.
  const version = first.tag === 0xa0 ? (element(first.content).content[0] ?? 0) + 1 : 1;
  return { version: String(version), algorithm: algorithms[oid] ?? oid };
}

/** `Nov 23 06:00:00 2026 GMT` as Java prints a date on a server whose clock runs on UTC. */
function javaDate(text: string): string {
  const [weekday = "", month = "", day = "", time = "", , year = ""] = new Date(text)
    .toUTCString()
    .replace(/^(\w+), (\d+) (\w+) (\d+) ([\d:]+) GMT$/, "$1 $3 $2 $5 UTC $4")
    .split(" ");
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}

/** `DNS:a.test, IP Address:192.0.2.1` without the kinds. */
function alternativeNames(text: string | undefined): string[] | null {
  if (text === undefined || text === "") return null;
  return text.split(/, (?=[A-Za-z ]+:)/).map((entry) => entry.replace(/^[A-Za-z ]+:/, ""));
}

/** Reads the first certificate of a PEM text. Throws when there is none. */
export function readCertificate(pem: string): CertificateFacts {
  const cert = new X509Certificate(pem);
  const names = (distinguished: string | undefined): string[] =>
    (distinguished ?? "").split("\n").filter((part) => part !== "");
  return {
    ...outline(cert.raw),
    CN:
      names(cert.subject)
        .find((part) => part.startsWith("CN="))
        ?.slice(3) ?? null,
    certFingerprint: cert.fingerprint.toLowerCase(),
    expiresAt: javaDate(cert.validTo),
    issuedAt: javaDate(cert.validFrom),
    issuer: names(cert.issuer).reverse().join(","),
    keySize:
      cert.publicKey.asymmetricKeyType === "rsa"
        ? (cert.publicKey.asymmetricKeyDetails?.modulusLength ?? null)
        : null,
    serialNumber: BigInt(`0x${cert.serialNumber}`).toString(),
    subjectAlternativeNames: alternativeNames(cert.subjectAltName),
  };
}
