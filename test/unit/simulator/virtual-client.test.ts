import { beforeEach, describe, expect, test } from "vitest";
import type { Answer } from "../../../src/dispatch/answer.ts";
import { RouterError } from "../../../src/errors.ts";
import { Dice } from "../../../src/simulator/dice.ts";
import { Timeline } from "../../../src/simulator/virtual-clock.ts";
import { VirtualClient } from "../../../src/simulator/virtual-client.ts";
import { serving } from "../../support/routing-builders.ts";

const TAGS = { worker: serving(0), attempts: 1, queueMs: 0 };
const HEAD = { status: 200, contentType: "text/event-stream" };
const WHOLE: Answer = { ...HEAD, body: Buffer.from("{}"), retryAfterMs: null };
const ERROR = new RouterError("WORKER_FAILED", "gone");
const CHUNK = Buffer.from("data: 1\n\n");

describe("a virtual client", () => {
  let timeline: Timeline;
  let breaches: string[];
  let client: VirtualClient;
  const clientWith = (stalls: { share: number; forMs: number }): VirtualClient => {
    const onBreach = (what: string): void => void breaches.push(what);
    return new VirtualClient({ clock: timeline.world, dice: new Dice(1, "c"), stalls, onBreach });
  };

  beforeEach(() => {
    timeline = new Timeline(0);
    breaches = [];
    client = clientWith({ share: 0, forMs: 0 });
  });

  type Call = (client: VirtualClient) => void;
  const whole: Call = (c) => c.whole(WHOLE, TAGS);
  const refuse: Call = (c) => c.refuse(ERROR, null);
  const begin: Call = (c) => c.begin(HEAD, TAGS);
  const write: Call = (c) => void c.write(CHUNK);
  const end: Call = (c) => c.end();
  const cut: Call = (c) => c.cut(ERROR);
  const fail: Call = (c) => void c.fail(ERROR, TAGS);
  const leave: Call = (c) => c.leave();

  const proper: readonly (readonly [string, readonly Call[]])[] = [
    ["whole", [whole]],
    ["refusal", [refuse]],
    ["ended", [begin, write, end]],
    ["cut", [begin, cut]],
    ["cut", [begin, fail]],
    ["refusal", [fail]],
  ];

  test.each(proper)("takes a proper answer: %s", (got, calls) => {
    for (const call of calls) call(client);
    expect([client.got, breaches]).toEqual([got, []]);
  });

  const improper: readonly (readonly [string, readonly Call[]])[] = [
    ["whole after the client got: whole", [whole, whole]],
    ["refuse after the client got: begun", [begin, refuse]],
    ["begin after the client got: refusal", [refuse, begin]],
    ["end after the client got: nothing", [end]],
    ["write after the client got: ended", [begin, end, write]],
    ["whole after the client had left", [leave, whole]],
  ];

  test.each(improper)("sees what AnswerSink forbids: %s", (breach, calls) => {
    for (const call of calls) call(client);
    expect(breaches).toEqual([breach]);
  });

  test("a full buffer takes no more until it has room again", async () => {
    client = clientWith({ share: 1, forMs: 300 });
    client.begin(HEAD, TAGS);
    let drainedAtMs: number | null = null;
    expect(client.write(CHUNK)).toBe(false);
    client.onDrain(() => (drainedAtMs = timeline.nowMs));
    client.write(CHUNK);
    expect(breaches).toEqual(["a chunk was written while the client's buffer was full"]);
    await timeline.run(1000, () => false);
    expect(drainedAtMs).toBe(300);
  });
});
