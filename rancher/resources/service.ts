/** A service: containers of one kind, as many as its scale says, with sidekicks, and links to others. */
import type { Place } from "./checks";
import { isGlobal } from "./launchConfig";
import { checkLinks } from "./links";
import { serviceLike } from "./serviceLike";
import { checkSidekicks } from "./sidekicks";

/** Fields that a PUT changes. Source: rights `cu` in the server's schema `service`. */
const LIVE = ["metadata", "scalePolicy", "retainIp", "selectorLink", "selectorContainer"];
/** Fields that the server takes only in the POST. Source: rights `c` there. */
const FIXED = ["assignServiceIpAddress", "vip"];

/** See `rancher.Service`. */
export const service = serviceLike({
  kind: "services",
  noun: "service",
  properties: [...LIVE, ...FIXED, "secondaryLaunchConfigs", "serviceLinks"],
  fields: LIVE,
  fixed: FIXED,
  defaults: (inputs) => inputs,
  check(inputs) {
    inputs.at("metadata").isObject();
    inputs.at("retainIp").flag();
    inputs.at("assignServiceIpAddress").flag();
    inputs.at("vip").text({ maxLength: 255 });
    inputs.at("selectorLink").text({ maxLength: 4096 });
    inputs.at("selectorContainer").text({ maxLength: 4096 });
    checkScalePolicy(inputs);
    checkSidekicks(inputs);
    checkLinks(inputs.at("serviceLinks"));
  },
  imported: (launchConfig) => launchConfig,
});

/** Source: schema `scalePolicy`. */
function checkScalePolicy(inputs: Place): void {
  const policy = inputs.at("scalePolicy");
  if (!policy.isObject()) return;
  policy.onlyKnown(["min", "max", "increment"]);
  const [min, max] = [policy.at("min"), policy.at("max")];
  min.whole({ required: true, min: 1 });
  max.whole({ min: 1 });
  policy.at("increment").whole({ min: 1 });
  const most = max.value ?? 1;
  if (typeof min.value === "number" && typeof most === "number" && most < min.value) {
    max.reject(`must not be less than min (${min.value}); left out it is 1`);
  }
  if (isGlobal(inputs.at("launchConfig").value)) {
    policy.reject(
      "has no meaning with the label io.rancher.scheduler.global, which puts one container on every host: leave one of them out",
    );
  }
}
