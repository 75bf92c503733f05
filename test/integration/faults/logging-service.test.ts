import { describe, expect, onTestFinished, test } from "vitest";
import { json } from "../../support/stub-behaviours.ts";
import { StubLogSink } from "../../support/stub-log-sink.ts";
import { chatOf, openProcessScene, type ProcessScene } from "./process-setup.ts";

const PATIENT = { timeout: 15_000, interval: 50 };
/** The goal is 5 s; a machine that does other things besides must not fail a test. */
const CATCH_UP = { timeout: 10_000, interval: 50 };

interface SinkScene extends ProcessScene {
  readonly sink: StubLogSink;
  /** So many are served, and /health answers as ever. */
  chats(count: number): Promise<void>;
  /** Request lines that the sink took. */
  requestLines(): number;
}

async function openSinkScene(sink: StubLogSink): Promise<SinkScene> {
  onTestFinished(() => sink.stop());
  const scene = await openProcessScene({ behaviour: json(), env: { LOGGING_URL: sink.url } });
  return {
    ...scene,
    sink,
    async chats(count) {
      for (let request = 0; request < count; request++) expect(await chatOf(3, scene)).toBe(200);
      const askedAtMs = performance.now();
      const health = await fetch(`${scene.address}/health`);
      expect([health.status, await health.json()]).toMatchObject([200, { status: "healthy" }]);
      expect(performance.now() - askedAtMs).toBeLessThan(1000);
    },
    requestLines: () => sink.lines.filter(({ msg }) => msg === "request").length,
  };
}

function dropped({ metric }: ProcessScene): Promise<number> {
  return metric('router_log_lines_dropped_total\\{sink="service"\\}');
}

async function startedSink(): Promise<StubLogSink> {
  return new StubLogSink().start();
}

test("F51 a Logging Service that is down costs no request and no line, and gets them when it is back", async () => {
  const sink = await startedSink();
  await sink.stop();
  const scene = await openSinkScene(sink);
  await scene.chats(50);
  await expect
    .poll(() => scene.metric("router_log_backlog_bytes"), PATIENT)
    .toBeGreaterThan(10_000);
  await scene.router.printed(/"msg":"logging service failing"/);
  await sink.start();
  await expect.poll(() => scene.requestLines(), CATCH_UP).toBe(50);
  await scene.router.printed(/"msg":"logging service works again"/);
  expect(await dropped(scene)).toBe(0);
  await expect.poll(() => scene.metric("router_log_backlog_bytes"), PATIENT).toBe(0);
  // What stdout shows is what the service got, line by line.
  const shipped = await scene.metric("router_log_lines_shipped_total");
  expect(shipped).toBe(sink.lines.length);
  expect(sink.lines).toEqual(scene.router.log.slice(0, shipped));
});

describe("F52 a Logging Service", () => {
  test("that hangs costs no request, and its lines are sent again", async () => {
    const sink = await startedSink();
    sink.status = null;
    const scene = await openSinkScene(sink);
    await scene.chats(50);
    await scene.router.printed(/"problem":"no answer within 3000 ms"/);
    expect(sink.openConnections).toBeLessThanOrEqual(1);
    sink.status = 204;
    await expect.poll(() => scene.requestLines(), CATCH_UP).toBe(50);
    expect(await dropped(scene)).toBe(0);
  });

  test("that is slow gets every line", async () => {
    const sink = await startedSink();
    sink.delayMs = 2000;
    const scene = await openSinkScene(sink);
    await scene.chats(50);
    await expect.poll(() => scene.requestLines(), PATIENT).toBe(50);
    expect(await dropped(scene)).toBe(0);
    expect(scene.router.stdout).not.toContain("logging service failing");
  });

  test("that fails inside gets every line when it is well", async () => {
    const sink = await startedSink();
    sink.status = 500;
    const scene = await openSinkScene(sink);
    await scene.chats(50);
    await scene.router.printed(/"problem":"answered 500"/);
    sink.status = 204;
    await expect.poll(() => scene.requestLines(), CATCH_UP).toBe(50);
    expect(await dropped(scene)).toBe(0);
  });

  test.each([400, 413])(
    "that refuses with %i loses lines, which are counted and told once",
    async (status) => {
      const sink = await startedSink();
      sink.status = status;
      const scene = await openSinkScene(sink);
      await scene.chats(50);
      await scene.router.printed(new RegExp(`"problem":"answered ${status}: lines are dropped"`));
      await scene.chats(50);
      await expect.poll(() => dropped(scene), PATIENT).toBeGreaterThanOrEqual(100);
      expect(scene.router.stdout.match(/logging service failing/g)).toHaveLength(1);
      expect(await scene.metric("router_log_lines_shipped_total")).toBe(0);
    },
  );

  test("that hangs does not hold the end up for more than five seconds", async () => {
    const sink = await startedSink();
    sink.status = null;
    const scene = await openSinkScene(sink);
    await scene.chats(10);
    const askedAtMs = performance.now();
    scene.router.signal("SIGINT");
    expect(await scene.router.exit).toBe(0);
    expect(performance.now() - askedAtMs).toBeLessThan(10_000);
  });

  test("gets the last lines of a router that ends", async () => {
    const sink = await startedSink();
    const scene = await openSinkScene(sink);
    await scene.chats(10);
    scene.router.signal("SIGINT");
    expect(await scene.router.exit).toBe(0);
    expect(sink.lines).toEqual(scene.router.log);
    expect(sink.lines.map(({ msg }) => msg)).toContain("stopping");
  });
});
