/**
 * Walks through the inputs of every resource: set, changed, unset, illegal, back. Values are drawn from the
 * schema and the tables of generators; the provider is driven through its gRPC seam against the lab's server.
 * `WALKS_SEED` repeats the walks of a failure, whose seed its message tells; `WALKS_RUNS` makes more of them.
 */
import * as assert from "node:assert/strict";
import fc from "fast-check";
import { formatPath, valueAt } from "../../rancher/plugin/diff";
import { type Props, UNKNOWN } from "../../rancher/plugin/types";
import {
  decodeProps,
  equal,
  type Mask,
  secretStrings,
  UNKNOWN_SENTINEL,
} from "../../rancher/plugin/values";
import { pairs } from "../provider/matrix/certificates";
import { type Kept, Lab, open, PROJECT, Refused, Seam, secret, type Step } from "./labServer";
import { failure } from "./support";
import { DEPENDS, legalised, STALE, tables, type World } from "./walkGenerators";
import {
  anyOf,
  badValues,
  hasGenerators,
  leavesOf,
  pairOf,
  required,
  resources,
  type Tables,
  withValue,
} from "./walkSchema";

/** Walks of each resource. */
const RUNS = Number(process.env["WALKS_RUNS"] ?? 1);
const seed = process.env["WALKS_SEED"];
const SEED = seed === undefined ? {} : { seed: Number(seed) };
/** Random steps of each walk. */
const RANDOM_STEPS = 2;

/** Inputs that have no meaning for a resource; the server alone judges them. */
const UNCHECKED: Readonly<Record<string, readonly string[]>> = {
  // They name sidekicks, which load balancers do not have.
  LoadBalancer: ["launchConfig.networkLaunchConfig", "launchConfig.dataVolumesFromLaunchConfigs"],
};

/** Stands for the world where only names of properties matter. */
const NOWHERE: World = {
  stacks: ["1st1"],
  services: ["1s1"],
  certificates: ["1c1"],
  environments: ["1a5", "1a6"],
  templates: ["1pt1", "1pt2"],
  hosts: ["1h1", "1h2"],
};

/** One walk, drawn. */
interface Walk {
  /** Everything is set, in two ways that differ everywhere. */
  readonly pair: readonly [Props, Props];
  readonly random: readonly Props[];
  /** Properties that are secret. */
  readonly secrets: readonly string[];
}

describe("walks", () => {
  let lab: Lab;
  let world: World;
  let of: Tables;

  before(async function () {
    this.timeout(60_000);
    lab = await Lab.start();
    await lab.addHosts("m1", "m2");
    world = await furnish(lab);
    of = tables(world);
  });
  after(() => lab.close());

  it("every property of the schema has generators, and every generator a property", () => {
    const all = tables(NOWHERE);
    const leaves = Object.keys(resources).flatMap((type) => leavesOf(type));
    const missing = leaves.filter((leaf) => !hasGenerators(leaf, all));
    assert.deepEqual(
      missing.map(({ owner, name }) => `${owner}.${name}`),
      [],
    );
    const known = new Set(leaves.map(({ owner, name }) => `${owner}.${name}`));
    const rows = Object.entries(all).flatMap(([owner, table]) =>
      Object.keys(table).map((name) => `${owner}.${name}`),
    );
    assert.deepEqual(
      rows.filter((name) => !known.has(name)),
      [],
    );
  });

  for (const type of Object.keys(resources)) {
    describe(type, () => {
      it("illegal inputs are refused where they are, and nothing is sent", async function () {
        this.timeout(60_000);
        const seam = await Seam.start({ url: lab.url });
        try {
          await fc.assert(
            fc.asyncProperty(pairOf(of, type), async ([full]) => {
              const sent = await lab.during(() => assertRefusals(seam, type, of, full));
              assert.deepEqual(sent, []);
            }),
            { ...SEED, numRuns: 1, endOnFailure: true },
          );
        } finally {
          seam.stop();
        }
      });

      it("inputs that are not known yet are taken, and a preview sends nothing", async function () {
        this.timeout(60_000);
        const seam = await Seam.start({ url: lab.url });
        try {
          await fc.assert(
            fc.asyncProperty(pairOf(of, type), async ([full]) => {
              const sent = await lab.during(() => assertUnknowns(seam, type, full));
              assert.deepEqual(sent, []);
            }),
            { ...SEED, numRuns: 1, endOnFailure: true },
          );
        } finally {
          seam.stop();
        }
      });

      it("legal inputs are set, changed, unset and come back", async function () {
        this.timeout(120_000 * RUNS);
        const walks: fc.Arbitrary<Walk> = fc.record({
          pair: pairOf(of, type),
          random: fc.array(anyOf(of, type), { minLength: RANDOM_STEPS, maxLength: RANDOM_STEPS }),
          secrets: fc.subarray(Object.keys(resources[type]?.properties ?? {})),
        });
        await fc.assert(
          fc.asyncProperty(walks, async (walk) => {
            const walker = await Walker.start(type, lab, walk);
            try {
              await walker.walk();
            } finally {
              await walker.end();
            }
          }),
          { ...SEED, numRuns: RUNS, endOnFailure: true },
        );
      });
    });
  }
});

/** Makes what resources refer to. */
async function furnish(lab: Lab): Promise<World> {
  const stacks = [
    await lab.make("stacks", { name: "one" }),
    await lab.make("stacks", { name: "two" }),
  ];
  const services = [];
  for (const name of ["first", "second"]) {
    const launchConfig = { imageUuid: "docker:nginx:1.27" };
    const body = { stackId: stacks[0]?.id, name, launchConfig, startOnCreate: true };
    services.push(await lab.make("services", body));
  }
  const certificates = [];
  for (const [n, pair] of pairs.entries()) {
    certificates.push(await lab.make("certificates", { name: `c${n}`, ...pair }));
  }
  const templates = (await lab.get("/v2-beta/projecttemplates")).body.data;
  const other = await lab.request("POST", "/v2-beta/projects", {
    name: "other",
    projectTemplateId: templates[0]?.["id"],
  });
  const project = `/v2-beta/projects/${String(other.body["id"])}`;
  await lab.settled(project);
  await lab.addHost("elsewhere", "192.0.2.200", {}, project);
  const ids = (things: readonly Props[]): string[] => things.map((thing) => String(thing["id"]));
  return {
    stacks: ids(stacks),
    services: ids(services),
    certificates: ids(certificates),
    environments: ["1a5", String(other.body["id"])],
    templates: ids(templates),
    hosts: ids((await lab.get(`${PROJECT}/hosts`)).body.data),
  };
}

/** Each illegal value alone is refused, with a path at the value or inside it. */
async function assertRefusals(
  seam: Seam,
  type: string,
  of: Tables,
  full: Props,
  kept?: Kept,
): Promise<void> {
  const base = legalised(type, required(type, full));
  const accepted: string[] = [];
  for (const leaf of leavesOf(type)) {
    if (UNCHECKED[type]?.includes(formatPath(leaf.path)) === true) continue;
    for (const [value, below = ""] of badValues(leaf, of)) {
      const path = `${formatPath(leaf.path)}${below}`;
      const inputs = withValue(base, leaf.path, value, full) as Props;
      const error = await seam.check(type, "walker", inputs, kept?.inputs).catch((e: Error) => e);
      const paths = error instanceof Refused ? error.paths : [];
      if (!paths.includes(path)) {
        accepted.push(`${path} = ${JSON.stringify(value)}: refused at [${paths.join(", ")}]`);
      }
    }
  }
  const unknown = await failure(seam.check(type, "walker", { ...base, colour: "red" }));
  assert.deepEqual((unknown as Refused).paths, ["colour"]);
  for (const name of resources[type]?.required ?? []) {
    const { [name]: _, ...rest } = base;
    const error = await failure(seam.check(type, "walker", rest));
    if (!(error as Refused).paths.includes(name))
      accepted.push(`${name} left out: ${error.message}`);
  }
  assert.deepEqual(accepted, []);
}

/** Each input alone may be unknown: it is not refused, and unknown in the preview. */
async function assertUnknowns(seam: Seam, type: string, full: Props): Promise<void> {
  const base = legalised(type, full);
  const refused: string[] = [];
  for (const { path } of leavesOf(type)) {
    if (valueAt(base, path) === undefined) continue;
    const given = withValue(base, path, UNKNOWN_SENTINEL, full) as Props;
    const inputs = await seam.check(type, "walker", given).catch((e: Error) => e);
    if (inputs instanceof Error) {
      refused.push(`${formatPath(path)}: ${inputs.message}`);
      continue;
    }
    const outputs = await seam.preview(type, "walker", inputs);
    assert.equal(valueAt(open(outputs), path), UNKNOWN, `${formatPath(path)} in the preview`);
  }
  assert.deepEqual(refused, []);
}

/** A resource on its walk. */
class Walker {
  private static count = 0;

  private constructor(
    private readonly type: string,
    private readonly lab: Lab,
    private readonly seam: Seam,
    private readonly drawn: Walk,
    private readonly name: string,
  ) {}

  static async start(type: string, shared: Lab, walk: Walk): Promise<Walker> {
    // Closing the server would close it for all others.
    const lab = type === "AccessControl" ? await Lab.start() : shared;
    const seam = await Seam.start({ url: lab.url });
    Walker.count += 1;
    return new Walker(type, lab, seam, walk, `walker-${Walker.count}`);
  }

  async walk(): Promise<void> {
    const { type, seam, name, drawn } = this;
    const [first, second] = drawn.pair;
    const stays = (property: string): boolean => this.replaces(property) || this.depends(property);
    const inPlace = { ...second, ...pick(first, stays) };
    assert.equal(await this.step("set", first), "create");
    await this.step("changed", inPlace);
    await this.step("unset", { ...pick(inPlace, stays), ...required(type, inPlace) });
    await this.assertUnset();
    await this.step("bare", required(type, inPlace));
    for (const inputs of drawn.random) await this.step("at random", inputs);
    await this.step("replaced", second);
    await this.step("back", first);
    const last = seam.the(name);
    await seam.restart();
    await seam.down(name);
    assert.equal(await seam.read(last), undefined, "it is gone");
    await seam.delete(last);
  }

  async end(): Promise<void> {
    this.seam.stop();
    if (this.type === "AccessControl") await this.lab.close();
  }

  /** One `up`, and everything that must be true after it. */
  private async step(what: string, drawn: Props): Promise<Step> {
    const { seam, type, name } = this;
    const inputs = legalised(type, drawn);
    await this.prepare(inputs);
    const before = seam.kept.get(name);
    const program = this.marked(inputs);
    // Each run of Pulumi has a process of the provider of its own.
    await seam.restart();
    if (before !== undefined) await this.assertDiff(what, before, program);
    const did = await seam.up(type, name, program);
    const kept = seam.the(name);
    const seen = await seam.read(kept);
    assert.ok(seen, `${what}: it is there`);
    assert.equal(seen.id, kept.id);
    assert.deepEqual(open(seen.inputs), open(kept.inputs), `${what}: inputs drift`);
    assert.deepEqual(open(seen.outputs), open(kept.outputs), `${what}: outputs drift`);
    for (const wire of [kept.inputs, kept.outputs, seen.inputs, seen.outputs]) {
      this.assertSecret(what, program, wire);
    }
    const again = await this.lab.during(async () => {
      assert.equal(await seam.up(type, name, program), "same", `${what}: a second time`);
    });
    assert.deepEqual(again, []);
    return did;
  }

  /** The diff tells what differs, and replaces just what the schema says it does. */
  private async assertDiff(what: string, kept: Kept, program: Props): Promise<void> {
    const inputs = await this.seam.check(this.type, this.name, program, kept.inputs);
    const { changes } = await this.seam.diff(kept, inputs);
    const [before, after] = [open(kept.inputs), open(inputs)];
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    const differing = [...names].filter((name) => !equal(before[name], after[name]));
    const told = new Map(
      Object.entries(changes).map(([path, change]) => [path.split(/[.[]/)[0] ?? "", change]),
    );
    for (const [name, change] of told) {
      assert.ok(differing.includes(name), `${what}: ${name} does not differ`);
      if (this.depends(name)) continue;
      assert.equal(change, this.replaces(name) ? "replace" : "update", `${what}: ${name}`);
    }
    const untold = differing.filter((name) => !told.has(name) && after[name] !== undefined);
    // Naming the environment that it is in already changes nothing.
    const same = untold.filter((name) => !equal(after[name], open(kept.outputs)[name]));
    assert.deepEqual(same, [], `${what}: not told by the diff`);
  }

  /** What was set once and is declared no more is not on the server any more: an import does not find it. */
  private async assertUnset(): Promise<void> {
    const { seam, type, name } = this;
    const kept = seam.the(name);
    // Credentials cannot be imported: their secrets are told once.
    const imported = await seam.import(type, name, kept.id).catch(() => undefined);
    const declared = open(kept.inputs);
    for (const [property, value] of Object.entries(open(imported?.inputs ?? {}))) {
      if (this.depends(property) || STALE[type]?.includes(property) === true) continue;
      assert.deepEqual(value, declared[property], `${property} is unset`);
    }
  }

  private depends(name: string): boolean {
    return DEPENDS[this.type]?.includes(name) === true;
  }

  private replaces(name: string): boolean {
    return resources[this.type]?.properties[name]?.replaceOnChanges === true;
  }

  /** The program's inputs, with its secrets marked. */
  private marked(inputs: Props): Props {
    const { secrets } = this.drawn;
    return Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [
        name,
        secrets.includes(name) ? secret(value) : value,
      ]),
    );
  }

  /** No secret stands anywhere without its mark. */
  private assertSecret(what: string, program: Props, wire: Props): void {
    const given = decodeProps(program);
    const { props, mask } = decodeProps(wire);
    const hidden = secretStrings({ value: given.props, mask: given.mask });
    const clear = JSON.stringify(strings(given.props, given.mask));
    const secrets = hidden.filter(
      (text) => text.length >= 8 && !clear.includes(JSON.stringify(text).slice(1, -1)),
    );
    const leaked = strings(props, mask).filter((text) => secrets.some((one) => text.includes(one)));
    assert.deepEqual(leaked, [], `${what}: a secret in the clear`);
    for (const name of this.drawn.secrets) {
      if (wire[name] === undefined || program[name] === undefined) continue;
      assert.equal(
        typeof mask === "boolean" ? mask : mask[name],
        true,
        `${what}: ${name} is secret`,
      );
    }
  }

  /** Machines come by themselves. */
  private async prepare(inputs: Props): Promise<void> {
    if (this.type !== "Host") return;
    const address = inputs["matchAddress"] as string | undefined;
    const labels = (inputs["matchLabels"] ?? {}) as Readonly<Record<string, string>>;
    const name = address === undefined ? String(labels["machine"]) : `at-${address}`;
    const { body } = await this.lab.get(`${PROJECT}/hosts`);
    if (body.data.some(({ hostname }) => hostname === name)) return;
    await this.lab.addHost(name, address, labels);
  }
}

/** Every text outside of the secret parts. */
function strings(value: unknown, mask: Mask): string[] {
  if (mask === true) return [];
  if (typeof value === "string") return [value];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) =>
    strings(item, typeof mask === "boolean" ? mask : (mask[key] ?? false)),
  );
}

function pick(props: Props, wanted: (name: string) => boolean): Props {
  return Object.fromEntries(Object.entries(props).filter(([name]) => wanted(name)));
}
