import { expect } from "vitest";
import type { TestRouter } from "./test-router.ts";

/** A job as the API shows it: what tests look at. */
export interface JobBody {
  readonly request_id: string;
  readonly status: string;
  readonly user_id: string;
  readonly worker_id: string | null;
  readonly gpu_id: string | null;
  readonly queue_position: number | null;
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly attempts: readonly { readonly worker_id: string; readonly outcome: string }[];
  readonly decision: { readonly chosen: string | null } | null;
  readonly progress: number | null;
  readonly submitted_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

type Headers = Readonly<Record<string, string>>;

export const PAYLOAD = { messages: [{ role: "user", content: "Hello" }] };

/** Submits a job with the user's key; `changes` go over an envelope that is good. */
export function submit(
  router: TestRouter,
  changes: Readonly<Record<string, unknown>> = {},
  headers: Headers = {},
): Promise<Response> {
  const envelope = { model_id: "stub-model", payload: PAYLOAD, ...changes };
  return router.post("/api/v1/route", envelope, headers);
}

/** A batch, as the API shows it. */
export interface BatchBody {
  readonly batch_id: string;
  readonly status: string;
  readonly request_ids: readonly string[];
  readonly estimated_start_time: string | null;
  readonly estimated_completion_time: string | null;
}

/** Submits a batch with the user's key; each of `items` goes over a job that is good. */
export function submitBatch(
  router: TestRouter,
  items: readonly object[],
  { headers = {}, ...changes }: { headers?: Headers; readonly [field: string]: unknown } = {},
): Promise<Response> {
  const requests = items.map((item) => ({ model_id: "stub-model", payload: PAYLOAD, ...item }));
  return router.post("/api/v1/route/batch", { requests, ...changes }, headers);
}

export async function submittedBatch(answer: Response): Promise<BatchBody> {
  expect(answer.status).toBe(200);
  return (await answer.json()) as BatchBody;
}

export async function submittedId(answer: Response): Promise<string> {
  expect(answer.status).toBe(200);
  return ((await answer.json()) as JobBody).request_id;
}

export const as = (key: string): Headers => ({ authorization: `Bearer ${key}` });

export function readJob(router: TestRouter, id: string, headers: Headers = {}): Promise<Response> {
  return router.get(`/api/v1/requests/${id}`, headers);
}

export function cancelJob(router: TestRouter, id: string, headers: Headers = {}) {
  return fetch(`${router.url}/api/v1/requests/${id}`, {
    method: "DELETE",
    headers: { ...as(router.keys.user), ...headers },
  });
}

/** The job once it is over. */
export async function overJob(router: TestRouter, id: string, headers?: Headers): Promise<JobBody> {
  const read = async (): Promise<JobBody> =>
    (await (await readJob(router, id, headers)).json()) as JobBody;
  await expect
    .poll(async () => (await read()).finished_at, { timeout: 10_000, interval: 5 })
    .not.toBeNull();
  return read();
}
