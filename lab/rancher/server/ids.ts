/** Letters between the leading `1` and the number of an id. Source: recordings, facts §8. */
export const prefixes = {
  account: "a",
  certificate: "c",
  credential: "c",
  host: "h",
  instance: "i",
  network: "n",
  physicalHost: "ph",
  processInstance: "pi",
  projectMember: "pm",
  projectTemplate: "pt",
  service: "s",
  stack: "st",
} as const;

/** A kind of id. */
export type IdKind = keyof typeof prefixes;

/** `("stack", 7)` -> `1st7`; null stays null. */
export function formatId(kind: IdKind, id: number): string;
export function formatId(kind: IdKind, id: number | null): string | null;
export function formatId(kind: IdKind, id: number | null): string | null {
  return id === null ? null : `1${prefixes[kind]}${String(id)}`;
}

/**
 * The number in an id, or undefined when there is none. As lax as Rancher: any letters pass, so
 * `1s1` names stack 1 too; a bare number passes as well.
 */
export function parseId(text: unknown): number | undefined {
  if (typeof text === "number" && Number.isInteger(text)) return text;
  if (typeof text !== "string") return undefined;
  const match = /^(?:1[a-z]+)?(\d{1,15})$/i.exec(text);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
