import type { CertificateFacts } from "./x509";

/** What the server stores. Times are milliseconds since the epoch, references are plain numbers. */

/** Common to everything with a life cycle. */
export interface Doc {
  readonly id: number;
  readonly uuid: string;
  kind: string;
  name: string | null;
  description: string | null;
  state: string;
  /** When `state` was entered. */
  stateSince: number;
  accountId: number | null;
  readonly created: number;
  removed: number | null;
  transitioning: "yes" | "no" | "error";
  transitioningMessage: string | null;
  transitioningProgress: number | null;
}

/** Accounts (kind admin, system, superadmin, token, user) and environments (kind project). */
export interface AccountDoc extends Doc {
  externalId: string | null;
  externalIdType: string | null;
  healthState: string;
  projectTemplateId: number | null;
  /** Whether the template's stacks were made. */
  stacksCreated: boolean;
  hostRemoveDelaySeconds: number | null;
  servicesPortRange: { startPort: number; endPort: number } | null;
  virtualMachine: boolean;
  members: unknown;
}

/** API keys, registration tokens, passwords, agents' keys, by kind. */
export interface CredentialDoc extends Doc {
  publicValue: string | null;
  /** Salted hash, `SHA256:<salt>:<hash>`; for registration tokens the token itself. */
  secretValue: string | null;
  /** For kind agentKey: hash of the machine's registration key, and the host made for it. */
  registerKeyHash: string | null;
  hostId: number | null;
}

/** A certificate with its key, for load balancers. */
export interface CertificateDoc extends Doc {
  /** PEM. */
  cert: string;
  /** PEM; goes to the hosts of load balancers and nowhere else. */
  key: string;
  /** PEM of the intermediate certificates. */
  certChain: string | null;
  /** What the certificate says of itself. */
  facts: CertificateFacts;
}

/** A host with an agent. */
export interface HostDoc extends Doc {
  hostname: string;
  agentIpAddress: string;
  labels: Record<string, string>;
  /** null while connected, else `reconnecting` or `disconnected`. */
  agentState: string | null;
  info: unknown;
  memory: number | null;
  milliCpu: number | null;
  localStorageMb: number | null;
  hostIndex: number;
  /** Evacuation was asked for and has not begun. */
  evacuating: boolean;
}

/** A stack. */
export interface StackDoc extends Doc {
  healthState: string;
  system: boolean;
  externalId: string | null;
  group: string | null;
  environment: Record<string, string> | null;
  outputs: unknown;
  binding: unknown;
  answers: unknown;
  templates: unknown;
  dockerCompose: string | null;
  rancherCompose: string | null;
  previousExternalId: string | null;
  previousEnvironment: Record<string, string> | null;
  startOnCreate: boolean | null;
  /** What the present upgrade was asked to lead to; absent when there was none. */
  upgradeTo?: StackUpgrade;
}

/** Input of a stack's upgrade. */
export interface StackUpgrade {
  readonly dockerCompose: string | null;
  readonly rancherCompose: string | null;
  readonly environment: Record<string, string> | null;
  readonly externalId: string | null;
}

/** Rancher's launch configuration as stored: only what was set, plus the defaults Rancher fills in. */
export type LaunchConfig = Record<string, unknown>;

/** `{hostname, path, priority, protocol, serviceId: number, sourcePort, targetPort, …}`. */
export interface PortRule extends Record<string, unknown> {
  serviceId?: number;
  sourcePort?: number;
  targetPort?: number;
  protocol?: string;
}

/** Load balancer configuration; for plain services only port rules without serviceId. */
export interface LbConfig extends Record<string, unknown> {
  portRules?: PortRule[];
  config?: string;
  /** `1c4` */
  certificateIds?: string[];
  defaultCertificateId?: string;
}

/** The `upgrade` field. */
export interface InServiceStrategy {
  batchSize: number;
  intervalMillis: number;
  startFirst: boolean;
  launchConfig: LaunchConfig | null;
  secondaryLaunchConfigs: LaunchConfig[];
  previousLaunchConfig: LaunchConfig;
  previousSecondaryLaunchConfigs: LaunchConfig[];
}

/** The `scalePolicy` field. */
export interface ScalePolicy extends Record<string, unknown> {
  readonly increment: number;
  readonly max: number;
  readonly min: number;
}

/** How far a service with a scale policy has scaled. */
export interface PolicyScale {
  /** What is tried now. */
  readonly desired: number;
  /** The last scale whose containers all found a place. */
  readonly reached: number;
  /** How many hosts could be used when growing further failed; null before that. */
  readonly full: number | null;
}

/** Services of all kinds. */
export interface ServiceDoc extends Doc {
  stackId: number;
  healthState: string;
  scale: number;
  currentScale: number | null;
  createIndex: number | null;
  launchConfig: LaunchConfig | null;
  secondaryLaunchConfigs: LaunchConfig[] | null;
  lbConfig: LbConfig | null;
  /** Link name -> service id. */
  linkedServices: Record<string, number>;
  metadata: unknown;
  scalePolicy: ScalePolicy | null;
  /** With a scale policy, how far it has scaled; absent before it has begun. */
  policyScale?: PolicyScale | undefined;
  selectorLink: string | null;
  selectorContainer: string | null;
  externalId: string | null;
  externalIpAddresses: string[] | null;
  hostname: string | null;
  healthCheck: unknown;
  retainIp: boolean | null;
  assignServiceIpAddress: boolean;
  startOnCreate: boolean;
  vip: string | null;
  system: boolean;
  upgrade: InServiceStrategy | null;
  /** Whether it is meant to run: survives intermediate states. */
  running: boolean;
  /** Failed container creations in a row, and when to try again. */
  failures: number;
  retryAt: number;
  /** Nothing may be done to the next batch before this time (upgrade, rollback, restart). */
  batchPauseUntil: number;
  /** Unit numbers (upgrade, rollback) or container ids (restart) being worked on. */
  batch: number[];
  restart: { batchSize: number; intervalMillis: number; pending: number[] } | null;
}

/** A published port of a container. */
export interface InstancePort {
  publicPort: number;
  privatePort: number;
  protocol: "tcp" | "udp";
  bindAddress: string | null;
}

/** A container. */
export interface InstanceDoc extends Doc {
  /** null for containers outside services. */
  serviceId: number | null;
  stackId: number | null;
  /** What the launch configuration said when it was made. */
  config: LaunchConfig;
  /** `io.rancher.service.primary.launch.config` or the sidekick's name. */
  launchConfigName: string;
  version: string;
  deploymentUnitUuid: string | null;
  /** The n in `<stack>-<service>-<n>`. */
  unitIndex: number;
  createIndex: number | null;
  labels: Record<string, string>;
  hostId: number | null;
  requestedHostId: number | null;
  primaryIpAddress: string | null;
  ports: InstancePort[];
  externalId: string | null;
  healthState: string | null;
  firstRunning: number | null;
  startCount: number;
  system: boolean;
  /** What is wanted of it. */
  desired: "running" | "stopped" | "removed";
  /** It is not to run, and the load balancers' last requests to it are over. */
  drained?: boolean;
  /** Stop, then go on to `desired`: running. */
  restarting: boolean;
}

/** A setting that was written through the API. */
export interface SettingDoc {
  readonly id: number;
  name: string;
  value: string | null;
  /** Absent or null while the value counts. */
  removed?: number | null;
}

/** Who may use an environment; `accountId` is the environment. */
export interface ProjectMemberDoc extends Doc {
  externalId: string;
  externalIdType: string;
  role: string;
}

/** A project template of the catalog. */
export interface ProjectTemplateDoc extends Doc {
  isPublic: boolean;
  stacks: { name: string; templateId: string }[];
}

/** A login session. */
export interface TokenDoc {
  readonly id: number;
  readonly value: string;
  readonly accountId: number;
  readonly expires: number;
  removed: number | null;
}
