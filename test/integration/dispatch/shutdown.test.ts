import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { Arrivals } from "../../support/arrivals.ts";
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

const PATIENT = { api: { drain_timeout: 60 } };
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
});
