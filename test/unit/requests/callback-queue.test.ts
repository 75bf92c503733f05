import { describe, expect, test } from "vitest";
import { makeCallback } from "../../support/callback-builders.ts";
import { settle } from "../../support/fake-clock.ts";
import { answered, makeQueue, type QueueSetup } from "./callback-queue-setup.ts";

const PENDING_MAX = 10_000;
const IN_FLIGHT_MAX = 128;

const at = (host: string, changes: object = {}) =>
  makeCallback({ url: new URL(`https://${host}/`), ...changes });

function hostsOf({ attempts }: QueueSetup): string[] {
  return attempts.map(({ callback }) => callback.url.hostname);
}

describe("at most four are sent to a host at once", () => {
  test("and the next when one of them ends", async () => {
    const setup = makeQueue();
    for (let i = 1; i <= 6; i++) setup.queue.add(at("a.example", { requestId: `job-${i}` }));
    expect(setup.attempts).toHaveLength(4);
    expect(setup.queue.inFlightCount).toBe(4);
    await setup.attempts[2]?.end(answered(200));
    expect(setup.attempts.map(({ callback }) => callback.requestId)).toEqual(
      ["job-1", "job-2", "job-3", "job-4", "job-5"], // In the order in which they came.
    );
  });

  test("whatever its port, and whoever asked", () => {
    const setup = makeQueue();
    for (let i = 0; i < 6; i++) setup.queue.add(at(`a.example:${8440 + i}`, { user: `user-${i}` }));
    expect(setup.attempts).toHaveLength(4);
  });

  test("while other hosts go on", () => {
    const setup = makeQueue();
    for (let i = 0; i < 6; i++) setup.queue.add(at("a.example"));
    setup.queue.add(at("b.example"));
    expect(hostsOf(setup).at(-1)).toBe("b.example");
  });
});

describe("a host that failed five times in a row", () => {
  async function failed(times: number): Promise<QueueSetup> {
    const setup = makeQueue();
    for (let i = 0; i < 20; i++) setup.queue.add(at("a.example"));
    for (let i = 0; i < times; i++) await setup.attempts[i]?.end(answered(500));
    return setup;
  }

  test("gets one callback at a time", async () => {
    const before = await failed(4);
    expect(before.queue.inFlightCount).toBe(4);
    const setup = await failed(8);
    expect(setup.queue.inFlightCount).toBe(1);
    await setup.attempts[8]?.end(answered(500));
    expect(setup.queue.inFlightCount).toBe(1);
  });

  test("is new again when nothing is pending for it", async () => {
    const { queue, attempts } = makeQueue();
    for (let i = 0; i < 5; i++) queue.add(at("a.example"));
    for (let i = 0; i < 5; i++) await attempts[i]?.end(answered(410));
    expect(queue.pendingCount).toBe(0);
    for (let i = 0; i < 5; i++) queue.add(at("a.example"));
    expect(queue.inFlightCount).toBe(4);
    await queue.close();
  });

  test("gets four again when it has taken one", async () => {
    const setup = await failed(8);
    await setup.attempts[8]?.end(answered(204));
    expect(setup.queue.inFlightCount).toBe(4);
  });
});

describe("over all hosts", () => {
  test("no more are sent at once than there are sockets for", () => {
    const setup = makeQueue();
    for (let i = 0; i < IN_FLIGHT_MAX + 5; i++) setup.queue.add(at(`h${i}.example`));
    expect(setup.queue.inFlightCount).toBe(IN_FLIGHT_MAX);
  });

  test("hosts take turns for what becomes free", async () => {
    const setup = makeQueue();
    for (let i = 0; i < IN_FLIGHT_MAX; i++) setup.queue.add(at(`h${i}.example`));
    for (const host of ["a", "a", "b", "c", "b"]) setup.queue.add(at(`${host}.example`));
    for (let i = 0; i < 5; i++) await setup.attempts[i]?.end(answered(200));
    expect(hostsOf(setup).slice(IN_FLIGHT_MAX)).toEqual(
      ["a", "b", "c", "a", "b"].map((host) => `${host}.example`),
    );
  });
});

describe("when too many are pending", () => {
  test("the oldest of the user with the most is dropped, with a line in the log", () => {
    const { queue, attempts, said } = makeQueue();
    queue.add(at("b.example", { user: "bob", requestId: "bobs" }));
    for (let i = 0; i < PENDING_MAX - 1; i++) queue.add(at("a.example", { requestId: `job-${i}` }));
    expect(said("callback dropped")).toEqual([]);
    queue.add(at("b.example", { user: "bob", requestId: "bobs-other" }));
    expect(queue.pendingCount).toBe(PENDING_MAX);
    expect(said("callback dropped")).toEqual([
      {
        level: "warn",
        message: "callback dropped",
        fields: {
          requestId: "job-0",
          user: "alice",
          host: "a.example",
          pendingMax: PENDING_MAX,
        },
      },
    ]);
    expect(attempts.map(({ callback, signal }) => [callback.requestId, signal.aborted])).toEqual([
      ["bobs", false],
      ["job-0", true],
      ["job-1", false],
      ["job-2", false],
      ["job-3", false],
      ["bobs-other", false],
    ]);
  });

  test("one that waits for its retry is dropped with its timer", async () => {
    const { clock, queue } = makeQueue({ always: answered(500) });
    for (let i = 0; i < PENDING_MAX; i++) queue.add(at(`h${i}.example`));
    await settleUntil(() => clock.pendingTimers === PENDING_MAX);
    queue.add(at("last.example"));
    expect(clock.pendingTimers).toBe(PENDING_MAX - 1);
    await queue.close();
  });
});

describe("closing", () => {
  test("ends what is under way, and sends nothing more", async () => {
    const { clock, queue, attempts, said } = makeQueue();
    for (let i = 0; i < 6; i++) queue.add(at("a.example"));
    await attempts[0]?.end(answered(500));
    expect(clock.pendingTimers).toBe(1);
    await queue.close();
    expect(attempts.map(({ signal }) => signal.aborted).slice(1)).toEqual(Array(4).fill(true));
    expect(queue).toMatchObject({ pendingCount: 0, inFlightCount: 0 });
    expect(clock.pendingTimers).toBe(0);
    expect(attempts).toHaveLength(5);
    expect(said("callbacks lost in the stop")).toMatchObject([{ fields: { callbacks: 6 } }]);
    queue.add(at("a.example"));
    await clock.advanceAsync(60_000);
    expect(attempts).toHaveLength(5);
  });

  test("with nothing pending says nothing", async () => {
    const { queue, said } = makeQueue({ always: answered(200) });
    queue.add(at("a.example"));
    await settle();
    await queue.close();
    expect(said("callbacks lost in the stop")).toEqual([]);
  });
});

async function settleUntil(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn++) await settle();
}

describe("at the router's end", () => {
  test("what was never sent is sent once, and the end waits for it", async () => {
    const { clock, queue, attempts, said } = makeQueue();
    for (let i = 0; i < 5; i++) queue.add(at("a.example"));
    const finished = queue.finish(5000);
    for (let i = 0; i < 4; i++) await attempts[i]?.end(answered(204));
    expect(attempts).toHaveLength(5);
    await attempts[4]?.end(answered(500));
    await clock.advanceAsync(20);
    expect([queue.inFlightCount, queue.pendingCount]).toEqual([0, 0]);
    expect(said("callback given up")).toHaveLength(1);
    await Promise.all([finished, queue.close()]);
  });

  test("what waits for another attempt gets none, and is counted as lost", async () => {
    const { clock, queue, attempts, said } = makeQueue({ always: answered(500) });
    queue.add(at("a.example"));
    await settle();
    await queue.finish(5000);
    await clock.advanceAsync(3_600_000);
    expect(attempts).toHaveLength(1);
    await queue.close();
    expect(said("callbacks lost in the stop")).toMatchObject([{ fields: { callbacks: 1 } }]);
  });

  test("a receiver that does not answer is waited for as long as is allowed", async () => {
    const { clock, queue, attempts } = makeQueue();
    queue.add(at("a.example"));
    let isFinished = false;
    const finished = queue.finish(5000).then(() => void (isFinished = true));
    await clock.advanceAsync(4_900);
    expect(isFinished).toBe(false);
    await clock.advanceAsync(200);
    expect(isFinished).toBe(true);
    await Promise.all([finished, queue.close()]);
    expect(attempts[0]?.signal.aborted).toBe(true);
  });
});
