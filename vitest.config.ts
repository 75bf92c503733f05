import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,contract,integration,house}/**/*.test.ts"],
    pool: "forks",
    // Tests on sockets mostly wait: with a worker per core the cores stand idle.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
