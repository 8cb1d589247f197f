import * as assert from "node:assert/strict";
import type { Props } from "../../rancher/plugin/types";
import { UNKNOWN } from "../../rancher/plugin/types";
import { PartialFailure } from "../../rancher/plugin/serve";
import { stack } from "../../rancher/resources/stack";
import { Bench, urnOf } from "./bench";
import { call, failure, type TestCall, URN } from "./support";

const two = (body: string): string => `version: '2'\nservices:\n${body}`;
const web = (image: string): string =>
  `  web:\n    image: ${image}\n    labels:\n      io.rancher.sidekicks: side\n  side:\n    image: busybox:1\n`;
const service = (name: string): string => `  ${name}:\n    image: redis:5\n`;

describe("check of a stack", () => {
  const rows: [string, Props, [string, RegExp][]][] = [
    ["no compose text", {}, []],
    ["version 2", { dockerCompose: two(service("a")) }, []],
    ["version 2 as a number", { dockerCompose: "version: 2\nservices: {a: {image: x}}" }, []],
    ["version 1", { dockerCompose: "a:\n  image: x\n" }, []],
    ["an image from elsewhere", { dockerCompose: two("  a: {build: .}\n") }, []],
    [
      "a selector instead of an image",
      { dockerCompose: two("  a: {labels: {io.rancher.service.selector.container: x=y}}\n") },
      [],
    ],
    ["merged keys", { dockerCompose: two("  a: &a {image: x}\n  b: {<<: *a, tty: true}\n") }, []],
    ["a template", { dockerCompose: "{{- if eq .Values.X }}\nnot: [yaml" }, []],
    ["unknown", { dockerCompose: UNKNOWN, rancherCompose: UNKNOWN, environment: UNKNOWN }, []],
    [
      "no YAML",
      { dockerCompose: "services: [nope" },
      [["dockerCompose", /^is not valid YAML: line \d+: /]],
    ],
    ["no map", { dockerCompose: "- a" }, [["dockerCompose", /must be a YAML map/]]],
    [
      "version 3",
      { dockerCompose: "version: '3'\nservices: {}" },
      [["dockerCompose", /has version "3", but .*: write it for version '2'/]],
    ],
    [
      "version 1, written out",
      { dockerCompose: "version: '1'\na: {image: x}", rancherCompose: "version: 1" },
      [
        ["dockerCompose", /has version "1", but .*: leave version 1 out/],
        ["rancherCompose", /has version "1", but .*: leave version 1 out/],
      ],
    ],
    [
      "version 2.0",
      { dockerCompose: "version: 2.0\nservices: {a: {image: x}}" },
      [["dockerCompose", /has version "2.0"/]],
    ],
    [
      "no services",
      { dockerCompose: "version: '2'" },
      [["dockerCompose", /a map called services/]],
    ],
    [
      "services as a list",
      { dockerCompose: "version: '2'\nservices: [a]" },
      [["dockerCompose", /services must be a map/]],
    ],
    [
      "services without a version",
      { dockerCompose: "services: {a: {image: x}}" },
      [["dockerCompose", /"services" must have an image or build: .* needs version: '2'/]],
    ],
    [
      "no image, twice, and a bad name",
      { dockerCompose: two("  a: {command: x}\n  b:\n  c_d: {image: x}\n") },
      [
        ["dockerCompose", /"a" must have an image/],
        ["dockerCompose", /"b" must be a map/],
        ["dockerCompose", /"c_d" must have a name of/],
      ],
    ],
    [
      "a bad rancher-compose text",
      { dockerCompose: two(service("a")), rancherCompose: "version: '2'\nservices: {a: 5}" },
      [["rancherCompose", /"a" must be a map/]],
    ],
    [
      "parts without the whole",
      { rancherCompose: two(""), environment: { A: 1 } },
      [
        ["rancherCompose", /services/],
        ["rancherCompose", /without dockerCompose/],
        ["environment", /without dockerCompose/],
      ],
    ],
    [
      "types",
      { dockerCompose: 5, environment: { A: {} }, startOnCreate: "yes" },
      [
        ["dockerCompose", /must be a string/],
        ["environment.A", /must be a string/],
        ["startOnCreate", /true or false/],
      ],
    ],
  ];
  for (const [what, more, expected] of rows) {
    it(`${what} -> ${expected.map(([path]) => path).join(", ") || "nothing"}`, () => {
      const { problems } = stack.check({ name: "s", ...more }, undefined, { urn: URN });
      assert.deepEqual(
        problems.map(({ path }) => path),
        expected.map(([path]) => path),
      );
      problems.forEach(({ reason }, i) => assert.match(reason, expected[i]?.[1] as RegExp));
    });
  }

  it("never quotes a compose text", () => {
    const dockerCompose = two("  a: {image: x, environment: {PW: sesame-open}\n");
    const { problems } = stack.check({ name: "s", dockerCompose }, undefined, { urn: URN });
    assert.equal(problems.length, 1);
    assert.doesNotMatch(JSON.stringify(problems), /sesame/);
  });
});

describe("diff of a stack", () => {
  const text = two(service("a"));
  const plain = { name: "s" };
  const composed = { ...plain, dockerCompose: text };
  const rows: [string, Props, Props, Props, boolean][] = [
    [
      "another text",
      composed,
      { dockerCompose: two(service("b")) },
      { dockerCompose: "update" },
      false,
    ],
    ["variables", composed, { environment: { A: "1" } }, { environment: "update" }, false],
    ["a text appears", plain, { dockerCompose: text }, { dockerCompose: "replace" }, true],
    ["it goes", composed, { dockerCompose: undefined }, { dockerCompose: "replace" }, true],
    [
      "a text of another environment",
      plain,
      { environmentId: "1a7" },
      { environmentId: "replace" },
      false,
    ],
    ["start", composed, { startOnCreate: false }, { startOnCreate: "update" }, false],
  ];
  for (const [what, oldInputs, more, changes, deleteBeforeReplace] of rows) {
    it(`${what} -> ${JSON.stringify(changes)}`, () => {
      const given = Object.entries({ ...oldInputs, ...more }).filter(([, v]) => v !== undefined);
      const inputs = Object.fromEntries(given);
      const diff = stack.diff({ id: "1st1", oldInputs, old: oldInputs, inputs });
      assert.deepEqual(diff, { changes, deleteBeforeReplace });
    });
  }
});

describe("a stack from compose texts, on the lab's server", function () {
  this.timeout(120_000);
  let bench: Bench;
  before(async () => {
    bench = await Bench.start();
  });
  after(() => bench.stop());

  const servicesOf = async (name: string): Promise<string[]> =>
    (await bench.list(`stacks/${bench.of(name).id}/services`)).map((one) => {
      const config = one["launchConfig"] as Props;
      return [one["name"], one["state"], config["imageUuid"]].join(" ");
    });
  const countOf = async (name: string): Promise<number> =>
    (await bench.list("stacks")).filter((one) => one["name"] === name).length;
  /** Kills an operation as soon as it reads such a path. */
  const killAt = (path: RegExp, operation: TestCall): void => {
    const { client } = bench;
    const get = client.get.bind(client);
    client.get = async <T>(...args: Parameters<typeof get>): Promise<T> => {
      if (path.test(args[0])) operation.controller.abort();
      return get<T>(...args);
    };
  };
  const first = {
    name: "site",
    dockerCompose: two(web("nginx:1.11") + service("old")),
    rancherCompose: two("  web: {scale: 2}\n"),
    environment: { PW: "one", KEPT: 1 },
  };

  it("is made, with its services, without drift", async () => {
    await bench.create("site", stack, first);
    assert.deepEqual((await servicesOf("site")).sort(), [
      "old active docker:redis:5",
      "web active docker:nginx:1.11",
    ]);
    await bench.assertNoDrift();
  });

  it("is upgraded and finished; what the text has no more goes", async () => {
    const dockerCompose = two(web("nginx:1.12") + service("new"));
    await bench.update("site", { dockerCompose, environment: { KEPT: 1 } });
    assert.deepEqual((await servicesOf("site")).sort(), [
      "new active docker:redis:5",
      "web active docker:nginx:1.12",
    ]);
    const { environment } = await bench.get("stacks", bench.of("site").id);
    assert.deepEqual(environment, { PW: "", KEPT: "1" });
    await bench.assertNoDrift();
  });

  it("GIVEN an upgrade that does not get well THEN it is rolled back, with the server's reason", async () => {
    const dockerCompose = two(web("doesnotexist:1") + service("new") + service("more"));
    const operation = call(12, urnOf("site"));
    const error = await failure(bench.update("site", { dockerCompose }, operation));
    assert.match(error.message, /failed, and it was rolled back: .*no such image: doesnotexist:1/);
    assert.deepEqual((await servicesOf("site")).sort(), [
      "new active docker:redis:5",
      "web active docker:nginx:1.12",
    ]);
    await bench.assertNoDrift();
  });

  it("GIVEN a run that was killed within an upgrade THEN a refresh shows it and the next one ends it", async () => {
    const before = bench.of("site").inputs;
    const killed = call(60, urnOf("site"));
    const news = { dockerCompose: two(web("nginx:1.13") + service("new")) };
    setTimeout(() => killed.controller.abort(), 400);
    await failure(bench.update("site", news, killed));
    bench.restart();
    await bench.eventually(async () => {
      const { state } = await bench.get("stacks", bench.of("site").id);
      return state === "upgraded";
    });
    const seen = await bench.refresh("site");
    assert.match(String(seen?.["dockerCompose"]), /^# on the server: the stack is upgraded\n/);
    await bench.update("site", { ...before, ...news });
    assert.ok((await servicesOf("site")).includes("web active docker:nginx:1.13"));
    await bench.assertNoDrift();
  });

  it("GIVEN a service was removed behind our back THEN it is drift, and comes again", async () => {
    const { inputs, id } = bench.of("site");
    const gone = (await bench.list(`stacks/${id}/services`)).find((one) => one["name"] === "new");
    await bench.remove("services", String(gone?.["id"]));
    const seen = await bench.refresh("site");
    assert.equal(
      seen?.["dockerCompose"],
      `# on the server: without new\n${two(web("nginx:1.13"))}`,
    );
    await bench.update("site", inputs);
    assert.equal((await servicesOf("site")).length, 2);
    await bench.assertNoDrift();
  });

  it("GIVEN another text was executed behind our back THEN it is drift", async () => {
    const { inputs, id } = bench.of("site");
    const body = { dockerCompose: two(web("nginx:9")), rancherCompose: "", environment: {} };
    await bench.act("stacks", id, "upgrade", body);
    const state = async (wanted: string): Promise<boolean> =>
      (await bench.get("stacks", id))["state"] === wanted;
    await bench.eventually(() => state("upgraded"));
    await bench.act("stacks", id, "finishupgrade", undefined);
    await bench.eventually(() => state("active"));
    const seen = await bench.refresh("site");
    assert.match(String(seen?.["dockerCompose"]), /^# on the server: another text\n/);
    await bench.update("site", inputs);
    assert.ok((await servicesOf("site")).includes("web active docker:nginx:1.13"));
    await bench.assertNoDrift();
  });

  it("GIVEN a service was stopped behind our back THEN it is drift, and is started", async () => {
    const { inputs, id } = bench.of("site");
    const [one] = await bench.list(`stacks/${id}/services`);
    await bench.act("services", String(one?.["id"]), "deactivate", undefined);
    const stopped = async (): Promise<boolean> =>
      (await bench.get("services", String(one?.["id"])))["state"] === "inactive";
    await bench.eventually(stopped);
    assert.equal((await bench.refresh("site"))?.["startOnCreate"], false);
    await bench.update("site", { ...inputs, startOnCreate: undefined });
    assert.equal(await stopped(), false);
    await bench.assertNoDrift();
  });

  it("GIVEN a text that the server gives up THEN the stack is removed and its message told", async () => {
    const dockerCompose = two("  a: {image: x, ports: [bogus]}\n");
    const error = await failure(bench.create("bad", stack, { name: "bad", dockerCompose }));
    assert.ok(!(error instanceof PartialFailure));
    assert.match(error.message, /failed: error \(.*PortWrongFormat/);
    assert.equal(await countOf("bad"), 0);
  });

  for (const killed of ["before the answer", "while services start"]) {
    it(`GIVEN a run that was killed ${killed} THEN the next one takes the stack over, as declared now`, async () => {
      const operation = call(60, urnOf("two"));
      if (killed === "while services start") killAt(/services$/, operation);
      else setTimeout(() => operation.controller.abort(), 30);
      const inputs = { name: "two", dockerCompose: two(service("a")) };
      await failure(bench.create("two", stack, inputs, operation));
      bench.restart();
      const { id } = await bench.create("two", stack, {
        ...inputs,
        dockerCompose: two(service("a") + service("b")),
      });
      assert.equal(await countOf("two"), 1);
      assert.equal((await servicesOf("two")).length, 2);
      await bench.assertNoDrift();
      // The client of this run holds it, so that a replacement would not delete what it took over.
      bench.restart();
      await bench.delete("two");
      assert.equal((await bench.get("stacks", id))["state"], "removed");
    });
  }

  it("GIVEN a killed run made one with more THEN the next one has what is declared now, and no more", async () => {
    const operation = call(60, urnOf("less"));
    killAt(/stacks\/1st\d+$/, operation);
    const inputs = { name: "less", dockerCompose: two(service("a")) };
    const more = {
      ...{ description: "old", environment: { A: "1" } },
      dockerCompose: two(service("a") + service("b")),
    };
    await failure(bench.create("less", stack, { ...inputs, ...more }, operation));
    bench.restart();
    const { id } = await bench.create("less", stack, inputs);
    assert.deepEqual(await servicesOf("less"), ["a active docker:redis:5"]);
    const { description, environment } = await bench.get("stacks", id);
    assert.deepEqual({ description, environment }, { description: null, environment: { A: "" } });
    await bench.assertNoDrift();
    bench.restart();
    await bench.delete("less");
  });

  it("GIVEN a new text without a service that is stopped THEN nobody waits for it", async () => {
    const inputs = { name: "gone", dockerCompose: two(service("a") + service("b")) };
    await bench.create("gone", stack, { ...inputs, startOnCreate: false });
    const dockerCompose = two(service("a"));
    await bench.update("gone", { dockerCompose, startOnCreate: true }, call(20, urnOf("gone")));
    assert.deepEqual(await servicesOf("gone"), ["a active docker:redis:5"]);
    await bench.assertNoDrift();
    await bench.delete("gone");
  });

  it("GIVEN a stopped service that no text names THEN it is left alone", async () => {
    const inputs = { name: "guest", dockerCompose: two(service("a")) };
    const { id } = await bench.create("guest", stack, inputs);
    const body = { stackId: id, name: "other", launchConfig: { imageUuid: "docker:x" } };
    await bench.client.post("/v2-beta/projects/1a5/services", body);
    await bench.update("guest", { dockerCompose: two(web("nginx:1") + service("a")) });
    assert.ok((await servicesOf("guest")).includes("other inactive docker:x"));
    await bench.assertNoDrift();
    await bench.delete("guest");
  });

  it("GIVEN startOnCreate false THEN its services stay stopped, until it is true", async () => {
    const dockerCompose = two(service("a"));
    await bench.create("rest", stack, { name: "rest", dockerCompose, startOnCreate: false });
    assert.deepEqual(await servicesOf("rest"), ["a inactive docker:redis:5"]);
    await bench.assertNoDrift();
    await bench.update("rest", { startOnCreate: true });
    assert.deepEqual(await servicesOf("rest"), ["a active docker:redis:5"]);
    await bench.assertNoDrift();
  });

  it("is imported by its name, with the texts it was made from", async () => {
    const known = { id: "Default/rest", inputs: {}, outputs: {} };
    const seen = await stack.read(bench.client, known, call(20, urnOf("rest")));
    assert.equal(seen?.state.id, bench.of("rest").id);
    assert.deepEqual(seen.inputs, { name: "rest", dockerCompose: two(service("a")) });
  });

  it("is removed with everything in it", async () => {
    await bench.delete("site", "rest");
    const left = (await bench.list("stacks")).filter((one) => one["system"] !== true);
    assert.deepEqual(
      left.map(({ name }) => name),
      [],
    );
  });
});
