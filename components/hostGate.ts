import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { shellQuote } from "../config/shell";
import type { HostAddress } from "./hostAddress";
import { readScript } from "./script";

/** Arguments of {@link hostGate}. */
export interface HostGateArgs {
  /** The host, as SSH finds it. */
  readonly address: HostAddress;
  /** What is waited for, as the end of the sentence 'waiting for …'. */
  readonly waitFor: string;
  /** How long to wait, in seconds, before the gate fails with the last answer. */
  readonly limitSeconds: number;
  /** Name of the script that succeeds when it is there; it runs on the host as `rancher`. */
  readonly script: string;
  /** Arguments of the script. @default none */
  readonly args?: readonly pulumi.Input<string>[];
  /** Values whose change makes the gate wait again, beside a new instance. @default none */
  readonly triggers?: readonly pulumi.Input<string>[];
}

/**
 * A gate: a resource that exists once something on a host answers, on exactly the expected instance.
 * It runs the system's ssh in a loop, because `command.remote` hangs for ever on a port that
 * accepts a connection and keeps silent.
 */
export function hostGate(
  name: string,
  args: HostGateArgs,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  const { endpoint, host } = args.address;
  return new command.local.Command(
    name,
    {
      // An error quotes this line, so it is short.
      create: 'exec sh -c "$WAIT_PROGRAM"',
      environment: {
        WAIT_PROGRAM: readScript("wait"),
        WAIT_FOR: args.waitFor,
        WAIT_SECONDS: String(args.limitSeconds),
        WAIT_SSH: endpoint.command(),
        WAIT_SCRIPT: readScript("expect-instance") + readScript(args.script),
        WAIT_ARGS: pulumi
          .all([host.instanceId, ...(args.args ?? [])])
          .apply((words) => words.map(shellQuote).join(" ")),
      },
      triggers: [host.instanceId, ...(args.triggers ?? [])],
    },
    { ...host.residency, ...opts },
  );
}
