/** Scores are clamped here, so that no scorer can shout down the others; NaN counts as 0. */
export function clampScore(score: number): number {
  return score > 0 ? Math.min(1, score) : 0;
}
