import { describe, expect, test } from "vitest";
import type { Place } from "../../../src/dispatch/dispatcher.ts";
import { JobWatch } from "../../../src/http/job-watch.ts";
import { Job } from "../../../src/requests/job.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { attemptRecord, routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";
import { answerOf, decision, noWishes } from "../requests/job-setup.ts";

type Data = Readonly<Record<string, unknown>>;

interface Scene {
  readonly placement?: boolean;
  readonly showsPlacement?: boolean;
  readonly expectedDurationMs?: number;
  /** What such jobs took so far. */
  readonly usualMs?: number;
}

/** A job that somebody follows, and all that was told of it. */
function follow(scene: Scene = {}) {
  const { placement = false, showsPlacement = true, expectedDurationMs, usualMs = null } = scene;
  const clock = new FakeClock();
  const request = routedRequest({
    timeoutMs: 60_000,
    ...(placement ? { path: null, isPlacement: true } : {}),
  });
  const job = new Job(request, {
    ...noWishes,
    expectedDurationMs: expectedDurationMs ?? null,
    submittedAtWallMs: clock.wallMs(),
  });
  const told: [event: string, data: Data][] = [];
  const client = { isBackedUp: false, isEnded: false };
  const events = {
    get isBackedUp() {
      return client.isBackedUp;
    },
    send: (event: string, data: unknown) => void told.push([event, data as Data]),
    ping: () => void told.push(["ping", {}]),
    end: () => void (client.isEnded = true),
  };
  const line: { place: Place | null } = { place: null };
  const explain = () => ({ strategy: "hybrid", chosen: null, candidates: [] });
  const expected = { ofModel: () => usualMs };
  const outlook = { clock, expected, place: () => line.place, explain };
  const watch = new JobWatch({ job, events, outlook, showsPlacement });
  const start = () => job.decided(serving(0), decision, clock.wallMs());
  const end = (state: "completed" | "failed" = "completed") => job.moveTo(state, clock.wallMs());
  const names = () => told.map(([event]) => event);
  const of = (event: string) => told.filter(([name]) => name === event).map(([, data]) => data);
  return { clock, job, watch, told, client, line, start, end, names, of };
}

describe("a client that follows a job", () => {
  test("is told how it is at once, of each new state, and of all of it at its end", () => {
    const { clock, job, watch, start, end, names, of, client } = follow();
    watch.start();
    job.moveTo("queued", clock.wallMs());
    start();
    job.answer = answerOf('{"answer":42}');
    job.attempts = [attemptRecord()];
    clock.advance(400);
    end();
    expect(of("state").map(({ status }) => status)).toEqual([
      "pending",
      "queued",
      "processing",
      "completed",
    ]);
    expect(names().slice(-2)).toEqual(["progress", "done"]);
    const [last] = of("done");
    expect(last).toMatchObject({ status: "completed", result: { answer: 42 }, decision });
    expect(of("progress")).toEqual([
      { progress: 1, elapsed_ms: 400, prompt_tokens: 10, completion_tokens: 100 },
    ]);
    expect(client.isEnded).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is told at once of a job that is over, and the stream ends", () => {
    const { clock, watch, end, names, client } = follow();
    end("failed");
    watch.start();
    expect(names()).toEqual(["state", "progress", "done"]);
    expect([client.isEnded, clock.pendingTimers]).toEqual([true, 0]);
  });

  test("is told of another worker, and not of decisions that change nothing", () => {
    const { job, watch, start, of } = follow();
    watch.start();
    start();
    job.decided(null, decision, 0);
    start();
    job.decided(serving(1), decision, 0);
    expect(of("state").map(({ worker_id }) => worker_id)).toEqual([null, "worker-0", "worker-1"]);
  });

  test("leaves nothing behind when it goes away", () => {
    const { clock, watch, start, end, told } = follow();
    watch.start();
    watch.stop();
    start();
    clock.advance(60_000);
    end();
    expect(told).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("gets a comment every 15 s", () => {
    const { clock, watch, names } = follow();
    watch.start();
    clock.advance(14_999);
    expect(names()).toEqual(["state"]);
    clock.advance(30_001);
    expect(names()).toEqual(["state", "ping", "ping", "ping"]);
  });
});

describe("its place in the queue", () => {
  test("is told when it changes, looked at once a second", () => {
    const { clock, job, watch, line, of, start } = follow();
    watch.start();
    line.place = { position: 7, startsInMs: 5000 };
    job.moveTo("queued", clock.wallMs());
    expect(of("state").at(-1)).toMatchObject({ queue_position: 7 });
    clock.advance(2000);
    expect(of("queue")).toEqual([]);
    line.place = { position: 3, startsInMs: 1000 };
    clock.advance(999);
    expect(of("queue")).toEqual([]);
    clock.advance(1001);
    expect(of("queue")).toEqual([
      {
        queue_position: 3,
        estimated_start_time: new Date(clock.wallMs()).toISOString(),
        estimated_completion_time: null,
      },
    ]);
    line.place = null;
    start();
    clock.advance(5000);
    expect(of("state").at(-1)).toMatchObject({ queue_position: 0 });
    expect(of("queue")).toHaveLength(1);
  });
});

describe("its progress", () => {
  test("is the share of the expected time, told once a second where it changes", () => {
    const { clock, watch, start, of } = follow({ expectedDurationMs: 4000 });
    watch.start();
    clock.advance(3000);
    expect(of("progress")).toEqual([]);
    start();
    clock.advance(2500);
    expect(of("progress")).toEqual([
      { ...unknown, progress: 0.25, elapsed_ms: 1000 },
      { ...unknown, progress: 0.5, elapsed_ms: 2000 },
    ]);
    clock.advance(60_000);
    expect(of("progress").at(-1)).toMatchObject({ progress: 0.99 });
    expect(of("progress")).toHaveLength(4);
  });

  test.each([
    { what: "where nobody knows how long it takes" },
    { what: "of a placement, by what others of the model took", placement: true, usualMs: 1000 },
  ])("is not guessed $what", ({ placement = false, usualMs }) => {
    const { clock, watch, start, of } = follow({
      placement,
      ...(usualMs === undefined ? {} : { usualMs }),
    });
    watch.start();
    start();
    clock.advance(10_000);
    expect(of("progress")).toEqual([]);
  });
});

const unknown = { prompt_tokens: null, completion_tokens: null };

describe("a client that reads too slowly", () => {
  test("is spared all but what it has not seen when it reads again, and the end", () => {
    const { clock, job, watch, start, end, client, names, of } = follow({
      expectedDurationMs: 90_000,
    });
    watch.start();
    client.isBackedUp = true;
    job.moveTo("queued", clock.wallMs());
    start();
    clock.advance(30_000);
    expect(names()).toEqual(["state"]);
    client.isBackedUp = false;
    clock.advance(1000);
    expect(of("state").at(-1)).toMatchObject({ status: "processing" });
    expect(names()).toEqual(["state", "state", "progress"]);
    client.isBackedUp = true;
    end();
    expect(names().slice(3)).toEqual(["state", "progress", "done"]);
  });
});

describe("a placement's address", () => {
  const shown = {
    worker_url: "http://worker-0:8000",
    gpu_ids: [],
    lease_expires_at: "2026-01-01T00:01:00.000Z",
  };

  test("is told to those who may act on it, while it is held", () => {
    const { watch, start, end, of } = follow({ placement: true });
    watch.start();
    start();
    end();
    expect(of("state").map(({ placement }) => placement)).toEqual([null, shown, null]);
    expect(of("done")[0]).toMatchObject({ placement: null });
  });

  test("is kept from others", () => {
    const { watch, start, told } = follow({ placement: true, showsPlacement: false });
    watch.start();
    start();
    expect(JSON.stringify(told)).not.toContain("http");
  });
});
