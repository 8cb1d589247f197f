/**
 * Faults on purpose, for tests only: what the lab's server can be made to do wrong, as real servers and
 * networks do. There is no HTTP endpoint for it: tests of the same process call {@link Faults.add}.
 */
import type { Database, Table } from "./database";
import type { Doc, HostDoc } from "./documents";

/** What happens to a request. Times are milliseconds. */
export type RequestEffect =
  /** The work is done at once, its answer comes `ms` later. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The work is done, no answer ever comes; the connection stays open. */
  | { readonly kind: "hang" }
  /** No work; this answer. The body is an error of Rancher's shape when none is given. */
  | { readonly kind: "status"; readonly status: number; readonly body?: unknown }
  /** No work; the connection is closed. */
  | { readonly kind: "drop" }
  /** The work is done, then the connection is closed without an answer. */
  | { readonly kind: "lose" }
  /**
   * The work is done, then the server goes: every connection is closed, agents' too, and new ones are
   * refused for `downMs`. It comes back on the same port with the same state.
   */
  | { readonly kind: "restart"; readonly downMs: number };

/** What happens to resources. Their names are `type:name`, see {@link faultName}. */
export type EngineEffect =
  /** Transitions of matching resources stay where they are. */
  | { readonly kind: "stuck"; readonly resource: RegExp; readonly states?: readonly string[] }
  /**
   * Transitions of matching resources fail: stacks and containers end in state `error`, all others stay
   * in their state with transitioning `error` and this message, and try again for ever.
   */
  | {
      readonly kind: "error";
      readonly resource: RegExp;
      readonly message: string;
      /** @default {@link failingStates} */
      readonly states?: readonly string[];
    };

/** A fault of requests. All conditions must hold; the first rule added that matches is used. */
export interface RequestRule {
  /** `POST`; without regard to case. @default every method */
  readonly method?: string;
  /** On the path without query, `/v2-beta/projects/1a5/stacks`. */
  readonly path: RegExp;
  /** Value of `?action=`; without regard to case. @default with and without */
  readonly action?: string;
  /** How many requests it hits. @default every one until the rule is removed */
  readonly times?: number;
  readonly do: RequestEffect;
}

/** A fault of the engine. */
export interface EngineRule {
  /** For `error`: how many times it makes a resource fail. @default for ever, until the rule is removed */
  readonly times?: number;
  readonly do: EngineEffect;
}

/** One fault. */
export type FaultRule = RequestRule | EngineRule;

/** One request as it came in. */
export interface SeenRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** Without question mark: `action=upgrade`. */
  readonly query: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** States in which `error` strikes unless the rule names others: on the way up, not back or away. */
export const failingStates: readonly string[] = [
  "registering",
  "activating",
  "updating-active",
  "updating-inactive",
  "upgrading",
  "finishing-upgrade",
  "creating",
  "starting",
];

/** How many requests are remembered. */
const remembered = 10_000;

/** How long a resource shows an error before it tries again. Milliseconds. */
const retryMs = 200;

/**
 * `service:web`, `loadBalancerService:lb`, `stack:wp`, `container:wp-web-1`, `host:<hostname>`,
 * `project:Default`, `apiKey:ci`, `registrationToken:`, `certificate:site`: the API's type and the name,
 * which is empty when there is none.
 */
export function faultName(table: { readonly type: string }, row: Doc): string {
  const type = ["account", "credential", "service"].includes(table.type)
    ? row.kind
    : table.type === "instance"
      ? "container"
      : table.type;
  const name = table.type === "host" ? (row as HostDoc).hostname : (row.name ?? "");
  return `${type}:${name}`;
}

const isEngineRule = (rule: FaultRule): rule is EngineRule =>
  rule.do.kind === "stuck" || rule.do.kind === "error";

/** The rules in force, and what was asked of the server. */
export class Faults {
  private rules: { readonly rule: FaultRule; left: number }[] = [];
  /** Resources that show an error of a rule, and until when. */
  private readonly failing = new Map<string, number>();
  /** The last 10000 requests, oldest first; agents' registrations are among them. */
  public readonly requests: SeenRequest[] = [];

  /** Puts a rule in force; the function that comes back removes it. */
  public add(rule: FaultRule): () => void {
    const entry = { rule, left: rule.times ?? Infinity };
    this.rules.push(entry);
    return () => {
      this.rules = this.rules.filter((r) => r !== entry);
    };
  }

  /** Removes every rule. */
  public clear(): void {
    this.rules = [];
  }

  /** Remembers a request and says what shall happen to it; counts the rule that it uses up. */
  public take(method: string, url: URL): RequestEffect | undefined {
    this.requests.push({
      method,
      path: url.pathname,
      query: url.search.replace(/^\?/, ""),
      at: Date.now(),
    });
    if (this.requests.length > remembered) this.requests.shift();
    const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
    for (const entry of this.rules) {
      const { rule } = entry;
      if (isEngineRule(rule) || entry.left <= 0) continue;
      if (rule.method !== undefined && !same(rule.method, method)) continue;
      if (!matches(rule.path, url.pathname)) continue;
      if (rule.action !== undefined && !same(rule.action, url.searchParams.get("action") ?? ""))
        continue;
      entry.left--;
      return rule.do;
    }
    return undefined;
  }

  /**
   * Whether the engine must leave the resource alone in this pass. Makes it fail when a rule says so, and
   * lets it go on (transitioning `yes`) when the rule is gone.
   */
  public holds<T extends Doc>(db: Database, table: Table<T>, row: T): boolean {
    if (this.rules.length === 0 && this.failing.size === 0) return false;
    const key = `${table.type}/${String(row.id)}`;
    const now = Date.now();
    const until = this.failing.get(key);
    const entry = this.engineRule(table, row);
    if (until !== undefined) {
      if (entry !== undefined && now < until) return true;
      // The real server shows `yes` again each time that it tries: for one pass here.
      this.failing.delete(key);
      if (row.transitioning === "error") db.setState(table, row, row.state, "yes");
      return entry !== undefined;
    }
    if (entry === undefined) return false;
    if (entry.effect.kind === "stuck") return true;
    if (entry.left <= 0) return false;
    entry.spend();
    const final = table.type === "stack" || table.type === "instance";
    db.setState(table, row, final ? "error" : row.state, "error", entry.effect.message);
    if (!final) this.failing.set(key, now + retryMs);
    return true;
  }

  private engineRule<T extends Doc>(
    table: Table<T>,
    row: T,
  ): { effect: EngineEffect; left: number; spend: () => void } | undefined {
    const name = faultName(table, row);
    for (const entry of this.rules) {
      const { rule } = entry;
      if (!isEngineRule(rule) || !matches(rule.do.resource, name)) continue;
      const states = rule.do.states ?? (rule.do.kind === "error" ? failingStates : undefined);
      if (states !== undefined && !states.includes(row.state)) continue;
      return { effect: rule.do, left: entry.left, spend: () => entry.left-- };
    }
    return undefined;
  }
}

/** Tests a pattern from its beginning, also when it is a global one that remembers its place. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
