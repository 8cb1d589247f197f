/** A mocha reporter: a line per test, what failed in full at the end, and the counts as JSON in a file. */
import * as fs from "node:fs";
import * as Mocha from "mocha";

/** What the file holds. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly { readonly title: string; readonly error: string }[];
}

const { EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } =
  Mocha.Runner.constants;

/** Takes the file's path from the option `output`. */
export default class Reporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { output } = options.reporterOptions as { output: string };
    let passed = 0;
    let skipped = 0;
    const failures: { title: string; error: string }[] = [];
    const seconds = (test: Mocha.Runnable) => `${((test.duration ?? 0) / 1000).toFixed(1)} s`;

    runner.on(EVENT_TEST_PASS, (test) => {
      passed++;
      console.log(`  ok    ${test.fullTitle()} (${seconds(test)})`);
    });
    runner.on(EVENT_TEST_PENDING, (test) => {
      skipped++;
      console.log(`  skip  ${test.fullTitle()}`);
    });
    // Also a hook that failed comes here, as a test of that name.
    runner.on(EVENT_TEST_FAIL, (test, error: Error) => {
      failures.push({ title: test.fullTitle(), error: error.stack ?? error.message });
      console.log(`  FAIL  ${test.fullTitle()} (${seconds(test)}): ${error.message}`);
    });
    runner.once(EVENT_RUN_END, () => {
      for (const { title, error } of failures) console.log(`\n${title}\n${error}`);
      const counts: Counts = { passed, failed: failures.length, skipped, failures };
      fs.writeFileSync(output, JSON.stringify(counts, undefined, 2));
    });
  }
}
