import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { HostContainer } from "../../commands/containers";
import { lastBackup, type RancherSight, serviceStatus } from "../../commands/status/lookups";
import { ago, screen } from "../../commands/status/screen";
import type { ServiceStatus } from "../../commands/status/status";
import { judge, type Sight } from "../../commands/status/verdict";
import { recorded } from "./recorded";

const at = new Date("2026-11-28T00:54:12Z");
const canary = "canary-of-a-secret";

const onServer = (name: string, status: string): HostContainer => ({
  host: "server",
  id: name,
  name,
  service: undefined,
  image: `sha256:${name}`,
  status,
});
const serverContainers = [
  onServer("site-installer", "Exited (0) 2 hours ago"),
  onServer("rancher", "Up 2 hours"),
  onServer("rancher-db", "Up 2 hours (healthy)"),
  onServer("site-db", "Up 2 hours (healthy)"),
];
const service = (name: string, more: Partial<ServiceStatus> = {}): ServiceStatus => ({
  name,
  state: "active",
  health: "healthy",
  running: 2,
  wanted: 2,
  image: `registry.example:5000/${name}:1`,
  isWell: true,
  ...more,
});
const rancherSight = (more: Partial<RancherSight> = {}): RancherSight => ({
  version: "v1.6.30",
  hosts: new Map([
    ["1h1", { state: "active", containers: 9 }],
    ["1h2", { state: "active", containers: 9 }],
  ]),
  services: [service("wordpress/balancer"), service("wordpress/web")],
  ...more,
});
const url = { url: "http://203.0.113.12", status: 200, milliseconds: 80, problem: null };

/** A stack that is well, but for what `more` says. Its outputs hold secrets, as the real ones do. */
function sight(more: Partial<Sight> = {}): Sight {
  const outputs = {
    siteUrl: "http://203.0.113.12",
    serverAddress: "203.0.113.10",
    agentHosts: [
      { name: "agents-0", address: "203.0.113.12", rancherHostId: "1h1" },
      { name: "agents-1", address: "203.0.113.11", rancherHostId: "1h2" },
    ],
    rancherSecretKey: canary,
    rancherAccessKey: canary,
    rancherAdminPassword: canary,
    siteAdminPassword: canary,
  };
  return {
    at,
    outputs,
    state: recorded(),
    config: { "rancher-cattle:wordpressScale": { value: "2" }, "rancher-cattle:smtpPassword": {} },
    urls: [url],
    server: { value: serverContainers },
    rancher: { value: rancherSight() },
    backup: { takenAt: "2026-11-27T00:54:12.000Z", folder: "backups/dev/1" },
    ...more,
  };
}

const unhealthy = service("wordpress/web", { running: 1, health: "degraded", isWell: false });

/** What is the matter, what is said of it, and what is to be done. */
const matters: readonly (readonly [string, Partial<Sight>, RegExp, RegExp])[] = [
  [
    "a server that cannot be reached",
    { server: { problem: "Connection timed out" }, rancher: { problem: "ssh failed" } },
    /server cannot be reached by SSH: Connection timed out/,
    /adminCidrs.*npm run ssh server/,
  ],
  [
    "a container of the server that restarts",
    {
      server: {
        value: [
          ...serverContainers.slice(1),
          onServer("x", "Restarting (1) 2 seconds ago"),
          ...serverContainers.slice(0, 1),
        ],
      },
    },
    /container x on the server: Restarting/,
    /npm run logs x/,
  ],
  [
    "an unhealthy database",
    {
      server: {
        value: [...serverContainers.slice(0, 3), onServer("site-db", "Up 2 hours (unhealthy)")],
      },
    },
    /container site-db on the server: Up 2 hours \(unhealthy\)/,
    /npm run logs site-db/,
  ],
  [
    "a container that is gone",
    { server: { value: serverContainers.filter(({ name }) => name !== "rancher") } },
    /container rancher is gone/,
    /npx pulumi refresh; npx pulumi up/,
  ],
  [
    "a Rancher that does not answer",
    { rancher: { problem: "no answer within 15 seconds" } },
    /Rancher cannot be asked: no answer/,
    /npm run logs rancher/,
  ],
  [
    "a host that is disconnected",
    {
      rancher: {
        value: rancherSight({
          hosts: new Map([
            ["1h1", { state: "active", containers: 9 }],
            ["1h2", { state: "reconnecting", containers: 9 }],
          ]),
        }),
      },
    },
    /host agents-1 is reconnecting in Rancher/,
    /pulumi up --replace '\*\*::agents-1-instance'/,
  ],
  [
    "a host that Rancher does not know",
    {
      rancher: {
        value: rancherSight({ hosts: new Map([["1h1", { state: "active", containers: 9 }]]) }),
      },
    },
    /host agents-1 is missing in Rancher/,
    /agents-1-instance/,
  ],
  [
    "a service short of a container",
    { rancher: { value: rancherSight({ services: [unhealthy] }) } },
    /service wordpress\/web is active, degraded, 1 of 2 running/,
    /npm run logs wordpress\/web/,
  ],
  [
    "a site that answers with an error",
    { urls: [{ ...url, status: 503, problem: "it answers 503" }] },
    /http:\/\/203\.0\.113\.12: it answers 503/,
    /npm run logs balancer/,
  ],
  [
    "an up that was killed",
    { state: recorded(undefined, { pending_operations: [{}] }) },
    /`up` was killed/,
    /refresh --clear-pending-creates/,
  ],
];

/** What is suggested while all is well. */
const suggestions: readonly (readonly [string, Partial<Sight>, RegExp])[] = [
  ["nothing else", {}, /^nothing; the site is at http:\/\/203\.0\.113\.12$/],
  ["no backup", { backup: undefined }, /npm run backup/],
  [
    "an old backup",
    { backup: { takenAt: "2026-11-01T00:00:00.000Z", folder: "" } },
    /27 days old.*npm run backup/,
  ],
  [
    "a changed configuration",
    { config: { "rancher-cattle:wordpressScale": { value: "4" } } },
    /wordpressScale is 4, deployed is 2.*npx pulumi up$/,
  ],
  [
    "more hosts in the configuration",
    { config: { "rancher-cattle:agentCount": { value: "3" } } },
    /agentCount is 3, deployed is 2/,
  ],
  [
    "a service that was scaled in Rancher",
    {
      rancher: {
        value: rancherSight({ services: [service("wordpress/web", { running: 5, wanted: 5 })] }),
      },
    },
    /Rancher runs wordpress\/web 5 times, Pulumi has set 2.*up --refresh/,
  ],
];

const whole = ({ text, command }: { text: string; command: string | null }) =>
  command === null ? text : `${text}: ${command}`;

describe("the status of a stack", () => {
  it("GIVEN a stack that is well THEN it is healthy, with everything on one screen", () => {
    const status = judge(sight());
    assert.deepEqual([status.isHealthy, status.problems], [true, []]);
    assert.deepEqual(
      status.hosts.map(({ name, state, containers }) => [name, state, containers]),
      [
        ["server", null, 3],
        ["agents-0", "active", 9],
        ["agents-1", "active", 9],
      ],
    );
    const shown = screen(status, { isColoured: false });
    for (const line of [
      /^dev: healthy, Rancher v1\.6\.30, last up \d+ (minutes|hours?) ago$/m,
      /^ {2}✓ {2}http:\/\/203\.0\.113\.12 {2}200 {2}80 ms$/m,
      /^ {2}✓ {2}agents-1 {2}203\.0\.113\.11 {2}active {3}9 containers$/m,
      /^ {2}✓ {2}wordpress\/web {7}healthy {2}2 of 2 {2}wordpress\/web:1$/m,
      /^ {2}✓ {2}site-db .*mariadb:10\.6\.22-focal$/m,
      /last backup 24 hours ago \(backups\/dev\/1\)/,
    ]) {
      assert.match(shown, line);
    }
    assert.ok(shown.split("\n").length <= 40);
  });

  for (const [what, more, problem, next] of matters) {
    it(`GIVEN ${what} THEN it is told first, with the way out, and the rest is still shown`, () => {
      const status = judge(sight(more));
      assert.equal(status.isHealthy, false);
      assert.match(status.problems[0] ?? "", problem);
      assert.match(whole(status.next), next);
      assert.ok(status.hosts.length === 3 && status.urls.length === 1);
      const shown = screen(status, { isColoured: false });
      assert.match(shown, /^dev: not healthy/);
      assert.match(shown, problem);
    });
  }

  for (const [what, more, next] of suggestions) {
    it(`GIVEN a healthy stack with ${what} THEN that is the next step`, () => {
      const status = judge(sight(more));
      assert.equal(status.isHealthy, true);
      assert.match(whole(status.next), next);
    });
  }

  it("GIVEN a protected disk THEN the status says so", () => {
    const state = recorded((resource) =>
      resource.type === "aws:ebs/volume:Volume" ? { ...resource, protect: true } : resource,
    );
    assert.equal(judge(sight()).isProtected, false);
    assert.equal(judge(sight({ state })).isProtected, true);
  });

  it("GIVEN secrets in outputs THEN neither JSON nor screen has any", () => {
    for (const [, more] of [["", {}] as const, ...matters]) {
      const status = judge(sight(more));
      assert.ok(!JSON.stringify(status).includes(canary));
      assert.ok(!screen(status, { isColoured: true }).includes(canary));
    }
  });

  it("GIVEN any status THEN its JSON has the same keys", () => {
    const keys = (more: Partial<Sight>) => Object.keys(judge(sight(more)));
    for (const [, more] of matters) assert.deepEqual(keys(more), keys({}));
    for (const value of Object.values(judge(sight({ backup: undefined })))) {
      assert.notEqual(value, undefined);
    }
  });
});

describe("what is looked up", () => {
  const running = { id: "1i1", type: "container", state: "running", serviceIds: ["1s7"] };

  it("GIVEN a service that runs on every host THEN as many are wanted as hosts are active", () => {
    const global = {
      id: "1s7",
      type: "loadBalancerService",
      name: "balancer",
      state: "active",
      healthState: "healthy",
      scale: 1,
      launchConfig: { labels: { "io.rancher.scheduler.global": "true" }, imageUuid: "docker:x:1" },
    };
    const seen = serviceStatus(global, "wordpress", [running], 2);
    assert.deepEqual(
      [seen.name, seen.running, seen.wanted, seen.image, seen.isWell],
      ["wordpress/balancer", 1, 2, "x:1", false],
    );
    // Rancher's own are judged by their health.
    assert.equal(serviceStatus({ ...global, system: true }, "ipsec", [], 2).isWell, true);
  });

  it("GIVEN backups THEN the newest one counts, and one that cannot be read breaks nothing", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "rancher-cattle-"));
    const backups = path.join(folder, "backups");
    const write = (name: string, text: string) => {
      mkdirSync(path.join(backups, "dev", name), { recursive: true });
      writeFileSync(path.join(backups, "dev", name, "manifest.json"), text);
    };
    try {
      assert.equal(lastBackup("dev", backups), undefined);
      write("a", '{"format": 1, "takenAt": "2026-11-01T00:00:00Z"}');
      write("b", '{"format": 1, "takenAt": "2026-11-03T00:00:00Z"}');
      write("c", '{"format": 1, "takenAt": "2026-11-02T00:00:00Z"}');
      assert.deepEqual(lastBackup("dev", backups), {
        takenAt: "2026-11-03T00:00:00Z",
        folder: path.join("backups", "dev", "b"),
      });
      write("d", '{"takenAt": "2026-11-0');
      assert.equal(lastBackup("dev", backups), undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  for (const [minutes, text] of [
    [0, "just now"],
    [1, "1 minute ago"],
    [59, "59 minutes ago"],
    [60, "1 hour ago"],
    [47 * 60, "47 hours ago"],
    [48 * 60, "2 days ago"],
  ] as const) {
    it(`GIVEN ${minutes} minutes THEN it is ${text}`, () => {
      const then = new Date(at.getTime() - minutes * 60_000);
      assert.equal(ago(then.toISOString(), at.toISOString()), text);
    });
  }
});
