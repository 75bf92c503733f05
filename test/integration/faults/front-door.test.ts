import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { chatHead, RawConnection } from "../../support/raw-connection.ts";
import { openScene } from "../../support/router-scene.ts";
import { held, json } from "../../support/stub-behaviours.ts";
import { SOON, type TestRouter } from "../../support/test-router.ts";
import { untilWaiting } from "./waiting-requests.ts";

const BODY = JSON.stringify(CHAT);
const CHAT_PATH = "/v1/chat/completions";

async function open({ port }: Pick<TestRouter, "port">): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  onTestFinished(() => void connection.socket.destroy());
  return connection;
}

/** The server's own limits of time are the subject of a unit test; here they are short. */
function beImpatient(router: TestRouter): void {
  router.app.server.server.headersTimeout = 300;
  router.app.server.server.requestTimeout = 600;
}

describe("F35 a client that sends a byte now and then", () => {
  test.each([
    ["of its headers", "GET /health HTTP/1.1\r\nHost: router\r\nX-Slow: "],
    ["of its body", null],
  ])("%s is answered 408 and cut, while others are served", async (_, start) => {
    const { router } = await openScene({ behaviour: json() });
    beImpatient(router);
    const slow = await open(router);
    slow.write(start ?? `${chatHead(router, "Content-Length: 100000")}\r\n{`);
    const drip = setInterval(() => slow.isOpen && slow.write(" "), 50);
    onTestFinished(() => clearInterval(drip));
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
    await slow.closed;
    expect(slow.statuses).toEqual([408]);
    expect(slow.received).toContain("the request did not arrive in time");
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
  });
});

describe("F36 a body", () => {
  const limited = { api: { body_limit_mb: 1 } };

  test("that says it is over the limit is refused with 413 before it is sent", async () => {
    const { router, stub } = await openScene({ config: limited });
    const client = await open(router);
    client.write(`${chatHead(router, "Content-Length: 40000000")}\r\n`);
    await expect.poll(() => client.statuses, SOON).toEqual([413]);
    expect(client.received).toContain("BODY_TOO_LARGE");
    expect(stub.requests).toHaveLength(0);
  });

  test("that grows over the limit in chunks is refused with 413", async () => {
    const { router, stub } = await openScene({ config: limited });
    const client = await open(router);
    client.write(`${chatHead(router, "Transfer-Encoding: chunked")}\r\n`);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    for (let i = 0; i < 17 && client.statuses.length === 0; i++) client.write(chunk);
    await expect.poll(() => client.statuses, SOON).toEqual([413]);
    expect(stub.requests).toHaveLength(0);
  });

  test("longer than its Content-Length: the rest is no request, and ends the connection", async () => {
    const { router, stub } = await openScene({ behaviour: json() });
    const client = await open(router);
    client.write(
      `${chatHead(router, `Content-Length: ${BODY.length}`)}\r\n${BODY}and more\r\n\r\n`,
    );
    await client.closed;
    expect(client.statuses.at(-1)).toBe(400);
    expect(stub.requests.length).toBeLessThanOrEqual(1);
  });

  test.each([
    ["shorter than its Content-Length", `Content-Length: ${BODY.length + 10}`, BODY],
    [
      "in chunks without an end",
      "Transfer-Encoding: chunked",
      `${BODY.length.toString(16)}\r\n${BODY}\r\n`,
    ],
  ])("%s is answered 408, and nothing of it is sent on", async (_, header, body) => {
    const { router, stub } = await openScene();
    beImpatient(router);
    const client = await open(router);
    client.write(`${chatHead(router, header)}\r\n${body}`);
    await client.closed;
    expect(client.statuses).toEqual([408]);
    expect(stub.requests).toHaveLength(0);
  });
});

test.each([
  [
    "a header of 17 KiB",
    `GET /health HTTP/1.1\r\nHost: router\r\nX-A: ${"a".repeat(17_000)}\r\n\r\n`,
    431,
  ],
  ["a URL of 17 KiB", `GET /${"a".repeat(17_000)} HTTP/1.1\r\nHost: router\r\n\r\n`, 431],
  [
    "a URL of 9 KiB, which is read,",
    `GET /${"a".repeat(9_000)} HTTP/1.1\r\nHost: router\r\n\r\n`,
    404,
  ],
  ["257 headers", `GET /health HTTP/1.1\r\nHost: router\r\n${"X-A: b\r\n".repeat(256)}\r\n`, 400],
])("F37 %s gets one clean refusal", async (_, text, status) => {
  const { router } = await openScene();
  const client = await open(router);
  client.write(text);
  await expect.poll(() => client.statuses, SOON).toEqual([status]);
  expect(client.received).toMatch(/\{"error":\{"code":"(INVALID_REQUEST|ROUTE_NOT_FOUND)"/);
});

describe("F40 a thousand requests at once on one connection", () => {
  const COUNT = 1000;
  const UNANSWERED_MAX = 16;

  /** Each with its own id, none waiting for an answer. */
  function pipelined(router: TestRouter): string {
    return Array.from({ length: COUNT }, (_, index) => {
      const lines = [`X-Request-Id: r-${index}`, `Content-Length: ${BODY.length}`];
      return `${chatHead(router, ...lines)}\r\n${BODY}`;
    }).join("");
  }

  test("are answered in order up to the sixteenth, then one refusal ends the connection", async () => {
    const worker = held();
    const { router, stub } = await openScene({
      worker: { slots: 100 },
      behaviour: worker.behaviour,
    });
    const client = await open(router);
    client.write(pipelined(router));
    await expect.poll(() => stub.openRequests, SOON).toBe(UNANSWERED_MAX);
    // Another connection is served as ever.
    expect((await router.get("/v1/models")).status).toBe(200);
    expect(stub.openRequests).toBe(UNANSWERED_MAX);
    worker.release();
    await client.closed;
    const served = Array<number>(UNANSWERED_MAX).fill(200);
    expect(client.statuses).toEqual([...served, 503]);
    expect(client.received).toContain("more than 16 requests wait on this connection");
    const ids = [...client.received.matchAll(/^x-request-id: r-(\d+)\r$/gm)].map(([, id]) => id);
    expect(ids).toEqual(client.statuses.map((_, index) => String(index)));
    expect(stub.requests).toHaveLength(UNANSWERED_MAX);
  });

  test("a client that goes on sending still gets every answer", async () => {
    const worker = held();
    const { router, stub } = await openScene({
      worker: { slots: 100 },
      behaviour: worker.behaviour,
    });
    const accepted = once(router.app.server.server, "connection");
    const client = await open(router);
    const [serverSide] = (await accepted) as [Socket];
    client.write(pipelined(router));
    await expect.poll(() => stub.openRequests, SOON).toBe(UNANSWERED_MAX);
    client.socket.pause();
    worker.release();
    await expect.poll(() => serverSide.writableFinished, SOON).toBe(true);
    // Each would find out that nobody is there to read it.
    for (let i = 0; i < 10; i++) {
      await new Promise<void>((written) => client.socket.write("more", () => written()));
    }
    client.socket.resume();
    await client.closed;
    expect(client.statuses).toHaveLength(UNANSWERED_MAX + 1);
  });

  test("all end with it, also those that wait for a slot", async () => {
    const { router, stub } = await openScene({
      worker: { slots: 2 },
      behaviour: held().behaviour,
    });
    const client = await open(router);
    client.write(pipelined(router));
    await untilWaiting(router, UNANSWERED_MAX - 2);
    client.socket.resetAndDestroy();
    await untilWaiting(router, 0);
    await expect.poll(() => stub.openRequests, SOON).toBe(0);
    const lines = await router.requestLines(UNANSWERED_MAX);
    expect(lines.map(({ fields }) => fields["status"])).toEqual(Array(UNANSWERED_MAX).fill(499));
  });
});
