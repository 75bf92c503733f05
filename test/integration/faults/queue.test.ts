import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Arrivals } from "../../support/arrivals.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, cancelJob, overJob, readJob, submit, submittedId } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene, type Scene, type SceneOptions } from "../../support/router-scene.ts";
import { hangBeforeHeaders, held, json } from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";
import { untilWaiting } from "./waiting-requests.ts";

const CHAT_PATH = "/v1/chat/completions";

/** One slot, which is taken until `release` is called; from then on everything is answered. */
async function openFull(config: SceneOptions["config"] = {}) {
  const { behaviour, release } = held();
  const scene = await openScene({ worker: { slots: 1 }, behaviour, config });
  const running = scene.router.post(CHAT_PATH, CHAT);
  await scene.stub.nextRequest();
  return { ...scene, running, release };
}

async function expectAllServed(answers: readonly Promise<Response>[]): Promise<void> {
  for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
}

describe("F66 a full queue", () => {
  test("F66 of one user's share refuses that user, and of all places everybody", async () => {
    const queue = { max_requests: 4, user_share: 0.5 };
    const { router, running, release } = await openFull({ queue });
    const admin = as(router.keys.admin);
    const mine = [router.post(CHAT_PATH, CHAT), router.post(CHAT_PATH, CHAT)];
    await untilWaiting(router, 2);
    const share = await router.post(CHAT_PATH, CHAT);
    expect(Number(share.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectTrouble(share, { code: "QUEUE_FULL", says: /share of user \(queue\.user_share\)/ });
    const theirs = [router.post(CHAT_PATH, CHAT, admin), router.post(CHAT_PATH, CHAT, admin)];
    await untilWaiting(router, 4);
    const all = await router.post(CHAT_PATH, CHAT, as(router.keys.service));
    expect(Number(all.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectTrouble(all, { code: "QUEUE_FULL", says: /4 of 4 .*\(queue\.max_requests\)/ });
    release();
    await expectAllServed([running, ...mine, ...theirs]);
  });

  test("F66 by bytes refuses what is too large, and lets in what is not", async () => {
    const queue = { max_mb: 1, user_share: 1 };
    const { router, running, release } = await openFull({ queue });
    const large = { ...CHAT, padding: "x".repeat(700_000) };
    const waiting = [router.post(CHAT_PATH, large)];
    await untilWaiting(router, 1);
    const refused = await router.post(CHAT_PATH, large);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectTrouble(refused, { code: "QUEUE_FULL", says: /fill queue\.max_mb/ });
    waiting.push(router.post(CHAT_PATH, CHAT, as(router.keys.admin)));
    await untilWaiting(router, 2);
    release();
    await expectAllServed([running, ...waiting]);
  });
});

test("F67 a deadline that expires in the queue is 504, and the worker never hears of it", async () => {
  const { router, stub, running, release } = await openFull();
  const expired = await router.post(CHAT_PATH, CHAT, { "x-timeout-ms": "100" });
  expect(Number(expired.headers.get("retry-after"))).toBeGreaterThan(0);
  const says = /^no slot became free within 0\.\d s: every slot for stub-model is taken: worker-1/;
  await expectTrouble(expired, { code: "DEADLINE_EXCEEDED", says });
  release();
  await expectAllServed([running]);
  expect(stub.requests).toHaveLength(1);
});

test("F68 however much of the highest priority keeps coming, the lowest is served", async () => {
  const queue = { ageing: 0.05 };
  const { router, running, release } = await openFull({ queue });
  const feed = { isOn: true };
  /** Ten of these at a time: one of them always waits. */
  const lane = async (): Promise<void> => {
    while (feed.isOn) {
      await (await router.post(CHAT_PATH, CHAT, { "x-priority": "5" })).text();
    }
  };
  const lanes = Array.from({ length: 10 }, lane);
  await untilWaiting(router, 10);
  const low = router.post(CHAT_PATH, CHAT, { "x-priority": "1", "x-timeout-ms": "60000" });
  await untilWaiting(router, 11);
  release();
  const { status, headers } = await low;
  feed.isOn = false;
  await Promise.all([running, ...lanes]);
  expect(status).toBe(200);
  // Four steps of 50 ms, and room to spare; without ageing it would wait to its end.
  expect(Number(headers.get("x-queue-ms"))).toBeLessThan(10_000);
});

test("F69 cancelling what waits or runs is 200, what is over 409, and another user's 404", async () => {
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour: hangBeforeHeaders });
  await submit(router, { request_id: "running" });
  await stub.nextRequest();
  await submit(router, { request_id: "waiting" });
  await submit(router, { request_id: "theirs" }, as(router.keys.admin));
  const statuses: number[] = [];
  for (const id of ["waiting", "waiting", "theirs", "running", "running"]) {
    statuses.push((await cancelJob(router, id)).status);
  }
  expect(statuses).toEqual([200, 409, 404, 200, 409]);
  await stub.nextAbort();
  stub.always(json());
  await stub.seen(2);
  expect((await cancelJob(router, "theirs", as(router.keys.admin))).status).toBe(200);
  await submit(router, { request_id: "finished" });
  expect((await overJob(router, "finished")).status).toBe("completed");
  expect((await cancelJob(router, "finished")).status).toBe(409);
  expect(stub.requests).toHaveLength(3);
});

test("F70 a hundred submissions of one Idempotency-Key at once are one execution", async () => {
  const { router, stub } = await openScene();
  const headers = { "idempotency-key": "order 17" };
  const submissions = Array.from({ length: 100 }, () => submit(router, {}, headers));
  const ids = await Promise.all((await Promise.all(submissions)).map(submittedId));
  expect(new Set(ids).size).toBe(1);
  expect((await overJob(router, ids[0]!)).status).toBe("completed");
  expect(stub.requests).toHaveLength(1);
});

test("F72 finished jobs never fill more than jobs.max_mb: the oldest give way, the newest stay", async () => {
  const { router } = await openScene({ config: { jobs: { max_mb: 1 } } });
  const payload = { messages: [{ role: "user", content: "x".repeat(50_000) }] };
  const count = 60;
  for (let index = 0; index < count; index++) {
    await submit(router, { request_id: `job-${index}`, payload }, { prefer: "wait=20" });
  }
  const found: number[] = [];
  for (let index = 0; index < count; index++) {
    if ((await readJob(router, `job-${index}`)).status === 200) found.push(index);
  }
  expect(found.length).toBeGreaterThan(10);
  expect(found.length).toBeLessThanOrEqual(21);
  expect(found).toEqual(Array.from({ length: found.length }, (_, at) => count - found.length + at));
});

/** Counts how many requests it has at a time, and gives the loop some turns to send it more. */
class Counting {
  open = 0;
  most = 0;
  readonly arrived = new Arrivals<Exchange>();

  readonly behaviour: Behaviour = async (exchange) => {
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    this.arrived.add(exchange);
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    this.open -= 1;
    await json()(exchange);
  };
}

describe("F58 within one router", () => {
  const RACERS = 200;
  const race = ({ router }: Pick<Scene, "router">) =>
    Promise.all(Array.from({ length: RACERS }, () => router.post(CHAT_PATH, CHAT)));

  test("F58 all who race for the last slot get it one after the other", async () => {
    const worker = new Counting();
    const scene = await openScene({ worker: { slots: 1 }, behaviour: worker.behaviour });
    const answers = await race(scene);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(worker.most).toBe(1);
    expect(worker.arrived.all).toHaveLength(RACERS);
  });

  test("F58 of all who race for what is left of a quota, exactly so many pass", async () => {
    const users = [{ id: "user", request_limit: 50 }];
    const scene = await openScene({ worker: { slots: 7 }, config: { users } });
    const statuses = (await race(scene)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(50);
    expect(statuses.filter((status) => status === 429)).toHaveLength(RACERS - 50);
    expect(scene.stub.requests).toHaveLength(50);
  });
});
