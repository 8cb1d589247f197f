import * as assert from "node:assert/strict";
import { environmentNamed, locate, type ImportKind } from "../../rancher/resources/identity";
import { host } from "../../rancher/resources/host";
import { registrationToken } from "../../rancher/resources/registrationToken";
import { service } from "../../rancher/resources/service";
import { call, failure, withServer } from "./support";

describe("import ids", () => {
  const context = withServer();
  beforeEach(() => {
    const { server } = context;
    server.add("projects", { name: "Team A/B" });
    server.add("stacks", { name: "site" });
    server.add("stacks", { name: "other" });
    server.add("stacks", { name: "gone", state: "removing" });
    server.add("services", { name: "web", stackId: "1st1" });
    server.add("services", { name: "web", stackId: "1st2" });
    server.add("services", { name: "db", stackId: "1st1" });
    server.add("hosts", { name: "front", hostname: "m1" });
    server.add("hosts", { name: null, hostname: "m2" });
    server.add("registrationtokens", { name: "join" });
    server.add("registrationtokens", { name: "join" });
    server.add("registrationtokens", { name: "Join" });
  });
  const find = (kind: ImportKind, id: string) =>
    locate(context.client, kind, { id, inputs: {}, outputs: {} }, call());

  const found: [ImportKind, string, string, string][] = [
    ["stacks", "1st1", "1a1", "1st1"],
    ["stacks", "1a1/1st9", "1a1", "1st9"],
    ["stacks", "Default/1st1", "1a1", "1st1"],
    ["stacks", "default/SITE", "1a1", "1st1"],
    ["stacks", "site", "1a1", "1st1"],
    ["stacks", "Team A/B/site", "1a2", "1st1"],
    ["services", "1a1/1s3", "1a1", "1s3"],
    ["services", "Default/db", "1a1", "1s3"],
    ["services", "Default/site/web", "1a1", "1s1"],
    ["services", "1a1/other/web", "1a1", "1s2"],
    ["services", "1a1/1st2/web", "1a1", "1s2"],
    ["hosts", "1a1/front", "1a1", "1h1"],
    ["hosts", "1a1/m1", "1a1", "1h1"],
    ["hosts", "m2", "1a1", "1h2"],
    ["registrationtokens", "Join", "1a1", "1c3"],
  ];
  for (const [kind, given, environmentId, id] of found) {
    it(`${kind} ${given} -> ${id} in ${environmentId}`, async () => {
      assert.deepEqual(await find(kind, given), { environmentId, id, isImport: true });
    });
  }

  const refused: [ImportKind, string, RegExp][] = [
    [
      "stacks",
      "Nope/site",
      /no environment named "Nope" that this key may see; there are: Default, Team A\/B$/,
    ],
    ["stacks", "Default/nope", /no stack named "nope" in the environment; there are: other, site$/],
    ["stacks", "Default/gone", /no stack named "gone"/],
    ["stacks", "Default/", /names no stack: give its id, environment\/id or environment\/name$/],
    ["stacks", "/site", /names no stack/],
    ["services", "Default//web", /names no service: .* environment\/stack\/name$/],
    [
      "services",
      "Default/web",
      /2 services in the environment are named "web": site\/web \(1s1\), other\/web \(1s2\)/,
    ],
    ["services", "Default/nope", /there are: other\/web, site\/db, site\/web$/],
    ["services", "Default/nope/web", /no stack named "nope" in the environment/],
    ["services", "Default/other/db", /no service named "db" in the stack; there are: web$/],
    ["hosts", "Default/m3", /no host named "m3" in the environment; there are: front, m1, m2$/],
    [
      "registrationtokens",
      "join",
      /2 registration tokens .* join \(1c1\), join \(1c2\); import one by its id/,
    ],
    ["certificates", "Default/x", /there is none at all$/],
  ];
  for (const [kind, given, message] of refused) {
    it(`${kind} ${given} -> ${message.source}`, async () => {
      assert.match((await failure(find(kind, given))).message, message);
    });
  }

  it("GIVEN inputs or outputs THEN the id is the server's already", async () => {
    const known = { id: "1st1", inputs: { name: "x" }, outputs: { environmentId: "1a9" } };
    assert.deepEqual(await locate(context.client, "stacks", known, call()), {
      environmentId: "1a9",
      id: "1st1",
      isImport: false,
    });
    const bare = { id: "1c1", inputs: {}, outputs: { environmentId: "1a9" } };
    const { isImport } = await locate(context.client, "registrationtokens", bare, call());
    assert.equal(isImport, false);
  });

  it("an environment is named by id or name", async () => {
    for (const given of ["1a2", "Team A/B", "team a/b"]) {
      assert.equal(await environmentNamed(context.client, given, call()), "1a2");
    }
  });

  it("what read returns has the server's id", async () => {
    const { client, server } = context;
    Object.assign(server.docs.get("1s3") as object, { launchConfig: { imageUuid: "docker:x" } });
    const read = { inputs: {}, outputs: {} };
    const one = await service.read(client, { id: "Default/site/db", ...read }, call());
    assert.deepEqual([one?.state.id, one?.state.outputs["environmentId"]], ["1s3", "1a1"]);
    const two = await host.read(client, { id: "Default/front", ...read }, call());
    assert.equal(two?.state.id, "1h1");
    const three = await registrationToken.read(client, { id: "Default/Join", ...read }, call());
    assert.deepEqual([three?.state.id, three?.inputs], ["1c3", { name: "Join" }]);
  });

  it("GIVEN a load balancer THEN it is not imported as a service", async () => {
    const lb = { id: "1s4", type: "loadBalancerService", name: "lb", state: "active" };
    context.server.fault = ({ path }) => {
      if (path.endsWith("/services/1s4")) return { status: 200, body: lb };
      return path.endsWith("/services") ? { status: 200, body: { data: [lb] } } : undefined;
    };
    const read = (id: string): Promise<unknown> =>
      service.read(context.client, { id, inputs: {}, outputs: {} }, call());
    const error = await failure(read("1s4"));
    assert.match(error.message, /lb \(1s4\) is not a service but a loadBalancerService/);
    const other = await failure(read("Default/lb"));
    assert.match(other.message, /no service named "lb" .*there is none at all/);
  });
});
