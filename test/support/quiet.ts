import { expect } from "vitest";

/** By design it is 100 ms; a machine that does other things besides must not fail a test. */
const HEALTH_MS_MAX = 1000;

/** Nobody awaited these. One process runs one test file, so none is another file's. */
const unhandled: unknown[] = [];
for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error: unknown) => void unhandled.push(error));
}

/** Since it was last asked, no promise was forgotten and nothing was thrown past everybody. */
export function expectNothingUnhandled(): void {
  expect(unhandled.splice(0)).toEqual([]);
}

/** 503 is an answer, too: after a fault nobody may be able to serve. */
export async function expectHealthAnswers(routerUrl: string): Promise<void> {
  const sentAtMs = performance.now();
  const answer = await fetch(`${routerUrl}/health`, { headers: { connection: "close" } });
  expect(await answer.json()).toHaveProperty("status");
  expect([200, 503]).toContain(answer.status);
  expect(performance.now() - sentAtMs).toBeLessThan(HEALTH_MS_MAX);
}
