import { expect } from "vitest";
import { SOON, type TestRouter } from "../../support/test-router.ts";

/** Requests that wait for a slot. */
export async function waitingCount(router: TestRouter): Promise<number> {
  const metrics = await router.get("/api/v1/metrics", { accept: "application/json" });
  return ((await metrics.json()) as { queued_requests: number }).queued_requests;
}

/** Resolves once exactly so many wait. */
export async function untilWaiting(router: TestRouter, count: number): Promise<void> {
  await expect.poll(() => waitingCount(router), SOON).toBe(count);
}

/** What the user has left of request_limit. */
export async function requestsLeft(router: TestRouter): Promise<number> {
  const quota = await router.get("/api/v1/quotas/user");
  return ((await quota.json()) as { requests: { remaining: number } }).requests.remaining;
}
