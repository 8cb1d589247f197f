/**
 * The recorded exchanges that the stand-in does not answer as recorded, and why that is so. One that is
 * listed and conforms fails the suite, as does one that differs and is not listed.
 */

/** Why some exchanges may be answered otherwise. */
export interface Exception {
  /**
   * `not needed`: the provider never makes this call, so nobody misses the answer.
   * `differs`: it makes this call, or could, and gets something else than from the real server.
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
const differs = (numbers: string, why: string): Exception => ({ verdict: "differs", why, numbers });

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
    "lists, deletes or polls containers: it reads them through their service or host",
  ),
  notNeeded("172 253 256 260 270", "follows a stack's link to services: it filters by stackId"),
  notNeeded("234-235 416 418-420", "opens a container's log, shell or statistics"),
  notNeeded("263", "downloads a stack's compose files"),
  notNeeded("313", "uses the old API, v1"),
  notNeeded("317 323-324", "asks for an order"),
  notNeeded("327 329-330", "filters by anything but equality of a known field"),
  notNeeded("331 337", "lists services without naming one, nor makes external ones or aliases"),
  notNeeded("334-336", "asks for another page size than 100"),
  notNeeded("340-342", "reads logs of services, audits or processes"),
  notNeeded("356-357", "makes accounts or passwords"),
  notNeeded("371", "subscribes to events: it polls"),
  differs("30-31", "instanceIds is null: the stand-in's system stacks run no containers on hosts"),
  differs(
    "238",
    "the recorder's simulator let the start of a made container fail, the stand-in's agent the pull of " +
      "its image: the container has an address and no externalId",
  ),
  differs(
    "252 255 257-259 268-269 271-272",
    "the stand-in does not read compose files: such a stack ends in state error",
  ),
  differs(
    "276",
    "externalId: the recorder's system stacks came from no catalog, the stand-in's do",
  ),
  differs(
    "351",
    "healthState: a new environment gets system stacks in the lab, which are not healthy without hosts",
  ),
  differs("355", "the stand-in keeps no certificates: its answer is 404"),
  differs(
    "370",
    "how many of a removed stack's services are still there is a matter of moments: one then, here all or none",
  ),
  differs("405-407", "publicEndpoints is null: no composed stack runs on the host (see 252)"),
  differs(
    "408-409",
    "a host that is being removed lists its containers to the end; the stand-in forgets them at once",
  ),
  differs(
    "410",
    "instanceIds and publicEndpoints are null: neither system stacks nor composed ones (see 252) run",
  ),
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
