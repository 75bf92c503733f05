/** The states of a job, and the only ways between them. */

export const JOB_STATES = [
  "pending",
  "queued",
  "processing",
  "completed",
  "failed",
  "cancelled",
] as const;
export type JobState = (typeof JOB_STATES)[number];

const TRANSITIONS: Readonly<Record<JobState, readonly JobState[]>> = {
  pending: ["queued", "processing", "failed", "cancelled"],
  queued: ["processing", "failed", "cancelled"],
  processing: ["queued", "completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
};

export function isOver(state: JobState): boolean {
  return TRANSITIONS[state].length === 0;
}

/** Throws on a way that does not exist: a defect, and never the fault of a client. */
export function nextState(from: JobState, to: JobState): JobState {
  if (!TRANSITIONS[from].includes(to)) throw new Error(`a job cannot go from ${from} to ${to}`);
  return to;
}
