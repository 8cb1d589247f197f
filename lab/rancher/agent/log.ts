/** Prints one line with the time; nothing secret ever goes here. */
export function log(message: string): void {
  console.log(`${new Date().toISOString()} ${message}`);
}

/** An error as one line for a person. */
export function text(error: unknown): string {
  const own = error instanceof Error ? error.message : String(error);
  return own.trim().replace(/\s*\n\s*/g, "; ");
}
