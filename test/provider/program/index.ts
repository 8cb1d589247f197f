/** Declares what a JSON file says: one program for every case of the provider's tests. */
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "node:fs";
import * as rancher from "../../../rancher";
import {
  type Call,
  type Declaration,
  DECLARATION_FILE,
  type Reference,
  type SecretValue,
} from "../matrix/declaration";

type Lookup = (args: unknown, opts: object) => pulumi.Output<unknown>;
type Constructor = new (name: string, args: unknown, opts: object) => pulumi.CustomResource;

const file = process.env[DECLARATION_FILE] ?? "";
const { url, resources, outputs: wanted } = JSON.parse(readFileSync(file, "utf8")) as Declaration;

const made: Record<string, pulumi.CustomResource> = {};
const providers: Record<string, rancher.Provider> = { open: new rancher.Provider("open", { url }) };

for (const [name, { type, args, provider = "closed", after = [], timeouts }] of Object.entries(
  resources,
)) {
  const Made = (rancher as unknown as Record<string, Constructor | undefined>)[type];
  if (Made === undefined) throw new Error(`there is no resource named ${type}`);
  made[name] = new Made(name, resolved(args), {
    provider: providers[provider] ?? withKey(provider),
    dependsOn: after.map(named),
    customTimeouts: timeouts,
  });
}

/** A provider with the key of `access`, made when the first resource needs it. */
function withKey(name: string): rancher.Provider {
  const { accessKey, secretKey } = named("access") as rancher.AccessControl;
  return (providers[name] ??= new rancher.Provider(name, { url, accessKey, secretKey }));
}

function named(name: string): pulumi.CustomResource {
  const found = made[name];
  if (found === undefined) throw new Error(`${name} is not declared`);
  return found;
}

/** The value with references and secrets in place. */
function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved);
  if (value === null || typeof value !== "object") return value;
  if ("$secret" in value) return pulumi.secret((value as SecretValue).$secret);
  if ("$call" in value) {
    const [name, args] = (value as Call).$call;
    const look = (rancher as unknown as Record<string, Lookup | undefined>)[`${name}Output`];
    if (look === undefined) throw new Error(`there is no function named ${name}`);
    return look(resolved(args), { provider: withKey("closed") });
  }
  if ("$ref" in value) {
    const [name, output] = (value as Reference).$ref;
    return (named(name) as unknown as Record<string, unknown>)[output];
  }
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, resolved(v)]));
}

export const outputs = resolved(wanted);
