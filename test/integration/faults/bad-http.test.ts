import { expect, test } from "vitest";
import { endlessBody, endlessHeaders } from "../../support/endless-behaviours.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene, sentTo } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";

/** Answers that break HTTP, or are not what was asked for; numbers as in the fault catalogue. */

const PATH = "/v1/chat/completions";
const JSON_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const EVENT = 'data: {"n":1}\n\n';
/** Two attempts, the second one soon. */
const TWICE = { request_router: { retry_delay: 0.001, max_retries: 1 } };
const MIB = 2 ** 20;

function chunked(head: string, body: string): Behaviour {
  return stub.rawAnswer(`${head}transfer-encoding: chunked\r\n\r\n${body}`);
}

/** From every worker: 502 whose text names the fault, no byte of the answer, a failure for each. */
async function expectRefused(behaviour: Behaviour, body: object, says: RegExp): Promise<void> {
  const { router, stubs } = await openScene({ workers: 2, behaviour, config: TWICE });
  const live = sendLive(router, { body });
  const text = await live.text();
  expect((await live.head()).statusCode).toBe(502);
  expect(JSON.parse(text)).toMatchObject({ error: { code: "WORKER_FAILED" } });
  expect(text).toMatch(says);
  expect(sentTo(stubs)).toBe(2);
  expect(await router.attemptClasses()).toEqual({ failure: 2 });
}

/** Began well, and broke: what came, then our error event, and no second attempt. */
async function expectCut(behaviour: Behaviour, before: string): Promise<void> {
  const { router, stubs } = await openScene({ workers: 2, behaviour, config: TWICE });
  const live = sendLive(router, { body: STREAMED_CHAT, headers: { "x-request-id": "trace-1" } });
  const text = await live.text();
  expect((await live.head()).statusCode).toBe(200);
  expect(text.slice(0, text.indexOf("\n\nevent: error\n"))).toBe(before);
  expect(text).toMatch(/"code":"WORKER_FAILED".*"request_id":"trace-1"\}\}\n\n$/);
  expect(text).not.toContain("[DONE]");
  expect(sentTo(stubs)).toBe(1);
  expect(await router.attemptClasses()).toEqual({ failure: 1 });
}

test("F7 a content-length larger than the body of JSON is 502, and no half of it is sent", () =>
  expectRefused(stub.truncated, CHAT, /connection closed before the answer was complete/));

test("F7 a content-length larger than the body of a stream is an error event", () =>
  expectCut(stub.rawAnswer(`${STREAM_HEAD}content-length: 500\r\n\r\n${EVENT}`), EVENT));

const POISON = `${JSON_HEAD}content-length: 18\r\n\r\n{"text":"poison!"}`;

test.each([
  ["a content-length smaller than the body", `${JSON_HEAD}content-length: 2\r\n\r\n{}${POISON}`],
  ["a whole second answer", POISON.replace("poison!", "first !") + POISON],
  [
    "bytes after the last chunk",
    `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n${POISON}`,
  ],
])("F8 after %s no other request gets the rest", async (_case, bytes) => {
  const { router, stub: worker } = await openScene({ worker: { slots: 1 }, config: TWICE });
  worker.next(stub.rawAnswer(bytes, { thenClose: false }));
  const live = Array.from({ length: 5 }, () => sendLive(router));
  const [first, ...others] = await Promise.all(live.map((one) => one.text()));
  expect(first).toMatch(/^\{\}$|first/);
  for (const text of others) expect(text).toContain("hello from the stub");
  await worker.nextAbort();
});

test.each([
  ["an invalid chunk size", "2\r\n{}\r\nzz\r\n"],
  ["a chunk longer than it says", "2\r\n{}{}\r\n0\r\n\r\n"],
  ["no final chunk", "2\r\n{}\r\n"],
])("F9 %s in JSON is 502", (_case, body) =>
  expectRefused(chunked(JSON_HEAD, body), CHAT, /failed/),
);

test.each([
  ["an invalid chunk size", "zz\r\n"],
  ["no final chunk", ""],
])("F9 %s in a stream is an error event", (_case, end) =>
  expectCut(chunked(STREAM_HEAD, `f\r\n${EVENT}\r\n${end}`), EVENT),
);

test.each([
  ["headers of 20 KiB", `x: ${"x".repeat(20_000)}\r\n`],
  ["ten thousand headers", Array.from({ length: 10_000 }, (_, n) => `x-${n}: 1\r\n`).join("")],
])("F10 %s are 502", (_case, headers) =>
  expectRefused(stub.rawAnswer(`${JSON_HEAD}${headers}\r\n{}`), CHAT, /[Hh]eader/),
);

test("F10 headers without end are cut off, and not kept", async () => {
  const endless = endlessHeaders(`x: ${"x".repeat(1000)}\r\n`.repeat(100));
  await expectRefused(endless.behaviour, CHAT, /[Hh]eader/);
  // Twice what lies in the kernel's buffers of two connections.
  expect(endless.written).toBeLessThan(16 * MIB);
});

test.each([
  ["HTML where JSON is due", CHAT, stub.html, /text\/html instead of application\/json/],
  ["HTML where a stream is due", STREAMED_CHAT, stub.html, /text\/html instead of text\/event/],
  ["JSON where a stream is due", STREAMED_CHAT, stub.json(), /json instead of text\/event-stream/],
  ["a stream where JSON is due", CHAT, stub.stream(), /event-stream instead of application\/json/],
])("F11 %s is 502", (...row) => {
  const [, body, behaviour, says] = row;
  return expectRefused(behaviour, body, says);
});

test("F12 broken JSON is 502", () => expectRefused(stub.invalidJson, CHAT, /broken JSON/));

test("F12 JSON without end is 502 at the cap, and the worker is told to stop", async () => {
  const endless = endlessBody("application/json", '{"text":"', "x".repeat(64 * 1024));
  const request_router = { ...TWICE.request_router, max_response_mb: 4 };
  const { router, stub: worker } = await openScene({
    behaviour: endless.behaviour,
    config: { request_router },
  });
  const answer = await router.post(PATH, CHAT);
  expect(answer.status).toBe(502);
  expect(await answer.text()).toContain("more than 4 MB (request_router.max_response_mb)");
  await worker.nextAbort();
  expect(endless.written).toBeLessThan(2 * (4 + 12) * MIB);
});

const gzip = (encoding: string): Behaviour =>
  stub.rawAnswer(`${JSON_HEAD}content-encoding: ${encoding}\r\n\r\n\x1f\x8b{}`);

test.each([
  ["gzip", "gzip"],
  ["br", "br"],
  ["a thousand layers", Array.from({ length: 1000 }, () => "gzip").join(",")],
])("F22 a body in %s of content-encoding is refused, and never decoded", (_case, encoding) =>
  expectRefused(gzip(encoding), CHAT, /in content-encoding (?:gzip|br)/),
);

test("F22 none is asked for, whatever the client takes", async () => {
  const { router, stub: worker } = await openScene();
  const headers = { "accept-encoding": "gzip, br, deflate" };
  expect((await router.post(PATH, CHAT, headers)).status).toBe(200);
  expect(worker.requests[0]?.headers["accept-encoding"]).toBe("identity");
});

test.each([
  ["101", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
  ["100 and nothing more", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["204", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["304", "HTTP/1.1 304 Not Modified\r\n\r\n"],
])("F23 %s is 502", (_case, bytes) => expectRefused(stub.rawAnswer(bytes), CHAT, /failed/));

test.each([301, 302, 303, 307, 308])(
  "F23 a %i redirect is 502, and not followed",
  async (status) => {
    const target = await openScene();
    const headers = { location: `${target.stub.url}/latest/meta-data/` };
    await expectRefused(
      stub.respond({ status, body: "{}", headers }),
      CHAT,
      new RegExp(`answered ${status}`),
    );
    expect([...target.stub.requests, ...target.stub.probes.slice(1)]).toEqual([]);
  },
);

test("F24 what a worker's headers say of connections, cookies and new lines stays behind", async () => {
  const evil =
    "connection: close, x-hop\r\nx-hop: 1\r\nset-cookie: a=b\r\ntransfer-encoding: chunked\r\n" +
    "keep-alive: timeout=1\r\nproxy-authenticate: Basic\r\nx-worker-id: forged\r\n" +
    "x-bare: 1\r\n";
  const { router, stub: worker } = await openScene({ config: TWICE });
  for (const [status, head] of [
    [200, JSON_HEAD],
    [400, JSON_HEAD.replace("200 OK", "400 Bad Request")],
  ] as const) {
    worker.next(stub.rawAnswer(`${head}${evil}\r\n2\r\n{}\r\n0\r\n\r\n`));
    const live = sendLive(router);
    expect(await live.text()).toBe("{}");
    const answer = await live.head();
    expect(answer.statusCode).toBe(status);
    expect(answer.headers["x-worker-id"]).toBe("worker-1");
    expect(JSON.stringify(answer.rawHeaders)).not.toMatch(/hop|cookie|proxy|forged|chunked/);
  }
});

test("F24 a header folded over two lines is refused: it could smuggle another one", () =>
  expectRefused(
    stub.rawAnswer(`${JSON_HEAD}x-fold: a\r\n set-cookie: a=b\r\n\r\n{}`),
    CHAT,
    /failed; worker-[12]: /,
  ));
