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
  /**
   * Ids of the workers that were on the GPU whenever it was cordoned; of a worker, its own. They stay
   * out also where the GPU is no longer known as theirs.
   */
  readonly workerIds: readonly string[];
}

/** By id. Immutable: another one replaces it, so that a snapshot may hold it. */
export type Cordons = ReadonlyMap<string, Cordon>;

/**
 * Of one that is cordoned already only the reason changes, and only to another that is given; workers
 * that came to it are added.
 */
export function withCordon(cordons: Cordons, cordon: Cordon): Cordons {
  const known = cordons.get(cordon.id) ?? cordon;
  const workerIds = [...new Set([...known.workerIds, ...cordon.workerIds])];
  const reason = cordon.reason ?? known.reason;
  return new Map(cordons).set(cordon.id, { ...known, reason, workerIds });
}

/** What a cordon looks at. */
interface Cordonable {
  readonly id: string;
  readonly gpuIds: readonly string[];
}

/** An id means the worker of that id, all workers on the GPU, and those that its cordon keeps out. */
export function isMeantBy(meantId: string, { id, gpuIds }: Cordonable, cordons: Cordons): boolean {
  if (id === meantId || gpuIds.includes(meantId)) return true;
  return cordons.get(meantId)?.workerIds.includes(id) === true;
}

export function withoutCordon(cordons: Cordons, id: string): Cordons {
  return new Map([...cordons].filter(([known]) => known !== id));
}

/**
 * What keeps new requests from a worker: a cordon of its own, of one of its GPUs, or of a GPU that it
 * was on when that was cordoned. null = nothing. A worker on several GPUs is out with the first of them.
 */
export function cordonOver({ id, gpuIds }: Cordonable, cordons: Cordons): Cordon | null {
  if (cordons.size === 0) return null;
  for (const candidate of [id, ...gpuIds]) {
    const cordon = cordons.get(candidate);
    if (cordon) return cordon;
  }
  for (const cordon of cordons.values()) if (cordon.workerIds.includes(id)) return cordon;
  return null;
}
