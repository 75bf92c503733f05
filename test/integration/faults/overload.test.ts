import { expect, test } from "vitest";
import { json } from "../../support/stub-behaviours.ts";
import { chatOf, openProcessScene, type ProcessScene } from "./process-setup.ts";

const PATIENT = { timeout: 15_000, interval: 100 };
const BANDS = [1, 2, 3, 4, 5];

/** For each band, whether its work is taken (200) or refused (503). */
async function statuses(scene: ProcessScene): Promise<readonly number[]> {
  const all: number[] = [];
  for (const band of BANDS) all.push(await chatOf(band, scene));
  return all;
}

const shedBelow = (scene: ProcessScene) => scene.metric("router_shedding_below_band");

async function health({ address }: ProcessScene) {
  const answer = await fetch(`${address}/health`);
  return { code: answer.status, ...((await answer.json()) as { reasons: string[] }) };
}

/** Fills a container of 1 GiB to such a share, as bodies and answers do, or empties it again. */
const HOG = `
  const GIB = 1 << 30, shares = [0.962, 0.99, 0];
  let kept = [];
  const { readFileSync } = process.getBuiltinModule("node:fs");
  // As the router counts: without the pages of files, where the system tells of them.
  const ownBytes = () => {
    try {
      const [, resident, shared] = readFileSync("/proc/self/statm", "utf8").split(" ");
      return (resident - shared) * 4096;
    } catch {
      return process.memoryUsage.rss();
    }
  };
  process.constrainedMemory = () => GIB;
  process.on("SIGUSR2", () => {
    const missing = Math.floor(shares.shift() * GIB - ownBytes());
    if (missing > 0) return kept.push(Buffer.alloc(missing, 1));
    kept = [];
    gc();
  });`;

test("F64 memory that fills up sheds the lowest bands first, then all, and takes them in again", async () => {
  const scene = await openProcessScene({
    behaviour: json(),
    nodeArgs: ["--expose-gc"],
    preload: encodeURIComponent(HOG),
  });
  const { router, post, get } = scene;
  expect(await statuses(scene)).toEqual([200, 200, 200, 200, 200]);
  router.signal("SIGUSR2");
  await expect.poll(() => shedBelow(scene), PATIENT).toBe(5);
  expect(await statuses(scene)).toEqual([503, 503, 503, 503, 200]);
  expect(await health(scene)).toMatchObject({
    code: 200,
    status: "degraded",
    reasons: ["short of memory: priorities below 5 are refused"],
  });
  const refused = await post("/api/v1/route", { model_id: "stub-model", payload: { prompt: "" } });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(refused.headers.get("connection")).toBe("close");
  expect(await refused.json()).toMatchObject({
    error: {
      code: "OVERLOADED",
      message: expect.stringMatching(/short of memory.*only requests of priority 5 are taken now/),
    },
  });
  router.signal("SIGUSR2");
  await expect.poll(() => shedBelow(scene), PATIENT).toBe(6);
  expect(await statuses(scene)).toEqual([503, 503, 503, 503, 503]);
  expect((await health(scene)).code).toBe(503);
  expect((await fetch(`${scene.address}/health/live`)).status).toBe(200);
  expect((await get("/api/v1/gpus")).status).toBe(200);
  router.signal("SIGUSR2");
  await expect.poll(() => shedBelow(scene), PATIENT).toBe(1);
  expect(await statuses(scene)).toEqual([200, 200, 200, 200, 200]);
  expect((await health(scene)).reasons).toEqual([]);
  const shed = await (await get("/api/v1/metrics")).text();
  expect(shed).toMatch(/^router_shed_requests_total\{band="1"\} 1$/m);
  expect(shed).toMatch(/^router_shed_requests_total\{band="3"\} 2$/m);
  expect(shed).toMatch(/^router_shed_requests_total\{band="unread"\} 5$/m);
}, 60_000);

/** Holds the loop up for 300 ms at a time, with short breaks, until it is told again. */
const HOLD_UP = `
  let timer = null;
  const holdUp = () => {
    const until = performance.now() + 300;
    while (performance.now() < until);
    timer = setTimeout(holdUp, 5);
  };
  process.on("SIGUSR2", () => {
    if (timer === null) return holdUp();
    clearTimeout(timer);
    timer = null;
  });`;

test("an event loop that is late all the time sheds band by band, and recovers", async () => {
  const scene = await openProcessScene({
    behaviour: json(),
    preload: encodeURIComponent(HOLD_UP),
  });
  const { router } = scene;
  router.signal("SIGUSR2");
  await expect.poll(() => shedBelow(scene), PATIENT).toBeGreaterThanOrEqual(3);
  expect(await chatOf(1, scene)).toBe(503);
  expect((await health(scene)).reasons[0]).toMatch(/^short of event loop: priorities below \d are/);
  router.signal("SIGUSR2");
  await expect.poll(() => shedBelow(scene), PATIENT).toBe(1);
  expect(await statuses(scene)).toEqual([200, 200, 200, 200, 200]);
  const message = "other bands refused: the router itself is overloaded";
  const changes = () => router.log.filter(({ msg }) => msg === message);
  await expect
    .poll(() => changes().at(-1), PATIENT)
    .toMatchObject({ lowestBand: 1, shortages: [] });
  expect(changes()[0]).toMatchObject({ lowestBand: 2, shortages: ["event loop"] });
});
