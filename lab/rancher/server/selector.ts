/**
 * Whether labels meet a selector: requirements separated by commas, each `key`, `key=value`, `key!=value`,
 * `key in (a, b)` or `key notin (a, b)`. An empty selector meets nothing. Source: Rancher 1.6's
 * documentation of selector links.
 */
export function meetsSelector(selector: string, labels: Readonly<Record<string, string>>): boolean {
  const requirements = selector
    .split(/,(?![^(]*\))/)
    .map((text) => text.trim())
    .filter((text) => text !== "");
  return requirements.length > 0 && requirements.every((text) => meets(text, labels));
}

function meets(requirement: string, labels: Readonly<Record<string, string>>): boolean {
  const set = /^(\S+)\s+(in|notin)\s*\((.*)\)$/i.exec(requirement);
  if (set !== null) {
    const [, key = "", operator = "", list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    const found = labels[key] !== undefined && values.includes(labels[key]);
    return found === (operator.toLowerCase() === "in");
  }
  const [, key = "", operator, value = ""] =
    /^([^!=\s]+)\s*(!=|=)?\s*(.*)$/.exec(requirement) ?? [];
  if (operator === undefined) return labels[key] !== undefined;
  return (labels[key] === value) === (operator === "=");
}
