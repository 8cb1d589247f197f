/** What the lab's stand-ins for Pulumi's plugins have in common. */
import { randomBytes } from "node:crypto";
import type { Problem, Props, ProviderDefinition } from "../../rancher/plugin/types";
import { UNKNOWN } from "../../rancher/plugin/types";
import { formatPath, type Step } from "../../rancher/plugin/diff";

/** What an input may be: a scalar, a map of strings, anything, a list of one shape, or an object. */
export type Shape =
  | "string"
  | "number"
  | "boolean"
  | "map"
  | "any"
  | readonly [Shape]
  | { readonly [name: string]: Shape };

/** The inputs that a stand-in implements. */
export interface Inputs {
  readonly shape: Readonly<Record<string, Shape>>;
  /** @default [] */
  readonly required?: readonly string[];
  /** The input that gets the resource's name and a random suffix when left out, as Pulumi does. */
  readonly autoName?: string;
}

/** The `check` of a resource: it rejects every input the stand-in does not implement. */
export function checkInputs(
  type: string,
  spec: Inputs,
): (
  inputs: Props,
  old: Props | undefined,
  call: { urn: string },
) => { inputs: Props; problems: Problem[] } {
  return (inputs, old, { urn }) => {
    const problems = Object.entries(inputs).flatMap(([name, value]) =>
      shapeProblems(type, value, spec.shape[name], [name]),
    );
    for (const name of spec.required ?? []) {
      if (inputs[name] === undefined) {
        problems.push({ path: name, reason: `${type} needs this input, but it is missing` });
      }
    }
    const named = spec.autoName;
    if (named === undefined || inputs[named] !== undefined) return { inputs, problems };
    const name = urn.split("::").at(-1) ?? "";
    const made = old?.[named] ?? `${name}-${randomBytes(4).toString("hex").slice(1)}`;
    // Pulumi's own plugins note here what they filled in; the engine does not show it.
    return { inputs: { ...inputs, [named]: made, __defaults: [named] }, problems };
  };
}

function shapeProblems(
  type: string,
  value: unknown,
  shape: Shape | undefined,
  path: readonly Step[],
): Problem[] {
  const problem = (reason: string): Problem[] => [{ path: formatPath(path), reason }];
  if (shape === undefined) {
    return problem(`the lab's stand-in for ${type} does not implement this input`);
  }
  if (value === UNKNOWN || value === undefined || shape === "any") return [];
  if (typeof shape === "string" && shape !== "map") {
    return typeof value === shape ? [] : problem(`must be a ${shape}, got a ${typeof value}`);
  }
  if (shape instanceof Array) {
    if (!Array.isArray(value)) return problem(`must be a list, got a ${typeof value}`);
    return value.flatMap((item, i) => shapeProblems(type, item, shape[0], [...path, i]));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return problem(`must be an object, got a ${Array.isArray(value) ? "list" : typeof value}`);
  }
  return Object.entries(value).flatMap(([name, item]) =>
    shapeProblems(type, item, shape === "map" ? "string" : (shape as Record<string, Shape>)[name], [
      ...path,
      name,
    ]),
  );
}

/** A stand-in's definition, carrying the name and version of the npm package it stands in for. */
export function standIn<C>(
  name: string,
  version: string,
  rest: Pick<
    ProviderDefinition<C>,
    "configure" | "resources" | "functions" | "close" | "checkConfig"
  >,
): ProviderDefinition<C> {
  return {
    name,
    version,
    title: `the lab's stand-in for the ${name} plugin`,
    schema: JSON.stringify({ name, version, provider: {}, resources: {} }),
    ...rest,
  };
}

/** Waits, or rejects when the signal aborts. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

// Readers of checked inputs: the shape has been verified, only its type is not known here.

/** A string input, or undefined. */
export function text(props: Props, name: string): string | undefined {
  const value = props[name];
  return typeof value === "string" ? value : undefined;
}

/** A string input that check made sure of. */
export function mustText(props: Props, name: string): string {
  const value = text(props, name);
  if (value === undefined) throw new Error(`input ${name} is missing`);
  return value;
}

/** A number input, or undefined. */
export function number(props: Props, name: string): number | undefined {
  const value = props[name];
  return typeof value === "number" ? value : undefined;
}

/** A boolean input, or undefined. Provider settings arrive as `"true"` and `"false"`. */
export function flag(props: Props, name: string): boolean | undefined {
  const value = props[name];
  if (value === "true" || value === "false") return value === "true";
  return typeof value === "boolean" ? value : undefined;
}

/** A list of strings; empty when absent. */
export function texts(props: Props, name: string): string[] {
  const value = props[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** A list of objects; empty when absent. */
export function objects(props: Props, name: string): Props[] {
  const value = props[name];
  return Array.isArray(value) ? (value as Props[]) : [];
}

/** An object input, or undefined. */
export function object(props: Props, name: string): Props | undefined {
  const value = props[name];
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Props)
    : undefined;
}

/** A map of strings; empty when absent. */
export function map(props: Props, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object(props, name) ?? {}).map(([key, value]) => [key, String(value)]),
  );
}
