import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { STUCK_MODEL } from "../scene.ts";
import { expectRefusal, get, hello, isTestScene, model, post, remove } from "./call.ts";

interface Job {
  readonly request_id: string;
  readonly status: string;
  readonly result?: unknown;
}

/** The payload is the chat without its model, which the envelope names. */
const { messages, max_tokens } = hello;
const envelope = { model_id: model, payload: { messages, max_tokens } };

async function jobOf(answer: Response): Promise<Job> {
  expect(answer.status).toBe(200);
  return (await answer.json()) as Job;
}

async function readJob({ request_id }: Job): Promise<Job> {
  return jobOf(await get(`/api/v1/requests/${request_id}`));
}

const PATIENT = { timeout: 100_000, interval: 50 };

test("a job is submitted, and its result fetched later", async () => {
  const job = await jobOf(await post("/api/v1/route", envelope));
  await expect.poll(async () => (await readJob(job)).status, PATIENT).toBe("completed");
  expect(await readJob(job)).toMatchObject({
    result: { choices: [{ message: { role: "assistant" } }] },
    decision: { chosen: expect.any(String) },
  });
  const list = (await (await get("/api/v1/requests")).json()) as { readonly requests: Job[] };
  expect(list.requests.map(({ request_id }) => request_id)).toContain(job.request_id);
  await expectRefusal(await remove(`/api/v1/requests/${job.request_id}`), 409, "ALREADY_FINISHED");
});

test("Prefer: wait brings the result along", async () => {
  const job = await jobOf(await post("/api/v1/route", envelope, { prefer: "wait=100" }));
  expect(job).toMatchObject({ status: "completed", result: { object: "chat.completion" } });
});

test("the same Idempotency-Key is the same job", async () => {
  const once = { "idempotency-key": randomUUID() };
  const first = await jobOf(await post("/api/v1/route", envelope, once));
  const again = await jobOf(await post("/api/v1/route", envelope, once));
  expect(again.request_id).toBe(first.request_id);
  const other = await post("/api/v1/route", { ...envelope, priority: 1 }, once);
  await expectRefusal(other, 422, "IDEMPOTENCY_MISMATCH");
});

test("a batch is submitted whole, or not at all", async () => {
  const batch = await post("/api/v1/route/batch", { requests: [envelope, envelope] });
  const { request_ids: ids } = (await batch.json()) as { readonly request_ids: readonly string[] };
  expect(new Set(ids).size).toBe(2);
  for (const request_id of ids) {
    const status = async () => (await readJob({ request_id, status: "" })).status;
    await expect.poll(status, PATIENT).toBe("completed");
  }
  const wrong = { requests: [envelope, { ...envelope, priority: 9 }] };
  await expectRefusal(await post("/api/v1/route/batch", wrong), 400, "INVALID_REQUEST");
});

test("why would it go there: every candidate is named, and nothing is sent", async () => {
  const answer = await post("/api/v1/route/explain", envelope);
  const decision = (await answer.json()) as { readonly candidates: readonly object[] };
  expect(decision).toHaveProperty("chosen");
  expect(decision.candidates.length).toBeGreaterThan(0);
});

describe.runIf(isTestScene)("a job that its worker never answers", () => {
  test("is cancelled, and is over for good", async () => {
    const stuck = { ...envelope, model_id: STUCK_MODEL };
    const job = await jobOf(await post("/api/v1/route", stuck));
    await expect.poll(async () => (await readJob(job)).status, PATIENT).toBe("processing");
    expect(await jobOf(await remove(`/api/v1/requests/${job.request_id}`))).toMatchObject({
      status: "cancelled",
    });
    expect(await readJob(job)).toMatchObject({ status: "cancelled" });
  });

  test("ends at its timeout", async () => {
    const stuck = { ...envelope, model_id: STUCK_MODEL, timeout: 200 };
    const job = await jobOf(await post("/api/v1/route", stuck, { prefer: "wait=20" }));
    expect(job).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  });
});
