import type { Clock } from "../clock.ts";
import type { Worker } from "../fleet/worker.ts";
import { Holdings } from "./holdings.ts";
import { OpenList, type Listed } from "./open-list.ts";

/** The holding of one slot of one worker by one attempt. Released exactly once, however it ends. */
export interface Lease {
  readonly workerIndex: number;
  readonly placement: number;
  readonly requestId: string;
  readonly user: string;
  readonly takenAtMs: number;
  /** GPU memory that the attempt will make the worker allocate; 0 where it allocates nothing. */
  readonly memoryBytes: number;
  /** False: it had ended before, as where an abort and a completion meet in one tick. */
  release(): boolean;
}

export interface LeaseRequest {
  readonly requestId: string;
  readonly user: string;
  readonly memoryBytes: number;
}

/** What routing reads: exact, and of this very moment. */
export interface LeaseCounts {
  /** Leases open on this worker. */
  own(workerIndex: number): number;
  /** Memory promised on these workers by leases taken after `sinceMs`, which telemetry has not seen. */
  promisedBytes(placement: number, sinceMs: number): number;
  /** Placements that the user occupies, each counted once however many leases are on it. */
  placementCount(user: string): number;
  holds(user: string, placement: number): boolean;
  /** Indices of the workers with leases of this user. */
  workersOf(user: string): ReadonlySet<number>;
}

interface OpenLease extends Lease, Listed {}

/** The ledger of slots. Taken in the same tick as the choice, so that two choices never see one slot. */
export class Leases implements LeaseCounts {
  readonly #clock: Clock;
  #counts = new Uint32Array(64);
  readonly #open = new OpenList<OpenLease>();
  readonly #holdings = new Holdings();
  /** Placements of those leases that promise memory: few, so that summing them is cheap. */
  readonly #promising = new Map<Lease, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(worker: Worker, request: LeaseRequest): Lease {
    const { index } = worker;
    if (index >= this.#counts.length) this.#grow(index);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    const lease: OpenLease = {
      listIndex: 0,
      workerIndex: index,
      placement: worker.placement,
      requestId: request.requestId,
      user: request.user,
      takenAtMs: this.#clock.now(),
      memoryBytes: request.memoryBytes,
      release: () => this.#release(lease),
    };
    this.#open.add(lease);
    this.#holdings.add(lease.user, lease.placement);
    if (lease.memoryBytes > 0) this.#promising.set(lease, worker.placement);
    return lease;
  }

  own(workerIndex: number): number {
    return this.#counts[workerIndex] ?? 0;
  }

  promisedBytes(placement: number, sinceMs: number): number {
    let bytes = 0;
    for (const [lease, on] of this.#promising) {
      if (on === placement && lease.takenAtMs >= sinceMs) bytes += lease.memoryBytes;
    }
    return bytes;
  }

  placementCount(user: string): number {
    return this.#holdings.count(user);
  }

  holds(user: string, placement: number): boolean {
    return this.#holdings.has(user, placement);
  }

  placementsOf(user: string): Iterable<number> {
    return this.#holdings.of(user);
  }

  workersOf(user: string): ReadonlySet<number> {
    const open = [...this.#open].filter((lease) => lease.user === user);
    return new Set(open.map((lease) => lease.workerIndex));
  }

  /** Summed over workers and over users: both must be openCount at any moment. */
  get sums(): { readonly overWorkers: number; readonly overUsers: number } {
    const overWorkers = this.#counts.reduce((sum, count) => sum + count, 0);
    return { overWorkers, overUsers: this.#holdings.leaseCount };
  }

  /** All open leases; 0 of them when idle, or something leaks. */
  get openCount(): number {
    return this.#open.size;
  }

  openOn(workerIndex: number): Lease[] {
    return [...this.#open].filter((lease) => lease.workerIndex === workerIndex);
  }

  #release(lease: OpenLease): boolean {
    if (!this.#open.remove(lease)) return false;
    this.#holdings.remove(lease.user, lease.placement);
    if (lease.memoryBytes > 0) this.#promising.delete(lease);
    this.#counts[lease.workerIndex] = this.own(lease.workerIndex) - 1;
    return true;
  }

  #grow(index: number): void {
    const grown = new Uint32Array(Math.max(index + 1, this.#counts.length * 2));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}
