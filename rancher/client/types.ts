/** The server's resources, as far as this provider reads them. Every field may be missing or null. */

/** What all resources have. */
export interface ApiResource {
  readonly id: string;
  readonly type: string;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly state?: string | null;
  readonly removed?: string | null;
  /** Milliseconds since 1970. */
  readonly createdTS?: number | null;
  /** `yes`, `no` or `error`; `error` is not final for services. */
  readonly transitioning?: string | null;
  readonly transitioningMessage?: string | null;
  /** Names of the actions possible now, with their URLs. */
  readonly actions?: Readonly<Record<string, string>> | null;
}

/** A page of a collection. */
export interface Collection<T> {
  readonly data: readonly T[];
  readonly pagination?: { readonly next?: string | null } | null;
}

/** `projects`: an environment. */
export interface Project extends ApiResource {
  readonly uuid?: string | null;
  readonly projectTemplateId?: string | null;
  readonly healthState?: string | null;
  /** `cattle` on a server of ours. */
  readonly orchestration?: string | null;
  readonly hostRemoveDelaySeconds?: number | null;
  /** Null until the environment is active. */
  readonly servicesPortRange?: { readonly startPort?: number; readonly endPort?: number } | null;
  readonly virtualMachine?: boolean | null;
}

/** `projectmembers`: who may use an environment. */
export interface ProjectMember {
  readonly externalId?: string | null;
  readonly externalIdType?: string | null;
  readonly role?: string | null;
}

/** `projecttemplates`: what stacks a new environment begins with. */
export interface ProjectTemplate extends ApiResource {
  readonly isPublic?: boolean | null;
}

/** `apikeys`; `secretValue` is given in the answer to the POST only. */
export interface ApiKey extends ApiResource {
  readonly accountId?: string | null;
  readonly publicValue?: string | null;
  readonly secretValue?: string | null;
}

/** `token`: who is logged in, and whether logging in is needed. */
export interface Token {
  readonly security?: boolean | null;
  readonly jwt?: string | null;
  readonly userType?: string | null;
  readonly accountId?: string | null;
}

/** `registrationtokens`; everything but the state is null until it is active. */
export interface RegistrationToken extends ApiResource {
  readonly registrationUrl?: string | null;
  readonly command?: string | null;
  readonly token?: string | null;
  readonly image?: string | null;
}

/** `certificates`. The key is shown in the answer to the POST only, and not read there. */
export interface Certificate extends ApiResource {
  readonly cert?: string | null;
  readonly certChain?: string | null;
  readonly CN?: string | null;
  readonly algorithm?: string | null;
  readonly issuer?: string | null;
  readonly certFingerprint?: string | null;
  readonly serialNumber?: string | null;
  readonly version?: string | null;
  readonly keySize?: number | null;
  readonly expiresAt?: string | null;
  readonly issuedAt?: string | null;
  readonly subjectAlternativeNames?: readonly string[] | null;
}

/** `settings`; one that nobody has set is answered with nulls. */
export interface Setting {
  readonly id: string;
  /** What is stored; without that, what is in effect. */
  readonly value?: string | null;
  /** What is in effect. */
  readonly activeValue?: string | null;
  /** Where the value in effect comes from, for instance `Database`. Not shown to an environment's key. */
  readonly source?: string | null;
  /** Whether a value is stored. Not shown to an environment's key. */
  readonly inDb?: boolean | null;
}

/** `hosts`. While a host is active, `state` shows its agent's state. */
export interface Host extends ApiResource {
  readonly hostname?: string | null;
  readonly agentIpAddress?: string | null;
  readonly agentState?: string | null;
  readonly labels?: Readonly<Record<string, string>> | null;
}

/** `stacks`. */
export interface Stack extends ApiResource {
  readonly healthState?: string | null;
  readonly externalId?: string | null;
  readonly system?: boolean | null;
  /** As it was when the stack was made; an upgrade leaves it as it is. */
  readonly dockerCompose?: string | null;
  readonly rancherCompose?: string | null;
  /** Variables of the compose texts. An upgrade adds to them and takes none away. */
  readonly environment?: Readonly<Record<string, string>> | null;
  readonly startOnCreate?: boolean | null;
}

/** `services` and `loadbalancerservices`. */
export interface Service extends ApiResource {
  readonly stackId?: string | null;
  readonly externalId?: string | null;
  readonly scale?: number | null;
  readonly startOnCreate?: boolean | null;
  /** True for services of Rancher's own stacks. */
  readonly system?: boolean | null;
  readonly healthState?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  readonly launchConfig?: Readonly<Record<string, unknown>> | null;
  readonly lbConfig?: Readonly<Record<string, unknown>> | null;
  /** Sidekicks. */
  readonly secondaryLaunchConfigs?: readonly Readonly<Record<string, unknown>>[] | null;
  readonly scalePolicy?: Readonly<Record<string, unknown>> | null;
  /** Name of each link -> id of the service that it leads to. */
  readonly linkedServices?: Readonly<Record<string, string>> | null;
  readonly selectorContainer?: string | null;
  readonly upgrade?: {
    readonly inServiceStrategy?: {
      readonly previousLaunchConfig?: Readonly<Record<string, unknown>> | null;
      readonly previousSecondaryLaunchConfigs?: readonly Readonly<Record<string, unknown>>[] | null;
    } | null;
  } | null;
}

/** `instances`: the containers of a service or host. */
export interface Instance extends ApiResource {
  readonly healthState?: string | null;
  readonly hostId?: string | null;
  readonly system?: boolean | null;
  readonly version?: string | null;
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly serviceIds?: readonly string[] | null;
}

/** True for a resource that was removed; the server keeps answering for it for a while. */
export function isRemoved(resource: ApiResource): boolean {
  return (
    resource.state === "removed" || resource.state === "purging" || resource.state === "purged"
  );
}

/** True for a resource that is removed or on its way there. */
export function isLeaving(resource: ApiResource): boolean {
  return isRemoved(resource) || resource.state === "removing";
}
