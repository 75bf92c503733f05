import { onTestFinished } from "vitest";
import { startFaultProxy } from "./fault-proxy.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import type { Behaviour } from "./stub-behaviours.ts";
import { startStubWorker } from "./stub-worker.ts";
import type { StubWorker } from "./stub-worker.ts";
import { assertQuiet, startTestRouter } from "./test-router.ts";
import type { TestRouter, TestRouterOptions } from "./test-router.ts";

export interface SceneOptions extends Omit<TestRouterOptions, "workers"> {
  /** How many stub workers; 1 if left out. */
  readonly workers?: number;
  /** Settings that all of them share. */
  readonly worker?: Record<string, unknown>;
  /** Behind the stubs' addresses. */
  readonly basePath?: string;
  /** What all of them do: together, where it is `inTurn()`. */
  readonly behaviour?: Behaviour;
  /** The router reaches each of them through a bad network. */
  readonly behindProxies?: boolean;
}

export interface Scene {
  readonly router: TestRouter;
  /** worker-1, worker-2, … */
  readonly stubs: readonly StubWorker[];
  /** The first of them. */
  readonly stub: StubWorker;
  /** Before worker-1, worker-2, …; none unless asked for. */
  readonly proxies: readonly FaultProxy[];
}

/** A router before stub workers, for one test. When it ends, nothing may be left under way. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const { workers = 1, worker = {}, basePath = "", behaviour, behindProxies, ...rest } = options;
  const stubOptions = behaviour ? { behaviour } : {};
  const stubs = await Promise.all(
    Array.from({ length: workers }, () => startStubWorker(stubOptions)),
  );
  const proxied = behindProxies === true ? stubs : [];
  const proxies = await Promise.all(proxied.map(({ port }) => startFaultProxy(port)));
  const settings = stubs.map(({ url }, index) => {
    return { ...worker, url: (proxies[index]?.url ?? url) + basePath };
  });
  const router = await startTestRouter({ ...rest, workers: settings });
  onTestFinished(async () => {
    try {
      await assertQuiet(router, stubs);
    } finally {
      await router.close();
      await Promise.all(proxies.map((proxy) => proxy.refuse()));
      await Promise.all(stubs.map((stub) => stub.close()));
    }
  });
  return { router, stubs, stub: stubs[0]!, proxies };
}

/** One behaviour per request, whichever worker gets it; the last one from then on. */
export function inTurn(...behaviours: readonly Behaviour[]): Behaviour {
  let count = 0;
  return (exchange) => behaviours[Math.min(count++, behaviours.length - 1)]!(exchange);
}

/** POSTs that came to the workers, all together. */
export function sentTo(stubs: readonly StubWorker[]): number {
  return stubs.reduce((sum, stub) => sum + stub.requests.length, 0);
}
