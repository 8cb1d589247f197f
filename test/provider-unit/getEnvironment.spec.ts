import * as assert from "node:assert/strict";
import { getEnvironment } from "../../rancher/functions/getEnvironment";
import { InvalidArguments, type Props } from "../../rancher/plugin/types";
import { ownerMark } from "../../rancher/resources/ownership";
import { call, failure, URN, withServer } from "./support";

const described = { state: "active", healthState: "healthy", orchestration: "cattle" };

describe("getEnvironment", () => {
  const context = withServer();
  const get = (args: Props = {}) => getEnvironment(context.client, args, call());
  beforeEach(() => {
    const { server } = context;
    Object.assign(server.docs.get("1a1") as object, described);
    const description = `for all [${ownerMark({ urn: URN })}]`;
    for (const uuid of ["u2", "u3", "u4"]) {
      const name = uuid === "u2" ? "staging" : "twice";
      server.add("projects", { ...described, uuid, name, description });
    }
  });

  const staging = { id: "1a2", name: "staging", uuid: "u2", description: "for all", ...described };
  for (const [args, expected] of [
    [{}, { id: "1a1", name: "Default", uuid: "adminProject", ...described }],
    [{ id: "1a2" }, staging],
    [{ name: "staging" }, staging],
    [{ uuid: "u2" }, staging],
  ] as [Props, Props][]) {
    it(`GIVEN ${JSON.stringify(args)} THEN it finds ${String(expected["name"])}, and writes nothing`, async () => {
      assert.deepEqual(await get(args), expected);
      assert.deepEqual(context.server.writes, []);
    });
  }

  for (const [args, message] of [
    [{ id: "1a9" }, /no environment 1a9/],
    [{ uuid: "u9" }, /no environment with the uuid "u9"/],
    [{ name: "nowhere" }, /"nowhere".*staging/],
    [{ name: "twice" }, /"twice".*1a3.*1a4/],
  ] as [Props, RegExp][]) {
    it(`GIVEN ${JSON.stringify(args)} THEN the error says what there is`, async () => {
      assert.match((await failure(get(args))).message, message);
    });
  }

  it("GIVEN one that was removed THEN there is none", async () => {
    Object.assign(context.server.docs.get("1a2") as object, { state: "removed" });
    for (const args of [{ id: "1a2" }, { name: "staging" }, { uuid: "u2" }]) {
      await failure(get(args));
    }
  });

  it("GIVEN wrong arguments THEN every problem is told with its property, and nothing is asked", async () => {
    const error = await failure(get({ id: "1a5", name: "a", uuid: "", nam: "b" }));
    assert.ok(error instanceof InvalidArguments);
    const paths = error.problems.map((p) => p.path);
    assert.deepEqual([...new Set(paths)].sort(), ["nam", "name", "uuid"]);
    assert.deepEqual(context.server.requests, []);
  });
});
