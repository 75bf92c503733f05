import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createLogger } from "../../src/observability/logger.ts";
import type { LogSender } from "../../src/observability/log-sender.ts";
import { createLogShipper } from "../../src/observability/log-shipper.ts";
import type { LogFormatName } from "../../src/observability/log-formats.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { keepingLog } from "../support/fleet-builders.ts";
import { StubLogSink } from "../support/stub-log-sink.ts";

const LINE = { level: 30, time: 1_767_225_600_000, msg: "hello" };
const TEXT = `${JSON.stringify(LINE)}\n`;

interface Scene {
  readonly sink: StubLogSink;
  readonly shipper: LogSender;
  readonly clock: FakeClock;
  readonly messages: () => readonly unknown[];
}

/** A shipper on real sockets, whose waits pass when the test says so. */
async function openScene(format: LogFormatName = "json", path = ""): Promise<Scene> {
  const sink = await new StubLogSink().start();
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const shipper = createLogShipper({ url: sink.url + path, format }, { clock, log });
  onTestFinished(async () => {
    shipper.close();
    await sink.stop();
  });
  return { sink, shipper, clock, messages: () => lines.map(({ fields }) => fields) };
}

test("lines are posted as a JSON array to /logs below the URL, on one connection", async () => {
  const { sink, shipper, clock } = await openScene("json", "/base");
  // An answer with a body, which must be read before the connection can be used again.
  sink.status = 200;
  for (let second = 1; second <= 3; second++) {
    shipper.add(TEXT + TEXT);
    clock.advance(1000);
    await expect.poll(() => shipper.shippedLines).toBe(2 * second);
  }
  expect(sink.batches.map(({ path }) => path)).toEqual(Array(3).fill("/base/logs"));
  expect(sink.batches[0]!.headers["content-type"]).toBe("application/json");
  expect(sink.lines).toEqual(Array.from({ length: 6 }, () => LINE));
  expect(sink.openConnections).toBe(1);
  shipper.close();
  await expect.poll(() => sink.openConnections).toBe(0);
});

test("Loki is pushed its own format", async () => {
  const { sink, shipper, clock } = await openScene("loki");
  shipper.add(TEXT);
  clock.advance(1000);
  await expect.poll(() => shipper.shippedLines).toBe(1);
  const [{ path, headers, text }] = sink.batches as [StubLogSink["batches"][number]];
  expect([path, headers["content-type"]]).toEqual(["/loki/api/v1/push", "application/json"]);
  expect(JSON.parse(text)).toMatchObject({
    streams: [{ stream: { level: "info" }, values: [["1767225600000000000", TEXT.trim()]] }],
  });
});

test.each([400, 401, 404, 204 + 99])(
  "status %i loses the batch, and says so once",
  async (status) => {
    const { sink, shipper, clock, messages } = await openScene();
    sink.status = status;
    for (let batch = 1; batch <= 2; batch++) {
      shipper.add(TEXT + TEXT);
      clock.advance(1000);
      await expect.poll(() => shipper.droppedLines).toBe(2 * batch);
    }
    const problem = `answered ${status}: lines are dropped`;
    expect(messages()).toEqual([{ url: sink.url, problem }]);
    expect(sink.batches).toHaveLength(2);
  },
);

test.each([408, 429, 500, 503])(
  "status %i is tried again until the lines are taken",
  async (status) => {
    const { sink, shipper, clock, messages } = await openScene();
    sink.status = status;
    sink.answerHeaders = { "retry-after": "7" };
    shipper.add(TEXT);
    clock.advance(1000);
    await expect.poll(messages).toHaveLength(1);
    sink.status = 204;
    clock.advance(6999);
    expect(sink.batches).toHaveLength(1);
    clock.advance(1);
    await expect.poll(() => shipper.shippedLines).toBe(1);
    expect(shipper.droppedLines).toBe(0);
    expect(messages()).toEqual([
      { url: sink.url, problem: `answered ${status}` },
      { url: sink.url, linesLost: 0 },
    ]);
  },
);

test("a redirect is not followed", async () => {
  const { sink, shipper, clock } = await openScene();
  const other = await new StubLogSink().start();
  onTestFinished(() => other.stop());
  sink.status = 307;
  sink.answerHeaders = { location: `${other.url}/logs` };
  shipper.add(TEXT);
  clock.advance(1000);
  await expect.poll(() => shipper.droppedLines).toBe(1);
  expect(other.batches).toEqual([]);
});

test("a batch without an answer is broken off after three seconds, and sent again", async () => {
  const { sink, shipper, clock, messages } = await openScene();
  sink.status = null;
  shipper.add(TEXT);
  clock.advance(1000);
  await expect.poll(() => sink.batches).toHaveLength(1);
  clock.advance(2999);
  expect(sink.openConnections).toBe(1);
  sink.status = 204;
  clock.advance(1);
  await expect.poll(() => shipper.shippedLines).toBe(1);
  expect(messages()[0]).toEqual({ url: sink.url, problem: "no answer within 3000 ms" });
});

test("a service that is down is tried again until it is back", async () => {
  const { sink, shipper, clock, messages } = await openScene();
  await sink.stop();
  shipper.add(TEXT);
  clock.advance(1000);
  await expect.poll(messages).toHaveLength(1);
  expect(messages()[0]).toMatchObject({ problem: expect.stringMatching(/ECONNREFUSED/) as string });
  await sink.start();
  await expect
    .poll(() => {
      clock.advance(500);
      return sink.lines;
    })
    .toEqual([LINE]);
});

test("the logger ships each line as it writes it, and the last of them when it is closed", async () => {
  const sink = await new StubLogSink().start();
  const folder = await mkdtemp(join(tmpdir(), "log-shipper-"));
  onTestFinished(async () => {
    await sink.stop();
    await rm(folder, { recursive: true });
  });
  const destination = join(folder, "log");
  const ship = { url: sink.url, format: "json" } as const;
  const clock = new FakeClock();
  const logger = createLogger({ clock, level: "info", destination, ship });
  logger.log.debug({}, "below the level");
  logger.log.info({ user: "alice", token: "hunter2" }, "flat");
  logger.log.warn({ workers: ["a", "b"], headers: { authorization: "hunter2" } }, "not flat");
  logger.log.error({ err: new Error("went wrong") }, "an error");
  const closed = logger.close();
  // No time has passed yet: at the end nothing waits for more.
  await expect.poll(() => logger.counts.shipped).toBe(3);
  clock.advance(20);
  await closed;
  const written = readFileSync(destination, "utf8").trimEnd().split("\n");
  expect(sink.lines).toEqual(written.map((line) => JSON.parse(line) as unknown));
  expect(sink.lines.map(({ msg }) => msg)).toEqual(["flat", "not flat", "an error"]);
  expect(sink.batches[0]!.text).not.toContain("hunter2");
  expect(logger.counts).toEqual({
    ...{ droppedByStdout: 0, droppedByService: 0 },
    ...{ shipped: 3, backlogBytes: 0 },
  });
});
