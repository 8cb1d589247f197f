import { invalid } from "../errors";

/** A JSON object. */
export type Body = Record<string, unknown>;

/** True for a JSON object (not null, not an array). */
export function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string; numbers and booleans are converted as Rancher does. null when absent. Else 422 InvalidFormat. */
export function optionalString(body: Body, field: string, maxLength = 255): string | null {
  const value = body[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") throw invalid("InvalidFormat", field);
  if (value.length > maxLength) throw invalid("MaxLengthExceeded", field);
  return value;
}

/** Required DNS-like name of stacks and services: 1 to 63 of a-z, A-Z, 0-9 and inner hyphens. */
export function requiredName(body: Body, field = "name"): string {
  const value = optionalString(body, field, 100_000);
  if (value === null) throw invalid("MissingRequired", field);
  if (value === "") throw invalid("MinLengthExceeded", field);
  if (value.length > 63) throw invalid("MaxLengthExceeded", field);
  if (!/^[a-zA-Z0-9-]+$/.test(value) || /^-|-$/.test(value))
    throw invalid("InvalidCharacters", field);
  return value;
}

/** A whole number within limits, or null when absent. */
export function optionalInt(
  body: Body,
  field: string,
  min = -Infinity,
  max = Infinity,
): number | null {
  const value = body[field];
  if (value === undefined || value === null) return null;
  const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number))
    throw invalid("InvalidFormat", field);
  if (number < min) throw invalid("MinLimitExceeded", field);
  if (number > max) throw invalid("MaxLimitExceeded", field);
  return number;
}

/** A boolean, or null when absent; "true" and "false" pass. */
export function optionalBoolean(body: Body, field: string): boolean | null {
  const value = body[field];
  if (value === undefined || value === null) return null;
  if (value === true || value === "true") return true;
  if (value === false || value === "false") return false;
  throw invalid("InvalidFormat", field);
}

/** A map of strings, or null when absent. */
export function optionalStringMap(body: Body, field: string): Record<string, string> | null {
  const value = body[field];
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw invalid("InvalidFormat", field);
  const out: Record<string, string> = {};
  for (const [key, v] of Object.entries(value)) {
    if (v !== null && typeof v === "object") throw invalid("InvalidFormat", field);
    out[key] = v === null || v === undefined ? "" : String(v as string | number | boolean);
  }
  return out;
}

/** A list of strings, or null when absent. */
export function optionalStringList(body: Body, field: string): string[] | null {
  const value = body[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) throw invalid("InvalidFormat", field);
  return value.map((v) => {
    if (v !== null && typeof v === "object") throw invalid("InvalidFormat", field);
    return String(v as string);
  });
}
