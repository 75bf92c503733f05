/** Which GPUs and workers an operator took out of service. Kept until the process ends. */

/** What an operator said of one GPU or worker. */
export interface Cordon {
  /** The GPU's or worker's id. */
  readonly id: string;
  /** In the operator's words; null = none were given. */
  readonly reason: string | null;
  /** Milliseconds since the Unix epoch: it is for people to read. */
  readonly sinceWallMs: number;
  /** The user who did it. */
  readonly by: string;
}

/** By id. Immutable: another one replaces it, so that a snapshot may hold it. */
export type Cordons = ReadonlyMap<string, Cordon>;

/** Of one that is cordoned already only the reason changes, and only to another that is given. */
export function withCordon(cordons: Cordons, cordon: Cordon): Cordons {
  const { reason, ...known } = cordons.get(cordon.id) ?? cordon;
  return new Map(cordons).set(cordon.id, { ...known, reason: cordon.reason ?? reason });
}

export function withoutCordon(cordons: Cordons, id: string): Cordons {
  return new Map([...cordons].filter(([known]) => known !== id));
}

/**
 * What keeps new requests from a worker: a cordon of its own, or of one of its GPUs. null = nothing.
 * A worker on several GPUs is out with the first of them.
 */
export function cordonOver(
  { id, gpuIds }: { readonly id: string; readonly gpuIds: readonly string[] },
  cordons: Cordons,
): Cordon | null {
  if (cordons.size === 0) return null;
  for (const candidate of [id, ...gpuIds]) {
    const cordon = cordons.get(candidate);
    if (cordon) return cordon;
  }
  return null;
}
