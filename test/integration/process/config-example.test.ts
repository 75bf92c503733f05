import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RouterProcess } from "../../support/router-process.ts";

const config = readFileSync(new URL("../../../config.example.yaml", import.meta.url), "utf8");

let router: RouterProcess;
let address: string;

beforeAll(async () => {
  const env = { API_HOST: "127.0.0.1" };
  router = new RouterProcess({ config, env });
  address = await router.address();
});

afterAll(() => router.close());

/** What the log says of a subject, without the rest of the line. */
function told(pattern: RegExp): readonly string[] {
  const words = router.log.map(({ msg, reason }) => [msg, reason].filter(Boolean).join(": "));
  return words.filter((text) => pattern.test(text));
}

test("config.example.yaml, copied unchanged, starts and says where, with its real port", () => {
  expect(Number(new URL(address).port)).toBeGreaterThan(0);
  expect(router.log[0]).toMatchObject({
    address,
    docs: `${address}/docs`,
    config: `${router.folder}/config.yaml`,
    msg: "listening",
  });
});

test("the log names what is missing, each with its fix", async () => {
  await router.printed(/gpu source failing/);
  expect(told(/no API keys/)).toEqual([
    "no API keys configured: run npm run key -- --user <name> --role admin, and paste its output " +
      "into config.yaml",
  ]);
  expect(told(/no workers/)).toEqual([
    "no workers configured: list your inference servers under workers: in config.yaml",
  ]);
  const [monitor = ""] = told(/gpu source failing/);
  expect(monitor).toContain("http://gpu-monitoring-service:8080/gpus");
  expect(monitor).toContain("gpu_monitoring.url");
});

test("/docs and /health answer, and /health says what is missing", async () => {
  expect((await fetch(`${address}/docs`)).status).toBe(200);
  expect((await fetch(`${address}/health/live`)).status).toBe(200);
  const health = await fetch(`${address}/health`);
  expect(health.status).toBe(503);
  const reasons = ["no workers are configured"];
  expect(await health.json()).toMatchObject({
    status: "unhealthy",
    reasons: expect.arrayContaining(reasons),
  });
});

test.each([
  ["GET", "/v1/models"],
  ["POST", "/v1/chat/completions"],
  ["POST", "/api/v1/route"],
  ["POST", "/api/v1/route/explain"],
  ["GET", "/api/v1/gpus"],
  ["GET", "/api/v1/metrics"],
  ["GET", "/api/v1/requests/any"],
])("%s %s is 401, and says how to make the first key", async (method, path) => {
  const headers = { authorization: "Bearer demo", "content-type": "application/json" };
  const body = method === "POST" ? { body: "{}" } : {};
  const response = await fetch(address + path, { method, headers, ...body });
  expect(response.status).toBe(401);
  const message = expect.stringMatching(/^no API keys configured: run npm run key -- /);
  expect(await response.json()).toMatchObject({ error: { code: "UNAUTHORIZED", message } });
});
