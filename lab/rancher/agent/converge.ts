/**
 * Makes the machine's containers what the server wants and tells what it sees. One worker per
 * container, so that a slow pull delays no other; Docker's events drive it, not a clock.
 */
import {
  type Desired,
  type DesiredContainer,
  LABEL_CONTAINER_UUID,
  type Observed,
  type ObservedContainer,
  type ObservedState,
} from "../protocol";
import { type ContainerInspect, type Docker, isStatus } from "./docker";
import { type Health, HealthMonitor, INITIAL_HEALTH } from "./health";
import { log, text } from "./log";
import { Overlay } from "./overlay";
import { containerSpec, MANAGED_NETWORK } from "./spec";

/** Time a container has to end by itself. Seconds; Docker's and Rancher's default. */
export const STOP_SECONDS = 10;
/** A container that ran this long had a good start: the next pause is the shortest again. Milliseconds. */
const GOOD_RUN_MS = 10_000;
const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 30_000;

/** Pause before the n-th try after n failures in a row: 1 s doubling to 30 s. */
export function retryPause(failures: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.max(0, failures - 1));
}

/** A container as Docker last described it. */
export interface Actual {
  readonly dockerId: string;
  readonly name: string;
  readonly running: boolean;
  /** Milliseconds since the epoch; undefined when it never ran. */
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly exitCode?: number;
  /** Docker's reason for a failed start. */
  readonly error?: string;
  readonly ip?: string;
}

/** The part of Docker's description that matters. */
export function actualOf(inspect: ContainerInspect): Actual {
  const state = inspect.State;
  const startedAt = Date.parse(state.StartedAt);
  const finishedAt = Date.parse(state.FinishedAt);
  // Docker's "never" is the year 1.
  const started = startedAt > 0;
  const ended = started && !state.Running;
  const networks = inspect.NetworkSettings.Networks ?? {};
  const ip = networks[MANAGED_NETWORK]?.IPAddress ?? networks.bridge?.IPAddress ?? "";
  return {
    dockerId: inspect.Id,
    name: inspect.Name.replace(/^\//, ""),
    running: state.Running,
    ...(started ? { startedAt } : {}),
    ...(ended && finishedAt > 0 ? { finishedAt } : {}),
    ...(ended ? { exitCode: state.ExitCode } : {}),
    ...(state.Error === "" ? {} : { error: state.Error }),
    ...(ip === "" ? {} : { ip }),
  };
}

/** What to do next with one container. */
export type Step =
  | { readonly kind: "nothing" }
  | { readonly kind: "create" }
  | { readonly kind: "start" }
  | { readonly kind: "restart" }
  | { readonly kind: "stop" }
  | { readonly kind: "remove" }
  | { readonly kind: "wait"; readonly milliseconds: number };

/** What decides the next step. */
export interface StepInput {
  /** `absent`: the server does not list it. */
  readonly want: DesiredContainer | "absent";
  readonly actual: Actual | undefined;
  /** Container whose network it shares. */
  readonly network?: Actual;
  /** Exits and failed tries in a row. */
  readonly failures: number;
  /** When the last try failed. Milliseconds since the epoch. */
  readonly failedAt: number;
  readonly now: number;
}

/** The next step towards what is wanted. Pure. */
export function nextStep(input: StepInput): Step {
  const { want, actual } = input;
  if (want === "absent") return { kind: actual === undefined ? "nothing" : "remove" };
  if (want.desired === "stopped") return { kind: actual?.running === true ? "stop" : "nothing" };
  if (actual?.running === true) {
    // A sidekick keeps the old network when the container it shares it with was started again.
    const stale =
      want.networkMode === "container" &&
      input.network?.running === true &&
      (input.network.startedAt ?? 0) > (actual.startedAt ?? 0);
    return { kind: stale ? "restart" : "nothing" };
  }
  if (want.restart === "once" && actual?.startedAt !== undefined) return { kind: "nothing" };
  if (want.networkMode === "container" && input.network?.running !== true) {
    return { kind: "nothing" };
  }
  if (input.failures > 0) {
    const left = input.failedAt + retryPause(input.failures) - input.now;
    if (left > 0) return { kind: "wait", milliseconds: left };
  }
  return { kind: actual === undefined ? "create" : "start" };
}

/** Remembers health over a restart of the agent. */
export interface HealthMemory {
  get(uuid: string, startedAt: number): Health | undefined;
  set(entries: ReadonlyMap<string, { readonly startedAt: number; readonly health: Health }>): void;
}

/** One container: what is wanted, what is there, and the one thing being done about it. */
class Worker {
  actual: Actual | undefined;
  want: DesiredContainer | "absent" | "unknown" = "unknown";
  monitor: HealthMonitor | undefined;
  /** What is being done, for a person. */
  doing: string | undefined;
  failure: string | undefined;
  busy = false;
  private again = false;
  private failures = 0;
  private failedAt = 0;
  private endedRun: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private filesInPlace: DesiredContainer["files"] | undefined;

  constructor(
    readonly uuid: string,
    private readonly owner: Converger,
  ) {}

  /** Sees what Docker says now. */
  see(actual: Actual | undefined): void {
    const before = this.actual;
    this.actual = actual;
    // Each run's end counts once, even one so short that nobody saw it running. What was found
    // stopped when the agent came up is not its failure.
    const run = actual?.startedAt;
    if (actual?.running === false && run !== undefined && run !== this.endedRun) {
      this.endedRun = run;
      if (before !== undefined) this.exited(run, actual);
    }
    if (actual?.dockerId !== before?.dockerId) this.filesInPlace = undefined;
    this.watchHealth();
  }

  setWant(want: DesiredContainer | "absent" | "unknown"): void {
    if (JSON.stringify(want) !== JSON.stringify(this.want)) {
      // Another wish deserves a fresh try.
      this.failures = 0;
      this.failure = undefined;
    }
    this.want = want;
    this.watchHealth();
    this.kick();
  }

  /** Does the next thing, now or after the present one. */
  kick(): void {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    clearTimeout(this.timer);
    void this.work().finally(() => {
      this.busy = false;
      this.doing = undefined;
      this.owner.changed();
      if (this.again) {
        this.again = false;
        this.kick();
      } else {
        this.owner.forget(this);
      }
    });
  }

  observe(): ObservedContainer {
    const actual = this.actual;
    const message = this.failure ?? this.doing ?? actual?.error;
    return {
      uuid: this.uuid,
      state: this.state(),
      ...(actual === undefined ? {} : { dockerId: actual.dockerId }),
      ...(actual?.ip === undefined ? {} : { ip: actual.ip }),
      ...(message === undefined ? {} : { message }),
      ...(actual?.exitCode === undefined ? {} : { exitCode: actual.exitCode }),
      ...(actual?.startedAt === undefined ? {} : { startedAt: actual.startedAt }),
      health: this.health(),
    };
  }

  /** Nothing to observe and nothing to do: it can be forgotten. */
  get idle(): boolean {
    return (
      !this.busy && this.actual === undefined && (this.want === "absent" || this.want === "unknown")
    );
  }

  private state(): ObservedState {
    if (this.want === "absent") return "removing";
    if (this.actual?.running === true) return "running";
    if (this.failure !== undefined) return "failed";
    const wanted = this.want !== "unknown" && this.want.desired === "running";
    // Between creation and first start it is not yet a stopped one.
    return wanted && this.actual?.startedAt === undefined ? "creating" : "stopped";
  }

  private health(): ObservedContainer["health"] {
    if (this.actual?.running !== true) return "none";
    if (this.monitor !== undefined) return this.monitor.health;
    // Before the first wish after a restart of the agent: what it was.
    return this.owner.remembered(this.uuid, this.actual.startedAt ?? 0) ?? "none";
  }

  private exited(startedAt: number, actual: Actual): void {
    const end = actual.finishedAt ?? Date.now();
    this.failures = end - startedAt >= GOOD_RUN_MS ? 1 : this.failures + 1;
    this.failedAt = Date.now();
  }

  private watchHealth(): void {
    const want = this.want;
    const check =
      want === "absent" || want === "unknown" || want.desired === "stopped"
        ? undefined
        : want.healthCheck;
    const startedAt = this.actual?.startedAt;
    const address = this.actual?.running === true ? this.owner.addressOf(this) : undefined;
    const wanted = check !== undefined && startedAt !== undefined && address !== undefined;
    const present = this.monitor;
    if (
      wanted &&
      present?.startedAt === startedAt &&
      JSON.stringify(present.check) === JSON.stringify(check)
    ) {
      return;
    }
    present?.stop();
    this.monitor = undefined;
    if (!wanted) return;
    // The same run with another check keeps its health until the new check says otherwise.
    const known =
      present?.startedAt === startedAt
        ? present.health
        : this.owner.remembered(this.uuid, startedAt);
    this.monitor = new HealthMonitor(
      address,
      check,
      startedAt,
      known === undefined ? INITIAL_HEALTH : { ...INITIAL_HEALTH, health: known },
      () => {
        log(`${this.label()}: ${this.monitor?.health ?? "unknown"}`);
        this.owner.changed();
      },
    );
  }

  private label(): string {
    const want = this.want;
    if (want === "absent" || want === "unknown") return this.actual?.name ?? this.uuid;
    return `${want.id} ${want.name}`;
  }

  private async work(): Promise<void> {
    try {
      // Each step ends with a look at Docker, so this ends when nothing is left to do.
      for (;;) {
        const want = this.want;
        if (want === "unknown") return;
        const step = nextStep({
          want,
          actual: this.actual,
          ...defined("network", this.owner.networkOf(want)),
          failures: this.failures,
          failedAt: this.failedAt,
          now: Date.now(),
        });
        if (step.kind === "wait") {
          this.timer = setTimeout(() => this.kick(), step.milliseconds);
          return;
        }
        if (step.kind === "nothing") {
          if (want !== "absent" && want.desired === "running" && this.actual?.running === true) {
            await this.replaceFiles(want, this.actual.dockerId);
            this.failure = undefined;
          }
          return;
        }
        if (!(await this.perform(step.kind, want))) return;
        // A failed start shows as stopped with its reason; a quick exit comes as an event.
      }
    } catch (error) {
      this.failure = text(error);
      this.failures += 1;
      this.failedAt = Date.now();
      log(`${this.label()}: ${this.failure}`);
      await this.look();
      this.timer = setTimeout(() => this.kick(), retryPause(this.failures));
    }
  }

  /** Returns false when it has to wait for something that will kick it. */
  private async perform(
    kind: "create" | "start" | "restart" | "stop" | "remove",
    want: DesiredContainer | "absent",
  ): Promise<boolean> {
    const { docker } = this.owner;
    const id = this.actual?.dockerId;
    switch (kind) {
      case "create":
        if (want === "absent") return false;
        if (want.networkMode === "managed" && !this.owner.overlay.ready) {
          this.failure = undefined;
          this.waitFor("waiting for the managed network");
          return false;
        }
        await this.create(want);
        break;
      case "start":
        if (id === undefined || want === "absent") return false;
        this.say("starting");
        await this.putFiles(want, id);
        await docker.start(id);
        break;
      case "restart":
        if (id === undefined) return false;
        this.say("starting again in its sidekick's network");
        await docker.stop(id, STOP_SECONDS);
        break;
      case "stop":
        if (id === undefined) return false;
        this.say("stopping");
        await docker.stop(id, STOP_SECONDS);
        break;
      case "remove":
        if (id === undefined) return false;
        this.say("removing");
        await docker.stop(id, STOP_SECONDS).catch((error: unknown) => {
          if (!isStatus(error, 404)) log(`${this.label()}: stop failed: ${text(error)}`);
        });
        await docker.remove(id);
        break;
    }
    await this.look();
    return true;
  }

  private waitFor(what: string): void {
    this.say(what);
    this.owner.waitForOverlay(this);
  }

  private say(what: string): void {
    if (this.doing === what) return;
    this.doing = what;
    log(`${this.label()}: ${what}`);
    this.owner.changed();
  }

  private async look(): Promise<void> {
    this.see(await this.owner.find(this.uuid, this.actual?.dockerId));
    this.owner.neighboursOf(this);
  }

  private async create(want: DesiredContainer): Promise<void> {
    const { docker } = this.owner;
    if (want.pull === "always" || !(await docker.hasImage(want.image))) {
      this.say(`pulling ${want.image}`);
      await this.owner.pull(want.image);
    }
    // A pull takes long: the wish may be another one by now, and the loop looks again.
    if (this.want !== want) return;
    this.say("creating");
    const spec = containerSpec(want, {
      privilegedWorks: this.owner.privilegedWorks,
      dockerId: (uuid) => this.owner.dockerId(uuid),
    });
    await docker.create(want.name, spec);
  }

  private async putFiles(want: DesiredContainer, id: string): Promise<void> {
    for (const file of want.files) {
      await this.owner.docker.putFile(id, file.path, file.content, parseInt(file.mode, 8));
    }
    this.filesInPlace = want.files;
  }

  /** Changed files of a running container: checked where a check is known, put, and announced by signal. */
  private async replaceFiles(want: DesiredContainer, id: string): Promise<void> {
    if (want.files.length === 0 || sameFiles(this.filesInPlace, want.files)) return;
    const { docker } = this.owner;
    let changed = false;
    for (const file of want.files) {
      if ((await docker.getFile(id, file.path)) === file.content) continue;
      const mode = parseInt(file.mode, 8);
      if (file.path.endsWith("/haproxy.cfg")) {
        await docker.putFile(id, `${file.path}.new`, file.content, mode);
        const check = await docker.exec(id, ["haproxy", "-c", "-f", `${file.path}.new`]);
        if (check.code !== 0) {
          throw new Error(`haproxy refuses its new configuration: ${alerts(check.output)}`);
        }
      }
      await docker.putFile(id, file.path, file.content, mode);
      changed = true;
    }
    if (changed && want.reloadSignal !== undefined) await docker.kill(id, want.reloadSignal);
    this.filesInPlace = want.files;
    if (changed) log(`${this.label()}: put ${want.files.map((file) => file.path).join(", ")}`);
  }
}

/** What a converger needs of its surroundings. */
export interface ConvergerOptions {
  readonly docker: Docker;
  /** Whether the engine accepts `--privileged`. */
  readonly privilegedWorks: boolean;
  readonly memory: HealthMemory;
  /** Called, possibly often, when there is something new to observe. */
  readonly onChange: () => void;
}

/** Looks after all containers of this machine that carry {@link LABEL_CONTAINER_UUID}. */
export class Converger {
  readonly docker: Docker;
  readonly privilegedWorks: boolean;
  readonly overlay: Overlay;
  private readonly workers = new Map<string, Worker>();
  private readonly pulls = new Map<string, Promise<void>>();
  private readonly awaitingOverlay = new Set<Worker>();
  private desired: Desired | undefined;

  constructor(private readonly options: ConvergerOptions) {
    this.docker = options.docker;
    this.privilegedWorks = options.privilegedWorks;
    this.overlay = new Overlay(options.docker, () => {
      this.changed();
      if (!this.overlay.ready) return;
      const waiting = [...this.awaitingOverlay];
      this.awaitingOverlay.clear();
      for (const worker of waiting) worker.kick();
    });
  }

  /** Follows Docker for ever; resolves when everything present is known for the first time. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const follow = async (): Promise<void> => {
        for (;;) {
          try {
            await this.docker.containerEvents(
              LABEL_CONTAINER_UUID,
              () => {
                this.lookAtAll().then(resolve, (error: unknown) => {
                  log(`cannot list containers: ${text(error)}`);
                });
              },
              (event) => this.onEvent(event.Action, event.Actor.Attributes),
            );
          } catch (error) {
            log(`docker's events: ${text(error)}`);
          }
          // The engine is restarting: there is no event for its coming back.
          await new Promise((again) => setTimeout(again, 500));
        }
      };
      void follow();
    });
  }

  /** The newest wish of the server. */
  setDesired(desired: Desired): void {
    this.desired = desired;
    this.overlay.set(desired.network);
    const wanted = new Map(desired.containers.map((want) => [want.uuid, want]));
    for (const uuid of wanted.keys()) this.worker(uuid);
    for (const worker of this.workers.values()) {
      worker.setWant(wanted.get(worker.uuid) ?? "absent");
    }
    this.changed();
  }

  /** This host is no longer Rancher's: everything stays as it is and nobody looks after it. */
  release(): void {
    if (this.desired === undefined) return;
    log("this host was removed from Rancher: leaving its containers alone");
    this.desired = undefined;
    this.overlay.set(undefined);
    for (const worker of this.workers.values()) worker.setWant("unknown");
  }

  observe(generation: number): Observed {
    return {
      type: "observed",
      generation,
      networkReady: this.overlay.ready,
      ...defined("networkMessage", this.overlay.message),
      containers: [...this.workers.values()]
        .filter((worker) => !worker.idle)
        .map((worker) => worker.observe()),
    };
  }

  /** Something is new: remembers health and tells. */
  changed(): void {
    const entries = new Map<string, { startedAt: number; health: Health }>();
    for (const { uuid, actual, monitor } of this.workers.values()) {
      if (actual?.running === true && actual.startedAt !== undefined && monitor !== undefined) {
        entries.set(uuid, { startedAt: actual.startedAt, health: monitor.health });
      }
    }
    if (this.desired !== undefined) this.options.memory.set(entries);
    this.options.onChange();
  }

  remembered(uuid: string, startedAt: number): Health | undefined {
    return this.options.memory.get(uuid, startedAt);
  }

  /** Where a health check finds the container. */
  addressOf(worker: Worker): string | undefined {
    const { want } = worker;
    if (want === "absent" || want === "unknown") return undefined;
    switch (want.networkMode) {
      case "managed":
        return want.ip ?? worker.actual?.ip;
      case "bridge":
        return worker.actual?.ip;
      case "host":
        return "127.0.0.1";
      case "container":
        return this.networkOf(want)?.ip;
      case "none":
        return undefined;
    }
  }

  networkOf(want: DesiredContainer | "absent"): Actual | undefined {
    if (want === "absent" || want.networkContainerUuid === undefined) return undefined;
    return this.workers.get(want.networkContainerUuid)?.actual;
  }

  dockerId(uuid: string): string | undefined {
    return this.workers.get(uuid)?.actual?.dockerId;
  }

  waitForOverlay(worker: Worker): void {
    this.awaitingOverlay.add(worker);
  }

  /** Kicks those who share the worker's network. */
  neighboursOf(worker: Worker): void {
    for (const other of this.workers.values()) {
      const { want } = other;
      if (want === "absent" || want === "unknown") continue;
      if (want.networkContainerUuid === worker.uuid) other.kick();
    }
  }

  forget(worker: Worker): void {
    if (worker.idle && this.workers.get(worker.uuid) === worker) this.workers.delete(worker.uuid);
  }

  /** One pull per image at a time, however many containers wait for it. */
  pull(image: string): Promise<void> {
    const present = this.pulls.get(image);
    if (present !== undefined) return present;
    const pull = this.docker.pull(image).finally(() => this.pulls.delete(image));
    this.pulls.set(image, pull);
    return pull;
  }

  /** The container of a uuid as Docker knows it now. */
  async find(uuid: string, dockerId: string | undefined): Promise<Actual | undefined> {
    try {
      if (dockerId !== undefined) return actualOf(await this.docker.inspect(dockerId));
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
    for (const id of await this.docker.idsWithLabel(`${LABEL_CONTAINER_UUID}=${uuid}`)) {
      try {
        return actualOf(await this.docker.inspect(id));
      } catch (error) {
        if (!isStatus(error, 404)) throw error;
      }
    }
    return undefined;
  }

  private worker(uuid: string): Worker {
    const present = this.workers.get(uuid);
    if (present !== undefined) return present;
    const worker = new Worker(uuid, this);
    this.workers.set(uuid, worker);
    return worker;
  }

  private async lookAtAll(): Promise<void> {
    const seen = new Set<string>();
    for (const id of await this.docker.idsWithLabel(LABEL_CONTAINER_UUID)) {
      const inspect = await this.docker.inspect(id).catch((error: unknown) => {
        if (isStatus(error, 404)) return undefined;
        throw error;
      });
      const uuid = inspect?.Config.Labels?.[LABEL_CONTAINER_UUID];
      if (inspect === undefined || uuid === undefined) continue;
      seen.add(uuid);
      this.settle(this.worker(uuid), actualOf(inspect));
    }
    for (const worker of this.workers.values()) {
      if (!seen.has(worker.uuid) && worker.actual !== undefined) this.settle(worker, undefined);
    }
    this.overlay.check();
  }

  private settle(worker: Worker, actual: Actual | undefined): void {
    worker.see(actual);
    if (this.desired !== undefined && worker.want === "unknown") worker.want = "absent";
    worker.kick();
    this.neighboursOf(worker);
    this.changed();
  }

  private onEvent(action: string, attributes: Readonly<Record<string, string>>): void {
    const uuid = attributes[LABEL_CONTAINER_UUID];
    if (uuid === undefined || !["create", "start", "die", "destroy"].includes(action)) return;
    const worker = this.worker(uuid);
    this.find(uuid, worker.actual?.dockerId).then(
      (actual) => this.settle(worker, actual),
      (error: unknown) => log(`cannot inspect the container ${uuid}: ${text(error)}`),
    );
  }
}

/** The lines of haproxy's output that say what is wrong. */
function alerts(output: string): string {
  const lines = output.split("\n").filter((line) => line.includes("[ALERT]"));
  return lines.length === 0 ? output.trim() : lines.join("\n");
}

function sameFiles(
  left: DesiredContainer["files"] | undefined,
  right: DesiredContainer["files"],
): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function defined<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: V };
}
