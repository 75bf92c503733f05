import { describe, expect, test } from "vitest";
import { Deadlines, TICK_MS } from "../../../src/dispatch/deadlines.ts";
import { Placements } from "../../../src/dispatch/placements.ts";
import type { AttemptResult } from "../../../src/dispatch/relay.ts";
import { Abandonment } from "../../../src/dispatch/routed-request.ts";
import { classify } from "../../../src/failures/classify.ts";
import { JobAnswer } from "../../../src/requests/job-answer.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";
import { answers, COOLDOWN_MS, ends, setStage } from "./route-setup.ts";

function open({ abandonment = new Abandonment(), deadlineAtMs = 30_000 } = {}) {
  const clock = new FakeClock();
  const placements = new Placements(new Deadlines(clock));
  const request = routedRequest({ path: null, isPlacement: true, abandonment, deadlineAtMs });
  const results: AttemptResult[] = [];
  const worker = serving(0);
  const tags = { worker, attempts: 1, queueMs: 0 };
  void placements
    .attempt({ worker, request, sink: new JobAnswer(), tags })
    .then((result) => results.push(result));
  return { clock, placements, request, results };
}

describe("a placement", () => {
  test("is held until its caller completes it, and counts the tokens that are reported", async () => {
    const { clock, placements, request, results } = open();
    await clock.advanceAsync(29_000);
    expect(results).toEqual([]);
    expect(placements.complete(request, { ok: true, tokens: 12 })).toBe(true);
    await settle();
    expect(results).toMatchObject([
      {
        outcome: { kind: "released", how: "ok" },
        answer: null,
        usage: { promptTokens: null, completionTokens: 12 },
      },
    ]);
    await clock.advanceAsync(60_000);
    expect([results.length, clock.pendingTimers]).toEqual([1, 0]);
  });

  test("is completed once", async () => {
    const { placements, request, results } = open();
    const report = { ok: false, tokens: null };
    expect([placements.complete(request, report), placements.complete(request, report)]).toEqual([
      true,
      false,
    ]);
    await settle();
    expect(results.map(({ outcome }) => outcome)).toEqual([{ kind: "released", how: "failed" }]);
  });

  test("ends at its deadline, as it is when the attempt begins", async () => {
    const { clock, placements, request, results } = open({ deadlineAtMs: 12_000 });
    request.deadlineAtMs = 1000;
    await clock.advanceAsync(12_000 - 1);
    expect(results).toEqual([]);
    await clock.advanceAsync(TICK_MS);
    expect(results.map(({ outcome }) => outcome)).toEqual([{ kind: "released", how: "overdue" }]);
    expect(placements.complete(request, { ok: true, tokens: null })).toBe(false);
    await clock.advanceAsync(TICK_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([true, false])("ends when it is abandoned, also beforehand: %s", async (before) => {
    const abandonment = new Abandonment();
    if (before) abandonment.abandon("cancelled");
    const { clock, placements, request, results } = open({ abandonment });
    abandonment.abandon("cancelled");
    await settle();
    expect(results.map(({ outcome }) => outcome)).toEqual([{ kind: "abandoned" }]);
    expect(placements.complete(request, { ok: true, tokens: null })).toBe(false);
    await clock.advanceAsync(2 * TICK_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends once when completion, deadline and cancel meet in one tick", async () => {
    const { clock, placements, request, results } = open();
    clock.advance(29_999);
    expect(placements.complete(request, { ok: true, tokens: null })).toBe(true);
    request.abandonment.abandon("cancelled");
    await clock.advanceAsync(1000);
    expect(results.map(({ outcome }) => outcome)).toEqual([{ kind: "released", how: "ok" }]);
  });

  test.each(["ok", "failed", "overdue"] as const)("says nothing of its worker: %s", (how) => {
    const verdict = classify({ kind: "released", how });
    expect(verdict).toMatchObject({ class: "neutral", retry: "no" });
  });
});

test("a request that is no placement cannot be completed", () => {
  const { placements } = open();
  expect(placements.complete(routedRequest(), { ok: true, tokens: null })).toBe(false);
});

test("a placement is not the probe of a worker that comes back, as it would be for long", async () => {
  const { promise, resolve } = Promise.withResolvers<AttemptResult>();
  const stage = setStage({ workers: 1, steps: [() => promise, answers(200)] });
  const failed = { class: "connection", failure: "refused", wasProbe: false } as const;
  for (let times = 0; times < 3; times++) stage.cooldowns.ended(0, failed);
  expect(stage.cooldowns.blocks(0)).toBe(true);
  stage.clock.advance(COOLDOWN_MS);
  const late = { acceptedAtMs: COOLDOWN_MS, deadlineAtMs: COOLDOWN_MS + 30_000 };
  const held = stage.send({ ...late, path: null, isPlacement: true });
  await settle();
  expect([stage.tried, stage.cooldowns.blocks(0)]).toEqual([[0], false]);
  await stage.send(late);
  expect(stage.told).toEqual(["200 after 1"]);
  resolve(ends({ kind: "released", how: "ok" }));
  expect(await held).toMatchObject({ status: 200, error: null });
});

test.each([
  { how: "failed", told: "502 WORKER_FAILED after 1" },
  { how: "overdue", told: "504 DEADLINE_EXCEEDED after 1" },
] as const)("a placement that is $how is told so, and not tried elsewhere", async (end) => {
  const { send, told, tried } = setStage({ steps: [ends({ kind: "released", how: end.how })] });
  await send({ path: null, isPlacement: true });
  expect([told, tried.length]).toEqual([[end.told], 1]);
});
