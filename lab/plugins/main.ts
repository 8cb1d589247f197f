/** Runs one stand-in as a Pulumi plugin: `main.ts NAME [options] ENGINE_ADDRESS`. */
import { serve } from "../../rancher/plugin/serve";
import type { ProviderDefinition } from "../../rancher/plugin/types";

/* eslint-disable @typescript-eslint/no-require-imports -- loaded on demand, because the AWS clients
   alone take longer to load than all the rest, and tsx hooks require in a CommonJS process. */
const definitions: Readonly<Record<string, () => ProviderDefinition<never>>> = {
  aws: () => (require("./aws/provider") as { aws: ProviderDefinition<never> }).aws,
  command: () => (require("./command") as { command: ProviderDefinition<never> }).command,
  docker: () => (require("./docker/provider") as { docker: ProviderDefinition<never> }).docker,
  random: () => (require("./random") as { random: ProviderDefinition<never> }).random,
  tls: () => (require("./tls") as { tls: ProviderDefinition<never> }).tls,
};
/* eslint-enable @typescript-eslint/no-require-imports */

/** The plugins that have a stand-in. */
export const standInNames: readonly string[] = Object.keys(definitions);

async function main(name: string): Promise<void> {
  const load = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
  if (load === undefined) {
    throw new Error(`there is no stand-in for ${name}; there is: ${standInNames.join(", ")}`);
  }
  await serve(load());
}

main(process.argv[2] ?? "").catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
