/** The candidate that a mistyped name most probably meant, or null when none is near. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    // A short name is as near to anything as its own length: that is no resemblance.
    if (distance < bestDistance && distance < Math.min(name.length, candidate.length)) {
      [best, bestDistance] = [candidate, distance];
    }
  }
  return (
    best ?? candidates.find((candidate) => name.length > 2 && candidate.startsWith(name)) ?? null
  );
}

/** Levenshtein's: how many letters must be added, dropped or changed. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column++) {
      const changed = row[column - 1]! + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(changed, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
