import type { ServiceDoc } from "../documents";
import { formatId } from "../ids";
import { listOf, mapOf } from "./launchConfig";

/** A YAML scalar: JSON's quoting where plain text would be ambiguous. */
const scalar = (v: string): string =>
  /^[a-zA-Z0-9_./:@-]+$/.test(v) && !/^[\d.]+$|:$|^(true|false|null|yes|no|on|off|~)$|^-/i.test(v)
    ? v
    : JSON.stringify(v);

/** What `exportconfig` answers: the services as compose text with CRLF line ends, as Rancher writes it. */
export function exportConfig(
  services: readonly ServiceDoc[],
  body: Record<string, unknown>,
): Record<string, unknown> {
  const wanted = Array.isArray(body.serviceIds) ? body.serviceIds.map(String) : undefined;
  const chosen = services.filter(
    (s) => wanted === undefined || wanted.includes(formatId("service", s.id)),
  );
  const docker = ["version: '2'"];
  const rancher = ["version: '2'"];
  if (chosen.length > 0) {
    docker.push("services:");
    rancher.push("services:");
  }
  for (const s of chosen) {
    const config = s.launchConfig ?? {};
    docker.push(`  ${s.name ?? ""}:`);
    if (typeof config.imageUuid === "string")
      docker.push(`    image: ${config.imageUuid.replace(/^docker:/, "")}`);
    const environment = Object.entries(mapOf(config, "environment"));
    if (environment.length > 0) docker.push("    environment:");
    for (const [k, v] of environment) docker.push(`      ${k}: ${scalar(v)}`);
    for (const [field, key] of [
      ["ports", "ports"],
      ["dataVolumes", "volumes"],
      ["command", "command"],
    ] as const) {
      const list = listOf(config, field);
      if (list.length === 0) continue;
      docker.push(`    ${key}:`);
      for (const v of list) docker.push(`    - ${scalar(v)}`);
    }
    const labels = Object.entries(mapOf(config, "labels"));
    if (labels.length > 0) docker.push("    labels:");
    for (const [k, v] of labels) docker.push(`      ${k}: ${JSON.stringify(v)}`);
    rancher.push(
      `  ${s.name ?? ""}:`,
      `    scale: ${String(s.scale)}`,
      "    start_on_create: true",
    );
  }
  return {
    id: null,
    type: "composeConfig",
    links: {},
    actions: {},
    baseType: "composeConfig",
    dockerComposeConfig: `${docker.join("\r\n")}\r\n`,
    rancherComposeConfig: `${rancher.join("\r\n")}\r\n`,
  };
}
