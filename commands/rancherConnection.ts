/** Rancher's API of a stack that is up, through SSH to the server, as the stack's own resources reach it. */
import { ports } from "../config/ports";
import { Client } from "../rancher/client/client";
import { sshStream } from "../rancher/plugin/sshStream";
import { serverHost, sshArgs } from "./hosts";
import type { StackOutputs } from "./stack";

/** Where Rancher answers, as seen from the server. */
const rancherUrl = `http://127.0.0.1:${ports.rancher.number}`;

/** Health that a service may be in; one without a health check has none of its own. */
export const wellHealth: readonly string[] = ["healthy", "started-once"];

/**
 * A client of the stack's Rancher server, with the administrator's key. It connects with the first
 * request, and goes the way that the output `sshCommands` says, whatever that is. Close it when done.
 */
export function rancherClient(
  outputs: Pick<StackOutputs, "sshCommands" | "rancherAccessKey" | "rancherSecretKey">,
): Client {
  const { rancherAccessKey: accessKey, rancherSecretKey: secretKey } = outputs;
  return Client.create({
    url: rancherUrl,
    dial: (host, port) =>
      sshStream(sshArgs(outputs, serverHost, "-T", "-W", `${host}:${port}`), {
        target: "the server's host",
      }),
    credentials: { kind: "key", accessKey, secretKey },
  });
}
