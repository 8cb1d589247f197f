/** Collects what is wrong with a resource's inputs: every problem at once, each with its path. */
import { formatPath, type Step } from "../plugin/diff";
import { type Problem, type Props, UNKNOWN } from "../plugin/types";

/** A place in the inputs: its path and its value. Each method reports what is wrong with the value. */
export class Place {
  constructor(
    readonly value: unknown,
    private readonly path: readonly Step[],
    private readonly problems: Problem[],
  ) {}

  /** Reports a problem here. */
  reject(reason: string): void {
    this.problems.push({ path: formatPath(this.path), reason });
  }

  /** The place of a property or element of this one. */
  at(step: Step): Place {
    const container = this.value as Record<Step, unknown> | undefined;
    return new Place(container?.[step], [...this.path, step], this.problems);
  }

  /** True when there is a value and it is known; reports a missing one if it is required. */
  present(required = false): boolean {
    if (this.value === UNKNOWN) return false;
    if (this.value !== undefined && this.value !== null) return true;
    if (required) this.reject("is required");
    return false;
  }

  /** True when the value is present and an object. */
  isObject(required = false): boolean {
    if (!this.present(required)) return false;
    if (typeof this.value === "object" && !Array.isArray(this.value)) return true;
    this.reject(`must be an object, not ${kindOf(this.value)}`);
    return false;
  }

  /** The elements of a list; empty when there is none or it is no list. */
  elements(required = false): Place[] {
    if (!this.present(required)) return [];
    if (Array.isArray(this.value)) return this.value.map((_, i) => this.at(i));
    this.reject(`must be a list, not ${kindOf(this.value)}`);
    return [];
  }

  /** The properties of an object; empty when there is none or it is no object. */
  entries(required = false): [string, Place][] {
    if (!this.isObject(required)) return [];
    return Object.keys(this.value as Props).map((key) => [key, this.at(key)]);
  }

  /** Reports properties that are not in the table, with the nearest name that is. */
  onlyKnown(known: readonly string[]): void {
    for (const [key, place] of this.entries()) {
      if (known.includes(key)) continue;
      const near = nearest(key, known);
      place.reject(
        `is not a field that Rancher knows${near === undefined ? "" : `: did you mean ${near}?`}`,
      );
    }
  }

  /** A text of some length. A required one is not empty. */
  text({
    required = false,
    minLength = required ? 1 : 0,
    maxLength = Infinity,
  }: { required?: boolean; minLength?: number; maxLength?: number } = {}): void {
    if (!this.present(required)) return;
    if (typeof this.value !== "string") this.reject(`must be a string, not ${kindOf(this.value)}`);
    else if (minLength > 0 && this.value === "") this.reject("must not be empty");
    else if (this.value.length > maxLength) {
      this.reject(`must have at most ${maxLength} characters, has ${this.value.length}`);
    }
  }

  /** A name of a stack or service, by the server's own rule. */
  name(): void {
    this.text({ required: true });
    if (typeof this.value !== "string" || this.value === "") return;
    if (this.value.length > 63 || !/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/.test(this.value)) {
      this.reject(
        `must be 1 to 63 letters, digits and hyphens, with no hyphen at either end, got ${JSON.stringify(this.value)}`,
      );
    }
  }

  /** A whole number, within bounds where there are any. */
  whole({
    required = false,
    min = -Infinity,
    max = Infinity,
  }: { required?: boolean; min?: number; max?: number } = {}): void {
    if (!this.present(required)) return;
    const bounds = max === Infinity ? ` of ${min} or more` : ` from ${min} to ${max}`;
    const range = min === -Infinity ? "" : bounds;
    const { value } = this;
    if (typeof value !== "number")
      this.reject(`must be a whole number${range}, not ${kindOf(value)}`);
    else if (!Number.isInteger(value) || value < min || value > max) {
      this.reject(`must be a whole number${range}, got ${value}`);
    }
  }

  /** True or false. */
  flag(): void {
    if (this.present() && typeof this.value !== "boolean") {
      this.reject(`must be true or false, not ${kindOf(this.value)}`);
    }
  }

  /** One of a few words. */
  oneOf(words: readonly string[]): void {
    if (this.present() && !words.includes(this.value as string)) {
      this.reject(`must be one of ${words.join(", ")}, got ${JSON.stringify(this.value)}`);
    }
  }

  /** A map with texts as values; numbers and booleans are allowed because they are turned into text. */
  textMap({ required = false }: { required?: boolean } = {}): void {
    for (const [, place] of this.entries(required)) {
      if (place.present() && typeof place.value === "object") {
        place.reject(`must be a string, not ${kindOf(place.value)}`);
      }
    }
  }
}

/** The inputs as a place, and the list in which their problems are collected. */
export function inspect(inputs: Props): { place: Place; problems: Problem[] } {
  const problems: Problem[] = [];
  return { place: new Place(inputs, [], problems), problems };
}

/** Reports properties of a resource that it does not have. */
export function onlyProperties(place: Place, known: readonly string[]): void {
  for (const [key, property] of place.entries()) {
    if (!known.includes(key)) {
      const near = nearest(key, known);
      property.reject(`is not a property${near === undefined ? "" : `: did you mean ${near}?`}`);
    }
  }
}

/** Numbers and booleans in a map as the text that the server makes of them. */
export function textValues(map: unknown): unknown {
  if (map === null || typeof map !== "object" || Array.isArray(map)) return map;
  return Object.fromEntries(
    Object.entries(map).map(([key, value]): [string, unknown] => [
      key,
      typeof value === "number" || typeof value === "boolean" ? String(value) : value,
    ]),
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "nothing";
  return { string: "a string", number: "a number", boolean: "a boolean", object: "an object" }[
    typeof value as "string" | "number" | "boolean" | "object"
  ];
}

/** The known word that a misspelt one most likely means. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({
      candidate,
      distance: distance(word.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, word.length / 3)
    ? best.candidate
    : undefined;
}

/** Number of single-letter edits between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
