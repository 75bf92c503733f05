import { describe, expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import {
  chatChunk,
  hangBeforeHeaders,
  hangMidStream,
  json,
  steppedStream,
} from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";

const hangMidBody: Behaviour = ({ response }) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"id":');
};

describe("at the deadline", () => {
  test.each<[string, object, Behaviour]>([
    ["a worker that sends no headers", CHAT, hangBeforeHeaders],
    ["a worker in the middle of its JSON", CHAT, hangMidBody],
    ["a stream without headers", STREAMED_CHAT, hangBeforeHeaders],
    ["a stream with headers and no event", STREAMED_CHAT, hangMidStream(0)],
  ])("%s is let go, and the client gets 504 and no retry", async (_case, body, behaviour) => {
    const { router, stubs } = await openScene({ workers: 2, behaviour });
    const sentAtMs = performance.now();
    const answer = await router.post(PATH, body, { "x-timeout-ms": "150" });
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(149);
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      error: {
        code: "DEADLINE_EXCEEDED",
        type: "timeout_error",
        message: expect.stringContaining("still generating after 0.2 s"),
      },
    });
    await Promise.race(stubs.map((stub) => stub.nextAbort()));
    expect(sentTo(stubs)).toBe(1);
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({
      status: 504,
      errorCode: "DEADLINE_EXCEEDED",
    });
  });

  test("a stream that has begun goes on", async () => {
    const { router, stub } = await openScene();
    stub.next(steppedStream(2), hangBeforeHeaders);
    const headers = { "x-timeout-ms": "700" };
    const live = sendLive(router, { body: STREAMED_CHAT, headers });
    stub.stream.step();
    expect(await live.nextChunk()).toBe(chatChunk(0));
    // Accepted later, due at the same moment: when it is over, so is the stream's deadline.
    expect((await router.post(PATH, CHAT, headers)).status).toBe(504);
    stub.stream.step(2);
    expect(await live.text()).toContain("[DONE]");
  });
});

describe("a worker that was too slow", () => {
  test("ten times is not taken out, for it answers its health check", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    const headers = { "x-timeout-ms": "10" };
    const answers = Array.from({ length: 10 }, () => router.post(PATH, CHAT, headers));
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(504);
    await expect.poll(() => router.attemptClasses(), SOON).toEqual({ neutral: 10 });
    stub.always(json());
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  });

  test("is alive where it sent bytes on another connection meanwhile, health check or not", async () => {
    const { router, stub } = await openScene();
    stub.next(hangBeforeHeaders, steppedStream(2));
    const slow = router.post(PATH, CHAT, { "x-timeout-ms": "500" });
    await stub.seen(1);
    const live = sendLive(router, { body: STREAMED_CHAT });
    stub.stream.step();
    await live.nextChunk();
    stub.stopListening();
    expect((await slow).status).toBe(504);
    await expect.poll(() => router.attemptClasses(), SOON).toEqual({ neutral: 1 });
    stub.stream.step(2);
    expect(await live.text()).toContain("[DONE]");
  });

  test("and is silent on its health check has failed", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    const slow = router.post(PATH, CHAT, { "x-timeout-ms": "200" });
    await stub.seen(1);
    stub.stopListening();
    expect((await slow).status).toBe(504);
    await expect.poll(() => router.attemptClasses(), SOON).toEqual({ failure: 1 });
  });
});
