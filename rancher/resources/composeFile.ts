/** Compose texts: what is wrong with them, and which services they name. Nothing here goes to the server. */
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { valueAt } from "../plugin/diff";
import type { Place } from "./checks";

/** The server's own limit on such a text is that of its database field: 16 MB. */
const MAX_LENGTH = 16_000_000;
/** A service with this label points at containers of others, and needs no image. */
const SELECTOR_LABEL = "io.rancher.service.selector.container";

/** Reports what the server would find wrong only when it executes the text. */
export function checkDockerCompose(place: Place): void {
  const parsed = checkText(place);
  if (parsed === undefined) return;
  const services = servicesIn(place, parsed);
  if (services === undefined) return;
  const names = Object.keys(services);
  if (names.length === 0) place.reject("must name at least one service");
  for (const name of names) {
    if (!/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(name)) {
      place.reject(
        `service ${JSON.stringify(name)} must have a name of 1 to 63 letters, digits and hyphens, with no hyphen at either end`,
      );
    }
    checkService(place, name, services[name]);
  }
}

/** Like {@link checkDockerCompose}, for the text that says how Rancher runs the same services. */
export function checkRancherCompose(place: Place): void {
  const parsed = checkText(place);
  if (parsed === undefined) return;
  for (const [name, service] of Object.entries(servicesIn(place, parsed) ?? {})) {
    if (name !== ".catalog" && service !== null && !isObject(service)) {
      place.reject(`service ${JSON.stringify(name)} must be a map`);
    }
  }
}

/**
 * Names of the services in a text; undefined when they cannot be told, because it is a template or not
 * valid.
 */
export function serviceNames(text: unknown): string[] | undefined {
  if (typeof text !== "string" || isTemplate(text)) return undefined;
  const parsed = parse(text);
  const { value } = parsed;
  if (!isObject(value)) return undefined;
  const services = isVersion2(parsed) ? value["services"] : value;
  return isObject(services) ? Object.keys(services).filter(isService) : undefined;
}

/** Names of the services that texts say are not started with their stack. */
export function restingServices(...texts: readonly unknown[]): string[] {
  return texts.flatMap((text) => {
    const names = serviceNames(text) ?? [];
    if (names.length === 0) return [];
    const parsed = parse(String(text));
    const path = isVersion2(parsed) ? ["services"] : [];
    return names.filter(
      (name) => valueAt(parsed.value, [...path, name, "start_on_create"]) === false,
    );
  });
}

/** The text without some of its services; everything else, comments too, stays as it is. */
export function withoutServices(text: string, names: readonly string[]): string {
  const parsed = parse(text);
  const { document } = parsed;
  const path = isVersion2(parsed) ? ["services"] : [];
  for (const name of names) document.deleteIn([...path, name]);
  return document.toString({ lineWidth: 0 });
}

interface Parsed {
  readonly document: Document;
  readonly value: unknown;
  /** What is wrong, with the line. Never quotes the text, which may hold passwords. */
  readonly problem?: string;
}

function parse(text: string): Parsed {
  const lines = new LineCounter();
  // Like the server: keys may come twice, the last one counts, and `<<` merges.
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    uniqueKeys: false,
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    const code = error.code.toLowerCase().replaceAll("_", " ");
    return { document, value: undefined, problem: `line ${line}: ${code}` };
  }
  try {
    return { document, value: document.toJS() as unknown };
  } catch {
    return { document, value: undefined, problem: "an alias has no anchor, or too many aliases" };
  }
}

/**
 * A text that is a map of a known version; reports anything else. Source: rancher-compose-executor,
 * `createRawConfig`: without a version a text is of version 1, and `version: '1'` would be a service.
 */
function checkText(place: Place): Parsed | undefined {
  place.text({ minLength: 1, maxLength: MAX_LENGTH });
  const text = place.value;
  if (typeof text !== "string" || text === "" || isTemplate(text)) return undefined;
  const parsed = parse(text);
  const { document, value, problem } = parsed;
  if (problem !== undefined) {
    place.reject(`is not valid YAML: ${problem}`);
    return undefined;
  }
  if (!isObject(value) || !isMap(document.contents)) {
    place.reject("must be a YAML map, as in services: {web: {image: nginx}}");
    return undefined;
  }
  const version = versionOf(parsed);
  if (version !== undefined && version !== "2") {
    const hint = version === "1" ? "leave version 1 out" : "write it for version '2'";
    place.reject(
      `has version ${JSON.stringify(version)}, but Rancher 1.6 knows only '2', and texts of version 1, which name none: ${hint}`,
    );
    return undefined;
  }
  return parsed;
}

function servicesIn(place: Place, parsed: Parsed): Record<string, unknown> | undefined {
  const services = isVersion2(parsed) ? valueAt(parsed.value, ["services"]) : parsed.value;
  if (services === undefined || services === null) {
    place.reject("must have a map called services, as in services: {web: {image: nginx}}");
    return undefined;
  }
  if (!isObject(services)) {
    place.reject("services must be a map, as in services: {web: {image: nginx}}");
    return undefined;
  }
  return Object.fromEntries(Object.entries(services).filter(([name]) => isService(name)));
}

function checkService(place: Place, name: string, service: unknown): void {
  const what = `service ${JSON.stringify(name)}`;
  if (!isObject(service)) {
    place.reject(`${what} must be a map with an image`);
    return;
  }
  const labels = service["labels"];
  const texts = Array.isArray(labels) ? labels : isObject(labels) ? Object.keys(labels) : [];
  const selects = texts.some((label) => String(label).split("=")[0] === SELECTOR_LABEL);
  const given = ["image", "build", "extends"].some(
    (key) => service[key] !== undefined && service[key] !== null && service[key] !== "",
  );
  const hint = name === "services" ? ": a map called services needs version: '2'" : "";
  if (!given && !selects) place.reject(`${what} must have an image or build${hint}`);
}

/** Rancher executes such a text as a Go template first; only it knows what comes out. */
function isTemplate(text: string): boolean {
  return text.includes("{{");
}

/** Version 2 has its services in a map of that name; before, they are at the top. */
function isVersion2(parsed: Parsed): boolean {
  return versionOf(parsed) === "2";
}

/** As it is written: 2.0 is not 2. */
function versionOf({ document, value }: Parsed): string | undefined {
  if (!isObject(value)) return undefined;
  const node = document.get("version", true);
  // A service may be called version.
  return isScalar(node) && node.value !== null ? (node.source ?? String(node.value)) : undefined;
}

/** Not `version` and what the catalog keeps there. */
function isService(name: string): boolean {
  return name !== "version" && !name.startsWith(".");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
