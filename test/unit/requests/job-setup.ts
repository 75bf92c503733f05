import type { AnswerSink } from "../../../src/dispatch/answer.ts";
import type { RouteEnd } from "../../../src/dispatch/route-request.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import type { JobEnd } from "../../../src/requests/callback-message.ts";
import { Job, type JobWishes } from "../../../src/requests/job.ts";
import { Jobs } from "../../../src/requests/jobs.ts";
import { JobStore, type JobStoreOptions } from "../../../src/requests/store.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { attemptRecord, routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";

export function createStore(options: Partial<JobStoreOptions> = {}) {
  const clock = new FakeClock();
  return { clock, store: new JobStore({ clock, ttlMs: 60_000, maxBytes: 100_000, ...options }) };
}

export const noWishes: JobWishes = { expectedDurationMs: null, callbackUrl: null };

export function jobOf(changes: Partial<RoutedRequest> = {}): Job {
  return new Job(routedRequest(changes), { ...noWishes, submittedAtWallMs: 0 });
}

export const answerOf = (text: string, status = 200) => ({
  status,
  contentType: "application/json",
  body: Buffer.from(text),
  retryAfterMs: null,
});

export const decision = { strategy: "hybrid", chosen: "worker-0", candidates: [] };

/** A request that is under way: what the router would do with it is done by the test. */
interface Route {
  readonly request: RoutedRequest;
  readonly sink: AnswerSink;
  readonly end: (end?: Partial<RouteEnd>) => void;
  readonly break: (error: Error) => void;
}

/** Jobs whose requests go to the test instead of to workers. */
export function createJobs(atOnce: (sink: AnswerSink) => void = () => undefined) {
  const { clock, store } = createStore();
  const routes: Route[] = [];
  const ended: { readonly job: Job; readonly end: RouteEnd }[] = [];
  const defects: unknown[] = [];
  const callbacks: JobEnd[] = [];
  const jobs = new Jobs({
    clock,
    store,
    routeRequest(request, sink) {
      const { promise, resolve, reject } = Promise.withResolvers<RouteEnd>();
      const whole = { status: 200, error: null, attempts: [attemptRecord()], queueMs: 0 };
      const end = (changes: Partial<RouteEnd> = {}): void => resolve({ ...whole, ...changes });
      routes.push({ request, sink, end, break: reject });
      atOnce(sink);
      return promise;
    },
    callbacks: { send: (told) => void callbacks.push(told as JobEnd) },
    onEnd: (job, end) => ended.push({ job, end }),
    onDefect: (_request, cause) => void defects.push(cause),
  });

  /** Submits, and finds a worker for it. */
  const start = (changes: Partial<RoutedRequest> = {}) => {
    const job = jobs.submit(routedRequest(changes), noWishes);
    job.decided(serving(0), decision, clock.wallMs());
    return { job, route: routes.at(-1)! };
  };

  return { clock, store, jobs, routes, ended, defects, callbacks, start };
}
