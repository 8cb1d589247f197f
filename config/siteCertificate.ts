import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** Days before its end from which a certificate is warned of. */
const warnedDays = 30;

const dayMillis = 86_400_000;

/** How to hand over a certificate; from a file, because the CLI takes a text that begins with - for a flag. */
const advice = "pulumi config set siteCertificate < fullchain.pem";

/** How to hand over its key, which no other process then sees. */
const keyAdvice = "pulumi config set --secret siteCertificateKey < privkey.pem";

/** The certificates of a PEM text in its order, the site's own first; or what is wrong with it, never showing it. */
export function parseCertificates(pem: string): readonly X509Certificate[] | string {
  if (pem.includes("PRIVATE KEY")) {
    return "has a private key in it, which is now in clear text: have a new one made, and set its certificate alone";
  }
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g);
  if (blocks === null) return `is not PEM text with a certificate; set it with: ${advice}`;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return `has a damaged certificate in it; set it again with: ${advice}`;
  }
}

/**
 * Everything that would keep browsers from accepting these certificates for a name at a time.
 *
 * @param domain without one the names are not looked at
 */
export function certificateProblems(
  certificates: readonly X509Certificate[],
  domain: string | undefined,
  now: Date,
): readonly string[] {
  const [own] = certificates;
  if (own === undefined) return [];
  const names = own.subjectAltName ?? "no name at all";
  // The subject's common name is ignored, as browsers do.
  const isFor = (name: string) => own.checkHost(name, { subject: "never" }) !== undefined;
  const isOrdered = certificates.every((one, i) => {
    const issuer = certificates[i + 1];
    return issuer === undefined || one.checkIssued(issuer);
  });
  return [
    ...(domain === undefined || isFor(domain)
      ? []
      : [`is for ${names} and not for siteDomain, ${domain}; have one made for it`]),
    ...(now > new Date(own.validTo) ? [`ended on ${own.validTo}; renew it`] : []),
    ...(now < new Date(own.validFrom)
      ? [`is valid from ${own.validFrom} on, which is still to come; look at this machine's clock`]
      : []),
    ...(isOrdered
      ? []
      : [
          "has certificates in the wrong order; begin with the site's own, each issued by the next, as in fullchain.pem",
        ]),
  ];
}

/**
 * What is wrong with the private key of a certificate, never showing it.
 *
 * @param own the certificate; without one the key is judged by itself
 */
export function privateKeyProblem(
  pem: string,
  own: X509Certificate | undefined,
): string | undefined {
  if (/-----BEGIN ENCRYPTED|Proc-Type:.*ENCRYPTED/.test(pem)) {
    return "has a passphrase, which the load balancer could not give; take it out with: openssl pkey";
  }
  const key = parseKey(pem);
  if (key === undefined) return `is not PEM text with a private key; set it with: ${keyAdvice}`;
  if (own !== undefined && !own.checkPrivateKey(key)) {
    return "does not belong to siteCertificate; set the two that were made together";
  }
  return undefined;
}

/** Says that a certificate ends soon; undefined while it is far from it. */
export function expiryWarning(expires: Date, now: Date): string | undefined {
  const days = Math.floor((expires.getTime() - now.getTime()) / dayMillis);
  if (days >= warnedDays) return undefined;
  return `siteCertificate ends in ${days} days, on ${expires.toUTCString()}: renew it, set siteCertificate and siteCertificateKey, and run up`;
}

/** The errors of the parser could repeat what it parsed. */
function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
