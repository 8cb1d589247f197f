/** What a stack costs before and after a change of its configuration. */
import { Problem } from "../commands/cli";
import { estimate } from "../commands/cost/estimate";
import {
  pricedSettings,
  readStackFile,
  readStackFileAt,
  stackFile,
} from "../commands/cost/stackConfig";
import type { CommentArgs } from "./comment";

/**
 * Estimates both. What cannot be estimated is a problem to tell, not a reason to have no preview.
 *
 * @param against a commit or a file with the configuration before; undefined means none
 */
export async function stackCost(
  stack: string,
  against: string | undefined,
): Promise<CommentArgs["cost"]> {
  try {
    const own = await readStackFile(stack);
    if (own === undefined) {
      return { before: undefined, after: undefined, problem: `there is no ${stackFile(stack)}` };
    }
    const there = against === undefined ? own : await readStackFileAt(against, stack);
    return {
      before: there === undefined ? undefined : estimate(pricedSettings(there)),
      after: estimate(pricedSettings(own)),
    };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { before: undefined, after: undefined, problem: error.message };
  }
}
