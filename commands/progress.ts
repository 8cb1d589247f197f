/** Progress of slow steps: one line that is rewritten on a terminal, a line now and then elsewhere. */
import { Transform } from "node:stream";

/** How often a step tells how far it is, in milliseconds. */
const TERMINAL_MILLIS = 500;
const PLAIN_MILLIS = 15_000;

/** Bytes for people: `640 B`, `1.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ""}`;
}

/** Counts what flows through it. */
export class Meter extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, data: Buffer) => void) {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

/**
 * Runs a step and shows on the error stream that it goes on.
 *
 * @param how tells how far it is, such as `1.4 MB of 2.0 MB`
 */
export async function step<T>(
  name: string,
  work: () => Promise<T>,
  how: () => string = () => "",
): Promise<T> {
  const { stderr } = process;
  const isTerminal = stderr.isTTY;
  const began = Date.now();
  const line = (state: string) => {
    const seconds = Math.round((Date.now() - began) / 1000);
    return [`${name}: ${state}`, how(), `${seconds} s`].filter((part) => part !== "").join(", ");
  };
  const show = (state: string, end: string) =>
    stderr.write(isTerminal ? `\r\x1b[K${line(state)}${end}` : `${line(state)}\n`);
  if (isTerminal) show("at it", "");
  const timer = setInterval(
    () => show(isTerminal ? "at it" : "still at it", ""),
    isTerminal ? TERMINAL_MILLIS : PLAIN_MILLIS,
  );
  try {
    const result = await work();
    show("done", "\n");
    return result;
  } catch (error) {
    show("failed", "\n");
    throw error;
  } finally {
    clearInterval(timer);
  }
}
