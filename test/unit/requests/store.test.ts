import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import type { Job } from "../../../src/requests/job.ts";
import type { JobStore } from "../../../src/requests/store.ts";
import { createStore, jobOf } from "./job-setup.ts";

/** All jobs, the oldest first. */
const allOf = (store: JobStore): Job[] => {
  const query = { user: null, states: new Set<never>(), before: Infinity, limit: Infinity };
  return store.page(query).jobs.toReversed();
};
const idsOf = (store: JobStore): string[] => allOf(store).map(({ id }) => id);

/** A job whose body is a kilobyte. */
const sized = (id: string): Job => jobOf({ id, body: Buffer.alloc(1000) });
const SIZE = sized("any").bytes;

describe("a request_id", () => {
  test("is used once by its user", () => {
    const { store } = createStore();
    store.add(jobOf({ id: "a" }));
    const again = (): void => store.add(jobOf({ id: "a" }));
    expect(again).toThrow(RouterError);
    expect(again).toThrow(
      expect.objectContaining({ code: "REQUEST_ID_TAKEN", param: "request_id" }),
    );
    expect(store.size).toBe(1);
  });

  test("is its user's own", () => {
    const { store } = createStore();
    const [hers, his] = [jobOf({ id: "a", user: "alice" }), jobOf({ id: "a", user: "bob" })];
    store.add(hers);
    store.add(his);
    expect(store.find("alice", "a")).toBe(hers);
    expect(store.find("bob", "a")).toBe(his);
    expect(store.find("carol", "a")).toBeNull();
    expect(store.find("alice", "b")).toBeNull();
  });

  test("finds every job that has it, for those who may read everybody's", () => {
    const { store } = createStore();
    const [hers, his] = [jobOf({ id: "a", user: "alice" }), jobOf({ id: "a", user: "bob" })];
    store.add(hers);
    store.add(his);
    expect(store.findOfAnyone("a")).toEqual([hers, his]);
    expect(store.findOfAnyone("b")).toEqual([]);
    store.remove(hers);
    expect(store.findOfAnyone("a")).toEqual([his]);
    store.remove(his);
    expect(store.findOfAnyone("a")).toEqual([]);
  });

  test("is free again once its job is removed", () => {
    const { store } = createStore();
    const job = jobOf({ id: "a" });
    store.add(job);
    store.remove(job);
    expect(store.find("alice", "a")).toBeNull();
    store.add(jobOf({ id: "a" }));
    expect(store.size).toBe(1);
  });
});

describe("a job that is over", () => {
  test("can be asked for until its time is over", () => {
    const { clock, store } = createStore({ ttlMs: 60_000 });
    const job = jobOf({ id: "a" });
    store.add(job);
    clock.advance(10_000);
    job.moveTo("cancelled", clock.wallMs());
    clock.advance(59_999);
    expect(store.find("alice", "a")).toBe(job);
    clock.advance(1);
    expect(store.find("alice", "a")).toBeNull();
    expect(store.findOfAnyone("a")).toEqual([]);
    expect(store.size).toBe(0);
  });

  test("makes its request_id free when its time is over", () => {
    const { clock, store } = createStore({ ttlMs: 1000 });
    const job = jobOf({ id: "a" });
    store.add(job);
    job.moveTo("failed", clock.wallMs());
    clock.advance(1000);
    store.add(jobOf({ id: "a" }));
    expect(store.size).toBe(1);
  });

  test("gives way, the oldest first, when there are too many bytes", () => {
    const { clock, store } = createStore({ maxBytes: 2.5 * SIZE });
    const jobs = ["a", "b", "c"].map(sized);
    for (const job of jobs) store.add(job);
    for (const at of [1, 0, 2]) jobs[at]!.moveTo("cancelled", clock.wallMs());
    expect(idsOf(store)).toEqual(["a", "c"]);
  });

  test("is removed with its bytes", () => {
    const { clock, store } = createStore({ maxBytes: 2 * SIZE });
    for (const id of ["a", "b", "c", "d"]) {
      const job = sized(id);
      store.add(job);
      job.moveTo("cancelled", clock.wallMs());
      if (id === "b") store.remove(job);
      store.remove(jobOf({ id: "stranger" }));
    }
    expect(idsOf(store)).toEqual(["c", "d"]);
  });
});

test("a running job is never dropped, however old or large", () => {
  const { clock, store } = createStore({ ttlMs: 1000, maxBytes: SIZE });
  const running = jobOf({ id: "running", body: Buffer.alloc(10 * SIZE) });
  store.add(running);
  clock.advance(1_000_000);
  for (const id of ["a", "b"]) {
    const job = sized(id);
    store.add(job);
    job.moveTo("failed", clock.wallMs());
  }
  expect(idsOf(store)).toEqual(["running", "b"]);
});

test("what is kept never exceeds its bytes, in whatever order jobs come, end and expire", () => {
  const step = fc.record({ waitMs: fc.nat(3000), bytes: fc.nat(20_000), ends: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, store } = createStore({ ttlMs: 10_000, maxBytes: 60_000 });
      const running = new Set<Job>();
      steps.forEach(({ waitMs, bytes, ends }, at) => {
        clock.advance(waitMs);
        const job = jobOf({ id: `${at}`, body: Buffer.alloc(bytes) });
        store.add(job);
        running.add(job);
        const [oldest] = running;
        if (ends && oldest) {
          oldest.moveTo("cancelled", clock.wallMs());
          running.delete(oldest);
        }
        const kept = allOf(store);
        const over = kept.filter(({ isOver }) => isOver);
        expect(over.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(60_000);
        expect(kept.filter(({ isOver }) => !isOver)).toEqual([...running]);
      });
    }),
  );
});
