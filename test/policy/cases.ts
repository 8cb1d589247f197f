/** What each policy lets pass, and what it says of what it does not. */
import { type Given, notYet } from "./judge";

/** One resource that breaks a policy, and what must be said of it. */
type Failing = readonly [what: string, given: Given, says: RegExp];

export interface Cases {
  readonly passing: Readonly<Record<string, Given>>;
  readonly failing: readonly Failing[];
}

const rule = (props: Given["props"]): Given => ({
  type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
  props,
});
const tcp = (port: number, props: Given["props"]) =>
  rule({ ipProtocol: "tcp", fromPort: port, toPort: port, ...props });
const world = { cidrIpv4: "0.0.0.0/0" };
const classic = (props: Given["props"]): Given => ({
  type: "aws:ec2/securityGroupRule:SecurityGroupRule",
  props: { type: "ingress", protocol: "tcp", fromPort: 22, toPort: 22, ...props },
});
const group = (...ingress: Given["props"][]): Given => ({
  type: "aws:ec2/securityGroup:SecurityGroup",
  props: { ingress },
});

const tags = { Name: "test-thing", project: "rancher-cattle", stack: "test", component: "Thing" };
const metadataOptions = {
  httpEndpoint: "enabled",
  httpTokens: "optional",
  httpPutResponseHopLimit: 1,
};
const frankfurt = "ami-0fc1a9332c246bc56";
/** The machine that the program makes, with something changed. */
const machine = (props: Given["props"] = {}, provider?: Given["props"]): Given => ({
  type: "aws:ec2/instance:Instance",
  props: {
    ami: frankfurt,
    instanceType: "t3.medium",
    metadataOptions,
    rootBlockDevice: { encrypted: true, tags },
    tags,
    ...props,
  },
  ...(provider === undefined ? {} : { provider }),
});
const template = (props: Given["props"]): Given => ({
  type: "aws:ec2/launchTemplate:LaunchTemplate",
  props,
});

const strict = ["-o", "StrictHostKeyChecking=yes", "-o", "KnownHostsCommand=/bin/echo x"];
const dockerProvider = (
  sshOpts: readonly string[] | undefined,
  host = "ssh://rancher@x",
): Given => ({
  type: "pulumi:providers:docker",
  // The engine keeps a provider's lists as JSON.
  props: { host, ...(sshOpts === undefined ? {} : { sshOpts: JSON.stringify(sshOpts) }) },
});
const local = (props: Given["props"]): Given => ({ type: "command:local:Command", props });
const remote = (connection: Given["props"], type = "command:remote:Command"): Given => ({
  type,
  props: { create: "id", connection },
});
const rancherProvider = (ssh: Given["props"]): Given => ({
  type: "pulumi:providers:rancher",
  props: { url: "http://127.0.0.1:8080", ssh: JSON.stringify(ssh) },
});

const pulled = (name: string): Given => ({
  type: "docker:index/remoteImage:RemoteImage",
  props: { name },
});
const service = (imageUuid: string, ...sidekicks: string[]): Given => ({
  type: "rancher:index:Service",
  props: {
    launchConfig: { imageUuid },
    secondaryLaunchConfigs: sidekicks.map((each) => ({ name: "x", imageUuid: each })),
  },
});

const volume = (props: Given["props"], protect = false): Given => ({
  type: "aws:ebs/volume:Volume",
  props,
  protect,
});
const files = (props: Given["props"], protect = false): Given => ({
  type: "aws:efs/fileSystem:FileSystem",
  props,
  protect,
});

export const cases: Readonly<Record<string, Cases>> = {
  "admin-ports-closed": {
    passing: {
      "SSH for one address": tcp(22, { cidrIpv4: "203.0.113.7/32" }),
      "SSH for a company": tcp(22, { cidrIpv4: "15.0.0.0/8" }),
      "SSH for a group": tcp(22, { referencedSecurityGroupId: notYet }),
      "the site for the world": tcp(80, world),
      "IPsec for the world": rule({ ipProtocol: "udp", fromPort: 0, toPort: 65535, ...world }),
      "a range that is not known yet": tcp(22, { cidrIpv4: notYet }),
      "ports that are not known yet": rule({
        ipProtocol: "tcp",
        fromPort: notYet,
        toPort: 80,
        ...world,
      }),
      "anything out": classic({ type: "egress", protocol: "-1", cidrBlocks: ["0.0.0.0/0"] }),
      "a group without rules of its own": {
        type: "aws:ec2/securityGroup:SecurityGroup",
        props: {},
      },
      "another resource": { type: "aws:ec2/vpc:Vpc", props: { cidrBlock: "0.0.0.0/0" } },
    },
    failing: [
      [
        "SSH",
        tcp(22, world),
        /^thing opens port 22 \(SSH\) to 0\.0\.0\.0\/0\.\nwhy: .*\nfix: .*adminCidrs/,
      ],
      ["Rancher", tcp(8080, world), /port 8080 \(Rancher\)/],
      ["the database", tcp(3306, world), /port 3306 \(the database\)/],
      ["half of the world", tcp(22, { cidrIpv4: "128.0.0.0/1" }), /to 128\.0\.0\.0\/1/],
      ["all of IPv6", tcp(22, { cidrIpv6: "::/0" }), /to ::\/0/],
      ["every address that IPv6 uses", tcp(22, { cidrIpv6: "2000::/3" }), /to 2000::\/3/],
      [
        "a span of ports",
        rule({ ipProtocol: "tcp", fromPort: 20, toPort: 4000, ...world }),
        /22 \(SSH\), 2049 .*, 3306/,
      ],
      ["everything", rule({ ipProtocol: "-1", ...world }), /22 .*8080/],
      ["TCP by its number", rule({ ipProtocol: "6", fromPort: 22, toPort: 22, ...world }), /22/],
      [
        "the older rule",
        classic({ cidrBlocks: ["10.0.0.0/8", "0.0.0.0/0"] }),
        /to 0\.0\.0\.0\/0\./,
      ],
      ["the older rule, IPv6", classic({ ipv6CidrBlocks: ["::/0"] }), /::\/0/],
      [
        "a rule inside its group",
        group(
          { protocol: "tcp", fromPort: 80, toPort: 80, cidrBlocks: ["0.0.0.0/0"] },
          { protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"] },
        ),
        /22 \(SSH\)/,
      ],
    ],
  },
  "host-keys-verified": {
    passing: {
      "Docker by a pinned ssh": dockerProvider(strict),
      "Docker through a pinned host": dockerProvider([
        ...strict,
        "-o",
        "ProxyCommand=ssh -o StrictHostKeyChecking=yes -W %h:%p rancher@x",
      ]),
      "Docker on this machine": dockerProvider(undefined, "unix:///var/run/docker.sock"),
      "options that are not known yet": {
        type: "pulumi:providers:docker",
        props: { host: notYet, sshOpts: notYet },
      },
      "a command without ssh": local({ create: "echo 'ssh me@host' > note; ssh-add -l" }),
      "a script that only speaks of it": local({
        create: "# run ssh -v first\necho 'use ssh -v me@host'",
      }),
      "a pinned command": local({
        create: 'exec sh -c "$X"',
        environment: { X: "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes me@host id" },
      }),
      "a command that is not known yet": local({
        create: "true",
        environment: { WAIT_SSH: notYet },
      }),
      "a connection with a key": remote({ host: "x", hostKey: "ssh-ed25519 AAAA" }),
      "a key that is not known yet": remote({ host: notYet, hostKey: notYet }),
      "Rancher behind a pinned host": rancherProvider({ host: "x", hostKey: "ssh-ed25519 AAAA" }),
      "Rancher without ssh": {
        type: "pulumi:providers:rancher",
        props: { url: "http://localhost" },
      },
    },
    failing: [
      [
        "no option",
        dockerProvider(undefined),
        /^thing reaches Docker by an ssh that leaves StrictHostKeyChecking/,
      ],
      ["no", dockerProvider(["-oStrictHostKeyChecking=no"]), /StrictHostKeyChecking=no\.\nwhy/],
      [
        "the first counts",
        dockerProvider(["-o", "StrictHostKeyChecking accept-new", ...strict]),
        /accept-new/,
      ],
      [
        "the jump host",
        dockerProvider([
          ...strict,
          "-o",
          "ProxyCommand=ssh -o 'StrictHostKeyChecking=off' -W %h:%p rancher@x",
        ]),
        /=off/,
      ],
      ["a command", local({ create: "/usr/bin/ssh -i key me@host id" }), /runs an ssh that leaves/],
      ["scp", local({ create: "set -e; scp file me@host:", update: "true" }), /runs an ssh/],
      [
        "a command in a command",
        local({ create: "set -e\nbash -ec 'ssh me@host id'" }),
        /runs an ssh/,
      ],
      ["its delete", local({ create: "true", delete: "ssh me@host rm x" }), /runs an ssh/],
      [
        "its environment",
        local({ create: "true", environment: { RUN: "ssh -o StrictHostKeyChecking=no me@host" } }),
        /=no/,
      ],
      [
        "the second of two",
        local({ create: "ssh -o StrictHostKeyChecking=yes a@b; ssh a@c" }),
        /leaves/,
      ],
      ["a connection", remote({ host: "x" }), /without connection\.hostKey/],
      ["an empty key", remote({ host: "x", hostKey: "" }), /without connection\.hostKey/],
      [
        "a copy",
        remote({ host: "x" }, "command:remote:CopyToRemote"),
        /without connection\.hostKey/,
      ],
      [
        "a jump",
        remote({ host: "x", hostKey: "k", proxy: { host: "y" } }),
        /connection\.proxy\.hostKey/,
      ],
      ["Rancher", rancherProvider({ host: "x" }), /reaches Rancher without ssh\.hostKey/],
    ],
  },
  "disks-encrypted": {
    passing: {
      "a machine": machine(),
      "a machine with two disks": machine({ ebsBlockDevices: [{ encrypted: true }] }),
      "a volume": volume({ encrypted: true }),
      "a volume that is not known yet": volume({ encrypted: notYet }),
      "shared files": files({ encrypted: true }),
      "a template": template({ blockDeviceMappings: [{ ebs: { encrypted: "true" } }] }),
    },
    failing: [
      [
        "a volume",
        volume({}),
        /^thing has a volume that is not encrypted\.\nwhy: .*\nfix: set encrypted: true/,
      ],
      ["a volume that says so", volume({ encrypted: false }), /volume/],
      ["shared files", files({}), /file system/],
      ["a root disk", machine({ rootBlockDevice: { tags } }), /root disk/],
      ["a root disk that nothing is said of", machine({ rootBlockDevice: undefined }), /root disk/],
      [
        "a second disk",
        machine({ ebsBlockDevices: [{ encrypted: true }, {}] }),
        /ebsBlockDevices\[1\]/,
      ],
      ["a template", template({ blockDeviceMappings: [{ ebs: { encrypted: "false" } }] }), /\[0\]/],
      ["a template without disks", template({}), /root disk/],
    ],
  },
  "data-protected": {
    passing: {
      "a volume": volume({}, true),
      "shared files": files({}, true),
      "what holds nothing": machine(),
    },
    failing: [
      [
        "a volume",
        volume({}),
        /^thing holds the databases' disk and is not protected\.\nwhy: .*\nfix: pulumi config set protectData true\.$/,
      ],
      ["shared files", files({}), /the site's files/],
    ],
  },
  "images-pinned": {
    passing: {
      "a version": pulled("mariadb:10.6.22-focal"),
      "a version in another registry": pulled("registry.example.com:5000/mariadb:10.1.48"),
      "a digest": pulled(`wordpress@sha256:${"0".repeat(64)}`),
      "an image by its id": {
        type: "docker:index/container:Container",
        props: { image: `sha256:${"0".repeat(64)}` },
      },
      "a container's image that is not known yet": {
        type: "docker:index/container:Container",
        props: { image: notYet },
      },
      "a service": service("docker:wordpress:6.4.1-php8.0-apache", "docker:rancher/agent:v1.2.11"),
      "a service without containers": service("docker:rancher/none"),
      "a compose file": {
        type: "rancher:index:Stack",
        props: {
          dockerCompose:
            "version: '2'\nservices:\n  web:\n    image: wordpress:6.4.1-php8.0-apache",
        },
      },
      "a stack without one": { type: "rancher:index:Stack", props: { name: "x" } },
    },
    failing: [
      [
        "latest",
        pulled("mariadb:latest"),
        /^thing runs mariadb:latest, which has the floating tag `latest`\.\nwhy: .*\nfix: .*config\/images\.ts/,
      ],
      ["no tag", pulled("registry.example.com/mariadb"), /has no tag/],
      ["half a version", pulled("mariadb:10.6"), /floating tag/],
      ["a new base", pulled("mariadb:11.4.2-noble"), /noble, which Docker 19\.03/],
      [
        "a container",
        { type: "docker:index/container:Container", props: { image: "nginx" } },
        /nginx, which has no tag/,
      ],
      ["a service", service("docker:wordpress:6.7.1-php8.3-apache"), /Debian 12/],
      ["a sidekick", service("docker:mariadb:10.1.48", "docker:redis"), /runs redis/],
      [
        "a load balancer",
        {
          type: "rancher:index:LoadBalancer",
          props: { launchConfig: { imageUuid: "docker:rancher/lb-service-haproxy:latest" } },
        },
        /latest/,
      ],
      [
        "a compose file",
        { type: "rancher:index:Stack", props: { dockerCompose: "web:\n  image: nginx:alpine" } },
        /nginx:alpine/,
      ],
    ],
  },
  "amis-approved": {
    passing: {
      "RancherOS of the region": machine({}, { region: "eu-central-1" }),
      "RancherOS where no region is known": machine(),
      "an image that is not known yet": machine({ ami: notYet }),
    },
    failing: [
      [
        "another image",
        machine({ ami: "ami-0123456789abcdef0" }),
        /^thing starts from ami-0123456789abcdef0, which nobody has approved\.\nwhy: .*\nfix: .*policy\/stacks\.yaml/,
      ],
      [
        "another region's",
        machine({}, { region: "us-east-1" }),
        /which is eu-central-1's, in us-east-1/,
      ],
      [
        "another region's, by itself",
        machine({ region: "us-east-1" }, { region: "eu-central-1" }),
        /in us-east-1/,
      ],
      ["a template", template({ imageId: "ami-12345678" }), /ami-12345678/],
    ],
  },
  "instance-types-boot": {
    passing: {
      "a type of the table": machine({ instanceType: "m5.large" }),
      "a type that is not known yet": machine({ instanceType: notYet }),
    },
    failing: [
      [
        "arm64",
        machine({ instanceType: "t4g.small" }),
        /^thing is a t4g\.small, which has an arm64 processor.*\nwhy: .*\nfix: choose one such as t3\.medium/,
      ],
      ["a new family", machine({ instanceType: "m7i.large" }), /m7i\.large, which is of a family/],
      [
        "a family that the region lacks",
        machine({ instanceType: "t2.small" }, { region: "eu-north-1" }),
        /does not exist in eu-north-1/,
      ],
      [
        "a spot request",
        {
          ...machine({ instanceType: "c7g.large" }),
          type: "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
        },
        /arm64/,
      ],
    ],
  },
  "metadata-as-intended": {
    passing: {
      "as the program sets it": machine(),
      "options that are not known yet": machine({ metadataOptions: notYet }),
      "a limit that is not known yet": machine({
        metadataOptions: { ...metadataOptions, httpPutResponseHopLimit: notYet },
      }),
    },
    failing: [
      [
        "tokens required",
        machine({ metadataOptions: { ...metadataOptions, httpTokens: "required" } }),
        /^thing has httpTokens required, not optional: RancherOS.*\nwhy: RancherOS speaks IMDSv1 only.*\nfix: set metadataOptions/,
      ],
      [
        "a longer way",
        machine({ metadataOptions: { ...metadataOptions, httpPutResponseHopLimit: 2 } }),
        /has httpPutResponseHopLimit 2, not 1: containers/,
      ],
      [
        "switched off",
        machine({ metadataOptions: { ...metadataOptions, httpEndpoint: "disabled" } }),
        /httpEndpoint disabled/,
      ],
      [
        "the account's default",
        machine({ metadataOptions: { httpEndpoint: "enabled", httpPutResponseHopLimit: 1 } }),
        /does not say httpTokens/,
      ],
    ],
  },
  tagged: {
    passing: {
      "a machine and its disk": machine(),
      "a disk tagged with the others": machine({
        rootBlockDevice: { encrypted: true },
        volumeTags: tags,
      }),
      "tags of the provider": {
        ...volume({ tags: { Name: "x", component: "X" } }),
        provider: {
          defaultTags: JSON.stringify({ tags: { project: "rancher-cattle", stack: "test" } }),
        },
      },
      "a tag that is not known yet": volume({ tags: { ...tags, Name: notYet } }),
      "what cannot have tags": { type: "aws:ec2/route:Route", props: {} },
      "what is not of AWS": pulled("mariadb"),
      "tags that are a list": {
        type: "aws:autoscaling/group:Group",
        props: {
          tags: Object.entries(tags).map(([key, value]) => ({
            key,
            value,
            propagateAtLaunch: true,
          })),
        },
      },
    },
    failing: [
      [
        "none",
        volume({}),
        /^thing has no tag Name, project, stack, component on itself\.\nwhy: .*\nfix: .*components\/names\.ts/,
      ],
      [
        "one missing",
        volume({ tags: { ...tags, component: undefined } }),
        /no tag component on itself/,
      ],
      ["one empty", volume({ tags: { ...tags, Name: "" } }), /no tag Name on itself/],
      [
        "another stack's",
        volume({ tags: { ...tags, stack: "prod" } }),
        /has the tag stack prod on itself, and this is test/,
      ],
      [
        "another project's",
        volume({ tags: { ...tags, project: "x" } }),
        /tag project x on itself, and this is rancher-cattle/,
      ],
      [
        "a root disk",
        machine({ rootBlockDevice: { encrypted: true } }),
        /component on its root disk/,
      ],
      [
        "a type that the program does not use",
        { type: "aws:s3/bucket:Bucket", props: {} },
        /no tag Name/,
      ],
    ],
  },
};
