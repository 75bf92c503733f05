import { Abandonment, type RoutedRequest } from "../dispatch/routed-request.ts";
import { RouterError } from "../errors.ts";
import { submitBatch } from "../requests/batches.ts";
import type { Job } from "../requests/job.ts";
import { Dice } from "./dice.ts";
import type { Entry } from "./ledger.ts";
import type { Act, RequestPlan } from "./scene.ts";
import { VirtualClient } from "./virtual-client.ts";
import type { World } from "./world.ts";

/** Those who use the router: they send what the scene says, wait, go away, and complete placements. */
export class Callers {
  readonly #world: World;
  readonly #dice: Dice;
  #sent = 0;
  #isStopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#dice = new Dice(world.scene.seed, "clients");
    const { scene, timeline } = world;
    for (const plan of scene.requests) timeline.world.after(plan.atMs, () => this.send(plan));
    for (const act of scene.acts) timeline.world.after(act.atMs, () => this.#act(act));
  }

  /** null: it was no single request, or the router is stopped. */
  send(plan: RequestPlan): Entry | null {
    if (this.#isStopped) return null;
    if (plan.kind === "json" || plan.kind === "stream") return this.#sendDirect(plan);
    return plan.items > 1 ? this.#sendBatch(plan) : this.#sendJob(plan);
  }

  #sendDirect(plan: RequestPlan): Entry {
    const { ledger, tell } = this.#world;
    const entry = this.#newEntry(plan);
    const { request } = entry;
    ledger.opened(entry);
    tell(() => `${request.id} ${plan.kind} of ${plan.user} for ${plan.model}, band ${plan.band}`);
    void this.#route(entry);
    this.#followUp(entry);
    return entry;
  }

  async #route({ request, client }: Entry): Promise<void> {
    const { ledger, dispatcher, breach, tell } = this.#world;
    try {
      const end = await dispatcher.routeRequest(request, client!);
      tell(() => `${request.id} ended with ${end.status} ${end.error?.message ?? ""}`);
      ledger.ended(request, end);
    } catch (cause) {
      breach(`${request.id} ran into a defect: ${String(cause)}`);
    }
  }

  #sendJob(plan: RequestPlan): Entry {
    const { jobs, ledger, tell } = this.#world;
    const entry = this.#newEntry(plan);
    ledger.opened(entry);
    tell(() => `${entry.request.id} ${plan.kind} of ${plan.user} for ${plan.model}`);
    try {
      entry.job = jobs.submit(entry.request, { expectedDurationMs: null, callbackUrl: null });
      this.#followUp(entry);
    } catch (error) {
      this.#refused([entry], error);
    }
    return entry;
  }

  #sendBatch(plan: RequestPlan): null {
    const { jobs, store, ledger, dispatcher, quotas, tell } = this.#world;
    const entries = Array.from({ length: plan.items }, () => this.#newEntry(plan));
    for (const entry of entries) ledger.opened(entry);
    tell(() => `batch of ${plan.items} from ${entries[0]?.request.id} of ${plan.user}`);
    const deps = {
      ...{ jobs, store },
      permanentRefusal: dispatcher.permanentRefusal,
      checkRoom: dispatcher.checkRoom,
      reserve: (user: string, count: number) =>
        quotas.reserveMany(user, Array<number>(count).fill(dispatcher.meanTokens())),
    };
    const items = entries.map(({ request }) => ({ request, expectedDurationMs: null }));
    try {
      submitBatch(deps, items).forEach((job, at) => this.#follow(entries[at]!, job));
    } catch (error) {
      this.#refused(entries, error);
    }
    return null;
  }

  #follow(entry: Entry, job: Job): void {
    entry.job = job;
    entry.request = job.request;
    this.#followUp(entry);
  }

  #refused(entries: readonly Entry[], error: unknown): void {
    const { ledger, breach, tell } = this.#world;
    for (const entry of entries) ledger.refused(entry);
    tell(() => `${entries[0]?.request.id} refused: ${String(error)}`);
    if (!(error instanceof RouterError)) breach(`a submission ran into ${String(error)}`);
  }

  /** What the caller does later, whatever has become of it by then. */
  #followUp(entry: Entry): void {
    const { timeline, dispatcher } = this.#world;
    const { leavesAfterMs, completesAfterMs, kind } = entry.plan;
    if (leavesAfterMs !== null) timeline.world.after(leavesAfterMs, () => this.#leave(entry));
    if (kind !== "placement" || completesAfterMs === null) return;
    const ok = this.#dice.chance(0.8);
    timeline.world.after(completesAfterMs, () => {
      dispatcher.placements.complete(entry.request, { ok, tokens: 10 });
    });
  }

  #leave(entry: Entry): void {
    const { timeline, jobs, tell } = this.#world;
    if (entry.end) return;
    entry.leftAtMs = timeline.nowMs;
    tell(() => `${entry.request.id} is given up by its caller`);
    if (entry.job) jobs.cancel(entry.job);
    else {
      entry.client?.leave();
      entry.request.abandonment.abandon("client_gone");
    }
  }

  /** The drain is over: whatever still runs ends now. */
  #cutOff(): void {
    const { timeline, dispatcher, ledger, breach } = this.#world;
    dispatcher.abandonAll();
    timeline.world.after(1, () => {
      const left = ledger.underWay.size;
      if (left > 0) breach(`the router has stopped, and ${left} requests run`);
    });
  }

  #newEntry(plan: RequestPlan): Entry {
    const { timeline, breach } = this.#world;
    const isJob = plan.kind === "job" || plan.kind === "placement";
    const nowMs = timeline.router.now();
    this.#sent += 1;
    const id = `00000000-0000-4000-8000-${String(this.#sent).padStart(12, "0")}`;
    const request: RoutedRequest = {
      id,
      user: plan.user,
      path: plan.kind === "placement" ? null : "/v1/chat/completions",
      type: "inference",
      model: plan.model,
      band: plan.band,
      stream: plan.kind === "stream",
      body: BODY,
      memoryBytes: plan.memoryBytes,
      computeUnits: null,
      acceptedAtMs: nowMs,
      deadlineAtMs: nowMs + (isJob ? plan.queueMs : plan.timeoutMs),
      timeoutMs: isJob ? plan.timeoutMs : null,
      reservation: null,
      isPlacement: plan.kind === "placement",
      abandonment: new Abandonment(),
    };
    const onBreach = (what: string): void => breach(`the client of ${id}: ${what}`);
    const { stalls } = plan;
    const terms = { clock: timeline.world, dice: this.#dice, stalls, onBreach };
    const client = isJob ? null : new VirtualClient(terms);
    const nothing = { job: null, uncounted: 0, end: null, endedAtMs: 0, leftAtMs: null };
    return { plan, request, client, arrivals: [], ...nothing };
  }

  #act(act: Act): void {
    const { timeline, dispatcher, cooldowns, quotas, tell } = this.#world;
    tell(() => `act ${JSON.stringify(act)}`);
    switch (act.does) {
      case "stop":
        this.#isStopped = true;
        dispatcher.abandonWaiting();
        timeline.world.after(act.drainMs, () => this.#cutOff());
        return;
      case "reload":
        this.#world.reload(act.settings, act.without);
        return;
      case "clear_cooldown":
        cooldowns.clear(act.worker);
        return;
      case "set_wall_clock":
        timeline.router.wallStartMs += act.byMs;
        return;
      case "limit_user":
        quotas.setOverride(act.user, act.given);
        dispatcher.limitsChanged();
    }
  }
}

const BODY = Buffer.from('{"model":"m","messages":[]}');
