import type { Clock } from "../clock.ts";
import type { AttemptEnd, Cooldown, CooldownChange, CooldownView } from "./cooldown-view.ts";
import { Evidence, type Charge } from "./evidence.ts";
import { Pause } from "./pause.ts";
import { SlowStart } from "./slow-start.ts";

/**
 * The time a failing worker gets no new requests. A worker is taken out when its failure share over
 * the last minute is above error_threshold beyond reasonable doubt, or when it fails several times in
 * a row; after the cooldown single probes decide whether it is back, and it starts slowly.
 */

export interface CooldownSettings {
  /** error_handler.error_threshold, 0..1. */
  readonly errorThreshold: number;
  /** error_handler.gpu_cooldown_period. */
  readonly cooldownMs: number;
  /** error_handler.early_recovery: checks that succeed end the wait for the first probe. */
  readonly earlyRecovery: boolean;
}

export interface CooldownOptions {
  readonly clock: Clock;
  readonly settings: () => CooldownSettings;
  /** Indices of the workers that could do the work of this one, itself included. */
  readonly peersOf: (workerIndex: number) => readonly number[];
  readonly onChange: (change: CooldownChange) => void;
}

const PROBE_SUCCESSES = 2;
/** A long generation proves nothing by its length: after so long another request may be the probe. */
const LONGEST_PROBE_MS = 30_000;
/** Of its checks, one after the other, before an early probe. */
const EARLY_CHECKS = 2;

/** A cooldown under way, up to the second good probe. */
interface Cooling {
  readonly kind: Charge["kind"];
  readonly reason: string;
  readonly sinceMs: number;
  untilMs: number;
  probeSuccesses: number;
  checkSuccesses: number;
}

class WorkerHistory {
  evidence = new Evidence();
  cooling: Cooling | null = null;
  probesInFlight = 0;
  probeSinceMs = 0;
  slowStart: SlowStart | null = null;
  pause: Pause | null = null;
}

function isProbing({ probesInFlight, probeSinceMs }: WorkerHistory, nowMs: number): boolean {
  return probesInFlight > 0 && nowMs - probeSinceMs < LONGEST_PROBE_MS;
}

export class Cooldowns implements CooldownView {
  readonly #options: CooldownOptions;
  readonly #workers: (WorkerHistory | undefined)[] = [];
  #coolingCount = 0;

  constructor(options: CooldownOptions) {
    this.#options = options;
  }

  /** Workers whose cooldown is not over, those that are being probed among them. */
  get coolingCount(): number {
    return this.#coolingCount;
  }

  blocks(workerIndex: number): boolean {
    const history = this.#workers[workerIndex];
    if (history === undefined) return false;
    const { cooling, pause } = history;
    if (cooling === null && pause === null) return false;
    const nowMs = this.#options.clock.now();
    if (pause !== null && nowMs < pause.untilMs) return true;
    return cooling !== null && (isProbing(history, nowMs) || nowMs < cooling.untilMs);
  }

  slotLimit(workerIndex: number, slots: number): number {
    const history = this.#workers[workerIndex];
    if (!history?.slowStart) return slots;
    const limit = history.slowStart.limit(slots, this.#options.clock.now());
    if (limit >= slots) history.slowStart = null;
    return limit;
  }

  isCooling(workerIndex: number): boolean {
    return this.#coolingOf(workerIndex) !== null;
  }

  /** It has cooled for at least so long, and no probe of it is under way. */
  mayBeProbedAfter(leastMs: number, workerIndex: number): boolean {
    const history = this.#workers[workerIndex];
    const nowMs = this.#options.clock.now();
    if (!history?.cooling || isProbing(history, nowMs)) return false;
    return nowMs - history.cooling.sinceMs >= leastMs;
  }

  describe(workerIndex: number): Cooldown | null {
    const history = this.#workers[workerIndex];
    if (!history) return null;
    const { cooling, slowStart, pause } = history;
    const nowMs = this.#options.clock.now();
    if (cooling) {
      const { reason, untilMs } = cooling;
      return { state: nowMs < untilMs ? "cooling" : "probing", reason, untilMs };
    }
    if (pause !== null && nowMs < pause.untilMs) {
      return { state: "paused", reason: pause.reason, untilMs: pause.untilMs };
    }
    if (!slowStart || nowMs >= slowStart.endsAtMs) return null;
    return { state: "warming_up", reason: WARMING_UP, untilMs: slowStart.endsAtMs };
  }

  /** Share of failures in the last minute, 0..1; 0 when there were no requests. */
  errorRate(workerIndex: number): number {
    return this.#workers[workerIndex]?.evidence.share(this.#options.clock.now()) ?? 0;
  }

  /**
   * Call in the same tick as the choice; `ended` must follow, with what this returns.
   * True: this attempt is the worker's one probe.
   */
  began(workerIndex: number): boolean {
    const history = this.#workers[workerIndex];
    if (!history?.cooling) return false;
    history.probesInFlight += 1;
    history.probeSinceMs = this.#options.clock.now();
    return true;
  }

  ended(workerIndex: number, end: AttemptEnd): void {
    const history = (this.#workers[workerIndex] ??= new WorkerHistory());
    if (end.wasProbe) history.probesInFlight -= 1;
    this.#pause(history, end);
    // Answers to requests that were sent before the cooldown began say nothing new about it.
    if (history.cooling && !end.wasProbe) return;
    if (end.class === "neutral" || (end.class === "shared" && end.wasProbe)) return;
    if (end.class === "success") this.#succeeded(workerIndex, history);
    else {
      history.evidence.failed(end.class, this.#options.clock.now());
      this.#failed(workerIndex, history, end.failure);
    }
  }

  /** It has answered something: it is not dead. */
  trust(workerIndex: number): void {
    this.#workers[workerIndex]?.pause?.trust();
  }

  /** The worker was asked what it is, and answered or not. */
  checked(workerIndex: number, isWell: boolean): void {
    const cooling = this.#coolingOf(workerIndex);
    const nowMs = this.#options.clock.now();
    if (!cooling || !this.#options.settings().earlyRecovery || nowMs >= cooling.untilMs) return;
    cooling.checkSuccesses = isWell ? cooling.checkSuccesses + 1 : 0;
    if (cooling.checkSuccesses < EARLY_CHECKS) return;
    cooling.untilMs = nowMs;
    this.#tell(workerIndex, "due", cooling);
  }

  /** An operator says that it is well. False: nothing kept requests from it. */
  clear(workerIndex: number): boolean {
    const before = this.describe(workerIndex);
    if (before === null) return false;
    if (this.isCooling(workerIndex)) this.#coolingCount -= 1;
    const history = new WorkerHistory();
    // A probe that is under way stays the only one, also in a cooldown that comes before its end.
    history.probesInFlight = this.#workers[workerIndex]?.probesInFlight ?? 0;
    history.probeSinceMs = this.#workers[workerIndex]?.probeSinceMs ?? 0;
    this.#workers[workerIndex] = history;
    this.#tell(workerIndex, "cleared", before);
    return true;
  }

  #coolingOf(workerIndex: number): Cooling | null {
    return this.#workers[workerIndex]?.cooling ?? null;
  }

  #pause(history: WorkerHistory, { pauseMs, suspects, failure }: AttemptEnd): void {
    if (!suspects && pauseMs === undefined) return;
    const nowMs = this.#options.clock.now();
    history.pause ??= new Pause();
    if (suspects) history.pause.suspect(nowMs, failure);
    if (pauseMs !== undefined) history.pause.busy(nowMs + pauseMs, failure);
  }

  #succeeded(workerIndex: number, history: WorkerHistory): void {
    const nowMs = this.#options.clock.now();
    history.evidence.succeeded(nowMs);
    history.slowStart?.succeeded();
    const { cooling } = history;
    if (!cooling) return;
    cooling.probeSuccesses += 1;
    if (cooling.probeSuccesses < PROBE_SUCCESSES) {
      // The next probe need not wait: this one may have come before the cooldown was over.
      cooling.untilMs = Math.min(cooling.untilMs, nowMs);
      return;
    }
    history.cooling = null;
    this.#coolingCount -= 1;
    // What was counted before must not take it out again.
    history.evidence = new Evidence();
    history.slowStart = new SlowStart(nowMs);
    this.#tell(workerIndex, "recovered", cooling);
  }

  #failed(workerIndex: number, history: WorkerHistory, failure: string): void {
    const { errorThreshold, cooldownMs } = this.#options.settings();
    const wasCooling = history.cooling;
    const charge = wasCooling
      ? { kind: wasCooling.kind, reason: "probe failed" }
      : history.evidence.charge(errorThreshold);
    if (charge === null || (!wasCooling && this.#isSpared(workerIndex, charge))) return;
    const sinceMs = this.#options.clock.now();
    const untilMs = sinceMs + cooldownMs;
    const reason = `${charge.reason}: ${failure}`;
    const { kind } = charge;
    if (!wasCooling) this.#coolingCount += 1;
    history.slowStart = null;
    history.cooling = { kind, reason, sinceMs, untilMs, probeSuccesses: 0, checkSuccesses: 0 };
    this.#tell(workerIndex, "cooling", history.cooling);
  }

  /**
   * A worker that fails often is better than none: for their share no more than half of those that do
   * the same work are taken out. One that does nothing but fail is no help, and always goes.
   */
  #isSpared(workerIndex: number, { kind }: Charge): boolean {
    if (kind !== "share") return false;
    const peers = this.#options.peersOf(workerIndex);
    const out = peers.filter((index) => this.#coolingOf(index)?.kind === "share").length;
    return (out + 1) * 2 > peers.length;
  }

  #tell(
    workerIndex: number,
    kind: CooldownChange["kind"],
    { reason, untilMs }: Pick<Cooldown, "reason" | "untilMs">,
  ): void {
    this.#options.onChange({ workerIndex, kind, reason, untilMs });
  }
}

const WARMING_UP = "back from its cooldown, and given more requests step by step";
