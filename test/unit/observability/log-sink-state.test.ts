import { beforeEach, expect, test } from "vitest";
import { LogSinkState } from "../../../src/observability/log-sink-state.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

const URL = "http://log:9000";

let clock: FakeClock;
let kept: ReturnType<typeof keepingLog>;
let state: LogSinkState;

beforeEach(() => {
  clock = new FakeClock();
  kept = keepingLog();
  state = new LogSinkState(clock, kept.log, URL);
});

test("it is told once that the service fails, and once that it works again, with what was lost", () => {
  state.works(0);
  state.fails("connection refused", 3);
  state.fails("no answer", 5);
  expect(kept.lines).toMatchObject([
    { fields: { url: URL, problem: "connection refused" }, message: "logging service failing" },
  ]);
  state.works(10);
  state.works(10);
  expect(kept.lines.slice(1)).toMatchObject([
    { fields: { url: URL, linesLost: 7 }, message: "logging service works again" },
  ]);
});

test("a service that comes and goes is news once a minute", () => {
  for (let second = 0; second < 119; second++) {
    state.fails("connection refused", 0);
    state.works(0);
    clock.advance(1000);
  }
  expect(kept.lines.map(({ message }) => message)).toEqual([
    "logging service failing",
    "logging service works again",
    "logging service failing",
    "logging service works again",
  ]);
});

test("an outage that begins within that minute and lasts is told once the minute is over", () => {
  state.fails("connection refused", 0);
  clock.advance(30_000);
  state.works(2);
  clock.advance(10_000);
  state.fails("no answer", 2);
  clock.advance(19_999);
  state.fails("no answer", 5);
  expect(kept.lines).toHaveLength(2);
  clock.advance(1);
  state.fails("answered 503", 6);
  clock.advance(24 * 3_600_000);
  state.fails("answered 503", 90);
  state.works(100);
  expect(kept.lines.slice(2)).toMatchObject([
    { fields: { problem: "answered 503" }, message: "logging service failing" },
    { fields: { linesLost: 98 }, message: "logging service works again" },
  ]);
});
