import { strict as assert } from "node:assert";
import { inboundRules, ruleWarnings } from "../../config/inboundRules";
import { parseSettings, type Settings } from "../../config/settings";
import { makeCertificate } from "../certificate";
import { fullKey } from "./badInputs";
import { leastConfig, recordProgram, text } from "./program";

function settingsWith(config: Readonly<Record<string, string>>): Settings {
  const outcome = parseSettings({
    values: Object.fromEntries(
      Object.entries({ ...leastConfig, ...config }).map(([key, value]) => [fullKey(key), value]),
    ),
    secretKeys: new Set(["rancher-cattle:siteCertificateKey"]),
    environmentRegion: undefined,
    now: new Date(),
  });
  assert.ok("region" in outcome, String(outcome));
  return outcome;
}

/** As many ranges of one address. */
const ranges = (count: number) =>
  JSON.stringify(Array.from({ length: count }, (_, index) => `198.51.100.${index}/32`));

const siteDomain = "blog.example.com";
const { certificate, key } = makeCertificate([`DNS:${siteDomain}`]);
const encrypted = { siteDomain, siteCertificate: certificate, siteCertificateKey: key };

describe("the number of inbound rules", () => {
  for (const config of [
    {},
    { adminCidrs: ranges(3), siteCidrs: ranges(2) },
    { siteCidrs: ranges(2), loadBalancerScale: "1" },
    { siteCidrs: ranges(2), siteEntry: "networkLoadBalancer" },
    encrypted,
    { ...encrypted, siteCidrs: ranges(1) },
    { siteEntry: "networkLoadBalancer", sshVia: "instance-connect-endpoint" },
  ] as readonly Readonly<Record<string, string>>[]) {
    it(`GIVEN ${JSON.stringify(config).slice(0, 60)} THEN it is that of the program`, async () => {
      const { resources } = await recordProgram(config);
      const rules = resources.filter(({ type }) => type.endsWith(":SecurityGroupIngressRule"));
      const into = (group: string) =>
        rules.filter((rule) => text(rule, "securityGroupId").includes(`security-${group}`)).length;
      assert.deepEqual(inboundRules(settingsWith(config)), {
        server: into("server"),
        agents: into("agents"),
      });
    });
  }

  it("GIVEN more than AWS allows THEN the key, the number and the limit are told, with or without a certificate", () => {
    const settings = settingsWith({ adminCidrs: ranges(58), siteCidrs: ranges(40) });
    assert.deepEqual(ruleWarnings(settings), []);
    const siteCertificate = {} as Settings["siteCertificate"];
    const [encrypted, ...others] = ruleWarnings({ ...settings, siteCertificate });
    assert.match(encrypted ?? "", /^siteCidrs: its 40 ranges make 87 inbound rules .* 60 unless/);
    assert.deepEqual(others, []);
    const [admins] = ruleWarnings(settingsWith({ adminCidrs: ranges(59) }));
    assert.match(admins ?? "", /^adminCidrs: its 59 ranges make 61 inbound rules/);
  });
});
