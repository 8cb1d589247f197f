/** Declares what a JSON file says: one program for every case of the provider's tests. */
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "node:fs";
import * as rancher from "../../../rancher";
import { type Declaration, DECLARATION_FILE } from "../declaration";

const declared = JSON.parse(
  readFileSync(process.env[DECLARATION_FILE] ?? "", "utf8"),
) as Declaration;
const { url, password } = declared;

const open = new rancher.Provider("open", { url });
const access = new rancher.AccessControl("access", { password }, { provider: open });
const provider = new rancher.Provider("closed", {
  url,
  accessKey: access.accessKey,
  secretKey: access.secretKey,
});

const token = new rancher.RegistrationToken(
  "agents",
  { description: declared.tokenDescription },
  { provider },
);
const hosts = each(declared.hosts, (name, args) => new rancher.Host(name, args, { provider }));
const stacks = each(declared.stacks, (name, args) => new rancher.Stack(name, args, { provider }));

const services = each(declared.services, (name, service) => {
  const { stack, args, secretEnvironment, timeouts } = service;
  const launchConfig = args["launchConfig"] as { environment?: Record<string, unknown> };
  const secrets: Record<string, unknown> = each(secretEnvironment ?? {}, secret);
  const environment = { ...launchConfig.environment, ...secrets };
  const given = {
    ...args,
    stackId: named(stacks, stack).id,
    launchConfig: { ...launchConfig, environment },
  } as unknown as rancher.ServiceArgs;
  return new rancher.Service(name, given, {
    provider,
    dependsOn: Object.values(hosts),
    customTimeouts: timeouts,
  });
});

each(declared.loadBalancers, (name, { stack, args, portRules, timeouts }) => {
  const rules = portRules.map(({ service, ...rule }) => ({
    ...rule,
    serviceId: named(services, service).id,
  }));
  const given = {
    ...args,
    stackId: named(stacks, stack).id,
    lbConfig: { portRules: rules },
  } as unknown as rancher.LoadBalancerArgs;
  return new rancher.LoadBalancer(name, given, { provider, customTimeouts: timeouts });
});

function each<T, R>(table: Record<string, T>, make: (name: string, value: T) => R) {
  return Object.fromEntries(Object.entries(table).map(([name, v]) => [name, make(name, v)]));
}

function named<T>(made: Record<string, T>, name: string): T {
  const found = made[name];
  if (found === undefined) throw new Error(`${name} is not declared`);
  return found;
}

function secret(_: string, value: string): pulumi.Output<string> {
  return pulumi.secret(value);
}

export const accessKey = access.accessKey;
export const secretKey = access.secretKey;
export const registrationUrl = token.registrationUrl;
export const serviceIds = each(services, (_, service) => service.id);
export const hostnames = each(hosts, (_, host) => host.hostname);
