import type { Row } from "./columns.ts";
import { shortBusId } from "./explain-failure.ts";
import { eccCountOf, isUnknown } from "./read-row.ts";
import type { Round } from "./smi-loop.ts";

/** One GPU as the latest round has it, and what earlier rounds add. */
export interface Seen {
  readonly row: Row;
  /** When its count of uncorrected ECC errors rose last; -Infinity = not while we looked. */
  readonly eccRoseAtMs: number;
}

/** The GPUs of the latest round, by uuid. */
export class SeenGpus {
  #gpus = new Map<string, Seen>();
  /** A GPU that is lost may not even tell its uuid. */
  readonly #idsByIndex = new Map<string, string>();
  /** Those that cannot be opened, and so have no rows. */
  readonly #lost = new Map<string, Seen>();
  driverVersion: string | null = null;

  all(): Iterable<[string, Seen]> {
    return this.#gpus;
  }

  get(id: string): Seen | undefined {
    return this.#gpus.get(id);
  }

  take({ rows, isWhole }: Round, nowMs: number): void {
    if (isWhole) this.#lost.clear();
    const before = this.#gpus;
    const now = rows.map((row) => {
      const id = this.#idOf(row);
      return [id, { row, eccRoseAtMs: latestEccRise(row, before.get(id), nowMs) }] as const;
    });
    this.#gpus = new Map([...now, ...this.#lost]);
    this.driverVersion = rows[0]?.driverVersion ?? this.driverVersion;
  }

  /** The GPU on this bus cannot be opened. Returns the ids of the others; [] where none are known. */
  loseOne(busId: string): readonly string[] {
    for (const [id, { row, eccRoseAtMs }] of this.#gpus) {
      if (shortBusId(row.busId ?? "") !== busId) continue;
      const { name = "", computeCapability = "" } = row;
      const known = { name, computeCapability, temperature: "[GPU is lost]" };
      this.#lost.set(id, { row: known, eccRoseAtMs });
    }
    if (this.#lost.size === 0) return [];
    return [...this.#gpus.keys()].filter((id) => !this.#lost.has(id));
  }

  #idOf({ index = "", uuid = "" }: Row): string {
    if (isUnknown(uuid)) return this.#idsByIndex.get(index) ?? `gpu-${index}`;
    this.#idsByIndex.set(index, uuid);
    return uuid;
  }
}

function latestEccRise(row: Row, past: Seen | undefined, nowMs: number): number {
  if (past === undefined) return -Infinity;
  const count = eccCountOf(row);
  const countBefore = eccCountOf(past.row);
  const rose = count !== null && countBefore !== null && count > countBefore;
  return rose ? nowMs : past.eccRoseAtMs;
}
