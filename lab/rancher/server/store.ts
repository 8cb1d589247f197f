/** One stored document: any JSON object with a number that is unique within its type. */
export interface StoredDocument {
  readonly type: string;
  readonly id: number;
  /** JSON text, ASCII only. */
  readonly json: string;
}

/**
 * Where the server keeps its state. The server holds everything in memory and writes every change
 * through; `load` runs once at start.
 */
export interface Store {
  /** Prepares storage for these types and reads every document. May wait for the database. */
  load(types: readonly string[]): Promise<StoredDocument[]>;
  /** Writes all documents or none. */
  write(documents: readonly StoredDocument[]): Promise<void>;
  close(): Promise<void>;
}

/** Keeps documents in memory: for tests (a second server may be started on the same one) and development. */
export class MemoryStore implements Store {
  private readonly documents = new Map<string, StoredDocument>();

  public load(): Promise<StoredDocument[]> {
    return Promise.resolve([...this.documents.values()]);
  }

  public write(documents: readonly StoredDocument[]): Promise<void> {
    for (const d of documents) this.documents.set(`${d.type}/${String(d.id)}`, d);
    return Promise.resolve();
  }

  public close(): Promise<void> {
    return Promise.resolve();
  }
}
