import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { Arrivals } from "../../support/arrivals.ts";
import { SECRET } from "../../support/callback-builders.ts";
import { CallbackReceiver } from "../../support/callback-receiver.ts";
import { PAYLOAD, submit, type JobBody } from "../../support/job-api.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import {
  chatChunk,
  hangBeforeHeaders,
  hangMidStream,
  respond,
  steppedStream,
} from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import { untilWaiting } from "../faults/waiting-requests.ts";

const PATIENT = { api: { drain_timeout: 60 } };
const CUTTING_LATE = { api: { drain_timeout: 20 } };
const CUTTING = { api: { drain_timeout: 0.05 } };

describe("a router that is stopped", () => {
  test("lets a stream finish, and then is closed", async () => {
    const { router, stub } = await openScene({ behaviour: steppedStream(3), config: PATIENT });
    const live = sendLive(router, { body: STREAMED_CHAT });
    stub.stream.step();
    expect(await live.nextChunk()).toBe(chatChunk(0));
    const closed = router.close();
    stub.stream.step(3);
    expect(await live.text()).toMatch(/token2.*data: \[DONE\]\n\n$/s);
    await closed;
  });

  test("lets the last bytes reach a client that reads slowly", async () => {
    const body = JSON.stringify(["x".repeat(24 * 1024 * 1024)]);
    const held = new Arrivals<Exchange>();
    const behaviour: Behaviour = (exchange) => held.add(exchange);
    const { router } = await openScene({ behaviour, config: PATIENT });
    const live = sendLive(router);
    const exchange = await held.next();
    const closed = router.close();
    await respond({ status: 200, body })(exchange);
    await live.head();
    await router.requestLines(1);
    // Time enough for a router that takes the end of its own work for the end of the client's.
    await sleep(systemClock, 100);
    expect((await live.bytes()).length).toBe(body.length);
    await closed;
  });

  test.each([
    { what: "a stream", body: STREAMED_CHAT, behaviour: hangMidStream(1), status: 200 },
    { what: "an answer", body: CHAT, behaviour: hangBeforeHeaders, status: 503 },
  ])("cuts $what that outlasts drain_timeout, and says so", async ({ body, behaviour, status }) => {
    const { router, stub } = await openScene({ behaviour, config: CUTTING });
    const live = sendLive(router, { body });
    await stub.nextRequest();
    await router.close();
    expect((await live.head()).statusCode).toBe(status);
    expect(await live.text()).toContain("SHUTTING_DOWN");
    await stub.nextAbort();
    expect(router.logs).toContainEqual({
      level: "warn",
      message: "drain timeout over, requests cut off",
      fields: { open: 1, timeoutMs: 50 },
    });
    expect(await router.requestLines(1)).toMatchObject([
      { fields: { status, errorCode: "SHUTTING_DOWN" } },
    ]);
  });

  test("refuses new connections at once", async () => {
    const { router, stub } = await openScene({ behaviour: steppedStream(1), config: PATIENT });
    const live = sendLive(router, { body: STREAMED_CHAT });
    await stub.nextRequest();
    const closed = router.close();
    await expect.poll(() => router.app.server.server.listening, SOON).toBe(false);
    await expect(sendLive(router).text()).rejects.toThrow("ECONNREFUSED");
    stub.stream.step(2);
    expect(await live.text()).toContain("[DONE]");
    await closed;
  });

  test("ends at once what waits for a slot, and says that it may be sent again", async () => {
    const { router, stub } = await openScene({
      worker: { slots: 1 },
      behaviour: hangBeforeHeaders,
      config: CUTTING_LATE,
    });
    const running = sendLive(router);
    await stub.nextRequest();
    const headers = { connection: "keep-alive" };
    const waiting = [CHAT, STREAMED_CHAT].map((body) => sendLive(router, { body, headers }));
    await untilWaiting(router, 2);
    const closed = router.close();
    for (const live of waiting) {
      const head = await live.head();
      expect(head.statusCode).toBe(503);
      expect(head.headers).toMatchObject({ "retry-after": "2", connection: "close" });
      expect(await live.text()).toMatch(/"SHUTTING_DOWN".*no worker saw it.*may be sent again/);
    }
    // Not the drain's end: what runs has its time still.
    expect(stub.openRequests).toBe(1);
    running.abort();
    await closed;
    expect(stub.requests).toHaveLength(1);
  });

  test("fails waiting jobs at once and running ones at the end, and calls their owners", async () => {
    const receiver = await new CallbackReceiver().listen();
    onTestFinished(() => receiver.close());
    const callbacks = { allowed_hosts: ["127.0.0.1"], secrets: { user: SECRET } };
    const { router, stub } = await openScene({
      worker: { slots: 1 },
      behaviour: hangBeforeHeaders,
      config: { callbacks, api: { drain_timeout: 2 } },
    });
    const callback_url = `http://127.0.0.1:${receiver.port}/`;
    for (const request_id of ["runs", "waits"]) {
      expect((await submit(router, { request_id, callback_url })).status).toBe(200);
    }
    await stub.nextRequest();
    await untilWaiting(router, 1);
    const watched = sendLive(router, {
      path: "/api/v1/route",
      body: waitedJob("watched"),
      headers: { prefer: "wait=60" },
    });
    await untilWaiting(router, 2);
    const closed = router.close();
    const answer = JSON.parse(await watched.text()) as JobBody;
    expect(answer).toMatchObject({
      status: "failed",
      error: { code: "SHUTTING_DOWN", message: expect.stringContaining("may be sent again") },
    });
    await expect.poll(() => receiver.received.length, SOON).toBe(1);
    expect(router.logs.map(({ message }) => message)).not.toContain(
      "drain timeout over, requests cut off",
    );
    await closed;
    const told = receiver.received.map(({ body }) => JSON.parse(body ?? "") as object);
    expect(told).toMatchObject([
      { type: "job.failed", data: { request_id: "waits" } },
      { type: "job.failed", data: { request_id: "runs" } },
    ]);
    expect(stub.requests).toHaveLength(1);
  });

  test("refuses new work on open connections, and says when to come back", async () => {
    const { router, stub } = await openScene({ behaviour: steppedStream(1), config: PATIENT });
    const live = sendLive(router, { body: STREAMED_CHAT });
    await stub.nextRequest();
    const open = connect(router.port, "127.0.0.1");
    await once(open, "connect");
    const closed = router.close();
    await expect.poll(() => router.app.server.server.listening, SOON).toBe(false);
    const body = JSON.stringify(CHAT);
    const head = `Host: router\r\nAuthorization: Bearer ${router.keys.user}\r\n`;
    const type = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    open.write(`POST /v1/chat/completions HTTP/1.1\r\n${head}${type}${body}`);
    let answer = "";
    for await (const chunk of open) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/\r\nretry-after: 2\r\n/i);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(answer).toContain("SHUTTING_DOWN");
    stub.stream.step(2);
    expect(await live.text()).toContain("[DONE]");
    await closed;
  });
});

function waitedJob(request_id: string) {
  return { request_id, model_id: "stub-model", payload: PAYLOAD };
}
