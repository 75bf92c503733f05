import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { as } from "../../support/job-api.ts";
import { CHAT } from "../../support/live-request.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import type { StubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";
import { startTestRouter } from "../../support/test-router.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/api/v1/metrics";

let monitor: StubMonitoringService;
let stub: StubWorker;
let router: TestRouter;

beforeAll(async () => {
  monitor = await startStubMonitoringService({ gpus: [reportedGpu("GPU-1")] });
  stub = await startStubWorker();
  router = await startTestRouter({
    workers: [{ url: stub.url, gpus: ["GPU-1"] }],
    config: { gpu_monitoring: { url: monitor.url } },
  });
});

afterAll(async () => {
  await router.close();
  await Promise.all([monitor.close(), stub.close()]);
});

async function scrape(): Promise<string> {
  const answer = await router.get(PATH, as(router.keys.operator));
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return answer.text();
}

/** The series of the router itself, each with its value. */
async function series(): Promise<ReadonlyMap<string, number>> {
  const lines = (await scrape()).split("\n").filter((line) => line.startsWith("router_"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

interface MetricsBody {
  readonly total_requests: number;
  readonly user_metrics: readonly { readonly user_id: string; readonly total_tokens: number }[];
}

async function asJson(key: string): Promise<MetricsBody> {
  const answer = await router.get(PATH, { ...as(key), accept: "application/json" });
  expect(answer.status).toBe(200);
  return (await answer.json()) as MetricsBody;
}

describe("GET /api/v1/metrics as Prometheus text", () => {
  test("is well formed in every line", async () => {
    await router.post("/v1/chat/completions", CHAT);
    const text = await scrape();
    expect(text.endsWith("\n")).toBe(true);
    const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"`;
    const number = String.raw`(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)`;
    const sample = new RegExp(String.raw`^(\w+)(?:\{${label}(?:,${label})*\})? ${number}$`);
    const described = new Map<string, string>();
    for (const line of text.split("\n").filter((each) => each !== "")) {
      const comment = /^# (HELP|TYPE) (\w+) (\S.*)$/.exec(line);
      if (comment) {
        described.set(`${comment[1]} ${comment[2]}`, comment[3]!);
        continue;
      }
      expect(line).toMatch(sample);
      const name = sample.exec(line)![1]!;
      const family = name.replace(/_(?:bucket|sum|count)$/, "");
      const known = described.has(`TYPE ${name}`) ? name : family;
      expect(described.get(`HELP ${known}`), line).toBeDefined();
      expect(described.get(`TYPE ${known}`), line).toMatch(/^(?:counter|gauge|histogram|summary)$/);
    }
  });

  test("counts requests, attempts, decisions and tokens, and shows the fleet", async () => {
    const before = await series();
    await router.post("/v1/chat/completions", CHAT);
    await router.requestLines(2);
    const after = await series();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const path = 'path="/v1/chat/completions"';
    expect(grown(`router_requests_total{${path},status="200"}`)).toBe(1);
    expect(grown(`router_request_duration_seconds_count{${path}}`)).toBe(1);
    expect(grown(`router_first_byte_seconds_count{${path}}`)).toBe(1);
    expect(grown('router_attempts_total{worker_id="worker-1",class="success"}')).toBe(1);
    expect(grown('router_decisions_total{strategy="hybrid",outcome="chosen"}')).toBe(1);
    expect(grown('router_tokens_total{kind="prompt"}')).toBe(5);
    expect(grown('router_tokens_total{kind="completion"}')).toBe(4);
    const now = {
      'router_open_leases{worker_id="worker-1"}': 0,
      'router_worker_slots{worker_id="worker-1"}': 32,
      'router_worker_up{worker_id="worker-1"}': 1,
      'router_worker_cooling{worker_id="worker-1"}': 0,
      'router_gpu_utilization_ratio{gpu_id="GPU-1"}': 0.1,
      'router_gpu_temperature_celsius{gpu_id="GPU-1"}': 45,
      'router_gpu_memory_used_bytes{gpu_id="GPU-1"}': 20 * 2 ** 30,
      'router_gpu_memory_total_bytes{gpu_id="GPU-1"}': 80 * 2 ** 30,
      'router_gpu_power_watts{gpu_id="GPU-1"}': 120,
      router_running_jobs: 0,
    };
    for (const [name, value] of Object.entries(now))
      expect([name, after.get(name)]).toEqual([name, value]);
    expect(
      after.get(`router_source_age_seconds{source="${new URL(monitor.url).host}"}`),
    ).toBeLessThan(60);
  });
});

describe("GET /api/v1/metrics as JSON", () => {
  test("has the totals and every user's row for operators", async () => {
    const headers = { ...as(router.keys.service), "x-user-id": "first" };
    await (await router.post("/v1/chat/completions", CHAT, headers)).text();
    await router.requestLines(3);
    const body = await asJson(router.keys.operator);
    expect(body).toMatchObject({
      successful_requests: expect.any(Number) as number,
      failed_requests: expect.any(Number) as number,
      active_requests: 0,
      queued_requests: 0,
      average_response_time_ms: expect.any(Number) as number,
      uptime_ms: expect.any(Number) as number,
      gpu_metrics: [
        {
          gpu_id: "GPU-1",
          utilization: 0.1,
          memory_used: 20 * 2 ** 30,
          temperature: 45,
          power_usage: 120,
          active_requests: 0,
        },
      ],
    });
    const users = body.user_metrics.map(({ user_id }) => user_id);
    expect(users).toEqual(expect.arrayContaining(["user", "first"]));
    expect(body.total_requests).toBe(3);
  });

  test("has the caller's own row alone for a user", async () => {
    const { user_metrics: rows } = await asJson(router.keys.user);
    expect(rows).toEqual([
      {
        user_id: "user",
        total_requests: 2,
        failed_requests: 0,
        total_tokens: 18,
        average_response_time_ms: expect.any(Number) as number,
      },
    ]);
    expect((await asJson(router.keys.service)).user_metrics).toEqual([]);
  });

  test("is what a user is told of, who asks for the text", async () => {
    await expectTrouble(await router.get(PATH), {
      code: "FORBIDDEN",
      says: /role operator or admin; Accept: application\/json shows your own figures/,
    });
  });
});
