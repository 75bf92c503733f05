import type { AttemptOutcome } from "../failures/classify.ts";
import type { Attempt } from "./attempt.ts";
import type { Deadlines } from "./deadlines.ts";
import type { AttemptResult } from "./relay.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** What a caller says of a placement that it gives back. */
export interface PlacementReport {
  readonly ok: boolean;
  /** Generated there, for the user's account; null = not said. */
  readonly tokens: number | null;
}

type End = (outcome: AttemptOutcome, tokens: number | null) => void;

/**
 * Attempts without a payload: each holds a slot of its worker, and its caller talks to the worker
 * itself. It ends by the caller's word, by the request's deadline, or when it is abandoned.
 */
export class Placements {
  readonly #deadlines: Deadlines;
  readonly #open = new Map<RoutedRequest, End>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  readonly attempt: Attempt = ({ request }) =>
    new Promise((resolve) => {
      const end: End = (outcome, tokens) => {
        this.#open.delete(request);
        timer.cancel();
        request.abandonment.listen(null);
        resolve(resultOf(outcome, tokens));
      };
      this.#open.set(request, end);
      const timer = this.#deadlines.at(request.deadlineAtMs, () =>
        end({ kind: "released", how: "overdue" }, null),
      );
      // Last, because one that is abandoned already is told in this tick.
      request.abandonment.listen(() => end({ kind: "abandoned" }, null));
    });

  /** False: it is over, or never was a placement on a worker. */
  complete(request: RoutedRequest, { ok, tokens }: PlacementReport): boolean {
    const end = this.#open.get(request);
    end?.({ kind: "released", how: ok ? "ok" : "failed" }, tokens);
    return end !== undefined;
  }
}

function resultOf(outcome: AttemptOutcome, tokens: number | null): AttemptResult {
  return {
    outcome,
    // The caller was told of its place, and may have used it.
    sent: true,
    answer: null,
    firstByteAtMs: null,
    usage: { promptTokens: null, completionTokens: tokens },
    heldUpByClient: false,
  };
}
