/** A load balancer: HAProxy containers whose rules lead from ports of hosts to services. */
import type { Props } from "../plugin/types";
import type { Place } from "./checks";
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
/** The load balancer answers health checks here. */
const HEALTH_PORT = 42;
/** The schema lists udp too, but HAProxy does not do it. */
const PROTOCOLS = ["http", "https", "tcp", "tls", "sni"];

/** See `rancher.LoadBalancer`. */
export const loadBalancer = serviceLike({
  kind: "loadbalancerservices",
  noun: "load balancer",
  properties: ["lbConfig"],
  fields: ["lbConfig"],
  defaults(inputs) {
    const config = inputs["lbConfig"] as Props | undefined;
    const rules = isObject(config) ? config["portRules"] : undefined;
    if (!Array.isArray(rules)) return inputs;
    const portRules = rules.map((rule: unknown) =>
      isObject(rule) ? { protocol: "http", ...rule } : rule,
    );
    return { ...inputs, lbConfig: { ...config, portRules } };
  },
  check(inputs) {
    const config = inputs.at("lbConfig");
    if (!config.isObject(true)) return;
    config.onlyKnown(LB_FIELDS);
    for (const rule of config.at("portRules").elements(true)) checkRule(rule);
    const stickiness = config.at("stickinessPolicy");
    stickiness.onlyKnown(STICKINESS_FIELDS);
    stickiness.at("mode").oneOf(["insert", "rewrite", "prefix"]);
  },
  imported(launchConfig) {
    const { healthCheck, labels, ...rest } = launchConfig;
    const own = Object.entries((labels as Props | undefined) ?? {}).filter(
      ([name]) => !/^io\.rancher\.container\.(agent\.role|agent_service\.|create_agent)/.test(name),
    );
    const injected = (healthCheck as Props | undefined)?.["port"] === HEALTH_PORT;
    return {
      ...rest,
      ...(healthCheck === undefined || injected ? {} : { healthCheck }),
      ...(own.length === 0 ? {} : { labels: Object.fromEntries(own) }),
    };
  },
});

function isObject(value: unknown): value is Props {
  return value !== null && typeof value === "object" && !Array.isArray(value);
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
  for (const field of ["hostname", "path", "backendName", "serviceId", "selector"]) {
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
