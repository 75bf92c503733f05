import { onTestFinished } from "vitest";
import { listenOnLoopback } from "../../support/stub-server.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter, TestRouterOptions } from "../../support/test-router.ts";

/** Closed when the test is over. */
export async function openRouter(options: TestRouterOptions): Promise<TestRouter> {
  const router = await startTestRouter(options);
  onTestFinished(() => router.close());
  return router;
}

/** Where something listened a moment ago, and nothing does now. */
export async function deadUrl(): Promise<string> {
  const server = await listenOnLoopback(0, () => {});
  await server.close();
  return server.url;
}
