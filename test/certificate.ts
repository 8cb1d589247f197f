import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";

/** A certificate that nobody trusts by itself, and its key, both PEM. */
export interface SelfMade {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Makes a certificate with openssl, valid for 90 days.
 *
 * @param names as openssl writes them, such as `DNS:*.example.com` or `IP:192.0.2.1`
 * @param issuer who signs it; by default it signs itself
 */
export function makeCertificate(names: readonly string[], issuer?: SelfMade): SelfMade {
  const folder = mkdtempSync(path.join(tmpdir(), "certificate-"));
  const file = (name: string) => path.join(folder, name);
  try {
    const args = [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "90", "-subj", "/CN=made for a test"],
      ...(names.length === 0 ? [] : ["-addext", `subjectAltName=${names.join(",")}`]),
      ...["-keyout", file("key"), "-out", file("certificate")],
    ];
    if (issuer !== undefined) {
      writeFileSync(file("issuer"), issuer.certificate);
      writeFileSync(file("issuer-key"), issuer.key);
      args.push("-CA", file("issuer"), "-CAkey", file("issuer-key"), "-subj", "/CN=signed");
    }
    execFileSync("openssl", args, { stdio: "pipe" });
    return {
      certificate: readFileSync(file("certificate"), "utf8"),
      key: readFileSync(file("key"), "utf8"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
