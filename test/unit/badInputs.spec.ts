import * as pulumi from "@pulumi/pulumi";
import { strict as assert } from "node:assert";
import { parseSettings, readSettings } from "../../config/settings";
import {
  badInputs,
  configWith,
  everyBadInput,
  fullKey,
  lineFor,
  linesFor,
  stackKey,
  type BadInput,
} from "./badInputs";
import { leastConfig, recordProgram, withKey } from "./program";
import { project, stack } from "./recorder";

/** What a run of the program registered and called, and what it stopped with. */
interface Attempt {
  readonly reached: readonly string[];
  readonly error: Error | undefined;
}

/** Loads `index.ts`, with something bad in its configuration, on an engine that keeps what it is asked for. */
async function attempt(
  config: Readonly<Record<string, string>>,
  options: { readonly secret?: readonly string[]; readonly preview?: boolean } = {},
): Promise<Attempt> {
  const reached: string[] = [];
  const mocks = {
    newResource: ({ type, name }: pulumi.runtime.MockResourceArgs) => {
      reached.push(`${type} ${name}`);
      return { id: name, state: {} };
    },
    call: ({ token }: pulumi.runtime.MockCallArgs) => {
      reached.push(token);
      return { names: ["eu-central-1a", "eu-central-1b"] };
    },
  };
  await pulumi.runtime.setMocks(
    mocks,
    project,
    config[stackKey] ?? stack,
    options.preview ?? false,
  );
  pulumi.runtime.setAllConfig({ ...config }, [...(options.secret ?? [])]);
  process.env["PULUMI_CONFIG_SECRET_KEYS"] = JSON.stringify(options.secret ?? []);
  const file = require.resolve("../../index");
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- index.ts acts when it is loaded
  delete require.cache[file];
  let error: Error | undefined;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() keeps its own cache
    require(file);
  } catch (thrown) {
    error = thrown as Error;
  }
  // Whatever it registered before it stopped arrives with this.
  if (error !== undefined) await pulumi.runtime.disconnect();
  delete process.env["PULUMI_CONFIG_SECRET_KEYS"];
  return { reached, error };
}

const noMocks: pulumi.runtime.Mocks = {
  newResource: () => ({ id: undefined, state: {} }),
  call: () => ({}),
};

const least = Object.fromEntries(
  Object.entries(leastConfig).map(([key, value]) => [fullKey(key), value]),
);

describe("bad inputs", () => {
  it("THEN there are 60 of them at least, and no two are the same", () => {
    const said = everyBadInput.map(({ key, value, about, isSecret }) =>
      JSON.stringify([key, value, about, isSecret]),
    );
    assert.ok(said.length >= 60, String(said.length));
    assert.equal(new Set(said).size, said.length);
  });

  for (const [group, list] of Object.entries(badInputs)) {
    describe(`GIVEN ${group}`, () => {
      for (const bad of list) {
        const { key, value, problem, fix, hidden } = bad;
        it(`${key} = ${JSON.stringify(value).slice(0, 60)} THEN one line names key, problem and fix`, () => {
          const lines = linesFor(bad);
          const line = lineFor(bad) ?? "";
          assert.notEqual(line, "", lines.join("\n") || "it was accepted");
          const [before = "", after = ""] = line.split(problem);
          assert.ok(before.startsWith(`${fullKey(bad.about ?? key)}: `), line);
          // A fix that the problem names itself stands in it.
          assert.ok((problem + after).includes(fix), `no "${fix}" in: ${line}`);
          for (const each of lines) {
            assert.doesNotMatch(each, /[\r\n]|undefined|NaN|\[object|\.$/);
            if (hidden !== undefined) assert.ok(!each.includes(hidden), each);
          }
        });
      }
    });
  }

  it("GIVEN many at once THEN each of them is reported, in one run", () => {
    const alone: Record<string, BadInput> = {};
    for (const bad of everyBadInput) {
      const isAlone = bad.about === undefined && bad.beside === undefined && !bad.isSecret;
      // Some are only mistakes while another key is not set.
      if (isAlone && bad.value !== "" && bad.key !== "smtpUser") alone[bad.key] ??= bad;
    }
    const mistakes = Object.values(alone);
    assert.ok(mistakes.length > 25, String(mistakes.length));
    const values = Object.assign({}, ...mistakes.map(configWith), valuesOf(mistakes)) as Record<
      string,
      string
    >;
    const outcome = parseSettings({
      values,
      stackName: values[stackKey] ?? stack,
      secretKeys: new Set(),
      environmentRegion: undefined,
      now: new Date(),
    });
    assert.ok(!("region" in outcome));
    for (const { key, problem } of mistakes) {
      const found = outcome.find(
        (line) => line.startsWith(`${fullKey(key)}: `) && line.includes(problem),
      );
      assert.ok(found !== undefined, `${key}: ${problem}\n${outcome.join("\n")}`);
    }
  });

  describe("GIVEN the program itself", () => {
    it("and a good configuration THEN it asks the engine for a great deal", async () => {
      const { resources } = await recordProgram();
      assert.ok(resources.length > 10);
    });

    for (const preview of [true, false]) {
      it(`WHEN ${preview ? "preview runs with any of them" : "up runs with one of each group"} THEN it stops with that line, and nothing reaches a provider`, async () => {
        const firsts = Object.values(badInputs).flatMap((list) => list.slice(0, 1));
        for (const bad of preview ? everyBadInput : firsts) {
          const secret = bad.isSecret === true ? [fullKey(bad.key)] : [];
          const { reached, error } = await withKey(() =>
            attempt(configWith(bad), { secret, preview }),
          );
          assert.deepEqual(reached, [], `${bad.key} = ${bad.value}`);
          assert.ok(
            error !== undefined && "__pulumiRunError" in error,
            `${bad.key}: ${String(error)}`,
          );
          assert.ok(error.message.includes(lineFor(bad) ?? "?"), error.message);
          if (bad.hidden !== undefined) assert.ok(!error.message.includes(bad.hidden));
        }
      });
    }

    it("and no private key at hand WHEN up runs THEN it stops beside the other mistakes, and nothing is made", async () => {
      const other = everyBadInput.find(({ key }) => key === "vpcCidr");
      assert.ok(other !== undefined);
      const home = process.env["HOME"];
      const agent = process.env["SSH_AUTH_SOCK"];
      process.env["HOME"] = "/nonexistent";
      delete process.env["SSH_AUTH_SOCK"];
      try {
        const alone = await attempt(least);
        assert.deepEqual(alone.reached, []);
        assert.match(
          alone.error?.message ?? "",
          /\n {2}rancher-cattle:sshPublicKey: .*private half.*; add it with ssh-add|OpenSSH 8\.5/,
        );
        const both = await attempt(configWith(other));
        assert.match(both.error?.message ?? "", /vpcCidr: .*\n.*sshPublicKey: /);
        // A preview may run where nobody has the key.
        await pulumi.runtime.setMocks(noMocks, project, stack, true);
        pulumi.runtime.setAllConfig({ ...least });
        assert.equal(readSettings().region, least["aws:region"]);
        await pulumi.runtime.disconnect();
      } finally {
        process.env["HOME"] = home;
        if (agent !== undefined) process.env["SSH_AUTH_SOCK"] = agent;
      }
    });
  });
});

/** Values of mistakes by full key. */
function valuesOf(mistakes: readonly BadInput[]): Record<string, string> {
  return Object.fromEntries(mistakes.map(({ key, value }) => [fullKey(key), value]));
}
