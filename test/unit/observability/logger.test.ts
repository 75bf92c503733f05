import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createLogger, type Logger } from "../../../src/observability/logger.ts";
import { systemClock } from "../../../src/clock.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "logger-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What the file holds once the logger is closed. */
async function linesOf(level: string, write: (logger: Logger) => void): Promise<unknown[]> {
  const destination = join(folder, "log");
  const logger = createLogger({ clock: systemClock, level, destination, ship: null });
  write(logger);
  await logger.close();
  const lines = readFileSync(destination, "utf8").trimEnd().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
}

/** The same, written by pino alone. */
function pinoLine(fields: object, message: string): object {
  let line = "";
  const logger = pino({ base: null }, { write: (text: string) => void (line = text) });
  logger.info(fields, message);
  return JSON.parse(line) as object;
}

test.each([
  ["nothing", {}],
  ["plain values", { user: "alice", n: 1.5, stream: false, error: null }],
  ["what JSON must escape", { text: 'a "quoted"\n\u2028 back\\slash', "odd key\t": "ü" }],
  ["what JSON has no word for", { n: Number.NaN, missing: undefined, far: Infinity }],
  ["objects and lists", { workers: ["a", "b"], nested: { deep: { x: 1 } } }],
  ["a bigint, which JSON refuses", { n: 1n }],
  ["a function, which JSON leaves out or calls", { n: 1, toJSON: () => "all of it" }],
  ["an error", { err: new Error("went wrong") }],
])("a line with %s says what pino's would", async (_name, fields) => {
  const message = 'a "message"';
  const [line] = await linesOf("info", ({ log }) => log.info(fields, message));
  const time = expect.any(Number) as number;
  expect(line).toEqual({ ...pinoLine(fields, message), time });
});

test("lines of both kinds keep their order", async () => {
  const lines = await linesOf("info", ({ log }) => {
    log.info({ n: 1 }, "flat");
    log.warn({ list: [2] }, "not flat");
    log.error({ n: 3 }, "flat");
  });
  expect(lines).toMatchObject([
    { level: 30, n: 1 },
    { level: 40, list: [2] },
    { level: 50, n: 3 },
  ]);
});

test("levels below the configured one are not written", async () => {
  const lines = await linesOf("warn", ({ log }) => {
    log.debug({}, "no");
    log.info({ list: [] }, "no");
    log.warn({}, "yes");
  });
  expect(lines).toMatchObject([{ level: 40, msg: "yes" }]);
});

test("a secret's value stays out, however deep it lies", async () => {
  const lines = await linesOf("info", ({ log }) => {
    log.info({ token: "hunter2" }, "flat");
    log.info({ headers: { authorization: "Bearer hunter2" } }, "deep");
  });
  expect(JSON.stringify(lines)).not.toContain("hunter2");
});

test("a new level counts from the next line on", async () => {
  const lines = await linesOf("error", (logger) => {
    logger.log.info({}, "too early");
    logger.setLevel("debug");
    logger.log.debug({}, "in time");
    logger.setLevel("warn");
    logger.log.info({}, "too late");
  });
  expect(lines).toMatchObject([{ msg: "in time" }]);
});

test("what the Logging Service does while the logger closes is told on stdout", async () => {
  let answers = 0;
  const service = createServer((request, response) => {
    answers += 1;
    response.statusCode = answers === 1 ? 503 : 204;
    request.resume().on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void service.close());
  await once(service, "listening");
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const destination = join(folder, "log");
  const ship = { url, format: "json" } as const;
  const logger = createLogger({ clock: systemClock, level: "info", destination, ship });
  logger.log.info({}, "the last");
  await logger.close();
  expect(messagesIn(destination)).toEqual([
    "the last",
    "logging service failing",
    "logging service works again",
  ]);
});

test("a process that ends while the logger closes writes each line once", () => {
  const destination = join(folder, "log");
  const src = new URL("../../../src/", import.meta.url).href;
  // Nobody listens on port 1: the logger tries twice, so that it still waits when the process ends.
  const script = `
    import { createLogger } from "${src}observability/logger.ts";
    import { systemClock as clock } from "${src}clock.ts";
    const ship = { url: "http://127.0.0.1:1", format: "json" };
    const destination = ${JSON.stringify(destination)};
    const { log, close } = createLogger({ clock, level: "info", destination, ship });
    log.info({}, "before");
    void close();
    setImmediate(() => { log.info({}, "meanwhile"); process.exit(0); });`;
  const args = ["--input-type=module", "--eval", script];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const messages = messagesIn(destination).filter(
    (message) => !message.startsWith("logging service"),
  );
  expect(messages).toEqual(["before", "meanwhile"]);
});

function messagesIn(path: string): readonly string[] {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}
