/**
 * What the lab's Rancher server and its agents say to each other. TEST EQUIPMENT, not Rancher's own
 * protocol: real Rancher sends single commands as events; here the server always sends the whole
 * wanted state of a host and the agent always answers with the whole observed state. Either side
 * may be restarted at any moment: after reconnecting both send everything again, nothing is lost.
 *
 * ## Registration (HTTP, once per machine)
 * 1. `GET <registrationUrl>` (`http://<server>/v1/scripts/<token>`) answers a shell script, text/plain, as
 *    the real server's: `export CATTLE_REGISTRATION_ACCESS_KEY="registrationToken"`,
 *    `CATTLE_REGISTRATION_SECRET_KEY="<token>"`, `CATTLE_URL="http://<server>/v1"`, `DETECTED_CATTLE_AGENT_IP`.
 *    404 when the token is unknown or deactivated.
 * 2. `POST $CATTLE_URL/register` with Basic auth (those two keys) and a {@link RegisterRequest};
 *    201 with a {@link RegisterAnswer}. Idempotent: the same `key` gets the same credentials back.
 *    401 for a bad token. Retry on connection errors and 5xx.
 * The agent keeps `key` (random, made once) and the answer in `/var/lib/rancher/state`.
 *
 * ## Connection (WebSocket, for ever)
 * `ws://<server>/v1/lab-agent` (see {@link AGENT_PATH}) with Basic auth `accessKey:secretKey`.
 * 401 means that the host was removed from Rancher (or the credentials are of another database):
 * the agent leaves its containers alone and tries again every {@link RECONNECT_MAX_MS}.
 * Every frame is one JSON text message with a `type`.
 *
 * agent                              server
 *   hello  ------------------------->
 *          <-------------------------  welcome
 *          <-------------------------  desired (generation 1)
 *   observed (generation 0 or 1) --->          at once after `welcome`, on each change, and every 5 s
 *          <-------------------------  desired (generation 2) ...     whenever something changed
 *   ping   ------------------------->  pong    and the other way round
 *
 * A second connection of the same host replaces the first (closed with {@link CLOSE_REPLACED}).
 */

/** Path of the agents' WebSocket on the server. */
export const AGENT_PATH = "/v1/lab-agent";
/** Version of this protocol; the server closes with {@link CLOSE_PROTOCOL} on another one. */
export const PROTOCOL_VERSION = 1;
/** Each side sends a ping this often. Milliseconds. As real Rancher's agents: 5 s. */
export const PING_INTERVAL_MS = 5_000;
/** A side that heard nothing for this long closes the connection. Milliseconds. */
export const PING_TIMEOUT_MS = 20_000;
/** The agent's pause before it connects again: starts here, doubles. Milliseconds. */
export const RECONNECT_MIN_MS = 500;
/** Longest pause between two tries. Milliseconds. */
export const RECONNECT_MAX_MS = 5_000;
/** Full `observed` at least this often, even when nothing changed. Milliseconds. */
export const OBSERVED_INTERVAL_MS = 5_000;

/** Close code: another connection of the same host took over. Reconnect with the longest pause. */
export const CLOSE_REPLACED = 4001;
/** Close code: the host was removed. Retry with the longest pause; containers stay. */
export const CLOSE_REMOVED = 4002;
/** Close code: the peer said something that is not this protocol. */
export const CLOSE_PROTOCOL = 4003;

/** Label on every Docker container the agent made for the server; its value is {@link DesiredContainer.uuid}. */
export const LABEL_CONTAINER_UUID = "io.rancher.container.uuid";

/** Body of `POST /v1/register`. */
export interface RegisterRequest {
  /** 64 random bytes in hex, made once per machine and kept: who has the same key is the same host. */
  readonly key: string;
}

/** Answer to `POST /v1/register`. */
export interface RegisterAnswer {
  readonly type: "register";
  readonly state: "active";
  readonly accessKey: string;
  readonly secretKey: string;
}

/** First message of an agent after connecting. */
export interface Hello {
  readonly type: "hello";
  readonly version: typeof PROTOCOL_VERSION;
  readonly hostname: string;
  /** CATTLE_AGENT_IP; how other hosts reach this one, and its address in the overlay. */
  readonly agentIp: string;
  /** From CATTLE_HOST_LABELS. Applied to the host when it is new; later changes belong to the API. */
  readonly labels: Readonly<Record<string, string>>;
  /** Docker engine's version, for example `20.10.24`; becomes the label io.rancher.host.docker_version. */
  readonly dockerVersion: string;
  /** `uname -r`; becomes the label io.rancher.host.linux_kernel_version. */
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly memoryMiB: number;
  readonly cpuCount: number;
}

/** Server's answer to {@link Hello}. */
export interface Welcome {
  readonly type: "welcome";
  /** Rancher's id of the host, for example `1h1`. */
  readonly hostId: string;
  readonly hostUuid: string;
}

/** Another host of the environment: where VXLAN packets for it go. */
export interface Peer {
  readonly hostIndex: number;
  /** Its agentIp. */
  readonly ip: string;
}

/** The managed network as this host must have it. */
export interface DesiredNetwork {
  /** 1..254, never used twice in an environment. */
  readonly hostIndex: number;
  /** `10.42.0.0/16`. */
  readonly subnet: string;
  /** This host's own gateway address in the subnet, `10.42.0.<hostIndex>`. */
  readonly gateway: string;
  /** 1400. */
  readonly mtu: number;
  /** All other hosts that are not removed, whether connected or not. */
  readonly peers: readonly Peer[];
}

/** A published port. */
export interface PortBinding {
  /** Host port; never undefined: the server allocates when the user left it out. */
  readonly publicPort: number;
  readonly privatePort: number;
  readonly protocol: "tcp" | "udp";
  /** Address on the host to bind to; undefined means all. */
  readonly bindAddress?: string;
}

/** A check that the agent of the container's own host runs against the container. */
export interface DesiredHealthCheck {
  /** Container port. The address is the managed ip, or the container's bridge address, or 127.0.0.1 for host networking. */
  readonly port: number;
  /** For example `GET / HTTP/1.0`: 2xx and 3xx pass. Undefined: connecting is enough. */
  readonly requestLine?: string;
  /** Pause between two checks. */
  readonly intervalMs: number;
  readonly responseTimeoutMs: number;
  /** Passes in a row until healthy. */
  readonly healthyThreshold: number;
  /** Failures in a row until unhealthy (only after it was healthy once, or initializingTimeoutMs passed). */
  readonly unhealthyThreshold: number;
  /** How long after start it may stay `initializing`; then it is `unhealthy`. */
  readonly initializingTimeoutMs: number;
}

/**
 * A file the agent puts into the container before its first start and again when `content` changes
 * (Docker's archive API), then sends {@link DesiredContainer.reloadSignal}. After an agent restart
 * putting it again without need is allowed. How a load balancer gets its ready haproxy.cfg.
 */
export interface DesiredFile {
  /** Absolute path in the container, for example `/etc/haproxy/haproxy.cfg`. Its folder exists in the image. */
  readonly path: string;
  readonly content: string;
  /** Octal digits, for example `0644`. */
  readonly mode: string;
}

/**
 * One container. Its identity is `uuid`: everything but `desired`, `files` and `healthCheck` is fixed
 * for the life of that uuid (a change comes as a new uuid), so the agent never has to recreate one.
 */
export interface DesiredContainer {
  readonly uuid: string;
  /** Rancher's id, for example `1i7`; for logs. */
  readonly id: string;
  /** Docker's container name, `r-<stack>-<service>-<n>-<8 hex>`; unique on the host. */
  readonly name: string;
  /** Without the `docker:` prefix. */
  readonly image: string;
  /** When to pull; default is `missing`. */
  readonly pull: "missing" | "always";
  readonly environment: Readonly<Record<string, string>>;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  /** Empty: the image's own. */
  readonly entryPoint: readonly string[];
  /** All Docker labels to set, {@link LABEL_CONTAINER_UUID} included. */
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's notation: `name:/path[:ro]`, `/host:/path[:ro]` or `/path`. */
  readonly volumes: readonly string[];
  readonly ports: readonly PortBinding[];
  /**
   * `managed`: network `rancher-managed` with `ip`; `bridge`: Docker's default; `host`; `none`;
   * `container`: shares the network of `networkContainerUuid` (a sidekick), which is on the same host.
   */
  readonly networkMode: "managed" | "bridge" | "host" | "none" | "container";
  /** Managed address; only with networkMode `managed`. */
  readonly ip?: string;
  readonly networkContainerUuid?: string;
  /** Undefined: Docker's default. */
  readonly hostname?: string;
  readonly workingDir?: string;
  readonly user?: string;
  readonly privileged: boolean;
  readonly pidMode?: "host";
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly tty: boolean;
  readonly stdinOpen: boolean;
  /** Bytes; undefined: no limit. */
  readonly memory?: number;
  readonly healthCheck?: DesiredHealthCheck;
  readonly files: readonly DesiredFile[];
  /** Sent to PID 1 after a changed file was put into the running container, for example `SIGUSR2`. */
  readonly reloadSignal?: string;
  /**
   * `running`: create if missing and keep it running: start again whenever it is found stopped, with
   * a growing pause (1 s doubling to 30 s) when it keeps exiting. `stopped`: stop it if it runs
   * (SIGTERM, 10 s, SIGKILL), do not create it. To restart a container the server asks for `stopped`,
   * waits until it is seen, and asks for `running`. Absent is expressed by not being in the list.
   */
  readonly desired: "running" | "stopped";
  /** `once`: with `desired: running`, start only if never started; when it has exited, leave it so. Default `always`. */
  readonly restart: "always" | "once";
}

/**
 * The whole wanted state of one host. Containers on the machine that carry {@link LABEL_CONTAINER_UUID} and
 * are not listed are stopped and removed with their anonymous volumes. Converging on one container
 * never waits for another (a slow pull must not delay the rest); the newest message wins.
 */
export interface Desired {
  readonly type: "desired";
  /** Counts up from 1 within one connection. */
  readonly generation: number;
  readonly network: DesiredNetwork;
  readonly containers: readonly DesiredContainer[];
}

/** Where a container is, as the agent sees it. */
export type ObservedState =
  /** Wanted, being pulled or created. `message` may tell which. */
  | "creating"
  | "running"
  /** Exists, does not run. */
  | "stopped"
  /** Could not be created or started; the agent goes on trying with a growing pause. `message` tells why. */
  | "failed"
  /** Not wanted any more, going away. */
  | "removing";

/** What the agent knows of one container. */
export interface ObservedContainer {
  readonly uuid: string;
  readonly state: ObservedState;
  /** Docker's id; undefined until created. */
  readonly dockerId?: string;
  /** The address it has: managed or bridge. */
  readonly ip?: string;
  /** For a person; Docker's own words on failure. */
  readonly message?: string;
  /** Last exit code, once it has exited. */
  readonly exitCode?: number;
  /** Milliseconds since the epoch of the last start; undefined until started. */
  readonly startedAt?: number;
  /** `none` without health check or while not running. */
  readonly health: "none" | "initializing" | "healthy" | "unhealthy";
}

/** The whole observed state of one host: every container with {@link LABEL_CONTAINER_UUID} or in the last {@link Desired}. */
export interface Observed {
  readonly type: "observed";
  /**
   * Generation of the last {@link Desired} taken into account, 0 before the first. A uuid missing in a
   * report of generation g or later is known to be gone once generation g no longer listed it.
   */
  readonly generation: number;
  /** Whether the managed network and the tunnels to peers are set up; decides the health of `ipsec`. */
  readonly networkReady: boolean;
  /** Why it is not ready. */
  readonly networkMessage?: string;
  readonly containers: readonly ObservedContainer[];
}

/** Sent by both sides every {@link PING_INTERVAL_MS}. */
export interface Ping {
  readonly type: "ping";
}

/** Answer to {@link Ping}. */
export interface Pong {
  readonly type: "pong";
}

/** What an agent sends. */
export type AgentMessage = Hello | Observed | Ping | Pong;
/** What the server sends. */
export type ServerMessage = Welcome | Desired | Ping | Pong;
