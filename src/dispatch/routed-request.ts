import type { Reservation } from "../admission/quotas.ts";
import type { ApiPath, RequestType } from "../fleet/worker.ts";
import type { Band } from "../routing/stages.ts";

export type AbandonReason = "client_gone" | "cancelled" | "shutdown";

/** Tells an attempt, at any moment, that nobody waits for its answer any more. */
export class Abandonment {
  #reason: AbandonReason | null = null;
  #listener: (() => void) | null = null;

  get reason(): AbandonReason | null {
    return this.#reason;
  }

  /** The first reason stands. */
  abandon(reason: AbandonReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#listener?.();
  }

  /**
   * One listener at a time: the attempt under way, or the wait before the next. null removes it.
   * One that comes too late is told at once.
   */
  listen(listener: (() => void) | null): void {
    this.#listener = listener;
    if (this.#reason !== null) listener?.();
  }
}

/** One request on its way through the router. */
export interface RoutedRequest {
  readonly id: string;
  /** Whose limits it is charged to. */
  readonly user: string;
  /** null = a placement: nothing is sent. */
  readonly path: ApiPath | null;
  readonly type: RequestType;
  /** The model's public name. */
  readonly model: string;
  readonly band: Band;
  readonly stream: boolean;
  /** The bytes as the client sent them. */
  readonly body: Buffer;
  readonly memoryBytes: number | null;
  readonly computeUnits: number | null;
  /** Monotonic. */
  readonly acceptedAtMs: number;
  /**
   * Monotonic. Covers queue and attempts up to the first byte of a stream, or the whole of a JSON
   * answer. A job's covers its wait, and is set anew when its first attempt begins.
   */
  deadlineAtMs: number;
  /** A job's, from its first attempt to its whole answer; null = deadlineAtMs says it all. */
  readonly timeoutMs: number | null;
  /** What was reserved for it beforehand, as for each item of a batch; null = nothing yet. */
  readonly reservation: Reservation | null;
  /** True: a place on a worker and no payload. The caller talks to the worker itself. */
  readonly isPlacement: boolean;
  readonly abandonment: Abandonment;
}
