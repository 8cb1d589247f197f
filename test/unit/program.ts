import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { StackOutputs } from "../../commands/stack";
import start from "../../start";
import { type Calls, type Recorded, type Recording, plain, record } from "./recorder";

/** A key pair's public half that nobody owns. */
export const sshPublicKey =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl somebody";

/** The least configuration that the program accepts. */
export const leastConfig: Readonly<Record<string, string>> = {
  "aws:region": "eu-central-1",
  adminCidrs: '["203.0.113.7/32"]',
  sshPublicKey,
};

/** Runs with a home in which ssh finds the key, so that the program has nothing to warn of. */
export async function withKey<T>(work: () => Promise<T>): Promise<T> {
  const home = mkdtempSync(path.join(tmpdir(), "home-"));
  const before = process.env["HOME"];
  // As the CLI says it of values that were set with --secret.
  process.env["PULUMI_CONFIG_SECRET_KEYS"] = JSON.stringify(
    ["siteCertificateKey", "smtpPassword"].map((key) => `rancher-cattle:${key}`),
  );
  const file = path.join(home, ".ssh", "id_ed25519");
  mkdirSync(path.dirname(file));
  writeFileSync(file, "");
  writeFileSync(`${file}.pub`, sshPublicKey);
  process.env["HOME"] = home;
  try {
    return await work();
  } finally {
    process.env["HOME"] = before;
    delete process.env["PULUMI_CONFIG_SECRET_KEYS"];
    rmSync(home, { recursive: true });
  }
}

/** Runs `index.ts` afresh with the least configuration and these values on top, as a stack of this name. */
export function recordProgram(
  config: Readonly<Record<string, string>> = {},
  stackName?: string,
): Promise<Recording<StackOutputs>> {
  const file = require.resolve("../../index");
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- index.ts acts when it is loaded
  delete require.cache[file];
  return withKey(() =>
    record(
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() keeps its own cache
      () => require(file) as StackOutputs,
      { config: { ...leastConfig, ...config }, ...(stackName === undefined ? {} : { stackName }) },
    ),
  ) as Promise<Recording<StackOutputs>>;
}

/**
 * Runs `start.ts` as Pulumi does, with these answers of AWS. The result is what it ended with: the
 * message of its error, or else `undefined`.
 */
export function recordStart(
  calls: Calls,
  config: Readonly<Record<string, string>> = {},
): Promise<Recording<string | undefined>> {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- index.ts acts when it is loaded
  delete require.cache[require.resolve("../../index")];
  return withKey(() =>
    record(
      () =>
        start().then(
          () => undefined,
          (error: unknown) => (error as Error).message,
        ),
      { config: { ...leastConfig, ...config }, calls },
    ),
  );
}

/** An input that may be a secret, as text. */
export function text(resource: Recorded, input: string): string {
  return String(plain(resource.inputs[input]));
}

/** An input that may be a secret, as a list of texts. */
export function list(resource: Recorded, input: string): readonly string[] {
  return plain(resource.inputs[input]) as readonly string[];
}

/** Logical names of URNs. */
export function names(urns: readonly string[]): readonly string[] {
  return urns.map((urn) => urn.split("::").pop() ?? "").sort();
}
