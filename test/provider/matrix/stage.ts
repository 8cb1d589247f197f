/** One stack and one server, which go through all columns of the matrix in turn. */
import * as assert from "node:assert/strict";
import * as path from "node:path";
import { Engine, type Step } from "../engine";
import type { Declaration, Declared } from "./declaration";
import { resourceTypes } from "./schema";
import { Server, type Thing } from "../rancher";
import { NEW_PASSWORD, PASSWORD, wholeSite } from "./site";

const program = path.join(__dirname, "..", "program");

/** The server's own environment presets one setting. */
const preset = { CATTLE_SITE_PRESET: "by the server's environment" };

/** A resource that the state has. */
export interface Known {
  readonly type: string;
  readonly id: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What the server has under this id; undefined when it is gone. */
  readonly thing: Thing | undefined;
  /** Ids of its containers that run. */
  readonly containers: readonly string[];
}

/** State and server at one moment. */
export interface Snapshot {
  /** By Pulumi name. */
  readonly known: Readonly<Record<string, Known>>;
  /** Everything on the server by type, also what the state does not know. */
  readonly all: Readonly<Record<string, readonly Thing[]>>;
}

/** What the runs of a column brought. */
export interface Outcome {
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** What the preview planned, by Pulumi name. */
  readonly plan: Readonly<Record<string, Step>>;
  /** What the engine printed. */
  readonly said: string;
  /** For changes that fail: after that, before they are put right. */
  readonly failed?: Snapshot;
}

/** The stack, the server and the program. */
export class Stage {
  readonly engine: Engine;
  /** What the program declares. */
  declared: Declaration;
  /** What is to be imported: Pulumi name -> class and id. */
  readonly imports: Record<string, readonly [type: string, id: string]> = {};

  /** All that {@link assertKept} has looked for. */
  readonly secrets: string[] = [];

  private constructor(readonly server: Server) {
    this.engine = new Engine(program);
    this.declared = wholeSite(server.url);
  }

  /** A fresh server and an empty stack. */
  static async open(): Promise<Stage> {
    const stage = new Stage(await Server.start(preset));
    stage.server.logins.push(["admin", PASSWORD], ["root", NEW_PASSWORD]);
    await stage.engine.run("stack", "init", "test");
    stage.server.bootMachines();
    return stage;
  }

  async close(): Promise<void> {
    this.engine.remove();
    await this.server.close();
  }

  /** Tells the program what is declared now. */
  declare(): void {
    this.engine.declare(this.declared);
  }

  /** A declared resource, to be changed. */
  resource(name: string): Declared {
    return named(this.declared.resources, name);
  }

  /** The program's outputs, secrets in clear. */
  async outputs(): Promise<Readonly<Record<string, unknown>>> {
    const { outputs } = (await this.engine.outputs()) as { outputs: Record<string, unknown> };
    return outputs;
  }

  /** Fails when one of these was ever printed, or is in clear in a file that Pulumi keeps. */
  assertKept(secrets: readonly unknown[]): void {
    this.secrets.push(...secrets.map(String));
    const places: [string, string][] = [
      ["what Pulumi printed", this.engine.said],
      ...this.engine.files(),
    ];
    assert.ok(places.length > 20);
    for (const secret of secrets.map(String)) {
      assert.ok(secret.length > 10, "a secret is missing");
      for (const [place, text] of places) {
        const parts = [secret, JSON.stringify(secret).slice(1, -1)];
        assert.ok(!parts.some((part) => text.includes(part)), `${place} has a secret`);
      }
    }
  }

  /**
   * What is on the server although no resource is it: machines that nobody declares, what the server came
   * with, and services of compose files. As `Type id`, in the order of the types and then of the server.
   */
  foreign({ known, all }: Snapshot): string[] {
    const ids = new Set(Object.values(known).map(({ id }) => id));
    const composed = known["composed"]?.id;
    const isForeign: Readonly<Record<string, (thing: Thing) => boolean>> = {
      Environment: ({ uuid }) => uuid === "adminProject",
      Host: () => true,
      Service: ({ stackId }) => stackId === composed,
      Setting: ({ name }) => name?.startsWith("site.") !== true,
    };
    return resourceTypes.flatMap((type) =>
      (all[type] ?? [])
        .filter((thing) => !ids.has(thing.id) && isForeign[type]?.(thing) === true)
        .map((thing) => `${type} ${thing.id}`),
    );
  }

  /** State and server at this moment. */
  async snapshot(): Promise<Snapshot> {
    const { resources = [] } = await this.engine.state();
    const known: Record<string, Known> = {};
    for (const { urn, id = "", outputs = {} } of resources) {
      const [, , token = "", name = ""] = urn.split("::");
      const type = /^rancher:index:(\w+)$/.exec(token)?.[1];
      if (type === undefined) continue;
      const { server } = this;
      const thing = await server.look(type, id, outputs["environmentId"] as string | undefined);
      const runs = thing !== undefined && ["Service", "LoadBalancer"].includes(type);
      const containers = runs ? await server.containers(type, thing) : [];
      known[name] = { type, id, outputs, thing, containers };
    }
    const all: Record<string, Thing[]> = {};
    for (const type of resourceTypes) all[type] = await this.server.all(type);
    return { known, all };
  }
}

/** The entry of that name; fails when there is none. */
export function named<T>(table: Readonly<Record<string, T>>, name: string): T {
  const found = table[name];
  assert.ok(found !== undefined, `there is no ${name}, only ${Object.keys(table).join(", ")}`);
  return found;
}

/** What the server has for a resource; fails when it is gone. */
export function thingOf(snapshot: Snapshot, name: string): Thing {
  const { thing, id } = named(snapshot.known, name);
  assert.ok(thing !== undefined, `${name} (${id}) is gone from the server`);
  return thing;
}
