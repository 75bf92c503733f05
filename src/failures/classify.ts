/**
 * The one classifier: what an attempt's end says about the worker, and whether to try again.
 * A client's mistake, a full worker and a slow generation must never take a worker out.
 */

/** How one try of one request on one worker ended. */
export type AttemptOutcome =
  /** A whole answer arrived, whatever its status. */
  | { readonly kind: "answered"; readonly status: number }
  /**
   * The connection could not be made: the request was provably not sent. ours = for want of a socket
   * or a port of our own.
   */
  | { readonly kind: "unreachable"; readonly failure: string; readonly ours?: boolean }
  /** An answer arrived, and it was not what was asked for; ours = it is more than we take. */
  | { readonly kind: "unusable"; readonly failure: string; readonly ours?: boolean }
  /**
   * Reset or truncated. stale = at once, on a connection that had been kept alive: the worker has
   * most likely closed it while it was idle.
   */
  | {
      readonly kind: "broken";
      readonly failure: string;
      readonly committed: boolean;
      readonly stale?: boolean;
    }
  /** Our deadline or idle limit passed; alive = the worker showed a sign of life since it began. */
  | { readonly kind: "timeout"; readonly workerAlive: boolean; readonly committed: boolean }
  /** The client went away, or the job was cancelled. */
  | { readonly kind: "abandoned" }
  /** A placement's end, by its caller's word or by its timeout: we saw nothing of the worker. */
  | { readonly kind: "released"; readonly how: "ok" | "failed" | "overdue" };

/**
 * What counts for or against the worker. "connection" is a failure before anything was sent; "shared"
 * is one that the request had on every worker it met, and so is probably the request's own.
 */
export type OutcomeClass = "success" | "neutral" | "failure" | "connection" | "shared";

export interface Verdict {
  readonly class: OutcomeClass;
  /**
   * no: this answer, or its error, is the client's. elsewhere: only another worker may do better.
   * anywhere: another worker first, else the same one after a delay.
   */
  readonly retry: "no" | "elsewhere" | "anywhere";
  /** Trying again cannot run the request twice, so there is nothing to wait for. */
  readonly provablyUnsent: boolean;
  /** The worker itself is worth an attempt at once. */
  readonly sameWorkerAtOnce?: boolean;
  /** The worker may be dead: it is asked, and gets nothing more until it answers, or a moment is over. */
  readonly suspects?: boolean;
  /** The worker is too busy for now: it gets nothing for a moment, and has failed in nothing. */
  readonly pauses?: boolean;
  /**
   * The worker answered, and badly: a request that it cannot digest looks the same. Engines answer
   * 500 to fields of the wrong type, and one client must not take out a fleet with them.
   */
  readonly mayBeTheRequest?: boolean;
}

const PASSED: Verdict = { class: "success", retry: "no", provablyUnsent: false };
const WRONG_MODEL: Verdict = { class: "success", retry: "elsewhere", provablyUnsent: true };
const BUSY: Verdict = {
  class: "neutral",
  retry: "elsewhere",
  provablyUnsent: true,
  pauses: true,
};
const KEY_REFUSED: Verdict = { class: "failure", retry: "elsewhere", provablyUnsent: true };
const FAILED: Verdict = { class: "failure", retry: "anywhere", provablyUnsent: false };
const BAD_ANSWER: Verdict = { ...FAILED, mayBeTheRequest: true };
const CUT: Verdict = { class: "failure", retry: "no", provablyUnsent: false };
const BROKEN: Verdict = { ...FAILED, suspects: true };
const BROKEN_STREAM: Verdict = { ...CUT, suspects: true };
const NO_SOCKET: Verdict = { class: "neutral", retry: "anywhere", provablyUnsent: true };
const UNREACHABLE: Verdict = { ...NO_SOCKET, class: "connection", suspects: true };
const STALE: Verdict = { ...FAILED, class: "neutral", sameWorkerAtOnce: true };
const NOBODYS_FAULT: Verdict = { class: "neutral", retry: "no", provablyUnsent: false };

const SPECIAL_STATUSES: ReadonlyMap<number, Verdict> = new Map([
  // Fast refusals would otherwise make the worker look idle and draw all traffic to it.
  [401, KEY_REFUSED],
  [403, KEY_REFUSED],
  [404, WRONG_MODEL],
  [408, BUSY],
  [429, BUSY],
  [503, BUSY],
]);

export function classify(outcome: AttemptOutcome): Verdict {
  switch (outcome.kind) {
    case "answered":
      return classifyStatus(outcome.status);
    case "unreachable":
      return unlessOurs(outcome, UNREACHABLE, NO_SOCKET);
    case "unusable":
      return unlessOurs(outcome, BAD_ANSWER, NOBODYS_FAULT);
    case "broken":
      return classifyBroken(outcome);
    case "timeout":
      return outcome.workerAlive ? NOBODYS_FAULT : CUT;
    case "abandoned":
    case "released":
      return NOBODYS_FAULT;
  }
}

function unlessOurs({ ours }: { readonly ours?: boolean }, theirs: Verdict, our: Verdict): Verdict {
  return ours ? our : theirs;
}

function classifyBroken({
  committed,
  stale,
}: Extract<AttemptOutcome, { kind: "broken" }>): Verdict {
  if (committed) return BROKEN_STREAM;
  return stale ? STALE : BROKEN;
}

/** A worker's answer passes through, except where it says more about the worker than the request. */
function classifyStatus(status: number): Verdict {
  const special = SPECIAL_STATUSES.get(status);
  if (special) return special;
  const isOk = status >= 200 && status < 300;
  const isClientsMistake = status >= 400 && status < 500;
  return isOk || isClientsMistake ? PASSED : BAD_ANSWER;
}
