import { createHash } from "node:crypto";
import { once } from "node:events";
import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";

const MIB = 1024 * 1024;
const TOTAL_BYTES = 40 * MIB;
/** Of the two connections, in the kernel and in both processes' buffers, and room to spare. */
const BUFFERED_BYTES_MAX = 24 * MIB;

/** A stream that goes on as fast as it is read, each event unlike the others. */
class Firehose {
  written = 0;
  readonly #hash = createHash("sha256");

  readonly behaviour: Behaviour = async ({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const closed = once(response, "close");
    for (let index = 0; this.written < TOTAL_BYTES && !response.closed; index++) {
      const event = Buffer.from(`data: ${String(index).padEnd(50_000, String(index % 10))}\n\n`);
      this.written += event.length;
      this.#hash.update(event);
      if (!response.write(event)) await Promise.race([once(response, "drain"), closed]);
    }
    response.end();
  };

  digest(): string {
    return this.#hash.digest("hex");
  }

  /** Resolves once nothing more was written for a while. */
  async stalled(): Promise<number> {
    for (let still = 0; still < 8;) {
      const before = this.written;
      await sleep(systemClock, 20);
      still = before > 0 && before === this.written ? still + 1 : 0;
    }
    return this.written;
  }
}

test("a client that does not read stops the worker, and gets every byte when it reads on", async () => {
  const firehose = new Firehose();
  const { router, stub } = await openScene({ behaviour: firehose.behaviour });
  const live = sendLive(router, { body: STREAMED_CHAT });
  await live.head();
  expect(await firehose.stalled()).toBeLessThan(BUFFERED_BYTES_MAX);
  expect(stub.openRequests).toBe(1);
  const bytes = await live.bytes();
  expect(bytes.length).toBe(firehose.written);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(firehose.digest());
});

test("a client that goes away while the worker waits for it frees the worker", async () => {
  const firehose = new Firehose();
  const { router, stub } = await openScene({ behaviour: firehose.behaviour });
  const live = sendLive(router, { body: STREAMED_CHAT });
  await live.head();
  await firehose.stalled();
  live.abort();
  await stub.nextAbort();
  expect((await router.requestLines(1))[0]?.fields).toMatchObject({ status: 499 });
});
