/**
 * Comparing what a program declared with what the server has. Only declared fields count: the server
 * adds many of its own (types, versions, defaults, a load balancer's health check and labels).
 */

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The server stores 'nothing' as null, an empty text, an empty list or map, or false. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** True when every declared field has its declared value on the server. */
export function matches(declared: unknown, actual: unknown): boolean {
  if (declared === undefined) return true;
  if (isEmpty(declared)) return isEmpty(actual) || isObject(declared);
  if (Array.isArray(declared)) {
    return (
      Array.isArray(actual) &&
      declared.length === actual.length &&
      declared.every((item, i) => matches(item, actual[i]))
    );
  }
  if (isObject(declared)) {
    return isObject(actual) && Object.entries(declared).every(([k, v]) => matches(v, actual[k]));
  }
  return declared === actual;
}

/** The declared fields as they are on the server; what matches is repeated exactly as declared. */
export function observed(declared: unknown, actual: unknown): unknown {
  if (matches(declared, actual)) return declared;
  if (isObject(declared) && isObject(actual)) {
    const fields = Object.entries(declared).map(([k, v]): [string, unknown] => [
      k,
      observed(v, actual[k]),
    ]);
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  }
  if (Array.isArray(declared) && Array.isArray(actual) && declared.length === actual.length) {
    return declared.map((item, i) => observed(item, actual[i]));
  }
  return plain(actual);
}

/** The inputs with some properties, where they are declared, as they are on the server. */
export function observedInputs(
  inputs: Readonly<Record<string, unknown>>,
  names: readonly string[],
  actual: unknown,
): Record<string, unknown> {
  const found = actual as Record<string, unknown>;
  const seen = Object.entries(inputs).map(([key, value]): [string, unknown] => [
    key,
    names.includes(key) ? observed(value, found[key]) : value,
  ]);
  return Object.fromEntries(seen.filter(([, value]) => value !== undefined));
}

/** A server's value as a program would write it: without nulls and `type` fields. */
export function plain(actual: unknown): unknown {
  if (actual === null) return undefined;
  if (Array.isArray(actual)) return actual.map(plain);
  if (!isObject(actual)) return actual;
  const fields = Object.entries(actual).map(([k, v]): [string, unknown] => [k, plain(v)]);
  return Object.fromEntries(fields.filter(([k, v]) => k !== "type" && v !== undefined));
}

/** {@link plain}, and without the fields that have the given default or are empty. */
export function withoutDefaults(
  actual: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const fields = Object.entries(plain(actual) as Record<string, unknown>);
  return Object.fromEntries(fields.filter(([k, v]) => !isEmpty(v) && defaults[k] !== v));
}
