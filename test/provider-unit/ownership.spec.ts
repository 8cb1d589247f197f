import * as assert from "node:assert/strict";
import type { Client } from "../../rancher/client/client";
import { type Props, type Resource, UNKNOWN } from "../../rancher/plugin/types";
import { certificate } from "../../rancher/resources/certificate";
import { host } from "../../rancher/resources/host";
import { loadBalancer } from "../../rancher/resources/loadBalancer";
import { registrationToken } from "../../rancher/resources/registrationToken";
import { service } from "../../rancher/resources/service";
import { stack } from "../../rancher/resources/stack";

/** Every resource that lives in an environment, with inputs of its own. */
const resources: Readonly<Record<string, readonly [Resource<Client>, Props]>> = {
  Certificate: [certificate, { name: "c" }],
  Host: [host, { matchAddress: "10.0.0.5" }],
  LoadBalancer: [loadBalancer, { stackId: "1st1", name: "lb" }],
  RegistrationToken: [registrationToken, {}],
  Service: [service, { stackId: "1st1", name: "web" }],
  Stack: [stack, { name: "site" }],
};

/** What was declared, what is declared now, where the thing is, whether that replaces it. */
const rows: readonly (readonly [unknown, unknown, string | undefined, boolean])[] = [
  [undefined, undefined, "1a5", false],
  ["1a5", undefined, "1a5", false],
  [undefined, "1a5", "1a5", false],
  ["1a5", "1a5", "1a5", false],
  // Stored outputs may be of a time that knew of no environment.
  ["1a5", "1a5", undefined, false],
  ["1a5", undefined, undefined, false],
  ["1a5", "1a7", "1a5", true],
  [undefined, "1a7", "1a5", true],
  ["1a5", UNKNOWN, "1a5", true],
];

describe("the environment of a thing", () => {
  for (const [type, [resource, inputs]] of Object.entries(resources)) {
    for (const [before, after, is, replaces] of rows) {
      const name = `${String(before)} -> ${String(after)}, in ${String(is)}`;
      it(`GIVEN ${type}: ${name} THEN ${replaces ? "it is replaced" : "nothing changes"}`, () => {
        const within = (environmentId: unknown): Props =>
          environmentId === undefined ? inputs : { ...inputs, environmentId };
        const old = { ...within(is), agentIpAddress: "10.0.0.5" };
        const { changes } = resource.diff({
          ...{ id: "1x1", old },
          ...{ oldInputs: within(before), inputs: within(after) },
        });
        assert.deepEqual(changes, replaces ? { environmentId: "replace" } : {});
      });
    }
  }
});
