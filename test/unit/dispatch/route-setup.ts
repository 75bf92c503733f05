import { expect, onTestFinished } from "vitest";
import { FairShare } from "../../../src/admission/fair-share.ts";
import { Leases } from "../../../src/admission/leases.ts";
import { OpenList } from "../../../src/admission/open-list.ts";
import { Queue } from "../../../src/admission/queue.ts";
import type { ReservationEnd } from "../../../src/admission/quotas.ts";
import type { Answer, AnswerSink } from "../../../src/dispatch/answer.ts";
import type { AttemptJob } from "../../../src/dispatch/attempt.ts";
import type { AttemptResult } from "../../../src/dispatch/relay.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import type { Trip } from "../../../src/dispatch/endings.ts";
import { createRouteRequest } from "../../../src/dispatch/route-request.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import { RetryBudget } from "../../../src/failures/retry-budget.ts";
import { Turns } from "../../../src/dispatch/turns.ts";
import type { AttemptOutcome } from "../../../src/failures/classify.ts";
import type { RouterError } from "../../../src/errors.ts";
import { Random } from "../../../src/routing/random.ts";
import { cooldownsFor } from "../../support/cooldown-builders.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { fleetOf, serving, strategyNamed, viewOf } from "../../support/routing-builders.ts";

export const RETRY_DELAY_MS = 1000;
export const COOLDOWN_MS = 300_000;

/** Retry delays without their jitter. */
class Middle extends Random {
  override next(): number {
    return 0.5;
  }
}

/** What one attempt does: ends so, or whatever the function does. */
export type Step = AttemptResult | ((job: AttemptJob) => AttemptResult | Promise<AttemptResult>);

interface StageOptions {
  readonly workers?: number;
  readonly slots?: number;
  readonly maxRetries?: number;
  /** How many may wait; 0 = no queue. */
  readonly queue?: number;
  readonly gpuLimit?: number;
  readonly onDecision?: (request: RoutedRequest) => void;
  /** After each connection that breaks, its worker is dead. */
  readonly workersDie?: boolean;
  /** Thrown by the reservation. */
  readonly quotaError?: RouterError;
  readonly steps: readonly Step[];
}

/** The story of requests with real leases and cooldowns, and attempts that follow a script. */
export function setStage(options: StageOptions) {
  const { workers = 2, slots = 8, maxRetries = 3, queue: maxRequests = 100, steps } = options;
  const clock = new FakeClock();
  const leases = new Leases(clock);
  const cooldowns = cooldownsFor(clock, { cooldownMs: COOLDOWN_MS });
  const fleet = fleetOf(Array.from({ length: workers }, (_, index) => serving(index, { slots })));
  const script = [...steps];
  /** Indexes of the workers that were tried. */
  const tried: number[] = [];
  const random = new Middle(1);
  const fairShare = new FairShare();
  const queue = new Queue({
    ...{ clock, wheel: new Deadlines(clock), fairShare },
    limits: () => ({ maxRequests, maxBytes: 2 ** 20, userShare: 1, ageingMs: 30_000 }),
    placementsOf: (user) => leases.placementsOf(user),
  });
  /** Requests that were told to wait. */
  const queued: string[] = [];
  const observer = {
    onDecision: options.onDecision ?? (() => undefined),
    onQueued: ({ id }: RoutedRequest) => void queued.push(id),
    onAttemptEnd: () => undefined,
  };
  const strategy = strategyNamed("least_requests");
  const turns = new Turns({
    ...{ clock, random, leases, cooldowns, fairShare, queue, observer },
    strategy: () => strategy,
    view: () => ({ ...viewOf(fleet), leases, cooldowns, nowMs: clock.now() }),
    gpuLimitOf: () => options.gpuLimit ?? 100,
  });
  const reservations: ReservationEnd[] = [];
  const retryBudget = new RetryBudget(clock);
  const routeRequest = createRouteRequest({
    ...{ clock, random, turns, cooldowns, observer, running: new OpenList<Trip>() },
    retry: { maxRetries, delayMs: RETRY_DELAY_MS },
    retryBudget,
    reserve: () => {
      if (options.quotaError) throw options.quotaError;
      return { end: (end) => void reservations.push(end) };
    },
    attempt: async (job) => {
      tried.push(job.worker.index);
      expect(leases.own(job.worker.index)).toBeGreaterThan(0);
      const step = script.shift();
      if (!step) throw new Error("no attempt was expected");
      return typeof step === "function" ? step(job) : step;
    },
    isAlive: () => Promise.resolve(options.workersDie !== true),
  });
  const told: string[] = [];
  const send = (changes: Partial<RoutedRequest> = {}) =>
    routeRequest(routedRequest(changes), recordingSink(told));
  /** Slots that other requests hold; the next in the queue gets them when they are free. */
  const take = (workerIndex: number, user = "bob") => {
    const worker = fleet.workers[workerIndex]!;
    const lease = leases.take(worker, { requestId: "x", user, memoryBytes: 0 });
    return {
      release() {
        lease.release();
        turns.slotFreed(worker);
      },
    };
  };
  onTestFinished(() => {
    expect(leases.openCount).toBe(0);
    expect(leases.sums).toEqual({ overWorkers: 0, overUsers: 0 });
    expect(queue.size).toBe(0);
  });
  return {
    ...{ clock, leases, cooldowns, fairShare, queue, turns, reservations, queued, retryBudget },
    ...{ tried, told, send, take },
  };
}

function recordingSink(told: string[]): AnswerSink {
  return {
    whole: ({ status }: Answer, { attempts }) => void told.push(`${status} after ${attempts}`),
    begin: () => void told.push("begin"),
    write: () => true,
    onDrain: () => undefined,
    end: () => void told.push("end"),
    cut: () => void told.push("cut"),
    fail({ status, code }) {
      told.push(`fail ${status} ${code}`);
      return status;
    },
    refuse: (error: RouterError, tags) =>
      void told.push(`${error.status} ${error.code} after ${tags?.attempts ?? 0}`),
  };
}

export function ends(outcome: AttemptOutcome, answer: Answer | null = null): AttemptResult {
  const usage = { promptTokens: null, completionTokens: null };
  const sent = outcome.kind !== "unreachable";
  return { outcome, answer, sent, firstByteAtMs: null, usage, heldUpByClient: false };
}

export function answers(status: number): AttemptResult {
  const answer = { status, contentType: "application/json", body: Buffer.from("{}") };
  return ends({ kind: "answered", status }, { ...answer, retryAfterMs: null });
}
