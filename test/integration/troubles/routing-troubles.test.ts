import { describe, expect, onTestFinished, test } from "vitest";
import { words } from "../../support/documented-words.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as, submit } from "../../support/job-api.ts";
import { CHAT, sendLive } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyBeforeHeaders, error, held, json } from "../../support/stub-behaviours.ts";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";
import { listenOnLoopback } from "../../support/stub-server.ts";
import type { TestRouter } from "../../support/test-router.ts";
import { gpuSeen, openMonitored, SOON } from "../faults/monitor-setup.ts";
import { deadUrl, openRouter } from "./troubles-setup.ts";

const chat = "/v1/chat/completions";

/** Where no worker is usable, a chat waits until its deadline. */
function briefChat(router: TestRouter, model = "stub-model"): Promise<Response> {
  return router.post(chat, { ...CHAT, model }, { "x-timeout-ms": "150" });
}

describe("requests are not routed", () => {
  test("because no worker is configured", async () => {
    const router = await openRouter({ workers: [] });
    const says = words("no workers are known: list them under workers: in the config");
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
  });

  test("because nothing listens at the worker's URL", async () => {
    const router = await openRouter({ workers: [{ url: await deadUrl() }] });
    const says = words("connection refused (ECONNREFUSED); start the worker, or correct its url");
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
  });

  test("because the worker wants a key", async () => {
    const locked = await listenOnLoopback(0, (_request, response) => {
      response.writeHead(401, { "content-type": "application/json" }).end("{}");
    });
    onTestFinished(() => locked.close());
    const router = await openRouter({ workers: [{ url: locked.url }] });
    const says = words("worker refused our key (… answered 401): set api_key_env");
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
  });

  test("because nobody serves the model", async () => {
    const { router } = await openScene();
    const says = words("no worker serves the model …; served: …");
    const refused = await briefChat(router, "gpt-9");
    await expectTrouble(refused, { code: "MODEL_NOT_FOUND", says, param: "model" });
  });

  test("because every GPU is hot, or broken", async () => {
    const { router, monitor } = await openMonitored({ gpus: [["a"]] });
    const code = "NO_GPU_AVAILABLE";
    monitor.gpus = [reportedGpu("a", { temperature: 91 })];
    await expect.poll(() => gpuSeen(router, "a"), SOON).toMatchObject({ temperature: 91 });
    const hot = words("every GPU for … is too hot: … limit 85 °C (gpu_monitoring.max_temperature)");
    await expectTrouble(await briefChat(router), { code, says: hot });
    monitor.gpus = [reportedGpu("a", { status: "error" })];
    await expect.poll(() => gpuSeen(router, "a"), SOON).toMatchObject({ status: "error" });
    await expectTrouble(await briefChat(router), { code, says: words("GPU … reports …") });
  });

  test("because an operator took the worker out, until it is put back", async () => {
    const { router } = await openScene();
    const path = "/api/v1/gpus/worker-1/maintenance";
    const maintain = (body: object) => router.post(path, body, as(router.keys.operator));
    expect((await maintain({ enabled: true, reason: "new fan" })).status).toBe(200);
    const says = words("cordoned since …");
    await expectTrouble(await briefChat(router), { code: "NO_GPU_AVAILABLE", says });
    expect((await maintain({ enabled: false })).status).toBe(200);
    expect((await router.post(chat, CHAT)).status).toBe(200);
  });

  test("because every slot is taken, and then because the queue is full too", async () => {
    const { behaviour, release } = held();
    const config = { queue: { max_requests: 1, user_share: 1 } };
    const { router, stub } = await openScene({ behaviour, worker: { slots: 1 }, config });
    const running = sendLive(router);
    await stub.nextRequest();
    const full = words("all slots are taken (… of …)");
    await expectTrouble(await briefChat(router), { code: "DEADLINE_EXCEEDED", says: full });
    const waiting = await submit(router);
    expect(waiting.status).toBe(200);
    const says = words("the queue is full: … of … requests wait (queue.max_requests)");
    await expectTrouble(await router.post(chat, CHAT), { code: "QUEUE_FULL", says });
    release();
    await running.text();
  });

  test("because the user occupies as many workers as they may", async () => {
    const { behaviour, release } = held();
    const users = [{ id: "user", gpu_limit: 1 }];
    const { router, stubs } = await openScene({
      ...{ behaviour, workers: 2, worker: { slots: 1 }, config: { users } },
    });
    const running = sendLive(router);
    await Promise.race(stubs.map((stub) => stub.nextRequest()));
    const says = words("… holds … of … (gpu_limit): …");
    await expectTrouble(await briefChat(router), { code: "DEADLINE_EXCEEDED", says });
    release();
    await running.text();
  });

  test("because no worker could ever run them", async () => {
    const { router } = await openScene();
    const says = words("no worker can ever run this: …");
    const needs = { resource_requirements: { compute_units: 8 } };
    await expectTrouble(await submit(router, needs), { code: "NO_GPU_FITS", says });
  });

  test("because the workers themselves refuse more", async () => {
    const { router } = await openScene({ behaviour: error(429, "too many"), workers: 2 });
    const says = words("every worker is busy: … answered …");
    await expectTrouble(await router.post(chat, CHAT), { code: "NO_GPU_AVAILABLE", says });
  });

  test("because every attempt failed", async () => {
    const { router } = await openScene({ behaviour: error(500, "out of memory"), workers: 2 });
    const says = words("… attempts failed; …");
    await expectTrouble(await router.post(chat, CHAT), { code: "WORKER_FAILED", says });
  });
});

describe("a worker cools down", () => {
  const cooling = words("worker cooling down");
  const reasonsOf = ({ logs }: TestRouter) =>
    logs.filter(({ message }) => cooling.test(message)).map(({ fields }) => fields["reason"]);

  test("because its requests fail: the 503 says so, until an operator ends it", async () => {
    const { router, stub } = await openScene({ behaviour: destroyBeforeHeaders });
    const inARow = [expect.stringMatching(words("5 requests in a row failed: …")) as string];
    await expect
      .poll(async () => {
        await briefChat(router);
        return reasonsOf(router);
      }, SOON)
      .toEqual(inARow);
    const failed = router.logs.find(({ message }) => words("attempt failed").test(message));
    expect(failed?.fields).toMatchObject({ requestId: expect.any(String) as string });
    stub.always(json());
    const ended = await fetch(`${router.url}/api/v1/gpus/worker-1/cooldown`, {
      method: "DELETE",
      headers: as(router.keys.operator),
    });
    expect(ended.status).toBe(200);
    expect((await router.post(chat, CHAT)).status).toBe(200);
  });

  test("and is named in the 503 for as long as it does", async () => {
    const config = { error_handler: { gpu_cooldown_period: 300 } };
    const { router } = await openScene({ behaviour: error(500, "out of memory"), config });
    const says = words("cooling down for … s more: …");
    const answers = async () => (await briefChat(router)).text();
    await expect.poll(answers, SOON).toMatch(says);
  });

  test("because too large a share of its requests fails", async () => {
    const config = { load_balancer: { strategy: "round_robin" } } as const;
    const { router, stubs } = await openScene({ workers: 2, config });
    let count = 0;
    const flaky = [json(), error(500, "sometimes")];
    stubs[0]!.always((exchange) => flaky[count++ % 2]!(exchange));
    const says = words("… of … requests failed in a minute: …");
    await expect
      .poll(async () => {
        await (await router.post(chat, CHAT)).text();
        return reasonsOf(router);
      }, SOON)
      .toEqual([expect.stringMatching(says)]);
  });
});
