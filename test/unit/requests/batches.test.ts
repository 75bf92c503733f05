import { describe, expect, test } from "vitest";
import type { Reservation } from "../../../src/admission/quotas.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import { RouterError } from "../../../src/errors.ts";
import { onBatchEnd, submitBatch, type BatchDeps } from "../../../src/requests/batches.ts";
import { settle } from "../../support/fake-clock.ts";
import { routedRequest } from "../../support/request-builders.ts";
import { serving } from "../../support/routing-builders.ts";
import { answerOf, createJobs, decision, jobOf, noWishes } from "./job-setup.ts";

const aBatch = (...ids: readonly string[]): RoutedRequest[] =>
  ids.map((id) => routedRequest({ id, body: Buffer.alloc(10) }));

function createBatches(
  changes: Partial<BatchDeps> = {},
  atOnce?: Parameters<typeof createJobs>[0],
) {
  const made = createJobs(atOnce);
  const asked: unknown[] = [];
  const deps: BatchDeps = {
    ...made,
    permanentRefusal: () => null,
    checkRoom: (...room) => void asked.push(room),
    reserve: (_user, requests) => reservations.slice(0, requests),
    ...changes,
  };
  const submit = (requests: readonly RoutedRequest[]) =>
    submitBatch(
      deps,
      requests.map((request) => ({ request, expectedDurationMs: 70 })),
    );
  return { ...made, asked, submit };
}

const reservations: readonly Reservation[] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(
  () => ({ end: () => undefined }),
);

describe("a batch", () => {
  test("starts each of its jobs with a reservation of its own", async () => {
    const { submit, routes, asked, store } = createBatches();
    const jobs = submit(aBatch("a", "b", "c"));
    expect(jobs.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(jobs.every((job) => job.expectedDurationMs === 70)).toBe(true);
    expect(store.size).toBe(3);
    expect(asked).toEqual([["alice", 3, 30]]);
    routes.forEach(({ request }, index) => {
      expect(request.reservation).toBe(reservations[index]);
    });
    for (const job of jobs) job.decided(serving(0), decision, 0);
    for (const { sink, end } of routes) {
      sink.whole(answerOf("{}"), { worker: serving(0), attempts: 1, queueMs: 0 });
      end();
    }
    await settle();
    expect(jobs.map(({ state }) => state)).toEqual(["completed", "completed", "completed"]);
  });

  test("asks for the quota of all of its requests at once", () => {
    const asked: unknown[] = [];
    const reserve: BatchDeps["reserve"] = (...what) => {
      asked.push(what);
      return reservations.slice(0, 2);
    };
    createBatches({ reserve }).submit(aBatch("a", "b"));
    expect(asked).toEqual([["alice", 2]]);
  });

  test("goes on where one of its jobs is refused when it starts: that one has failed", async () => {
    const error = new RouterError("NO_GPU_AVAILABLE", "no worker is up");
    let count = 0;
    const { submit, routes } = createBatches({}, (sink) => {
      count += 1;
      if (count === 2) sink.refuse(error, null);
    });
    const jobs = submit(aBatch("a", "b", "c"));
    routes[1]!.end({ status: 503, error, attempts: [] });
    await settle();
    expect(jobs.map(({ state }) => state)).toEqual(["pending", "failed", "pending"]);
    expect(jobs[1]).toMatchObject({ error });
  });
});

describe("nothing of a batch starts, and nothing is reserved,", () => {
  const reserved: unknown[] = [];
  const reserve: BatchDeps["reserve"] = (_user, requests) => {
    reserved.push(requests);
    return reservations.slice(0, requests);
  };

  test("where a worker could never take one of its requests, which the error names", () => {
    const refusal = new RouterError("NO_GPU_FITS", "too large", { param: "model" });
    const { submit, routes, store } = createBatches({
      reserve,
      permanentRefusal: ({ memoryBytes }) => (memoryBytes === 9 ? refusal : null),
    });
    const requests = [...aBatch("a", "b"), routedRequest({ id: "c", memoryBytes: 9 })];
    expect(() => submit(requests)).toThrow(
      expect.objectContaining({
        code: "NO_GPU_FITS",
        message: "requests[2]: too large",
        param: "requests[2].model",
      }),
    );
    expect([routes.length, store.size, reserved.length]).toEqual([0, 0, 0]);
  });

  test("where an id is taken", () => {
    const { submit, jobs, routes } = createBatches({ reserve });
    jobs.submit(routedRequest({ id: "b" }), noWishes);
    expect(() => submit(aBatch("a", "b"))).toThrow(
      expect.objectContaining({ code: "REQUEST_ID_TAKEN", param: "requests[1].request_id" }),
    );
    expect([routes.length, reserved.length]).toEqual([1, 0]);
  });

  test("where two of its ids are the same", () => {
    const { submit, routes } = createBatches({ reserve });
    expect(() => submit(aBatch("a", "b", "a"))).toThrow(
      expect.objectContaining({ code: "REQUEST_ID_TAKEN", param: "requests[2].request_id" }),
    );
    expect([routes.length, reserved.length]).toEqual([0, 0]);
  });

  test("where the queue has no room for all of it", () => {
    const full = new RouterError("QUEUE_FULL", "the queue is full");
    const checkRoom = (): never => {
      throw full;
    };
    const { submit, routes } = createBatches({ reserve, checkRoom });
    expect(() => submit(aBatch("a", "b"))).toThrow(full);
    expect([routes.length, reserved.length]).toEqual([0, 0]);
  });

  test("where its user's quota is too small for all of it", () => {
    const exceeded = new RouterError("QUOTA_EXCEEDED", "used up");
    const { submit, routes, store } = createBatches({
      reserve: () => {
        throw exceeded;
      },
    });
    expect(() => submit(aBatch("a", "b"))).toThrow(exceeded);
    expect([routes.length, store.size]).toEqual([0, 0]);
  });
});

test("requests that are alike are asked about once", () => {
  const asked: string[] = [];
  const permanentRefusal = ({ id }: RoutedRequest): null => {
    asked.push(id);
    return null;
  };
  const { submit } = createBatches({ permanentRefusal });
  submit([
    ...aBatch("a", "b", "c"),
    ...["d", "e"].map((id) => routedRequest({ id, model: "other" })),
    routedRequest({ id: "f", memoryBytes: 5 }),
    routedRequest({ id: "g", computeUnits: 2 }),
    routedRequest({ id: "h", path: "/v1/embeddings" }),
    routedRequest({ id: "i", type: "training" }),
  ]);
  expect(asked).toEqual(["a", "d", "f", "g", "h", "i"]);
});

describe("the end of a batch", () => {
  test("is told once, when its last job is over, with how each ended", () => {
    const jobs = ["a", "b", "c", "d"].map((id) => jobOf({ id }));
    const told: unknown[] = [];
    jobs[3]!.moveTo("cancelled", 5);
    onBatchEnd(jobs, (end) => told.push(end));
    jobs[2]!.moveTo("failed", 10);
    jobs[0]!.moveTo("failed", 20);
    expect(told).toEqual([]);
    jobs[1]!.moveTo("processing", 25);
    jobs[1]!.moveTo("completed", 30);
    const counts = { completed: 1, failed: 2, cancelled: 1 };
    expect(told).toEqual([{ counts, finishedAtWallMs: 30 }]);
  });
});
