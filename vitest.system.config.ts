import { defineConfig } from "vitest/config";

/** What needs more than npm brings: each test names the tool that it wants, and is skipped without. */
export default defineConfig({
  test: {
    include: ["test/system/**/*.test.ts"],
    pool: "forks",
    // They look at processes, ports and network interfaces of the whole machine.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
