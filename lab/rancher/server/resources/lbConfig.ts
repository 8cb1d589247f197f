import type { Database } from "../database";
import type { LbConfig, PortRule, ServiceDoc } from "../documents";
import { invalid } from "../errors";
import {
  isObject,
  optionalBoolean,
  optionalInt,
  optionalString,
  optionalStringList,
  type Body,
} from "../http/validate";
import { formatId, parseId } from "../ids";

const protocols = ["http", "tcp", "https", "tls", "sni", "udp"];

function parseRule(value: unknown, db: Database, balancer: boolean): PortRule {
  if (!isObject(value)) throw invalid("InvalidFormat", "portRules");
  const rule: PortRule = { type: balancer ? "portRule" : "targetPortRule" };
  for (const field of ["backendName", "environment", "hostname", "path", "region", "selector"]) {
    const s = optionalString(value, field);
    if (s !== null && s !== "") rule[field] = s;
  }
  for (const [field, min, max] of [
    ["priority", 1, Infinity],
    ["sourcePort", 1, 65535],
    ["targetPort", 1, 65535],
    ["weight", 0, 256],
  ] as const) {
    const n = optionalInt(value, field, min, max);
    if (n !== null) rule[field] = n;
  }
  if (!balancer) return rule;
  if (rule.sourcePort === undefined) throw invalid("MissingRequired", "sourcePort");
  if (rule.sourcePort === 42) throw invalid("InvalidOption", "sourcePort");
  const protocol = optionalString(value, "protocol") ?? "http";
  if (!protocols.includes(protocol)) throw invalid("InvalidOption", "protocol");
  rule.protocol = protocol;
  const service = value.serviceId;
  const given = service !== undefined && service !== null && service !== "";
  if (given && rule.selector !== undefined) throw invalid("InvalidOption", "serviceId");
  if (!given && rule.selector === undefined) throw invalid("MissingRequired", "serviceId");
  if (given) {
    const found = db.services.get(parseId(service));
    if (found === undefined || found.removed !== null)
      throw invalid("InvalidReference", "serviceId");
    if (rule.targetPort === undefined) throw invalid("MissingRequired", "targetPort");
    rule.serviceId = found.id;
  }
  return rule;
}

/** Checks a load balancer's configuration (`balancer`) or a plain service's target configuration. */
export function parseLbConfig(value: unknown, db: Database, balancer: boolean): LbConfig {
  if (!isObject(value)) throw invalid("InvalidFormat", "lbConfig");
  const out: LbConfig = { type: balancer ? "lbConfig" : "lbTargetConfig" };
  if (value.portRules !== undefined && value.portRules !== null) {
    if (!Array.isArray(value.portRules)) throw invalid("InvalidFormat", "portRules");
    out.portRules = value.portRules.map((r) => parseRule(r, db, balancer));
  }
  if (!balancer) return out;
  const config = optionalString(value, "config", 65535);
  if (config !== null) out.config = config;
  const certificates = optionalStringList(value, "certificateIds");
  if (certificates !== null)
    out.certificateIds = certificates.map((id) => certificateId(id, "certificateIds", db));
  const certificate = optionalString(value, "defaultCertificateId");
  if (certificate !== null && certificate !== "")
    out.defaultCertificateId = certificateId(certificate, "defaultCertificateId", db);
  if (isObject(value.stickinessPolicy))
    out.stickinessPolicy = parseStickiness(value.stickinessPolicy);
  return out;
}

/** A certificate that is there, as `1c4`. A balancer may go without, also with https rules. */
function certificateId(given: string, field: string, db: Database): string {
  const found = db.certificates.get(parseId(given));
  if (found === undefined || found.removed !== null) throw invalid("InvalidReference", field);
  return formatId("certificate", found.id);
}

function parseStickiness(value: Body): Body {
  const out: Body = { type: "loadBalancerCookieStickinessPolicy" };
  for (const field of ["cookie", "domain", "name"]) {
    const s = optionalString(value, field);
    if (s !== null) out[field] = s;
  }
  for (const field of ["indirect", "nocache", "postonly"]) {
    const b = optionalBoolean(value, field);
    if (b !== null) out[field] = b;
  }
  const mode = optionalString(value, "mode") ?? "insert";
  if (!["rewrite", "insert", "prefix"].includes(mode)) throw invalid("InvalidOption", "mode");
  out.mode = mode;
  return out;
}

/** As the API shows it: service ids as `1s4`, keys in order. */
export function formatLbConfig(config: LbConfig | null): Body | null {
  if (config === null) return null;
  const { portRules, ...rest } = config;
  return {
    ...rest,
    ...(portRules === undefined
      ? {}
      : {
          portRules: portRules.map((r) => ({
            ...r,
            ...(r.serviceId === undefined ? {} : { serviceId: formatId("service", r.serviceId) }),
          })),
        }),
  };
}

/** Links that a load balancer keeps by itself: name of each target service -> its id. */
export function linksOfBalancer(config: LbConfig | null, db: Database): Record<string, number> {
  const links: Record<string, number> = {};
  for (const rule of config?.portRules ?? []) {
    const target: ServiceDoc | undefined = db.services.get(rule.serviceId);
    if (target?.name !== undefined && target.name !== null) links[target.name] = target.id;
  }
  return links;
}
