import { expect } from "vitest";
import { countLines, LogBacklog } from "../../../src/observability/log-backlog.ts";
import { LogSender, type PostResult } from "../../../src/observability/log-sender.ts";
import { LogSinkState } from "../../../src/observability/log-sink-state.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

export const KIB = 1024;
export const TAKEN: PostResult = { kind: "taken" };
export const REFUSED: PostResult = { kind: "refused", problem: "answered 400" };
export const TOO_LARGE: PostResult = { kind: "too large" };

export function failed(retryAfterMs: number | null = null): PostResult {
  return { kind: "failed", problem: "answered 503", retryAfterMs };
}

/** A line of 1 KiB for each number. */
export function lines(from: number, to: number): string {
  const one = (n: number): string => `${String(n).padEnd(KIB - 1, ".")}\n`;
  return Array.from({ length: to - from }, (_, index) => one(from + index)).join("");
}

/** A sender whose posts are answered by the test. */
export interface Scene {
  readonly sender: LogSender;
  readonly clock: FakeClock;
  readonly messages: () => readonly string[];
  /** Of the posts so far: when, and the first number and count of its lines. */
  readonly posts: { readonly atMs: number; readonly first: number; readonly count: number }[];
  /** Answers the post under way. */
  readonly answer: (result: PostResult) => Promise<void>;
}

export function openScene({ capacity = 1024 * KIB, random = 1 } = {}): Scene {
  const clock = new FakeClock();
  const kept = keepingLog();
  const posts: Scene["posts"] = [];
  let answerNow: ((result: PostResult) => void) | null = null;
  const sender = new LogSender({
    clock,
    backlog: new LogBacklog(capacity),
    state: new LogSinkState(clock, kept.log, "http://log"),
    onClose() {},
    random: () => random,
    post(batch) {
      expect(answerNow, "two batches at once").toBe(null);
      const first = Number.parseInt(batch.toString("latin1", 0, 20), 10);
      posts.push({ atMs: clock.now(), first, count: countLines(batch) });
      return new Promise((resolve) => (answerNow = resolve));
    },
  });
  return {
    ...{ sender, clock, posts },
    messages: () => kept.lines.map(({ message }) => message),
    answer(result) {
      const answer = answerNow;
      answerNow = null;
      answer?.(result);
      return settle();
    },
  };
}
