/** The hosts of a site that is up, as backup and restore work on them. */
import * as path from "node:path";
import { sharedContent } from "../config/storage";
import { Problem } from "./cli";
import { type Script, ScriptFailed } from "./hostScript";
import { imageOf } from "./images";
import type { Stack, StackOutputs } from "./stack";

/** Where the shared directory is on every agent host. */
export const contentDirectory = path.posix.join(
  sharedContent.mountPoint,
  sharedContent.siteDirectory,
);

/** Ends like this where a host does not have what another may have. */
const NOT_HERE = 3;

/** What the commands need to know of a site. */
export interface Site {
  readonly outputs: StackOutputs;
  /** That of the replicas, as it was deployed. */
  readonly wordpressImage: string;
  /** Command line of ssh to the server's machine. */
  readonly server: string;
}

/** Asks Pulumi for a site. @throws Problem when the stack is not up */
export async function findSite(stack: Stack): Promise<Site> {
  const [outputs, state] = await Promise.all([stack.outputs(), stack.state()]);
  const service = state.find("rancher:index:Service", "wordpress-service");
  const image = imageOf(service?.inputs?.["launchConfig"]);
  const { server } = outputs.sshCommands;
  if (server === undefined || image === undefined) {
    throw new Problem(stack.inCommands("the stack is not whole; run: npx pulumi up"));
  }
  return { outputs, server, wordpressImage: image };
}

/**
 * Does something on the first agent host that can: one that is reached and has the content mounted.
 *
 * @throws Problem with what each of them said
 */
export async function onAgent<T>({ outputs }: Site, work: (ssh: string) => Promise<T>): Promise<T> {
  const complaints: string[] = [];
  for (const { name } of outputs.agentHosts) {
    try {
      return await work(outputs.sshCommands[name] ?? "false");
    } catch (error) {
      // 255 is ssh's own; anything else has begun and must not begin elsewhere.
      const isElsewhere =
        error instanceof ScriptFailed && (error.code === NOT_HERE || error.code === 255);
      if (!isElsewhere) throw error;
      complaints.push(`${name}: ${error.said === "" ? "it does not answer" : error.said}`);
    }
  }
  throw new Problem(`no agent host can do it: ${complaints.join("; ")}`);
}

/** The scripts that work on the shared directory take the same arguments. */
export function contentScript(site: Site, name: string): Script {
  return { name, args: [contentDirectory, site.wordpressImage] };
}
