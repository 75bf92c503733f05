import { describe, expect, test } from "vitest";
import { runScene } from "../../../src/simulator/run-scene.ts";
import type { Scene } from "../../../src/simulator/scene.ts";
import type { World } from "../../../src/simulator/world.ts";
import { steadyScene, steadyWorker } from "./steady-scene.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TIMEOUT = { timeout: 120_000 };

/** Plays a scene, in which no rule may be broken, with a look at it every virtual second. */
async function play(scene: Scene, look: (world: World, sceneMs: number) => void): Promise<World> {
  const onStart = (world: World): void => {
    world.timeline.world.every(1000, () => look(world, world.timeline.nowMs - world.startedAtMs));
  };
  const { violation, world } = await runScene(scene, { onStart });
  expect(violation?.message).toBeUndefined();
  return world;
}

/** Requests that came within these times of the scene. */
function entriesBetween({ ledger }: World, fromMs: number, untilMs: number) {
  const isWithin = (atMs: number): boolean => atMs >= fromMs && atMs < untilMs;
  return [...ledger.entries.values()].filter(({ plan }) => isWithin(plan.atMs));
}

/** Leases per slot of each worker, as a mean over all looks. */
class Loads {
  readonly #sums: number[] = [];
  #looks = 0;

  look({ leases, scene }: World): void {
    this.#looks += 1;
    for (const [at, { spec }] of scene.workers.entries()) {
      this.#sums[at] = (this.#sums[at] ?? 0) + leases.own(at) / (spec.slots ?? 1);
    }
  }

  get each(): number[] {
    return this.#sums.map((sum) => sum / this.#looks);
  }

  get mean(): number {
    return this.each.reduce((sum, load) => sum + load, 0) / this.each.length;
  }

  /** 1 = all are as busy. */
  get spread(): number {
    return Math.max(...this.each) / this.mean;
  }
}

test("the monitor is down for an hour, and all are served as before", TIMEOUT, async () => {
  const workers = [
    steadyWorker(0, { slots: 4, answerMs: 6000 }),
    steadyWorker(1, { slots: 6, answerMs: 5000 }),
    steadyWorker(2, { slots: 8, answerMs: 4000 }),
    steadyWorker(3, { slots: 12, answerMs: 3000 }),
  ];
  const downAtMs = 10 * MINUTE_MS;
  const upAtMs = downAtMs + HOUR_MS;
  const scene = steadyScene({
    ...{ seed: 1, workers, requestsPerS: AT_60_PERCENT, forMs: upAtMs },
    monitor: [
      { fromMs: 0, mood: "well" },
      { fromMs: downAtMs, mood: "down" },
      { fromMs: upAtMs, mood: "well" },
    ],
  });
  const before = new Loads();
  const during = new Loads();
  const world = await play(scene, (seen, sceneMs) => {
    if (sceneMs < upAtMs) (sceneMs < downAtMs ? before : during).look(seen);
  });
  const entries = entriesBetween(world, downAtMs, upAtMs);
  const served = entries.filter(({ end }) => end?.status === 200 && end.error === null);
  expect(served.length / entries.length).toBeGreaterThanOrEqual(0.999);
  expect(during.spread).toBeLessThanOrEqual(1.5);
  for (const [at, load] of during.each.entries()) {
    expect(load / before.each[at]!, `of worker ${at}`).toBeGreaterThan(0.8);
    expect(load / before.each[at]!, `of worker ${at}`).toBeLessThan(1.25);
  }
  expect(during.mean).toBeGreaterThan(0.55);
});

const AT_60_PERCENT = 3.1;

describe("when everything fails for a minute at 200 requests a second, retries add little:", () => {
  const FAILS_FROM_MS = 2000;
  const FAILS_UNTIL_MS = 62_000;

  test.each(["fails", "breaks"] as const)("every worker %s", TIMEOUT, async (mood) => {
    const workers = [0, 1, 2, 3].map((at) =>
      steadyWorker(at, { slots: 64, answerMs: 200 }, [
        { fromMs: FAILS_FROM_MS, mood },
        { fromMs: FAILS_UNTIL_MS, mood: "well" },
      ]),
    );
    const scene = steadyScene({ seed: 1, workers, requestsPerS: 200, forMs: FAILS_UNTIL_MS });
    const world = await play(scene, () => undefined);
    const entries = entriesBetween(world, FAILS_FROM_MS, FAILS_UNTIL_MS);
    const attempts = entries.map(({ end }) => end?.attempts.length ?? 0);
    const sum = attempts.reduce((total, count) => total + count, 0);
    expect(entries.length).toBeGreaterThan(11_000);
    expect(sum / entries.length).toBeLessThanOrEqual(1.25);
  });
});

describe("a worker that is back from its cooldown", () => {
  const DIES_AT_MS = MINUTE_MS;
  const BACK_AT_MS = 3 * MINUTE_MS;
  const SLOTS = 8;

  const deathOfOne = (): Scene => {
    const dead = [
      { fromMs: DIES_AT_MS, mood: "refuses" },
      { fromMs: BACK_AT_MS, mood: "well" },
    ] as const;
    const alike = { slots: SLOTS, answerMs: 1000 };
    const workers = [0, 1, 2, 3].map((at) => steadyWorker(at, alike, at === 0 ? dead : []));
    return steadyScene({ seed: 1, workers, requestsPerS: 14, forMs: 10 * MINUTE_MS });
  };

  test("gets one probe at a time, and has its share within a minute", TIMEOUT, async () => {
    let firstGoodAtMs = Infinity;
    let fullAtMs = Infinity;
    const full = new Loads();
    await play(deathOfOne(), (world, sceneMs) => {
      const { cooldowns, workers } = world;
      const limit = cooldowns.slotLimit(0, SLOTS);
      // The worker's own count, so that it does not hang on what the router believes.
      const open = workers[0]!.takeMostOpen();
      if (sceneMs === BACK_AT_MS) whenProbeSucceeds(world, (atMs) => (firstGoodAtMs = atMs));
      if (sceneMs < BACK_AT_MS + 1000) return;
      expect(open, `at ${sceneMs} ms`).toBeLessThanOrEqual(cooldowns.isCooling(0) ? 1 : limit);
      if (!cooldowns.isCooling(0) && limit === SLOTS) fullAtMs = Math.min(fullAtMs, sceneMs);
      if (sceneMs > fullAtMs) full.look(world);
    });
    expect(fullAtMs - firstGoodAtMs).toBeLessThanOrEqual(MINUTE_MS);
    expect(full.each[0]! / full.mean).toBeGreaterThan(0.8);
  });
});

/** In time of the scene; once. */
function whenProbeSucceeds(
  { cooldowns, timeline, startedAtMs }: World,
  tell: (sceneMs: number) => void,
) {
  const ended = cooldowns.ended.bind(cooldowns);
  cooldowns.ended = (index, end) => {
    ended(index, end);
    if (!end.wasProbe || end.class !== "success") return;
    cooldowns.ended = ended;
    tell(timeline.nowMs - startedAtMs);
  };
}
