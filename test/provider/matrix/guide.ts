/** The table in `docs/provider.md`: what changing each input of each resource does, as the matrix tests it. */
import { type Effect, isNotApplicable } from "./cells";
import { cells } from "./matrix";
import { resourceTypes } from "./schema";

/** The table. */
export function changesTable(): string {
  const inputs = (type: string, effect: Effect): string =>
    Object.entries(cells[type]?.updates ?? {})
      .filter(([, update]) => !isNotApplicable(update) && update.effect === effect)
      .map(([input]) => `\`${input}\``)
      .join(", ");
  const effects = ["update", "upgrade", "replace"] as const;
  return [
    "| Resource | changes in place | is upgraded | is replaced |",
    "|---|---|---|---|",
    ...resourceTypes.map(
      (type) => `| ${[type, ...effects.map((effect) => inputs(type, effect))].join(" | ")} |`,
    ),
  ].join("\n");
}
