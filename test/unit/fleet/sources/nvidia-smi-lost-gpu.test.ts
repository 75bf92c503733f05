import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../../src/clock.ts";
import type { NvidiaSmi } from "../../../../src/fleet/sources/nvidia-smi.ts";
import { fakeGpu } from "../../../support/fake-nvidia-smi.ts";
import { RARELY_MS, setUp, until, untilItAnswers } from "./nvidia-smi-setup.ts";

const LOST =
  "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost. Reboot the system to " +
  "recover this GPU";

async function statusesOf(source: NvidiaSmi): Promise<readonly string[]> {
  const { gpus } = await source.poll();
  return gpus.map(({ id, status }) => `${id} ${status}`).toSorted();
}

test("while a GPU cannot be opened, the others are read, and it is in error", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1), fakeGpu("GPU-c", 2)];
  const { program, source } = setUp({ gpus });
  await source.poll();
  program.set({ gpus: gpus.map((gpu, i) => (i === 1 ? { ...gpu, cannotBeOpened: LOST } : gpu)) });
  await program.isSeenBy(source);
  const found = await source.poll();
  const statuses = found.gpus.map(({ id, status }) => `${id} ${status}`).toSorted();
  expect(statuses).toEqual(["GPU-a available", "GPU-b error", "GPU-c available"]);
  const lost = found.gpus.find(({ id }) => id === "GPU-b");
  expect(lost).toMatchObject({ name: "NVIDIA H100 80GB HBM3", temperatureC: null });
  expect((await source.health("GPU-b"))?.status).toBe("critical");
  expect(found.health?.get("GPU-b")?.status).toBe("critical");
  expect(found.health?.get("GPU-a")?.status).toBe("healthy");
});

test("where the look for a lost GPU hangs, the others are read again at once", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus }, 10_000);
  await source.poll();
  program.set({ gpus: [gpus[0]!, { ...gpus[1]!, cannotBeOpened: LOST }] });
  await program.isSeenBy(source);
  program.set({ hangs: "whole" });
  for (let step = 1; step < 15; step += 1) {
    clock.advance(40_000);
    program.set({});
    await program.isSeenBy(source);
  }
  clock.advance(40_000);
  await until(() => program.starts === 3 && program.isSilent);
  // Five intervals as for any other silence, not the minute of a first reading.
  clock.advance(60_000);
  await untilItAnswers(source);
  expect(program.starts).toBe(4);
  expect(await statusesOf(source)).toEqual(["GPU-a available", "GPU-b error"]);
});

test("a GPU that is well again is so although another one is lost", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1), fakeGpu("GPU-c", 2)];
  const without = (lost: number) =>
    gpus.map((gpu, i) => {
      const text = LOST.replace("01:00", `0${i}:00`);
      return i === lost ? { ...gpu, cannotBeOpened: text } : gpu;
    });
  const { program, clock, source } = setUp({ gpus }, RARELY_MS);
  await source.poll();
  program.set({ gpus: without(1) });
  await program.isSeenBy(source);
  program.set({ gpus: without(2) });
  await program.isSeenBy(source);
  expect(await statusesOf(source)).toEqual(["GPU-a available", "GPU-b error", "GPU-c error"]);
  clock.advance(600_000);
  program.set({});
  await program.isSeenBy(source);
  expect(await statusesOf(source)).toEqual(["GPU-a available", "GPU-b available", "GPU-c error"]);
});

test.each([1, 2])("that all of %i GPUs cannot be opened is told until they can", async (count) => {
  const gpus = [fakeGpu("GPU-b", 1), fakeGpu("GPU-c", 2)].slice(0, count);
  const { program, clock, source } = setUp({ gpus });
  await source.poll();
  const lost = [LOST, LOST.replace("01:00", "02:00")];
  program.set({ gpus: gpus.map((gpu, i) => ({ ...gpu, cannotBeOpened: lost[i]! })) });
  for (let tries = 1; tries <= 4; tries += 1) {
    // Half of what makes it stale.
    await until(() => clock.waitsMs.filter((ms) => ms === 2500).length === tries);
    expect(await statusesOf(source)).toEqual(gpus.map(({ uuid }) => `${uuid} error`));
    expect((await source.health("GPU-b"))?.status).toBe("critical");
    if (tries === 4) program.set({ gpus });
    clock.advance(2500);
  }
  await program.isSeenBy(source);
  expect(await statusesOf(source)).toEqual(gpus.map(({ uuid }) => `${uuid} available`));
});

test("a GPU that was left out is tried again after ten minutes", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus }, RARELY_MS);
  await source.poll();
  program.set({ gpus: [gpus[0]!, { ...gpus[1]!, cannotBeOpened: LOST }] });
  await program.isSeenBy(source);
  program.set({ gpus });
  await program.isSeenBy(source);
  const statuses = async () => (await source.poll()).gpus.map(({ status }) => status);
  expect(await statuses()).toEqual(["available", "error"]);
  clock.advance(600_000);
  // It was killed for this, which is no failure to wait after.
  while ((await statuses()).includes("error")) await sleep(systemClock, 5);
  expect(await statuses()).toEqual(["available", "available"]);
});

test("where leaving the GPU out does not help, it is not tried over and over", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus });
  await source.poll();
  const lost = { ...gpus[1]!, cannotBeOpened: LOST };
  program.set({ gpus: [gpus[0]!, lost], refusesAll: true });
  await until(() => clock.waitsMs.at(-1) === 1000);
  expect(program.starts).toBe(2);
});

test("when no GPU can be opened, it says so", async () => {
  const { source } = setUp({ gpus: [fakeGpu("GPU-b", 1, { cannotBeOpened: LOST })] });
  await expect(source.poll()).rejects.toThrow(/GPU is lost.*reboot the machine/);
});

const CELL = "[GPU is lost]";

test.each([
  ["its uuid", { uuid: CELL }],
  ["neither uuid nor index", { uuid: CELL, index: CELL }],
  ["nothing", { uuid: CELL, index: CELL, count: CELL }],
])("a GPU that tells %s no more is still the same", async (_, cells) => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1), fakeGpu("GPU-c", 2)];
  const { program, source } = setUp({ gpus });
  await source.poll();
  const lost = { ...gpus[1]!, ...cells, "temperature.gpu": CELL };
  program.set({ gpus: [gpus[0]!, lost, gpus[2]!] });
  await program.isSeenBy(source);
  expect(await statusesOf(source)).toEqual(["GPU-a available", "GPU-b error", "GPU-c available"]);
});

test("of the only GPU too, and while others are left out", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, source } = setUp({ gpus });
  await source.poll();
  const unopened = { ...gpus[0]!, cannotBeOpened: LOST.replace("01:00", "00:00") };
  program.set({ gpus: [unopened, gpus[1]!] });
  await program.isSeenBy(source);
  const silent = { index: CELL, count: CELL, "temperature.gpu": CELL };
  program.set({ gpus: [unopened, { ...gpus[1]!, ...silent }], hidesUuids: true });
  await program.isSeenBy(source);
  expect(await statusesOf(source)).toEqual(["GPU-a error", "GPU-b error"]);
});
