import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf, IdempotencyKeys, type Submission } from "../../../src/requests/idempotency.ts";
import type { Job } from "../../../src/requests/job.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { jobOf } from "./job-setup.ts";

const DAY_MS = 86_400_000;

function createKeys(options: { readonly maxJobs?: number; readonly maxJobsOfUser?: number } = {}) {
  const clock = new FakeClock();
  const dropped = new Set<Job>();
  const runs: Job[] = [];
  const isKept = (job: Job): boolean => !dropped.has(job);
  const keys = new IdempotencyKeys({ clock, isKept, ...options });

  /** Submits so many jobs under the key; true = it was a repetition. */
  const submit = (key: string, changes: { user?: string; digest?: string; jobs?: number } = {}) => {
    const { user = "alice", digest = "body", jobs: count = 1 } = changes;
    return keys.once({ user, key, digest }, (): Submission => {
      const jobs = Array.from({ length: count }, (_, index) => jobOf({ id: `${key}-${index}` }));
      runs.push(...jobs);
      return { id: key, requestIds: jobs.map(({ id }) => id), jobs };
    });
  };
  return { clock, dropped, runs, keys, submit };
}

describe("a key", () => {
  test("runs its submission once, and repeats what that made", () => {
    const { submit, runs } = createKeys();
    const first = submit("k", { jobs: 2 });
    const again = submit("k", { jobs: 2 });
    expect([first.isReplay, again.isReplay]).toEqual([false, true]);
    expect(again).toEqual({ ...first, isReplay: true });
    expect(runs).toHaveLength(2);
  });

  test("refuses another body, and stands for the first one all the same", () => {
    const { submit, runs } = createKeys();
    submit("k");
    expect(() => submit("k", { digest: "other" })).toThrow(
      expect.objectContaining({ code: "IDEMPOTENCY_MISMATCH", param: "idempotency-key" }),
    );
    expect(submit("k").isReplay).toBe(true);
    expect(runs).toHaveLength(1);
  });

  test("is its user's own", () => {
    const { submit } = createKeys();
    submit("k", { user: "alice" });
    expect(submit("k", { user: "bob", digest: "other" }).isReplay).toBe(false);
    expect(submit("other").isReplay).toBe(false);
  });

  test("lives for 24 hours from its first use", () => {
    const { submit, clock, keys } = createKeys();
    submit("k");
    clock.advance(DAY_MS - 1);
    expect(submit("k").isReplay).toBe(true);
    clock.advance(1);
    expect(submit("k", { digest: "other" }).isReplay).toBe(false);
    expect(keys.size).toBe(1);
  });

  test("is forgotten with its job", () => {
    const { submit, dropped, runs, keys } = createKeys();
    const { jobs } = submit("k");
    dropped.add(jobs[0]!);
    expect(submit("k", { digest: "other" }).isReplay).toBe(false);
    expect(runs).toHaveLength(2);
    expect(keys.size).toBe(1);
    expect(submit("k", { digest: "other" }).isReplay).toBe(true);
  });

  test("of a batch lives as long as one of its jobs, and names them all", () => {
    const { submit, dropped, runs } = createKeys();
    const { jobs, requestIds } = submit("k", { jobs: 3 });
    dropped.add(jobs[0]!).add(jobs[2]!);
    expect(submit("k")).toEqual({ id: "k", requestIds, jobs: [runs[1]], isReplay: true });
    dropped.add(jobs[1]!);
    expect(submit("k").isReplay).toBe(false);
  });

  test("of a submission that is refused is not kept", () => {
    const { keys, submit } = createKeys();
    const refusal = new Error("no");
    const refused = (): unknown =>
      keys.once({ user: "alice", key: "k", digest: "body" }, () => {
        throw refusal;
      });
    expect(refused).toThrow(refusal);
    expect(keys.size).toBe(0);
    expect(submit("k", { digest: "other" }).isReplay).toBe(false);
  });
});

describe("a digest", () => {
  test("is the same for the same route and body, and no other", () => {
    const digest = digestOf("/a", "{}");
    expect(digestOf("/a", "{}")).toBe(digest);
    expect(new Set([digest, digestOf("/b", "{}"), digestOf("/a", "{ }")]).size).toBe(3);
    expect(digest.length).toBeLessThan(64);
  });
});

describe("when there are too many keys", () => {
  test("the oldest go first", () => {
    const { submit, keys } = createKeys({ maxJobs: 3 });
    const ofBob = { user: "bob" };
    submit("1", ofBob);
    submit("2");
    submit("3", ofBob);
    submit("4");
    expect(keys.size).toBe(3);
    const replayed = [submit("2"), submit("3", ofBob), submit("4")];
    expect(replayed.map(({ isReplay }) => isReplay)).toEqual([true, true, true]);
    expect(submit("1", ofBob).isReplay).toBe(false);
  });

  test("a user with more than its share loses its own oldest, and nobody else's", () => {
    const { submit, keys } = createKeys({ maxJobs: 10, maxJobsOfUser: 3 });
    submit("hers", { user: "alice" });
    for (const key of ["1", "2", "3", "4", "5"]) submit(key, { user: "bob" });
    expect(keys.size).toBe(4);
    expect(submit("hers", { user: "alice" }).isReplay).toBe(true);
    expect(submit("3", { user: "bob" }).isReplay).toBe(true);
    expect(submit("2", { user: "bob" }).isReplay).toBe(false);
  });

  test("a batch counts for each of its jobs", () => {
    const { submit, keys } = createKeys({ maxJobsOfUser: 5 });
    submit("a", { jobs: 3 });
    submit("b", { jobs: 3 });
    expect(submit("b", { jobs: 3 }).isReplay).toBe(true);
    expect(keys.size).toBe(1);
  });
});

interface Kept {
  readonly user: string;
  readonly key: string;
  readonly digest: string;
  readonly atMs: number;
  readonly jobs: readonly Job[];
}

/** What keys are, said plainly: at most 9 jobs, 4 of one user. */
class PlainKeys {
  #kept: readonly Kept[] = [];
  readonly #dropped: ReadonlySet<Job>;

  constructor(dropped: ReadonlySet<Job>) {
    this.#dropped = dropped;
  }

  find(user: string, key: string, nowMs: number): Kept | undefined {
    this.#kept = this.#kept.filter(({ atMs }) => nowMs - atMs < DAY_MS);
    const found = this.#kept.find((one) => one.user === user && one.key === key);
    return found?.jobs.some((job) => !this.#dropped.has(job)) ? found : undefined;
  }

  keep(one: Kept): void {
    const others = this.#kept.filter(({ user, key }) => user !== one.user || key !== one.key);
    this.#kept = [...others, one];
    while (this.#count((other) => other.user === one.user) > 4) {
      const first = this.#kept.find((other) => other.user === one.user);
      this.#kept = this.#kept.filter((other) => other !== first);
    }
    while (this.#count(() => true) > 9) this.#kept = this.#kept.slice(1);
  }

  #count(isMeant: (one: Kept) => boolean): number {
    return this.#kept.filter(isMeant).reduce((sum, { jobs }) => sum + jobs.length, 0);
  }
}

test("keys do as a plain list of submissions would, in any order of events", () => {
  const step = fc.record({
    waitMs: fc.constantFrom(0, 1, DAY_MS / 3, DAY_MS),
    user: fc.constantFrom("alice", "bob", "carol"),
    key: fc.constantFrom("k1", "k2", "k3", "k4"),
    digest: fc.constantFrom("x", "y"),
    jobs: fc.integer({ min: 1, max: 3 }),
    dropsAJob: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { clock, dropped, submit } = createKeys({ maxJobs: 9, maxJobsOfUser: 4 });
      const plain = new PlainKeys(dropped);
      for (const { waitMs, dropsAJob, key, ...changes } of steps) {
        clock.advance(waitMs);
        const { user, digest } = changes;
        const known = plain.find(user, key, clock.now());
        if (known && known.digest !== digest) {
          expect(() => submit(key, changes)).toThrow(/Idempotency-Key/);
          continue;
        }
        const { isReplay, jobs } = submit(key, changes);
        expect(isReplay).toBe(known !== undefined);
        if (known) expect(jobs).toEqual(known.jobs.filter((job) => !dropped.has(job)));
        else plain.keep({ user, key, digest, atMs: clock.now(), jobs });
        if (dropsAJob) dropped.add(jobs[0]!);
      }
    }),
  );
});
