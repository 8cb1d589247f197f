import { strict as assert } from "node:assert";
import { makeCertificate } from "../certificate";
import { names, recordProgram } from "./program";
import { plain, type Recorded, type Recording } from "./recorder";

const type = {
  association: "aws:ec2/eipAssociation:EipAssociation",
  attachment: "aws:lb/targetGroupAttachment:TargetGroupAttachment",
  balancer: "aws:lb/loadBalancer:LoadBalancer",
  eip: "aws:ec2/eip:Eip",
  gate: "command:local:Command",
  group: "aws:lb/targetGroup:TargetGroup",
  host: "rancher:index:Host",
  ingress: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
  instance: "aws:ec2/instance:Instance",
  listener: "aws:lb/listener:Listener",
  rancherBalancer: "rancher:index:LoadBalancer",
  service: "rancher:index:Service",
} as const;

/** Names of what one program has and another has not. */
function beyond(more: Recording, less: Recording): readonly string[] {
  const known = new Set(less.resources.map(({ urn }) => urn));
  return names(more.resources.map(({ urn }) => urn).filter((urn) => !known.has(urn)));
}

/** Whether a resource comes after another, by way of whatever is between them. */
function isAfter(recording: Recording, later: Recorded, earlier: Recorded): boolean {
  const seen = new Set<string>();
  const follow = (urn: string): boolean => {
    if (urn === earlier.urn) return true;
    if (urn === "" || seen.has(urn)) return false;
    seen.add(urn);
    const resource = recording.resources.find((one) => one.urn === urn);
    if (resource === undefined) return false;
    return [...resource.dependencies, ...Object.values(resource.propertyDependencies).flat()].some(
      follow,
    );
  };
  return follow(later.urn);
}

describe("the way to the site", () => {
  let plainWay: Awaited<ReturnType<typeof recordProgram>>;
  before(async () => {
    plainWay = await recordProgram();
  });

  describe("GIVEN loadBalancerScale", () => {
    it("as many as there are hosts THEN nothing is different", async () => {
      const all = await recordProgram({ loadBalancerScale: "2" });
      assert.deepEqual(all.resources, plainWay.resources);
    });

    it("THEN the first hosts run it and have the site's addresses, and no machine is replaced", async () => {
      const one = await recordProgram({ loadBalancerScale: "1" });
      assert.deepEqual(beyond(one, plainWay), []);
      assert.deepEqual(beyond(plainWay, one), [
        "agents-1-address",
        "agents-1-address",
        "agents-1-address",
      ]);
      assert.deepEqual(one.result.siteUrls, plainWay.result.siteUrls.slice(0, 1));
      assert.equal(one.result.siteUrl, plainWay.result.siteUrl);
      for (const { name, inputs } of plainWay.ofType(type.instance)) {
        assert.deepEqual(one.get(type.instance, name).inputs, inputs);
      }
      const balancer = [plainWay, one].map((r) =>
        r.get(type.rancherBalancer, "wordpress-balancer"),
      );
      assert.deepEqual(balancer[0]?.inputs, balancer[1]?.inputs);
    });

    it("THEN a host without it says so in a label and waits for none", async () => {
      const one = await recordProgram({ loadBalancerScale: "1" });
      const { inputs } = plainWay.get(type.host, "agents-1");
      assert.deepEqual(
        one.get(type.host, "agents-0").inputs,
        plainWay.get(type.host, "agents-0").inputs,
      );
      assert.equal(inputs["labels"], undefined);
      assert.deepEqual(one.get(type.host, "agents-1").inputs, {
        ...inputs,
        waitForServices: false,
        labels: { "io.rancher-cattle.balancer": "none" },
      });
      const shown = one.result.agentHosts.map(({ address }) => address);
      assert.equal(shown[0], plainWay.result.agentHosts[0]?.address);
      assert.match(shown[1] ?? "", /^10\.0\./);
    });
  });

  describe("GIVEN visitors from some ranges only", () => {
    const siteCidrs = '["198.51.100.0/24"]';
    const visiting = (recording: Recording) =>
      Object.fromEntries(
        recording
          .ofType(type.ingress)
          .filter(({ name }) => name.startsWith("site-access-"))
          .map(({ name, inputs }) => [
            name,
            `${String(inputs["cidrIpv4"])} ${String(inputs["fromPort"])}`,
          ]),
      );

    it("THEN each host may visit the site from its own address, on each port, when visitors may", async () => {
      const siteDomain = "blog.example.com";
      const { certificate, key } = makeCertificate([`DNS:${siteDomain}`]);
      const recording = await recordProgram({
        siteCidrs,
        siteDomain,
        siteCertificate: certificate,
        siteCertificateKey: key,
      });
      const [first, second] = recording.result.agentHosts.map(({ address }) => address);
      assert.deepEqual(visiting(recording), {
        "site-access-198.51.100.0_24": "198.51.100.0/24 80",
        "site-access-agents-0": `${first}/32 80`,
        "site-access-agents-1": `${second}/32 80`,
        "site-access-https-198.51.100.0_24": "198.51.100.0/24 443",
        "site-access-https-agents-0": `${first}/32 443`,
        "site-access-https-agents-1": `${second}/32 443`,
      });
      const rule = recording.get(type.ingress, "site-access-https-agents-1");
      assert.ok(isAfter(recording, rule, recording.get(type.service, "wordpress-service")));
      assert.match(String(rule.inputs["description"]), /timed tasks/);
    });

    it("and hosts without an Elastic IP THEN only those that have one", async () => {
      const one = await recordProgram({ siteCidrs, loadBalancerScale: "1" });
      assert.deepEqual(Object.keys(visiting(one)), [
        "site-access-198.51.100.0_24",
        "site-access-agents-0",
      ]);
      const none = await recordProgram({ siteCidrs, siteEntry: "networkLoadBalancer" });
      assert.deepEqual(Object.keys(visiting(none)), ["site-access-198.51.100.0_24"]);
    });

    it("or everyone among them THEN there is no more than the ranges", async () => {
      const all = await recordProgram({ siteCidrs: '["198.51.100.0/24", "0.0.0.0/0"]' });
      assert.equal(Object.keys(visiting(all)).length, 2);
    });
  });

  describe("GIVEN a network load balancer", () => {
    let balanced: Awaited<ReturnType<typeof recordProgram>>;
    before(async () => {
      balanced = await recordProgram({ siteEntry: "networkLoadBalancer" });
    });

    it("THEN the site has an address a zone, and hosts have none of their own", () => {
      const ips = balanced.ofType(type.eip).map(({ name }) => name);
      assert.deepEqual(ips.sort(), [
        "server-address",
        "site-address-nlb-ip-0",
        "site-address-nlb-ip-1",
      ]);
      const { inputs } = balanced.get(type.balancer, "site-address-nlb");
      assert.equal(inputs["loadBalancerType"], "network");
      assert.equal(inputs["enableCrossZoneLoadBalancing"], true);
      assert.deepEqual(
        inputs["subnetMappings"],
        [0, 1].map((zone) => ({
          subnetId: `network-subnet-${zone}-id`,
          allocationId: `eipalloc-site-address-nlb-ip-${zone}`,
        })),
      );
      const { siteUrl, siteUrls, agentHosts } = balanced.result;
      assert.equal(new Set(siteUrls).size, 2);
      for (const url of siteUrls) assert.match(url, /^http:\/\/198\.51\.100\.\d+$/);
      assert.equal(siteUrl, siteUrls[0]);
      const { environment } = plain(
        balanced.get(type.service, "wordpress-service").inputs["launchConfig"],
      ) as { environment: Record<string, string> };
      assert.equal(environment["SITE_URL"], siteUrl);
      for (const { address } of agentHosts) assert.match(address, /^10\.0\./);
    });

    it("THEN connections to 80 and 443 reach every host as they are", () => {
      for (const port of [80, 443]) {
        const name = `site-address-nlb-${port}`;
        const { tags: _, ...listener } = balanced.get(type.listener, name).inputs;
        assert.deepEqual(listener, {
          loadBalancerArn: "arn:balancer/site-address-nlb",
          protocol: "TCP",
          port,
          defaultActions: [{ type: "forward", targetGroupArn: `arn:group/${name}` }],
        });
        const group = balanced.get(type.group, name).inputs;
        assert.deepEqual(
          ["protocol", "port", "targetType", "vpcId", "deregistrationDelay"].map((k) => group[k]),
          ["TCP", port, "instance", "network-vpc-id", 30],
        );
        // With a listener on a port that the firewall keeps closed, hosts are well all the same.
        const check = group["healthCheck"] as Record<string, unknown>;
        assert.deepEqual([check["protocol"], check["port"]], ["TCP", "80"]);
      }
      assert.deepEqual(
        balanced
          .ofType(type.attachment)
          .map(({ inputs }) => `${String(inputs["targetId"])} ${String(inputs["targetGroupArn"])}`)
          .sort(),
        ["agents-0", "agents-1"].flatMap((host) =>
          [443, 80].map((port) => `${host}-instance-id arn:group/site-address-nlb-${port}`),
        ),
      );
    });

    it("THEN the firewall lets in what it did, and the nodes' subnets on 80", () => {
      const opened = (recording: Recording) =>
        recording
          .ofType(type.ingress)
          .map(({ inputs: { securityGroupId, ipProtocol, fromPort, cidrIpv4, ...rest } }) =>
            [
              securityGroupId,
              ipProtocol,
              fromPort,
              cidrIpv4 ?? rest["referencedSecurityGroupId"],
            ].join(" "),
          );
      assert.deepEqual(
        opened(balanced).sort(),
        [
          ...opened(plainWay),
          "security-agents-id tcp 80 10.0.0.0/20",
          "security-agents-id tcp 80 10.0.16.0/20",
        ].sort(),
      );
    });

    it("THEN visitors come when every host gets them, and a host goes when it is let go of", () => {
      const visitors = balanced.get(type.ingress, "site-access-0.0.0.0_0");
      for (const host of ["agents-0", "agents-1"]) {
        const order = [
          balanced.get(type.host, host),
          balanced.get(type.gate, `site-targets-${host}-released`),
          ...[0, 1].map((i) => balanced.get(type.attachment, `site-targets-${host}-${i}`)),
          balanced.get(type.gate, `site-targets-${host}-healthy`),
          visitors,
        ];
        for (const [i, resource] of order.entries()) {
          for (const before of order.slice(0, i)) {
            const areBothAttached = [resource, before].every((r) => r.type === type.attachment);
            assert.ok(
              areBothAttached || isAfter(balanced, resource, before),
              `${resource.name} after ${before.name}`,
            );
          }
        }
        for (const gate of order.filter((r) => r.type === type.gate)) {
          assert.equal((gate.inputs["triggers"] as string[])[0], `${host}-instance-id`);
          const environment = gate.inputs["environment"] as Record<string, string>;
          assert.equal(environment["WAIT_TARGET"], `${host}-instance-id`);
          assert.equal(environment["WAIT_GROUPS"]?.split(" ").length, 2);
          assert.equal(environment["AWS_REGION"], "eu-central-1");
          assert.match(environment["WAIT_SECONDS"] ?? "", /^\d+$/);
        }
        const [released, healthy] = ["released", "healthy"].map((end) =>
          balanced.get(type.gate, `site-targets-${host}-${end}`),
        );
        assert.equal(released?.inputs["create"], "true");
        assert.match(String(released?.inputs["delete"]), /wait-targets\.ts$/);
        assert.match(String(healthy?.inputs["create"]), /wait-targets\.ts$/);
      }
    });

    it("and fewer load balancers than hosts THEN those hosts alone are behind it", async () => {
      const one = await recordProgram({
        siteEntry: "networkLoadBalancer",
        loadBalancerScale: "1",
      });
      assert.deepEqual(
        new Set(one.ofType(type.attachment).map(({ inputs }) => inputs["targetId"])),
        new Set(["agents-0-instance-id"]),
      );
      assert.equal(one.result.siteUrls.length, 2);
    });
  });
});
