import type { AttemptRecord, RouteEnd } from "../dispatch/route-request.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import { TICK_MS } from "../dispatch/deadlines.ts";
import type { Job } from "../requests/job.ts";
import type { RequestPlan, Scene } from "./scene.ts";
import type { VirtualClient } from "./virtual-client.ts";
import type { Timeline } from "./virtual-clock.ts";
import type { Arrival } from "./virtual-worker.ts";

/** One request of the history, with all that became of it. */
export interface Entry {
  readonly plan: RequestPlan;
  /** Of an item of a batch: as it was let in. */
  request: RoutedRequest;
  /** null = a job: its answer is kept for whoever asks. */
  readonly client: VirtualClient | null;
  job: Job | null;
  /** What workers saw of it, in order. */
  readonly arrivals: Arrival[];
  /** Attempts that do not count: probes of a worker that could not be reached. */
  uncounted: number;
  /** null = it is under way. */
  end: RouteEnd | null;
  endedAtMs: number;
  /** When its client left, or cancelled; null = it did not, or it was over by then. */
  leftAtMs: number | null;
}

/** Of one request, however often it found its workers dead. */
const UNCOUNTED_MAX = 20;

/** The simulator's own book of requests, to hold against the router's. */
export class Ledger {
  readonly entries = new Map<string, Entry>();
  readonly underWay = new Set<Entry>();
  #maxAttempts: number;
  readonly #timeline: Timeline;
  readonly #breach: (what: string) => void;

  constructor({ settings }: Scene, timeline: Timeline, breach: (what: string) => void) {
    this.#maxAttempts = settings.dispatch.retry.maxRetries + 1;
    this.#timeline = timeline;
    this.#breach = breach;
  }

  /** The most of all settings that were in force: a request may have begun under any of them. */
  get maxAttempts(): number {
    return this.#maxAttempts;
  }

  allow(maxRetries: number): void {
    this.#maxAttempts = Math.max(this.#maxAttempts, maxRetries + 1);
  }

  find(requestId: string): Entry | undefined {
    return this.entries.get(requestId);
  }

  opened(entry: Entry): void {
    this.entries.set(entry.request.id, entry);
    this.underWay.add(entry);
  }

  /** Refused in the tick of its submission: it never was accepted. */
  refused(entry: Entry): void {
    this.underWay.delete(entry);
    this.entries.delete(entry.request.id);
  }

  ended(request: RoutedRequest, end: RouteEnd): void {
    const entry = this.entries.get(request.id);
    if (!entry) return;
    if (entry.end) this.#breach(`${request.id} ended twice`);
    entry.end = end;
    entry.endedAtMs = this.#timeline.nowMs;
    this.underWay.delete(entry);
  }

  attemptEnded({ id }: RoutedRequest, { wasProbe, outcome }: AttemptRecord): void {
    const entry = this.entries.get(id);
    const isUncounted = wasProbe && outcome.kind === "unreachable";
    if (entry && isUncounted && entry.uncounted < UNCOUNTED_MAX) entry.uncounted += 1;
  }

  /** A worker that is taken away finishes what it has begun. */
  disconnected(requestIds: readonly string[]): void {
    for (const requestId of requestIds) {
      const entry = this.entries.get(requestId);
      if (entry?.end === null) this.#breach(`the connection of ${requestId} was closed under it`);
    }
  }

  /** The router sends a request to a worker: was that allowed? */
  dispatched(requestId: string, arrival: Arrival): void {
    const entry = this.entries.get(requestId);
    const { worker } = arrival;
    const what = `${requestId} was sent to ${worker.plan.spec.id}`;
    if (!entry) return this.#breach(`${what}, and nobody asked for it`);
    const wrong = this.#whatIsWrong(entry, arrival);
    if (wrong !== null) this.#breach(`${what} ${wrong}`);
    entry.arrivals.push(arrival);
  }

  #whatIsWrong(entry: Entry, { worker }: Arrival): string | null {
    const { request, client, arrivals, end } = entry;
    if (end) return "after its end";
    if (request.abandonment.reason) return `after it was abandoned: ${request.abandonment.reason}`;
    const lateMs = this.#timeline.nowMs - request.deadlineAtMs;
    if (lateMs > TICK_MS) return `${lateMs} ms after its deadline`;
    if (client && client.got !== "nothing") return `after the client got: ${client.got}`;
    if (request.isPlacement) return "though it is a placement";
    if (arrivals.length - entry.uncounted >= this.#maxAttempts)
      return `for the ${arrivals.length + 1}th time`;
    if (arrivals.some(({ exchange }) => !exchange.isOver)) return "while another attempt runs";
    if (!worker.plan.models.includes(request.model)) return `which serves no ${request.model}`;
    return null;
  }
}
