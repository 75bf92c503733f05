import { expect, onTestFinished, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { error, hangMidStream, held } from "../../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { SOON } from "../../support/test-router.ts";
import { CHAT_PATH, explain, openWithOneWaiting, Reloader } from "./reload-setup.ts";

async function startMonitor(temperature: number) {
  const monitor = await startStubMonitoringService({
    gpus: [reportedGpu("gpu-1", { temperature })],
  });
  onTestFinished(() => monitor.close());
  return monitor;
}

test("the strategy, a pipeline of one's own and its weights count from the next decision on", async () => {
  const { router } = await openScene({ workers: 2 });
  const edit = new Reloader(router);
  expect((await explain(router)).strategy).toBe("hybrid");
  edit.apply({ load_balancer: { strategy: "least_requests" } });
  expect((await explain(router)).strategy).toBe("least_requests");
  const mine = { filters: [], scorers: { least_requests: 1 }, picker: "best" };
  edit.apply({ strategies: { mine }, load_balancer: { strategy: "mine" } });
  expect((await explain(router)).strategy).toBe("mine");
});

test("max_temperature counts at once in both directions, without hysteresis of the old one", async () => {
  const monitor = await startMonitor(87);
  const config = { gpu_monitoring: { url: monitor.url, update_interval: 3600 } };
  const { router } = await openScene({ worker: { gpus: ["gpu-1"] }, config });
  const edit = new Reloader(router);
  const rejectedBy = async () => (await explain(router)).candidates[0]?.rejected_by?.filter ?? null;
  expect(await rejectedBy()).toBe("temperature");
  edit.apply({ gpu_monitoring: { max_temperature: 90 } });
  expect(await rejectedBy()).toBeNull();
  edit.apply({ gpu_monitoring: { max_temperature: 80 } });
  expect(await rejectedBy()).toBe("temperature");
});

test("a monitor that is added is asked at once, and one that is removed takes its GPUs along", async () => {
  const [one, two] = [await startMonitor(40), await startMonitor(95)];
  const config = { gpu_monitoring: { url: one.url, update_interval: 3600 } };
  const { router } = await openScene({ worker: { gpus: ["gpu-1"] }, config });
  const edit = new Reloader(router);
  const health = async () =>
    (await (await router.get("/health")).json()) as { monitors: readonly object[] };
  expect((await health()).monitors).toMatchObject([{ status: "ok" }]);
  const asked = one.polls;
  edit.apply({ gpu_monitoring: { url: two.url } });
  await expect.poll(async () => (await explain(router)).chosen, SOON).toBeNull();
  expect((await health()).monitors).toMatchObject([{ status: "ok" }]);
  expect(one.polls).toBe(asked);
  edit.apply({ gpu_monitoring: { url: null } });
  expect((await explain(router)).chosen).toBe("worker-1");
  expect((await health()).monitors).toEqual([]);
});

test("a shorter update_interval does not wait for the end of the longer one", async () => {
  const monitor = await startMonitor(40);
  const config = { gpu_monitoring: { url: monitor.url, update_interval: 3600 } };
  const { router } = await openScene({ config });
  const edit = new Reloader(router);
  edit.apply({ gpu_monitoring: { update_interval: 0.02 } });
  const asked = monitor.polls;
  await expect.poll(() => monitor.polls, SOON).toBeGreaterThan(asked + 3);
});

test("timeouts count for the next request, and what runs keeps its own", async () => {
  const busy = held();
  const { router, stub } = await openScene({ behaviour: busy.behaviour });
  const edit = new Reloader(router);
  const running = router.post(CHAT_PATH, CHAT);
  await stub.seen(1);
  edit.apply({ request_router: { request_timeout: 0.1, max_timeout: 2 } });
  const late = await router.post(CHAT_PATH, CHAT);
  await expectTrouble(late, { code: "DEADLINE_EXCEEDED", says: /after 0\.1 s/ });
  const tooLong = await router.post(CHAT_PATH, CHAT, { "x-timeout-ms": "2001" });
  await expectTrouble(tooLong, {
    code: "INVALID_REQUEST",
    param: "x-timeout-ms",
    says: /1 to 2000/,
  });
  busy.release();
  expect((await running).status).toBe(200);
});

test("the idle limit of streams counts for those that begin after it", async () => {
  const { router } = await openScene({ behaviour: hangMidStream() });
  new Reloader(router).apply({ request_router: { stream_idle_timeout: 0.1 } });
  const live = sendLive(router, { body: STREAMED_CHAT });
  expect(await live.text()).toMatch(/sent nothing for 0\.1 s/);
});

test("attempts: max_retries and retry_delay count for the next failure", async () => {
  const { router, stubs } = await openScene({ workers: 2, behaviour: error(500, "broken") });
  const edit = new Reloader(router);
  edit.apply({ request_router: { max_retries: 0 } });
  expect((await router.post(CHAT_PATH, CHAT)).headers.get("x-route-attempts")).toBe("1");
  edit.apply({ request_router: { max_retries: 2 } });
  expect((await router.post(CHAT_PATH, CHAT)).headers.get("x-route-attempts")).toBe("3");
  expect(stubs[0]!.requests.length + stubs[1]!.requests.length).toBe(4);
});

test("a queue that is turned off takes nobody more, and those who wait stay", async () => {
  const { router, edit, first, waiting, release } = await openWithOneWaiting();
  edit.apply({ queue: { max_requests: 0 } });
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(503);
  release();
  for (const answer of await Promise.all([first, waiting])) expect(answer.status).toBe(200);
});

test("api.debug logs decisions from the next request on", async () => {
  const { router } = await openScene();
  const edit = new Reloader(router);
  const decisions = () => router.logs.filter(({ message }) => message === "decision").length;
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  expect(decisions()).toBe(0);
  edit.apply({ api: { debug: true } });
  expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  expect(decisions()).toBe(1);
});

test("error_threshold and gpu_cooldown_period count for the next failures", async () => {
  const { router } = await openScene({ behaviour: error(500, "broken") });
  const edit = new Reloader(router);
  edit.apply({
    error_handler: { gpu_cooldown_period: 1234 },
    request_router: { max_retries: 0 },
  });
  for (let count = 0; count < 5; count++) await (await router.post(CHAT_PATH, CHAT)).text();
  const line = router.logs.find(({ message }) => message === "worker cooling down");
  expect(line?.fields).toMatchObject({ cooldownS: 1234 });
});
