import { strict as assert } from "node:assert";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import * as path from "node:path";
import { accountChecks } from "../../commands/checks/account";
import type { AwsAnswers } from "../../commands/checks/awsAnswers";
import { configurationChecks, settled } from "../../commands/checks/configuration";
import { type Check, fail, type Group, pass, start, Unknown } from "../../commands/checks/engine";
import { type Report, run, styleOf } from "../../commands/checks/report";
import { runningChecks, type RunningChecksArgs } from "../../commands/checks/running";
import { visitor } from "../../commands/checks/reach";
import { Stack, type StackOutputs } from "../../commands/stack";
import { amis } from "../../config/amis";
import { parseSettings, type Settings } from "../../config/settings";
import { sshPublicKey } from "./program";

/** Runs groups and returns the report with all that was printed. */
async function reported(
  groups: readonly Group[],
  json = false,
): Promise<{ report: Report; text: string }> {
  const printed: string[] = [];
  const report = await run(groups, {
    stack: "test",
    commands: (text) => text.replace("npx pulumi up", "npx pulumi up --stack test"),
    json,
    style: { colour: false },
    print: (text) => printed.push(text),
  });
  return { report, text: printed.join("\n") };
}

function check(id: string, find: Check["run"], limitSeconds?: number): Check {
  return { id, title: `${id} holds`, run: find, ...(limitSeconds ? { limitSeconds } : {}) };
}

describe("the engine of checks", () => {
  const groups: readonly Group[] = [
    {
      title: "first",
      checks: [
        check("a.good", () => Promise.resolve(pass("so it is"))),
        check("a.bad", () => Promise.resolve(fail("one\ntwo", "do this"))),
      ],
    },
    {
      title: "second",
      checks: [
        check("b.late", () => new Promise(() => undefined), 0.05),
        check("b.broken", () => Promise.reject(new Error("it broke"))),
        check("b.waits", () => Promise.reject(new Unknown("not yet", "do that first"))),
      ],
    },
  ];

  it("GIVEN checks of all outcomes, THEN people read mark, reason, fix and where to read on", async () => {
    const { text } = await reported(groups);
    assert.equal(
      text,
      `first
√ a.good holds: so it is
× a.bad holds: one
    two
    fix: do this
    see: docs/runbook.md#a-bad

second
? b.late holds: there was no answer within 0.05 s
    fix: run it again; if it stays, see below
    see: docs/runbook.md#b-late
? b.broken holds: it broke
    fix: see below
    see: docs/runbook.md#b-broken
? b.waits holds: not yet
    fix: do that first
    see: docs/runbook.md#b-waits

test: 1 passed, 1 failed, 3 unknown`,
    );
  });

  it("GIVEN --json, THEN it is one document that says the same", async () => {
    const { report, text } = await reported(groups, true);
    assert.deepEqual(JSON.parse(text), report);
    assert.equal(report.ok, false);
    assert.deepEqual(report.tally, { pass: 1, fail: 1, unknown: 3 });
    assert.equal(report.checks[1]?.runbook, "docs/runbook.md#a-bad");
  });

  it("GIVEN two checks, THEN neither waits for the other, and a deadline aborts", async () => {
    const order: string[] = [];
    let aborted = false;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    await Promise.all(
      start([
        {
          title: "",
          checks: [
            check("waits", async () => {
              await gate;
              order.push("waits");
              return pass("");
            }),
            check("opens", () => {
              order.push("opens");
              release();
              return Promise.resolve(pass(""));
            }),
            check(
              "late",
              (signal) =>
                new Promise(() => {
                  signal.addEventListener("abort", () => (aborted = true));
                }),
              0.05,
            ),
          ],
        },
      ]),
    );
    assert.deepEqual([order, aborted], [["opens", "waits"], true]);
  });

  it("THEN colour is for a terminal whose user has not refused it", () => {
    assert.equal(styleOf({ isTTY: true }, {}).colour, true);
    assert.equal(styleOf({ isTTY: true }, { NO_COLOR: "1" }).colour, false);
    assert.equal(styleOf({}, {}).colour, false);
  });
});

const region = "eu-central-1";

function settingsOf(values: Readonly<Record<string, string>> = {}): Settings | readonly string[] {
  return parseSettings({
    now: new Date(),
    environmentRegion: undefined,
    secretKeys: new Set(),
    values: {
      "aws:region": region,
      "rancher-cattle:adminCidrs": '["198.51.100.7/32"]',
      "rancher-cattle:sshPublicKey": sshPublicKey,
      ...values,
    },
  });
}

const goodAws: AwsAnswers = {
  identity: () => Promise.resolve({ account: "111122223333", arn: "arn:aws:iam::1:user/me" }),
  zones: () => Promise.resolve(["eu-central-1b", "eu-central-1a", "eu-central-1-wl1-x"]),
  image: () =>
    Promise.resolve({
      state: "available",
      architecture: "x86_64",
      virtualizationType: "hvm",
      rootDeviceType: "ebs",
      enaSupport: true,
      ownerId: "605812595337",
      deprecated: "2023-02-28",
    }),
  enforcesTokens: () => Promise.resolve(false),
  allowedImages: () => Promise.resolve({ state: "disabled", providers: [] }),
  offerings: (types) =>
    Promise.resolve(
      types.flatMap((type) => ["a", "b"].map((zone) => ({ type, zone: `${region}${zone}` }))),
    ),
  granted: () => Promise.resolve(8),
  taken: () => Promise.resolve({ byStack: 0, byOthers: 0 }),
};

function account(answers: Partial<AwsAnswers> = {}): Group {
  return accountChecks({
    settings: settled(() => Promise.resolve(settingsOf())),
    aws: () => Promise.resolve({ ...goodAws, ...answers }),
  });
}

/** The one check that did not pass. */
async function odd(group: Group) {
  const { report } = await reported([group]);
  const found = report.checks.filter(({ status }) => status !== "pass");
  assert.equal(found.length, 1, JSON.stringify(found, undefined, 1));
  const [{ id, status, reason, fix } = { id: "", status: "", reason: "", fix: "" }] = found;
  return { id, status, text: `${reason}; ${fix}` };
}

describe("checks of the account", () => {
  it("GIVEN an account that can hold the stack, THEN all pass", async () => {
    const { report } = await reported([account()]);
    assert.deepEqual(report.tally, { pass: 8, fail: 0, unknown: 0 });
  });

  for (const [problem, answers, id, status, text] of [
    [
      "an image that was withdrawn",
      { image: () => Promise.resolve(undefined) },
      "aws.ami.launchable",
      "fail",
      new RegExp(`"${amis[region]}" cannot be launched.*own-image`),
    ],
    [
      "tokens that are enforced",
      { enforcesTokens: () => Promise.resolve(true) },
      "aws.account.metadata",
      "fail",
      /enforces IMDSv2.*HttpTokensEnforced/,
    ],
    [
      "a type that a zone lacks",
      { offerings: () => Promise.resolve([{ type: "t3.medium", zone: "eu-central-1a" }]) },
      "aws.types.offered",
      "fail",
      /agentInstanceType: "t2\.small" is not offered in eu-central-1a and eu-central-1b/,
    ],
    [
      "others who take the vCPUs",
      {
        taken: (quota: string) =>
          Promise.resolve({ byStack: 4, byOthers: quota === "vcpus" ? 5 : 0 }),
      },
      "aws.quota.vcpus",
      "fail",
      /needs 4 vCPUs, and the account may have 8.*5 of which others/,
    ],
    [
      "others who take the addresses",
      {
        taken: (quota: string) =>
          Promise.resolve({ byStack: 0, byOthers: quota === "vcpus" ? 0 : 6 }),
      },
      "aws.quota.addresses",
      "fail",
      /needs 3 Elastic IPs/,
    ],
    [
      "a permission that is missing",
      {
        allowedImages: () =>
          Promise.reject(new Unknown("may not ask", "allow ec2:GetAllowedImagesSettings")),
      },
      "aws.account.allowed-images",
      "unknown",
      /ec2:GetAllowedImagesSettings/,
    ],
    [
      "too few zones",
      { zones: () => Promise.resolve(["eu-central-1a"]) },
      "aws.region",
      "fail",
      /fewer/,
    ],
  ] as const) {
    it(`GIVEN ${problem}, THEN ${id} says so and nothing else`, async () => {
      const found = await odd(account(answers as Partial<AwsAnswers>));
      assert.deepEqual([found.id, found.status], [id, status]);
      assert.match(found.text, text);
    });
  }

  it("GIVEN a publisher that the account does not allow, THEN two checks say what to do", async () => {
    const { report } = await reported([
      account({
        image: () => Promise.resolve(undefined),
        allowedImages: () => Promise.resolve({ state: "enabled", providers: ["amazon"] }),
      }),
    ]);
    const failed = report.checks.filter(({ status }) => status === "fail");
    assert.deepEqual(
      failed.map(({ id }) => id),
      ["aws.ami.launchable", "aws.account.allowed-images"],
    );
    assert.match(failed[1]?.reason ?? "", /images of amazon only/);
    assert.match(failed[1]?.fix ?? "", /have 605812595337 added/);
  });

  it("GIVEN credentials that are nobody's, THEN they fail and all else waits for them", async () => {
    const error = Object.assign(new Error("the token has expired"), { name: "ExpiredToken" });
    const { report } = await reported([account({ identity: () => Promise.reject(error) })]);
    assert.deepEqual(report.tally, { pass: 0, fail: 1, unknown: 7 });
    assert.match(report.checks[3]?.reason ?? "", /before aws\.credentials passes/);
  });
});

describe("checks of the configuration", () => {
  const group = (
    outcome: Settings | readonly string[],
    addresses: readonly string[],
    problem?: string,
  ) =>
    configurationChecks({
      configuration: () => Promise.resolve(outcome),
      keyProblem: () => problem,
      addresses,
    });

  it("GIVEN all is right, THEN all pass", async () => {
    const { report } = await reported([group(settingsOf(), ["198.51.100.7"])]);
    assert.deepEqual(report.tally, { pass: 3, fail: 0, unknown: 0 });
  });

  it("GIVEN settings that are wrong, THEN each is named and the rest waits", async () => {
    const wrong = settingsOf({ "rancher-cattle:agentCount": "x", "rancher-cattle:sacle": "1" });
    const { report } = await reported([group(wrong, [])]);
    assert.match(report.checks[0]?.reason ?? "", /agentCount: "x".*\n.*sacle/);
    assert.deepEqual(report.tally, { pass: 0, fail: 1, unknown: 2 });
  });

  for (const [where, addresses, status] of [
    ["behind a router", ["192.168.1.5"], "unknown"],
    ["on an address that is not let in", ["8.8.4.4"], "fail"],
  ] as const) {
    it(`GIVEN a machine ${where}, THEN its address is ${status}`, async () => {
      const found = await odd(group(settingsOf(), addresses));
      assert.deepEqual([found.id, found.status], ["config.admin-address", status]);
    });
  }

  it("GIVEN no private key, THEN it says how to add it", async () => {
    const found = await odd(group(settingsOf(), ["198.51.100.7"], "nothing offers it; add it"));
    assert.deepEqual(found, {
      id: "config.private-key",
      status: "fail",
      text: "nothing offers it; add it",
    });
  });
});

const outputs = {
  siteUrl: "http://198.51.100.1",
  siteUrls: ["http://198.51.100.1", "http://198.51.100.2"],
  sshCommands: { server: "ssh server", "agents-0": "ssh agents-0" },
  agentHosts: [{ name: "agents-0", address: "198.51.100.1", rancherHostId: "1h1" }],
} as unknown as StackOutputs;

const now = new Date("2026-01-02T12:00:00Z");

const service = { id: "1s1", type: "service", name: "web", stackId: "1st1", state: "active" };

const goodRunning: RunningChecksArgs = {
  outputs,
  rancher: {
    hosts: () => Promise.resolve([{ id: "1h1", type: "host", state: "active" }]),
    services: () => Promise.resolve([{ ...service, healthState: "healthy" }]),
    stacks: () => Promise.resolve([{ id: "1st1", type: "stack", name: "wordpress" }]),
  },
  onHost: () => Promise.resolve("19.03.15"),
  visit: () => Promise.resolve(200),
  newestBackup: () => Promise.resolve(new Date("2026-01-02T02:00:00Z")),
  backupHours: 36,
  drift: () => Promise.resolve([]),
  now,
};

function running(args: Partial<RunningChecksArgs> = {}): Group {
  const groups = runningChecks({ ...goodRunning, ...args });
  return { title: "all", checks: groups.flatMap(({ checks }) => checks) };
}

describe("checks of a stack that is up", () => {
  it("GIVEN a stack that is well, THEN all pass", async () => {
    const { report } = await reported([running()]);
    assert.deepEqual(report.tally, { pass: 7, fail: 0, unknown: 0 });
  });

  const { rancher } = goodRunning;
  for (const [problem, args, id, status, text] of [
    [
      "a machine that is dead",
      {
        onHost: (host: string) =>
          host === "server" ? Promise.resolve("") : Promise.reject(new Error("x\nno route")),
      },
      "machines.reachable",
      "fail",
      /1 of 2 do not\nagents-0: no route/,
    ],
    [
      "a host that Rancher has lost",
      { rancher: { ...rancher, hosts: () => Promise.resolve([]) } },
      "rancher.hosts.active",
      "fail",
      /agents-0: not there/,
    ],
    [
      "a service that is not well",
      {
        rancher: {
          ...rancher,
          services: () => Promise.resolve([{ ...service, healthState: "unhealthy" }]),
        },
      },
      "rancher.services.healthy",
      "fail",
      /wordpress\/web: active, unhealthy/,
    ],
    [
      "Rancher without an answer",
      { rancher: { ...rancher, hosts: () => Promise.reject(new Error("refused")) } },
      "rancher.hosts.active",
      "fail",
      /does not answer: refused; .*npm run status/,
    ],
    [
      "an address that answers with an error",
      {
        visit: (address: string, where: string) =>
          Promise.resolve(address.endsWith(".2") && where === "/" ? 503 : 200),
      },
      "site.answers",
      "fail",
      /198\.51\.100\.2: it answers 503/,
    ],
    [
      "a site that lost its database",
      { visit: (_: string, where: string) => Promise.resolve(where === "/" ? 200 : 500) },
      "site.healthy",
      "fail",
      /it answers 500/,
    ],
    [
      "a backup that is old",
      { newestBackup: () => Promise.resolve(new Date("2025-12-30T12:00:00Z")) },
      "backup.recent",
      "fail",
      /3 days old.*36 h are the limit/,
    ],
    [
      "no backup",
      { newestBackup: () => Promise.resolve(undefined) },
      "backup.recent",
      "unknown",
      /npm run backup/,
    ],
    [
      "drift",
      { drift: () => Promise.resolve(["create wordpress-service"]) },
      "stack.drift",
      "fail",
      /1 resources are not\ncreate wordpress-service/,
    ],
  ] as const) {
    it(`GIVEN ${problem}, THEN ${id} says so and nothing else`, async () => {
      const found = await odd(running(args as Partial<RunningChecksArgs>));
      assert.deepEqual([found.id, found.status], [id, status]);
      assert.match(found.text, text);
    });
  }
});

describe("how the checks reach things", () => {
  it("GIVEN an address that takes connections and says nothing THEN a visit ends, with the reason", async () => {
    const mute = createServer().listen(0, "127.0.0.1");
    await once(mute, "listening");
    try {
      const { port } = mute.address() as AddressInfo;
      const visit = visitor("http://site.example", { port, answerMs: 50 });
      await assert.rejects(
        visit("127.0.0.1", "/", new AbortController().signal),
        /^Error: no answer within 0\.05 s$/,
      );
    } finally {
      mute.close();
    }
  });
});

describe("commands in messages", () => {
  const named = (name: string | undefined, text: string) => new Stack(name).inCommands(text);

  it("GIVEN a stack that is selected THEN they are as they are", () => {
    assert.equal(named(undefined, "do: npx pulumi up"), "do: npx pulumi up");
  });

  it("GIVEN another one THEN each works on it", () => {
    assert.equal(
      named("acme/prod", "see: npx pulumi preview --refresh; put it right: npx pulumi up"),
      "see: npx pulumi preview --refresh --stack acme/prod; put it right: npx pulumi up --stack acme/prod",
    );
    assert.equal(named("prod", "npm run logs web"), "npm run logs web -- --stack prod");
    assert.equal(named("prod", "npm run ui -- --port 81"), "npm run ui -- --port 81 --stack prod");
  });

  it("GIVEN an organization and a project THEN the name of files, tags and backups has neither", async () => {
    assert.equal(await new Stack("acme/site/prod").name(), "prod");
    assert.equal(await new Stack("acme/prod").name(), "prod");
    assert.equal(await new Stack("prod").name(), "prod");
  });
});

describe("the runbook", () => {
  it("THEN every check has a section of its own, under the anchor that its result names", () => {
    const ids = [
      ...configurationChecks({ configuration: () => Promise.resolve([]), addresses: [] }).checks,
      ...account().checks,
      ...running().checks,
    ].map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const text = readFileSync(path.join(__dirname, "../../docs/runbook.md"), "utf8");
    for (const id of ids) {
      const anchor = `<a id="${id.replaceAll(".", "-")}"></a>`;
      assert.ok(text.includes(`${anchor}\n\n### ${id}\n`), `docs/runbook.md lacks ${id}`);
    }
    const sections = [...text.matchAll(/^### ([a-z]+(\.[a-z-]+)+)$/gm)].map(([, id]) => id);
    assert.deepEqual([...sections].sort(), [...ids].sort());
  });
});
