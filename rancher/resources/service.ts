/** A service: containers of one kind, as many as its scale says. */
import { serviceLike } from "./serviceLike";

/** See `rancher.Service`. */
export const service = serviceLike({
  kind: "services",
  noun: "service",
  properties: ["metadata"],
  fields: ["metadata"],
  defaults: (inputs) => inputs,
  check(inputs) {
    inputs.at("metadata").isObject();
  },
  imported: (launchConfig) => launchConfig,
});
