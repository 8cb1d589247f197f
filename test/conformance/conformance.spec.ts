/** Holds the lab's Rancher server to what the real one was recorded to answer. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import { exceptionsByNumber } from "./exceptions";
import { readRecordings, type Recording } from "./recordings";
import { Replay } from "./replay";
import { tableFile, tableText, type Row } from "./table";

/** Longest time for the whole replay, in milliseconds. It takes 25 s, nearly all of it pauses of upgrades. */
const REPLAY_TIMEOUT_MS = 300_000;

/** Neither an answer that can be compared nor a plain request. */
const cannotBeSent = ({ response, timeline }: Recording): boolean =>
  (response === undefined && timeline === undefined) || response?.status === 101;

describe("the lab's Rancher server against the recordings", () => {
  const recordings = readRecordings();
  const exceptions = exceptionsByNumber();
  const rows: Row[] = [];
  /** What went against the table of exceptions. */
  const unlisted: string[] = [];
  const stale: string[] = [];

  before(async function () {
    this.timeout(REPLAY_TIMEOUT_MS);
    if (recordings === undefined) {
      console.log("the recordings are not beside the clone: conformance is not tested");
      this.skip();
    }
    const replay = await Replay.start();
    try {
      for (const recording of recordings) {
        const exception = exceptions.get(recording.number);
        const found = cannotBeSent(recording) ? ["cannot be sent"] : await replay.play(recording);
        if (found.length > 0 && exception === undefined)
          unlisted.push(`${recording.title}: ${found.slice(0, 5).join("; ")}`);
        if (found.length === 0 && exception !== undefined) stale.push(recording.title);
        const { verdict, why } =
          found.length === 0
            ? ({ verdict: "conforms", why: "" } as const)
            : (exception ?? { verdict: "differs", why: "nobody has said why" });
        rows.push({ recording, verdict, why });
      }
    } finally {
      await replay.close();
    }
  });

  it("answers as recorded, except where a reason is given", () => {
    assert.equal(unlisted.join("\n"), "");
  });

  it("gives no reason that is no longer needed", () => {
    assert.equal(stale.join("\n"), "", "these conform: take them out of exceptions.ts");
    const numbers = new Set(recordings?.map(({ number }) => number));
    assert.deepEqual(
      [...exceptions.keys()].filter((number) => !numbers.has(number)),
      [],
    );
  });

  it("has its table in docs/conformance.md", () => {
    const text = tableText(rows);
    if (process.env["UPDATE"] === "1") fs.writeFileSync(tableFile, text);
    const kept = fs.existsSync(tableFile) ? fs.readFileSync(tableFile, "utf8") : "";
    assert.ok(kept === text, "docs/conformance.md is stale: run this suite with UPDATE=1");
  });
});
