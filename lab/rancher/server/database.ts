import { randomUUID } from "node:crypto";
import type {
  AccountDoc,
  CertificateDoc,
  CredentialDoc,
  Doc,
  HostDoc,
  InstanceDoc,
  ProjectMemberDoc,
  ProjectTemplateDoc,
  ServiceDoc,
  SettingDoc,
  StackDoc,
  TokenDoc,
} from "./documents";
import type { Store, StoredDocument } from "./store";

/** Only ASCII leaves, so that any database character set keeps it unchanged. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** All documents of one type, in memory, written through. */
export class Table<T extends { readonly id: number; removed?: number | null }> {
  private readonly rows = new Map<number, T>();
  /** Rows that are not removed, because the engine walks them all the time. */
  private readonly alive = new Map<number, T>();
  private nextId = 1;

  public constructor(
    public readonly type: string,
    private readonly changed: (type: string, row: T) => void,
  ) {}

  /** For loading only. */
  public restore(row: T): void {
    this.put(row);
  }

  public get(id: number | null | undefined): T | undefined {
    return id === null || id === undefined ? undefined : this.rows.get(id);
  }

  /** Every row by id, removed ones included. */
  public all(): T[] {
    return [...this.rows.values()];
  }

  /** Rows that are not removed, by id. */
  public live(): T[] {
    return [...this.alive.values()];
  }

  /** Stores a new row under the next free id; ids are never used twice. */
  public insert(row: Omit<T, "id">, id?: number): T {
    const made = { id: id ?? this.nextId, ...row } as unknown as T;
    this.put(made);
    this.changed(this.type, made);
    return made;
  }

  /** Changes a row; nothing is written when the values are the same. */
  public update(row: T, change: Partial<T>): void {
    let different = false;
    for (const [key, value] of Object.entries(change)) {
      const old = (row as Record<string, unknown>)[key];
      if (old === value) continue;
      if (typeof value === "object" && JSON.stringify(old) === JSON.stringify(value)) continue;
      (row as Record<string, unknown>)[key] = value;
      different = true;
    }
    if (!different) return;
    this.put(row);
    this.changed(this.type, row);
  }

  private put(row: T): void {
    this.rows.set(row.id, row);
    if (row.removed === null || row.removed === undefined) this.alive.set(row.id, row);
    else this.alive.delete(row.id);
    this.nextId = Math.max(this.nextId, row.id + 1);
  }
}

/** Whether the change would make any difference to the row. */
export function differs<T extends object>(row: T, change: Partial<T>): boolean {
  return (Object.keys(change) as (keyof T)[]).some(
    (field) => JSON.stringify(change[field]) !== JSON.stringify(row[field]),
  );
}

/** Fields of a {@link Doc} that a caller need not give when making one. */
export function newDoc(kind: string, state: string, accountId: number | null): Omit<Doc, "id"> {
  const now = Date.now();
  return {
    uuid: randomUUID(),
    kind,
    name: null,
    description: null,
    state,
    stateSince: now,
    accountId,
    created: now,
    removed: null,
    transitioning: "yes",
    transitioningMessage: "In Progress",
    transitioningProgress: null,
  };
}

/** Everything the server knows. */
export class Database {
  // These three come first: the tables below register themselves here.
  private readonly tables = new Map<string, Table<{ readonly id: number }>>();
  private dirty = new Map<string, { type: string; row: { readonly id: number } }>();
  private readonly listeners: ((type: string, row: unknown) => void)[] = [];

  public readonly accounts = this.table<AccountDoc>("account");
  public readonly credentials = this.table<CredentialDoc>("credential");
  public readonly certificates = this.table<CertificateDoc>("certificate");
  public readonly hosts = this.table<HostDoc>("host");
  public readonly stacks = this.table<StackDoc>("stack");
  public readonly services = this.table<ServiceDoc>("service");
  public readonly instances = this.table<InstanceDoc>("instance");
  public readonly settings = this.table<SettingDoc>("setting");
  public readonly projectMembers = this.table<ProjectMemberDoc>("projectMember");
  public readonly projectTemplates = this.table<ProjectTemplateDoc>("projectTemplate");
  public readonly tokens = this.table<TokenDoc>("token");

  private writing: Promise<void> | undefined;

  public constructor(
    private readonly store: Store,
    private readonly log: (line: string) => void,
  ) {}

  /** Reads everything from the store. */
  public async load(): Promise<void> {
    for (const d of await this.store.load([...this.tables.keys()])) {
      this.tables.get(d.type)?.restore(JSON.parse(d.json) as { id: number });
    }
  }

  /** Calls `listener` on each change, after it is in memory. */
  public onChange(listener: (type: string, row: unknown) => void): void {
    this.listeners.push(listener);
  }

  /** Moves a document to a state and marks it transitioning or not. */
  public setState<T extends Doc>(
    table: Table<T>,
    row: T,
    state: string,
    transitioning: "yes" | "no" | "error" = "no",
    message: string | null = transitioning === "yes" ? "In Progress" : null,
    more: Partial<T> = {},
  ): void {
    table.update(row, {
      state,
      stateSince: row.state === state ? row.stateSince : Date.now(),
      transitioning,
      transitioningMessage: message,
      ...more,
    } as Partial<T>);
  }

  /** Resolves when everything changed so far is in the store; a failing store is tried again for ever. */
  public async flush(): Promise<void> {
    while (this.dirty.size > 0 || this.writing !== undefined) {
      this.writing ??= this.writeDirty().finally(() => {
        this.writing = undefined;
      });
      await this.writing;
    }
  }

  private async writeDirty(): Promise<void> {
    const batch = this.dirty;
    this.dirty = new Map();
    const documents: StoredDocument[] = [...batch.values()].map(({ type, row }) => ({
      type,
      id: row.id,
      json: asciiJson(row),
    }));
    if (documents.length === 0) return;
    for (let failed = false; ; failed = true) {
      try {
        await this.store.write(documents);
        if (failed) this.log("the database answers again");
        return;
      } catch (e) {
        if (!failed)
          this.log(
            `cannot write to the database, trying again: ${e instanceof Error ? e.message : String(e)}`,
          );
        await new Promise((r) => setTimeout(r, 500));
      }
    }
  }

  private table<T extends { readonly id: number; removed?: number | null }>(
    type: string,
  ): Table<T> {
    const table = new Table<T>(type, (t, row) => {
      this.dirty.set(`${t}/${String(row.id)}`, { type: t, row });
      // Written soon even when no request waits for it.
      if (this.dirty.size === 1) setImmediate(() => void this.flush());
      for (const listener of this.listeners) listener(t, row);
    });
    this.tables.set(type, table as unknown as Table<{ readonly id: number }>);
    return table;
  }
}
