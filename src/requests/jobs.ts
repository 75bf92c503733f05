import type { Clock } from "../clock.ts";
import type { AttemptRecord, RouteEnd, RouteRequest } from "../dispatch/route-request.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import { RouterError } from "../errors.ts";
import type { JobEnd } from "./callback-message.ts";
import type { Callbacks } from "./callbacks.ts";
import { JobAnswer } from "./job-answer.ts";
import { Job, type JobWishes } from "./job.ts";
import type { JobStore } from "./store.ts";

export interface JobsDeps {
  readonly clock: Clock;
  readonly store: JobStore;
  readonly routeRequest: RouteRequest;
  readonly callbacks: Pick<Callbacks, "send">;
  readonly onEnd: (job: Job, end: RouteEnd) => void;
  /** A defect of ours: the job fails, and its cause belongs in the log. */
  readonly onDefect: (request: RoutedRequest, cause: unknown) => void;
}

/** Submits, watches and cancels jobs. */
export class Jobs {
  readonly #deps: JobsDeps;
  /** By request, to tell a job of its decisions and attempts while it runs. */
  readonly #running = new Map<RoutedRequest, Job>();

  constructor(deps: JobsDeps) {
    this.#deps = deps;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** The running job of this request; undefined for requests that are no jobs. */
  of(request: RoutedRequest): Job | undefined {
    return this.#running.get(request);
  }

  /**
   * Starts the job. Throws what the router says in the same tick: a request that nobody can take is
   * refused, and not kept as a failed job.
   */
  submit(request: RoutedRequest, wishes: JobWishes): Job {
    const { job, answer, ended } = this.#start(request, wishes);
    if (answer.error) {
      this.#deps.store.remove(job);
      this.#running.delete(request);
      void ended.then((end) => this.#deps.onEnd(job, end));
      throw answer.error;
    }
    const { callbackUrl } = wishes;
    if (callbackUrl) job.onEnd(() => this.#deps.callbacks.send(endOf(job, callbackUrl)));
    void this.#finish(job, answer, ended);
    return job;
  }

  /** Starts a job of a batch that is let in: one that is refused all the same is a failed job. */
  submitAdmitted(request: RoutedRequest, expectedDurationMs: number | null): Job {
    const wishes = { expectedDurationMs, callbackUrl: null };
    const { job, answer, ended } = this.#start(request, wishes);
    void this.#finish(job, answer, ended);
    return job;
  }

  /** Throws REQUEST_ID_TAKEN. */
  #start(request: RoutedRequest, wishes: JobWishes): Started {
    const { clock, store } = this.#deps;
    const job = new Job(request, { ...wishes, submittedAtWallMs: clock.wallMs() });
    store.add(job);
    this.#running.set(request, job);
    const answer = new JobAnswer();
    return { job, answer, ended: this.#deps.routeRequest(request, answer) };
  }

  /** Down to the worker. Throws ALREADY_FINISHED. */
  cancel(job: Job): void {
    if (job.isOver) {
      const message = `the job is already ${job.state}`;
      throw new RouterError("ALREADY_FINISHED", message, { param: "request_id" });
    }
    job.moveTo("cancelled", this.#deps.clock.wallMs());
    job.request.abandonment.abandon("cancelled");
  }

  async #finish(job: Job, answer: JobAnswer, ended: Promise<RouteEnd>): Promise<void> {
    const end = await ended.catch((cause: unknown) => {
      this.#deps.onDefect(job.request, cause);
      return defect(cause);
    });
    this.#running.delete(job.request);
    job.attempts = end.attempts.map(withoutAnswer);
    job.answer = answer.answer;
    job.error = answer.error ?? end.error ?? errorOfAnswer(answer);
    if (!job.isOver) job.moveTo(job.error ? "failed" : "completed", this.#deps.clock.wallMs());
    this.#deps.onEnd(job, end);
  }
}

interface Started {
  readonly job: Job;
  readonly answer: JobAnswer;
  readonly ended: Promise<RouteEnd>;
}

/** The answers of failed attempts would be kept as long as the job, and are shown to nobody. */
function withoutAnswer(attempt: AttemptRecord): AttemptRecord {
  return { ...attempt, result: { ...attempt.result, answer: null } };
}

/** The job must end, and its client must hear of it, whatever went wrong on our side. */
function defect(cause: unknown): RouteEnd {
  const error = new RouterError("INTERNAL", "the router failed on this job", { cause });
  return { status: error.status, error, attempts: [], queueMs: 0 };
}

/** Of a job that is over. */
function endOf(job: Job, url: URL): JobEnd {
  const { id: requestId, owner: user, finishedAtWallMs } = job;
  const status = job.state as JobEnd["status"];
  const { model } = job.request;
  return { url, requestId, user, model, status, finishedAtWallMs: finishedAtWallMs ?? 0 };
}

/** The worker refused the payload: its own words are in the result. */
function errorOfAnswer({ answer }: JobAnswer): RouterError | null {
  if (answer === null || answer.status < 300) return null;
  return new RouterError("INVALID_REQUEST", `the worker answered ${answer.status}: see result`);
}
