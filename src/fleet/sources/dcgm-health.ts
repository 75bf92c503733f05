import type { GpuHealth } from "../gpu.ts";
import { meaningOf, type XidMeaning } from "./xid.ts";

/** XID codes, each with the exporter's words for it; those may be empty. */
export type Xids = ReadonlyMap<number, string>;

/** What one page tells of a GPU's health; null = the exporter does not offer it. */
export interface DcgmEvidence {
  /** All of the page: the last one, and those counted lately. */
  readonly xids: Xids | null;
  /** What the gauge of the last one shows; 0 = none since DCGM started. */
  readonly lastXid: number | null;
  readonly remapFailed: number | null;
  readonly remapPending: number | null;
  readonly doubleBitErrors: number | null;
}

const MAX_WORDS_CHARS = 200;

/** null = nothing of it is offered. */
export function healthOf(evidence: DcgmEvidence): GpuHealth | null {
  if (Object.values(evidence).every((told) => told === null)) return null;
  const { xids, remapFailed, remapPending, doubleBitErrors } = evidence;
  const texts: Record<XidMeaning, string[]> = { "needs reset": [], hardware: [], application: [] };
  for (const [xid, words] of xids ?? []) texts[meaningOf(xid, words)].push(xidText(xid, words));
  const { "needs reset": critical, hardware: warnings } = texts;
  if (isAboveZero(remapFailed)) critical.push("remapping of broken memory rows has failed");
  if (isAboveZero(remapPending)) warnings.push("memory rows wait to be remapped: reset the GPU");
  if (isAboveZero(doubleBitErrors)) {
    warnings.push(`${doubleBitErrors} uncorrected ECC errors since the driver was loaded`);
  }
  const remarks = texts.application.map((text) => `${text} (not a fault of the GPU)`);
  const errors = [...critical, ...warnings, ...remarks];
  if (critical.length > 0) return { status: "critical", errors };
  return { status: warnings.length > 0 ? "warning" : "healthy", errors };
}

function isAboveZero(count: number | null): boolean {
  return count !== null && count > 0;
}

function xidText(xid: number, words: string): string {
  return words === "" ? `XID ${xid}` : `XID ${xid}: ${words.slice(0, MAX_WORDS_CHARS)}`;
}

/**
 * The codes that need a reset, for as long as they count. The exporter shows only the latest code, and
 * others follow: 45, when the programs of a broken GPU are ended. It shows one until DCGM starts anew,
 * and for a reset or a restart of the machine DCGM has to. That a code is no longer among those counted
 * lately says nothing: after some minutes it never is.
 */
export class XidMemory {
  #kept: ReadonlyMap<string, Xids> = new Map();
  #withGauge: ReadonlySet<string> = new Set();

  /** What is told now of each GPU, by id; returns it with what was told before and still counts. */
  add(
    told: ReadonlyMap<string, Pick<DcgmEvidence, "xids" | "lastXid">>,
  ): ReadonlyMap<string, Xids | null> {
    const all = new Map<string, Xids | null>();
    const kept = new Map<string, Xids>();
    for (const [gpuId, { xids, lastXid }] of told) {
      const earlier = this.#isOver(gpuId, lastXid) ? undefined : this.#kept.get(gpuId);
      const counts = earlier ? new Map([...earlier, ...(xids ?? [])]) : xids;
      all.set(gpuId, counts);
      const grave = [...(counts ?? [])].filter(
        ([xid, words]) => meaningOf(xid, words) === "needs reset",
      );
      if (grave.length > 0) kept.set(gpuId, new Map(grave));
    }
    this.#kept = kept;
    this.#withGauge = new Set([...told.keys()].filter((id) => told.get(id)?.lastXid !== null));
    return all;
  }

  /** The exporter was down, which without the gauge is all that a restart shows. */
  forget(): void {
    this.#kept = new Map([...this.#kept].filter(([gpuId]) => this.#withGauge.has(gpuId)));
  }

  #isOver(gpuId: string, lastXid: number | null): boolean {
    return lastXid === 0 || (lastXid === null && this.#withGauge.has(gpuId));
  }
}
