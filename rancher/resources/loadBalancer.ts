/** A load balancer: HAProxy containers whose rules lead from ports of hosts to services. */
import type { Props } from "../plugin/types";
import { equal } from "../plugin/values";
import type { Place } from "./checks";
import { HEALTH_PORT, withoutInjected } from "./injected";
import { serviceLike } from "./serviceLike";

/** Fields of a port rule. Source: schema `portRule`. */
const RULE_FIELDS = [
  "backendName",
  "environment",
  "hostname",
  "path",
  "priority",
  "protocol",
  "region",
  "selector",
  "serviceId",
  "sourcePort",
  "targetPort",
  "weight",
];
/** Fields of a load balancer's configuration. Source: schema `lbConfig`. */
const LB_FIELDS = [
  "certificateIds",
  "config",
  "defaultCertificateId",
  "portRules",
  "stickinessPolicy",
];
const STICKINESS_FIELDS = ["cookie", "domain", "indirect", "mode", "name", "nocache", "postonly"];
/** The schema lists udp too, but HAProxy does not do it. */
const PROTOCOLS = ["http", "https", "tcp", "tls", "sni"];
/** The load balancer ends these itself, and for that needs a certificate. */
const ENCRYPTED = ["https", "tls"];

/** Fields of a launch config that name sidekicks. */
const SIDEKICK_FIELDS = ["networkLaunchConfig", "dataVolumesFromLaunchConfigs"];

/** See `rancher.LoadBalancer`. */
export const loadBalancer = serviceLike({
  kind: "loadbalancerservices",
  noun: "load balancer",
  properties: ["lbConfig"],
  fields: ["lbConfig"],
  fixed: [],
  defaults(inputs) {
    const config = inputs["lbConfig"];
    if (!isObject(config)) return inputs;
    const { portRules: rules, stickinessPolicy: policy } = config;
    const portRules = Array.isArray(rules)
      ? rules.map((rule: unknown) => (isObject(rule) ? { protocol: "http", ...rule } : rule))
      : rules;
    const stickinessPolicy = isObject(policy) ? { mode: "insert", ...policy } : policy;
    const filled = { ...config, portRules, stickinessPolicy };
    const given = Object.entries(filled).filter(([, value]) => value !== undefined);
    return { ...inputs, lbConfig: Object.fromEntries(given) };
  },
  check(inputs) {
    checkSidekickFields(inputs.at("launchConfig"));
    const config = inputs.at("lbConfig");
    if (!config.isObject(true)) return;
    config.onlyKnown(LB_FIELDS);
    for (const rule of config.at("portRules").elements(true)) checkRule(rule);
    for (const certificate of config.at("certificateIds").elements()) certificate.text();
    config.at("defaultCertificateId").text();
    config.at("config").text();
    checkCertificates(config);
    checkStickiness(config.at("stickinessPolicy"));
  },
  imported: withoutInjected,
});

function isObject(value: unknown): value is Props {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function checkSidekickFields(launchConfig: Place): void {
  if (!isObject(launchConfig.value)) return;
  for (const place of SIDEKICK_FIELDS.map((field) => launchConfig.at(field))) {
    if (place.present()) place.reject("names a sidekick, which a load balancer cannot have");
  }
}

/** Without one HAProxy would not start, which nobody is told. */
function checkCertificates(config: Place): void {
  const { certificateIds, defaultCertificateId } = config.value as Props;
  const none = certificateIds === undefined || equal(certificateIds, []);
  if (!none || (defaultCertificateId !== undefined && defaultCertificateId !== "")) return;
  const rules = config.at("portRules");
  if (!Array.isArray(rules.value)) return;
  for (const rule of rules.elements()) {
    const protocol = isObject(rule.value) ? rule.value["protocol"] : undefined;
    if (typeof protocol !== "string" || !ENCRYPTED.includes(protocol)) continue;
    rule
      .at("protocol")
      .reject(
        `is ${protocol}, which needs a certificate: give certificateIds or defaultCertificateId`,
      );
  }
}

/** Source: schema `loadBalancerCookieStickinessPolicy`. */
function checkStickiness(policy: Place): void {
  if (!policy.isObject()) return;
  policy.onlyKnown(STICKINESS_FIELDS);
  policy.at("mode").oneOf(["insert", "rewrite", "prefix"]);
  for (const field of ["cookie", "domain", "name"]) policy.at(field).text();
  for (const field of ["indirect", "nocache", "postonly"]) policy.at(field).flag();
}

function checkRule(rule: Place): void {
  if (!rule.isObject(true)) return;
  rule.onlyKnown(RULE_FIELDS);
  const source = rule.at("sourcePort");
  source.whole({ required: true, min: 1, max: 65535 });
  if (source.value === HEALTH_PORT) {
    source.reject(
      `must not be ${HEALTH_PORT}: the load balancer answers its own health checks there`,
    );
  }
  rule.at("protocol").oneOf(PROTOCOLS);
  rule.at("priority").whole({ min: 1 });
  rule.at("weight").whole({ min: 0, max: 256 });
  for (const field of [
    "hostname",
    "path",
    "backendName",
    "serviceId",
    "selector",
    "environment",
    "region",
  ]) {
    rule.at(field).text();
  }
  const { serviceId, selector } = rule.value as Props;
  if (serviceId !== undefined && selector !== undefined) {
    rule.reject("must have either serviceId or selector, not both");
  } else if (serviceId === undefined && selector === undefined) {
    rule.reject("must have a serviceId or a selector");
  }
  rule.at("targetPort").whole({ required: serviceId !== undefined, min: 1, max: 65535 });
}
