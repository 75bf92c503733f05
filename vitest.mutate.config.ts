import { defineConfig } from "vitest/config";

/** The tests that look at single rules: every mutant is tried against those that reach it. */
export default defineConfig({
  test: {
    include: ["test/unit/{failures,routing,admission,dispatch}/**/*.test.ts"],
    exclude: ["**/{false-cooldowns,flood,estimates}.test.ts", "**/*-{race,races,model}.test.ts"],
    testTimeout: 20_000,
  },
});
