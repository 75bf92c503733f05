import { hash } from "node:crypto";

export const BENCH_KEY = "bench-key-of-no-secret";

/** The environment of a router in front of these workers; `slots` null = the engine's default. */
export function benchConfig(
  workerUrls: readonly string[],
  slots: number | null = null,
): Record<string, string> {
  const workers = workerUrls.map((url, i) => ({ id: `worker-${i}`, url, engine: "openai", slots }));
  const sha256 = hash("sha256", BENCH_KEY, "hex");
  const limits = { gpu_limit: 1000, request_limit: 1_000_000_000, priority_limit: 5 };
  return {
    API_PORT: "0",
    ROUTER__GPU_MONITORING__URL: "null",
    ROUTER__WORKERS: JSON.stringify(workers),
    ROUTER__USERS: JSON.stringify([{ id: "bench", ...limits }]),
    ROUTER__AUTH__KEYS: JSON.stringify([{ id: "bench", user: "bench", role: "admin", sha256 }]),
  };
}
