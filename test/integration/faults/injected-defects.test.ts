import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { json, steppedStream } from "../../support/stub-behaviours.ts";
import { SOON, type TestRouter } from "../../support/test-router.ts";

const CHAT_PATH = "/v1/chat/completions";

/** A defect in the code that serves this request, and no other: marked by its header. */
function inject(
  router: TestRouter,
  fault: (request: IncomingMessage, answer: ServerResponse) => void,
) {
  router.app.server.server.prependListener("request", (request, answer) => {
    if (request.headers["x-fault"] !== undefined) fault(request, answer);
  });
}

function throwOnce(answer: ServerResponse): void {
  const { writeHead } = answer;
  answer.writeHead = () => {
    answer.writeHead = writeHead;
    throw new Error("an injected defect");
  };
}

/** Logged once, as what it is; the helper that looks for leaks knows of no other error. */
function expectDefectLogged(router: TestRouter, count = 1): void {
  const lines = [...router.logs] as { level: string }[];
  const defects = lines.filter(({ level }) => level === "error");
  expect(defects).toHaveLength(count);
  for (const line of defects) line.level = "seen";
}

describe("F65 a defect in the way of one request", () => {
  test("in its route: it gets 500, and the others are served", async () => {
    const { router } = await openScene({ behaviour: json() });
    inject(router, ({ headers }) => {
      Object.defineProperty(headers, "x-priority", {
        enumerable: true,
        get: () => {
          throw new Error("an injected defect");
        },
      });
    });
    const others = Array.from({ length: 5 }, () => router.post(CHAT_PATH, CHAT));
    const hit = await router.post(CHAT_PATH, CHAT, { "x-fault": "1" });
    expect([hit.status, await hit.text()]).toEqual([500, expect.stringContaining("INTERNAL")]);
    for (const other of await Promise.all(others)) expect(other.status).toBe(200);
    expectDefectLogged(router);
  });

  test("where its answer is written: it gets 500, and the worker is not blamed", async () => {
    const { router } = await openScene({ behaviour: json() });
    inject(router, (_, answer) => throwOnce(answer));
    const hit = await router.post(CHAT_PATH, CHAT, { "x-fault": "1" });
    expect([hit.status, await hit.text()]).toEqual([500, expect.stringContaining("INTERNAL")]);
    expect((await router.post(CHAT_PATH, CHAT)).status).toBe(200);
    expect(await router.attemptClasses()).toEqual({ success: 2 });
    expectDefectLogged(router);
  });

  test("where its stream is passed on: it alone ends, and another stream goes on", async () => {
    const { router, stub } = await openScene({ behaviour: steppedStream(2) });
    inject(router, (_, answer) => throwOnce(answer));
    const other = sendLive(router, { body: STREAMED_CHAT });
    await stub.nextRequest();
    const hit = sendLive(router, { body: STREAMED_CHAT, headers: { "x-fault": "1" } });
    await stub.nextRequest();
    stub.stream.step(10);
    expect(await other.text()).toContain("[DONE]");
    expect(await hit.text()).not.toContain("[DONE]");
    await expect.poll(() => stub.openRequests, SOON).toBe(0);
  });
});
