import { describe, expect, onTestFinished, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import { chatChunk, held, json, type Behaviour } from "../../support/stub-behaviours.ts";
import { callsTo, chatOf, openProcessScene, type ProcessScene } from "./process-setup.ts";

const CHAT_PATH = "/v1/chat/completions";
const PATIENT = { timeout: 15_000, interval: 50 };
const DROPPED = 'router_log_lines_dropped_total\\{sink="stdout"\\}';

/** A worker that takes so long for the whole of its answer, JSON or ten events. */
function taking(ms: (request: number) => number): Behaviour {
  let count = 0;
  return async (exchange) => {
    const wholeMs = ms(count++);
    const { request, response } = exchange;
    if (!request.body.includes('"stream":true')) {
      await sleep(systemClock, wholeMs);
      return json()(exchange);
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let event = 0; event < 10 && !response.closed; event++) {
      response.write(chatChunk(event));
      await sleep(systemClock, wholeMs / 10);
    }
    response.end("data: [DONE]\n\n");
  };
}

/** "served" with all of it, "refused" with an error of ours, or what became of the connection. */
async function outcomeOf({ post }: Pick<ProcessScene, "post">, stream: boolean): Promise<string> {
  try {
    const answer = await post(CHAT_PATH, stream ? STREAMED_CHAT : CHAT);
    const text = await answer.text();
    if (answer.status !== 200) return text.includes("SHUTTING_DOWN") ? "refused" : text;
    return text.includes(stream ? "[DONE]" : "hello from the stub") ? "served" : `cut: ${text}`;
  } catch (error) {
    return String((error as Error & { cause?: { code?: string } }).cause?.code ?? error);
  }
}

describe("F53 a log that nobody reads", () => {
  const FILL = 'process.on("SIGUSR2",()=>process.stdout.write("x".repeat(1e6)))';

  test("because its reader was stopped delays no request, and goes on when it is read again", async () => {
    const scene = await openProcessScene({ behaviour: json(), preload: FILL });
    const { router, address } = scene;
    router.pauseReading();
    router.signal("SIGUSR2");
    for (let request = 0; request < 300; request++) expect(await chatOf(3, scene)).toBe(200);
    const askedAtMs = performance.now();
    expect((await fetch(`${address}/health`)).status).toBe(200);
    expect(performance.now() - askedAtMs).toBeLessThan(1000);
    router.resumeReading();
    const lines = () => router.stdout.match(/"msg":"request"/g)?.length ?? 0;
    await expect.poll(lines, PATIENT).toBe(300);
    expect(await scene.metric(DROPPED)).toBe(0);
  });

  test("because its reader is gone costs lines, which are counted, and nothing else", async () => {
    const scene = await openProcessScene({ behaviour: json() });
    scene.router.stopReading();
    for (let request = 0; request < 20; request++) expect(await chatOf(3, scene)).toBe(200);
    await expect.poll(() => scene.metric(DROPPED), PATIENT).toBeGreaterThanOrEqual(20);
    expect(scene.router.stderr).toBe("");
  });
});

test("F59 a SIGTERM under load resets nothing: what is shorter than the drain is served", async () => {
  // The first ones last from before the signal to after the lame duck.
  const scene = await openProcessScene({
    behaviour: taking((request) => (request < 10 ? 7_000 : 20 + (request % 10) * 20)),
  });
  const { router, address } = scene;
  const outcomes: string[] = [];
  const state = { isReady: true };
  const long = Array.from({ length: 10 }, (_, index) => outcomeOf(scene, index % 2 === 0));
  await scene.stub.nextRequest();
  const loops = Array.from({ length: 20 }, async (_, index) => {
    while (state.isReady) outcomes.push(await outcomeOf(scene, index % 2 === 0));
  });
  await expect.poll(() => outcomes.length, PATIENT).toBeGreaterThan(100);
  router.signal("SIGTERM");
  // As a balancer does it: who is not ready gets no more.
  while (state.isReady) {
    state.isReady = (await fetch(`${address}/health/ready`)).status === 200;
    await sleep(systemClock, 50);
  }
  await Promise.all(loops);
  expect(new Set(outcomes)).toEqual(new Set(["served"]));
  expect(new Set(await Promise.all(long))).toEqual(new Set(["served"]));
  expect(await router.exit).toBe(0);
  expect(router.log.map(({ msg }) => msg)).not.toContain("drain timeout over, requests cut off");
});

test("F59 who goes on asking on open connections until the end is served or told, never reset", async () => {
  const scene = await openProcessScene({
    behaviour: taking((request) => 50 + (request % 10) * 30),
  });
  const outcomes: string[] = [];
  const loops = Array.from({ length: 20 }, async (_, index) => {
    for (let last = "served"; last === "served";) {
      outcomes.push((last = await outcomeOf(scene, index % 2 === 0)));
    }
  });
  await expect.poll(() => outcomes.length, PATIENT).toBeGreaterThan(100);
  scene.router.signal("SIGINT");
  await Promise.all(loops);
  expect(await scene.router.exit).toBe(0);
  const kinds = new Set(outcomes);
  for (const allowed of ["served", "refused", "ECONNREFUSED"]) kinds.delete(allowed);
  expect([...kinds]).toEqual([]);
});

test("F60 a router that was killed serves again at once, on the same port, and says what it lost", async () => {
  const { behaviour, release } = held();
  const scene = await openProcessScene({ behaviour });
  onTestFinished(release);
  const envelope = { request_id: "lost", model_id: "stub-model", payload: { prompt: "hello" } };
  expect((await scene.post("/api/v1/route", envelope)).status).toBe(200);
  const { boot_id: before } = (await (await fetch(`${scene.address}/health`)).json()) as Boot;
  await scene.stub.nextRequest();
  scene.router.signal("SIGKILL");
  expect(await scene.router.exit).toBe(null);
  const startedAtMs = performance.now();
  const port = new URL(scene.address).port;
  const router = openRouterProcess({
    config: scene.config,
    env: { API_HOST: "127.0.0.1", API_PORT: port },
  });
  expect(await router.address()).toBe(scene.address);
  const { get } = callsTo(scene.address);
  await expect.poll(async () => (await get("/health/ready")).status, PATIENT).toBe(200);
  // By design it is 2 s; a machine that does other things besides must not fail a test.
  expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  const { boot_id: after } = (await (await fetch(`${scene.address}/health`)).json()) as Boot;
  expect(after).not.toBe(before);
  const lost = await get("/api/v1/requests/lost");
  expect(lost.status).toBe(404);
  const { error } = (await lost.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe("REQUEST_NOT_FOUND");
  expect(error.message).toMatch(/none survives a restart .*this one started at 20\d\d-.*Z/);
  expect(error.message).toContain(after);
});

interface JobTime {
  readonly submitted_at: string;
}

interface Boot {
  readonly boot_id: string;
}

test("F61 a router that was stopped for seconds judges no worker by it, and repeats nothing", async () => {
  const scene = await openProcessScene({ behaviour: taking(() => 300) });
  const { router, stub } = scene;
  const asked = Array.from({ length: 10 }, async () => {
    const answer = await scene.post(CHAT_PATH, CHAT, { "x-timeout-ms": "1500" });
    await answer.arrayBuffer();
    return answer.status;
  });
  await expect.poll(() => stub.requests.length, PATIENT).toBe(10);
  router.signal("SIGSTOP");
  // Beyond the five seconds from which on it knows that it stood still.
  await sleep(systemClock, 6_000);
  router.signal("SIGCONT");
  // Answered while it was stopped, and within their time: it was the router that did not look.
  expect(await Promise.all(asked)).toEqual(Array(10).fill(200));
  expect(stub.requests).toHaveLength(10);
  expect(await chatOf(1, scene)).toBe(200);
  const gpus = (await (await scene.get("/api/v1/gpus")).json()) as { workers: object[] };
  expect(gpus.workers).toMatchObject([{ state: "up", cooldown: null }]);
});

/** Sets the wall clock an hour ahead, then an hour back. */
const SHIFT_CLOCK = `
  const now = Date.now, hours = [1, -1];
  let shiftMs = 0;
  Date.now = () => now() + shiftMs;
  process.on("SIGUSR2", () => (shiftMs = 3600e3 * hours.shift()));`;

test("F62 a wall clock that jumps by an hour moves no deadline and no quota's window", async () => {
  const { behaviour, release } = held();
  const scene = await openProcessScene({
    behaviour,
    preload: encodeURIComponent(SHIFT_CLOCK),
    settings: "    user_quota_manager: { quota_check_interval: 600 }",
  });
  const { router, get, stub } = scene;
  const asked = Promise.all(Array.from({ length: 101 }, () => chatOf(3, scene)));
  await expect.poll(() => stub.openRequests, PATIENT).toBe(100);
  const seen = async () => {
    const queued = await scene.metric('router_queue_requests\\{band="3"\\}');
    const quota = (await (await get("/api/v1/quotas/alice")).json()) as {
      requests: { remaining: number };
    };
    return { queued, left: quota.requests.remaining };
  };
  const before = await seen();
  expect(before).toMatchObject({ queued: 1, left: 1_000_000 - 101 });
  let jobs = 0;
  /** A job tells which time it has there; it expires in the queue, and gives its unit back. */
  const hoursAhead = async (): Promise<number> => {
    const id = `job-${(jobs += 1)}`;
    const job = { request_id: id, model_id: "stub-model", payload: { prompt: "" } };
    const submitted = await scene.post("/api/v1/route", { ...job, queue_timeout: 1 });
    expect(submitted.status).toBe(200);
    const shown = (await (await get(`/api/v1/requests/${id}`)).json()) as JobTime;
    return Math.round((new Date(shown.submitted_at).getTime() - Date.now()) / 3_600_000);
  };
  for (const hours of [1, -1]) {
    router.signal("SIGUSR2");
    await expect.poll(hoursAhead, PATIENT).toBe(hours);
    // Two turns of the wheel of deadlines.
    await sleep(systemClock, 250);
    expect(await seen()).toEqual(before);
  }
  release();
  expect(new Set(await asked)).toEqual(new Set([200]));
});
