/** Edits (insert, remove, change one character) that turn one word into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * The word of a list that takes the fewest edits to get to, upper and lower case alike; the first
 * of several.
 *
 * @throws Error when the list is empty
 */
export function nearest(word: string, words: readonly string[]): string {
  const ranked = words
    .map((candidate) => ({
      candidate,
      edits: distance(word.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  if (best === undefined) throw new Error("there is no word to choose from");
  return best.candidate;
}
