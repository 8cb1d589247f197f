/** What `npm run status` tells of a stack; `--json` prints exactly this. */

/** One host. */
export interface HostStatus {
  readonly name: string;
  readonly address: string;
  /** In Rancher's words, `active` when it is well; null for the server, which is no host of Rancher. */
  readonly state: string | null;
  /** Containers that run; null when nobody could tell. */
  readonly containers: number | null;
}

/** One container that the server's own Docker engine runs. */
export interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  /** In Docker's words, such as `Up 4 minutes (healthy)`. */
  readonly state: string;
  readonly isWell: boolean;
}

/** One service or load balancer of Rancher. */
export interface ServiceStatus {
  /** Stack and service, such as `wordpress/web`. */
  readonly name: string;
  readonly state: string;
  readonly health: string;
  readonly running: number;
  readonly wanted: number;
  readonly image: string;
  readonly isWell: boolean;
}

/** One address of the site. */
export interface UrlStatus {
  readonly url: string;
  /** HTTP's status; null without an answer. */
  readonly status: number | null;
  readonly milliseconds: number | null;
  /** Why there is no good answer, or null. */
  readonly problem: string | null;
}

/** The newest backup in the project's folder. */
export interface BackupStatus {
  /** As ISO 8601. */
  readonly takenAt: string;
  /** Below the project's folder. */
  readonly folder: string;
}

/** Everything. A list is empty when what it needs could not be reached; `problems` says why then. */
export interface Status {
  readonly stack: string;
  /** Of this look, as ISO 8601. */
  readonly at: string;
  /** The last time that Pulumi wrote the stack's state, as ISO 8601. */
  readonly updatedAt: string | null;
  readonly isHealthy: boolean;
  /** Why it is not healthy, the cause first. */
  readonly problems: readonly string[];
  readonly urls: readonly UrlStatus[];
  readonly hosts: readonly HostStatus[];
  readonly services: readonly ServiceStatus[];
  /** Those on the server. */
  readonly containers: readonly ContainerStatus[];
  /** Rancher's version by its own account; null when it could not be asked. */
  readonly rancherVersion: string | null;
  readonly backup: BackupStatus | null;
  /** Whether the data is protected against being deleted. */
  readonly isProtected: boolean;
  /** What to do next, and the command for it. */
  readonly next: { readonly text: string; readonly command: string | null };
}
