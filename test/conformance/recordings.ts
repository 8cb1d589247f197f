/** The recorded exchanges: one file each, named by number in the order they were made. */
import * as fs from "node:fs";
import * as path from "node:path";

/** Where they are: beside the clone. They are not part of this repository. */
export const recordingsFolder = path.resolve(__dirname, "../../../shared/rancher-recordings");

/** A JSON object. */
export type Body = Readonly<Record<string, unknown>>;

/** What was sent. Authorization is redacted: {@link Identity} says who it was. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string when it was not JSON. */
  readonly body?: unknown;
}

/** What was answered. */
export interface RecordedResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** One look of a poll, kept when something was new. */
export interface RecordedLook {
  readonly state?: string | null;
  readonly transitioning?: string | null;
  readonly status?: number;
  /** true on the last one when the recorder gave up waiting. */
  readonly timeout?: boolean;
}

/** One file. A poll has a timeline and a final answer instead of a response. */
export interface Recording {
  /** `150` */
  readonly number: number;
  /** `150-stack-create-poll` */
  readonly title: string;
  readonly request: RecordedRequest;
  readonly response?: RecordedResponse;
  readonly timeline?: readonly RecordedLook[];
  readonly final?: RecordedResponse;
}

/** All of them, in file order; undefined when the folder is not there. */
export function readRecordings(): Recording[] | undefined {
  if (!fs.existsSync(recordingsFolder)) return undefined;
  return fs
    .readdirSync(recordingsFolder)
    .filter((file) => /^\d{3}-.*\.json$/.test(file))
    .sort()
    .map((file) => {
      const text = fs.readFileSync(path.join(recordingsFolder, file), "utf8");
      const title = path.basename(file, ".json");
      return { ...(JSON.parse(text) as Recording), title, number: Number(title.slice(0, 3)) };
    });
}
