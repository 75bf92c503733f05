/** Keeps the proportions of the weights and makes their sum 1; an empty table stays empty. */
export function normaliseWeights<Name extends string>(
  weights: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const entries = Object.entries<number>(weights);
  const sum = entries.reduce((total, [, weight]) => total + weight, 0);
  // The documented defaults add up to 1 only up to rounding, and should stay as they are written.
  if (Math.abs(sum - 1) < 1e-9) return { ...weights };
  const largest = Math.max(...entries.map(([, weight]) => weight));
  const scaled = entries.map(([name, weight]) => [name, weight / largest] as const);
  // Scaled by the largest first, because the sum of very large weights would be infinite.
  const total = scaled.reduce((partial, [, weight]) => partial + weight, 0);
  return Object.fromEntries(scaled.map(([name, weight]) => [name, weight / total])) as Record<
    Name,
    number
  >;
}

export function someWeight(weights: Readonly<Record<string, number>>): boolean {
  return Object.values(weights).some((weight) => weight !== 0);
}
