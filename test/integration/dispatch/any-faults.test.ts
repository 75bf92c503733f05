import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { Random } from "../../../src/routing/random.ts";
import { CHAT, sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import * as stub from "../../support/stub-behaviours.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { SOON } from "../../support/test-router.ts";

const FAULTS: readonly Behaviour[] = [
  stub.destroyBeforeHeaders,
  stub.resetBeforeHeaders,
  stub.destroyAfterHeaders,
  stub.truncated,
  stub.html,
  stub.invalidJson,
  stub.destroyMidStream(1),
  stub.hangMidStream(1),
  stub.hangBeforeHeaders,
  stub.error(500, "out of memory"),
  stub.error(400, "n must be 1"),
  stub.overloaded("0"),
  stub.unauthorized,
];
const REQUESTS = 300;

test.each([1, 2, 3])(
  "in any mix of faults and aborts each request has one outcome, and nothing stays open (mix %i)",
  async (seed) => {
    const random = new Random(seed);
    const chance = (share: number): boolean => random.next() < share;
    const behaviour: Behaviour = (exchange) => {
      const good = exchange.request.body.includes('"stream":true') ? stub.stream(2) : stub.json();
      return (chance(0.5) ? FAULTS[Math.floor(random.next() * FAULTS.length)]! : good)(exchange);
    };
    const config = {
      request_router: { retry_delay: 0.005, request_timeout: 0.3, stream_idle_timeout: 0.1 },
      error_handler: { gpu_cooldown_period: 0.01 },
    };
    const { router } = await openScene({ workers: 3, worker: { slots: 64 }, behaviour, config });
    const one = async (id: string): Promise<void> => {
      const body = chance(0.5) ? CHAT : STREAMED_CHAT;
      const live = sendLive(router, { body, headers: { "x-request-id": id } });
      const ended = live.text().catch(() => "");
      if (chance(0.3)) {
        await Promise.race([ended, sleep(systemClock, random.next() * 30)]);
        live.abort();
      }
      await ended;
    };
    const waiting = Array.from({ length: REQUESTS }, (_, index) => `mix-${seed}-${index}`).values();
    const lane = async (): Promise<void> => {
      for (const id of waiting) await one(id);
    };
    await Promise.all(Array.from({ length: 50 }, lane));
    await expect.poll(() => router.openLeases(), SOON).toBe(0);
    const lines = router.logs.filter(({ message }) => message === "request");
    const ids = lines.map(({ fields }) => fields["requestId"]);
    expect(new Set(ids).size).toBe(ids.length);
    const known = new Set([200, 400, 499, 502, 503, 504]);
    expect(lines.filter(({ fields }) => !known.has(fields["status"] as number))).toEqual([]);
  },
);
