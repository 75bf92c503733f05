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
    const silent = new Set([...before.keys()].filter((id) => !this.#lost.has(id)));
    for (const { uuid = "" } of rows) silent.delete(uuid);
    const now = rows.map((row, position) => {
      const id = this.#uuidOf(row) ?? first(silent) ?? `gpu-${placeOf(row, position)}`;
      silent.delete(id);
      return [id, { row, eccRoseAtMs: latestEccRise(row, before.get(id), nowMs) }] as const;
    });
    this.#gpus = new Map([...now, ...this.#lost]);
    this.driverVersion = rows[0]?.driverVersion ?? this.driverVersion;
  }

  /**
   * The GPU on this bus cannot be opened; `wasWhole`: when all were asked, so that those lost earlier
   * may be back. Returns the ids of the others; null = no GPU was ever seen there.
   */
  loseOne(busId: string, wasWhole: boolean): readonly string[] | null {
    const found = [...this.#gpus].find(([, { row }]) => shortBusId(row.busId ?? "") === busId);
    if (found === undefined) return null;
    if (wasWhole) this.#lost.clear();
    const [id, { row, eccRoseAtMs }] = found;
    const { index = "", busId: bus = "", name = "", computeCapability = "" } = row;
    const known = { index, busId: bus, name, computeCapability, temperature: "[GPU is lost]" };
    this.#lost.set(id, { row: known, eccRoseAtMs });
    return [...this.#gpus.keys()].filter((other) => !this.#lost.has(other));
  }

  /** What it tells, or told earlier; undefined = only its place among the silent ones is known. */
  #uuidOf({ index = "", uuid = "" }: Row): string | undefined {
    if (isUnknown(uuid)) return this.#idsByIndex.get(index);
    if (!isUnknown(index)) this.#idsByIndex.set(index, uuid);
    return uuid;
  }
}

function first(ids: ReadonlySet<string>): string | undefined {
  return ids.values().next().value;
}

function placeOf({ index = "" }: Row, position: number): string {
  return isUnknown(index) ? String(position) : index;
}

function latestEccRise(row: Row, past: Seen | undefined, nowMs: number): number {
  if (past === undefined) return -Infinity;
  const count = eccCountOf(row);
  const countBefore = eccCountOf(past.row);
  const rose = count !== null && countBefore !== null && count > countBefore;
  return rose ? nowMs : past.eccRoseAtMs;
}
