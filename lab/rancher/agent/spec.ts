/** From what the server wants to what Docker is asked for. Pure. */
import type { DesiredContainer } from "../protocol";
import type { ContainerCreate } from "./docker";

/** Name of the Docker network that spans all hosts. */
export const MANAGED_NETWORK = "rancher-managed";

/**
 * What `--privileged` means on a machine that lacks a capability itself, where the engine refuses the flag:
 * every capability that is left and no confinement.
 */
export const ALMOST_PRIVILEGED = {
  Privileged: false,
  CapAdd: ["ALL"],
  CapDrop: ["SYS_RESOURCE"],
  SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
  // Empty lists: nothing of /proc and /sys is hidden or read-only.
  MaskedPaths: [],
  ReadonlyPaths: [],
} as const satisfies Partial<ContainerCreate["HostConfig"]>;

/** What the machine determines. */
export interface SpecContext {
  /** Whether the engine accepts `--privileged`. */
  readonly privilegedWorks: boolean;
  /** Docker's id of the container with that uuid, undefined when there is none yet. */
  readonly dockerId: (uuid: string) => string | undefined;
}

/**
 * Body of Docker's create call for a wanted container.
 * @throws when it shares the network of a container that does not exist
 */
export function containerSpec(want: DesiredContainer, context: SpecContext): ContainerCreate {
  const volumes = want.volumes.map(parseVolume);
  const ports = portBindings(want);
  const managed = want.networkMode === "managed";
  return {
    Image: want.image,
    Env: Object.entries(want.environment).map(([name, value]) => `${name}=${value}`),
    ...(want.command.length > 0 ? { Cmd: want.command } : {}),
    ...(want.entryPoint.length > 0 ? { Entrypoint: want.entryPoint } : {}),
    Labels: want.labels,
    ...defined({ Hostname: want.hostname, WorkingDir: want.workingDir, User: want.user }),
    Tty: want.tty,
    OpenStdin: want.stdinOpen,
    ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    Volumes: Object.fromEntries(
      volumes.filter((volume) => volume.bind === undefined).map((volume) => [volume.path, {}]),
    ),
    HostConfig: {
      Binds: volumes.flatMap((volume) => volume.bind ?? []),
      PortBindings: ports,
      NetworkMode: networkMode(want, context),
      ...defined({ PidMode: want.pidMode, Memory: want.memory }),
      ...(want.privileged && !context.privilegedWorks
        ? ALMOST_PRIVILEGED
        : { Privileged: want.privileged, CapAdd: want.capAdd, CapDrop: want.capDrop }),
      // The agent starts it again, so that "stopped" stays possible and crashes are counted in one place.
      RestartPolicy: { Name: "no" },
    },
    ...(managed && want.ip !== undefined
      ? {
          NetworkingConfig: {
            EndpointsConfig: { [MANAGED_NETWORK]: { IPAMConfig: { IPv4Address: want.ip } } },
          },
        }
      : {}),
  };
}

function networkMode(want: DesiredContainer, context: SpecContext): string {
  switch (want.networkMode) {
    case "managed":
      return MANAGED_NETWORK;
    case "container": {
      const id = context.dockerId(want.networkContainerUuid ?? "");
      if (id === undefined) throw new Error("the container whose network it shares does not exist");
      return `container:${id}`;
    }
    default:
      return want.networkMode;
  }
}

function portBindings(
  want: DesiredContainer,
): Record<string, { HostIp?: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp?: string; HostPort: string }[]> = {};
  // Docker refuses published ports where the network is another container's or the host's.
  if (want.networkMode !== "managed" && want.networkMode !== "bridge") return bindings;
  for (const port of want.ports) {
    const list = (bindings[`${port.privatePort}/${port.protocol}`] ??= []);
    list.push({ ...defined({ HostIp: port.bindAddress }), HostPort: String(port.publicPort) });
  }
  return bindings;
}

/** `/path` is an anonymous volume; anything with a source is a bind in Docker's notation. */
function parseVolume(volume: string): { readonly path: string; readonly bind?: string } {
  const parts = volume.split(":");
  return parts.length === 1 ? { path: volume } : { path: parts[1] ?? "", bind: volume };
}

function defined<T extends object>(values: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<{ [K in keyof T]: NonNullable<T[K]> }>;
}
