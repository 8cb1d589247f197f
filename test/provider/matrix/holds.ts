/** Comparing what was declared with what the server has. */
import * as assert from "node:assert/strict";
import type { Reference, SecretValue } from "./declaration";
import { named, type Snapshot } from "./stage";

/**
 * Fails unless the server has what is declared, with the path where it has not. What the server adds does not
 * matter, numbers may be texts, and nothing may be null, empty or false.
 */
export function holds(actual: unknown, declared: unknown, path: string, now: Snapshot): void {
  if (declared !== null && typeof declared === "object" && "$ref" in declared) {
    const [name, output] = (declared as Reference).$ref;
    const known = named(now.known, name);
    holds(actual, output === "id" ? known.id : known.outputs[output], path, now);
  } else if (declared !== null && typeof declared === "object" && "$secret" in declared) {
    holds(actual, (declared as SecretValue).$secret, path, now);
  } else if (Array.isArray(declared)) {
    assert.ok(Array.isArray(actual), `${path} is ${JSON.stringify(actual)}, not a list`);
    assert.equal(actual.length, declared.length, `length of ${path}`);
    declared.forEach((item, i) => holds(actual[i], item, `${path}[${i}]`, now));
  } else if (declared !== null && typeof declared === "object") {
    for (const [key, value] of Object.entries(declared)) {
      holds((actual as Record<string, unknown> | null)?.[key], value, `${path}.${key}`, now);
    }
  } else if (declared === null || declared === "" || declared === false) {
    assert.ok(!actual || Object.keys(actual).length === 0, `${path} is ${JSON.stringify(actual)}`);
  } else {
    assert.equal(String(actual), String(declared), path);
  }
}
