import * as pulumi from "@pulumi/pulumi";
import type { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { strict as assert } from "node:assert";

/** Project and stack that tests run as. */
export const project = "rancher-cattle";
export const stack = "test";

/** One registered resource with everything that the engine would have been told. */
export interface Recorded {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** Inputs; a secret one is wrapped, see {@link Recording.isSecret}. */
  readonly inputs: Record<string, unknown>;
  /** URN and id of the provider, empty for the default one. */
  readonly provider: string;
  readonly parent: string;
  readonly dependencies: readonly string[];
  /** URNs that each input came from. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly deletedWith: string;
  readonly replaceWith: readonly string[];
  readonly replacementTrigger: unknown;
  readonly deleteBeforeReplace: boolean;
  readonly protect: boolean;
  readonly replaceOnChanges: readonly string[];
  readonly ignoreChanges: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
}

/** What one program registered. */
export class Recording<T = unknown> {
  constructor(
    readonly resources: readonly Recorded[],
    /** What the program returned, with outputs resolved. */
    readonly result: T,
  ) {}

  /** Every resource of a type. */
  ofType(type: string): readonly Recorded[] {
    return this.resources.filter((r) => r.type === type);
  }

  /** The one resource with this type and name. */
  get(type: string, name: string): Recorded {
    const found = this.resources.filter((r) => r.type === type && r.name === name);
    const [only, ...more] = found;
    assert.ok(only !== undefined && more.length === 0, `one ${type} named ${name}`);
    return only;
  }

  /** The resource with this URN. */
  byUrn(urn: string): Recorded {
    const found = this.resources.find((r) => r.urn === urn);
    assert.ok(found !== undefined, `a resource with the URN ${urn}`);
    return found;
  }
}

/** Whether an input arrived wrapped as a secret. */
export function isSecret(value: unknown): boolean {
  return pulumi.runtime.isRpcSecret(value);
}

/** The value itself, whether it is a secret or not. */
export function plain(value: unknown): unknown {
  return pulumi.runtime.unwrapRpcSecret(value);
}

type State = Record<string, unknown>;

/** Answers to calls by token: one for all, or by what is asked. */
export type Calls = Readonly<Record<string, State | ((inputs: State) => State)>>;

/** Outputs that providers compute, by type. Only what this program reads. */
const computed: Readonly<Record<string, (name: string) => State>> = {
  "aws:ec2/instance:Instance": (name) => ({
    privateIp: `10.0.0.${[...name].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 250}`,
  }),
  "aws:ec2/eip:Eip": (name) => ({
    // Different for the hosts and zones, which are numbered.
    publicIp: `198.51.100.${name.length + 100 * Number(/-(\d)/.exec(name)?.[1] ?? 0)}`,
    allocationId: `eipalloc-${name}`,
  }),
  "aws:ebs/volume:Volume": (name) => ({ arn: `arn:${name}` }),
  "aws:efs/fileSystem:FileSystem": (name) => ({ arn: `arn:${name}` }),
  "aws:iam/role:Role": (name) => ({ name: `${name}-1234567`, arn: `arn:${name}` }),
  "aws:backup/vault:Vault": (name) => ({ name: `${name}-1234567` }),
  "aws:lb/loadBalancer:LoadBalancer": (name) => ({ arn: `arn:balancer/${name}` }),
  "aws:lb/targetGroup:TargetGroup": (name) => ({ arn: `arn:group/${name}` }),
  "aws:lb/listener:Listener": (name) => ({ arn: `arn:listener/${name}` }),
  "aws:efs/mountTarget:MountTarget": (name) => ({
    ipAddress: `10.0.${name.at(-1) ?? ""}.99`,
  }),
  "aws:route53/zone:Zone": (name) => ({ zoneId: `Z-${name}` }),
  "tls:index/privateKey:PrivateKey": (name) => ({
    privateKeyOpenssh: pulumi.secret(
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${name}\n-----END OPENSSH PRIVATE KEY-----\n`,
    ),
    publicKeyOpenssh: `ssh-ed25519 AAAA${name}\n`,
  }),
  "random:index/randomPassword:RandomPassword": (name) => ({
    result: pulumi.secret(`password-${name}`),
  }),
  "docker:index/remoteImage:RemoteImage": (name) => ({ imageId: `sha256:${name}` }),
  "rancher:index:AccessControl": () => ({
    accessKey: "ACCESS",
    secretKey: pulumi.secret("SECRET"),
  }),
  "rancher:index:RegistrationToken": () => ({
    registrationUrl: pulumi.secret("http://rancher.test.internal:8080/v1/scripts/TOKEN"),
  }),
};

/** Answers like an engine and keeps what it is told. */
class Recorder implements pulumi.runtime.Mocks {
  readonly recorded: Recorded[] = [];
  readonly problems: string[] = [];

  constructor(private readonly calls: Calls) {}

  newResource({
    type,
    name,
    inputs,
  }: pulumi.runtime.MockResourceArgs): pulumi.runtime.MockResourceResult {
    const given = inputs as State;
    return { id: `${name}-id`, state: { ...given, ...computed[type]?.(name) } };
  }

  call({ token, inputs }: pulumi.runtime.MockCallArgs): State {
    const answer = this.calls[token];
    if (typeof answer === "function") return answer(inputs as State);
    if (answer !== undefined) return answer;
    // The SDK swallows a throw in some places, so it is kept as well.
    this.problems.push(`the call ${token} is not mocked`);
    throw new Error(`the call ${token} is not mocked`);
  }

  /** Also keeps the options of each resource, which mocks are not shown. */
  listenTo(monitor: MockMonitor): void {
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (req, callback) =>
      register(req, (error, response) => {
        if (error === null) this.keep(req, response.getUrn() as string);
        else this.problems.push(String(error));
        callback(error, response);
      });
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the SDK types requests as any
  private keep(req: any, urn: string): void {
    if (this.recorded.some((r) => r.urn === urn))
      this.problems.push(`the URN ${urn} is used twice`);
    const propertyDependencies: Record<string, readonly string[]> = {};
    req.getPropertydependenciesMap().forEach((value: { getUrnsList(): string[] }, key: string) => {
      propertyDependencies[key] = value.getUrnsList();
    });
    this.recorded.push({
      urn,
      type: req.getType(),
      name: req.getName(),
      custom: req.getCustom(),
      inputs: pulumi.runtime.deserializeProperties(req.getObject()) as State,
      provider: req.getProvider(),
      parent: req.getParent(),
      dependencies: req.getDependenciesList(),
      propertyDependencies,
      deletedWith: req.getDeletedwith(),
      replaceWith: req.getReplaceWithList(),
      replacementTrigger: req.getReplacementTrigger()?.toJavaScript(),
      deleteBeforeReplace: req.getDeletebeforereplace(),
      protect: req.getProtect() ?? false,
      replaceOnChanges: req.getReplaceonchangesList(),
      ignoreChanges: req.getIgnorechangesList(),
      additionalSecretOutputs: req.getAdditionalsecretoutputsList(),
    });
  }
}

/** Answers to the calls that the program makes. */
export const ordinaryCalls = {
  "aws:index/getAvailabilityZones:getAvailabilityZones": {
    id: "eu-central-1",
    region: "eu-central-1",
    names: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    zoneIds: [],
    groupNames: [],
  },
} as const satisfies Calls;

/**
 * Runs a piece of a program under mocks and returns all that it registered. Fails on a repeated URN,
 * a call that is not mocked, and anything that the mocks would swallow.
 */
export async function record<T>(
  build: () => T,
  options: {
    /** Stack configuration, keys of the project without their namespace. @default none */
    readonly config?: Readonly<Record<string, string>>;
    /** @default {@link ordinaryCalls} */
    readonly calls?: Calls;
    /** @default {@link stack} */
    readonly stackName?: string;
  } = {},
): Promise<Recording<pulumi.Unwrap<T>>> {
  const recorder = new Recorder(options.calls ?? ordinaryCalls);
  await pulumi.runtime.setMocks(recorder, project, options.stackName ?? stack);
  recorder.listenTo(pulumi.runtime.getMonitor() as unknown as MockMonitor);
  const config = Object.entries(options.config ?? {});
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      config.map(([key, value]) => [key.includes(":") ? key : `${project}:${key}`, value]),
    ),
  );
  let listener = (_: unknown): void => undefined;
  const result = await new Promise<pulumi.Unwrap<T>>((resolve, reject) => {
    pulumi.output(build()).apply((value) => {
      resolve(value as pulumi.Unwrap<T>);
    });
    listener = reject;
    process.once("unhandledRejection", listener);
  }).finally(() => process.off("unhandledRejection", listener));
  await pulumi.runtime.disconnect();
  assert.deepEqual(recorder.problems, []);
  return new Recording(recorder.recorded, result);
}
