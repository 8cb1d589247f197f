/** What the test's program is told to declare. Resources name each other by their Pulumi names. */
export interface Declaration {
  readonly url: string;
  password: string;
  /** Description of the registration token `agents`. */
  tokenDescription?: string;
  /** Host resources, by the labels that they wait for. */
  hosts: Record<string, { matchLabels: Record<string, string>; labels?: Record<string, string> }>;
  stacks: Record<string, { name: string; description?: string }>;
  services: Record<string, ServiceDeclaration>;
  loadBalancers: Record<string, LoadBalancerDeclaration>;
}

/** A service. */
export interface ServiceDeclaration {
  stack: string;
  /** Arguments of `rancher.Service` besides `stackId`; may be wrong on purpose. */
  args: Record<string, unknown>;
  /** Added to `launchConfig.environment`, as secrets. */
  secretEnvironment?: Record<string, string>;
  timeouts?: Timeouts;
}

/** A load balancer. */
export interface LoadBalancerDeclaration {
  stack: string;
  /** Arguments of `rancher.LoadBalancer` besides `stackId` and `lbConfig`. */
  args: Record<string, unknown>;
  /** `service` becomes `serviceId`. */
  portRules: { service: string; sourcePort: number; targetPort: number; path?: string }[];
  timeouts?: Timeouts;
}

/** `customTimeouts`, for instance `30s`. */
export interface Timeouts {
  create?: string;
  update?: string;
}

/** The environment variable with the path of the JSON file that holds the declaration. */
export const DECLARATION_FILE = "PROVIDER_TEST_DECLARATION";
