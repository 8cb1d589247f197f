import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { cloudConfig, type HostFile } from "./cloudConfig";
import { dnsLabel, tags, token } from "./names";
import { hostFolder, readScript } from "./script";
import { SshEndpoint } from "./sshEndpoint";

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
  /** Commands for `/etc/rc.local`, see `CloudConfigArgs.bootCommands`. @default none */
  readonly bootCommands?: readonly pulumi.Input<string>[];
  /** What must stand before the machine boots and stay until it is gone: routes, rules. */
  readonly after: readonly pulumi.Resource[];
}

/** The user that RancherOS has. */
const user = "rancher";

/** Size of the root disk: RancherOS's own 8 GiB and room for images and logs. */
const rootVolumeGiB = 16;

const log = "/var/log/rancher-cattle.log";

/** A script of the folder as a file of a host. */
const scriptFile = (name: string) => ({
  path: `${hostFolder}/${name}.sh`,
  permissions: "0755",
  content: readScript(name),
});
const guard = scriptFile("guard-metadata");
const moreLogins = scriptFile("more-logins");

/**
 * An EC2 instance with RancherOS, a stable address and an SSH host key that is known before it boots.
 * A host is immutable: a changed image, type or user data replaces it, and the new one boots before
 * the old one goes.
 */
export class RancherOsHost extends pulumi.ComponentResource {
  public readonly instanceId: pulumi.Output<string>;
  public readonly privateIp: pulumi.Output<string>;
  /** The Elastic IP, which stays when the instance is replaced. */
  public readonly publicIp: pulumi.Output<string>;
  /** How to log in. */
  public readonly endpoint: SshEndpoint;
  /** The instance and the association of its address: to depend on. */
  public readonly reachable: readonly pulumi.Resource[];
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
          earlyCommands: [guard, moreLogins].map(({ path }) => `${path} >>${log} 2>&1`),
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

    const address = new aws.ec2.Eip(
      `${name}-address`,
      { domain: "vpc", tags: tags(name, "RancherOsHost") },
      { parent: this, dependsOn: after },
    );
    const association = new aws.ec2.EipAssociation(
      `${name}-address`,
      { allocationId: address.allocationId, instanceId: instance.id, allowReassociation: true },
      { parent: this },
    );

    this.instanceId = instance.id;
    this.privateIp = instance.privateIp;
    this.publicIp = address.publicIp;
    this.endpoint = new SshEndpoint({
      host: address.publicIp,
      user,
      hostKey: publicKey,
      hostKeyAlias: dnsLabel(`${pulumi.getProject()}-${pulumi.getStack()}-${name}`),
    });
    this.reachable = [instance, association];
    this.residency = {
      replaceWith: [instance],
      deletedWith: instance,
      replacementTrigger: instance.id,
    };
    this.registerOutputs({ instanceId: this.instanceId, publicIp: this.publicIp });
  }
}
