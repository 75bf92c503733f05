import { expect, onTestFinished, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { chatChunk, held, steppedStream } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker, StubWorkerOptions } from "../../support/stub-worker.ts";
import { CHAT_PATH, explain, openWithOneWaiting, Reloader, untilUp } from "./reload-setup.ts";

async function another(options: StubWorkerOptions = {}): Promise<StubWorker> {
  const stub = await startStubWorker(options);
  onTestFinished(() => stub.close());
  return stub;
}

test("a worker that is added gets work as soon as it has answered, that which waits first", async () => {
  const { edit, first, waiting, release } = await openWithOneWaiting();
  const added = await another();
  const workers = [edit.worker({}), edit.worker({ id: "added", url: added.url })];
  edit.apply({ workers });
  expect((await waiting).headers.get("x-worker-id")).toBe("added");
  release();
  expect((await first).headers.get("x-worker-id")).toBe("worker-1");
});

test("a worker that is removed gets no new request, and finishes the stream that it has", async () => {
  const { router, stubs, stub } = await openScene({ workers: 2 });
  const edit = new Reloader(router);
  const [kept, removed] = edit.config.workers;
  edit.apply({ workers: [removed!] });
  await untilUp(router, "worker-2");
  const worker = stubs[1]!;
  worker.next(steppedStream(2));
  const live = sendLive(router, { body: STREAMED_CHAT });
  worker.stream.step();
  expect(await live.nextChunk()).toBe(chatChunk(0));
  edit.apply({ workers: [kept!] });
  await untilUp(router, "worker-1");
  for (let count = 0; count < 3; count++) {
    const answer = await router.post(CHAT_PATH, CHAT);
    expect(answer.headers.get("x-worker-id")).toBe("worker-1");
  }
  expect(await router.openLeases()).toBe(1);
  worker.stream.step();
  worker.stream.step();
  expect(await live.text()).toMatch(/token0.*token1.*data: \[DONE\]\n\n$/s);
  expect(worker.requests).toHaveLength(1);
  expect(stub.requests).toHaveLength(3);
});

test("the connections to a removed worker are closed when its last request has ended", async () => {
  const { router, stubs } = await openScene({ workers: 2 });
  const edit = new Reloader(router);
  const busy = held();
  const [one, two] = stubs;
  two!.next(busy.behaviour);
  edit.apply({ workers: edit.config.workers.slice(1) });
  const running = router.post(CHAT_PATH, CHAT);
  await two!.seen(1);
  const probes = two!.probes.length;
  edit.apply({ workers: [router.config.workers[0]!] });
  await untilUp(router, "worker-1");
  expect(two!.openRequests).toBe(1);
  const connections = two!.openConnections;
  busy.release();
  expect((await running).status).toBe(200);
  // Idle connections of a worker that stays are kept for 4 s.
  const soonEnough = { timeout: 2_000, interval: 5 };
  await expect.poll(() => two!.openConnections, soonEnough).toBeLessThan(connections);
  expect(two!.probes.length).toBe(probes);
  expect(one!.requests).toHaveLength(0);
});

test("F50 an id that moves to another URL starts anew: no count carries over, nothing crosses", async () => {
  const { router, stub } = await openScene({ worker: { slots: 1 } });
  const edit = new Reloader(router);
  stub.next(steppedStream(1));
  const live = sendLive(router, { body: STREAMED_CHAT });
  await stub.seen(1);
  expect((await explain(router)).chosen).toBeNull();
  const moved = await another();
  edit.apply({ workers: [edit.worker({ url: moved.url })] });
  await untilUp(router, "worker-1");
  expect((await explain(router)).chosen).toBe("worker-1");
  const answer = await router.post(CHAT_PATH, CHAT);
  expect(answer.headers.get("x-worker-id")).toBe("worker-1");
  expect(moved.requests).toHaveLength(1);
  stub.stream.step();
  stub.stream.step();
  expect(await live.text()).toMatch(/token0.*data: \[DONE\]\n\n$/s);
  expect(stub.requests).toHaveLength(1);
  expect(await router.openLeases()).toBe(0);
});

test("a worker that comes back at its old URL is asked before it gets work", async () => {
  const { router, stub } = await openScene();
  const edit = new Reloader(router);
  const workers = edit.config.workers;
  edit.apply({ workers: [] });
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(503);
  stub.models = ["other-model"];
  edit.apply({ workers });
  await untilUp(router, "worker-1");
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(404);
  expect((await router.post(CHAT_PATH, { ...CHAT, model: "other-model" })).status).toBe(200);
});

test("slots and models change in place, and those who wait profit at once", async () => {
  const { router, stub, edit, first, waiting, release } = await openWithOneWaiting();
  edit.apply({ workers: [edit.worker({ slots: 2 })] });
  await stub.seen(2);
  const alias = { name: "stub-model", as: "nick", min_compute_capability: null, memory_mb: null };
  edit.apply({ workers: [edit.worker({ models: [alias], slots: 3 })] });
  const third = router.post(CHAT_PATH, { ...CHAT, model: "nick" });
  await stub.seen(3);
  release();
  for (const answer of await Promise.all([first, waiting, third])) expect(answer.status).toBe(200);
  expect(JSON.parse(stub.requests[2]!.body)).toMatchObject({ model: "stub-model" });
});

test("what waits for a model that nobody serves any more is told so at once", async () => {
  const { edit, first, waiting, release } = await openWithOneWaiting();
  const other = { name: "other", as: "other", min_compute_capability: null, memory_mb: null };
  edit.apply({ workers: [edit.worker({ models: [other] })] });
  expect((await waiting).status).toBe(404);
  release();
  expect((await first).status).toBe(200);
});
