import type { FaultyRequest, Seen } from "./inject-faults-client.ts";
import type { LoggedEnd } from "./watched-router.ts";

/**
 * Whether what a client saw and what the router logged of its request are one and the same outcome;
 * null = they are, else what is wrong.
 */
export function wrongIn(
  { kind, phase }: FaultyRequest,
  seen: Seen,
  ends: readonly LoggedEnd[],
): string | null {
  const [end] = ends;
  if (ends.length > 1)
    return `${ends.length} outcomes: ${ends.map(({ status }) => status).join(", ")}`;
  if (seen.kind === "no answer") return seen.why;
  // One that left at once may never have been accepted.
  if (!end) return seen.kind === "left" ? null : `no outcome logged, the client saw ${told(seen)}`;
  if (isTrue(seen, end)) return null;
  return `${kind}, ${phase ?? "whole"}: seen ${told(seen)}, logged ${end.status} ${end.errorCode ?? ""}`;
}

/** For the table. */
export function told(seen: Seen): string {
  if (seen.kind === "answer")
    return `status ${seen.status}${seen.isWhole ? "" : " with broken JSON"}`;
  if (seen.kind === "stream") return `stream, ${seen.end}`;
  return seen.kind === "job" ? `job ${seen.status}` : seen.kind;
}

const JOB_STATUSES: Readonly<Record<string, (status: number) => boolean>> = {
  completed: (status) => status < 300,
  failed: (status) => status >= 300 && status !== 499,
  cancelled: (status) => status === 499,
};

function isTrue(seen: Seen, { status, errorCode }: LoggedEnd): boolean {
  if (seen.kind === "answer") return seen.status === status && seen.isWhole;
  if (seen.kind === "job") return JOB_STATUSES[seen.status]?.(status) ?? false;
  if (seen.kind !== "stream") return true;
  return status === 200 && seen.end === (errorCode === null ? "done" : "error event");
}
