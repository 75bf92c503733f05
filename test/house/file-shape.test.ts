import { describe, expect, test } from "vitest";
import { shapeViolations } from "./file-rules.ts";
import { readSources } from "./source-text.ts";

test.each(["src", "test"])("every file in %s keeps the rules of shape", (folder) => {
  expect(shapeViolations(readSources(folder))).toEqual([]);
});

const CONFIG = "src/config/load.ts";
const FLEET = "src/fleet/fleet.ts";

describe("the checker sees", () => {
  const forbidden: readonly (readonly [path: string, source: string, says: string])[] = [
    [FLEET, "a;\n".repeat(251), "251 lines"],
    ["src/fleet/gpuList.ts", "", '"gpuList.ts" is not kebab-case'],
    ["src/fleet/gpu_list.ts", "", '"gpu_list.ts" is not kebab-case'],
    ["src/GpuFleet/gpu.ts", "", '"GpuFleet" is not kebab-case'],
    ["src/fleet/utils.ts", "", '"utils" says nothing'],
    ["test/helpers/stub.ts", "", '"helpers" says nothing'],
    ["src/fleet/index.ts", "", '"index" says nothing'],
    ["src/fleet/types.ts", "", '"types" says nothing'],
    [FLEET, "a();\n// TODO: cool it\n", "fleet.ts:2 left-over"],
    [FLEET, "/** FIXME later */", "left-over"],
    ["test/unit/a.test.ts", "a(); // FIXME", "left-over"],
    [FLEET, "\nsetTimeout(run, 5);", "fleet.ts:2 sets a timer"],
    [FLEET, "const later = setInterval;", "sets a timer"],
    [FLEET, "globalThis.setTimeout(run, 5);", "sets a timer"],
    ["test/unit/a.test.ts", "await new Promise((done) => setTimeout(done, 5));", "sets a timer"],
    [FLEET, "fetch(url, { signal: AbortSignal.timeout(5) });", "sets a timer"],
    [FLEET, "const atMs = Date.now();", "reads time"],
    [FLEET, "const at = new Date();", "reads time"],
    [FLEET, "const atMs = performance.now();", "reads time"],
    [FLEET, "const at = process.hrtime.bigint();", "reads time"],
    [FLEET, "const text = `at ${Date.now()}`;", "reads time"],
    [FLEET, 'const text = `http://${host}?at=${Date.now()}`; // "', "reads time"],
    [FLEET, 'const quote = /["`]/; const atMs = Date.now(); const next = /"/;', "reads time"],
    [FLEET, "const key = process.env.KEY;", "reads the environment"],
    [FLEET, 'const key = process["env"].KEY;', "reads the environment"],
    [FLEET, "const { env } = process;", "reads the environment"],
    [FLEET, "process.exit(1);", "ends the process"],
    [CONFIG, "process.exit(1);", "ends the process"],
  ];

  test.each(forbidden)("%s with %j", (path, source, says) => {
    const violations = shapeViolations(new Map([[path, source]]));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(says);
  });
});

describe("the checker lets pass", () => {
  const allowed: readonly (readonly [path: string, source: string])[] = [
    [FLEET, "a;\n".repeat(250)],
    ["test/contract/gpu-source.contract.ts", ""],
    [FLEET, "// TODO: drop this with #12"],
    ["src/clock.ts", "setTimeout(run, 5).unref(); performance.now(); Date.now();"],
    [FLEET, "const text = new Date(atMs).toISOString();"],
    [FLEET, "clearTimeout(timer); socket.setTimeout(5); weights.performance.toFixed(2);"],
    [FLEET, '// Date.now() is for people.\nthrow new Error("setTimeout is not for you");'],
    [CONFIG, "const key = process.env.KEY;"],
    ["src/main.ts", "process.exit(1);"],
    ["src/cli/key.ts", "process.exit(1);"],
    [FLEET, "process.exitCode = 1;"],
    ["test/integration/a.test.ts", "setTimeout(run, 5);"],
  ];

  test.each(allowed)("%s with %j", (path, source) => {
    expect(shapeViolations(new Map([[path, source]]))).toEqual([]);
  });
});
