import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { draw } from "../../commands/diagram/draw";
import { drawn } from "../../commands/diagram/model";
import { nameOf, type StateResource } from "../../commands/state";
import { recorded } from "./recorded";

const picture = path.resolve(__dirname, "../../docs/diagram.svg");
const canary = "canary-of-a-secret";

/** The texts that are drawn, in order. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text ?? "");
}

/** Rectangles of the drawing with one of the classes. */
function boxes(svg: string, pattern: RegExp) {
  return [...svg.matchAll(/<rect ([^>]*)\/>/g)].flatMap(([, attributes = ""]) => {
    const value = (name: string) =>
      new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
    if (!pattern.test(value("class"))) return [];
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(value(name)));
    return [{ x: x ?? 0, y: y ?? 0, width: width ?? 0, height: height ?? 0 }];
  });
}

/** The recorded stack with this many agent hosts. */
function withAgents(count: number) {
  const model = drawn(recorded());
  const [agent] = model.agents;
  assert.ok(agent);
  const agents = Array.from({ length: count }, (_, index) => ({
    ...agent,
    name: `agents-${index}`,
  }));
  return { ...model, agents };
}

describe("the diagram", () => {
  it("GIVEN the recorded stack THEN it is the README's picture, byte by byte", () => {
    assert.equal(
      draw(drawn(recorded())),
      readFileSync(picture, "utf8"),
      "make it anew: npm run diagram -- --state test/commands/recordings/stack.json --output docs/diagram.svg",
    );
  });

  it("GIVEN resources in another order THEN not a byte changes", () => {
    const all: StateResource[] = [];
    recorded((resource) => {
      all.push(resource);
      return resource;
    });
    const turned = recorded(undefined, { resources: all.reverse() });
    assert.equal(draw(drawn(turned)), draw(drawn(recorded())));
  });

  it("GIVEN the recorded stack THEN hosts, containers, services, ranges and ports are told", () => {
    const told = texts(draw(drawn(recorded())));
    for (const expected of [
      ...["VPC 10.0.0.0/16", "10.0.0.0/20 in eu-central-1a", "10.0.16.0/20 in eu-central-1b"],
      ...["server", "agents-0", "agents-1", "203.0.113.10 · 10.0.0.5", "t3.medium"],
      ...["site-db", "rancher", "rancher-db", "balancer", "web × 2", "on every host"],
      ...["tcp 80", "tcp 22", "tcp 3306", "tcp 8080", "tcp 2049", "udp 500", "udp 4500"],
      ...["from anywhere", "198.51.100.7/32", "disk, 20 GiB gp3", "encrypted"],
    ]) {
      assert.ok(told.includes(expected), `${expected} is not among ${told.join(" | ")}`);
    }
    assert.ok(!told.includes("site-installer"), "a container that has ended");
  });

  it("GIVEN the picture THEN who cannot see it is told what is open", () => {
    const svg = draw(drawn(recorded()));
    assert.match(svg, /role="img" aria-labelledby="title description"/);
    assert.match(svg, /<title id="title">rancher-cattle: stack dev, eu-central-1<\/title>/);
    assert.match(svg, /<desc id="description">[^<]*tcp 80 from 0\.0\.0\.0\/0 to agents/);
    assert.match(svg, /prefers-color-scheme:dark/);
  });

  it("GIVEN a rule of a group that has no place in it THEN it is told in words", () => {
    const state = recorded((resource) =>
      nameOf(resource) === "security-server-rancher"
        ? { ...resource, inputs: { ...resource.inputs, referencedSecurityGroupId: "sg-of-others" } }
        : resource,
    );
    const notes = texts(draw(drawn(state))).at(-1) ?? "";
    assert.match(notes, /Also tcp 8080 from sg-of-others to server\./);
  });

  it("GIVEN secrets in every place that can hold one THEN none of it is drawn", () => {
    const state = recorded((resource) => ({
      ...resource,
      inputs: {
        ...resource.inputs,
        ...(resource.type === "aws:ec2/instance:Instance" ? { userData: canary } : {}),
        ...(resource.type === "docker:index/container:Container" ? { envs: [canary] } : {}),
        password: canary,
      },
      outputs: { ...resource.outputs, secretKey: canary, userData: canary },
    }));
    const svg = draw(drawn(state));
    assert.equal(svg, draw(drawn(recorded())));
    assert.ok(!svg.includes(canary) && !svg.includes("ciphertext"));
  });

  it("GIVEN names with marks of XML THEN they are escaped", () => {
    const model = drawn(recorded());
    const svg = draw({ ...model, stack: `a<b>&"c"` });
    assert.match(svg, /stack a&lt;b&gt;&amp;&quot;c&quot;/);
  });

  for (const count of [1, 2, 3, 6, 7, 40]) {
    it(`GIVEN ${count} agent hosts THEN everything is inside, and hosts do not overlap`, () => {
      const svg = draw(withAgents(count));
      const [paper] = boxes(svg, /^paper$/);
      const cards = boxes(svg, /^card$/);
      assert.ok(paper);
      assert.equal(cards.length, 1 + (count > 6 ? 5 : count));
      for (const box of boxes(svg, /^(vpc|card|group-|in-)/)) {
        assert.ok(box.x >= 0 && box.x + box.width <= paper.width);
        assert.ok(box.y >= 0 && box.y + box.height <= paper.height);
      }
      const left = cards.filter(({ x }) => x === Math.min(...cards.map((card) => card.x)));
      left.forEach((card, index) => {
        const next = left[index + 1];
        assert.ok(next === undefined || card.y + card.height < next.y);
      });
    });
  }
});
