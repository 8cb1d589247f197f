/**
 * The lab's cloud on its own: every instance is a real host, and AWS's refusals are refusals here.
 *
 * Needs a running cloud: LAB_CLOUD_ENV names its env.json. Skipped without.
 */
import { strict as assert } from "node:assert";
import { execFile, execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  AttachVolumeCommand,
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVolumeCommand,
  CreateVpcCommand,
  DeleteInternetGatewayCommand,
  DeleteKeyPairCommand,
  DeleteRouteTableCommand,
  DeleteSecurityGroupCommand,
  DeleteSubnetCommand,
  DeleteVolumeCommand,
  DeleteVpcCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  DetachInternetGatewayCommand,
  DetachVolumeCommand,
  DisassociateAddressCommand,
  DisassociateRouteTableCommand,
  EC2Client,
  ImportKeyPairCommand,
  type Instance,
  type IpPermission,
  ModifyVpcAttributeCommand,
  RebootInstancesCommand,
  ReleaseAddressCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type _InstanceType,
} from "@aws-sdk/client-ec2";
import {
  CreateFileSystemCommand,
  CreateMountTargetCommand,
  DeleteFileSystemCommand,
  DeleteMountTargetCommand,
  DescribeFileSystemsCommand,
  DescribeMountTargetsCommand,
  EFSClient,
  ModifyMountTargetSecurityGroupsCommand,
} from "@aws-sdk/client-efs";
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  DeleteHostedZoneCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { amis } from "../../config/amis";

interface Env {
  readonly id: string;
  readonly dir: string;
  readonly dockerHost: string;
  readonly cloudUrl: string;
  readonly region: keyof typeof amis;
  readonly internetGateway: string;
  readonly vpcCidr: string;
}

interface Host {
  readonly id: string;
  readonly privateIp: string;
  readonly allocationId: string;
  readonly associationId: string;
  readonly publicIp: string;
}

interface Outcome {
  readonly code: number;
  readonly out: string;
}

const envFile = process.env["LAB_CLOUD_ENV"];

/** Runs a command to its end, whatever it ends with. */
function command(file: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 90_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, out: (stdout + stderr).trim() });
    });
  });
}

/** Waits until `probe` holds. */
async function eventually(
  what: string,
  probe: () => Promise<boolean>,
  seconds = 20,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${String(seconds)} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// One flow that never pauses: every datagram has the same two ports.
const udpReceiver = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 4500))
s.settimeout(60)
while True:
    with open("got", "ab") as out: out.write(s.recv(100))
`;
const udpSender = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 4500))
for _ in range(150):
    s.sendto(b"x", ("TARGET", 4500))
    time.sleep(0.2)
`;

/** A command line that starts a Python program and leaves it behind. */
function background(program: string): string {
  const encoded = Buffer.from(program).toString("base64");
  return `rm -f got; touch got; echo ${encoded} | base64 -d > program.py; setsid python3 program.py > /dev/null 2>&1 < /dev/null &`;
}

/** Asserts that a call fails with AWS's error code. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error: Error) => {
    assert.equal(error.name, code, error.message);
    return true;
  });
}

/** Repeats a call that an id which is not known yet makes fail. */
async function settled<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && error.name.endsWith("NotFound")) return call();
    throw error;
  }
}

function id(value: string | undefined): string {
  assert.ok(value !== undefined, "the answer lacks an id");
  return value;
}

(envFile === undefined ? describe.skip : describe)("the lab's cloud", function () {
  this.timeout(600_000);

  const env = JSON.parse(fs.readFileSync(envFile ?? "/dev/null", "utf8") || "{}") as Env;
  const credentials = { accessKeyId: "lab", secretAccessKey: "lab" };
  const client = { endpoint: env.cloudUrl, region: env.region, credentials, maxAttempts: 1 };
  const ec2 = new EC2Client(client);
  const efs = new EFSClient(client);
  const dns = new Route53Client(client);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-cloud-"));
  const [first = "10", second = "0"] = env.vpcCidr?.split(".") ?? [];
  const range = (rest: string) => `${first}.${second}.${rest}`;

  let vpc = "";
  let subnet = "";
  let otherSubnet = "";
  let gateway = "";
  let table = "";
  const tableAssociations: string[] = [];
  let server = "";
  let agents = "";
  let zone = "";
  let volume = "";
  let hostKey = "";
  let a: Host;
  let b: Host;

  const docker = (...args: string[]) => command("docker", ["-H", env.dockerHost, ...args]);
  const container = (host: { id: string }) => `rc-${env.id}-${host.id}`;

  /** Runs a command on a host over SSH, with its host key pinned. */
  const ssh = (host: { publicIp: string }, line: string) => {
    const known = path.join(folder, "known_hosts");
    fs.writeFileSync(known, `host ${hostKey}\n`);
    const options = [
      "HostKeyAlias=host",
      `UserKnownHostsFile=${known}`,
      "StrictHostKeyChecking=yes",
      "HostKeyAlgorithms=ssh-ed25519",
      "IdentitiesOnly=yes",
      "ConnectTimeout=2",
      "BatchMode=yes",
    ];
    const args = options.flatMap((option) => ["-o", option]);
    return command("ssh", [
      "-n",
      "-F",
      "none",
      "-i",
      path.join(folder, "key"),
      ...args,
      `rancher@${host.publicIp}`,
      line,
    ]);
  };
  const done = async (host: { publicIp: string }, line: string) => {
    const { code, out } = await ssh(host, line);
    assert.equal(code, 0, out);
    return out;
  };
  const http = (address: string, port: number) =>
    command("curl", ["-s", "-m", "2", `http://${address}:${String(port)}/`]);
  const open = async (address: string, port: number) => (await http(address, port)).code === 0;

  const instance = async (host: { id: string }): Promise<Instance> => {
    const found = await settled(() =>
      ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] })),
    );
    const [only] = found.Reservations?.[0]?.Instances ?? [];
    assert.ok(only !== undefined);
    return only;
  };
  const reaches = (host: { id: string }, state: string) =>
    eventually(`${host.id} ${state}`, async () => (await instance(host)).State?.Name === state, 60);
  const allow = (group: string, permission: IpPermission) =>
    ec2.send(
      new AuthorizeSecurityGroupIngressCommand({ GroupId: group, IpPermissions: [permission] }),
    );
  const revoke = (group: string, permission: IpPermission) =>
    ec2.send(
      new RevokeSecurityGroupIngressCommand({ GroupId: group, IpPermissions: [permission] }),
    );
  const tcp = (port: number, source: string): IpPermission => ({
    IpProtocol: "tcp",
    FromPort: port,
    ToPort: port,
    ...(source.startsWith("sg-")
      ? { UserIdGroupPairs: [{ GroupId: source, Description: "from a group" }] }
      : { IpRanges: [{ CidrIp: source, Description: "from a range" }] }),
  });

  /** What RancherOS is told: a host key, and marks that show in which order it was done. */
  const userData = () =>
    [
      "#cloud-config",
      "hostname: lab-host",
      "rancher:",
      "  ssh:",
      "    keys:",
      "      ed25519: |",
      ...fs
        .readFileSync(path.join(folder, "host"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => `        ${line}`),
      `      ed25519-pub: ${hostKey}`,
      "write_files:",
      "  - path: /etc/rc.local",
      '    permissions: "0755"',
      "    content: |",
      "      #!/bin/sh",
      "      echo rc.local >> /var/log/order",
      "      (wait-for-docker && echo docker >> /var/log/order) &",
      "mounts:",
      '  - ["LABEL=missing", /mnt/missing, ext4]',
      "runcmd:",
      "  - echo runcmd >> /var/log/order",
      "  - [sh, -c, 'test -S /var/run/docker.sock && echo early >> /var/log/order; true']",
      "",
    ].join("\n");

  const launch = async (type: _InstanceType, group: string): Promise<string> => {
    const run = await ec2.send(
      new RunInstancesCommand({
        ImageId: amis[env.region],
        InstanceType: type,
        MinCount: 1,
        MaxCount: 1,
        SubnetId: subnet,
        SecurityGroupIds: [group],
        KeyName: "lab-cloud-test",
        UserData: Buffer.from(userData()).toString("base64"),
        MetadataOptions: { HttpTokens: "optional" },
      }),
    );
    assert.equal(run.Instances?.[0]?.State?.Name, "pending");
    return id(run.Instances[0].InstanceId);
  };

  const boot = async (group: string): Promise<Host> => {
    const hostId = await launch("t3.medium", group);
    await reaches({ id: hostId }, "running");
    const address = await ec2.send(new AllocateAddressCommand({ Domain: "vpc" }));
    const associated = await ec2.send(
      new AssociateAddressCommand({ AllocationId: address.AllocationId, InstanceId: hostId }),
    );
    const host: Host = {
      id: hostId,
      privateIp: id((await instance({ id: hostId })).PrivateIpAddress),
      allocationId: id(address.AllocationId),
      associationId: id(associated.AssociationId),
      publicIp: id(address.PublicIp),
    };
    await eventually("ssh", async () => (await ssh(host, "true")).code === 0);
    return host;
  };

  before("a network, two groups, a key and two hosts", async () => {
    for (const name of ["key", "host"])
      execFileSync("ssh-keygen", [
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        name,
        "-f",
        path.join(folder, name),
      ]);
    hostKey = fs.readFileSync(path.join(folder, "host.pub"), "utf8").trim();
    vpc = id((await ec2.send(new CreateVpcCommand({ CidrBlock: range("0.0/16") }))).Vpc?.VpcId);
    await ec2.send(
      new ModifyVpcAttributeCommand({ VpcId: vpc, EnableDnsHostnames: { Value: true } }),
    );
    const zoneA = `${env.region}a`;
    const made = await ec2.send(
      new CreateSubnetCommand({
        VpcId: vpc,
        CidrBlock: range("1.0/24"),
        AvailabilityZone: zoneA,
      }),
    );
    subnet = id(made.Subnet?.SubnetId);
    const other = await ec2.send(
      new CreateSubnetCommand({
        VpcId: vpc,
        CidrBlock: range("2.0/24"),
        AvailabilityZone: `${env.region}b`,
      }),
    );
    otherSubnet = id(other.Subnet?.SubnetId);
    gateway = id(
      (await ec2.send(new CreateInternetGatewayCommand({}))).InternetGateway?.InternetGatewayId,
    );
    await ec2.send(new AttachInternetGatewayCommand({ VpcId: vpc, InternetGatewayId: gateway }));
    table = id(
      (await ec2.send(new CreateRouteTableCommand({ VpcId: vpc }))).RouteTable?.RouteTableId,
    );
    await ec2.send(
      new CreateRouteCommand({
        RouteTableId: table,
        DestinationCidrBlock: "0.0.0.0/0",
        GatewayId: gateway,
      }),
    );
    for (const SubnetId of [subnet, otherSubnet]) {
      const joined = await ec2.send(
        new AssociateRouteTableCommand({ RouteTableId: table, SubnetId }),
      );
      tableAssociations.push(id(joined.AssociationId));
    }
    const group = async (name: string) =>
      id(
        (
          await ec2.send(
            new CreateSecurityGroupCommand({ VpcId: vpc, GroupName: name, Description: name }),
          )
        ).GroupId,
      );
    server = await group("server");
    agents = await group("agents");
    for (const one of [server, agents]) await allow(one, tcp(22, `${env.internetGateway}/32`));
    await ec2.send(
      new ImportKeyPairCommand({
        KeyName: "lab-cloud-test",
        PublicKeyMaterial: fs.readFileSync(path.join(folder, "key.pub")),
      }),
    );
    [a, b] = await Promise.all([boot(server), boot(agents)]);
    // Something for the inner engines to run, without a registry.
    for (const host of [a, b]) {
      await done(host, "wait-for-docker");
      await done(
        host,
        "libraries=$(ldd /usr/bin/curl /usr/bin/getent | grep -o '/[^ :]*' | sort -u); " +
          "tar -ch -C / $libraries bin/busybox etc/nsswitch.conf /lib/x86_64-linux-gnu/libnss_dns.so.2 " +
          "2>/dev/null | docker import - small",
      );
    }
    for (const host of [a, b])
      await done(
        host,
        "docker run -d --name web --stop-timeout 1 -p 8080:80 small /bin/busybox sh -c " +
          "'/bin/busybox mkdir /www; echo hello > /www/index.html; exec /bin/busybox httpd -f -h /www'",
      );
  });

  after("everything goes, in the order that AWS wants", async () => {
    const left = [a, b].filter((host) => host !== undefined);
    if (left.length > 0) {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: left.map((host) => host.id) }));
      for (const host of left) await reaches(host, "terminated");
      for (const host of left)
        await ec2.send(new ReleaseAddressCommand({ AllocationId: host.allocationId }));
    }
    if (volume !== "") await ec2.send(new DeleteVolumeCommand({ VolumeId: volume }));
    if (zone !== "") await dns.send(new DeleteHostedZoneCommand({ Id: zone }));
    await ec2.send(new DeleteKeyPairCommand({ KeyName: "lab-cloud-test" }));
    for (const GroupId of [server, agents])
      await ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    for (const AssociationId of tableAssociations)
      await ec2.send(new DisassociateRouteTableCommand({ AssociationId }));
    await ec2.send(new DeleteRouteTableCommand({ RouteTableId: table }));
    await ec2.send(new DetachInternetGatewayCommand({ VpcId: vpc, InternetGatewayId: gateway }));
    await ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId: gateway }));
    for (const SubnetId of [subnet, otherSubnet])
      await ec2.send(new DeleteSubnetCommand({ SubnetId }));
    await ec2.send(new DeleteVpcCommand({ VpcId: vpc }));
    const containers = await docker("ps", "-aq", "--filter", `name=rc-${env.id}-i-`);
    const volumes = await docker("volume", "ls", "-q", "--filter", `name=rc-${env.id}-i-`);
    const networks = await docker("network", "ls", "-q", "--filter", `name=rc-${env.id}-vpc-`);
    assert.equal(containers.out + volumes.out + networks.out, "");
    const { out: nat } = await command("iptables", ["-t", "nat", "-S"]);
    assert.doesNotMatch(nat, new RegExp(`RC-${env.id}-DNAT .*to-destination`));
    const { out: loops } = await command("losetup", ["--list", "--output", "BACK-FILE"]);
    assert.ok(volume === "" || !loops.includes(volume), loops);
    fs.rmSync(folder, { recursive: true });
  });

  describe("a host", () => {
    it("GIVEN cloud-config WHEN it boots THEN everything is done in RancherOS's order", async () => {
      const order = await done(a, "sleep 1; cat /var/log/order");
      assert.equal(order, "runcmd\nrc.local\ndocker");
      assert.equal(await done(a, "hostname"), "lab-host");
      assert.match(await done(a, "sudo cat /var/log/cloud-config.log"), /exactly four arguments/);
      assert.match(await done(a, "id"), /^uid=1100\(rancher\).*\(docker\)/);
      assert.equal(await done(a, "sudo id -u"), "0");
    });

    it("GIVEN an address WHEN metadata is asked for THEN it names the instance", async () => {
      const get = (host: Host, item: string) =>
        done(host, `curl -sf http://169.254.169.254/latest/${item}`);
      assert.equal(await get(a, "meta-data/instance-id"), a.id);
      assert.equal(await get(a, "meta-data/public-ipv4"), a.publicIp);
      assert.equal(await get(a, "meta-data/local-ipv4"), a.privateIp);
      assert.equal(await get(a, "meta-data/placement/availability-zone"), `${env.region}a`);
      assert.match(await get(a, "user-data"), /^#cloud-config/);
    });

    it("GIVEN the translation WHEN a host is looked at THEN its public address is not on it", async () => {
      assert.ok(!(await done(a, "ip -4 addr")).includes(a.publicIp));
      const [from] = (await done(a, "echo $SSH_CONNECTION")).split(" ");
      assert.equal(from, env.internetGateway);
    });

    it("GIVEN the laptop WHEN it uses a private address THEN nothing is there", async () => {
      await allow(server, tcp(8080, "0.0.0.0/0"));
      assert.equal(await open(a.publicIp, 8080), true);
      assert.equal(await open(a.privateIp, 8080), false);
      await revoke(server, tcp(8080, "0.0.0.0/0"));
    });
  });

  describe("security groups", () => {
    it("GIVEN a published port WHEN its rule comes and goes THEN it opens and closes", async () => {
      assert.equal(await open(a.publicIp, 8080), false);
      await allow(server, tcp(8080, `${env.internetGateway}/32`));
      assert.equal((await http(a.publicIp, 8080)).out, "hello");
      await revoke(server, tcp(8080, `${env.internetGateway}/32`));
      assert.equal(await open(a.publicIp, 8080), false);
    });

    it("GIVEN a rule for a group WHEN a member calls THEN only private addresses pass", async () => {
      const get = async (address: string) =>
        (await ssh(b, `curl -s -m 2 http://${address}:8080/`)).code === 0;
      assert.equal(await get(a.privateIp), false);
      await allow(server, tcp(8080, agents));
      assert.equal(await get(a.privateIp), true);
      assert.equal(await get(a.publicIp), false, "a public address is nobody's member");
      await revoke(server, tcp(8080, agents));
      assert.equal(await get(a.privateIp), false);
    });

    it("GIVEN a rule for a public address WHEN its host calls there THEN it is seen with it", async () => {
      await allow(server, tcp(8080, `${b.publicIp}/32`));
      assert.equal(await done(b, `curl -s -m 2 http://${a.publicIp}:8080/`), "hello");
      await revoke(server, tcp(8080, `${b.publicIp}/32`));
    });

    it("GIVEN no egress rule WHEN a host calls out THEN nothing leaves but answers and DNS", async () => {
      const all: IpPermission = { IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] };
      const egress = { GroupId: agents, IpPermissions: [all] };
      await allow(server, tcp(8080, agents));
      await ec2.send(new RevokeSecurityGroupEgressCommand(egress));
      assert.notEqual((await ssh(b, `curl -s -m 2 http://${a.privateIp}:8080/`)).code, 0);
      const inner = `docker run --rm small /usr/bin/curl -s -m 2 http://${a.privateIp}:8080/`;
      assert.notEqual((await ssh(b, inner)).code, 0);
      assert.match(await done(b, "getent hosts registry.lab"), /registry\.lab/);
      await ec2.send(new AuthorizeSecurityGroupEgressCommand(egress));
      assert.equal(await done(b, inner), "hello");
      await revoke(server, tcp(8080, agents));
    });

    it("GIVEN an open UDP flow WHEN its rule goes THEN the flow ends", async () => {
      const ipsec: IpPermission = {
        IpProtocol: "udp",
        FromPort: 4500,
        ToPort: 4500,
        UserIdGroupPairs: [{ GroupId: agents }],
      };
      await allow(server, ipsec);
      await done(a, background(udpReceiver));
      await done(b, background(udpSender.replace("TARGET", a.privateIp)));
      const size = async () => Number(await done(a, "stat -c %s got"));
      await eventually("datagrams", async () => (await size()) > 0);
      await revoke(server, ipsec);
      const before = await size();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(await size(), before);
    });

    it("GIVEN a restarted host WHEN it is back THEN its rules are, before anything listens", async () => {
      await docker("restart", "-t", "20", container(a));
      await eventually("ssh", async () => (await ssh(a, "true")).code === 0);
      await done(a, "wait-for-docker && docker start web");
      assert.equal(await open(a.publicIp, 8080), false);
      assert.match(await done(a, "cat /var/log/order"), /runcmd[^]*runcmd/);
    });
  });

  describe("volumes", () => {
    const device = "/dev/xvdf";
    const attach = (host: Host) =>
      ec2.send(new AttachVolumeCommand({ VolumeId: volume, InstanceId: host.id, Device: device }));
    const attachment = async () => {
      const found = await settled(() =>
        ec2.send(new DescribeVolumesCommand({ VolumeIds: [volume] })),
      );
      return found.Volumes?.[0]?.Attachments?.[0]?.State ?? "none";
    };

    it("GIVEN a volume WHEN it is formatted on one host THEN another finds its content", async () => {
      const made = await ec2.send(
        new CreateVolumeCommand({
          AvailabilityZone: `${env.region}a`,
          Size: 2,
          VolumeType: "gp3",
          Encrypted: true,
        }),
      );
      volume = id(made.VolumeId);
      await attach(a);
      assert.equal(await done(a, `sudo blockdev --getsize64 ${device}`), String(2 * 1024 ** 3));
      await done(
        a,
        `sudo mkfs.ext4 -q -L lab-test ${device} && sudo mkdir -p /mnt/v && ` +
          "sudo mount LABEL=lab-test /mnt/v && echo kept | sudo tee /mnt/v/file && sync",
      );
      await refuses("VolumeInUse", () => attach(b));
      await refuses("VolumeInUse", () => ec2.send(new DeleteVolumeCommand({ VolumeId: volume })));
      await ec2.send(new DetachVolumeCommand({ VolumeId: volume }));
      assert.equal(await attachment(), "busy", "a mounted volume stays");
      await done(a, "sudo umount /mnt/v");
      await eventually("detached", async () => (await attachment()) === "none");
      assert.notEqual((await ssh(a, `test -e ${device}`)).code, 0);
      await attach(b);
      assert.equal(
        await done(
          b,
          "sudo mkdir -p /mnt/v && sudo mount LABEL=lab-test /mnt/v && cat /mnt/v/file",
        ),
        "kept",
      );
    });

    it("GIVEN a mounted volume WHEN its host restarts THEN the device is there again", async () => {
      await docker("restart", "-t", "20", container(b));
      await eventually("ssh", async () => (await ssh(b, "true")).code === 0);
      assert.equal(await done(b, "sudo mount LABEL=lab-test /mnt/v && cat /mnt/v/file"), "kept");
      await done(b, "sudo umount /mnt/v");
      await ec2.send(new DetachVolumeCommand({ VolumeId: volume }));
      assert.equal(await attachment(), "none");
    });

    it("GIVEN another zone WHEN a volume is attached THEN it is refused", async () => {
      const made = await ec2.send(
        new CreateVolumeCommand({ AvailabilityZone: `${env.region}b`, Size: 1 }),
      );
      const far = id(made.VolumeId);
      await refuses("InvalidVolume.ZoneMismatch", () =>
        ec2.send(new AttachVolumeCommand({ VolumeId: far, InstanceId: a.id, Device: "/dev/sdg" })),
      );
      await ec2.send(new DeleteVolumeCommand({ VolumeId: far }));
    });
  });

  describe("file systems", () => {
    const targets: string[] = [];
    let shared = "";
    let group = "";
    let address = "";

    const mount = (seconds: number, options = "nfsvers=4.1,hard") =>
      `sudo mkdir -p /mnt/s && sudo timeout ${seconds} mount -t nfs4 -o ${options} ${address}:/ /mnt/s`;
    const target = (SubnetId: string, SecurityGroups = [group]) =>
      efs.send(new CreateMountTargetCommand({ FileSystemId: shared, SubnetId, SecurityGroups }));
    const targetState = async (MountTargetId: string) => {
      const command = new DescribeMountTargetsCommand({ MountTargetId });
      return (await efs.send(command)).MountTargets?.[0]?.LifeCycleState;
    };
    const fileSystemState = async () => {
      const command = new DescribeFileSystemsCommand({ FileSystemId: shared });
      return (await efs.send(command)).FileSystems?.[0]?.LifeCycleState;
    };

    before("a file system, and a group that lets in nobody", async () => {
      const named = { GroupName: "shared", Description: "shared", VpcId: vpc };
      group = id((await ec2.send(new CreateSecurityGroupCommand(named))).GroupId);
      const made = await efs.send(new CreateFileSystemCommand({ CreationToken: "one" }));
      shared = id(made.FileSystemId);
      assert.equal(made.LifeCycleState, "creating");
    });

    it("GIVEN a new file system WHEN it gets mount targets THEN one a zone, when it is available", async () => {
      await refuses("IncorrectFileSystemLifeCycleState", () => target(subnet));
      await eventually("available", async () => (await fileSystemState()) === "available");
      await refuses("SecurityGroupLimitExceeded", () =>
        target(
          subnet,
          Array.from({ length: 6 }, () => group),
        ),
      );
      for (const one of [subnet, otherSubnet]) {
        const made = await target(one);
        assert.equal(made.LifeCycleState, "creating");
        assert.match(made.IpAddress ?? "", new RegExp(`^${first}\\.${second}\\.`));
        targets.push(id(made.MountTargetId));
        if (one === subnet) address = made.IpAddress ?? "";
      }
      await refuses("MountTargetConflict", () => target(subnet));
      for (const one of targets)
        await eventually("available", async () => (await targetState(one)) === "available");
    });

    it("GIVEN the group's rules WHEN hosts mount THEN those that it lets in see one directory", async () => {
      assert.equal((await ssh(b, mount(2))).code, 124, "a closed port is silent");
      await allow(group, tcp(2049, agents));
      await done(b, mount(5));
      await done(b, "echo from b | sudo tee /mnt/s/file");
      assert.equal((await ssh(a, mount(2))).code, 124, "the other group is not let in");
      const waiting = ssh(a, mount(20));
      await allow(group, tcp(2049, `${a.privateIp}/32`));
      assert.equal((await waiting).code, 0, "it goes on when the port opens");
      assert.equal(await done(a, "cat /mnt/s/file"), "from b");
      const inner = "docker run --rm -v /mnt/s:/s small /bin/busybox cat /s/file";
      assert.equal(await done(a, inner), "from b");
      await done(a, "sudo umount /mnt/s");
      assert.equal((await ssh(a, mount(5, "nfsvers=3"))).code, 32, "EFS speaks NFS 4 alone");
    });

    it("GIVEN another group WHEN a target changes to it THEN that decides", async () => {
      const change = (SecurityGroups: string[]) =>
        efs.send(
          new ModifyMountTargetSecurityGroupsCommand({ MountTargetId: targets[0], SecurityGroups }),
        );
      await change([agents]);
      assert.equal((await ssh(a, mount(2))).code, 124);
      await change([group]);
      await done(a, mount(5));
      await done(a, "sudo umount /mnt/s");
    });

    it("GIVEN a restarted host WHEN it is back THEN nothing is mounted, and can be again", async () => {
      await docker("restart", "-t", "20", container(b));
      await eventually("ssh", async () => (await ssh(b, "true")).code === 0);
      assert.equal(await done(b, "ls /mnt/s"), "");
      await done(b, mount(5));
      assert.equal(await done(b, "cat /mnt/s/file"), "from b");
      await done(b, "sudo umount /mnt/s");
    });

    it("GIVEN mount targets WHEN what they need is deleted THEN it is refused until they are gone", async () => {
      const drop = () => efs.send(new DeleteFileSystemCommand({ FileSystemId: shared }));
      await refuses("FileSystemInUse", drop);
      await refuses("DependencyViolation", () =>
        ec2.send(new DeleteSubnetCommand({ SubnetId: otherSubnet })),
      );
      for (const MountTargetId of targets) {
        await efs.send(new DeleteMountTargetCommand({ MountTargetId }));
        assert.equal(await targetState(MountTargetId), "deleting");
      }
      await refuses("FileSystemInUse", drop);
      await refuses("DependencyViolation", () =>
        ec2.send(new DeleteSecurityGroupCommand({ GroupId: group })),
      );
      for (const one of targets)
        await eventually("gone", async () => {
          return (
            (await targetState(one).catch((error: Error) => error.name)) === "MountTargetNotFound"
          );
        });
      await ec2.send(new DeleteSecurityGroupCommand({ GroupId: group }));
      const folder = path.join(env.dir, "shares", shared);
      assert.ok(fs.existsSync(folder));
      await drop();
      await refuses("FileSystemNotFound", fileSystemState);
      assert.ok(!fs.existsSync(folder), "its files go with it");
    });
  });

  describe("names", () => {
    const change = (action: "UPSERT" | "DELETE", value: string) =>
      dns.send(
        new ChangeResourceRecordSetsCommand({
          HostedZoneId: zone,
          ChangeBatch: {
            Changes: [
              {
                Action: action,
                ResourceRecordSet: {
                  Name: "rancher.test.internal",
                  Type: "A",
                  TTL: 5,
                  ResourceRecords: [{ Value: value }],
                },
              },
            ],
          },
        }),
      );

    it("GIVEN a private zone WHEN its record moves THEN hosts and containers follow", async () => {
      const made = await dns.send(
        new CreateHostedZoneCommand({
          Name: "test.internal",
          CallerReference: String(Date.now()),
          VPC: { VPCId: vpc, VPCRegion: env.region },
          HostedZoneConfig: { PrivateZone: true },
        }),
      );
      zone = id(made.HostedZone?.Id).replace("/hostedzone/", "");
      await change("UPSERT", a.privateIp);
      const look = "getent ahostsv4 rancher.test.internal | awk 'NR==1{print $1}'";
      assert.equal(await done(b, look), a.privateIp);
      await change("UPSERT", b.privateIp);
      assert.equal(await done(b, look), b.privateIp);
      const inner = await done(
        a,
        "wait-for-docker; docker run --rm small /usr/bin/getent hosts rancher.test.internal",
      );
      assert.ok(inner.includes(b.privateIp), inner);
      assert.notEqual((await ssh(b, "getent hosts missing.test.internal")).code, 0);
      await refuses("HostedZoneNotEmpty", () =>
        dns.send(new DeleteHostedZoneCommand({ Id: zone })),
      );
      await change("DELETE", b.privateIp);
    });
  });

  describe("addresses", () => {
    it("GIVEN an address WHEN it is associated anew THEN it moves at once", async () => {
      const moved = await ec2.send(
        new AssociateAddressCommand({ AllocationId: a.allocationId, InstanceId: b.id }),
      );
      assert.equal(
        await done(a, "curl -s http://169.254.169.254/latest/meta-data/instance-id"),
        b.id,
      );
      await refuses("InvalidAssociationID.NotFound", () =>
        ec2.send(new DisassociateAddressCommand({ AssociationId: a.associationId })),
      );
      assert.equal((await instance(a)).PublicIpAddress, undefined);
      await ec2.send(new DisassociateAddressCommand({ AssociationId: moved.AssociationId }));
      assert.notEqual((await ssh(a, "true")).code, 0);
      for (const host of [a, b])
        await ec2.send(
          new AssociateAddressCommand({ AllocationId: host.allocationId, InstanceId: host.id }),
        );
      assert.equal(await done(a, "sudo hostname -s"), "lab-host");
    });

    it("GIVEN an associated address WHEN it is released THEN it is refused", async () => {
      await refuses("InvalidIPAddress.InUse", () =>
        ec2.send(new ReleaseAddressCommand({ AllocationId: a.allocationId })),
      );
    });

    it("GIVEN the quota of five WHEN a sixth is asked for THEN it is refused", async () => {
      const more: string[] = [];
      for (let count = 2; count < 5; count++)
        more.push(id((await ec2.send(new AllocateAddressCommand({ Domain: "vpc" }))).AllocationId));
      await refuses("AddressLimitExceeded", () =>
        ec2.send(new AllocateAddressCommand({ Domain: "vpc" })),
      );
      for (const AllocationId of more) await ec2.send(new ReleaseAddressCommand({ AllocationId }));
    });
  });

  describe("lives", () => {
    it("GIVEN a stopped instance WHEN it starts THEN disk and Elastic IP are the same", async () => {
      await done(a, "echo here > mark; docker ps -q");
      await ec2.send(new StopInstancesCommand({ InstanceIds: [a.id] }));
      await reaches(a, "stopped");
      await ec2.send(new StartInstancesCommand({ InstanceIds: [a.id] }));
      await reaches(a, "running");
      await eventually("ssh", async () => (await ssh(a, "true")).code === 0);
      assert.equal(await done(a, "cat mark"), "here");
      assert.equal(await open(a.publicIp, 8080), false);
    });

    it("GIVEN an automatic address WHEN the instance stops and starts THEN it is another", async () => {
      const run = await ec2.send(
        new RunInstancesCommand({
          ImageId: amis[env.region],
          InstanceType: "t3.small",
          MinCount: 1,
          MaxCount: 1,
          NetworkInterfaces: [
            {
              DeviceIndex: 0,
              SubnetId: subnet,
              Groups: [agents],
              AssociatePublicIpAddress: true,
            },
          ],
        }),
      );
      const host = { id: id(run.Instances?.[0]?.InstanceId) };
      await reaches(host, "running");
      const before = id((await instance(host)).PublicIpAddress);
      assert.equal((await instance(host)).SecurityGroups?.[0]?.GroupId, agents);
      await ec2.send(new StopInstancesCommand({ InstanceIds: [host.id] }));
      await reaches(host, "stopped");
      assert.equal((await instance(host)).PublicIpAddress, undefined);
      await ec2.send(new StartInstancesCommand({ InstanceIds: [host.id] }));
      await reaches(host, "running");
      assert.notEqual(id((await instance(host)).PublicIpAddress), before);
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [host.id] }));
      await reaches(host, "terminated");
    });

    it("GIVEN a host that died WHEN it is rebooted or ended THEN that works", async () => {
      await docker("kill", container(b));
      assert.equal((await instance(b)).State?.Name, "running");
      assert.notEqual((await ssh(b, "true")).code, 0);
      // A dead host still holds its rules: they are there when it is back.
      await allow(agents, tcp(8080, "0.0.0.0/0"));
      await revoke(agents, tcp(8080, "0.0.0.0/0"));
      await ec2.send(new RebootInstancesCommand({ InstanceIds: [b.id] }));
      await eventually("ssh", async () => (await ssh(b, "wait-for-docker")).code === 0);
      await done(b, "docker start web");
      assert.equal(await open(b.publicIp, 8080), false);
      await ec2.send(
        new AttachVolumeCommand({ VolumeId: volume, InstanceId: b.id, Device: "/dev/sdf" }),
      );
      await done(b, "test -b /dev/xvdf && sudo mount LABEL=lab-test /mnt/v");
      await docker("kill", container(b));
      await ec2.send(new DetachVolumeCommand({ VolumeId: volume }));
    });
  });

  describe("AWS's refusals", () => {
    it("GIVEN things in use WHEN they are deleted THEN it is a DependencyViolation", async () => {
      await refuses("DependencyViolation", () =>
        ec2.send(new DeleteSubnetCommand({ SubnetId: subnet })),
      );
      await refuses("DependencyViolation", () =>
        ec2.send(new DeleteSecurityGroupCommand({ GroupId: server })),
      );
      await refuses("DependencyViolation", () =>
        ec2.send(new DetachInternetGatewayCommand({ VpcId: vpc, InternetGatewayId: gateway })),
      );
      await refuses("DependencyViolation", () => ec2.send(new DeleteVpcCommand({ VpcId: vpc })));
      await refuses("DependencyViolation", () =>
        ec2.send(new DeleteRouteTableCommand({ RouteTableId: table })),
      );
    });

    it("GIVEN a new group WHEN it is first asked for THEN it is not known yet", async () => {
      const made = await ec2.send(
        new CreateSecurityGroupCommand({ VpcId: vpc, GroupName: "new", Description: "new" }),
      );
      const GroupId = id(made.GroupId);
      const ask = () => ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }));
      await refuses("InvalidGroup.NotFound", ask);
      const [group] = (await ask()).SecurityGroups ?? [];
      assert.equal(group?.IpPermissionsEgress?.[0]?.IpRanges?.[0]?.CidrIp, "0.0.0.0/0");
      await ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    });

    it("GIVEN the quota of eight vCPUs WHEN more are asked for THEN it is refused", async () => {
      await refuses("VcpuLimitExceeded", () => launch("m5.2xlarge", agents));
    });

    it("GIVEN an Arm type or a foreign image WHEN it is launched THEN it is refused", async () => {
      await refuses("InvalidParameterValue", () => launch("t4g.small", agents));
      const elsewhere = Object.entries(amis).find(([region]) => region !== env.region)?.[1];
      await refuses("InvalidAMIID.NotFound", () =>
        ec2.send(
          new RunInstancesCommand({
            ImageId: elsewhere,
            InstanceType: "t3.micro",
            MinCount: 1,
            MaxCount: 1,
            SubnetId: subnet,
          }),
        ),
      );
      const Owners = ["605812595337"];
      const listed = async (IncludeDeprecated: boolean) =>
        (await ec2.send(new DescribeImagesCommand({ Owners, IncludeDeprecated }))).Images?.map(
          (image) => image.ImageId,
        );
      assert.deepEqual([await listed(true), await listed(false)], [[amis[env.region]], []]);
    });
  });
});
