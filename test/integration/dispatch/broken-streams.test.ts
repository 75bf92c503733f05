import { describe, expect, test } from "vitest";
import { sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import {
  chatChunk,
  destroyMidStream,
  hangMidStream,
  rawAnswer,
} from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const EVENT = 'data: {"n":1}\n\n';

/** What the client got before our error event, and that event's data. */
function splitAtError(text: string): { readonly before: string; readonly error: unknown } {
  const [before = "", rest = "", ...others] = text.split("\n\nevent: error\ndata: ");
  expect(others).toEqual([]);
  expect(rest).toMatch(/\}\n\n$/);
  return { before, error: (JSON.parse(rest) as { error: unknown }).error };
}

describe("a stream that breaks after its first event", () => {
  test.each<[string, Behaviour, string]>([
    ["when the worker dies", destroyMidStream(2), chatChunk(0) + chatChunk(1)],
    [
      "in the middle of an event",
      rawAnswer(`${HEAD}transfer-encoding: chunked\r\n\r\nb\r\ndata: {"n":\r\n`),
      'data: {"n":',
    ],
    [
      "by an invalid chunk size",
      rawAnswer(`${HEAD}transfer-encoding: chunked\r\n\r\nf\r\n${EVENT}\r\nzz\r\n`),
      EVENT,
    ],
    ["short of its length", rawAnswer(`${HEAD}content-length: 500\r\n\r\n${EVENT}`), EVENT],
  ])("%s ends with our error event, without [DONE], and is not retried", async (...row) => {
    const [, behaviour, whole] = row;
    const { router, stubs } = await openScene({ workers: 2, behaviour });
    const live = sendLive(router, { body: STREAMED_CHAT, headers: { "x-request-id": "trace-1" } });
    const text = await live.text();
    expect((await live.head()).statusCode).toBe(200);
    expect(text).not.toContain("[DONE]");
    const { before, error } = splitAtError(text);
    expect(before).toBe(whole);
    expect(error).toMatchObject({
      code: "WORKER_FAILED",
      type: "api_error",
      param: null,
      request_id: "trace-1",
    });
    expect(sentTo(stubs)).toBe(1);
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({
      status: 200,
      errorCode: "WORKER_FAILED",
      attempts: 1,
    });
    await expect.poll(() => router.attemptClasses(), SOON).toEqual({ failure: 1 });
  });

  test("by falling silent is ended after stream_idle_timeout, however far the deadline", async () => {
    const config = { request_router: { stream_idle_timeout: 0.05, request_timeout: 3600 } };
    const { router, stub } = await openScene({ behaviour: hangMidStream(1), config });
    const { before, error } = splitAtError(await sendLive(router, { body: STREAMED_CHAT }).text());
    expect(before).toBe(chatChunk(0));
    expect(error).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "the worker sent nothing for 0.05 s (request_router.stream_idle_timeout)",
    });
    await stub.nextAbort();
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({
      status: 200,
      errorCode: "DEADLINE_EXCEEDED",
    });
    await expect.poll(() => router.attemptClasses(), SOON).toEqual({ neutral: 1 });
  });
});
