import { describe, expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { inTurn, openScene, sentTo } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";

const JSON_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const big = "x".repeat(20_000);

/** Small, so that a retry costs a test no time. */
const request_router = { retry_delay: 0.001 };

const BAD_JSON_ANSWERS: readonly (readonly [fault: string, behaviour: Behaviour])[] = [
  ["an orderly close before headers", stub.destroyBeforeHeaders],
  ["a reset before headers", stub.resetBeforeHeaders],
  ["a close after headers", stub.destroyAfterHeaders],
  ["a truncated JSON answer", stub.truncated],
  ["a chunked answer without end", stub.rawAnswer(`${JSON_HEAD}${chunked(`5\r\n{"a":\r\n`)}`)],
  ["an invalid chunk size", stub.rawAnswer(`${JSON_HEAD}${chunked("zz\r\n{}\r\n")}`)],
  ["an HTML page", stub.html],
  ["broken JSON", stub.invalidJson],
  ["nothing at all with 200", stub.respond({ status: 200 })],
  ["a stream that nobody asked for", stub.stream()],
  ["no content type", stub.rawAnswer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")],
  ["a compressed answer", stub.rawAnswer(`${JSON_HEAD}content-encoding: gzip\r\n\r\n{}`)],
  ["headers that are too large", stub.rawAnswer(`${JSON_HEAD}x: ${big}\r\n\r\n{}`)],
  ["what is no HTTP", stub.rawAnswer("SSH-2.0-OpenSSH_9.6\r\n")],
  ["an unasked upgrade", stub.rawAnswer("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n")],
  ["100 Continue, unasked", stub.rawAnswer(`HTTP/1.1 100 Continue\r\n\r\n${JSON_HEAD}\r\n{}`)],
  ["204", stub.rawAnswer("HTTP/1.1 204 No Content\r\n\r\n")],
  ["304", stub.rawAnswer("HTTP/1.1 304 Not Modified\r\n\r\n")],
  ["500", stub.error(500, "CUDA out of memory")],
  ["502", stub.error(502, "bad gateway")],
];

const BAD_STREAMS: typeof BAD_JSON_ANSWERS = [
  ["a reset before headers", stub.resetBeforeHeaders],
  ["JSON where a stream was asked for", stub.json()],
  ["an HTML page", stub.html],
  ["an end before the first event", stub.rawAnswer(`${STREAM_HEAD}${chunked("0\r\n\r\n")}`)],
  ["only a comment", stub.rawAnswer(`${STREAM_HEAD}${chunked("8\r\n: ping\n\n\r\n0\r\n\r\n")}`)],
  ["a close before the first event", stub.rawAnswer(`${STREAM_HEAD}${chunked("")}`)],
  ["a compressed stream", stub.rawAnswer(`${STREAM_HEAD}content-encoding: gzip\r\n\r\nx`)],
  ["500", stub.error(500, "CUDA out of memory")],
];

function chunked(body: string): string {
  return `transfer-encoding: chunked\r\n\r\n${body}`;
}

describe.each([
  ["a JSON answer", CHAT, BAD_JSON_ANSWERS, /^\{"id".*\}$/],
  ["a stream", STREAMED_CHAT, BAD_STREAMS, /^data: .*\[DONE\]\n\n$/s],
] as const)("where %s is due", (...due) => {
  const [, body, faults, whole] = due;
  const good = body === CHAT ? stub.json() : stub.stream();

  test.each(faults)("%s is retried elsewhere, and the client never knows", async (_case, bad) => {
    const behaviour = inTurn(bad, good);
    const { router, stubs } = await openScene({
      workers: 2,
      behaviour,
      config: { request_router },
    });
    const live = sendLive(router, { body });
    expect(await live.text()).toMatch(whole);
    const { statusCode, headers } = await live.head();
    expect(statusCode).toBe(200);
    expect(headers["x-route-attempts"]).toBe("2");
    expect(stubs.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });

  test.each(faults)("%s from everyone is 502 with the failure's name", async (_case, bad) => {
    const config = { request_router: { ...request_router, max_retries: 1 } };
    const { router, stubs } = await openScene({ workers: 2, behaviour: bad, config });
    const answer = await router.post("/v1/chat/completions", body);
    expect(answer.status).toBe(502);
    expect(answer.headers.get("x-route-attempts")).toBe("2");
    expect(await answer.json()).toMatchObject({
      error: {
        code: "WORKER_FAILED",
        message: expect.stringMatching(/^2 attempts failed; worker-[12]: \w+/),
      },
    });
    expect(sentTo(stubs)).toBe(2);
  });
});

test("an answer over max_response_mb is not held in memory: it is refused, and no worker pays for it", async () => {
  const huge: Behaviour = ({ response }) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = (): void => {
      while (!response.closed && response.write(`"${big}",`));
    };
    response.on("drain", more);
    more();
  };
  const config = { request_router: { ...request_router, max_response_mb: 0.5, max_retries: 1 } };
  const { router, stubs } = await openScene({ workers: 2, behaviour: huge, config });
  const answer = await router.post("/v1/chat/completions", CHAT);
  expect(answer.status).toBe(502);
  expect(await answer.text()).toContain("more than 0.5 MB (request_router.max_response_mb)");
  expect(sentTo(stubs)).toBe(1);
  expect(await router.attemptClasses()).toEqual({ neutral: 1 });
});

test("a refusal's odd headers reach the client harmlessly, or not at all", async () => {
  const head = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n";
  const types = ["a\u00ffb", "text/x\r\ncontent-type: text/y", "\t"];
  const { router, stub: worker } = await openScene();
  for (const type of types) {
    const bytes = Buffer.from(`${head}content-type: ${type}\r\n\r\n{}`, "latin1");
    worker.next(stub.rawAnswer(bytes));
    const live = sendLive(router);
    expect(await live.text()).toBe("{}");
    expect((await live.head()).statusCode).toBe(400);
  }
});

test("content types are compared as HTTP means them, without regard to case", async () => {
  const { router, stub: worker } = await openScene();
  const answer = { status: 200, body: "{}" };
  worker.next(
    stub.respond({ ...answer, headers: { "content-type": "Application/JSON" } }),
    stub.respond({ ...answer, headers: { "content-type": "Text/Event-Stream" } }),
  );
  expect((await router.post("/v1/chat/completions", CHAT)).status).toBe(200);
  expect((await router.post("/v1/chat/completions", STREAMED_CHAT)).status).toBe(200);
});

test("a type that only begins like JSON is not JSON", async () => {
  const headers = { "content-type": "application/json-seq" };
  const behaviour = stub.respond({ status: 200, body: "{}", headers });
  const config = { request_router: { max_retries: 0 } };
  const { router } = await openScene({ behaviour, config });
  expect((await router.post("/v1/chat/completions", CHAT)).status).toBe(502);
});
