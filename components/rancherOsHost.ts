import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { dnsLabel } from "../config/stackName";
import * as tls from "@pulumi/tls";
import { cloudConfig, type HostFile } from "./cloudConfig";
import { tags, token } from "./names";
import { scriptFile } from "./script";
import { SshEndpoint, type SshEndpointArgs } from "./sshEndpoint";

/** A file for a host whose content may come from another resource. */
export type HostFileArgs = {
  readonly [K in keyof HostFile]: pulumi.Input<HostFile[K]>;
};

/** Arguments of {@link RancherOsHost}. Changing any but `after` replaces the instance. */
export interface RancherOsHostArgs {
  /** A RancherOS image. */
  readonly amiId: string;
  readonly instanceType: string;
  readonly subnetId: pulumi.Input<string>;
  readonly securityGroupId: pulumi.Input<string>;
  /** OpenSSH public key that may log in as `rancher`. */
  readonly sshPublicKey: string;
  /** Files beyond the host's own. @default none */
  readonly files?: readonly HostFileArgs[];
  /** Commands that end before Docker starts, see `CloudConfigArgs.earlyCommands`. @default none */
  readonly earlyCommands?: readonly string[];
  /** Commands for `/etc/rc.local`, see `CloudConfigArgs.bootCommands`. @default none */
  readonly bootCommands?: readonly pulumi.Input<string>[];
  /** What must stand before the machine boots and stay until it is gone: routes, rules. */
  readonly after: readonly pulumi.Resource[];
}

/** Size of the root disk: RancherOS's own 8 GiB and room for images and logs. */
const rootVolumeGiB = 16;

/** The user that RancherOS has. */
const user = "rancher";

const log = "/var/log/rancher-cattle.log";

const guard = scriptFile("guard-metadata");
const moreLogins = scriptFile("more-logins");

/**
 * An EC2 instance with RancherOS and an SSH host key that is known before it boots. Its own public
 * address lasts until {@link HostAddress} gives it a stable one. A host is immutable: a changed image,
 * type or user data replaces it, and the new one boots before the old one goes.
 */
export class RancherOsHost extends pulumi.ComponentResource {
  public readonly instanceId: pulumi.Output<string>;
  public readonly privateIp: pulumi.Output<string>;
  /** Public half of its SSH host key, `ssh-ed25519 AAAA…`; the same for every instance. */
  public readonly hostKey: pulumi.Output<string>;
  /** Name that its host key is pinned to, wherever it is reached. */
  public readonly hostKeyAlias: string;
  /** The machine itself: to depend on. */
  public readonly instance: pulumi.Resource;
  /**
   * Options for everything that lives on this machine and nowhere else: it goes with the instance,
   * without a call to it, and is made anew on the next one. The trigger heals a run that was
   * interrupted between the two.
   */
  public readonly residency: pulumi.CustomResourceOptions;

  constructor(name: string, args: RancherOsHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super(token("RancherOsHost"), name, {}, opts);
    const after = [...args.after];

    const hostKey = new tls.PrivateKey(
      `${name}-host-key`,
      { algorithm: "ED25519" },
      { parent: this },
    );
    const publicKey = hostKey.publicKeyOpenssh.apply((text) => text.trim());

    const userData = pulumi
      .all([
        hostKey.privateKeyOpenssh,
        publicKey,
        pulumi.all([...(args.files ?? [])]),
        pulumi.all([...(args.bootCommands ?? [])]),
      ])
      .apply(([privateKey, hostPublicKey, files, bootCommands]) =>
        cloudConfig({
          hostname: dnsLabel(`${pulumi.getStack()}-${name}`),
          authorizedKeys: [args.sshPublicKey],
          hostKey: { privateKey, publicKey: hostPublicKey },
          files: [guard, moreLogins, ...files],
          earlyCommands: [guard.path, moreLogins.path, ...(args.earlyCommands ?? [])].map(
            (command) => `${command} >>${log} 2>&1`,
          ),
          // Where the metadata stays open to containers, nothing is started for them to profit from.
          bootCommands: [`${guard.path} >>${log} 2>&1 || exit 1`, ...bootCommands],
        }),
      );

    const instance = new aws.ec2.Instance(
      `${name}-instance`,
      {
        ami: args.amiId,
        instanceType: args.instanceType,
        subnetId: args.subnetId,
        vpcSecurityGroupIds: [args.securityGroupId],
        // It pulls its images before a stable address moves to it.
        associatePublicIpAddress: true,
        userData,
        userDataReplaceOnChange: true,
        // RancherOS asks for metadata without a token, so tokens cannot be required.
        metadataOptions: {
          httpEndpoint: "enabled",
          httpTokens: "optional",
          httpPutResponseHopLimit: 1,
        },
        rootBlockDevice: {
          volumeType: "gp3",
          volumeSize: rootVolumeGiB,
          encrypted: true,
          tags: tags(name, "RancherOsHost"),
        },
        tags: tags(name, "RancherOsHost"),
      },
      { parent: this, dependsOn: after, replaceOnChanges: ["ami", "instanceType"] },
    );

    this.instanceId = instance.id;
    this.privateIp = instance.privateIp;
    this.hostKey = publicKey;
    this.hostKeyAlias = dnsLabel(`${pulumi.getProject()}-${pulumi.getStack()}-${name}`);
    this.instance = instance;
    this.residency = {
      replaceWith: [instance],
      deletedWith: instance,
      replacementTrigger: instance.id,
    };
    this.registerOutputs({ instanceId: this.instanceId });
  }

  /** The host as SSH finds it at one of its addresses, where it must through something else. */
  endpoint(
    host: pulumi.Input<string>,
    way: Pick<SshEndpointArgs, "via" | "tunnel"> = {},
  ): SshEndpoint {
    const { hostKey, hostKeyAlias } = this;
    return new SshEndpoint({ host, user, hostKey, hostKeyAlias, ...way });
  }
}
