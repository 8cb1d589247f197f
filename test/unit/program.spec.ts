import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { StackOutputs } from "../../commands/stack";
import { Network, SharedContent } from "../../components";
import { makeCertificate, type SelfMade } from "../certificate";
import { leastConfig, list, names, recordProgram, sshPublicKey, text } from "./program";
import { isSecret, plain, type Recorded, type Recording, record } from "./recorder";

const type = {
  instance: "aws:ec2/instance:Instance",
  association: "aws:ec2/eipAssociation:EipAssociation",
  attachment: "aws:ec2/volumeAttachment:VolumeAttachment",
  volume: "aws:ebs/volume:Volume",
  fileSystem: "aws:efs/fileSystem:FileSystem",
  vault: "aws:backup/vault:Vault",
  plan: "aws:backup/plan:Plan",
  selection: "aws:backup/selection:Selection",
  role: "aws:iam/role:Role",
  policy: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  mountTarget: "aws:efs/mountTarget:MountTarget",
  subnet: "aws:ec2/subnet:Subnet",
  ingress: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
  endpoint: "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
  egress: "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
  record: "aws:route53/record:Record",
  gate: "command:local:Command",
  container: "docker:index/container:Container",
  image: "docker:index/remoteImage:RemoteImage",
  dockerProvider: "pulumi:providers:docker",
  rancherProvider: "pulumi:providers:rancher",
  access: "rancher:index:AccessControl",
  host: "rancher:index:Host",
  service: "rancher:index:Service",
  balancer: "rancher:index:LoadBalancer",
  certificate: "rancher:index:Certificate",
} as const;

/** Inputs and options of each resource by URN, to compare two programs. */
function fingerprint(recording: Recording): Map<string, string> {
  return new Map(
    // What depends on what may change without a change to the resource.
    recording.resources.map((resource) => [
      resource.urn,
      JSON.stringify({ ...resource, dependencies: [], propertyDependencies: {} }),
    ]),
  );
}

/** URNs that only one of two programs has, and those that both have with different inputs. */
function compare(before: Recording, after: Recording) {
  const [a, b] = [fingerprint(before), fingerprint(after)];
  return {
    gone: [...a.keys()].filter((urn) => !b.has(urn)),
    added: [...b.keys()].filter((urn) => !a.has(urn)),
    changed: [...b.keys()].filter((urn) => a.has(urn) && a.get(urn) !== b.get(urn)),
  };
}

/** What a load balancer takes away of a visitor's request. */
const dropped = [
  "Forwarded",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Proto",
].map((header) => `    http-request del-header ${header}`);

function userData(recording: Recording, name: string): string {
  return text(recording.get(type.instance, name), "userData");
}

describe("the program", () => {
  let built: Awaited<ReturnType<typeof recordProgram>>;
  before(async () => {
    built = await recordProgram();
  });

  describe("GIVEN a change of scale", () => {
    it("THEN wordpressScale changes the scale of the service and nothing else", async () => {
      const after = await recordProgram({ wordpressScale: "4" });
      const { gone, added, changed } = compare(built, after);
      assert.deepEqual([gone, added, names(changed)], [[], [], ["wordpress-service"]]);
      const [was, is] = [built, after].map((r) => r.get(type.service, "wordpress-service").inputs);
      assert.deepEqual({ ...was, scale: 4 }, is);
    });

    it("THEN one more agent is new resources of its own and nothing else", async () => {
      const { gone, added, changed } = compare(built, await recordProgram({ agentCount: "3" }));
      assert.deepEqual([gone, changed], [[], []]);
      assert.ok(added.length >= 6);
      for (const name of names(added)) assert.match(name, /^agents-2(-|$)/);
    });

    it("THEN two more address ranges and their order change rules alone", async () => {
      const ranges = '["198.51.100.0/24", "203.0.113.7/32"]';
      const { gone, added, changed } = compare(built, await recordProgram({ adminCidrs: ranges }));
      assert.deepEqual([gone, changed], [[], []]);
      assert.deepEqual(names(added), ["security-server-ssh-198.51.100.0_24"]);
    });

    it("THEN other visitors change the rules of the site's port alone", async () => {
      const ranges = '["198.51.100.0/24"]';
      const { gone, added, changed } = compare(built, await recordProgram({ siteCidrs: ranges }));
      assert.deepEqual(
        [names(gone), names(added), changed],
        [
          ["site-access-0.0.0.0_0"],
          ["site-access-198.51.100.0_24", "site-access-agents-0", "site-access-agents-1"],
          [],
        ],
      );
    });
  });

  describe("GIVEN a change that replaces machines", () => {
    const { config: schema } = parse(readFileSync("Pulumi.yaml", "utf8")) as {
      config: Record<string, { description: string }>;
    };
    const agents = ["agents-0-instance", "agents-1-instance"];
    for (const [key, value, replaced, says] of [
      ["serverInstanceType", "t3.large", ["server-instance"], /replaces the host, not the data/],
      ["agentInstanceType", "t3.small", agents, /replaces them/],
      ["rancherAgentImage", "rancher/agent:v1.2.10", agents, /replaces the agent hosts/],
      [
        "amiId",
        "ami-0123456789abcdef0",
        ["server-instance", ...agents],
        /replaces every host, not the data/,
      ],
      // The same key, or ssh would not have its private half: the line is in the user data as it is.
      [
        "sshPublicKey",
        `${sshPublicKey}-else`,
        ["server-instance", ...agents],
        /replaces every host, not the data/,
      ],
    ] as const) {
      it(`THEN ${key} replaces exactly those that its description names, and no data`, async () => {
        const after = await recordProgram({ vcpuQuota: "8", [key]: value });
        const { changed } = compare(built, after);
        const machines = changed.map((urn) => after.byUrn(urn));
        assert.deepEqual(
          machines.filter(({ type: t }) => t === type.instance).map(({ name }) => name),
          replaced,
        );
        const kept: string[] = [type.volume, type.fileSystem, type.mountTarget];
        assert.ok(!machines.some(({ type: t }) => kept.includes(t)));
        assert.match(schema[key]?.description ?? "", says);
      });
    }

    it("THEN vpcCidr moves neither disk nor file system, so it is for a new stack only", async () => {
      const after = await recordProgram({ vpcCidr: "10.9.0.0/16" });
      const { gone, added, changed } = compare(built, after);
      assert.deepEqual([gone, added], [[], []]);
      // AWS gives a file system mount targets in one VPC at a time, and both stay what they were.
      assert.deepEqual(names(changed), ["network-subnet-0", "network-subnet-1", "network-vpc"]);
      assert.match(
        schema["vpcCidr"]?.description ?? "",
        /For a new stack only .* back up, make another stack/,
      );
    });
  });

  it("THEN no component has inputs, which would show up in every preview of a change", () => {
    const components = built.resources.filter((r) => !r.custom);
    assert.ok(components.length > 10);
    for (const component of components) {
      assert.deepEqual(component.inputs, {});
      assert.match(component.type, /^rancher-cattle:index:[A-Z]\w+$/);
    }
  });

  it("THEN every resource has a component for a parent and a name that begins with the parent's", () => {
    for (const resource of built.resources.filter((r) => r.custom)) {
      const parent = built.byUrn(resource.parent);
      assert.ok(!parent.custom, resource.urn);
      assert.ok(resource.name.startsWith(parent.name), `${resource.name} in ${parent.name}`);
    }
  });

  it("THEN every resource of AWS that can be tagged says whose it is", () => {
    const untagged =
      /:(Route|RouteTableAssociation|EipAssociation|VolumeAttachment|MountTarget|Record)$/;
    for (const resource of built.resources.filter((r) => r.type.startsWith("aws:"))) {
      if (untagged.test(resource.type)) continue;
      const owned = resource.inputs["tags"] as Record<string, string> | undefined;
      assert.deepEqual(
        { project: owned?.["project"], stack: owned?.["stack"] },
        { project: "rancher-cattle", stack: "test" },
        resource.urn,
      );
      assert.ok(owned?.["component"] && owned["Name"]?.startsWith("test-"), resource.urn);
    }
  });

  describe("GIVEN the life of machines and disks", () => {
    const options = ({ deletedWith, replaceWith, replacementTrigger }: Recorded) => ({
      deletedWith,
      replaceWith,
      replacementTrigger,
    });

    it("THEN what lives on the server's machine goes and comes with its instance", () => {
      const instance = built.get(type.instance, "server-instance");
      const residents = built.resources.filter((r) => /^(docker|command):/.test(r.type));
      assert.equal(residents.length, 13);
      for (const resident of residents) {
        assert.deepEqual(options(resident), {
          deletedWith: instance.urn,
          replaceWith: [instance.urn],
          replacementTrigger: "server-instance-id",
        });
        assert.equal(resident.deleteBeforeReplace, false, resident.urn);
      }
    });

    it("THEN what lives in Rancher goes and comes with the volume of its database", () => {
      const volume = built.get(type.volume, "data-volume");
      const residents = built.resources.filter((r) => r.type.startsWith("rancher:"));
      assert.equal(residents.length, 7);
      for (const resident of residents) {
        assert.deepEqual(options(resident), {
          deletedWith: volume.urn,
          replaceWith: [volume.urn],
          replacementTrigger: "data-volume-id",
        });
      }
    });

    it("THEN data and what opens it are protected when protectData says so, and nothing else is", async () => {
      assert.deepEqual(
        built.resources.filter((r) => r.protect),
        [],
      );
      const careful = await recordProgram({ protectData: "true" });
      assert.deepEqual(
        careful.resources
          .filter((r) => r.protect)
          .map((r) => r.name)
          .sort(),
        [
          "content-files",
          "data-volume",
          "rancher-admin-password",
          "rancher-db-password",
          "rancher-db-root-password",
          "site-db-password",
          "site-db-root-password",
        ],
      );
    });

    it("THEN there are no snapshots until snapshotDays asks for them", () => {
      for (const { type: found } of built.resources) {
        assert.doesNotMatch(found, /^aws:(backup|iam)\/|:Snapshots$/);
      }
    });

    it("THEN with snapshotDays exactly the disk and the files are kept for that long, every day", async () => {
      const kept = await recordProgram({ snapshotDays: "14" });
      const [vault, plan, selection, role, policy] = [
        kept.get(type.vault, "snapshots-vault"),
        kept.get(type.plan, "snapshots-plan"),
        kept.get(type.selection, "snapshots-selection"),
        kept.get(type.role, "snapshots-role"),
        kept.get(type.policy, "snapshots-policy"),
      ];
      assert.deepEqual(selection.inputs["resources"], ["arn:data-volume", "arn:content-files"]);
      assert.equal(selection.inputs["planId"], "snapshots-plan-id");
      assert.equal(selection.inputs["iamRoleArn"], "arn:snapshots-role");
      assert.ok(selection.dependencies.includes(policy.urn), "the role may do it by then");
      const [rule, ...others] = plan.inputs["rules"] as Record<string, unknown>[];
      assert.deepEqual(others, []);
      assert.deepEqual(rule?.["lifecycle"], { deleteAfter: 14 });
      assert.equal(rule["targetVaultName"], "snapshots-vault-1234567");
      assert.match(String(rule["schedule"]), /^cron\(\d+ \d+ \* \* \? \*\)$/);
      assert.match(String(role.inputs["assumeRolePolicy"]), /"backup\.amazonaws\.com"/);
      assert.equal(policy.inputs["role"], "snapshots-role-1234567");
      assert.match(
        String(policy.inputs["policyArn"]),
        /^arn:aws:iam::aws:policy\/.*AWSBackupServiceRolePolicyForBackup$/,
      );
      assert.equal(vault.inputs["forceDestroy"], true);
      assert.equal(vault.protect, false);
      const known = new Set(built.resources.map((r) => r.urn));
      assert.deepEqual(
        new Set(kept.resources.filter((r) => !known.has(r.urn) && r.custom)),
        new Set([role, policy, vault, plan, selection]),
      );
    });

    it("THEN with protectData the snapshots cannot be deleted either", async () => {
      const careful = await recordProgram({ snapshotDays: "14", protectData: "true" });
      const vault = careful.get(type.vault, "snapshots-vault");
      assert.equal(vault.protect, true);
      assert.equal(vault.inputs["forceDestroy"], false);
    });

    it("THEN the attachment alone is deleted first, and nothing takes a property from it", () => {
      const attachment = built.get(type.attachment, "server-data-attachment");
      const first = built.resources.filter((r) => r.deleteBeforeReplace);
      assert.deepEqual(first, [attachment]);
      assert.equal(attachment.inputs["stopInstanceBeforeDetaching"], true);
      for (const { urn, propertyDependencies } of built.resources) {
        const sources = Object.values(propertyDependencies).flat();
        assert.ok(!sources.includes(attachment.urn), urn);
      }
    });

    it("THEN machines are immutable and stand on rules, routes and gateway", () => {
      const basis = built.resources.filter(
        (r) =>
          r.custom && /^(network|security)-/.test(r.name) && r.type !== "aws:route53/zone:Zone",
      );
      for (const instance of built.ofType(type.instance)) {
        assert.deepEqual(instance.replaceOnChanges, ["ami", "instanceType"]);
        assert.equal(instance.inputs["userDataReplaceOnChange"], true);
        for (const { urn } of basis) assert.ok(instance.dependencies.includes(urn), urn);
      }
      for (const address of built.ofType("aws:ec2/eip:Eip")) {
        for (const { urn } of basis) assert.ok(address.dependencies.includes(urn), urn);
      }
    });

    it("THEN gates wait for the address and the volume, and Docker for its gate", () => {
      const mounted = built.get(type.gate, "server-data-mounted");
      const answers = built.get(type.gate, "server-docker-answers");
      const needs = (gate: Recorded, resource: Recorded) => {
        assert.ok(gate.dependencies.includes(resource.urn), `${gate.name} on ${resource.name}`);
      };
      needs(mounted, built.get(type.attachment, "server-data-attachment"));
      needs(mounted, built.get(type.association, "server-address"));
      needs(answers, mounted);
      needs(answers, built.get(type.association, "server-address"));
      needs(built.get(type.dockerProvider, "server-docker-provider"), answers);
      const ready = built.get(type.gate, "rancher-ready");
      needs(ready, built.get(type.container, "rancher"));
      needs(ready, built.get(type.record, "rancher-name"));
      for (const provider of built.ofType(type.rancherProvider)) needs(provider, ready);
      for (const host of built.ofType(type.host)) {
        needs(built.get(type.service, "wordpress-service"), host);
        needs(built.get(type.balancer, "wordpress-balancer"), host);
      }
    });

    it("THEN an agent's address moves to a machine that has joined, and no sooner", () => {
      for (const name of ["agents-0", "agents-1"]) {
        const joined = built.get(type.host, name);
        const association = built.get(type.association, `${name}-address`);
        assert.ok(association.dependencies.includes(joined.urn), name);
        assert.ok(joined.dependencies.includes(built.get(type.instance, `${name}-instance`).urn));
        assert.equal(joined.inputs["waitForServices"], true);
      }
      for (const instance of built.ofType(type.instance)) {
        assert.equal(instance.inputs["associatePublicIpAddress"], true, instance.name);
      }
    });

    it("THEN database, installer, replicas, balancer and the site's port come in this order", () => {
      const order = [
        built.get(type.container, "site-db"),
        built.get(type.container, "site-installer"),
        built.get(type.gate, "site-installer-done"),
        built.get(type.service, "wordpress-service"),
        built.get(type.balancer, "wordpress-balancer"),
        built.get(type.ingress, "site-access-0.0.0.0_0"),
      ];
      for (const [i, resource] of order.slice(1).entries()) {
        const sources = Object.values(resource.propertyDependencies).flat();
        const before = order[i]?.urn ?? "";
        assert.ok(
          [...resource.dependencies, ...sources].includes(before),
          `${resource.name} after ${before}`,
        );
      }
      // Whatever else opens port 80 would do it too early.
      const open = built.ofType(type.ingress).filter((rule) => rule.inputs["toPort"] === 80);
      assert.deepEqual(names(open.map(({ urn }) => urn)), ["site-access-0.0.0.0_0"]);
    });

    it("THEN a gate runs again on a new instance and ends by itself", () => {
      for (const gate of built.ofType(type.gate)) {
        const environment = gate.inputs["environment"] as Record<string, string>;
        assert.equal((gate.inputs["triggers"] as string[])[0], "server-instance-id");
        assert.match(environment["WAIT_SECONDS"] ?? "", /^\d+$/);
        assert.match(environment["WAIT_ARGS"] ?? "", /^server-instance-id/);
        assert.match(environment["WAIT_SCRIPT"] ?? "", /"\$instance" != "\$1"/);
        assert.equal(gate.inputs["delete"], undefined);
      }
    });
  });

  describe("GIVEN providers", () => {
    /** A provider's inputs are texts; lists among them are JSON. */
    const sshOptions = () =>
      JSON.parse(
        text(built.get(type.dockerProvider, "server-docker-provider"), "sshOpts"),
      ) as string[];

    it("THEN all of docker is on the server's engine", () => {
      const provider = built.get(type.dockerProvider, "server-docker-provider");
      assert.equal(provider.inputs["host"], `ssh://rancher@${built.result.serverAddress}:22`);
      const resources = built.resources.filter((r) => r.type.startsWith("docker:"));
      assert.equal(resources.length, 9);
      for (const resource of resources) assert.ok(resource.provider.startsWith(provider.urn));
    });

    it("THEN access is closed without a key and everything else in Rancher uses one", () => {
      const [bootstrap, admin] = ["rancher-bootstrap", "rancher-admin"].map((name) =>
        built.get(type.rancherProvider, name),
      );
      assert.ok(bootstrap !== undefined && admin !== undefined);
      assert.equal(bootstrap.inputs["accessKey"], undefined);
      assert.equal(plain(admin.inputs["accessKey"]), "ACCESS");
      for (const resource of built.resources.filter((r) => r.type.startsWith("rancher:"))) {
        const expected = resource.type === type.access ? bootstrap : admin;
        assert.ok(resource.provider.startsWith(expected.urn), resource.urn);
      }
    });

    it("THEN ssh pins the host's generated key, for docker, the gates and rancher alike", () => {
      const key = "ssh-ed25519 AAAAserver-host-key";
      const alias = "rancher-cattle-test-server";
      const options = sshOptions();
      assert.deepEqual(
        options.filter((_, i) => i % 2 === 0),
        options.filter((_, i) => i % 2 === 0).map(() => "-o"),
      );
      for (const option of [
        "StrictHostKeyChecking=yes",
        `HostKeyAlias=${alias}`,
        `KnownHostsCommand=/bin/echo ${alias} ${key}`,
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "BatchMode=yes",
      ]) {
        assert.ok(options.includes(option), option);
      }
      for (const gate of built.ofType(type.gate)) {
        const { WAIT_SSH: line } = gate.inputs["environment"] as Record<string, string>;
        const words = spawnSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
        const address = `rancher@${built.result.serverAddress}`;
        assert.deepEqual(words.stdout.trim().split("\n"), ["ssh", ...options, "-p", "22", address]);
      }
      for (const provider of built.ofType(type.rancherProvider)) {
        assert.deepEqual(provider.inputs["ssh"], {
          host: built.result.serverAddress,
          port: 22,
          user: "rancher",
          hostKey: key,
          hostKeyAlias: alias,
        });
      }
    });

    it("THEN agents are reached through the server, each end with its own key pinned", () => {
      const { sshCommands, serverAddress } = built.result;
      assert.deepEqual(Object.keys(sshCommands), ["server", "agents-0", "agents-1"]);
      const words = (line: string) =>
        spawnSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" })
          .stdout.trim()
          .split("\n");
      const outer = words(sshCommands["agents-1"] ?? "");
      assert.match(outer.at(-1) ?? "", /^rancher@10\.0\./);
      assert.ok(outer.includes("HostKeyAlias=rancher-cattle-test-agents-1"));
      const proxy = outer.find((word) => word.startsWith("ProxyCommand="));
      const inner = words((proxy ?? "").replace("ProxyCommand=", ""));
      assert.deepEqual(inner.slice(-3), ["-W", "%h:%p", `rancher@${serverAddress}`]);
      assert.ok(inner.includes("StrictHostKeyChecking=yes"));
      assert.ok(inner.includes("HostKeyAlias=rancher-cattle-test-server"));
      assert.ok(!words(sshCommands["server"] ?? "").some((word) => word.startsWith("Proxy")));
    });

    describe("and sshVia instance-connect-endpoint", () => {
      const tunnel =
        "ProxyCommand=aws ec2-instance-connect open-tunnel --region eu-central-1 --instance-id server-instance-id --instance-connect-endpoint-id ssh-way-id";
      const words = (line: string) =>
        spawnSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" })
          .stdout.trim()
          .split("\n");
      let tunnelled: Awaited<ReturnType<typeof recordProgram>>;
      before(async () => {
        tunnelled = await recordProgram({ sshVia: "instance-connect-endpoint" });
      });

      it("THEN direct is what there is without it", async () => {
        const direct = await recordProgram({ sshVia: "direct" });
        assert.deepEqual(direct.resources, built.resources);
        assert.doesNotMatch(JSON.stringify(built.resources), /open-tunnel|InstanceConnect/);
      });

      it("THEN docker, every gate and rancher go to the server's instance through it", () => {
        const provider = tunnelled.get(type.dockerProvider, "server-docker-provider");
        const options = JSON.parse(text(provider, "sshOpts")) as string[];
        assert.deepEqual(options, [...sshOptions(), "-o", tunnel]);
        const gates = tunnelled.ofType(type.gate);
        assert.equal(gates.length, built.ofType(type.gate).length);
        for (const gate of gates) {
          const { WAIT_SSH: line } = gate.inputs["environment"] as Record<string, string>;
          const address = `rancher@${tunnelled.result.serverAddress}`;
          assert.deepEqual(words(line ?? ""), ["ssh", ...options, "-p", "22", address]);
        }
        for (const { name, inputs } of tunnelled.ofType(type.rancherProvider)) {
          const before = built.get(type.rancherProvider, name).inputs["ssh"] as object;
          assert.deepEqual(inputs["ssh"], {
            ...before,
            proxyCommand: tunnel.replace("ProxyCommand=", ""),
          });
        }
      });

      it("THEN so do people, and to the agents through the server as before", () => {
        const { sshCommands, rancherUiTunnel, serverAddress } = tunnelled.result;
        assert.ok(words(sshCommands["server"] ?? "").includes(tunnel));
        assert.ok(words(rancherUiTunnel).includes(tunnel));
        for (const name of ["agents-0", "agents-1"]) {
          const outer = words(sshCommands[name] ?? "");
          const proxies = outer.filter((word) => word.startsWith("ProxyCommand="));
          assert.equal(proxies.length, 1);
          const inner = words((proxies[0] ?? "").replace("ProxyCommand=", ""));
          assert.deepEqual(inner.slice(-3), ["-W", "%h:%p", `rancher@${serverAddress}`]);
          assert.ok(inner.includes("HostKeyAlias=rancher-cattle-test-server"));
          assert.ok(inner.includes(tunnel));
        }
      });

      it("THEN the endpoint stands beside the server, with these rules and nothing else", () => {
        const { gone, added, changed } = compare(built, tunnelled);
        assert.deepEqual(gone, []);
        assert.deepEqual(names(added), [
          "ssh-way",
          "ssh-way",
          "ssh-way-group",
          "ssh-way-in",
          "ssh-way-out",
        ]);
        // What lives on the machine and in Rancher stays; only the way there is another.
        for (const urn of changed) {
          assert.match(tunnelled.byUrn(urn).type, /^(command:local:Command|pulumi:providers:.*)$/);
        }
        const rule = { ipProtocol: "tcp", fromPort: 22, toPort: 22 };
        const {
          description: _,
          tags: _tags,
          ...into
        } = tunnelled.get(type.ingress, "ssh-way-in").inputs;
        assert.deepEqual(into, {
          ...rule,
          securityGroupId: "security-server-id",
          referencedSecurityGroupId: "ssh-way-group-id",
        });
        const {
          description: _d,
          tags: _t,
          ...out
        } = tunnelled.get(type.egress, "ssh-way-out").inputs;
        assert.deepEqual(out, {
          ...rule,
          securityGroupId: "ssh-way-group-id",
          referencedSecurityGroupId: "security-server-id",
        });
        const endpoint = tunnelled.get(type.endpoint, "ssh-way");
        const { tags: owned, ...inputs } = endpoint.inputs;
        assert.deepEqual(inputs, {
          subnetId: tunnelled.get(type.instance, "server-instance").inputs["subnetId"],
          securityGroupIds: ["ssh-way-group-id"],
          preserveClientIp: false,
        });
        assert.equal((owned as Record<string, string>)["component"], "InstanceConnectEndpoint");
        // Nobody connects through it before it lets them.
        for (const [kind, name] of [
          [type.ingress, "ssh-way-in"],
          [type.egress, "ssh-way-out"],
        ] as const) {
          assert.ok(endpoint.dependencies.includes(tunnelled.get(kind, name).urn), name);
        }
        for (const gate of tunnelled.ofType(type.gate)) {
          assert.ok(gate.propertyDependencies["environment"]?.includes(endpoint.urn), gate.name);
        }
      });
    });

    it("THEN the system's ssh understands every option", function () {
      const options = sshOptions();
      const asked = spawnSync("ssh", ["-F", "none", "-G", ...options, "h"], { encoding: "utf8" });
      if (asked.error !== undefined) this.skip();
      assert.equal(asked.status, 0, asked.stderr);
      assert.match(asked.stdout, /^stricthostkeychecking (yes|true)$/m);
      assert.match(asked.stdout, /^hostkeyalias rancher-cattle-test-server$/m);
    });
  });

  describe("GIVEN the network", () => {
    it("THEN two subnets lie in the first two ordinary zones and keep them", async () => {
      const recording = await record(
        () => {
          return new Network("n", { cidr: "10.9.0.0/16" }).vpcId;
        },
        {
          stackName: "My_Team",
          calls: {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
              names: ["us-west-2-lax-1a", "us-west-2c", "us-west-2a", "us-west-2b"],
            },
          },
        },
      );
      assert.deepEqual(
        recording
          .ofType(type.subnet)
          .map((s) => [s.inputs["cidrBlock"], s.inputs["availabilityZone"]]),
        [
          ["10.9.0.0/20", "us-west-2a"],
          ["10.9.16.0/20", "us-west-2b"],
        ],
      );
      for (const subnet of recording.ofType(type.subnet)) {
        assert.deepEqual(subnet.ignoreChanges, ["availabilityZone"]);
      }
      assert.equal(
        recording.get("aws:route53/zone:Zone", "n-zone").inputs["name"],
        "my-team.internal",
      );
    });

    it("THEN exactly these rules exist, each with a sentence for the console", () => {
      const group: Record<string, string> = {
        "security-server-id": "server",
        "security-agents-id": "agents",
        "content-group-id": "content",
      };
      const rules = [...built.ofType(type.ingress), ...built.ofType(type.egress)].map((rule) => {
        const {
          securityGroupId,
          ipProtocol,
          fromPort,
          toPort,
          cidrIpv4,
          referencedSecurityGroupId,
        } = rule.inputs as Record<string, string>;
        assert.match(String(rule.inputs["description"]), /\w+ \w+/);
        assert.equal(fromPort, toPort);
        const peer = cidrIpv4 ?? group[referencedSecurityGroupId ?? ""];
        return [
          rule.type === type.egress ? "out" : "in",
          group[securityGroupId ?? ""],
          ipProtocol,
          fromPort ?? "all",
          peer,
        ].join(" ");
      });
      assert.deepEqual(rules.sort(), [
        "in agents tcp 22 server",
        "in agents tcp 80 0.0.0.0/0",
        "in agents udp 4500 agents",
        "in agents udp 500 agents",
        "in content tcp 2049 agents",
        "in server tcp 22 203.0.113.7/32",
        "in server tcp 3306 agents",
        "in server tcp 8080 agents",
        "out agents -1 all 0.0.0.0/0",
        "out server -1 all 0.0.0.0/0",
      ]);
    });
  });

  describe("GIVEN hosts", () => {
    it("THEN disks are encrypted and metadata needs no token, which RancherOS could not send", () => {
      for (const { inputs } of built.ofType(type.instance)) {
        assert.equal((inputs["rootBlockDevice"] as { encrypted: boolean }).encrypted, true);
        assert.equal((inputs["metadataOptions"] as { httpTokens: string }).httpTokens, "optional");
      }
      assert.equal(built.get(type.volume, "data-volume").inputs["encrypted"], true);
    });

    it("THEN user data is a secret, fits, and lets in the administrator's key alone", () => {
      for (const instance of built.ofType(type.instance)) {
        assert.ok(isSecret(instance.inputs["userData"]), instance.name);
        const data = text(instance, "userData");
        assert.ok(Buffer.byteLength(data) < 12_000, `${instance.name}: ${Buffer.byteLength(data)}`);
        assert.deepEqual((parse(data) as { ssh_authorized_keys: string[] }).ssh_authorized_keys, [
          sshPublicKey,
        ]);
      }
    });

    it("THEN metadata is closed before Docker starts, and what waits runs in the background", () => {
      for (const [name, ...more] of [
        ["server-instance"],
        ["agents-0-instance", "/opt/rancher-cattle/protect-mount-point.sh"],
      ] as const) {
        const { write_files: files, runcmd } = parse(userData(built, name)) as {
          write_files: { path: string; content: string }[];
          runcmd: string[];
        };
        assert.deepEqual(
          runcmd.map((line) => line.split(" ")[0]),
          ["/opt/rancher-cattle/guard-metadata.sh", "/opt/rancher-cattle/more-logins.sh", ...more],
        );
        const rcLocal = files
          .find((file) => file.path === "/etc/rc.local")
          ?.content.trim()
          .split("\n");
        assert.ok(rcLocal !== undefined);
        assert.match(rcLocal[1] ?? "", /^\/opt\/rancher-cattle\/guard-metadata\.sh .*\|\| exit 1$/);
        for (const line of rcLocal.slice(2)) assert.match(line, /<\/dev\/null >.* 2>&1 &$/);
        for (const line of rcLocal.slice(1)) {
          const program = line.split(" ")[0];
          assert.ok(
            files.some((file) => file.path === program),
            line,
          );
        }
      }
    });

    it("THEN the server mounts exactly its own volume", () => {
      assert.match(
        userData(built, "server-instance"),
        /mount-data\.sh data-volume-id \/mnt\/data mariadb-rancher mariadb-site </,
      );
      const gate = built.get(type.gate, "server-data-mounted").inputs["environment"] as Record<
        string,
        string
      >;
      assert.equal(
        gate["WAIT_ARGS"],
        "server-instance-id /mnt/data /opt/rancher-cattle/mount-data.sh data-volume-id /mnt/data mariadb-rancher mariadb-site",
      );
    });

    it("THEN agents take turns on the subnets and are found by their instance id", () => {
      const subnets = ["agents-0", "agents-1"].map(
        (name) => built.get(type.instance, `${name}-instance`).inputs["subnetId"],
      );
      assert.deepEqual(subnets, ["network-subnet-0-id", "network-subnet-1-id"]);
      assert.deepEqual(built.get(type.host, "agents-1").inputs["matchLabels"], {
        "io.rancher-cattle.instance-id": "agents-1-instance-id",
      });
    });
  });

  describe("GIVEN shared content", () => {
    const zones = [0, 1] as const;

    it("THEN it is encrypted, and every zone has a mount target behind a group of its own", () => {
      const files = built.get(type.fileSystem, "content-files").inputs;
      assert.deepEqual([files["encrypted"], files["throughputMode"]], [true, "elastic"]);
      assert.deepEqual(
        built.ofType(type.mountTarget).map(({ inputs }) => inputs),
        zones.map((zone) => ({
          fileSystemId: "content-files-id",
          subnetId: `network-subnet-${zone}-id`,
          securityGroups: ["content-group-id"],
        })),
      );
    });

    it("THEN agents stand on all mount targets and their rule, and mount that of their own zone", () => {
      const basis = [...built.ofType(type.mountTarget), built.get(type.ingress, "content-nfs")];
      for (const zone of zones) {
        const name = `agents-${zone}-instance`;
        const instance = built.get(type.instance, name);
        for (const { urn } of basis) assert.ok(instance.dependencies.includes(urn), urn);
        const command = `/opt/rancher-cattle/mount-shared.sh 10.0.${zone}.99 /mnt/shared wp-content <`;
        assert.ok(userData(built, name).includes(command));
      }
      assert.doesNotMatch(userData(built, "server-instance"), /mnt\/shared/);
    });

    it("THEN nothing can be written where it will be mounted, from before Docker starts", () => {
      const { runcmd } = parse(userData(built, "agents-0-instance")) as { runcmd: string[] };
      assert.match(runcmd[2] ?? "", /\/protect-mount-point\.sh \/mnt\/shared >>/);
    });

    it("THEN replicas have it as their wp-content, and nothing else of the host", () => {
      const { dataVolumes, command } = plain(
        built.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as { dataVolumes: string[]; command: string[] };
      assert.deepEqual(dataVolumes, ["/mnt/shared/wp-content:/var/www/html/wp-content"]);
      assert.deepEqual(command.slice(0, 2), ["sh", "-c"]);
      assert.match(command[2] ?? "", /exec docker-entrypoint\.sh apache2-foreground\n$/);
    });

    it("THEN a place of another network has no mount target", async () => {
      const built = await record(() => {
        const [here, there] = ["a", "b"].map((name) => new Network(name, { cidr: "10.9.0.0/16" }));
        assert.ok(here !== undefined && there !== undefined);
        const content = new SharedContent("c", { network: here, clientGroupId: "sg-1" });
        assert.throws(() => content.bootCommand(there.place(0)), /no mount target at this place/);
        return content.bootCommand(here.place(3));
      });
      assert.match(built.result, /mount-shared\.sh 10\.0\.1\.99 /);
    });
  });

  describe("GIVEN containers", () => {
    it("THEN databases are limited, checked over TCP, and mounted so that a missing disk stops them", () => {
      const [rancherDb, siteDb] = ["rancher-db", "site-db"].map((name) =>
        built.get(type.container, name),
      );
      assert.ok(rancherDb !== undefined && siteDb !== undefined);
      assert.deepEqual(rancherDb.inputs["mounts"], [
        { type: "bind", source: "/mnt/data/mariadb-rancher", target: "/var/lib/mysql" },
      ]);
      assert.deepEqual(siteDb.inputs["mounts"], [
        { type: "bind", source: "/mnt/data/mariadb-site", target: "/var/lib/mysql" },
      ]);
      assert.deepEqual(rancherDb.inputs["ports"], []);
      assert.deepEqual(siteDb.inputs["ports"], [{ internal: 3306, external: 3306 }]);
      assert.ok(list(rancherDb, "command").includes("--character-set-server=utf8"));
      assert.ok(list(rancherDb, "command").includes("--collation-server=utf8_general_ci"));
      assert.ok(list(siteDb, "command").includes("--character-set-server=utf8mb4"));
      assert.ok(list(rancherDb, "command").includes("--innodb-buffer-pool-size=512M"));
      for (const database of [rancherDb, siteDb]) {
        assert.equal(database.inputs["wait"], true);
        const { tests, ...times } = database.inputs["healthcheck"] as { tests: string[] };
        assert.match(tests.join(" "), /-h 127\.0\.0\.1/);
        // The real provider reads durations back as Go writes them.
        for (const time of Object.values(times).filter((value) => typeof value === "string")) {
          assert.match(time, /^(\d+h[1-5]?\dm[1-5]?\ds|[1-5]?\dm[1-5]?\ds|[1-5]?\ds)$/);
        }
      }
    });

    it("THEN passwords arrive as secrets and differ", () => {
      for (const name of ["rancher-db", "site-db", "rancher"]) {
        const container = built.get(type.container, name);
        assert.ok(isSecret(container.inputs["envs"]), name);
      }
      const service = built.get(type.service, "wordpress-service");
      assert.ok(isSecret(service.inputs["launchConfig"]));
      const { environment } = plain(service.inputs["launchConfig"]) as {
        environment: Record<string, string>;
      };
      const signing = Object.entries(environment).filter(([key]) => /(KEY|SALT)$/.test(key));
      assert.equal(signing.length, 8);
      assert.equal(new Set(signing.map(([, value]) => value)).size, 8);
      assert.equal(environment["WORDPRESS_DB_HOST"], "rancher.test.internal");
      assert.equal(environment["WORDPRESS_DB_PASSWORD"], "password-site-db-password");
      const access = built.get(type.access, "rancher-access");
      assert.ok(isSecret(access.inputs["password"]));
      assert.ok(access.additionalSecretOutputs.includes("accessKey"));
      const admin = built.get(type.rancherProvider, "rancher-admin");
      assert.ok(isSecret(admin.inputs["accessKey"]) && isSecret(admin.inputs["secretKey"]));
    });

    it("THEN root of a database does not exist on the network", () => {
      for (const name of ["rancher-db", "site-db"]) {
        const envs = list(built.get(type.container, name), "envs");
        assert.ok(envs.includes("MYSQL_ROOT_HOST=localhost"), name);
      }
    });

    it("THEN the installer runs once, in the database's own network, with what replicas have", () => {
      const { inputs } = built.get(type.container, "site-installer");
      assert.deepEqual(
        [inputs["restart"], inputs["mustRun"], inputs["user"], inputs["networkMode"]],
        ["no", false, "www-data", "container:site-db-id"],
      );
      assert.equal(inputs["ports"], undefined);
      assert.deepEqual(inputs["entrypoints"], ["php"]);
      const [flag, code = ""] = inputs["command"] as readonly string[];
      assert.equal(flag, "-r");
      assert.doesNotMatch(code, /<\?php/);
      assert.ok(isSecret(inputs["envs"]));
      const own = new Map(
        (plain(inputs["envs"]) as string[]).map((line) => {
          const at = line.indexOf("=");
          return [line.slice(0, at), line.slice(at + 1)];
        }),
      );
      const launchConfig = plain(
        built.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as { environment: Record<string, string> };
      for (const [variable, value] of Object.entries(launchConfig.environment)) {
        const expected = variable === "WORDPRESS_DB_HOST" ? "127.0.0.1" : value;
        assert.equal(own.get(variable), expected, variable);
        own.delete(variable);
      }
      assert.deepEqual(Object.fromEntries(own), {
        SITE_TITLE: "My site",
        SITE_ADMIN_USER: "siteowner",
        SITE_ADMIN_EMAIL: "siteowner@site.invalid",
        SITE_ADMIN_PASSWORD: built.result.siteAdminPassword,
      });
      const gate = built.get(type.gate, "site-installer-done");
      assert.deepEqual(gate.inputs["triggers"], ["server-instance-id", "site-installer-id"]);
    });

    it("THEN a replica is judged by PHP, its core and the database, for which it has time", () => {
      const { healthCheck, environment } = plain(
        built.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as { healthCheck: Record<string, unknown>; environment: Record<string, string> };
      assert.equal(healthCheck["requestLine"], "GET /?rancher-cattle=health HTTP/1.0");
      assert.equal(healthCheck["strategy"], "recreate");
      const extra = environment["WORDPRESS_CONFIG_EXTRA"] ?? "";
      assert.match(extra, /\$_GET\['rancher-cattle'\] \?\? ''\) === 'health'/);
      for (const part of [
        /WP_HOME/,
        /WP_SITEURL/,
        /'DISALLOW_FILE_EDIT', true/,
        /XMLRPC_REQUEST/,
      ]) {
        assert.match(extra, part);
      }
    });

    it("THEN links have the first host's address, or the domain", async () => {
      const environmentOf = (recording: Recording) =>
        (
          plain(recording.get(type.service, "wordpress-service").inputs["launchConfig"]) as {
            environment: Record<string, string>;
          }
        ).environment;
      assert.equal(built.result.siteUrl, built.result.siteUrls[0]);
      assert.equal(environmentOf(built)["SITE_URL"], built.result.siteUrl);
      const named = await recordProgram({ siteDomain: "blog.example.com" });
      assert.equal(named.result.siteUrl, "http://blog.example.com");
      assert.equal(environmentOf(named)["SITE_URL"], "http://blog.example.com");
      assert.deepEqual(named.result.siteUrls, built.result.siteUrls);
    });

    it("THEN Rancher is known by a name, and its heap follows the machine", async () => {
      const envs = list(built.get(type.container, "rancher"), "envs");
      assert.ok(envs.includes("CATTLE_API_HOST=http://rancher.test.internal:8080"));
      assert.ok(envs.includes("CATTLE_DB_CATTLE_MYSQL_HOST=rancher-db"));
      assert.ok(envs.includes("JAVA_OPTS=-Xmx1024m"));
      assert.ok(!envs.some((env) => env.startsWith("DEFAULT_CATTLE_CATALOG_URL")));
      assert.deepEqual(
        built.get(type.record, "rancher-name").inputs["name"],
        "rancher.test.internal",
      );
      const catalogUrl = "https://example.com/catalog.git";
      const larger = await recordProgram({ serverInstanceType: "t3.large", catalogUrl });
      const changed = list(larger.get(type.container, "rancher"), "envs");
      assert.ok(changed.includes("JAVA_OPTS=-Xmx2048m"));
      const catalog = changed.find((env) => env.startsWith("DEFAULT_CATTLE_CATALOG_URL=")) ?? "";
      const { catalogs } = JSON.parse(catalog.slice(catalog.indexOf("=") + 1)) as {
        catalogs: Record<string, { url: string }>;
      };
      assert.equal(catalogs["library"]?.url, catalogUrl);
    });

    it("THEN images are the settings', kept when a container goes", async () => {
      const image = "registry.example:5000/wordpress:6.4.1-php8.0-apache";
      const other = await recordProgram({
        wordpressImage: image,
        siteDatabaseImage: "mariadb:10.5.29-focal",
      });
      const { imageUuid } = plain(
        other.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as {
        imageUuid: string;
      };
      assert.equal(imageUuid, `docker:${image}`);
      assert.deepEqual(other.get(type.image, "site-db").inputs, {
        name: "mariadb:10.5.29-focal",
        keepLocally: true,
      });
    });

    it("THEN the balancer is on every host that is not told otherwise, and the replicas spread", () => {
      const balancer = built.get(type.balancer, "wordpress-balancer").inputs;
      assert.deepEqual(plain(balancer["launchConfig"]), {
        imageUuid: "docker:rancher/lb-service-haproxy:v0.9.14",
        ports: ["80:80/tcp", "443:443/tcp"],
        labels: {
          "io.rancher.scheduler.global": "true",
          "io.rancher.scheduler.affinity:host_label_ne": "io.rancher-cattle.balancer=none",
        },
      });
      assert.deepEqual(balancer["lbConfig"], {
        portRules: [
          { sourcePort: 80, protocol: "http", serviceId: "wordpress-service-id", targetPort: 80 },
        ],
        config: ["frontend 80", ...dropped].join("\n"),
      });
      const { labels } = plain(
        built.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as {
        labels: Record<string, string>;
      };
      assert.deepEqual(labels, {
        "io.rancher.scheduler.affinity:container_label_soft_ne":
          "io.rancher.stack_service.name=wordpress/web",
      });
    });
  });

  describe("GIVEN a certificate for the site's domain", () => {
    const siteDomain = "blog.example.com";
    const configOf = ({ certificate, key }: SelfMade) => ({
      siteDomain,
      siteCertificate: certificate,
      siteCertificateKey: key,
    });
    let own: SelfMade;
    let encrypted: Recording<StackOutputs>;
    before(async () => {
      own = makeCertificate([`DNS:${siteDomain}`]);
      encrypted = await recordProgram(configOf(own));
    });

    it("THEN Rancher has it, with its key as a secret", () => {
      const { inputs } = encrypted.get(type.certificate, "wordpress-certificate");
      assert.ok(isSecret(inputs["key"]));
      assert.equal(plain(inputs["key"]), own.key.trim());
      assert.equal(inputs["cert"], own.certificate);
      assert.equal(inputs["certChain"], undefined);
    });

    it("THEN links are https, and the balancer answers there and sends whoever comes by http", () => {
      assert.equal(encrypted.result.siteUrl, `https://${siteDomain}`);
      const service = plain(
        encrypted.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as { environment: Record<string, string> };
      assert.equal(service.environment["SITE_URL"], `https://${siteDomain}`);
      const rule = { serviceId: "wordpress-service-id", targetPort: 80 };
      const { portRules, defaultCertificateId, config } = encrypted.get(
        type.balancer,
        "wordpress-balancer",
      ).inputs["lbConfig"] as Record<string, unknown>;
      assert.equal(defaultCertificateId, "wordpress-certificate-id");
      assert.deepEqual(portRules, [
        { ...rule, sourcePort: 80, protocol: "http" },
        { ...rule, sourcePort: 443, protocol: "https" },
      ]);
      const fingerprint = new X509Certificate(own.certificate).fingerprint256;
      assert.deepEqual(String(config).split("\n").slice(3), [
        "frontend 80",
        `    http-request redirect prefix https://${siteDomain} code 301`,
        "frontend 443",
        `    # certificate ${fingerprint.replaceAll(":", "").toLowerCase()}`,
        ...dropped,
      ]);
    });

    it("THEN its port opens last, as that of http does", () => {
      const rule = encrypted.get(type.ingress, "site-access-https-0.0.0.0_0");
      assert.deepEqual([rule.inputs["fromPort"], rule.inputs["toPort"]], [443, 443]);
      const balancer = encrypted.get(type.balancer, "wordpress-balancer");
      assert.ok(rule.dependencies.includes(balancer.urn));
    });

    it("THEN a renewal changes the certificate and the balancer's rules alone", async () => {
      const renewed = await recordProgram(configOf(makeCertificate([`DNS:${siteDomain}`])));
      const { gone, added, changed } = compare(encrypted, renewed);
      assert.deepEqual(
        [gone, added, names(changed)],
        [[], [], ["wordpress-balancer", "wordpress-certificate"]],
      );
      const [was, is] = [encrypted, renewed].map(
        (recording) => recording.get(type.balancer, "wordpress-balancer").inputs,
      );
      assert.deepEqual({ ...was, lbConfig: is?.["lbConfig"] }, is);
    });
  });

  it("GIVEN a mail server THEN containers know it, and its password is a secret", async () => {
    const environmentOf = (recording: Recording) => {
      const launchConfig = recording.get(type.service, "wordpress-service").inputs["launchConfig"];
      assert.ok(isSecret(launchConfig));
      const { environment } = plain(launchConfig) as { environment: Record<string, string> };
      return Object.entries(environment).filter(([name]) => name.startsWith("SMTP_"));
    };
    assert.deepEqual(environmentOf(built), []);
    const server = { smtpHost: "smtp.example.com", smtpFrom: "site@example.com" };
    const common = {
      SMTP_HOST: "smtp.example.com",
      SMTP_PORT: "587",
      SMTP_FROM: "site@example.com",
    };
    assert.deepEqual(Object.fromEntries(environmentOf(await recordProgram(server))), common);
    const login = { smtpUser: "site", smtpPassword: "hunter2" };
    assert.deepEqual(
      Object.fromEntries(environmentOf(await recordProgram({ ...server, ...login }))),
      { ...common, SMTP_USER: "site", SMTP_PASSWORD: "hunter2" },
    );
  });

  it("THEN the outputs are those that users are promised", () => {
    const { result } = built;
    assert.deepEqual(Object.keys(result).sort(), [
      "agentHosts",
      "rancherAccessKey",
      "rancherAdminPassword",
      "rancherSecretKey",
      "rancherUiTunnel",
      "serverAddress",
      "siteAdminPassword",
      "siteAdminUser",
      "siteUrl",
      "siteUrls",
      "sshCommands",
    ]);
    assert.deepEqual(
      result.agentHosts.map((host) => [host.name, host.rancherHostId]),
      [
        ["agents-0", "agents-0-id"],
        ["agents-1", "agents-1-id"],
      ],
    );
    assert.deepEqual(
      result.siteUrls,
      result.agentHosts.map((host) => `http://${host.address}`),
    );
    assert.match(
      result.rancherUiTunnel,
      new RegExp(
        `^ssh .*-o ExitOnForwardFailure=yes -N -L 8080:127\\.0\\.0\\.1:8080 rancher@${result.serverAddress}$`,
      ),
    );
    assert.equal(leastConfig["aws:region"], "eu-central-1");
  });
});
