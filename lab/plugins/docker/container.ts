/** `docker.Container`. */
import { diffInputs, parsePath } from "../../../rancher/plugin/diff";
import { PartialFailure } from "../../../rancher/plugin/serve";
import type { Call, Props, Resource, State } from "../../../rancher/plugin/types";
import { equal } from "../../../rancher/plugin/values";
import {
  checkInputs,
  flag,
  map,
  mustText,
  number,
  object,
  objects,
  pause,
  type Shape,
  text,
  texts,
} from "../standIn";
import { type Engine, EngineError } from "./client";
import { isAutoNamed, labels } from "./network";

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3_600e9,
};

/** Fields of a health check that are durations. */
const DURATIONS = ["interval", "timeout", "startPeriod"] as const;

/** Reads a duration as Go writes it, `1m30s`, into nanoseconds. */
export function nanoseconds(duration: string): number {
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join("") !== duration) {
    throw new Error(`${JSON.stringify(duration)} is not a duration such as 10s or 1m30s`);
  }
  return parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (NANOSECONDS[unit ?? ""] ?? 0),
    0,
  );
}

/** Writes nanoseconds as Go does, so that `90s` comes back as `1m30s`. Source: Go's time.Duration.String. */
export function goDuration(value: number): string {
  if (value > 0 && value < 1e9) {
    const unit = value >= 1e6 ? "ms" : value >= 1e3 ? "µs" : "ns";
    return `${value / (NANOSECONDS[unit] ?? 1)}${unit}`;
  }
  const seconds = value / 1e9;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const parts = [hours > 0 ? `${hours}h` : "", hours + minutes > 0 ? `${minutes}m` : ""];
  return `${parts.join("")}${Number((seconds % 60).toFixed(9))}s`;
}

function duration(props: Props, name: string): number | undefined {
  const value = text(props, name);
  return value === undefined ? undefined : nanoseconds(value);
}

const MEBIBYTE = 1024 * 1024;

function mebibytes(props: Props, name: string): number | undefined {
  const value = number(props, name);
  // The plugin takes MiB, the engine bytes; -1 means 'no limit' to both.
  return value === undefined || value < 0 ? value : value * MEBIBYTE;
}

function orNothing<T>(values: T[]): T[] | undefined {
  return values.length === 0 ? undefined : values;
}

const shape: Readonly<Record<string, Shape>> = {
  attach: "boolean",
  capabilities: { adds: ["string"], drops: ["string"] },
  command: ["string"],
  cpuSet: "string",
  cpuShares: "number",
  cpus: "string",
  destroyGraceSeconds: "number",
  devices: [{ hostPath: "string", containerPath: "string", permissions: "string" }],
  dns: ["string"],
  dnsOpts: ["string"],
  dnsSearches: ["string"],
  domainname: "string",
  entrypoints: ["string"],
  envs: ["string"],
  groupAdds: ["string"],
  healthcheck: {
    tests: ["string"],
    interval: "string",
    timeout: "string",
    startPeriod: "string",
    retries: "number",
  },
  hostname: "string",
  hosts: [{ host: "string", ip: "string" }],
  image: "string",
  init: "boolean",
  ipcMode: "string",
  labels: [{ label: "string", value: "string" }],
  logDriver: "string",
  logOpts: "map",
  logs: "boolean",
  maxRetryCount: "number",
  memory: "number",
  memoryReservation: "number",
  memorySwap: "number",
  mounts: [
    {
      type: "string",
      source: "string",
      target: "string",
      readOnly: "boolean",
      bindOptions: { propagation: "string" },
      tmpfsOptions: { mode: "number", sizeBytes: "number" },
      volumeOptions: { noCopy: "boolean", driverName: "string", driverOptions: "map" },
    },
  ],
  mustRun: "boolean",
  name: "string",
  networkMode: "string",
  networksAdvanced: [{ name: "string", aliases: ["string"], ipv4Address: "string" }],
  pidMode: "string",
  ports: [{ internal: "number", external: "number", ip: "string", protocol: "string" }],
  privileged: "boolean",
  publishAllPorts: "boolean",
  readOnly: "boolean",
  removeVolumes: "boolean",
  restart: "string",
  rm: "boolean",
  securityOpts: ["string"],
  shmSize: "number",
  start: "boolean",
  stdinOpen: "boolean",
  stopSignal: "string",
  stopTimeout: "number",
  sysctls: "map",
  tmpfs: "map",
  tty: "boolean",
  ulimits: [{ name: "string", soft: "number", hard: "number" }],
  user: "string",
  volumes: [
    { hostPath: "string", volumeName: "string", containerPath: "string", readOnly: "boolean" },
  ],
  wait: "boolean",
  waitTimeout: "number",
  workingDir: "string",
};

/** What a running container can be given, as the engine's update call takes it. */
function adjustable(inputs: Props): Props {
  return {
    RestartPolicy: {
      Name: text(inputs, "restart") ?? "no",
      MaximumRetryCount: number(inputs, "maxRetryCount") ?? 0,
    },
    Memory: mebibytes(inputs, "memory") ?? 0,
    MemorySwap: mebibytes(inputs, "memorySwap"),
    MemoryReservation: mebibytes(inputs, "memoryReservation"),
    CpuShares: number(inputs, "cpuShares"),
    CpusetCpus: text(inputs, "cpuSet"),
    NanoCpus: text(inputs, "cpus") === undefined ? undefined : Number(text(inputs, "cpus")) * 1e9,
  };
}

/** Inputs that {@link adjustable} applies. */
const ADJUSTABLE = [
  "restart",
  "maxRetryCount",
  "memory",
  "memorySwap",
  "memoryReservation",
  "cpuShares",
  "cpuSet",
  "cpus",
];

/** Inputs that say how Pulumi treats the container, and are not part of it. */
const HANDLING = [
  "attach",
  "destroyGraceSeconds",
  "logs",
  "mustRun",
  "removeVolumes",
  "start",
  "wait",
  "waitTimeout",
];

const REPLACING = Object.keys(shape).filter(
  (name) => !ADJUSTABLE.includes(name) && !HANDLING.includes(name),
);

function portKey(port: Props, name: "internal"): string {
  return `${String(port[name])}/${text(port, "protocol") ?? "tcp"}`;
}

function networks(inputs: Props): { name: string; endpoint: Props }[] {
  return objects(inputs, "networksAdvanced").map((n) => ({
    name: mustText(n, "name"),
    endpoint: {
      Aliases: orNothing(texts(n, "aliases")),
      IPAMConfig:
        text(n, "ipv4Address") === undefined ? undefined : { IPv4Address: text(n, "ipv4Address") },
    },
  }));
}

function mountSpec(mount: Props): Props {
  const bind = object(mount, "bindOptions");
  const tmpfs = object(mount, "tmpfsOptions");
  const volume = object(mount, "volumeOptions");
  return {
    Type: mustText(mount, "type"),
    Source: text(mount, "source"),
    Target: mustText(mount, "target"),
    ReadOnly: flag(mount, "readOnly"),
    BindOptions: bind && { Propagation: text(bind, "propagation") },
    TmpfsOptions: tmpfs && { Mode: number(tmpfs, "mode"), SizeBytes: number(tmpfs, "sizeBytes") },
    VolumeOptions: volume && {
      NoCopy: flag(volume, "noCopy"),
      DriverConfig: { Name: text(volume, "driverName"), Options: map(volume, "driverOptions") },
    },
  };
}

function volumeSpec(volume: Props): string {
  const source = text(volume, "hostPath") ?? text(volume, "volumeName") ?? "";
  const target = text(volume, "containerPath") ?? "";
  return `${source}:${target}:${flag(volume, "readOnly") === true ? "ro" : "rw"}`;
}

/** The body of the engine's create call. */
export function containerSpec(inputs: Props): Props {
  const ports = objects(inputs, "ports");
  const health = object(inputs, "healthcheck");
  const capabilities = object(inputs, "capabilities") ?? {};
  const [first] = networks(inputs);
  const bindings: Record<string, Props[]> = {};
  for (const port of ports) {
    const external = number(port, "external");
    (bindings[portKey(port, "internal")] ??= []).push({
      HostIp: text(port, "ip") ?? "0.0.0.0",
      HostPort: external === undefined ? "" : String(external),
    });
  }
  return {
    Image: mustText(inputs, "image"),
    Cmd: orNothing(texts(inputs, "command")),
    Entrypoint: orNothing(texts(inputs, "entrypoints")),
    Env: texts(inputs, "envs"),
    Labels: labels(inputs),
    User: text(inputs, "user"),
    Hostname: text(inputs, "hostname"),
    Domainname: text(inputs, "domainname"),
    WorkingDir: text(inputs, "workingDir"),
    Tty: flag(inputs, "tty"),
    OpenStdin: flag(inputs, "stdinOpen"),
    StopSignal: text(inputs, "stopSignal"),
    StopTimeout: number(inputs, "stopTimeout"),
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((key) => [key, {}])),
    Healthcheck: health && {
      Test: texts(health, "tests"),
      Interval: duration(health, "interval"),
      Timeout: duration(health, "timeout"),
      StartPeriod: duration(health, "startPeriod"),
      Retries: number(health, "retries"),
    },
    HostConfig: {
      ...adjustable(inputs),
      AutoRemove: flag(inputs, "rm"),
      Binds: orNothing(
        objects(inputs, "volumes")
          .filter((v) => (v["hostPath"] ?? v["volumeName"]) !== undefined)
          .map(volumeSpec),
      ),
      CapAdd: orNothing(texts(capabilities, "adds")),
      CapDrop: orNothing(texts(capabilities, "drops")),
      Devices: objects(inputs, "devices").map((d) => ({
        PathOnHost: mustText(d, "hostPath"),
        PathInContainer: text(d, "containerPath") ?? mustText(d, "hostPath"),
        CgroupPermissions: text(d, "permissions") ?? "rwm",
      })),
      Dns: orNothing(texts(inputs, "dns")),
      DnsOptions: orNothing(texts(inputs, "dnsOpts")),
      DnsSearch: orNothing(texts(inputs, "dnsSearches")),
      ExtraHosts: orNothing(
        objects(inputs, "hosts").map((h) => `${mustText(h, "host")}:${mustText(h, "ip")}`),
      ),
      GroupAdd: orNothing(texts(inputs, "groupAdds")),
      Init: flag(inputs, "init"),
      IpcMode: text(inputs, "ipcMode"),
      LogConfig: { Type: text(inputs, "logDriver") ?? "json-file", Config: map(inputs, "logOpts") },
      Mounts: orNothing(objects(inputs, "mounts").map(mountSpec)),
      NetworkMode: first?.name ?? text(inputs, "networkMode") ?? "default",
      PidMode: text(inputs, "pidMode"),
      PortBindings: bindings,
      Privileged: flag(inputs, "privileged"),
      PublishAllPorts: flag(inputs, "publishAllPorts"),
      ReadonlyRootfs: flag(inputs, "readOnly"),
      SecurityOpt: orNothing(texts(inputs, "securityOpts")),
      ShmSize: mebibytes(inputs, "shmSize"),
      Sysctls: map(inputs, "sysctls"),
      Tmpfs: map(inputs, "tmpfs"),
      Ulimits: objects(inputs, "ulimits").map((u) => ({
        Name: mustText(u, "name"),
        Soft: number(u, "soft"),
        Hard: number(u, "hard"),
      })),
    },
    NetworkingConfig: first && { EndpointsConfig: { [first.name]: first.endpoint } },
  };
}

interface Details {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly Config: {
    readonly Hostname: string;
    readonly Env: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
    readonly Entrypoint: readonly string[] | null;
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly State: {
    readonly Running: boolean;
    readonly Restarting: boolean;
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: {
      readonly Status: string;
      readonly Log?: readonly { Output: string }[] | null;
    };
  };
  readonly HostConfig: {
    readonly RestartPolicy: { readonly Name: string };
    readonly Memory: number;
  };
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<
        string,
        { IPAddress: string; IPPrefixLen: number; Gateway: string; MacAddress: string }
      >
    >;
  };
}

function inspect(engine: Engine, id: string, signal: AbortSignal): Promise<Details | undefined> {
  return engine.find<Details>(`/containers/${id}/json`, { signal });
}

function outputs(inputs: Props, details: Details): Props {
  return {
    // Inputs win: they are what the program asked for, and carry its secrets.
    hostname: details.Config.Hostname,
    command: details.Config.Cmd ?? [],
    entrypoints: details.Config.Entrypoint ?? [],
    bridge: "",
    exitCode: details.State.ExitCode,
    logDriver: "json-file",
    networkDatas: Object.entries(details.NetworkSettings.Networks).map(([networkName, n]) => ({
      networkName,
      ipAddress: n.IPAddress,
      ipPrefixLength: n.IPPrefixLen,
      gateway: n.Gateway,
      macAddress: n.MacAddress,
    })),
    ...inputs,
  };
}

/** Docker's multiplexed log frames as text: an 8 byte header, its last 4 the length, then the bytes. */
export function demultiplex(frames: Buffer): string {
  let out = "";
  for (let at = 0; at + 8 <= frames.length;) {
    const length = frames.readUInt32BE(at + 4);
    out += frames.subarray(at + 8, at + 8 + length).toString();
    at += 8 + length;
  }
  return out;
}

async function logs(engine: Engine, id: string, inputs: Props, tail: string): Promise<string> {
  const query = { stdout: true, stderr: true, tail };
  const bytes = await engine.bytes("GET", `/containers/${id}/logs`, { query });
  return flag(inputs, "tty") === true ? bytes.toString() : demultiplex(bytes);
}

/** Why it is not ready, with the end of what it and its health check said. */
async function diagnosis(engine: Engine, id: string, inputs: Props, why: string): Promise<string> {
  try {
    const details = await inspect(engine, id, AbortSignal.timeout(10_000));
    const check = details?.State.Health?.Log?.at(-1)?.Output.trim();
    const said = (await logs(engine, id, inputs, "15")).trim();
    const parts = [why, check === undefined || check === "" ? [] : `health check said: ${check}`];
    return [
      ...parts.flat(),
      said === "" ? "it logged nothing" : `its last log lines:\n${said}`,
    ].join("; ");
  } catch {
    return why;
  }
}

/** Starts the container if it does not run, and waits as the inputs ask. */
async function ready(engine: Engine, id: string, inputs: Props, call: Call): Promise<Details> {
  const { signal } = call;
  const name = mustText(inputs, "name");
  const current = async (): Promise<Details> => {
    const details = await inspect(engine, id, signal);
    if (details !== undefined) return details;
    throw new Error(`container ${name} is gone; run pulumi refresh`);
  };
  let details = await current();
  if (flag(inputs, "start") === false) return details;
  // A one-shot container that has ended is not run again by a mere update.
  const oneShot = flag(inputs, "attach") === true || flag(inputs, "mustRun") === false;
  if (!details.State.Running && (details.State.Status === "created" || !oneShot)) {
    await engine.json("POST", `/containers/${id}/start`, { signal });
    details = await current();
  }
  if (flag(inputs, "attach") === true) {
    call.status(`waiting for container ${name} to end`);
    await engine.json("POST", `/containers/${id}/wait`, { signal });
    return current();
  }
  const failed = async (why: string): Promise<Error> =>
    new Error(await diagnosis(engine, id, inputs, why));
  const restarts = (text(inputs, "restart") ?? "no") !== "no";
  const healthy = flag(inputs, "wait") ?? false;
  const seconds = number(inputs, "waitTimeout") ?? 60;
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const { Running, ExitCode, Health, Status } = details.State;
    if (!Running && !restarts) {
      if (flag(inputs, "mustRun") === false) return details;
      throw await failed(`container ${name} exited with code ${ExitCode} right after its start`);
    }
    if (healthy ? Health?.Status === "healthy" : Running) return details;
    if (Date.now() > deadline) {
      const state = healthy ? (Health?.Status ?? `${Status}, without a health check`) : Status;
      throw await failed(`container ${name} is still ${state} after ${seconds} seconds`);
    }
    call.status(`waiting for container ${name}: ${healthy ? (Health?.Status ?? Status) : Status}`);
    await pause(500, signal);
    details = await current();
  }
}

async function settled(engine: Engine, id: string, inputs: Props, call: Call): Promise<State> {
  try {
    const details = await ready(engine, id, inputs, call);
    const said =
      flag(inputs, "logs") === true ? { containerLogs: await logs(engine, id, inputs, "all") } : {};
    return { id, outputs: { ...outputs(inputs, details), ...said } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PartialFailure({ id, outputs: { ...inputs } }, reason);
  }
}

/** What differs between the container and the inputs it was made from, as inputs that say so. */
export function drift(inputs: Props, details: Details): Props {
  const found: Props = {};
  const image = text(inputs, "image");
  if (image?.startsWith("sha256:") === true && image !== details.Image)
    found["image"] = details.Image;
  const env = details.Config.Env ?? [];
  if (!texts(inputs, "envs").every((e) => env.includes(e))) found["envs"] = [...env];
  const actual = details.Config.Labels ?? {};
  const wanted = Object.entries(labels(inputs));
  if (!wanted.every(([label, value]) => actual[label] === value)) {
    found["labels"] = Object.entries(actual).map(([label, value]) => ({ label, value }));
  }
  const command = texts(inputs, "command");
  if (command.length > 0 && !equal(command, details.Config.Cmd ?? [])) {
    found["command"] = [...(details.Config.Cmd ?? [])];
  }
  const restart = details.HostConfig.RestartPolicy.Name;
  if ((text(inputs, "restart") ?? "no") !== (restart === "" ? "no" : restart)) {
    found["restart"] = restart;
  }
  if ((mebibytes(inputs, "memory") ?? 0) !== details.HostConfig.Memory) {
    found["memory"] = details.HostConfig.Memory / MEBIBYTE;
  }
  const health = object(inputs, "healthcheck") ?? {};
  const rewritten = DURATIONS.filter((field) => {
    const value = duration(health, field);
    return value !== undefined && goDuration(value) !== health[field];
  }).map((field) => [field, goDuration(duration(health, field) ?? 0)]);
  // The real plugin reads them back in one form only, and shows any other as a change.
  if (rewritten.length > 0) {
    found["healthcheck"] = { ...health, ...Object.fromEntries(rewritten) };
  }
  const attached = Object.keys(details.NetworkSettings.Networks);
  const declared = objects(inputs, "networksAdvanced");
  const present = declared.filter((n) => attached.includes(mustText(n, "name")));
  if (present.length < declared.length) found["networksAdvanced"] = present;
  // A container that should run and does not is put right by an update, which starts it.
  const shouldRun = flag(inputs, "start") !== false && flag(inputs, "attach") !== true;
  const stopped = !details.State.Running && !details.State.Restarting;
  if (shouldRun && stopped && flag(inputs, "mustRun") !== false) found["mustRun"] = false;
  return found;
}

/** The type token of {@link container}. */
export const containerType = "docker:index/container:Container";

const check = checkInputs(containerType, { shape, required: ["image"], autoName: "name" });

/** A container on the host. */
export const container: Resource<Engine> = {
  check: (inputs, old, call) => {
    const { inputs: checked, problems } = check(inputs, old, call);
    const health = object(inputs, "healthcheck") ?? {};
    for (const name of DURATIONS) {
      try {
        duration(health, name);
      } catch (error) {
        problems.push({ path: `healthcheck.${name}`, reason: (error as Error).message });
      }
    }
    return { inputs: checked, problems };
  },
  diff: ({ oldInputs, inputs }) =>
    diffInputs(oldInputs, inputs, {
      replace: REPLACING,
      ignore: ["__defaults"],
      // Old and new cannot share a name.
      deleteBeforeReplace: !isAutoNamed(inputs),
    }),
  create: async (engine, inputs, call) => {
    const { signal } = call;
    const { Id: id } = await engine.json<{ Id: string }>("POST", "/containers/create", {
      query: { name: mustText(inputs, "name") },
      body: containerSpec(inputs),
      signal,
    });
    try {
      for (const { name, endpoint } of networks(inputs).slice(1)) {
        await engine.json("POST", `/networks/${encodeURIComponent(name)}/connect`, {
          body: { Container: id, EndpointConfig: endpoint },
          signal,
        });
      }
    } catch (error) {
      throw new PartialFailure({ id, outputs: { ...inputs } }, (error as Error).message);
    }
    return settled(engine, id, inputs, call);
  },
  read: async (engine, { id, inputs, outputs: old }, call) => {
    const details = await inspect(engine, id, call.signal);
    if (details === undefined) return undefined;
    const given =
      Object.keys(inputs).length > 0
        ? inputs
        : { image: details.Image, name: details.Name.replace(/^\//, "") };
    const known = { ...given, ...drift(given, details) };
    const logged = "containerLogs" in old ? { containerLogs: old["containerLogs"] } : {};
    return { state: { id, outputs: { ...outputs(known, details), ...logged } }, inputs: known };
  },
  update: async (engine, { id, oldInputs, inputs }, call) => {
    const changed = Object.keys(diffInputs(oldInputs, inputs).changes).map((p) => parsePath(p)[0]);
    if (changed.some((name) => ADJUSTABLE.includes(String(name)))) {
      await engine.json("POST", `/containers/${id}/update`, {
        body: adjustable(inputs),
        signal: call.signal,
      });
    }
    return (await settled(engine, id, inputs, call)).outputs;
  },
  delete: async (engine, { id, outputs: old }, call) => {
    const { signal } = call;
    const gone = (error: unknown): boolean => error instanceof EngineError && error.status === 404;
    try {
      const grace = number(old, "destroyGraceSeconds") ?? 0;
      if (grace > 0) {
        await engine.json("POST", `/containers/${id}/stop`, { query: { t: grace }, signal });
      }
      await engine.json("DELETE", `/containers/${id}`, {
        query: { force: true, v: flag(old, "removeVolumes") ?? true },
        signal,
      });
    } catch (error) {
      if (!gone(error)) throw error;
    }
    while ((await inspect(engine, id, signal)) !== undefined) await pause(200, signal);
  },
};
