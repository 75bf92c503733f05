import type { RoutedRequest } from "../dispatch/routed-request.ts";
import type { Gpu } from "../fleet/gpu.ts";
import type { Worker } from "../fleet/worker.ts";
import type { Choice } from "../routing/decide.ts";
import type { Entry } from "./ledger.ts";
import type { VirtualWorker } from "./virtual-worker.ts";
import type { World } from "./world.ts";

/** A free slot is found at the next look of the queue, and two looks of ours may fall around that. */
const LONGEST_IDLE_MS = 1000;

/** A place in a long queue takes long to find, and there is one for each that waits. */
const LOOKED_AT_MOST = 200;

/** What must be true at every moment, and is looked at after every event. */
export class Invariants {
  readonly #world: World;
  #openLeases = 0;
  /** Placements of each user when last looked at. */
  readonly #held = new Map<string, number>();
  /** Since when a request waits that could run. */
  readonly #couldRunSince = new Map<Entry, number>();

  constructor(world: World) {
    this.#world = world;
  }

  afterEvent(): void {
    const { quotas, ledger, dispatcher, leases } = this.#world;
    this.#checkUsers();
    // Most events are ticks that touch no lease.
    if (leases.openCount !== this.#openLeases) this.#checkLeases();
    this.#openLeases = leases.openCount;
    const { queue } = dispatcher;
    this.#same(
      ["open reservations", quotas.openCount],
      ["requests under way", ledger.underWay.size],
    );
    const inBands = [1, 2, 3, 4, 5].reduce((sum, band) => sum + queue.sizeOfBand(band), 0);
    this.#same(["waiting requests", queue.size], ["of all bands", inBands]);
  }

  /** Now and then: what takes longer to look at, or has a moment's grace. */
  sometimes(): void {
    this.#checkLeases();
    const { ledger, dispatcher, loop, told, workers, breach } = this.#world;
    if (dispatcher.queue.size <= LOOKED_AT_MOST) this.#checkQueue();
    const indices = loop.fleet.snapshot().workers.map(({ index }) => index);
    this.#same(["workers in the snapshot", indices.length], ["configured", told.workers.length]);
    this.#same(
      ["workers in the snapshot", indices.length],
      ["their indices", new Set(indices).size],
    );
    for (const [requestId, count] of this.#leasesByRequest()) {
      const entry = ledger.find(requestId);
      if (!entry || entry.end) breach(`a lease of ${requestId} is open after its end`);
      if (count > 1) breach(`${requestId} holds ${count} leases`);
    }
    for (const worker of workers) this.#checkWork(worker);
  }

  #checkQueue(): void {
    const { ledger, dispatcher } = this.#world;
    const waiting = [...ledger.underWay].filter(({ request }) => dispatcher.placeOf(request));
    this.#same(
      ["waiting requests", dispatcher.queue.size],
      ["requests with a place", waiting.length],
    );
    for (const entry of waiting) this.#checkWait(entry);
    for (const entry of this.#couldRunSince.keys()) {
      if (!waiting.includes(entry)) this.#couldRunSince.delete(entry);
    }
  }

  #checkLeases(): void {
    const { leases, loop, cooldowns, breach } = this.#world;
    const { overWorkers, overUsers } = leases.sums;
    this.#same(["leases over workers", overWorkers], ["open", leases.openCount]);
    this.#same(["leases over users", overUsers], ["open", leases.openCount]);
    for (const { index, id, slots } of loop.fleet.snapshot().workers) {
      const own = leases.own(index);
      if (own > slots) breach(`${id} has ${own} leases and ${slots} slots`);
      const probes = cooldowns.probesOf(index);
      if (probes > own + this.#beingJudged()) breach(`${id} has a probe in flight, and no lease`);
    }
  }

  /** A silent attempt has given its slot back while its worker is asked whether it is alive. */
  #beingJudged(): number {
    return this.#world.judging();
  }

  /** A lowered limit takes nothing away; it only lets nothing new begin. */
  #checkUsers(): void {
    const { scene, leases, quotas, breach } = this.#world;
    for (const user of scene.users.keys()) {
      const held = leases.placementCount(user);
      const before = this.#held.get(user) ?? 0;
      const { gpuLimit } = quotas.limitsOf(user);
      if (held > gpuLimit && held > before) {
        breach(`${user} holds ${held} placements, gpu_limit ${gpuLimit}`);
      }
      this.#held.set(user, held);
    }
  }

  #checkWait(entry: Entry): void {
    const { dispatcher, timeline, breach } = this.#world;
    const { chosen } = dispatcher.explainRequest(entry.request);
    if (chosen === null) {
      this.#couldRunSince.delete(entry);
      return;
    }
    const sinceMs = this.#couldRunSince.get(entry) ?? timeline.nowMs;
    this.#couldRunSince.set(entry, sinceMs);
    const idleMs = timeline.nowMs - sinceMs;
    if (idleMs > this.#longestIdleMs(entry)) {
      breach(`${entry.request.id} waits, though ${chosen} could run it for ${idleMs} ms now`);
    }
  }

  /** Users at their gpu_limit are passed over until a slot of theirs is free, or the next poll. */
  #longestIdleMs({ request: { user } }: Entry): number {
    const { leases, quotas, told } = this.#world;
    const isAtLimit = leases.placementCount(user) >= quotas.limitsOf(user).gpuLimit;
    return LONGEST_IDLE_MS + (isAtLimit ? 1.1 * told.settings.updateIntervalMs : 0);
  }

  /** Once nobody waits for an answer, its connection is closed, or the worker would go on. */
  #checkWork({ open, plan }: VirtualWorker): void {
    const { ledger, breach } = this.#world;
    for (const { requestId, isSent } of open) {
      const isOver = (ledger.find(requestId)?.end ?? null) !== null;
      if (isSent && isOver) breach(`${plan.spec.id} still works for ${requestId}, which is over`);
    }
  }

  #leasesByRequest(): Map<string, number> {
    const { leases, scene } = this.#world;
    const counts = new Map<string, number>();
    // Of workers that a reload took away, too: what runs there goes on.
    for (const index of scene.workers.keys()) {
      for (const { requestId } of leases.openOn(index)) {
        counts.set(requestId, (counts.get(requestId) ?? 0) + 1);
      }
    }
    return counts;
  }

  #same([what, count]: Counted, [other, expected]: Counted): void {
    if (count !== expected) this.#world.breach(`${what}: ${count}, ${other}: ${expected}`);
  }
}

type Counted = readonly [what: string, count: number];

/** Held against a choice in the tick in which it is made, before its lease. */
export function checkChoice(world: World, request: RoutedRequest, { worker }: Choice): void {
  if (worker === null) return;
  const { leases, cooldowns, loop, breach } = world;
  const what = `${request.id} goes to ${worker.id}`;
  const now = loop.fleet.snapshot().workers.find(({ index }) => index === worker.index);
  if (now !== worker) breach(`${what}, as an old snapshot knew it`);
  const own = leases.own(worker.index);
  if (own >= cooldowns.slotLimit(worker.index, worker.slots)) breach(`${what}, which has no slot`);
  if (cooldowns.blocks(worker.index)) checkEarlyProbe(world, request, what);
  if (!worker.models.has(request.model)) breach(`${what}, which serves no ${request.model}`);
  if (!isFit(worker)) breach(`${what}, whose GPU is not to be used`);
}

/** While all workers of a model cool, one request a second may try the one that is due soonest. */
function checkEarlyProbe(world: World, request: RoutedRequest, what: string): void {
  const { cooldowns, loop, timeline, earlyProbes, breach } = world;
  const { model } = request;
  if (request.isPlacement) breach(`${what}, which is cooling, with a placement`);
  const serving = loop.fleet.snapshot().workersByModel.get(model) ?? [];
  const other = serving.find((worker) => !cooldowns.blocks(worker.index) && isFit(worker));
  if (other) breach(`${what}, which is cooling, and ${other.id} is not`);
  const sinceMs = timeline.nowMs - (earlyProbes.get(model) ?? -Infinity);
  if (sinceMs < EARLY_PROBE_MS) breach(`${what}, which is cooling, ${sinceMs} ms after another`);
  earlyProbes.set(model, timeline.nowMs);
}

function isFit({ state, gpus }: Worker): boolean {
  return state === "up" && gpus.every(isUsable);
}

function isUsable({ tooHot, isMissing, status, health }: Gpu): boolean {
  const isSound = status === "available" && health?.status !== "critical";
  return isSound && !tooHot && !isMissing;
}

/** One a second, for each model. */
const EARLY_PROBE_MS = 1000;
