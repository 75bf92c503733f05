import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AnswerSink } from "../../../src/dispatch/answer.ts";
import { Attempts } from "../../../src/dispatch/attempt.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import type { AttemptResult } from "../../../src/dispatch/relay.ts";
import { SignsOfLife } from "../../../src/failures/signs-of-life.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { workerAt } from "../../support/fleet-builders.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { hangBeforeHeaders, steppedStream } from "../../support/stub-behaviours.ts";
import { startStubWorker, type StubWorker } from "../../support/stub-worker.ts";

/** The connections to a worker that is there no more. */

/** Idle connections to a worker that stays are kept for 4 s. */
const BEFORE_IDLE_END = { timeout: 2_000, interval: 5 };

const sink: AnswerSink = {
  begin: () => undefined,
  write: () => true,
  onDrain: () => undefined,
  end: () => undefined,
  cut: () => undefined,
  whole: () => undefined,
  refuse: () => undefined,
  fail: ({ status }) => status,
};

let deadlines: Deadlines;
let attempts: Attempts;
let stub: StubWorker;

beforeEach(async () => {
  const clock = new FakeClock();
  deadlines = new Deadlines(clock);
  const settings = () => ({ streamIdleMs: 30_000, maxAnswerBytes: 1_000_000 });
  attempts = new Attempts({ clock, deadlines, signsOfLife: new SignsOfLife(), settings });
  stub = await startStubWorker();
});

afterEach(async () => {
  deadlines.close();
  await attempts.close();
  await stub.close();
});

function attempt(stream: boolean): Promise<AttemptResult> {
  const worker = workerAt(0, { url: stub.url });
  const request = routedRequest({ stream, deadlineAtMs: 3_600_000 });
  return attempts.attempt({ worker, request, sink, tags: { worker, attempts: 1, queueMs: 0 } });
}

test("are closed at once if they are idle", async () => {
  await attempt(false);
  expect(stub.openConnections).toBe(1);
  attempts.keepOnly([{ url: stub.url }]);
  // Only then is it free for the next attempt.
  await setImmediate();
  await attempt(false);
  expect(stub.openConnections).toBe(1);
  attempts.keepOnly([]);
  await expect.poll(() => stub.openConnections, BEFORE_IDLE_END).toBe(0);
});

test("are closed after the last attempt, and whoever comes back gets new ones", async () => {
  stub.next(steppedStream(1));
  const streaming = attempt(true);
  await stub.seen(1);
  attempts.keepOnly([]);
  expect((await attempt(false)).outcome.kind).toBe("answered");
  expect(stub.openConnections).toBe(2);
  stub.stream.step();
  stub.stream.step();
  expect((await streaming).outcome).toMatchObject({ kind: "answered" });
  await expect.poll(() => stub.openConnections, BEFORE_IDLE_END).toBe(1);
});

test("are closed with the router, whatever still runs on them", async () => {
  stub.next(hangBeforeHeaders);
  const running = attempt(false);
  await stub.seen(1);
  attempts.keepOnly([]);
  await attempts.close();
  expect((await running).outcome.kind).not.toBe("answered");
  await expect.poll(() => stub.openConnections, BEFORE_IDLE_END).toBe(0);
});
