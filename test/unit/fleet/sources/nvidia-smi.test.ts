import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../../src/clock.ts";
import { createNvidiaSmi } from "../../../../src/fleet/sources/nvidia-smi.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { fakeGpu, NO_DRIVER } from "../../../support/fake-nvidia-smi.ts";
import { RARELY_MS, setUp, until, untilItAnswers } from "./nvidia-smi-setup.ts";

test("nothing runs before the first poll", async () => {
  const { program, source } = setUp();
  expect(program.starts).toBe(0);
  await source.poll();
  expect(program.starts).toBe(1);
});

test("one program answers all polls", async () => {
  const { program, source } = setUp();
  await source.poll();
  program.set({});
  await program.isSeenBy(source);
  expect(program.starts).toBe(1);
});

test("a program that is not there says what to install", async () => {
  const clock = new FakeClock();
  const command = "/nowhere/nvidia-smi";
  const source = createNvidiaSmi({ name: "local", clock, command });
  await expect(source.poll()).rejects.toThrow(/nvidia-smi not found: install the NVIDIA driver/);
  await source.close();
  expect(clock.pendingTimers).toBe(0);
});

test("a program that cannot be executed is no crash", async () => {
  const { program } = setUp();
  // A file where a folder should be: Node throws this, where it tells of others by an event.
  const command = `${program.command}/nvidia-smi`;
  const clock = new FakeClock();
  const source = createNvidiaSmi({ name: "local", clock, command });
  await expect(source.poll()).rejects.toThrow(/nvidia-smi cannot be started: spawn ENOTDIR/);
  await source.close();
  expect(clock.pendingTimers).toBe(0);
});

test("it is started again after 1, 2, 4 s, until the driver is there", async () => {
  const { program, clock, source } = setUp({ failure: NO_DRIVER });
  await expect(source.poll()).rejects.toThrow(/couldn't communicate.*; load the NVIDIA driver/);
  for (const [starts, delayMs] of [1000, 2000, 4000].entries()) {
    await until(() => clock.waitsMs.at(-1) === delayMs);
    expect(program.starts).toBe(starts + 1);
    if (delayMs === 4000) program.set({ failure: undefined });
    clock.advance(delayMs);
  }
  await untilItAnswers(source);
  expect(program.starts).toBe(4);
  program.set({ failure: NO_DRIVER });
  await until(() => clock.waitsMs.at(-1) === 1000);
});

test("what it said last counts for a while after it ended, and then no more", async () => {
  const { program, clock, source } = setUp();
  await source.poll();
  program.set({ failure: NO_DRIVER });
  await until(() => clock.waitsMs.at(-1) === 1000);
  clock.advance(900);
  expect((await source.poll()).gpus).toHaveLength(1);
  clock.advance(4200);
  await expect(source.poll()).rejects.toThrow(/couldn't communicate/);
});

test("a program that hangs is killed and started again", async () => {
  const { program, clock, source } = setUp();
  await source.poll();
  program.set({ hangs: true });
  await until(() => program.isSilent);
  // What it printed before has arrived by then.
  await sleep(systemClock, 5);
  clock.advance(5250);
  await expect(source.poll()).rejects.toThrow(/printed no readings for 5 s/);
  await until(() => clock.waitsMs.at(-1) === 1000);
  program.set({ hangs: false });
  clock.advance(1000);
  await untilItAnswers(source);
  expect(program.starts).toBe(2);
});

test("one that cannot be killed is told, also where it was to be killed for no fault of its own", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus }, RARELY_MS, true);
  await source.poll();
  const lost = "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.";
  program.set({ gpus: [gpus[0]!, { ...gpus[1]!, cannotBeOpened: lost }] });
  await program.isSeenBy(source);
  program.set({ hangs: true });
  await until(() => program.isSilent);
  // After ten minutes it is ended to look for the lost one; what the script started stays.
  clock.advance(600_000);
  clock.advance(1_200_000);
  await expect(source.poll()).rejects.toThrow(/it hangs in the driver/);
  expect(program.starts).toBe(2);
});

test("a stall of this process is no silence of the program", async () => {
  const { program, clock, source } = setUp();
  await source.poll();
  clock.advance(5000);
  program.set({});
  await program.isSeenBy(source);
  clock.advance(5000);
  program.set({});
  await program.isSeenBy(source);
  expect(program.starts).toBe(1);
});

test("closed, it also ends what a script started for it", async () => {
  const { program, clock, source } = setUp({}, 20, true);
  await source.poll();
  const closed = source.close();
  clock.advance(1000);
  await closed;
  await program.hasEnded();
});

test("the first round may take long: without persistence mode the driver wakes up slowly", async () => {
  const { program, clock, source } = setUp({ hangs: true });
  const poll = source.poll();
  await until(() => program.starts === 1);
  // Less than the 2 s of those who ask over HTTP.
  clock.advance(1500);
  await expect(poll).rejects.toThrow(/no readings yet.*persistence mode/);
  clock.advance(57_500);
  program.set({ hangs: false });
  await untilItAnswers(source);
  expect(program.starts).toBe(1);
});

test("uncorrected ECC errors that come while we look are critical for ten minutes", async () => {
  const errors = "ecc.errors.uncorrected.volatile.total";
  const { program, clock, source } = setUp(
    { gpus: [fakeGpu("GPU-1", 0, { [errors]: "2" })] },
    RARELY_MS,
  );
  await source.poll();
  program.set({});
  await program.isSeenBy(source);
  expect((await source.health("GPU-1"))?.status).toBe("warning");
  program.set({ gpus: [fakeGpu("GPU-1", 0, { [errors]: "3" })] });
  await program.isSeenBy(source);
  expect((await source.health("GPU-1"))?.status).toBe("critical");
  clock.advance(599_999);
  expect((await source.health("GPU-1"))?.status).toBe("critical");
  clock.advance(1);
  expect((await source.health("GPU-1"))?.status).toBe("warning");
});

test("a sensor that fails for a moment makes no ECC errors new", async () => {
  const errors = "ecc.errors.uncorrected.volatile.total";
  const { program, source } = setUp({ gpus: [fakeGpu("GPU-1", 0, { [errors]: "2" })] });
  await source.poll();
  for (const count of ["[Unknown Error]", "2"]) {
    program.set({ gpus: [fakeGpu("GPU-1", 0, { [errors]: count })] });
    await program.isSeenBy(source);
  }
  expect((await source.health("GPU-1"))?.status).toBe("warning");
});

test("in a container, processes may have no name", async () => {
  const { source } = setUp({ apps: ["GPU-1, 1234, 512, [Not Found]", "GPU-9, 1, 1, other"] });
  let [gpu] = (await source.poll()).gpus;
  // None are known until the first look has answered.
  while (gpu?.processes === null) {
    await sleep(systemClock, 5);
    [gpu] = (await source.poll()).gpus;
  }
  expect(gpu?.processes).toEqual([{ pid: 1234, name: null, memoryUsedBytes: 512 * 2 ** 20 }]);
});

test("processes that cannot be listed cost nothing but the processes", async () => {
  const { source } = setUp({ apps: null });
  let { gpus, problems } = await source.poll();
  while (problems.length === 0) {
    await sleep(systemClock, 5);
    ({ gpus, problems } = await source.poll());
  }
  expect(problems).toEqual(["nvidia-smi --query-compute-apps failed: processes are unknown"]);
  expect(gpus[0]).toMatchObject({ temperatureC: 41, processes: null });
});

test("closed, it leaves no timer, no program, and answers no more", async () => {
  const { clock, source } = setUp();
  await source.poll();
  await source.close();
  expect(clock.pendingTimers).toBe(0);
  await expect(source.poll()).rejects.toThrow(/its source was closed/);
});
