/** What `pulumi preview --json` says, as far as a comment needs it. */

/** The part of a resource's state that is looked at. */
export interface State {
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** URNs that each input came from. */
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
}

/** One planned operation. */
export interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: State;
  readonly newState?: State;
  readonly replaceReasons?: readonly string[] | null;
  readonly detailedDiff?: Readonly<
    Record<string, { readonly kind: string; readonly inputDiff: boolean }>
  > | null;
}

/** One policy that a resource breaks. */
export interface Violation {
  readonly policy: string;
  readonly message: string;
  /** The resource's name; empty when it is about the whole stack. */
  readonly resource: string;
  /** Whether it stops the deployment. */
  readonly isMandatory: boolean;
}

/** A whole preview. */
export interface Plan {
  readonly steps: readonly Step[];
  /** What went wrong, in order, each once. Empty means that the preview is whole. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly violations: readonly Violation[];
  /** Number of resources by operation. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What a run of the CLI left. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The engine's log of events, a line each. @default none */
  readonly events?: string;
}

interface Digest {
  readonly steps?: readonly Step[] | null;
  readonly diagnostics?:
    | readonly { readonly message?: string; readonly severity?: string; readonly urn?: string }[]
    | null;
  readonly changeSummary?: Readonly<Record<string, number>> | null;
}

/** The logical name at the end of a URN. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** The resource's own type, without those of its parents. */
export function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").pop() ?? "";
}

/** Operations that change nothing, or repeat what another step of the same resource says. */
const silent = new Set(["same", "read", "refresh", "read-discard", "discard-replaced"]);

/** The steps that change something, without the second and third of a replacement. */
export function changing(steps: readonly Step[]): readonly Step[] {
  const loud = steps.filter(({ op }) => !silent.has(op));
  const replaced = new Set(
    loud.flatMap(({ op, urn }) => (op === "replace" || op.endsWith("-replacement") ? [urn] : [])),
  );
  const told = new Set<string>();
  return loud.flatMap((step) => {
    if (!replaced.has(step.urn)) return [step];
    if (told.has(step.urn)) return [];
    told.add(step.urn);
    const parts = loud.filter(({ urn }) => urn === step.urn);
    const whole = parts.find(({ op }) => op === "replace") ?? step;
    const oldState = whole.oldState ?? parts.find((part) => part.oldState)?.oldState;
    const newState = whole.newState ?? parts.find((part) => part.newState)?.newState;
    return [
      {
        ...whole,
        op: "replace",
        ...(oldState === undefined ? {} : { oldState }),
        ...(newState === undefined ? {} : { newState }),
      },
    ];
  });
}

/** The JSON of a text that may have lines before it. */
function parseDigest(text: string): Digest | undefined {
  const start = text.search(/^\{/m);
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start)) as Digest;
  } catch {
    return undefined;
  }
}

function clean(message: string | undefined): string {
  return (message ?? "").replace(/^(error|warning): /, "").trim();
}

/** Each text once, without empty ones and those that a longer one contains. */
function distinct(texts: readonly string[]): readonly string[] {
  const once = [...new Set(texts)].filter((text) => text !== "");
  return once.filter((text) => !once.some((other) => other !== text && other.includes(text)));
}

interface PolicyEvent {
  readonly policyName?: string;
  readonly message?: string;
  readonly resourceUrn?: string;
  readonly enforcementLevel?: string;
}

/** The violations in the engine's log: `preview --json` leaves them out (pulumi, display/json.go). */
function violationsIn(events: string): readonly Violation[] {
  const found = events.split("\n").flatMap((line) => {
    if (!line.includes('"policyEvent"')) return [];
    const { policyEvent } = JSON.parse(line) as { policyEvent?: PolicyEvent };
    if (policyEvent === undefined) return [];
    const { policyName, message, resourceUrn, enforcementLevel } = policyEvent;
    return [
      {
        policy: policyName ?? "",
        message: (message ?? "").trim(),
        resource: resourceUrn === undefined ? "" : nameOf(resourceUrn),
        isMandatory: enforcementLevel === "mandatory",
      },
    ];
  });
  return [...new Map(found.map((one) => [JSON.stringify(one), one])).values()];
}

/** Reads what a preview left. One that failed without a word is an error, too. */
export function readPlan({ code, stdout, stderr, events = "" }: Ran): Plan {
  const digest = parseDigest(stdout);
  const diagnostics = digest?.diagnostics ?? [];
  const told = (severity: string) =>
    distinct(
      diagnostics
        .filter((one) => one.severity === severity)
        .map(({ message, urn }) =>
          urn === undefined || urn === "" || typeOf(urn) === "pulumi:pulumi:Stack"
            ? clean(message)
            : `${nameOf(urn)}: ${clean(message)}`,
        ),
    );
  const violations = violationsIn(events);
  const errors = told("error");
  const isSilent = code !== 0 && errors.length === 0 && !violations.some((one) => one.isMandatory);
  // What the CLI complains of itself, such as a wrong passphrase, is no diagnostic.
  const complaint = clean(stderr) || clean(digest === undefined ? stdout : "");
  return {
    steps: digest?.steps ?? [],
    errors: isSilent ? [complaint || `pulumi preview ended with ${code} and said nothing`] : errors,
    warnings: told("warning"),
    violations,
    counts: digest?.changeSummary ?? {},
  };
}
