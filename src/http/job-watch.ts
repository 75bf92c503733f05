import type { Job } from "../requests/job.ts";
import type { EventStream } from "./event-stream.ts";
import {
  progressOf,
  viewJob,
  viewPlacement,
  viewSubmission,
  viewSummary,
  type JobOutlook,
} from "./job-view.ts";

export interface Watched {
  readonly job: Job;
  readonly events: Pick<EventStream, "isBackedUp" | "send" | "ping" | "end">;
  readonly outlook: JobOutlook;
  /** The client may know the address of a placement's worker. */
  readonly showsPlacement: boolean;
}

const LOOK_EVERY_MS = 1000;
const PING_EVERY_LOOKS = 15;

/** One client that follows one job. Nothing of it is left once the job is over or the client gone. */
export class JobWatch {
  readonly #watched: Watched;
  #stopWaiting = (): void => {};
  /** What was told last, so that nothing is told twice. */
  #state = "";
  #position: number | null = null;
  #progress: number | null = null;
  #looks = 0;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start(): void {
    const { job, outlook } = this.#watched;
    this.#tellState();
    if (job.isOver) return this.#finish();
    const stopListening = job.onChange(() => this.#changed());
    const timer = outlook.clock.every(LOOK_EVERY_MS, () => this.#look());
    this.#stopWaiting = () => {
      stopListening();
      timer.cancel();
    };
  }

  /** The client is gone. */
  stop(): void {
    this.#stopWaiting();
  }

  #changed(): void {
    const { job, events } = this.#watched;
    if (job.isOver) this.#finish();
    else if (!events.isBackedUp) this.#tellState();
  }

  /** What does not come by itself, and a state that a slow client was spared. */
  #look(): void {
    const { job, events } = this.#watched;
    this.#looks += 1;
    if (events.isBackedUp) return;
    this.#tellState();
    this.#tellPosition();
    if (job.state === "processing") this.#tellProgress();
    if (this.#looks % PING_EVERY_LOOKS === 0) events.ping();
  }

  /** The end is told whatever the client's pace: once, and it is what was waited for. */
  #finish(): void {
    const { job, events, outlook } = this.#watched;
    this.#stopWaiting();
    this.#tellState();
    this.#tellProgress();
    events.send("done", viewJob(job, outlook));
    events.end();
  }

  /** Another worker is news as well: a retry began. */
  #tellState(): void {
    const { job, events, outlook, showsPlacement } = this.#watched;
    const state = `${job.state} ${job.worker?.id ?? ""}`;
    if (state === this.#state) return;
    this.#state = state;
    const view = viewSummary(job, outlook);
    this.#position = view.queue_position;
    const placement = showsPlacement ? viewPlacement(job) : null;
    events.send("state", { ...view, placement });
  }

  #tellPosition(): void {
    const { job, events, outlook } = this.#watched;
    const view = viewSubmission(job, outlook);
    const { queue_position, estimated_start_time, estimated_completion_time } = view;
    if (queue_position === this.#position) return;
    this.#position = queue_position;
    events.send("queue", { queue_position, estimated_start_time, estimated_completion_time });
  }

  #tellProgress(): void {
    const { job, events, outlook } = this.#watched;
    const progress = progressOf(job, outlook);
    if (progress === null || progress === this.#progress) return;
    this.#progress = progress;
    const usage = job.attempts.at(-1)?.result.usage;
    events.send("progress", {
      progress,
      elapsed_ms: elapsedMs(job, outlook),
      prompt_tokens: usage?.promptTokens ?? null,
      completion_tokens: usage?.completionTokens ?? null,
    });
  }
}

/** null = it has not started. */
function elapsedMs(job: Job, { clock }: JobOutlook): number | null {
  const { startedAtWallMs, finishedAtWallMs } = job;
  return startedAtWallMs === null ? null : (finishedAtWallMs ?? clock.wallMs()) - startedAtWallMs;
}
