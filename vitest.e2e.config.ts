import { defineConfig } from "vitest/config";

/** Against the router at ROUTER_URL, or one of its own: docs/deployment.md. */
export default defineConfig({
  test: {
    include: ["test/e2e/integration/**/*.test.ts"],
    globalSetup: ["test/e2e/integration/setup.ts"],
    pool: "forks",
    // A deployment in use is asked gently.
    fileParallelism: false,
    // An image's files cannot be written.
    fsModuleCache: false,
    // A model may have to be loaded first.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
