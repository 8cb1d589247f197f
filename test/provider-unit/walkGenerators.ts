/**
 * What may be given for each input of each resource, and what may not: one row for every property that the
 * schema has. Values are drawn with fast-check. A property without a row fails the walks.
 */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import type { Props } from "../../rancher/plugin/types";
import { pairs } from "../provider/matrix/certificates";

/** What is on the server for resources to refer to. */
export interface World {
  readonly stacks: readonly string[];
  readonly services: readonly string[];
  readonly certificates: readonly string[];
  /** The environment in use and another one. */
  readonly environments: readonly string[];
  readonly templates: readonly string[];
  readonly hosts: readonly string[];
}

/** A value that check refuses, and where below its property: nothing, `.key` or `[0]`. */
export type Bad = readonly [value: unknown, below?: string];

/** One row. */
export interface Generators {
  /** Values that the server takes. */
  readonly legal: fc.Arbitrary<unknown>;
  /** Values that check refuses, besides those that are of the wrong kind. */
  readonly bad: readonly Bad[];
  /** There is but one legal value here, for the reason given: the property is set and unset, not changed. */
  readonly fixed?: string;
}

/** A table: rows by property. */
export type Table = Readonly<Record<string, Generators>>;

const row = (legal: fc.Arbitrary<unknown>, ...bad: Bad[]): Generators => ({ legal, bad });
const fixed = (value: unknown, why: string, ...bad: Bad[]): Generators => ({
  legal: fc.constant(value),
  bad,
  fixed: why,
});

const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
/** Texts without meaning, long enough to be told apart wherever they turn up. */
const token = (min = 9, max = 14): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...LETTERS), minLength: min, maxLength: max });
/** What people write: spaces, quotes, other alphabets, line ends, text that looks like a template. */
const prose = fc
  .tuple(token(), fc.constantFrom("", " a 'b' \"c\"", " ä→ß", "\nnext\r\n", " ${x}"))
  .map(([one, other]) => one + other);
const tooLong = (length: number): Bad => ["x".repeat(length + 1)];
const names = token(8, 20).map((text) => `n-${text}`);
const badNames: Bad[] = [[""], ["-a"], ["a-"], ["a b"], ["a_b"], ["ä"], ["x".repeat(64)]];
const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const flag = fc.boolean();
const word = (...words: string[]): fc.Arbitrary<string> => fc.constantFrom(...words);
const list = (of: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> =>
  fc.array(of, { minLength: 1, maxLength: 3 });
/** Maps of texts; numbers and booleans become text. Keys may hold anything that people put there. */
const textMap = fc.dictionary(
  fc.constantFrom("A", "B_2", "io.example.key", "with space", "constructor"),
  fc.oneof(token(), fc.integer(), fc.boolean(), fc.constant("")),
  { minKeys: 1, maxKeys: 3 },
);
const badMap: Bad[] = [
  [{ A: { b: 1 } }, ".A"],
  [{ "io.example.key": ["x"] }, '["io.example.key"]'],
];
/** Any JSON that a person might keep. */
const json = fc.dictionary(
  fc.constantFrom("one", "two", "three.four"),
  fc.oneof(
    token(),
    fc.integer(),
    fc.array(token(), { minLength: 1, maxLength: 2 }),
    fc.dictionary(fc.constantFrom("x", "y"), token(), { minKeys: 1 }),
  ),
  { minKeys: 1, maxKeys: 3 },
);
const hostPort = whole(20_000, 29_999);
const capability = word("NET_ADMIN", "SYS_TIME", "CHOWN", "KILL");
const texts = (legal: fc.Arbitrary<unknown>): Generators =>
  row(list(legal), [[1], "[0]"], [["x", {}], "[1]"]);

/** What containers are started with; sidekicks have all but `drainTimeoutMs`, and a name. */
const containerTable = ({ hosts }: World): Table => ({
  imageUuid: row(
    whole(10, 99).map((minor) => `docker:nginx:1.${minor}`),
    ...([[""], ["nginx:1.27"], ["docker:"], ["docker:a b"]] as Bad[]),
  ),
  environment: row(textMap, ...badMap),
  labels: row(textMap, ...badMap),
  ports: row(
    fc
      .uniqueArray(hostPort, { minLength: 1, maxLength: 3 })
      .chain((ports) =>
        fc.tuple(...ports.map((port) => word(`${port}:80`, `${port}:80/udp`, `${port}`))),
      ),
    [["99999:80"], "[0]"],
    [["80:80", "80:80/icmp"], "[1]"],
    [["http"], "[0]"],
  ),
  command: texts(prose),
  entryPoint: texts(token()),
  dataVolumes: texts(token().map((name) => `${name}:/data`)),
  volumeDriver: row(word("local", "rancher-nfs")),
  networkMode: row(word("managed", "bridge")),
  hostname: row(names, [""]),
  user: row(word("root", "1000", "1000:1000"), [""]),
  workingDir: row(
    token().map((path) => `/${path}`),
    [""],
  ),
  privileged: row(flag),
  readOnly: row(flag),
  capAdd: row(list(capability), [["FLY"], "[0]"]),
  capDrop: row(list(capability), [["FLY"], "[0]"]),
  memory: row(whole(4_194_304, 1_000_000_000), [-1]),
  memoryReservation: row(whole(4_194_304, 1_000_000_000), [-1]),
  memorySwap: row(whole(-1, 1_000_000_000), [-2]),
  milliCpuReservation: row(whole(0, 500), [-1]),
  cpuShares: row(whole(2, 1_024), [-1]),
  cpuSet: row(word("0", "0,1", "0-3")),
  devices: texts(token().map((name) => `/dev/${name}:/dev/x:rwm`)),
  dns: texts(word("192.0.2.1", "192.0.2.2", "192.0.2.3")),
  dnsSearch: texts(token().map((name) => `${name}.example.com`)),
  extraHosts: texts(token().map((name) => `${name}:192.0.2.1`)),
  expose: texts(word("80", "81/udp", "82/tcp")),
  tmpfs: row(fc.constantFrom({ "/run": "" }, { "/tmp": "rw,size=64k" }), ...badMap),
  sysctls: row(fc.constantFrom({ "net.core.somaxconn": 1_024 }, { a: "1", b: "2" }), ...badMap),
  stdinOpen: row(flag),
  tty: row(flag),
  stopSignal: row(word("SIGTERM", "SIGINT", "SIGQUIT")),
  ipcMode: row(word("host", "shareable")),
  pidMode: fixed("host", "the server knows no other", ["private"]),
  instanceTriggeredStop: row(word("stop", "remove"), ["restart"]),
  requestedHostId: row(fc.constantFrom(...hosts)),
  startOnCreate: fixed(true, "a service whose containers do not start never becomes active"),
  // Name the first sidekick, if there is one, see `legalised`.
  networkLaunchConfig: fixed(SIDEKICKS[0], "there is one to name", ["nobody"]),
  dataVolumesFromLaunchConfigs: fixed([SIDEKICKS[0]], "there is one to name", [["nobody"], "[0]"]),
});

/** Names of sidekicks, by their place. */
const SIDEKICKS = ["side", "other"] as const;

/** A key that belongs to none of the certificates. */
const STRANGE_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/** Types inside other properties. */
const nestedTables = (world: World): Readonly<Record<string, Table>> => ({
  HealthCheck: {
    port: row(whole(1, 65_535), [0], [65_536], [1.5]),
    requestLine: row(token().map((path) => `GET /${path} HTTP/1.0`)),
    interval: row(whole(500, 5_000), [0], [1.5]),
    responseTimeout: row(whole(500, 5_000), [0]),
    healthyThreshold: row(whole(1, 5), [0]),
    unhealthyThreshold: row(whole(1, 5), [0]),
    initializingTimeout: row(whole(60_000, 90_000), [-1]),
    reinitializingTimeout: row(whole(60_000, 90_000), [-1]),
    strategy: row(word("none", "recreate", "recreateOnQuorum"), ["never"]),
    recreateOnQuorumStrategyConfig: row(
      whole(1, 3).map((quorum) => ({ quorum })),
      [{ quorum: 0 }, ".quorum"],
      [{ colour: 1 }, ".colour"],
    ),
  },
  LaunchConfig: { ...containerTable(world), drainTimeoutMs: row(whole(0, 2_000), [-1]) },
  SecondaryLaunchConfig: { ...containerTable(world), name: row(names, ...badNames) },
  LogConfig: {
    driver: row(word("json-file", "syslog", "none")),
    config: row(textMap, ...badMap),
  },
  UpgradeStrategy: {
    batchSize: row(whole(1, 5), [0]),
    intervalMillis: row(whole(100, 200), [99]),
    startFirst: row(flag),
  },
  PortRule: {
    sourcePort: row(
      whole(1, 65_535).filter((port) => port !== 42),
      [42],
      [0],
      [65_536],
    ),
    protocol: row(word("http", "https", "tcp", "tls", "sni"), ["udp"], ["ftp"]),
    serviceId: row(fc.constantFrom(...world.services)),
    selector: row(token().map((value) => `role=${value}`)),
    targetPort: row(whole(1, 65_535), [0], [65_536]),
    hostname: row(token().map((name) => `${name}.example.com`)),
    path: row(token().map((path) => `/${path}`)),
    priority: row(whole(1, 100), [0]),
    backendName: row(token()),
    weight: row(whole(0, 256), [-1], [257]),
  },
  LbConfig: {
    config: row(token().map((text) => `global\n  description ${text}`)),
    certificateIds: row(fc.subarray([...world.certificates], { minLength: 1 }), [[7], "[0]"]),
    defaultCertificateId: row(fc.constantFrom(...world.certificates)),
  },
  StickinessPolicy: {
    name: row(token()),
    cookie: row(token()),
    domain: row(token().map((name) => `${name}.example.com`)),
    mode: row(word("insert", "rewrite", "prefix"), ["never"]),
    indirect: row(flag),
    nocache: row(flag),
    postonly: row(flag),
  },
  ScalePolicy: {
    min: row(whole(1, 2), [0], [1.5]),
    max: row(whole(2, 3), [0]),
    increment: row(whole(1, 2), [0]),
  },
  ServiceLink: {
    serviceId: row(fc.constantFrom(...world.services)),
    name: row(names, [""], ["a b"]),
  },
  EnvironmentMember: {
    externalId: fixed("1a1", "there is one account", tooLong(255)),
    externalIdType: fixed("rancher_id", "it is known by its id", tooLong(255)),
    role: fixed("owner", "the only account stays the owner", tooLong(255)),
  },
  ServicesPortRange: {
    startPort: row(whole(1_000, 30_000), [0], [65_536]),
    endPort: row(whole(40_000, 65_535), [0], [65_536]),
  },
});

const description = (maxLength = 1024): Generators => row(prose, tooLong(maxLength));
/** A description that a mark is added to. */
const markedDescription = description(982);

const serviceTable = ({ stacks, environments }: World): Table => ({
  stackId: row(fc.constantFrom(...stacks)),
  name: row(names, ...badNames),
  description: description(),
  scale: row(whole(0, 2), [-1], [1.5]),
  startOnCreate: row(flag),
  environmentId: fixed(environments[0], "stacks are in one environment"),
});

/** Compose texts: one or two services, in either version. */
const compose = fc
  .record({ minor: whole(10, 99), name: token(), second: flag, old: flag })
  .map(({ minor, name, second, old }) => {
    const web = ["web:", `  image: nginx:1.${minor}`, "  environment:", `    NAME: ${name}`];
    const all = [...web, ...(second ? ["more:", "  image: nginx:1.27"] : [])];
    const lines = old ? all : ["version: '2'", "services:", ...all.map((line) => `  ${line}`)];
    return `${lines.join("\n")}\n`;
  });

/** Resources. */
const resourceTables = (world: World): Readonly<Record<string, Table>> => {
  const { environments, templates } = world;
  const environmentId = row(fc.constantFrom(...environments));
  const password = row(token(12, 20), [""]);
  const [pair] = pairs;
  return {
    AccessControl: {
      username: row(token(), [""], ["a:b"], tooLong(255)),
      password,
      turnOffOnDelete: row(flag),
    },
    ApiKey: {
      name: row(prose, tooLong(255)),
      description: markedDescription,
      environmentId,
      accountId: fixed("1a1", "there is one account"),
    },
    Certificate: {
      name: row(prose, [""], tooLong(255)),
      description: markedDescription,
      environmentId,
      // Belong together: they are drawn as a pair, see `legalised`.
      cert: row(fc.constantFrom(...pairs.map(({ cert }) => cert)), [""], ["x"], [pair.key]),
      key: row(
        fc.constantFrom(...pairs.map(({ key }) => key)),
        [""],
        ["x"],
        [STRANGE_KEY],
        [pair.cert],
      ),
      certChain: row(fc.constantFrom(...pairs.map(({ cert }) => cert)), [""], ["x"], [pair.key]),
    },
    Environment: {
      name: row(prose, [""], tooLong(255)),
      description: markedDescription,
      useDefault: fixed(
        false,
        "the default environment cannot be given back: it has a test of its own",
      ),
      projectTemplateId:
        templates.length > 1
          ? row(fc.constantFrom(...templates), [""])
          : fixed(templates[0], "the server has no other", [""]),
      members: fixed(
        [{ externalId: "1a1", externalIdType: "rancher_id", role: "owner" }],
        "there is one account",
        [[]],
      ),
      hostRemoveDelaySeconds: row(whole(0, 10_000), [-2], [1.5]),
      virtualMachine: row(flag),
    },
    Setting: {
      name: row(
        token().map((name) => `walk.${name}`),
        [""],
        ["a b"],
        ["a/b"],
        tooLong(255),
      ),
      value: row(prose),
    },
    RegistrationToken: {
      name: row(prose, tooLong(255)),
      description: markedDescription,
      environmentId,
    },
    Host: {
      matchLabels: row(
        token().map((machine) => ({ machine })),
        [{}],
        ...badMap,
      ),
      matchAddress: row(
        whole(1, 250).map((n) => `198.51.100.${n}`),
        ["nowhere"],
        [""],
      ),
      name: row(prose, tooLong(255)),
      description: description(),
      labels: row(textMap, ...badMap),
      waitForServices: row(flag),
      environmentId: fixed(environments[0], "hosts stay in one environment"),
    },
    Stack: {
      name: row(names, ...badNames),
      description: description(),
      dockerCompose: row(
        compose,
        ...([
          [""],
          ["services: ["],
          ["- a list"],
          ["version: '3'\nservices:\n  web:\n    image: nginx\n"],
          ["version: '2'\nservices: [web]\n"],
          ["version: '2'\nservices:\n  web: {}\n"],
        ] as Bad[]),
      ),
      rancherCompose: row(
        whole(1, 2).map((scale) => `version: '2'\nservices:\n  web:\n    scale: ${scale}\n`),
        ["services: ["],
      ),
      environment: row(
        fc.dictionary(word("TAG", "OTHER"), fc.oneof(token(), whole(1, 9)), { minKeys: 1 }),
        ...badMap,
      ),
      startOnCreate: row(flag),
      environmentId,
    },
    Service: {
      ...serviceTable(world),
      metadata: row(json),
      retainIp: row(flag),
      assignServiceIpAddress: row(flag),
      vip: row(whole(1, 250).map((n) => `10.43.0.${n}`)),
      selectorLink: row(
        token().map((value) => `link=${value}`),
        tooLong(4_096),
      ),
      selectorContainer: row(
        token().map((value) => `role=${value}`),
        tooLong(4_096),
      ),
    },
    LoadBalancer: serviceTable(world),
  };
};

/** All tables, by the name of the resource or of the type. */
export function tables(world: World): Readonly<Record<string, Table>> {
  return { ...nestedTables(world), ...resourceTables(world) };
}

const isObject = (value: unknown): value is Props =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Inputs that must be there although the schema does not say so, because one of several will do. */
export const ALWAYS: Readonly<Record<string, readonly string[]>> = { Host: ["matchLabels"] };

/** Inputs whose change replaces or does not, depending on their values. */
export const DEPENDS: Readonly<Record<string, readonly string[]>> = {
  Host: ["matchLabels", "matchAddress"],
  Stack: ["dockerCompose"],
  // False and left out are the same.
  Service: ["assignServiceIpAddress"],
};

/** Inputs of which the server keeps what it was told first: an import shows that. */
export const STALE: Readonly<Record<string, readonly string[]>> = {
  Stack: ["dockerCompose", "rancherCompose", "environment"],
};

/** Inputs each of which is legal, changed as little as makes them legal together. */
export function legalised(type: string, inputs: Props): Props {
  const rules: Readonly<Record<string, (props: Props) => Props>> = {
    Certificate: ({ cert, ...rest }) => {
      const pair = pairs.find((one) => one.cert === cert) ?? pairs[0];
      // Self-signed: each is its own issuer.
      const chain = rest["certChain"] === undefined ? {} : { certChain: pair.cert };
      return { ...rest, ...pair, ...chain };
    },
    ApiKey: (props) => (props["environmentId"] === undefined ? props : without(props, "accountId")),
    Environment: (props) => ({
      ...props,
      ...(isObject(props["servicesPortRange"])
        ? {
            servicesPortRange: { startPort: 1_000, endPort: 65_535, ...props["servicesPortRange"] },
          }
        : {}),
    }),
    Host: (props) => {
      const one = props["matchLabels"] ?? props["matchAddress"] ?? { machine: "m1" };
      const rest = without(props, "matchLabels", "matchAddress");
      return { ...rest, ...(isObject(one) ? { matchLabels: one } : { matchAddress: one }) };
    },
    Stack: (props) =>
      props["dockerCompose"] === undefined
        ? without(props, "rancherCompose", "environment")
        : props,
    Service: legalService,
    LoadBalancer: legalService,
  };
  return rules[type]?.(inputs) ?? inputs;
}

function without(props: Props, ...names: readonly string[]): Props {
  return Object.fromEntries(Object.entries(props).filter(([name]) => !names.includes(name)));
}

function legalService(inputs: Props): Props {
  const { launchConfig, secondaryLaunchConfigs, serviceLinks, lbConfig } = inputs;
  const sidekicks = Array.isArray(secondaryLaunchConfigs)
    ? (secondaryLaunchConfigs as Props[]).map((config, n) =>
        legalContainer({ ...config, name: SIDEKICKS[n] }, n > 0),
      )
    : undefined;
  const own = legalContainer(launchConfig as Props, sidekicks !== undefined);
  const changed: Props = {
    ...inputs,
    launchConfig: own,
    // Containers beside each other cannot have the same ports, nor stand on different hosts.
    secondaryLaunchConfigs: sidekicks?.map((config) => without(config, "ports", "requestedHostId")),
    serviceLinks: legalLinks(serviceLinks),
    upgradeStrategy: legalStrategy(inputs, own),
    scalePolicy: legalPolicy(inputs["scalePolicy"]),
    lbConfig: legalBalancer(lbConfig),
  };
  if (changed["scalePolicy"] !== undefined) delete changed["scale"];
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined));
}

function legalContainer(config: Props, hasSidekick: boolean): Props {
  const references = ["networkLaunchConfig", "dataVolumesFromLaunchConfigs"];
  const known = hasSidekick ? config : without(config, ...references);
  const legal: Props = { imageUuid: "docker:nginx:1.27", ...known };
  // Two containers on one host cannot both have its port.
  if (legal["ports"] !== undefined) delete legal["requestedHostId"];
  const check = legal["healthCheck"];
  if (isObject(check) && check["strategy"] === "recreateOnQuorum") {
    legal["healthCheck"] = { recreateOnQuorumStrategyConfig: { quorum: 1 }, ...check };
  }
  return legal;
}

function legalStrategy({ upgradeStrategy, retainIp }: Props, launchConfig: Props): unknown {
  if (!isObject(upgradeStrategy)) return undefined;
  // The old container has the host's port, and its address, until it stops.
  const exclusive = launchConfig["ports"] !== undefined || retainIp === true;
  return exclusive ? without(upgradeStrategy, "startFirst") : upgradeStrategy;
}

function legalPolicy(policy: unknown): unknown {
  return isObject(policy) ? { max: policy["min"], ...policy } : undefined;
}

/** Each link has a name of its own; one without takes that of its service. */
function legalLinks(links: unknown): unknown {
  if (!Array.isArray(links)) return undefined;
  const byName = new Map(
    (links as Props[]).map((link) => [link["name"] ?? link["serviceId"], link]),
  );
  return [...byName.values()];
}

function legalBalancer(config: unknown): unknown {
  if (!isObject(config)) return undefined;
  const encrypted =
    config["certificateIds"] !== undefined || config["defaultCertificateId"] !== undefined;
  const rules = (config["portRules"] as Props[]).map((rule) => {
    const legal = legalRule(rule);
    const needs = ["https", "tls"].includes(String(rule["protocol"]));
    return needs && !encrypted ? { ...legal, protocol: "http" } : legal;
  });
  return { ...config, portRules: rules };
}

/** A rule leads to a service's port or to whatever a selector finds. */
function legalRule({ serviceId, selector, targetPort, ...rule }: Props): Props {
  return serviceId !== undefined && (selector === undefined || targetPort !== undefined)
    ? { ...rule, serviceId, targetPort: targetPort ?? 80 }
    : { ...rule, selector: selector ?? "role=web" };
}
