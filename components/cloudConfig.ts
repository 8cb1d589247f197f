import { stringify } from "yaml";

/** One file that is written at every boot. */
export interface HostFile {
  readonly path: string;
  /** Octal mode, such as `0755`. */
  readonly permissions: string;
  readonly content: string;
}

/** What {@link cloudConfig} needs to know of a host. */
export interface CloudConfigArgs {
  readonly hostname: string;
  /** OpenSSH public keys that may log in as `rancher`. */
  readonly authorizedKeys: readonly string[];
  /** The host's own ED25519 key: private half in OpenSSH's PEM, public half as one line. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  readonly files: readonly HostFile[];
  /** Commands that end before Docker and sshd start. The first that fails ends them, and the boot goes on. */
  readonly earlyCommands: readonly string[];
  /**
   * Commands of `/etc/rc.local`, one line each, which runs beside Docker's start and before sshd's:
   * one that waits ends in `&`.
   */
  readonly bootCommands: readonly string[];
}

/** Bytes of user data that EC2 accepts. */
export const userDataLimitBytes = 16_384;

/**
 * The user data of a RancherOS host. RancherOS applies it at every boot, so whatever it starts is
 * idempotent and bounded. Keys and order: rancher/os at v1.5.8, config/types.go,
 * cmd/cloudinitexecute/cloudinitexecute.go and cmd/control/console_init.go.
 *
 * @throws Error when it would be longer than {@link userDataLimitBytes}
 */
export function cloudConfig(args: CloudConfigArgs): string {
  const rcLocal: HostFile = {
    path: "/etc/rc.local",
    permissions: "0755",
    content: ["#!/bin/sh", ...args.bootCommands, ""].join("\n"),
  };
  const document = {
    hostname: args.hostname,
    ssh_authorized_keys: args.authorizedKeys,
    write_files: [...args.files, rcLocal].map((file) => ({ ...file, owner: "root" })),
    runcmd: args.earlyCommands,
    rancher: {
      ssh: {
        keys: { ed25519: args.hostKey.privateKey, "ed25519-pub": args.hostKey.publicKey },
      },
    },
  };
  const text = `#cloud-config\n${stringify(document, { lineWidth: 0 })}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > userDataLimitBytes) {
    throw new Error(
      `the user data of ${args.hostname} has ${bytes} bytes, and EC2 takes ${userDataLimitBytes}; shorten its files`,
    );
  }
  return text;
}
