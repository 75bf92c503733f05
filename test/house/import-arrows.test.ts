import { describe, expect, test } from "vitest";
import { circlesIn, importViolations } from "./import-rules.ts";
import { MAY_IMPORT, type Part } from "./may-import.ts";
import { readSources } from "./source-text.ts";

test("every import in src runs down the house", () => {
  expect(importViolations(readSources("src"))).toEqual([]);
});

test("the table itself has no circle between parts, types included", () => {
  const arrows = Object.entries(MAY_IMPORT).map(([part, { uses, knows = [] }]) => {
    const others = [...uses, ...knows].filter((target) => target !== part);
    return [part, others] as const;
  });
  expect(circlesIn(new Map<string, readonly string[]>(arrows))).toEqual([]);
});

describe("the checker sees", () => {
  const forbidden: readonly (readonly [path: string, source: string, says: string])[] = [
    // Arrows between parts.
    ["src/routing/a.ts", 'import { isTooHot } from "../fleet/gpu.ts";', "only types of fleet"],
    ["src/routing/a.ts", 'import { type Gpu } from "../fleet/gpu.ts";', "only types of fleet"],
    ["src/routing/a.ts", 'import type { X } from "../dispatch/x.ts";', "may not import dispatch"],
    ["src/fleet/a.ts", 'import { decide } from "../routing/decide.ts";', "may not import routing"],
    ["src/fleet/sources/a.ts", 'import { s } from "../../http/s.ts";', "may not import http"],
    ["src/admission/a.ts", 'import { d } from "../dispatch/d.ts";', "may not import dispatch"],
    ["src/failures/a.ts", 'import type { R } from "../routing/r.ts";', "may not import routing"],
    ["src/dispatch/a.ts", 'import type { S } from "../http/server.ts";', "may not import http"],
    ["src/dispatch/a.ts", 'import type { M } from "../observability/m.ts";', "observability"],
    ["src/http/a.ts", 'import { metrics } from "../observability/metrics.ts";', "observability"],
    ["src/http/a.ts", 'import { load } from "../config/load.ts";', "only types of config"],
    ["src/config/a.ts", 'import { ENGINES } from "../fleet/worker.ts";', "may not import fleet"],
    ["src/observability/a.ts", 'import { d } from "../routing/d.ts";', "only types of routing"],
    ["src/simulator/a.ts", 'import { s } from "../http/server.ts";', "may not import http"],
    ["src/app.ts", 'import { demo } from "./demo/demo.ts";', "may not import demo"],
    ["src/http/a.ts", 'import { key } from "../cli/key.ts";', "may not import cli"],
    ["src/clock.ts", 'import { x } from "./config/x.ts";', "may not import config"],
    ["src/main.ts", 'import { m } from "./observability/metrics.ts";', "observability"],
    ["src/monitoring-service/a.ts", 'import { m } from "../observability/m.ts";', "observability"],
    // Every form of import.
    ["src/fleet/a.ts", 'import "../http/server.ts";', "may not import http"],
    ["src/fleet/a.ts", 'export { a } from "../http/server.ts";', "may not import http"],
    ["src/fleet/a.ts", 'export * from "../http/server.ts";', "may not import http"],
    ["src/fleet/a.ts", 'import * as http from "../http/server.ts";', "may not import http"],
    ["src/fleet/a.ts", 'const s = await import("../http/server.ts");', "may not import http"],
    ["src/fleet/a.ts", 'import {\n  a,\n  b,\n} from "../http/server.ts";', "a.ts:1 fleet imports"],
    ["src/fleet/a.ts", "const s = await import(name);", "import cannot be read"],
    ["src/fleet/a.ts", "import { a } from '../http/server.ts';", "import cannot be read"],
    // Outside the house.
    ["src/http/a.ts", 'import { stub } from "../../test/support/stub.ts";', "in no part"],
    ["src/extra/a.ts", "export const a = 1;", "belongs to no part"],
    ["src/extra.ts", "export const a = 1;", "belongs to no part"],
    // Packages.
    ["src/dispatch/a.ts", 'import type { F } from "fastify";', "imports fastify, allowed in"],
    ["src/main.ts", 'import swagger from "@fastify/swagger";', "imports @fastify/swagger, allowed"],
    ["src/http/a.ts", 'import { request } from "undici";', "imports undici, allowed in"],
    ["src/dispatch/route-request.ts", 'import { Pool } from "undici";', "imports undici"],
    ["src/routing/a.ts", 'import { z } from "zod/v4";', "imports zod, allowed in"],
    ["src/fleet/fleet.ts", 'import pino from "pino";', "imports pino, allowed in"],
    ["src/http/a.ts", 'import { Counter } from "prom-client";', "imports prom-client, allowed"],
    ["src/http/a.ts", 'import { load } from "js-yaml";', "imports js-yaml, allowed in"],
    ["src/http/a.ts", 'import _ from "lodash/fp";', "lodash, which has no row"],
    ["src/http/a.ts", 'import { readFile } from "fs";', "fs, which has no row"],
    ["src/routing/a.ts", 'import { connect } from "node:net";', "imports node:net, allowed in"],
    ["src/requests/a.ts", 'import { get } from "node:https";', "imports node:https, allowed in"],
    ["src/http/a.ts", 'import { setTimeout } from "node:timers/promises";', "node:timers/promises"],
    ["src/http/a.ts", 'import { env } from "node:process";', "allowed in: no file"],
    ["src/http/a.ts", 'import { spawn } from "node:child_process";', "allowed in: src/fleet"],
  ];

  test.each(forbidden)("%s with %j", (path, source, says) => {
    const violations = importViolations(new Map([[path, `${source}\n`]]));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(says);
  });

  test("a circle of files", () => {
    const violations = importViolations(
      new Map([
        ["src/fleet/a.ts", 'import { b } from "./b.ts";\n'],
        ["src/fleet/b.ts", 'import { c } from "./c.ts";\n'],
        ["src/fleet/c.ts", 'export * from "./a.ts";\n'],
      ]),
    );
    expect(violations).toEqual([
      "circle: src/fleet/a.ts -> src/fleet/b.ts -> src/fleet/c.ts -> src/fleet/a.ts",
    ]);
  });

  test("a circle in a table of parts", () => {
    const arrows = new Map<Part, readonly Part[]>([
      ["fleet", ["failures"]],
      ["failures", ["fleet"]],
    ]);
    expect(circlesIn(arrows)).toEqual([["fleet", "failures", "fleet"]]);
  });
});

describe("the checker lets pass", () => {
  const allowed: readonly (readonly [path: string, source: string])[] = [
    ["src/routing/decide.ts", 'import type { Gpu } from "../fleet/gpu.ts";'],
    ["src/routing/decide.ts", 'import type {\n  Gpu,\n  GpuStatus,\n} from "../fleet/gpu.ts";'],
    ["src/routing/decide.ts", 'export interface A {}\nexport type { Gpu } from "../fleet/gpu.ts";'],
    ["src/routing/filters/heat.ts", 'import { RouterError } from "../../errors.ts";'],
    ["src/dispatch/attempt.ts", 'import { Pool } from "undici";'],
    ["src/http/routes/jobs.ts", 'import { z } from "zod";\nimport type { F } from "fastify";'],
    ["src/http/auth.ts", 'import { createHash } from "node:crypto";'],
    ["src/config/cidr.ts", 'import { BlockList } from "node:net";'],
    ["src/main.ts", 'const { startDemo } = await import("./demo/demo.ts");'],
    ["src/main.ts", 'import { createLogger } from "./observability/logger.ts";'],
    ["src/fleet/a.ts", '// import { a } from "../http/server.ts";\n/*\nimport "../http/x.ts";\n*/'],
    ["src/fleet/a.ts", "const here = import.meta.url;\nexport const from = here;"],
  ];

  test.each(allowed)("%s with %j", (path, source) => {
    expect(importViolations(new Map([[path, `${source}\n`]]))).toEqual([]);
  });

  test("types that go round within a part", () => {
    const sources = new Map([
      ["src/fleet/a.ts", 'import type { B } from "./b.ts";\n'],
      ["src/fleet/b.ts", 'import type { A } from "./a.ts";\n'],
    ]);
    expect(importViolations(sources)).toEqual([]);
  });
});
