/**
 * The recorded exchanges that the stand-in does not answer as recorded, and why that is so. One that is
 * listed and conforms fails the suite, as does one that differs and is not listed.
 */

/** Why some exchanges may be answered otherwise. */
export interface Exception {
  /**
   * `not needed`: the provider never makes this call, so nobody misses the answer. The stand-in answers
   * otherwise, or not at all.
   * `differs`: it makes this call, or could, and gets something else than from the real server. There is
   * none at present.
   */
  readonly verdict: "not needed" | "differs";
  /** Completes "the provider ..." when not needed; a whole sentence's worth of cause when it differs. */
  readonly why: string;
  /** Numbers and ranges of them, `2-5 66`. */
  readonly numbers: string;
}

const notNeeded = (numbers: string, why: string): Exception => ({
  verdict: "not needed",
  why: `the provider never ${why}`,
  numbers,
});

/** All of them, each number at most once. */
export const exceptions: readonly Exception[] = [
  notNeeded("2-5 66-67 412", "reads the API's index"),
  notNeeded(
    "9 79-89 91-106 108-112 114-125 129-134 136-145 147-148",
    "reads schemas: it carries the server's limits with it",
  ),
  notNeeded("15", "lists settings: it reads one by its name"),
  notNeeded("24", "asks for the browser's page"),
  notNeeded("167 333", "includes linked resources in an answer"),
  notNeeded(
    "170 227 338",
    "lists all containers, nor deletes or polls one: it reads them through their service or host",
  ),
  notNeeded("234-235 416 418-420", "opens a container's log, shell or statistics"),
  notNeeded("263", "downloads a stack's compose files"),
  notNeeded("313", "uses the old API, v1"),
  notNeeded("340-342", "reads logs of services, audits or processes"),
  notNeeded("356-357", "makes accounts or passwords"),
  notNeeded("371", "subscribes to events: it polls"),
];

/** The exceptions by number. */
export function exceptionsByNumber(): Map<number, Exception> {
  const found = new Map<number, Exception>();
  for (const exception of exceptions) {
    for (const part of exception.numbers.split(" ")) {
      const [first = NaN, last = first] = part.split("-").map(Number);
      for (let number = first; number <= last; number++) {
        if (found.has(number)) throw new Error(`${String(number)} has two reasons`);
        found.set(number, exception);
      }
    }
  }
  return found;
}
