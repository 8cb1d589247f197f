import { differs, newDoc, type Database } from "../database";
import type { CertificateDoc, ServiceDoc } from "../documents";
import { ApiError, invalid, methodNotAllowed } from "../errors";
import type { Context } from "../http/context";
import { commonFields } from "../http/format";
import { optionalString, type Body } from "../http/validate";
import { formatId, parseId } from "../ids";
import { readCertificate, type CertificateFacts } from "../x509";
import type { ResourceType } from "./type";

/** Largest certificate, chain or key. Source: schema 104. */
const maxPem = 65535;

/** What the real server says to a text that is not PEM, an accident of its own. Source: recording 355. */
const notPem =
  'Cannot invoke "org.bouncycastle.util.io.pem.PemObject.getContent()" because "pem" is null';

/** A text that must be there. */
function required(body: Body, field: string, maxLength: number): string {
  const value = optionalString(body, field, maxLength);
  if (value === null || value === "") throw invalid("MissingRequired", field);
  return value;
}

/** Only the certificate is parsed; neither key nor chain is looked at. Source: recording 355, cattle. */
function facts(cert: string | null): CertificateFacts {
  try {
    return readCertificate(cert ?? "");
  } catch {
    const isPem = /^-----BEGIN /m.test(cert ?? "");
    throw new ApiError(422, "InvalidFormat", isPem ? "Could not parse certificate" : notPem);
  }
}

/** A name is unique within its environment. Source: schema 104, cattle's test_cert.py. */
function checkUnique(name: string, accountId: number | null, c: Context, except?: number): void {
  const taken = c.app.db.certificates
    .live()
    .some(
      (x) =>
        x.accountId === accountId &&
        x.id !== except &&
        x.name?.toLowerCase() === name.toLowerCase(),
    );
  if (taken) throw invalid("NotUnique", "name");
}

/** Load balancers whose configuration names the certificate. */
function users(row: CertificateDoc, db: Database): ServiceDoc[] {
  const id = formatId("certificate", row.id);
  return db.services
    .live()
    .filter(
      (s) =>
        s.lbConfig?.defaultCertificateId === id ||
        s.lbConfig?.certificateIds?.includes(id) === true,
    );
}

/** Keys just sent, by row: the answer to create shows the key and nothing else does. Source: schema 104. */
const fresh = new WeakMap<CertificateDoc, string>();

function update(row: CertificateDoc, body: Body, c: Context): void {
  const { db } = c.app;
  const change: Partial<CertificateDoc> = {};
  if ("name" in body) {
    change.name = required(body, "name", 255);
    checkUnique(change.name, row.accountId, c, row.id);
  }
  if ("description" in body) change.description = optionalString(body, "description", 1024);
  // The real server parses the certificate of each PUT, also when there is none in it.
  const cert = optionalString(body, "cert", maxPem);
  change.facts = facts(cert);
  if (cert !== null) change.cert = cert;
  if ("key" in body) change.key = required(body, "key", maxPem);
  if ("certChain" in body) change.certChain = optionalString(body, "certChain", maxPem);
  if (!differs(row, change)) return;
  db.setState(db.certificates, row, "updating-active", "yes", undefined, change);
}

function remove(row: CertificateDoc, c: Context): void {
  const { db } = c.app;
  if (row.removed !== null || row.state === "removing") return;
  const names = users(row, db).map((s) => s.name ?? "");
  if (names.length > 0) {
    throw new ApiError(
      405,
      "InvalidAction",
      `Certificate is in use by load balancer services: ${names.join(",")}`,
    );
  }
  db.setState(db.certificates, row, "removing", "yes");
}

/**
 * Certificates of load balancers. Recorded are only the schema (104) and a refusal (355); the rest follows
 * cattle's sources: fields from the certificate, unique names, 405 while a load balancer uses it (the real
 * server overlooks `certificateIds` there and sees only `defaultCertificateId`), a PUT that needs `cert`.
 * The states' order and the actions are taken from the schema's lists.
 */
export const certificateType: ResourceType<CertificateDoc> = {
  type: "certificate",
  baseType: "certificate",
  plural: "certificates",
  where: "both",
  creatable: "project",
  filters: [
    "accountId",
    "cert",
    "certChain",
    "created",
    "description",
    "id",
    "kind",
    "name",
    "removeTime",
    "removed",
    "state",
    "uuid",
  ],
  createTypes: { certificate: "certificates" },
  rows: (c) => c.app.db.certificates.all(),
  find: (id, c) => c.app.db.certificates.get(parseId(id)),
  idOf: (r) => formatId("certificate", r.id),
  isRemoved: (r) => r.removed !== null,
  fields: (r) => ({
    ...commonFields(r),
    ...r.facts,
    accountId: formatId("account", r.accountId),
    cert: r.cert,
    certChain: r.certChain,
    key: fresh.get(r) ?? null,
  }),
  links: () => ["account"],
  actions: (r) => (r.state === "active" ? ["update", "remove"] : []),
  allActions: ["create", "update", "remove"],
  create: (body, c) => {
    if (c.project === undefined) throw methodNotAllowed();
    const name = required(body, "name", 255);
    const cert = required(body, "cert", maxPem);
    const key = required(body, "key", maxPem);
    checkUnique(name, c.project.id, c);
    const row = c.app.db.certificates.insert({
      ...newDoc("certificate", "activating", c.project.id),
      name,
      description: optionalString(body, "description", 1024),
      cert,
      key,
      certChain: optionalString(body, "certChain", maxPem),
      facts: facts(cert),
    });
    fresh.set(row, key);
    // Long enough for this request's answer only.
    setImmediate(() => fresh.delete(row));
    return row;
  },
  update,
  remove,
  act: (row, action, body, c) => {
    if (action === "update") update(row, body, c);
    if (action === "remove") remove(row, c);
    return { status: 202 };
  },
};
