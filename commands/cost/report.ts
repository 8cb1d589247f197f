/** Estimates as a person reads them. */
import { changes, type Estimate, type Item } from "./estimate";
import { hoursAMonth, notCounted } from "./prices";

/** Dollars of a month, such as `$98.76`. */
export function dollars(usd: number | undefined): string {
  return usd === undefined ? "unknown" : `$${usd.toFixed(2)}`;
}

/** A difference with its sign, such as `+$16.79`. */
export function difference(usd: number): string {
  if (Math.round(usd * 100) === 0) return "no difference";
  return `${usd < 0 ? "−" : "+"}${dollars(Math.abs(usd))}`;
}

/** The total, said to be too low when something has no price. */
export function total({ totalUsd, unpriced }: Estimate): string {
  return unpriced.length > 0 ? `more than ${dollars(totalUsd)}` : dollars(totalUsd);
}

/** Whose prices they are, as far as that is not the stack's own region. */
export function pricesOf({ region, priceRegion }: Estimate): string {
  return region === priceRegion
    ? `prices of ${region}`
    : `prices of ${priceRegion}, because those of ${region} are not in the table`;
}

/** What to know before one relies on it. */
export function caveats({ items, unpriced, assumed }: Estimate): readonly string[] {
  const guessed = items.filter(({ usd, verified }) => usd !== undefined && !verified);
  return [
    ...unpriced.map((label) => `no price is known for ${label}, and it is not in the total`),
    ...(assumed.length > 0 ? [`assumed: ${assumed.join("; ")}`] : []),
    ...(guessed.length > 0
      ? [`prices from memory: ${guessed.map(({ label }) => label).join(", ")}`]
      : []),
  ];
}

/** Rows as columns of their own width, the last ones to the right. */
function table(rows: readonly (readonly string[])[], rightFrom: number): string[] {
  const widths = rows.reduce<number[]>(
    (found, row) => row.map((cell, index) => Math.max(found[index] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, index) =>
        index < rightFrom ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** A stack's estimate, each thing and the total, as lines for a terminal. */
export function report(stack: string, month: Estimate): string[] {
  const rows = [
    ...month.items.map(({ label, quantity, usd }) => [label, quantity, dollars(usd)]),
    ["total", "", total(month)],
  ];
  return [
    `A month (${hoursAMonth} h) of ${stack}, ${pricesOf(month)}:`,
    "",
    ...table(rows, 2).map((line) => `  ${line}`),
    "",
    ...caveats(month),
    `not counted: ${notCounted.join("; ")}`,
  ];
}

function side(item: Item | undefined): string {
  return item === undefined ? "–" : `${item.quantity}: ${dollars(item.usd)}`;
}

/** The difference that a change makes, as lines for a terminal. */
export function comparison(before: Estimate, after: Estimate): string[] {
  const rows = changes(before, after).map(({ label, before: old, after: now }) => [
    label,
    side(old),
    "→",
    side(now),
  ]);
  const verdict = `${total(before)} → ${total(after)} a month: ${difference(after.totalUsd - before.totalUsd)}`;
  return rows.length === 0 ? [verdict] : [...table(rows, 4).map((line) => `  ${line}`), verdict];
}
