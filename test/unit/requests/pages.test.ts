import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobState } from "../../../src/requests/request.ts";
import type { JobQuery, JobStore } from "../../../src/requests/store.ts";
import { createStore, jobOf } from "./job-setup.ts";

const all: JobQuery = { user: null, states: new Set(), before: Infinity, limit: 50 };

function page(store: JobStore, changes: Partial<JobQuery> = {}) {
  const { jobs, next } = store.page({ ...all, ...changes });
  return { ids: jobs.map(({ id }) => id), next };
}

/** Jobs a, b, c, … in this order; upper case ones are bob's, the others alice's. */
function stored(ids: string, options = {}) {
  const { clock, store } = createStore(options);
  const jobs = [...ids].map((id) => {
    const job = jobOf({ id, user: id === id.toUpperCase() ? "bob" : "alice" });
    store.add(job);
    return job;
  });
  return { clock, store, jobs };
}

describe("a page of jobs", () => {
  test("has the newest first, and tells where the next begins", () => {
    const { store } = stored("abcde");
    const first = page(store, { limit: 2 });
    expect(first.ids).toEqual(["e", "d"]);
    const second = page(store, { limit: 2, before: first.next! });
    expect(second.ids).toEqual(["c", "b"]);
    expect(page(store, { limit: 2, before: second.next! })).toEqual({ ids: ["a"], next: null });
  });

  test("is the last one where it has all that is left, also when it is full", () => {
    const { store } = stored("ab");
    expect(page(store, { limit: 2 })).toEqual({ ids: ["b", "a"], next: null });
    expect(page(createStore().store)).toEqual({ ids: [], next: null });
  });

  test("is of one user, or of everyone", () => {
    const { store } = stored("aBcD");
    expect(page(store, { user: "alice" }).ids).toEqual(["c", "a"]);
    expect(page(store, { user: "bob" }).ids).toEqual(["D", "B"]);
    expect(page(store, { user: "carol" }).ids).toEqual([]);
    expect(page(store).ids).toEqual(["D", "c", "B", "a"]);
  });

  test("has jobs in the states that are asked for, and is filled up with them", () => {
    const { clock, store, jobs } = stored("abcdef");
    for (const at of [0, 2, 3]) jobs[at]!.moveTo("cancelled", clock.wallMs());
    jobs[5]!.moveTo("queued", clock.wallMs());
    const of = (...states: JobState[]) => ({ states: new Set(states) });
    expect(page(store, { ...of("cancelled"), limit: 2 })).toEqual({ ids: ["d", "c"], next: 3 });
    expect(page(store, of("pending", "queued")).ids).toEqual(["f", "e", "b"]);
    expect(page(store, of("completed")).ids).toEqual([]);
  });

  test("has none that expired or gave way", () => {
    const { clock, store, jobs } = stored("abc", { ttlMs: 1000 });
    jobs[1]!.moveTo("failed", clock.wallMs());
    store.remove(jobs[2]!);
    expect(page(store).ids).toEqual(["b", "a"]);
    clock.advance(1000);
    expect(page(store).ids).toEqual(["a"]);
    expect(page(store, { user: "alice" }).ids).toEqual(["a"]);
  });

  test("costs no look at the jobs of others", () => {
    const { clock, store } = createStore();
    for (let at = 0; at < 5000; at++) store.add(jobOf({ id: `${at}`, user: "bob" }));
    let looks = 0;
    for (const id of ["a", "b"]) {
      const job = jobOf({ id });
      const look = (): JobState => {
        looks += 1;
        return "pending";
      };
      Object.defineProperty(job, "state", { get: look });
      store.add(job);
    }
    clock.advance(1);
    expect(page(store, { user: "alice", states: new Set(["pending"]) }).ids).toEqual(["b", "a"]);
    expect(looks).toBe(2);
  });
});

test("pages show no job twice and leave none out that is there all the while", () => {
  const step = fc.record({ adds: fc.nat(3), removes: fc.array(fc.nat(), { maxLength: 3 }) });
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 30 }),
      (count, limit, steps) => {
        const { store } = createStore();
        let made = 0;
        const kept = new Map<string, ReturnType<typeof jobOf>>();
        const add = (): void => {
          const job = jobOf({ id: `${made++}` });
          store.add(job);
          kept.set(job.id, job);
        };
        for (let at = 0; at < count; at++) add();
        const throughout = new Set(kept.keys());
        const seen: string[] = [];
        let before: number | null = Infinity;
        for (let at = 0; before !== null; at++) {
          const { ids, next } = page(store, { user: "alice", before, limit });
          seen.push(...ids);
          before = next;
          const { adds = 0, removes = [] } = steps[at] ?? {};
          for (let more = 0; more < adds; more++) add();
          for (const pick of removes) {
            const gone = [...kept.keys()][pick % Math.max(1, kept.size)];
            if (gone === undefined) continue;
            store.remove(kept.get(gone)!);
            kept.delete(gone);
            throughout.delete(gone);
          }
        }
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toEqual(expect.arrayContaining([...throughout]));
        expect(seen).toEqual(seen.toSorted((a, b) => Number(b) - Number(a)));
      },
    ),
  );
});
