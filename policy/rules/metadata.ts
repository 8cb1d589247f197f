import type { ResourceRule } from "../rule";
import { machineOf } from "./machines";

/** What the metadata service must be set to, and what happens when it is not. */
const intended = {
  httpEndpoint: { value: "enabled", otherwise: "RancherOS gets neither its keys nor its script" },
  httpTokens: {
    value: "optional",
    otherwise: "RancherOS, which asks without a token, gets nothing",
  },
  httpPutResponseHopLimit: { value: 1, otherwise: "containers can get a token" },
} as const;

export const metadataAsIntended: ResourceRule = {
  name: "metadata-as-intended",
  description:
    "The metadata service (IMDS) answers RancherOS, without a token, and hands no token to a container",
  why: "RancherOS speaks IMDSv1 only, so tokens cannot be required; that is why the rest is exact: a hop limit of 1, and a firewall on the host that keeps containers away. What is left to the account's default differs from account to account",
  fix: 'set metadataOptions to { httpEndpoint: "enabled", httpTokens: "optional", httpPutResponseHopLimit: 1 }, as RancherOsHost does. A tool that demands httpTokens: "required" needs an exception for these machines',
  severity: "high",
  problems: (resource) => {
    const machine = machineOf(resource);
    if (machine === undefined || typeof resource.props["metadataOptions"] === "symbol") return [];
    return Object.entries(intended).flatMap(([key, { value, otherwise }]) => {
      const given = machine.metadata[key];
      if (given === value || typeof given === "symbol") return [];
      const said = given === undefined ? `does not say ${key}` : `has ${key} ${String(given)}`;
      return [`${said}, not ${value}: ${otherwise}`];
    });
  },
};
