import { expect, test } from "vitest";
import { sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { inTurn, openScene, sentTo } from "../../support/router-scene.ts";
import {
  chatChunk,
  COMMENT,
  hangBeforeHeaders,
  steppedPieces,
  stream,
} from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";

/** Comments in quick succession, and nothing else, for as long as somebody listens. */
async function commentForever({ response }: Exchange): Promise<void> {
  while (!response.closed) {
    await new Promise<void>((resolve) => response.write(COMMENT, () => setImmediate(resolve)));
  }
}

function beginEventStream({ response }: Exchange): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
}

const onlyComments: Behaviour = (exchange) => {
  beginEventStream(exchange);
  return commentForever(exchange);
};

/** One event, then a comment for each step. */
const commentsAfterOneEvent: Behaviour = async (exchange) => {
  beginEventStream(exchange);
  exchange.response.write(chatChunk(0));
  while (await exchange.stream.taken(exchange.response)) exchange.response.write(COMMENT);
};

test("a worker that sent only comments and dies is replaced by another", async () => {
  const dying = steppedPieces(COMMENT, COMMENT);
  const { router, stubs } = await openScene({ workers: 2, behaviour: inTurn(dying, stream()) });
  const live = sendLive(router, { body: STREAMED_CHAT });
  await Promise.race(stubs.map((stub) => stub.seen(1)));
  for (const stub of stubs) stub.stream.step(3);
  const text = await live.text();
  expect(text.startsWith(chatChunk(0))).toBe(true);
  expect(text).toMatch(/data: \[DONE\]\n\n$/);
  expect((await live.head()).headers["x-route-attempts"]).toBe("2");
  expect(sentTo(stubs)).toBe(2);
});

test("comments do not move the deadline for the first byte", async () => {
  const { router, stub } = await openScene({ behaviour: onlyComments });
  const live = sendLive(router, { body: STREAMED_CHAT, headers: { "x-timeout-ms": "150" } });
  expect(JSON.parse(await live.text())).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  expect((await live.head()).statusCode).toBe(504);
  await stub.nextAbort();
  await expect.poll(() => router.attemptClasses()).toEqual({ neutral: 1 });
});

test("a worker that sends comments to one client is alive for another, and is not asked", async () => {
  const { router, stub } = await openScene({ behaviour: inTurn(onlyComments, hangBeforeHeaders) });
  const commented = sendLive(router, { body: STREAMED_CHAT });
  await stub.seen(1);
  const probes = stub.probes.length;
  const silent = sendLive(router, { headers: { "x-timeout-ms": "150" } });
  expect(JSON.parse(await silent.text())).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  await expect.poll(() => router.attemptClasses()).toEqual({ neutral: 1 });
  expect(stub.probes).toHaveLength(probes);
  commented.abort();
});

test("a stream that goes on with comments alone is cut after stream_idle_timeout", async () => {
  const config = { request_router: { stream_idle_timeout: 0.15, request_timeout: 3600 } };
  const { router, stub } = await openScene({ behaviour: commentsAfterOneEvent, config });
  const live = sendLive(router, { body: STREAMED_CHAT });
  expect(await live.nextChunk()).toBe(chatChunk(0));
  let comments = 0;
  let piece = COMMENT;
  for (; piece === COMMENT; comments++) {
    stub.stream.step();
    piece = await live.nextChunk();
  }
  expect(comments).toBeGreaterThan(1);
  expect(piece).toContain("the worker sent nothing for 0.15 s");
  await stub.nextAbort();
});

test("comments before the first event are kept back, and pass after it", async () => {
  const behaviour = steppedPieces(COMMENT, chatChunk(0), COMMENT, chatChunk(1));
  const { router, stub } = await openScene({ behaviour });
  const live = sendLive(router, { body: STREAMED_CHAT });
  await stub.seen(1);
  stub.stream.step();
  stub.stream.step();
  expect(await live.nextChunk()).toBe(chatChunk(0));
  stub.stream.step();
  expect(await live.nextChunk()).toBe(COMMENT);
  stub.stream.step();
  expect(await live.nextChunk()).toBe(chatChunk(1));
  stub.stream.step();
  expect(await live.text()).toMatch(/event: error\ndata: .*WORKER_FAILED/);
});

test("a comment and an event in one piece begin the stream, and pass as they are", async () => {
  const { router, stub } = await openScene({ behaviour: steppedPieces(COMMENT + chatChunk(0)) });
  const live = sendLive(router, { body: STREAMED_CHAT });
  stub.stream.step();
  expect(await live.nextChunk()).toBe(COMMENT + chatChunk(0));
  live.abort();
  await stub.nextAbort();
});

test("a piece that begins with a colon inside a line is part of its event", async () => {
  const usage = ['data: {"usage":{"prompt_tokens":5,"completion_tokens"', ": 41}}\n\n"] as const;
  const inPieces: Behaviour = async ({ response, stream: steps }) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(usage[0]);
    if (!(await steps.taken(response))) return;
    response.end(usage[1]);
  };
  const { router, stub } = await openScene({ behaviour: inPieces });
  const live = sendLive(router, { body: STREAMED_CHAT });
  expect(await live.nextChunk()).toBe(usage[0]);
  stub.stream.step();
  expect(await live.text()).toBe(usage.join(""));
  const [line] = await router.requestLines(1);
  expect(line?.fields).toMatchObject({ completionTokens: 41 });
});
