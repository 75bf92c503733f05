import { hash } from "node:crypto";

export const BENCH_KEY = "bench-key-of-no-secret";

/** The environment of a router in front of these workers. */
export function benchConfig(workerUrls: readonly string[]): Record<string, string> {
  const workers = workerUrls.map((url, i) => ({ id: `worker-${i}`, url, engine: "openai" }));
  const sha256 = hash("sha256", BENCH_KEY, "hex");
  return {
    API_PORT: "0",
    ROUTER__GPU_MONITORING__URL: "null",
    ROUTER__WORKERS: JSON.stringify(workers),
    ROUTER__AUTH__KEYS: JSON.stringify([{ id: "bench", user: "bench", role: "user", sha256 }]),
  };
}
