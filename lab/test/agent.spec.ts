import * as assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import {
  type Actual,
  actualOf,
  nextStep,
  retryPause,
  type StepInput,
} from "../rancher/agent/converge";
import { type ContainerInspect, demultiplex, splitImage } from "../rancher/agent/docker";
import {
  type HealthState,
  INITIAL_HEALTH,
  nextHealth,
  probe,
  requestText,
  statusPasses,
} from "../rancher/agent/health";
import { type FdbEntry, fdbChange, networkMatches, tunnelMatches } from "../rancher/agent/overlay";
import {
  checkAgentIp,
  checkRegistrationUrl,
  parseHostLabels,
  parseRegistrationScript,
  webSocketUrl,
} from "../rancher/agent/settings";
import { ALMOST_PRIVILEGED, containerSpec, type SpecContext } from "../rancher/agent/spec";
import { HealthFile, hostToken, loadCredentials, saveCredentials } from "../rancher/agent/state";
import { readTarFile, tarFile } from "../rancher/agent/tar";
import type { DesiredContainer, DesiredHealthCheck } from "../rancher/protocol";

const CHECK: DesiredHealthCheck = {
  port: 80,
  requestLine: "GET / HTTP/1.0",
  intervalMs: 2000,
  responseTimeoutMs: 500,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
  initializingTimeoutMs: 60_000,
};

function wanted(overrides: Partial<DesiredContainer> = {}): DesiredContainer {
  return {
    uuid: "u1",
    id: "1i1",
    name: "r-site-web-1-abcdef01",
    image: "registry.lab:5000/wordpress:6.4.1",
    pull: "missing",
    environment: { A: "1", B: "x=y" },
    command: [],
    entryPoint: [],
    labels: { "io.rancher.container.uuid": "u1" },
    volumes: [],
    ports: [],
    networkMode: "managed",
    ip: "10.42.1.7",
    privileged: false,
    capAdd: [],
    capDrop: [],
    tty: false,
    stdinOpen: false,
    files: [],
    desired: "running",
    restart: "always",
    ...overrides,
  };
}

const CONTEXT: SpecContext = { privilegedWorks: true, dockerId: () => undefined };

describe("agent: health state machine", () => {
  const after = (probes: string, ageMs = 0, from: HealthState = INITIAL_HEALTH): string =>
    [...probes].reduce((state, one) => nextHealth(state, one === "+", ageMs, CHECK), from).health;
  const HEALTHY: HealthState = { health: "healthy", passes: 5, failures: 0 };
  const UNHEALTHY: HealthState = { health: "unhealthy", passes: 0, failures: 3 };

  for (const [name, probes, age, from, expected] of [
    ["one pass is not enough", "+", 0, INITIAL_HEALTH, "initializing"],
    ["two passes make it healthy", "++", 0, INITIAL_HEALTH, "healthy"],
    ["passes must be in a row", "+-+", 0, INITIAL_HEALTH, "initializing"],
    ["failures while initializing are patient", "-----", 59_000, INITIAL_HEALTH, "initializing"],
    ["failures after the initializing time count", "---", 61_000, INITIAL_HEALTH, "unhealthy"],
    ["a late start can still pass", "++", 61_000, INITIAL_HEALTH, "healthy"],
    ["two failures leave it healthy", "--", 0, HEALTHY, "healthy"],
    ["three failures make it unhealthy, however young", "---", 0, HEALTHY, "unhealthy"],
    ["failures must be in a row", "--+--", 0, HEALTHY, "healthy"],
    ["one pass does not cure", "+", 0, UNHEALTHY, "unhealthy"],
    ["two passes cure", "++", 0, UNHEALTHY, "healthy"],
  ] as const) {
    it(name, () => {
      assert.equal(after(probes, age, from), expected);
    });
  }

  it("never goes back to initializing", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), fc.nat(120_000), (probes, age) => {
        let state = INITIAL_HEALTH;
        let left = false;
        for (const passed of probes) {
          state = nextHealth(state, passed, age, CHECK);
          if (left) assert.notEqual(state.health, "initializing");
          left ||= state.health !== "initializing";
        }
      }),
    );
  });

  it("passes 2xx and 3xx status lines only", () => {
    for (const line of ["HTTP/1.0 200 OK", "HTTP/1.1 302 Found", "HTTP/1.1 204", "HTTP/2 301"]) {
      assert.ok(statusPasses(line), line);
    }
    for (const line of [
      "HTTP/1.1 404 Not Found",
      "HTTP/1.1 503",
      "HTTP/1.1 2000",
      "220 smtp",
      "",
    ]) {
      assert.ok(!statusPasses(line), line);
    }
  });

  it("adds a Host header exactly where HTTP/1.1 demands one", () => {
    assert.match(requestText("GET / HTTP/1.1", "10.42.1.1"), /\r\nHost: 10\.42\.1\.1\r\n/);
    assert.doesNotMatch(requestText("GET / HTTP/1.0", "10.42.1.1"), /Host/);
    const own = requestText("GET / HTTP/1.1\r\nHost: site", "10.42.1.1");
    assert.equal(own.match(/Host:/g)?.length, 1);
  });
});

describe("agent: probe", () => {
  const withServer = async (
    answer: ((socket: net.Socket) => void) | undefined,
    test: (port: number) => Promise<void>,
  ): Promise<void> => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      answer?.(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      await test((server.address() as AddressInfo).port);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  };

  it("passes on a good answer, fails on a bad one", async () => {
    await withServer(
      (socket) => socket.on("data", () => socket.end("HTTP/1.0 302 Found\r\n\r\n")),
      async (port) => assert.equal(await probe("127.0.0.1", { ...CHECK, port }), true),
    );
    await withServer(
      (socket) => socket.on("data", () => socket.end("HTTP/1.0 500 no\r\n\r\n")),
      async (port) => assert.equal(await probe("127.0.0.1", { ...CHECK, port }), false),
    );
  });

  it("fails in time when nothing is answered, but connecting is enough without a request line", async () => {
    await withServer(undefined, async (port) => {
      assert.equal(await probe("127.0.0.1", { ...CHECK, port, responseTimeoutMs: 60 }), false);
      assert.equal(await probe("127.0.0.1", { ...CHECK, port, requestLine: undefined }), true);
    });
  });

  it("fails where nobody listens", async () => {
    let free = 0;
    await withServer(undefined, async (port) => {
      free = port;
      await Promise.resolve();
    });
    assert.equal(await probe("127.0.0.1", { ...CHECK, port: free }), false);
  });
});

describe("agent: container spec", () => {
  it("GIVEN a managed container THEN it gets its address on the managed network and no restart policy", () => {
    const spec = containerSpec(wanted(), CONTEXT);
    assert.equal(spec.HostConfig.NetworkMode, "rancher-managed");
    assert.deepEqual(spec.NetworkingConfig?.EndpointsConfig, {
      "rancher-managed": { IPAMConfig: { IPv4Address: "10.42.1.7" } },
    });
    assert.deepEqual(spec.Env, ["A=1", "B=x=y"]);
    assert.deepEqual(spec.HostConfig.RestartPolicy, { Name: "no" });
    assert.deepEqual(spec.Labels, { "io.rancher.container.uuid": "u1" });
  });

  it("GIVEN nothing for command and entry point THEN the image's own stay", () => {
    const spec = containerSpec(wanted(), CONTEXT);
    assert.ok(!("Cmd" in spec) && !("Entrypoint" in spec));
    assert.deepEqual(containerSpec(wanted({ command: ["a", "b"] }), CONTEXT).Cmd, ["a", "b"]);
  });

  it("GIVEN ports THEN they are exposed and bound, one container port possibly twice", () => {
    const spec = containerSpec(
      wanted({
        ports: [
          { publicPort: 80, privatePort: 8080, protocol: "tcp" },
          { publicPort: 81, privatePort: 8080, protocol: "tcp", bindAddress: "10.0.0.4" },
          { publicPort: 53, privatePort: 53, protocol: "udp" },
        ],
      }),
      CONTEXT,
    );
    assert.deepEqual(spec.ExposedPorts, { "8080/tcp": {}, "53/udp": {} });
    assert.deepEqual(spec.HostConfig.PortBindings, {
      "8080/tcp": [{ HostPort: "80" }, { HostIp: "10.0.0.4", HostPort: "81" }],
      "53/udp": [{ HostPort: "53" }],
    });
  });

  it("GIVEN volumes THEN a bare path is an anonymous volume and the rest are binds", () => {
    const spec = containerSpec(
      wanted({ volumes: ["/var/www/html", "data:/data", "/mnt/x:/x:ro"] }),
      CONTEXT,
    );
    assert.deepEqual(spec.Volumes, { "/var/www/html": {} });
    assert.deepEqual(spec.HostConfig.Binds, ["data:/data", "/mnt/x:/x:ro"]);
  });

  it("GIVEN a machine that refuses --privileged THEN the nearest thing is asked for", () => {
    const refused = { ...CONTEXT, privilegedWorks: false };
    const host = containerSpec(wanted({ privileged: true }), refused).HostConfig;
    assert.equal(host.Privileged, false);
    assert.deepEqual(host.CapAdd, ALMOST_PRIVILEGED.CapAdd);
    const plain = containerSpec(wanted({ capAdd: ["NET_ADMIN"] }), refused).HostConfig;
    assert.deepEqual(plain.CapAdd, ["NET_ADMIN"]);
    assert.equal(containerSpec(wanted({ privileged: true }), CONTEXT).HostConfig.Privileged, true);
  });

  it("GIVEN a sidekick THEN it joins the other container's network, or fails while there is none", () => {
    const want = wanted({ networkMode: "container", networkContainerUuid: "u0" });
    const spec = containerSpec(want, { ...CONTEXT, dockerId: () => "abc" });
    assert.equal(spec.HostConfig.NetworkMode, "container:abc");
    assert.throws(() => containerSpec(want, CONTEXT), /does not exist/);
  });
});

describe("agent: next step", () => {
  const running: Actual = { dockerId: "d", name: "n", running: true, startedAt: 1000 };
  const created: Actual = { dockerId: "d", name: "n", running: false };
  const exited: Actual = { ...running, running: false, finishedAt: 2000, exitCode: 1 };
  const step = (input: Partial<StepInput>): string =>
    nextStep({
      want: wanted(),
      actual: undefined,
      failures: 0,
      failedAt: 0,
      now: 100_000,
      ...input,
    }).kind;

  for (const [name, input, expected] of [
    ["wanted and missing", {}, "create"],
    ["created, not started", { actual: created }, "start"],
    ["running", { actual: running }, "nothing"],
    ["exited", { actual: exited }, "start"],
    ["exited just now", { actual: exited, failures: 3, failedAt: 99_000 }, "wait"],
    ["exited a while ago", { actual: exited, failures: 3, failedAt: 90_000 }, "start"],
    ["to be stopped", { want: wanted({ desired: "stopped" }), actual: running }, "stop"],
    ["stopped", { want: wanted({ desired: "stopped" }), actual: exited }, "nothing"],
    ["stopped and missing", { want: wanted({ desired: "stopped" }) }, "nothing"],
    ["unwanted", { want: "absent", actual: running }, "remove"],
    ["unwanted, gone", { want: "absent" }, "nothing"],
    ["once, ended", { want: wanted({ restart: "once" }), actual: exited }, "nothing"],
    ["once, never started", { want: wanted({ restart: "once" }), actual: created }, "start"],
  ] as [string, Partial<StepInput>, string][]) {
    it(`GIVEN ${name} THEN ${expected}`, () => {
      assert.equal(step(input), expected);
    });
  }

  it("GIVEN a sidekick THEN it waits for, and follows, the container whose network it shares", () => {
    const want = wanted({ networkMode: "container", networkContainerUuid: "u0" });
    assert.equal(step({ want }), "nothing");
    assert.equal(step({ want, network: running }), "create");
    assert.equal(step({ want, actual: running, network: running }), "nothing");
    assert.equal(
      step({ want, actual: running, network: { ...running, startedAt: 5000 } }),
      "restart",
    );
  });

  it("pauses 1 s, doubling, at most 30 s", () => {
    assert.deepEqual(
      [1, 2, 3, 5, 6, 60].map(retryPause),
      [1000, 2000, 4000, 16_000, 30_000, 30_000],
    );
  });

  it("reads Docker's description, its year 1 as never", () => {
    const inspect: ContainerInspect = {
      Id: "d",
      Name: "/n",
      Created: "2026-01-01T00:00:00Z",
      Config: { Image: "i", Labels: null },
      State: {
        Status: "created",
        Running: false,
        ExitCode: 0,
        Error: "",
        StartedAt: "0001-01-01T00:00:00Z",
        FinishedAt: "0001-01-01T00:00:00Z",
      },
      HostConfig: { Privileged: false },
      NetworkSettings: { Networks: { "rancher-managed": { IPAddress: "10.42.1.7" } } },
    };
    assert.deepEqual(actualOf(inspect), {
      dockerId: "d",
      name: "n",
      running: false,
      ip: "10.42.1.7",
    });
    const State = { ...inspect.State, ExitCode: 3, StartedAt: "1970-01-01T00:00:01Z" };
    assert.equal(actualOf({ ...inspect, State }).exitCode, 3);
    assert.equal(actualOf({ ...inspect, State }).startedAt, 1000);
  });
});

describe("agent: overlay", () => {
  const FLOOD = "00:00:00:00:00:00";
  const MAC = "02:42:0a:2a:01:07";

  it("GIVEN a fresh tunnel THEN every peer is appended once", () => {
    assert.deepEqual(fdbChange([], ["10.0.0.5", "10.0.0.6", "10.0.0.5"]), {
      append: ["10.0.0.5", "10.0.0.6"],
      remove: [],
    });
  });

  it("GIVEN a removed peer THEN its flood entry and what was learnt of it go, and nothing else", () => {
    const change = fdbChange(
      [
        { mac: FLOOD, dst: "10.0.0.5" },
        { mac: FLOOD, dst: "10.0.0.6" },
        { mac: MAC, dst: "10.0.0.6" },
        { mac: MAC, dst: "10.0.0.5" },
        { mac: MAC },
      ],
      ["10.0.0.5"],
    );
    assert.deepEqual(change, {
      append: [],
      remove: [
        { mac: FLOOD, dst: "10.0.0.6" },
        { mac: MAC, dst: "10.0.0.6" },
      ],
    });
  });

  it("GIVEN any table WHEN the change is applied THEN no change is left", () => {
    const address = fc.constantFrom("10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7");
    const entry = fc.record({ mac: fc.constantFrom(FLOOD, MAC), dst: address });
    fc.assert(
      fc.property(fc.array(entry), fc.array(address), (entries, peers) => {
        const change = fdbChange(entries, peers);
        const gone = new Set(change.remove.map(({ mac, dst }) => mac + dst));
        const result: FdbEntry[] = [
          ...entries.filter(({ mac, dst }) => !gone.has(mac + dst)),
          ...change.append.map((dst) => ({ mac: FLOOD, dst })),
        ];
        assert.deepEqual(fdbChange(result, peers), { append: [], remove: [] });
      }),
    );
  });

  it("recognises the network and the tunnel that are wanted", () => {
    const want = {
      hostIndex: 3,
      subnet: "10.42.0.0/16",
      gateway: "10.42.0.3",
      mtu: 1400,
      peers: [],
    };
    const network = {
      Id: "n",
      IPAM: { Config: [{ Subnet: "10.42.0.0/16", Gateway: "10.42.0.3" }] },
      Options: {
        "com.docker.network.bridge.name": "rancher0",
        "com.docker.network.driver.mtu": "1400",
      },
      Containers: null,
    };
    assert.ok(networkMatches(network, want));
    assert.ok(!networkMatches(network, { ...want, gateway: "10.42.0.4" }));
    const tunnel = {
      mtu: 1400,
      master: "rancher0",
      flags: ["BROADCAST", "UP"],
      linkinfo: { info_kind: "vxlan", info_data: { id: 1042, port: 4500 } },
    };
    assert.ok(tunnelMatches(tunnel, 1400));
    assert.ok(!tunnelMatches({ ...tunnel, master: undefined }, 1400));
    assert.ok(!tunnelMatches({}, 1400));
  });
});

describe("agent: settings", () => {
  it("takes a plain IPv4 address only", () => {
    assert.equal(checkAgentIp("10.0.1.7"), "10.0.1.7");
    for (const bad of ["", "127.0.0.1", "127.1.2.3", "localhost", "10.0.1", "::1", "10.0.1.7:80"]) {
      assert.throws(() => checkAgentIp(bad), /CATTLE_AGENT_IP/, bad);
    }
  });

  it("refuses URLs of this machine itself and never prints the token", () => {
    const good = "http://rancher.dev.internal:8080/v1/scripts/TOKEN";
    assert.equal(checkRegistrationUrl(good), good);
    for (const bad of [
      "http://localhost:8080/v1/scripts/TOKEN",
      "http://127.0.0.1/TOKEN",
      "TOKEN",
    ]) {
      assert.throws(
        () => checkRegistrationUrl(bad),
        (error: Error) => !error.message.includes("TOKEN"),
      );
    }
  });

  it("reads labels, the registration script and the WebSocket's address", () => {
    assert.deepEqual(parseHostLabels("instance=i-0a1b&note=a%26b%20c"), {
      instance: "i-0a1b",
      note: "a&b c",
    });
    assert.deepEqual(parseHostLabels(""), {});
    assert.deepEqual(
      parseRegistrationScript(
        "#!/bin/sh\nexport CATTLE_URL=\"http://s:8080/v1\"\nexport A=b\nexport C='d e'\necho x\n",
      ),
      { CATTLE_URL: "http://s:8080/v1", A: "b", C: "d e" },
    );
    assert.equal(webSocketUrl("http://s:8080/v1", "/v1/lab-agent"), "ws://s:8080/v1/lab-agent");
    assert.equal(webSocketUrl("https://s/v1", "/v1/lab-agent"), "wss://s/v1/lab-agent");
  });
});

describe("agent: state on the machine", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "agent-state-"))));
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("makes the host token once, 64 bytes in hex, for root alone", () => {
    const token = hostToken(folder);
    assert.match(token, /^[0-9a-f]{128}$/);
    assert.equal(hostToken(folder), token);
    assert.equal(statSync(join(folder, ".registration_token")).mode & 0o777, 0o600);
  });

  it("keeps credentials, and says what to do without them", () => {
    assert.throws(() => loadCredentials(folder), /registration command/);
    saveCredentials({ accessKey: "a", secretKey: "s" }, folder);
    assert.deepEqual(loadCredentials(folder), { accessKey: "a", secretKey: "s" });
  });

  it("remembers health of the same run only", () => {
    new HealthFile(folder).set(new Map([["u1", { startedAt: 5, health: "healthy" }]]));
    assert.equal(new HealthFile(folder).get("u1", 5), "healthy");
    assert.equal(new HealthFile(folder).get("u1", 6), undefined);
    assert.equal(new HealthFile(folder).get("u2", 5), undefined);
  });
});

describe("agent: docker details", () => {
  it("splits image names", () => {
    for (const [image, name, tag] of [
      ["registry.lab:5000/a/b:1.2", "registry.lab:5000/a/b", "1.2"],
      ["registry.lab:5000/b", "registry.lab:5000/b", "latest"],
      ["mariadb", "mariadb", "latest"],
      ["mariadb@sha256:ab", "mariadb", "sha256:ab"],
    ] as const) {
      assert.deepEqual(splitImage(image), { name, tag });
    }
  });

  it("GIVEN any content THEN a file survives the archive", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 600 }), (content) => {
        const archive = tarFile("haproxy.cfg", content, 0o644);
        assert.equal(archive.length % 512, 0);
        assert.equal(readTarFile(archive), content);
      }),
    );
    assert.equal(readTarFile(Buffer.alloc(1024)), undefined);
  });

  it("joins the frames of an exec's output", () => {
    const frame = (text: string): Buffer => {
      const head = Buffer.alloc(8);
      head[0] = 1;
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    assert.equal(demultiplex(Buffer.concat([frame("one\n"), frame("two")])), "one\ntwo");
  });
});
