import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import { Arrivals } from "../../support/arrivals.ts";
import {
  chatChunk,
  error,
  hangBeforeHeaders,
  hangMidStream,
  json,
  stream,
} from "../../support/stub-behaviours.ts";
import type { Behaviour, Exchange } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

/** The log's one line per request: status 499 where the client had gone. */
async function statusesOf(router: TestRouter, count: number): Promise<unknown[]> {
  return (await router.requestLines(count)).map(({ fields }) => fields["status"]);
}

describe("a client that goes away", () => {
  test.each([
    ["a JSON answer", CHAT],
    ["a stream", STREAMED_CHAT],
  ])("before the first byte of %s closes the worker's connection", async (_case, body) => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    const live = sendLive(router, { body });
    await stub.nextRequest();
    expect(await router.openLeases()).toBe(1);
    live.abort();
    await stub.nextAbort();
    expect(await statusesOf(router, 1)).toEqual([499]);
    expect(await router.openLeases()).toBe(0);
  });

  test("in the middle of a JSON answer closes the worker's connection", async () => {
    const begun: Behaviour = ({ response }) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"id":');
    };
    const { router, stub } = await openScene({ behaviour: begun });
    const live = sendLive(router);
    await stub.nextRequest();
    live.abort();
    await stub.nextAbort();
    expect(await statusesOf(router, 1)).toEqual([499]);
  });

  test("in the middle of a stream closes the worker's connection", async () => {
    const { router, stub } = await openScene({ behaviour: hangMidStream(1) });
    const live = sendLive(router, { body: STREAMED_CHAT });
    expect(await live.nextChunk()).toBe(chatChunk(0));
    live.abort();
    await stub.nextAbort();
    expect(await statusesOf(router, 1)).toEqual([499]);
  });

  test("ends a stream that would never end", async () => {
    const endless: Behaviour = ({ response }) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const more = (): void => {
        while (!response.closed && response.write(chatChunk(0)));
      };
      response.on("drain", more);
      more();
    };
    const { router, stub } = await openScene({ behaviour: endless });
    const live = sendLive(router, { body: STREAMED_CHAT });
    for (let count = 0; count < 20; count++) await live.nextChunk();
    live.abort();
    await stub.nextAbort();
  });

  test("while a retry waits for its delay is not tried for again", async () => {
    const config = { request_router: { retry_delay: 60 } };
    const behaviour = error(500, "out of memory");
    const { router, stub } = await openScene({ behaviour, config });
    const live = sendLive(router, { headers: { "x-timeout-ms": "600000" } });
    await stub.nextRequest();
    await expect.poll(() => router.openLeases(), SOON).toBe(0);
    live.abort();
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({ status: 499, attempts: 1 });
    expect(stub.requests).toHaveLength(1);
  });

  test("takes its pipelined requests with it", async () => {
    const endless: Behaviour = ({ response }) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chatChunk(0).repeat(2000));
    };
    const { router, stub } = await openScene({ behaviour: endless });
    const socket = connect(router.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(rawRequest(router, STREAMED_CHAT).repeat(3));
    await stub.seen(3);
    socket.resetAndDestroy();
    for (let count = 0; count < 3; count++) await stub.nextAbort();
    expect(await statusesOf(router, 3)).toEqual([499, 499, 499]);
  });

  test("right after its request leaves nothing behind, whether the worker heard of it or not", async () => {
    const { router, stub } = await openScene({ behaviour: hangBeforeHeaders });
    for (let count = 0; count < 20; count++) {
      const socket = connect(router.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(rawRequest(router, CHAT), () => socket.destroy());
    }
    expect(await statusesOf(router, 20)).toEqual(Array.from({ length: 20 }, () => 499));
    await expect.poll(() => stub.openRequests, SOON).toBe(0);
  });
});

test.each<[string, object, Behaviour]>([
  ["JSON", CHAT, json()],
  ["stream", STREAMED_CHAT, stream(1)],
])("an abort in the tick of a %s answer's end has one outcome", async (_case, body, behaviour) => {
  const held = new Arrivals<Exchange>();
  const { router, stub } = await openScene({ behaviour: (exchange) => held.add(exchange) });
  const rounds = 30;
  for (let round = 0; round < rounds; round++) {
    const live = sendLive(router, { body });
    const exchange = await held.next();
    // One order, then the other; both reach the router in the same turn of its loop.
    if (round % 2 === 0) live.abort();
    await behaviour(exchange);
    if (round % 2 === 1) live.abort();
  }
  for (const status of await statusesOf(router, rounds)) expect([200, 499]).toContain(status);
  expect(await statusesOf(router, rounds)).toHaveLength(rounds);
  expect(sentTo([stub])).toBe(rounds);
});

function rawRequest(router: TestRouter, body: object): string {
  const text = JSON.stringify(body);
  return [
    "POST /v1/chat/completions HTTP/1.1",
    "Host: router",
    `Authorization: Bearer ${router.keys.user}`,
    "Content-Type: application/json",
    `Content-Length: ${text.length}`,
    "",
    text,
  ].join("\r\n");
}
