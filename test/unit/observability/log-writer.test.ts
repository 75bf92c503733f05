import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { LogWriter } from "../../../src/observability/log-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const MIB = 1024 * 1024;
const LINE = `${"x".repeat(1023)}\n`;

/** A pipe that nobody reads until told, without the blocking of either side. */
function openPipe() {
  const folder = mkdtempSync(join(tmpdir(), "log-writer-"));
  const path = join(folder, "pipe");
  execFileSync("/usr/bin/mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const clock = new FakeClock();
  const log = new LogWriter(clock, writer);
  let isReading = true;
  const stopReading = (): void => {
    if (isReading) closeSync(reader);
    isReading = false;
  };
  onTestFinished(() => {
    log.close();
    stopReading();
    closeSync(writer);
    rmSync(folder, { recursive: true });
  });
  /** What is in the pipe now; "" where that is nothing. */
  function read(): string {
    const bytes = Buffer.alloc(MIB);
    try {
      return bytes.toString("latin1", 0, readSync(reader, bytes));
    } catch {
      return "";
    }
  }
  return { clock, log, read, stopReading };
}

test("what nobody reads is kept up to 4 MiB, the newest lines are dropped and counted", async () => {
  const { clock, log, read } = openPipe();
  const total = 6 * 1024;
  for (let line = 0; line < total; line++) log.write(LINE);
  await expect.poll(() => log.droppedLines).toBeGreaterThan(0);
  expect(log.droppedLines).toBe(2 * 1024);
  let received = "";
  await expect
    .poll(
      () => {
        clock.advance(100);
        received += read();
        return log.isDone;
      },
      { timeout: 5_000, interval: 1 },
    )
    .toBe(true);
  received += read();
  expect(received.length).toBe((total - log.droppedLines) * LINE.length);
  log.write("on again\n");
  await expect.poll(read).toBe("on again\n");
});

/** Bytes that Buffers hold and somebody still refers to. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // The first leaves what it found dead to be freed in the background.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}

test("lines that come one by one, between much else, hold what they are long and no more", () => {
  const { log } = openPipe();
  const before = heldBytes();
  for (let line = 0; line < 1000; line++) {
    log.write(LINE);
    // What else the process does with Node's pool of small Buffers meanwhile.
    for (let other = 0; other < 64; other++) Buffer.from(LINE);
  }
  // In buffers of Node's pool, 1000 lines would hold 64 times their own MiB.
  expect(heldBytes() - before).toBeLessThan(8 * MIB);
});

test("a reader that is gone costs its lines, and no more is kept for it", async () => {
  const { log, stopReading } = openPipe();
  stopReading();
  log.write("one\ntwo\n");
  await expect.poll(() => log.droppedLines).toBe(2);
  log.write("three\n");
  expect([log.droppedLines, log.isDone]).toEqual([3, true]);
});

test("in its last tick the process writes what is left, and waits for nobody for long", async () => {
  const { clock, log, read } = openPipe();
  for (let line = 0; line < 1024; line++) log.write(LINE);
  await expect.poll(() => clock.pendingTimers).toBe(1);
  expect(read().length).toBeGreaterThan(0);
  log.endNow("");
  expect(read().length).toBeGreaterThan(0);
  expect(log.isDone).toBe(true);
});

test("lines of the last tick itself are written before it is over", () => {
  const { log, read } = openPipe();
  log.endNow("the very last\n");
  expect(read()).toBe("the very last\n");
});
