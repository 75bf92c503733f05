import type { FairShare } from "../admission/fair-share.ts";
import type { Lease, Leases } from "../admission/leases.ts";
import type { Placing, WaitEnd, Waiter } from "../admission/place.ts";
import type { Queue } from "../admission/queue.ts";
import type { Clock } from "../clock.ts";
import { RouterError } from "../errors.ts";
import type { Cooldowns } from "../failures/cooldowns.ts";
import type { Worker } from "../fleet/worker.ts";
import { decide, type Choice, type Question } from "../routing/decide.ts";
import { allocatedBytes } from "../routing/filters/memory.ts";
import { expiredError, impossibleError, nobodyError } from "../routing/nobody.ts";
import type { Random } from "../routing/random.ts";
import { settle } from "../routing/settled.ts";
import type { RoutingView, Strategy } from "../routing/stages.ts";
import { classKeyOf } from "./class-key.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { Trickle } from "./trickle.ts";
import type { TokenUsage } from "./usage.ts";

export interface TurnDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly strategy: () => Strategy;
  readonly leases: Leases;
  readonly cooldowns: Cooldowns;
  readonly fairShare: FairShare;
  readonly queue: Queue;
  /** The fleet, leases and cooldowns as they are at this moment. */
  readonly view: () => RoutingView;
  /** How many placements this user may occupy. */
  readonly gpuLimitOf: (user: string) => number;
  /** Told what happens, in the tick in which it happens; must not throw. */
  readonly observer: TurnObserver;
}

export interface TurnObserver {
  /** `choice` has a worker, or nobody was free: then the request waits or is refused. */
  onDecision(request: RoutedRequest, question: Question, choice: Choice): void;
  /** It waits for a slot from now on. */
  onQueued(request: RoutedRequest): void;
}

/** A slot of a worker, held for one attempt. */
export interface Turn {
  readonly kind: "turn";
  readonly worker: Worker;
  /** What `cooldowns.began` returned. */
  readonly wasProbe: boolean;
  /** In the tick of the attempt's end; twice does nothing. null = nobody knows what it cost. */
  release(usage: TokenUsage | null): void;
}

/** refused: with the client's error. gone: nobody waits for the answer any more. */
export type NoTurn =
  { readonly kind: "refused"; readonly error: RouterError } | { readonly kind: "gone" };

interface Asking {
  readonly request: RoutedRequest;
  readonly tried: readonly number[];
  readonly sinceMs: number;
}

/** Users at their gpu_limit may be helped by the end of a cooldown, too. */
const PARKED_EVERY_MS = 1000;

/** Gives each attempt its slot: at once where one is free, else when the queue says so. */
export class Turns {
  readonly #deps: TurnDeps;
  readonly #waiting = new Map<RoutedRequest, Waiter>();
  readonly #trickle: Trickle;
  #snapshotVersion = 0;
  #parkedSeenAtMs = -Infinity;

  constructor(deps: TurnDeps) {
    this.#deps = deps;
    this.#trickle = new Trickle(deps.clock, deps.cooldowns);
  }

  /** `tried`: workers of earlier attempts, which come last. Nothing awaits between choice and lease. */
  take(request: RoutedRequest, tried: readonly number[]): Turn | NoTurn | Promise<Turn | NoTurn> {
    const { clock, queue } = this.#deps;
    const asking = { request, tried, sinceMs: clock.now() };
    if (queue.size > 0 && !queue.isOpenFor(classKeyOf(request))) return this.#wait(asking, false);
    const { question, choice } = this.#ask(asking);
    this.#deps.observer.onDecision(request, question, choice);
    if (choice.worker !== null) return this.#lease(asking, choice.worker);
    const refusal = this.#whyNotWait(question);
    return refusal ?? this.#wait(asking, this.#onlyLimited(question));
  }

  /** Our requests in this worker now. */
  runningOn(worker: Worker): number {
    return this.#deps.leases.own(worker.index);
  }

  /** Whether a worker that was not tried yet could take it now. */
  couldGoElsewhere(request: RoutedRequest, tried: readonly number[]): boolean {
    return decide(this.question(request, tried)).worker !== null;
  }

  /** Whether a worker that was not tried yet could take it sooner or later. */
  mayGoElsewhere(request: RoutedRequest, tried: readonly number[]): boolean {
    const question = this.question(request, []);
    const { workers } = settle(question.strategy, question.request, question.view);
    return workers.some(({ worker }) => !tried.includes(worker.index));
  }

  /** The routing question of a request, as things stand at this moment. */
  question(request: RoutedRequest, tried: readonly number[]): Question {
    const { random, leases } = this.#deps;
    const strategy = this.#deps.strategy();
    const { user, model, path, type, band, memoryBytes, computeUnits } = request;
    const gpuLimit = this.#deps.gpuLimitOf(user);
    const atGpuLimit = leases.placementCount(user) >= gpuLimit;
    const limits = { user, gpuLimit, atGpuLimit };
    const routing = { ...limits, model, path, type, band, memoryBytes, computeUnits, tried };
    return { strategy, request: routing, view: this.#deps.view(), random };
  }

  /** Where a request stands; null = it does not wait. */
  placeOf(request: RoutedRequest): Waiter | null {
    return this.#waiting.get(request) ?? null;
  }

  /** After an attempt, and what it taught: its slot may be somebody's. */
  slotFreed({ placement, models }: Worker): void {
    this.#deps.queue.slotFreed(placement, (model) => models.has(model));
  }

  /** What time alone changes, such as the end of a cooldown, or what a poll has brought. */
  lookAgain(): void {
    const { queue, view } = this.#deps;
    const { snapshot, nowMs } = view();
    const isDue = nowMs - this.#parkedSeenAtMs >= PARKED_EVERY_MS;
    const alsoParked = isDue || snapshot.version !== this.#snapshotVersion;
    queue.pump({ alsoParked });
    this.#snapshotVersion = snapshot.version;
    if (alsoParked) this.#parkedSeenAtMs = nowMs;
  }

  /** No worker could ever take it: null, or its 404 or 422. */
  impossible(request: RoutedRequest): RouterError | null {
    return impossibleError(this.question(request, []));
  }

  #ask({ request, tried }: Asking): { readonly question: Question; readonly choice: Choice } {
    const elsewhere = this.question(request, tried);
    const choice = decide(elsewhere);
    if (choice.worker !== null) return { question: elsewhere, choice };
    const question = tried.length === 0 ? elsewhere : this.question(request, []);
    const anywhere = tried.length === 0 ? choice : decide(question);
    const early = anywhere.worker === null ? this.#trickle.ask(question) : null;
    return early ?? { question, choice: anywhere };
  }

  /** null: it may wait. */
  #whyNotWait(question: Question): NoTurn | null {
    const error = impossibleError(question);
    if (error) return { kind: "refused", error };
    // Nothing to wait for: no worker is known, or the operator wants no queue.
    const isPointless = question.view.snapshot.workers.length === 0 || !this.#deps.queue.isOn;
    return isPointless ? { kind: "refused", error: nobodyError(question) } : null;
  }

  #wait(asking: Asking, atUserLimit: boolean): NoTurn | Promise<Turn | NoTurn> {
    const { request, tried } = asking;
    const { queue, observer } = this.#deps;
    const { promise, resolve } = Promise.withResolvers<Turn | NoTurn>();
    let turn: Turn | null = null;
    const place = (): Placing => {
      const { question, choice } = this.#ask(asking);
      if (choice.worker === null) return this.#whyNot(question);
      this.#waiting.delete(request);
      observer.onDecision(request, question, choice);
      turn = this.#lease(asking, choice.worker);
      return "placed";
    };
    const onEnd = (end: WaitEnd): void => {
      this.#waiting.delete(request);
      request.abandonment.listen(null);
      resolve(turn ?? this.#noTurn(asking, end));
    };
    try {
      const { user, model, band, body, acceptedAtMs, deadlineAtMs } = request;
      const waiter = queue.wait({
        ...{ user, model, band, acceptedAtMs, deadlineAtMs, place, onEnd },
        classKey: classKeyOf(request),
        bytes: body.length,
        isRetry: tried.length > 0,
        atUserLimit,
      });
      this.#waiting.set(request, waiter);
      observer.onQueued(request);
      request.abandonment.listen(() => waiter.leave());
      return promise;
    } catch (error) {
      if (!(error instanceof RouterError)) throw error;
      return { kind: "refused", error };
    }
  }

  #whyNot(question: Question): Placing {
    if (this.#onlyLimited(question))
      return question.request.gpuLimit === 0 ? "never" : "user_limit";
    return impossibleError(question) ? "never" : "no_slot";
  }

  /** Without their gpu_limit the user would have a slot now. */
  #onlyLimited(question: Question): boolean {
    const { request } = question;
    if (!request.atGpuLimit) return false;
    return decide({ ...question, request: { ...request, atGpuLimit: false } }).worker !== null;
  }

  #noTurn({ request, tried, sinceMs }: Asking, end: WaitEnd): NoTurn {
    if (end === "left") return { kind: "gone" };
    const question = this.question(request, tried);
    const waitedMs = this.#deps.clock.now() - sinceMs;
    const error = impossibleError(question) ?? expiredError(question, waitedMs);
    return { kind: "refused", error };
  }

  #lease({ request, tried }: Asking, worker: Worker): Turn {
    const { clock, leases, cooldowns, strategy, fairShare, queue } = this.#deps;
    if (request.timeoutMs !== null && tried.length === 0) {
      request.deadlineAtMs = clock.now() + request.timeoutMs;
    }
    const lease: Lease = leases.take(worker, {
      requestId: request.id,
      user: request.user,
      memoryBytes: allocatedBytes(worker, request),
    });
    strategy().picker.picked?.(worker);
    const account = fairShare.of(request.user, request.model);
    const charged = fairShare.charge(account);
    queue.reorder(account);
    return {
      kind: "turn",
      worker,
      // A placement shows nothing of the worker, and may last for days: it cannot be the one probe.
      wasProbe: !request.isPlacement && cooldowns.began(worker.index),
      release(usage) {
        if (!lease.release()) return;
        fairShare.settle(account, charged, usage);
        queue.reorder(account);
      },
    };
  }
}
