import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { reportedGpu } from "../../support/stub-monitoring-service.ts";
import { answerJson, gpuSeen, logged, openMonitored, SOON } from "./monitor-setup.ts";

const MIB = 2 ** 20;

/** One way to answer a poll with nothing that is of use. */
const GARBAGE: readonly (readonly [what: string, answer: (response: ServerResponse) => void])[] = [
  ["nothing", (response) => answerJson(response, "")],
  ["HTML", (response) => answerJson(response, "<html><body>Welcome to nginx!</body></html>")],
  ["JSON without a list", (response) => answerJson(response, { gpus: "none" })],
  ["deep JSON", (response) => answerJson(response, "[".repeat(100_000))],
  ["deep JSON in a list", (response) => answerJson(response, `{"gpus":${"[".repeat(100_000)}`)],
  ["a truncated body", truncate],
  ["100 MB", (response) => void pour(response, 100 * MIB)],
  ["500", (response) => void response.writeHead(500).end("{}")],
  ["a redirect", (response) => void response.writeHead(302, { location: "/elsewhere" }).end()],
];

function truncate(response: ServerResponse): void {
  const text = JSON.stringify({ gpus: [reportedGpu("a")] });
  response.writeHead(200, { "content-length": text.length });
  response.write(text.slice(0, 100), () => response.destroy());
}

/** Writes so many bytes as fast as they are read, and resolves with how many that were. */
async function pour(response: ServerResponse, bytes: number): Promise<number> {
  const chunk = Buffer.alloc(MIB / 4, "[");
  const closed = once(response, "close");
  let written = 0;
  while (written < bytes && !response.closed) {
    written += chunk.length;
    if (!response.write(chunk)) await Promise.race([once(response, "drain"), closed]);
  }
  response.end();
  return written;
}

test("F44 garbage of any kind is refused: the fleet stays as it was, and the reason is logged", async () => {
  const reported = [reportedGpu("a"), reportedGpu("b", { temperature: 90 })];
  const scene = await openMonitored({ gpus: [["a"], ["b"]], reported });
  const { router, monitor, health, chatters } = scene;
  for (const [what, answer] of GARBAGE) {
    monitor.onPoll = answer;
    const failing = { code: 200, status: "degraded", gpus: 2, monitors: [{ status: "failing" }] };
    await expect.poll(health, SOON).toMatchObject(failing);
    expect(await chatters(2), what).not.toContain("503");
    monitor.onPoll = null;
    await expect.poll(health, SOON).toMatchObject({ monitors: [{ status: "ok" }] });
    expect(await gpuSeen(router, "b"), what).toMatchObject({ temperature: 90, too_hot: true });
  }
  const times = GARBAGE.length;
  expect(logged(router, "gpu source failing", "gpu source answers again")).toEqual([times, times]);
  expect(await chatters(4)).toEqual(new Set(["worker-1"]));
});

test("F44 of a body without end no more than 5 MiB is read", async () => {
  const { monitor, health } = await openMonitored({ gpus: [["a"]] });
  const poured = new Promise<number>((resolve) => {
    monitor.onPoll = (response) => {
      monitor.onPoll = null;
      void pour(response, 100 * MIB).then(resolve);
    };
  });
  // What the kernel's buffers of both sides take comes on top.
  expect(await poured).toBeLessThan(30 * MIB);
  await expect.poll(health, SOON).toMatchObject({ monitors: [{ status: "ok" }] });
});

test("F45 a figure that makes no sense is unknown, and the GPU is used all the same", async () => {
  const { router, monitor, chatters } = await openMonitored({ gpus: [["a"], ["b"]] });
  const fields = [
    ["temperature", "temperature"],
    ["utilization", "utilization"],
    ["memory_free", "memory_free"],
    ["power_usage", "power_usage"],
  ] as const;
  for (const nonsense of ["NaN", "1e999", "-5", "250", '"hot"', "null", "{}", "[]"]) {
    const odd = fields.map(([field]) => `"${field}":${nonsense}`).join(",");
    // 250 is a fine memory size and power, and so is left out of those.
    const body = `{"gpus":[{"gpu_id":"a","status":"available",${odd}},{"gpu_id":"b"}]}`;
    monitor.rawBody = body;
    await monitor.morePolls(2);
    const seen = await gpuSeen(router, "a");
    expect(seen, nonsense).toMatchObject({ temperature: null, utilization: null, too_hot: false });
    if (nonsense !== "250")
      expect(seen, nonsense).toMatchObject({ memory_free: null, power_usage: null });
    expect(await chatters(12), nonsense).toEqual(new Set(["worker-1", "worker-2"]));
  }
});

test("F46 doubled ids, the id __proto__ and 10,001 GPUs are told apart, bounded, and routed on", async () => {
  const scene = await openMonitored({ gpus: [["__proto__"], ["b"]], reported: [reportedGpu("b")] });
  const { router, monitor, health, chatters } = scene;
  const hot = { temperature: 90 };
  monitor.gpus = [
    ...[reportedGpu("__proto__", hot), reportedGpu("constructor"), reportedGpu("b")],
    ...[reportedGpu("b", hot), reportedGpu("__proto__")],
    ...Array.from({ length: 9_996 }, (_, index) => reportedGpu(`many-${index}`)),
  ];
  await expect.poll(health, SOON).toMatchObject({ status: "degraded", gpus: 9_998 });
  // The first one of a doubled id counts.
  expect(await gpuSeen(router, "__proto__")).toMatchObject({ too_hot: true });
  expect(await gpuSeen(router, "b")).toMatchObject({ too_hot: false });
  expect(await gpuSeen(router, "many-9995")).toMatchObject({ error: { code: "GPU_NOT_FOUND" } });
  expect(await gpuSeen(router, "toString")).toMatchObject({ error: { code: "GPU_NOT_FOUND" } });
  expect(await chatters(4)).toEqual(new Set(["worker-2"]));
  const problems = router.logs.map(({ fields }) => fields["problem"]);
  expect(problems).toContain("gpu_id b is reported twice; the first one counts");
  expect(problems).toContain("more than 10000 GPUs are reported; the rest is ignored");
});
